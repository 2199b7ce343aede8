"""Accuracy with a still: colour clips turned grey, and coloured as films (4:2:0) with one true frame as the still.

    python benchmarks/stills.py CLIP [CLIP ...] [--frames N]

The still is the middle one of the frames. The table has the mean CIEDE2000, at the size of the clip, of that frame, and
the greatest mean of a frame within half a second of it, within its shot.
"""

import argparse
import itertools
import tempfile
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
from _tools import print_table
from steadiness import write_grey

from photochrom import Colorizer, FilmOptions, colorize_film
from photochrom.color.spaces import luma_of_rgb
from photochrom.film.colored_stills import Still, read_still
from photochrom.film.shots import detection
from photochrom.training.evaluation.metrics import ciede2000

_RATE = 24  # frames a second of the grey films, as write_grey writes them


def errors(film: Path, truth: list[np.ndarray], still: Still, colorizer: Colorizer) -> list[float]:
    """Colour a grey film, and return the mean CIEDE2000 of each of its frames."""
    output = film.with_name("colored.mkv")
    colorize_film(film, output, FilmOptions(codec="ffv1"), stills=[still], colorizer=colorizer)
    with av.open(str(output)) as colored:
        frames = (frame.to_ndarray(format="rgb24") for frame in colored.decode(video=0))
        return [ciede2000(frame, true) for frame, true in zip(frames, truth, strict=True)]


def measure(clip: Path, count: int, colorizer: Colorizer) -> list[str]:
    """Return the row of a clip."""
    with av.open(str(clip)) as film:
        frames = itertools.islice(film.decode(video=0), count)
        truth = [frame.to_ndarray(format="rgb24") for frame in frames]
    lumas, middle = [luma_of_rgb(frame) for frame in truth], len(truth) // 2
    starts = [number for number, is_start in enumerate(detection.starts(lumas)) if is_start]
    first = max(middle - _RATE // 2, *(start for start in starts if start <= middle))
    end = min([middle + _RATE // 2 + 1, len(truth), *(start for start in starts if start > middle)])
    with tempfile.TemporaryDirectory() as folder:
        grey, picture = Path(folder, "grey.mkv"), Path(folder, "still.png")
        write_grey(grey, lumas, "yuv420p")
        cv2.imwrite(str(picture), truth[middle][..., ::-1])
        found = errors(grey, truth, read_still(grey, Fraction(middle, _RATE), picture), colorizer)
    height, width = lumas[0].shape
    return [clip.stem, f"{width}x{height}", f"{found[middle]:.2f}", f"{max(found[first:end]):.2f}"]


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("clips", nargs="+", type=Path)
    parser.add_argument("--frames", type=int, default=48, help="maximum number of frames of each clip")
    args = parser.parse_args()
    colorizer = Colorizer()
    rows = [measure(clip, args.frames, colorizer) for clip in args.clips]
    print_table(["clip", "size", "at the still", "at most in the second around it"], rows)


if __name__ == "__main__":
    main()
