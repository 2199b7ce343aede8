"""The effect of ``--detail`` on the figures of photographs at their own size, at equal colourfulness.

    python benchmarks/detail.py FOLDER_OR_PHOTOGRAPH ... [--model NAME] [--limit N]

Photographs whose short side is over 512 pixels are reduced to that, which is the most that the network sees. Smaller
ones are taken as they are. ``photochrom evaluate --detail`` measures squares of 256 pixels, which are enlarged for it.
"""

import argparse
from pathlib import Path

import numpy as np
from _tools import print_table
from dark_reds import found
from PIL import Image, ImageOps

from photochrom import Colorizer, ColorOptions
from photochrom.color.spaces import luma_of_rgb
from photochrom.training.data.dataset import MIN_COLORFULNESS, colorfulness
from photochrom.training.evaluation.frontier import TARGETS, DialScores, along_dial, dial_of, frontier
from photochrom.training.evaluation.metrics import score

SHORT_SIDE, DETAILS = 512, (1.0, 1.5, 2.0)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("photographs", nargs="+", type=Path)
    parser.add_argument("--model", default="default")
    parser.add_argument("--limit", type=int, help="maximum number of photographs, evenly spread over all")
    args = parser.parse_args()
    colorizer, grey, truth = Colorizer(args.model), [], []
    along: dict[float, list[list[DialScores]]] = {detail: [] for detail in DETAILS}
    for rgb in filter(is_colorful, map(read, found(args.photographs, args.limit))):
        grey.append(score(np.dstack([luma_of_rgb(rgb)] * 3), rgb, agrees=False))
        truth.append(score(rgb, rgb, agrees=True))
        for detail, scores in along.items():
            scores.append(along_dial(colorizer, rgb, ColorOptions(detail=detail)))
    if not truth:
        parser.error("none of the photographs is in colour")
    print(f"{len(truth)} photographs\n")
    header = [f"{name} at CF {target}" for target in TARGETS for name in ("CIEDE2000 / grey's", "PSNR - grey's")]
    rows = []
    for detail, scores in along.items():
        curve = frontier(dial_of(colorizer), scores, grey, truth)
        points = [curve.at(target) for target in TARGETS]
        cells = [(f"{p.ciede2000_ratio:.3f}", f"{p.psnr_gain:+.2f} dB") if p else ("-", "-") for p in points]
        rows.append([f"{detail:g}", *(cell for pair in cells for cell in pair)])
    print_table(["detail", *header], rows)


def read(path: Path) -> np.ndarray:
    """Return a photograph, upright, RGB uint8 ``[H, W, 3]``, with a short side of at most ``SHORT_SIDE``."""
    with Image.open(path) as image:
        upright = ImageOps.exif_transpose(image).convert("RGB")
    scale = SHORT_SIDE / min(upright.size)
    if scale < 1:
        upright = upright.resize([round(scale * side) for side in upright.size], Image.Resampling.LANCZOS)
    return np.asarray(upright)


def is_colorful(rgb: np.ndarray) -> bool:
    return colorfulness(rgb) >= MIN_COLORFULNESS


if __name__ == "__main__":
    main()
