"""The time to recolour one changed shot of a 20-minute film, against that of the whole film.

    python benchmarks/changed_shot.py [--minutes N] [--size WIDTHxHEIGHT]

The film is made here: pans over parts of a photograph, with grain, in shots of 3 to 12 seconds, 18 frames a second. It
is coloured with kept parts, then again with nothing changed, and then with a hint in a short, a medium and a long shot.
The script prints how many packets outside that shot differ from those of the film before; there should be none.
"""

import argparse
import hashlib
import sys
import tempfile
import time
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
from _tools import print_processor, print_table
from skimage import data

from photochrom import Colorizer, FilmOptions, Hint, ShotOptions, colorize_film
from photochrom.film import Progress
from photochrom.film.hints import FilmHint

_RATE = 18
_RED = (170, 60, 50)


def write_film(path: Path, lengths: list[int], width: int, height: int) -> None:
    """Write shots of given lengths in frames: pans over parts of a photograph, with grain."""
    rng = np.random.default_rng(1)
    photograph = cv2.resize(data.camera(), None, fx=2, fy=2, interpolation=cv2.INTER_CUBIC)
    grain = rng.normal(0, 4, (8, height, width)).astype(np.float32)
    with av.open(str(path), "w") as out:
        stream = out.add_stream("libx264", rate=_RATE, options={"crf": "18", "preset": "veryfast"})
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        for number, length in enumerate(lengths):
            source = cv2.flip(photograph, 1) if number % 2 else photograph
            top = int(rng.integers(0, source.shape[0] - height))
            left = int(rng.integers(0, source.shape[1] - width))
            step = (-1 if left > (source.shape[1] - width) // 2 else 1) * float(rng.uniform(0.2, 1.2))
            gain = float(rng.uniform(0.6, 1.1))
            for i in range(length):
                shift = np.array([[1, 0, -left - step * i], [0, 1, -top]], np.float32)
                luma = cv2.warpAffine(source, shift, (width, height), borderMode=cv2.BORDER_REFLECT)
                luma = np.clip(luma * gain + grain[rng.integers(8)], 16, 235).astype(np.uint8)
                frame = av.VideoFrame.from_ndarray(luma, format="gray").reformat(format="yuv420p")
                out.mux(stream.encode(frame))
        out.mux(stream.encode(None))


def packets(path: Path) -> Iterator[tuple[int, str]]:
    """Yield the time stamp, in frames, and a hash of each packet."""
    with av.open(str(path)) as film:
        for packet in film.demux(video=0):
            if packet.size:
                yield packet.pts * packet.time_base * _RATE, hashlib.sha256(bytes(packet)).hexdigest()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--minutes", type=float, default=20)
    parser.add_argument("--size", default="320x240")
    args = parser.parse_args()
    width, height = map(int, args.size.split("x"))
    rng = np.random.default_rng(2)
    lengths: list[int] = []
    while sum(lengths) < args.minutes * 60 * _RATE:
        lengths.append(int(rng.integers(3 * _RATE, 12 * _RATE)))
    starts = [sum(lengths[:i]) for i in range(len(lengths))]
    order = sorted(range(1, len(lengths) - 1), key=lambda i: lengths[i])
    colorizer = Colorizer()
    rows = []
    with tempfile.TemporaryDirectory() as name:
        source, output = Path(name) / "film.mp4", Path(name) / "film.color.mp4"
        write_film(source, lengths, width, height)

        def color(changed: int | None = None) -> tuple[float, float, int]:
            shots = tuple(
                ShotOptions(Fraction(start, _RATE), hints=hint(start) if i == changed else ())
                for i, start in enumerate(starts)
            )
            told: list[Progress] = []
            began = time.perf_counter(), time.process_time()
            options = FilmOptions(shots=shots, keep_parts=True)
            colorize_film(source, output, options, colorizer=colorizer, overwrite=output.exists(), progress=told.append)
            done = len({state.done for state in told if state.done > 0 and state != told[-1]})
            return time.perf_counter() - began[0], time.process_time() - began[1], done

        def hint(start: int) -> tuple[FilmHint, ...]:
            return (FilmHint(Fraction(start + 20, _RATE), Hint(0.5, 0.5, _RED)),)

        whole = color()
        before = dict(packets(output))
        total = sum(lengths)
        if len(before) != total:
            sys.exit(f"{len(before)} frames of {total}")

        def add(label: str, seconds: float, core: float, frames: int) -> None:
            shares = [f"{frames / total:.2%}", f"{seconds / whole[0]:.2%}"]
            rows.append((label, str(frames), f"{seconds:.1f}", f"{core:.1f}", *shares))

        add("the whole film", *whole[:2], total)
        add("nothing", *color())
        for place in (0, len(order) // 2, -1):
            number = order[place]
            add(f"shot {number + 1}", *color(number))
            now = dict(packets(output))
            span = range(starts[number], starts[number] + lengths[number])
            last = span.start - 1  # the last frame before a shot is shown for a time that its packet states
            others = [i for i in now if i not in span and now[i] != before[i] and i != last]
            if len(now) != total or not any(now[i] != before[i] for i in span):
                sys.exit("the shot has not changed, or frames are missing")
            print(
                f"shot {number + 1}: {lengths[number]} frames; {len(others)} packets of other shots differ", flush=True
            )
            color()
            if dict(packets(output)) != before:
                sys.exit("without the hint it is not the same film again")
    print_processor()
    print(f"{total} frames of {width}x{height} in {len(lengths)} shots\n")
    print_table(["changed", "frames coloured", "seconds", "core seconds", "of the frames", "of the whole time"], rows)


if __name__ == "__main__":
    main()
