"""Which decoders correctly read a JPEG whose luma and chroma are in separate scans.

    python benchmarks/jpeg_decoders.py PHOTOGRAPH.jpg [--coefficients]

The photograph is made grey, coloured with its luma scans kept (``photochrom.photo.formats.splice``), and put through
``jpegtran``, which writes the same coefficients interleaved. A decoder is correct if both files give the same pixels.
Baseline, progressive and restart-marked files of odd size are tried. Decoders that are not installed are listed as
such. Needs ``jpegtran`` (Debian: libjpeg-turbo-progs).

With ``--coefficients``, toned files keep the coefficients of their luma instead (jpeglib), in baseline files;
``jpegtran`` makes progressive files of them.
"""

from __future__ import annotations

import argparse
import base64
import functools
import io
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from PIL import Image

from photochrom.photo.formats.jpeg_coefficients import luma_coefficients, with_chroma
from photochrom.photo.formats.splice import luma_scans, splice

JFIF = b"\xff\xd8\xff\xe0\x00\x10JFIF\x00\x01\x01\x00\x00\x01\x00\x01\x00\x00"
KINDS: dict[str, dict[str, Any]] = {
    "baseline": {},
    "progressive": {"progressive": True},
    "restarts": {"restart_marker_rows": 1},
    "progressive, restarts": {"progressive": True, "restart_marker_blocks": 7},
}
TONED: dict[str, dict[str, Any]] = {
    "4:2:0": {"subsampling": "4:2:0"},
    "4:4:4": {"subsampling": "4:4:4"},
    "progressive 4:2:2": {"subsampling": "4:2:2", "progressive": True},
    "progressive 4:2:0": {"subsampling": "4:2:0", "progressive": True},
}
Decoder = Callable[[Path], np.ndarray]

GO = """package main
import ("fmt"; "image/jpeg"; "os")
func main() {
  f, _ := os.Open(os.Args[1]); m, e := jpeg.Decode(f)
  if e != nil { fmt.Fprintln(os.Stderr, e); os.Exit(1) }
  b := m.Bounds(); fmt.Printf("P6\\n%d %d\\n255\\n", b.Dx(), b.Dy())
  for y := 0; y < b.Dy(); y++ { for x := 0; x < b.Dx(); x++ { r, g, c, _ := m.At(x, y).RGBA()
    os.Stdout.Write([]byte{byte(r >> 8), byte(g >> 8), byte(c >> 8)}) } }
}
"""
JAVA = """import javax.imageio.*; import java.io.*;
public class Decode { public static void main(String[] a) throws Exception {
  var m = ImageIO.read(new File(a[0])); var o = new BufferedOutputStream(System.out);
  o.write(String.format("P6\\n%d %d\\n255\\n", m.getWidth(), m.getHeight()).getBytes());
  for (int y = 0; y < m.getHeight(); y++) for (int x = 0; x < m.getWidth(); x++) {
    int p = m.getRGB(x, y); o.write(p >> 16); o.write(p >> 8); o.write(p); } o.flush(); } }
"""
PAGE = """<canvas id=c></canvas><script>const i=new Image();i.onload=()=>{c.width=i.width;c.height=i.height;
const x=c.getContext('2d');x.drawImage(i,0,0);document.title='done'};i.src='data:image/jpeg;base64,%s'</script>"""


def files(photograph: Path) -> dict[str, tuple[bytes, bytes]]:
    """Return, by kind, a file with scans of single components, and a file with the same coefficients interleaved."""
    picture, cb, cr = of_odd_size(photograph)
    made = {}
    for kind, options in KINDS.items():
        stream = io.BytesIO()
        picture.convert("L").save(stream, "JPEG", quality=90, **options)
        luma = luma_scans(stream.getvalue())
        rows, columns = luma.subsampling
        size = -(-picture.width // columns), -(-picture.height // rows)
        blue, red = (cv2.resize(plane, size) for plane in (cb, 255 - cr))
        scans = JFIF + b"".join(splice(luma, blue, red, 90))
        made[kind] = scans, by_jpegtran(scans, progressive="progressive" in options)
    return made


def toned_files(photograph: Path) -> dict[str, tuple[bytes, bytes]]:
    """Return, by kind, a file whose luma coefficients were kept, and a progressive file with the same coefficients."""
    picture, cb, cr = of_odd_size(photograph)
    toned = Image.merge("YCbCr", [picture.convert("L"), *(Image.new("L", picture.size, tone) for tone in (118, 136))])
    made = {}
    for kind, options in TONED.items():
        stream = io.BytesIO()
        toned.save(stream, "JPEG", quality=90, **options)
        luma = luma_coefficients(
            stream.getvalue(), picture.height, picture.width, options["subsampling"].replace(":", "")
        )
        rows, columns = luma.subsampling
        size = -(-picture.width // columns), -(-picture.height // rows)
        blue, red = (cv2.resize(plane, size) for plane in (cb, 255 - cr))
        kept = JFIF + with_chroma(luma, blue, red, 90)
        made[kind] = kept, by_jpegtran(kept, progressive=True)
    return made


def of_odd_size(photograph: Path) -> tuple[Image.Image, np.ndarray, np.ndarray]:
    """Return the photograph, cropped to odd sides, and its Cb and Cr."""
    picture = Image.open(photograph).convert("RGB")
    picture = picture.crop((0, 0, picture.width - 1 + picture.width % 2, picture.height - 1 + picture.height % 2))
    _, cr, cb = cv2.split(cv2.cvtColor(np.asarray(picture), cv2.COLOR_RGB2YCrCb))
    return picture, cb, cr


def by_jpegtran(data: bytes, *, progressive: bool) -> bytes:
    """Return a JPEG with the same coefficients as ``data``, interleaved."""
    command = ["jpegtran", "-copy", "none", *(["-progressive"] if progressive else [])]
    return subprocess.run(command, input=data, capture_output=True, check=True).stdout


def by_program(*command: str) -> Decoder:
    """Return a decoder that runs a program; INPUT in the command stands for the file.

    The program writes a PNM or PNG file to its standard output.
    """

    def decode(path: Path) -> np.ndarray:
        words = [str(path) if word == "INPUT" else word for word in command]
        done = subprocess.run(words, capture_output=True, check=True)
        return np.asarray(Image.open(io.BytesIO(done.stdout)).convert("RGB"))

    return decode


def by_file(*command: str) -> Decoder:
    """Return a decoder that runs a program; INPUT and OUTPUT in the command stand for the file and for a PNG file.

    The program writes the PNG file.
    """

    def decode(path: Path) -> np.ndarray:
        with tempfile.TemporaryDirectory() as folder:
            output = f"{folder}/out.png"
            words = [word.replace("INPUT", str(path)).replace("OUTPUT", output) for word in command]
            subprocess.run(words, capture_output=True, check=True)
            return np.asarray(Image.open(output).convert("RGB"))

    return decode


def by_browser(name: str) -> Decoder:
    def decode(path: Path) -> np.ndarray:
        from playwright.sync_api import sync_playwright

        with sync_playwright() as play:
            browser = play.chromium.launch(executable_path=shutil.which(name), args=["--no-sandbox"])
            page = browser.new_page()
            page.set_content(PAGE % base64.b64encode(path.read_bytes()).decode())
            page.wait_for_function("document.title == 'done'")
            url = page.evaluate("c.toDataURL('image/png')")
            browser.close()
        return np.asarray(Image.open(io.BytesIO(base64.b64decode(url.partition(",")[2]))).convert("RGB"))

    return decode


def by_firefox(path: Path) -> np.ndarray:
    width, height = Image.open(path).size
    with tempfile.TemporaryDirectory() as folder:
        page = Path(folder, "page.html")
        page.write_text(f"<body style='margin:0'><img style='display:block' src='{path.as_uri()}'>")
        shot = f"{folder}/shot.png"
        options = ["--headless", "--profile", folder, "--screenshot", shot, f"--window-size={width},{height}"]
        subprocess.run(["firefox", *options, page.as_uri()], capture_output=True, check=True, timeout=120)
        return np.asarray(Image.open(shot).convert("RGB"))[:height, :width]


def by_pyav(path: Path) -> np.ndarray:
    import av

    with av.open(str(path)) as container:
        return next(container.decode(video=0)).to_ndarray(format="rgb24")


def by_simplejpeg(path: Path) -> np.ndarray:
    import simplejpeg

    return simplejpeg.decode_jpeg(path.read_bytes())


@functools.cache
def compiled(kind: str) -> str:
    folder = Path(tempfile.mkdtemp())
    if kind == "go":
        (folder / "decode.go").write_text(GO)
        subprocess.run(["go", "build", "-o", "decode", "decode.go"], cwd=folder, check=True)
        return str(folder / "decode")
    (folder / "Decode.java").write_text(JAVA)
    subprocess.run(["javac", "Decode.java"], cwd=folder, check=True)
    return str(folder)


def by_go(path: Path) -> np.ndarray:
    return by_program(compiled("go"), "INPUT")(path)


def by_java(path: Path) -> np.ndarray:
    return by_program("java", "-cp", compiled("java"), "Decode", "INPUT")(path)


def by_gimp(path: Path) -> np.ndarray:
    return by_file(
        "gimp",
        "-i",
        "-b",
        '(let* ((i (car (gimp-file-load RUN-NONINTERACTIVE "INPUT" "INPUT")))'
        " (d (car (gimp-image-get-active-layer i))))"
        ' (file-png-save RUN-NONINTERACTIVE i d "OUTPUT" "OUTPUT" 0 6 0 0 0 0 0))',
        "-b",
        "(gimp-quit 0)",
    )(path)


def by_jpeg_js(path: Path) -> np.ndarray:
    script = (
        "const j=require('jpeg-js'),f=require('fs'),m=j.decode(f.readFileSync(process.argv[1]));"
        "process.stdout.write(`P6\\n${m.width} ${m.height}\\n255\\n`);"
        "process.stdout.write(Buffer.from(m.data.filter((_,i)=>i%4!=3)))"
    )
    return by_program("node", "-e", script, "INPUT")(path)


def checked(*command: str) -> Callable[[Path], None]:
    """Return a check that runs a program which reads the structure of a file, but no pixels.

    The check raises an error if the program fails or complains.
    """

    def check(path: Path) -> None:
        done = subprocess.run([*command, str(path)], capture_output=True, text=True, check=True)
        said = done.stdout + done.stderr
        if any(word in said.lower() for word in ("warning", "error", "corrupt", "invalid")):
            raise ValueError(said.strip().splitlines()[-1])

    return check


def pillow(path: Path) -> np.ndarray:
    return np.asarray(Image.open(path).convert("RGB"))


def opencv(path: Path) -> np.ndarray:
    pixels = cv2.imread(str(path))
    assert pixels is not None, path
    return pixels[..., ::-1]


def by_rust(path: Path) -> np.ndarray:
    script = (
        "const {Transformer}=require('@napi-rs/image'),f=require('fs');"
        "process.stdout.write(new Transformer(f.readFileSync(process.argv[1])).pngSync())"
    )
    return by_program("node", "-e", script, "INPUT")(path)


DECODERS: dict[str, tuple[str | None, Decoder]] = {
    "Pillow": (None, pillow),
    "OpenCV": (None, opencv),
    "TurboJPEG": (None, by_simplejpeg),
    "PyAV (FFmpeg's libavcodec)": (None, by_pyav),
    "FFmpeg": ("ffmpeg", by_program("ffmpeg", "-v", "error", "-i", "INPUT", "-f", "image2pipe", "-c:v", "png", "-")),
    "ImageMagick": ("convert-im6.q16", by_program("convert-im6.q16", "INPUT", "ppm:-")),
    "GraphicsMagick": ("gm", by_program("gm", "convert", "INPUT", "ppm:-")),
    "libvips": ("vips", by_file("vips", "copy", "INPUT", "OUTPUT")),
    "djpeg": ("djpeg", by_program("djpeg", "INPUT")),
    "Netpbm": ("jpegtopnm", by_program("jpegtopnm", "INPUT")),
    "Chromium": ("chromium", by_browser("chromium")),
    "Firefox": ("firefox", by_firefox),
    "GIMP": ("gimp", by_gimp),
    "Go image/jpeg": ("go", by_go),
    "Java ImageIO": ("javac", by_java),
    "jpeg-js (JavaScript)": ("node", by_jpeg_js),
    "image (Rust, with zune-jpeg)": ("node", by_rust),  # npm install @napi-rs/image
}
READERS = {"exiftool": checked("exiftool", "-validate", "-warning", "-a"), "jhead": checked("jhead")}


def verdict(decode: Decoder, scans: Path, interleaved: Path) -> str:
    try:
        given, expected = decode(scans).astype(int), decode(interleaved).astype(int)
    except Exception as exc:
        said = getattr(exc, "stderr", b"") or str(exc)
        text = said.decode(errors="replace") if isinstance(said, bytes) else said
        return f"fails ({' '.join(text.split())[-60:]})"
    if given.shape != expected.shape:
        return f"another size {given.shape}"
    most = np.abs(given - expected).max()
    return "same" if most == 0 else f"differs by {most}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photograph", type=Path)
    parser.add_argument("--coefficients", action="store_true", help="toned files, whose luma coefficients were kept")
    parser.add_argument("--only", default="", help="part of a decoder's name")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        paths = {}
        made = toned_files(args.photograph) if args.coefficients else files(args.photograph)
        for number, (kind, pair) in enumerate(made.items()):
            paths[kind] = [Path(folder, f"{number}-{layout}.jpg") for layout in ("ours", "jpegtran")]
            for path, data in zip(paths[kind], pair, strict=True):
                path.write_bytes(data)
        print("| decoder | " + " | ".join(made) + " |\n|---" * 1 + "|---" * len(made) + "|")
        for name, (program, decode) in DECODERS.items():
            if args.only.lower() not in name.lower():
                continue
            found = bool(program is None or shutil.which(program))
            cells = [verdict(decode, *paths[kind]) if found else "not installed" for kind in made]
            print(f"| {name} | " + " | ".join(cells) + " |", flush=True)
        for name, check in READERS.items():
            cells = []
            for kind in made:
                try:
                    check(paths[kind][0])
                    cells.append("no complaint")
                except (OSError, ValueError, subprocess.CalledProcessError) as exc:
                    cells.append(str(exc)[:60])
            print(f"| {name} (metadata) | " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    main()
