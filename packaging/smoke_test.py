"""Tries a built app as a user would: photographs in three formats, a film, and a photograph in the studio.

    python packaging/smoke_test.py dist/photochrom/photochrom

It needs the packages of Photochrom's base install beside the app, to make what it gives it and to look at the results.
"""

import contextlib
import io
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

import av
import numpy as np
from PIL import Image

EXAMPLE = Path(__file__).parents[1] / "examples" / "dust-bowl-home.jpg"
PORT = 7913
ADDRESS = f"http://127.0.0.1:{PORT}"


def main(program: str) -> None:
    """Run the program, and fail where it does."""
    call(program, "--version")
    call(program, "doctor")
    with tempfile.TemporaryDirectory() as folder:
        photographs(program, Path(folder))
        film(program, Path(folder))
    studio(program)


def call(program: str, *arguments: str | Path) -> None:
    """Run the program with arguments."""
    subprocess.run([program, *map(str, arguments)], check=True, timeout=300)


def photographs(program: str, folder: Path) -> None:
    """Colour a folder with a PNG of 8 bits, a TIFF of 16 and a JPEG."""
    with Image.open(EXAMPLE) as image:
        grey = image.convert("L")
    grey.resize((480, 400)).save(folder / "a.png")
    Image.fromarray(np.asarray(grey.resize((480, 400))).astype(np.uint16) * 257).save(folder / "b.tif")
    grey.save(folder / "c.jpg")
    call(program, "photo", folder)
    for name in ("a.color.png", "b.color.tif", "c.color.jpg"):
        with Image.open(folder / name) as colored:
            check(np.asarray(colored.convert("RGB")), name)


def film(program: str, folder: Path) -> None:
    """Colour a second of film."""
    with Image.open(EXAMPLE) as image:
        luma = np.asarray(image.convert("L").resize((360, 240)))
    with av.open(str(folder / "reel.mp4"), "w") as out:
        video = out.add_stream("libx264", rate=24)
        video.width, video.height, video.pix_fmt = 320, 240, "yuv420p"
        for i in range(24):
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(luma[:, i : i + 320]), format="gray")
            out.mux(video.encode(frame.reformat(format="yuv420p")))
        out.mux(video.encode())
    call(program, "film", folder / "reel.mp4")
    with av.open(str(folder / "reel.color.mp4")) as colored:
        frames = [frame.to_ndarray(format="rgb24") for frame in colored.decode(video=0)]
    assert len(frames) == 24, f"{len(frames)} frames of 24"
    check(frames[12], "reel.color.mp4")


def check(rgb: np.ndarray, name: str) -> None:
    """Fail if a picture is grey."""
    chroma = np.ptp(rgb.astype(int), axis=2).mean()
    assert chroma > 5, f"{name} is grey"
    print(f"{name}: {rgb.shape[1]} x {rgb.shape[0]}, in colour")


def studio(program: str) -> None:
    """Start the studio, load its page, and colour a photograph in it."""
    server = subprocess.Popen([program, "studio", "--no-open", "--port", str(PORT)])
    try:
        print(f"a page of {len(page()):,} bytes")
        request = urllib.request.Request(
            f"{ADDRESS}/api/colorize?name=old.jpg", data=EXAMPLE.read_bytes(), method="PUT"
        )
        with urllib.request.urlopen(request, timeout=120) as answer, Image.open(io.BytesIO(answer.read())) as colored:
            check(np.asarray(colored.convert("RGB")), "the studio's old.jpg")
    finally:
        server.terminate()
        server.wait(60)


def page(seconds: float = 180) -> bytes:
    """Wait for the studio, and return its page."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        with contextlib.suppress(OSError), urllib.request.urlopen(f"{ADDRESS}/", timeout=5) as answer:
            return bytes(answer.read())
        time.sleep(1)
    raise SystemExit("the studio does not answer")


if __name__ == "__main__":
    main(sys.argv[1])
