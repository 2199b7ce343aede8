"""The loss of luma of each codec: PSNR of Y of the coloured film against its source, and the film's data rate.

    python benchmarks/film_codecs.py [CLIP] [--frames N]

Without a clip, the source is a pan over a photograph with film grain, 1280 x 720, 10 bits, limited range.
"""

import argparse
import tempfile
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
from _tools import print_table
from skimage import data

from photochrom import Colorizer, FilmOptions, colorize_film

_WIDTH, _HEIGHT, _RATE = 1280, 720, 24
_CODECS = [
    ("libx264", None, ".mkv"),
    ("libx265", None, ".mkv"),
    ("prores", "proxy", ".mov"),
    ("prores", "lt", ".mov"),
    ("prores", "standard", ".mov"),
    ("prores", "hq", ".mov"),
    ("prores", "4444", ".mov"),
    ("prores", "4444xq", ".mov"),
    ("dnxhr", "lb", ".mxf"),
    ("dnxhr", "sq", ".mxf"),
    ("dnxhr", "hq", ".mxf"),
    ("dnxhr", "hqx", ".mxf"),
    ("dnxhr", "444", ".mxf"),
    ("v210", None, ".mov"),
    ("ffv1", None, ".mkv"),
]


def write_source(path: Path, clip: str | None, count: int) -> None:
    """Write ``count`` frames of a clip, or of the pan if ``clip`` is None, as a lossless grey film of 10 bits."""
    with av.open(str(path), "w") as out:
        video = out.add_stream("ffv1", rate=_RATE)
        frames = _synthetic(count) if clip is None else _of_clip(clip, count)
        for number, luma in enumerate(frames):
            if number == 0:
                video.height, video.width = luma.shape
                video.pix_fmt, video.codec_context.color_range = "yuv422p10le", 1
            frame = av.VideoFrame(video.width, video.height, video.pix_fmt)
            for index, plane in enumerate(frame.planes):
                rows = np.frombuffer(plane, np.uint16).reshape(plane.height, -1)
                rows[:, : plane.width] = luma if index == 0 else 512
            frame.pts, frame.time_base = number, Fraction(1, _RATE)
            out.mux(video.encode(frame))
        out.mux(video.encode(None))


def _synthetic(count: int) -> Iterator[np.ndarray]:
    rng = np.random.default_rng(1)
    wide = cv2.resize(data.camera(), (_WIDTH + 4 * count, _WIDTH), interpolation=cv2.INTER_CUBIC).astype(np.float32)
    for number in range(count):
        view = wide[200 : 200 + _HEIGHT, 4 * number : 4 * number + _WIDTH]
        grain = cv2.GaussianBlur(rng.normal(0, 12, view.shape).astype(np.float32), (0, 0), 0.7)
        yield np.clip(64 + view * (876 / 255) + grain, 64, 940).astype(np.uint16)


def _of_clip(clip: str, count: int) -> Iterator[np.ndarray]:
    with av.open(clip) as film:
        for _, frame in zip(range(count), film.decode(video=0), strict=False):
            deep = frame.reformat(format="yuv422p10le")
            yield np.frombuffer(deep.planes[0], np.uint16).reshape(deep.height, -1)[:, : deep.width]


def lumas(path: Path) -> np.ndarray:
    """Return the luma of all frames on the scale of 10 bits, float64 ``[frames, H, W]``."""
    with av.open(str(path)) as film:
        found = []
        for frame in film.decode(video=0):
            bits = frame.format.components[0].bits
            rows = np.frombuffer(frame.planes[0], np.uint8 if bits == 8 else np.uint16).reshape(frame.height, -1)
            found.append(rows[:, : frame.width] * 2.0 ** (10 - bits))
    return np.stack(found)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("clip", nargs="?")
    parser.add_argument("--frames", type=int, default=24)
    args = parser.parse_args()
    print_table(["codec", "profile", "PSNR of Y", "at 24 frames/s"], [])
    colorizer = Colorizer()
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "source.mkv"
        write_source(source, args.clip, args.frames)
        truth = lumas(source)
        for codec, profile, suffix in _CODECS:
            output = Path(folder) / f"{codec}{profile}{suffix}"
            bits = 8 if profile in ("lb", "sq", "hq") and codec == "dnxhr" else None
            options = FilmOptions(codec=codec, profile=profile, bits=bits)
            colorize_film(source, output, options, colorizer=colorizer)
            error = float(np.mean((lumas(output) - truth) ** 2))
            psnr = "bit for bit" if error == 0 else f"{10 * np.log10(1023**2 / error):.1f} dB"
            megabits = output.stat().st_size * 8e-6 / (len(truth) / _RATE)
            print(f"| {codec} | {profile or ''} | {psnr} | {megabits:.0f} Mbit/s |", flush=True)
            output.unlink()


if __name__ == "__main__":
    main()
