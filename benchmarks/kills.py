"""Kills the colouring of films at many moments, and resumes it: the result must equal that of an uninterrupted run.

    python benchmarks/kills.py [--moments N] [--codecs prores,dnxhr,ffv1,dpx] [--keep-parts]

A small film of three shots is coloured without a network, with colours that change in every frame. For each codec it is
coloured once undisturbed. Then, for each moment, a process that colours it is killed (SIGKILL) after a fraction of that
time, and another one resumes. All frames must be identical, bit for bit. With ``--keep-parts``, the recolouring of two
changed shots of a finished film is killed instead, and the result must equal the film made in one run. Systems without
``fork`` cannot run this.
"""

import argparse
import hashlib
import os
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from _tools import print_table

sys.path.insert(0, str(Path(__file__).parent.parent))
import photochrom.film.coloring as coloring
from photochrom import Colorizer, ShotOptions
from photochrom.film import FilmOptions, colorize_film
from tests.helpers.films import colorizer, other_shot, pan, write_film

_SUFFIXES = {"prores": ".mov", "dnxhr": ".mxf", "ffv1": ".mkv", "libx264": ".mp4", "v210": ".mov"}


def varied_model(folder: Path) -> Colorizer:
    """Return a colorizer whose colours depend on the place, the luma and the frame."""

    def ab(lightness: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        flicker = 12 * np.sin(5000 * float(lightness.mean()))
        return 60 * (lightness - 0.4) + flicker, 30 * np.sin(9 * lightness) - flicker

    return colorizer(folder, ab)


def in_a_process(work: Callable[[], object], seconds: float | None = None) -> float:
    """Run a function in a separate process, killed after ``seconds`` if given, and return the seconds that it ran."""
    started = time.monotonic()
    process = os.fork()
    if process == 0:
        try:
            work()
        except BaseException as exc:
            print(exc, file=sys.stderr)
            os._exit(1)
        os._exit(0)
    if seconds is not None:
        time.sleep(seconds)
        os.kill(process, signal.SIGKILL)
    status = os.waitpid(process, 0)[1]
    if seconds is None and status != 0:
        raise SystemExit(f"a run has failed: {status}")
    return time.monotonic() - started


def digests(output: Path) -> list[str]:
    """Return a hash of each frame: of its decoded planes, or of its file if ``output`` is a folder of frames."""
    if output.is_dir():
        return [hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(output.iterdir())]
    with av.open(str(output)) as film:
        frames = film.decode(video=0)
        return [f"{f.pts} {hashlib.sha256(b''.join(bytes(p) for p in f.planes)).hexdigest()}" for f in frames]


def is_whole(output: Path, whole: list[str]) -> bool:
    """Return whether the film is the expected one."""
    return output.exists() and digests(output) == whole


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--moments", type=int, default=20)
    parser.add_argument("--codecs", default="prores,dnxhr,ffv1,dpx")
    parser.add_argument("--keep-parts", action="store_true")
    args = parser.parse_args()
    starts = (Fraction(0), Fraction(31, 24), Fraction(51, 24))
    changed = tuple(ShotOptions(start, strength=0.4 if i != 1 else None) for i, start in enumerate(starts))
    coloring._SHORTEST = 0.5  # type: ignore[assignment]  # seconds: several segments of a short film
    coloring._LONGEST = 1
    rows = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        lumas = pan(31, 256, 128) + other_shot(20, 256, 128) + pan(45, 256, 128, top=150)
        source = write_film(folder / "reel.mkv", lumas, codec="ffv1", rate=Fraction(24), sound="pcm_s16le")
        for codec in args.codecs.split(","):

            def color(output: Path, codec: str = codec, *, first: bool = False) -> None:
                shots = () if first or not args.keep_parts else changed
                options = FilmOptions(codec=codec, keep_parts=args.keep_parts, shots=shots)
                colorize_film(source, output, options, colorizer=varied_model(folder), overwrite=True)

            def target(name: str, codec: str = codec) -> Path:
                return folder / f"{codec}-{name}{_SUFFIXES.get(codec, '')}"

            seconds = in_a_process(lambda: color(target("whole")))
            whole, same, began = digests(target("whole")), 0, 0
            if args.keep_parts:
                in_a_process(lambda: color(target("again"), first=True))
                seconds = in_a_process(lambda: color(target("again")))
            for moment in range(args.moments):
                output = target(str(moment))
                if args.keep_parts:
                    in_a_process(lambda: color(output, first=True))  # noqa: B023
                in_a_process(lambda: color(output), seconds * (moment + 0.5) / args.moments)  # noqa: B023
                began += any(folder.glob(f"{output.name}.photochrom/*.json")) and not is_whole(output, whole)
                if args.keep_parts or not output.exists():
                    in_a_process(lambda: color(output))  # noqa: B023
                same += digests(output) == whole
            rows.append((codec, str(len(whole)), f"{seconds:.1f} s", str(args.moments), str(began), str(same)))
    print_table(["codec", "frames", "undisturbed", "kills", "of unfinished work", "the same film afterwards"], rows)


if __name__ == "__main__":
    main()
