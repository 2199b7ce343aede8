"""How often models put red or violet into dark areas, compared with real colour photographs.

python benchmarks/dark_reds.py FOLDER_OR_PHOTOGRAPH ... [--model NAME ...] [--truth] [--limit N] [--each]

The rule: a picture at a short side of 256 pixels is divided into cells of 8 by 8. A cell is dark if its mean L* is
under 35, and red if its mean a*b* has a chroma over 12 and a hue between 320 and 40 degrees. The figure is the share of
the dark cells that are red, over all pictures together. --truth measures the photographs' own colours, too.
"""

import argparse
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, ImageOps

from photochrom import Colorizer
from photochrom.color.spaces import luma_of_rgb, rgb_to_lab

SUFFIXES = {".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff"}
SHORT_SIDE, CELL = 256, 8
DARK, CHROMA, FIRST_HUE, LAST_HUE = 35.0, 12.0, 320.0, 40.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("photographs", nargs="+", type=Path)
    parser.add_argument("--model", action="append", help="any number (default: the embedded one)")
    parser.add_argument("--truth", action="store_true", help="measure the photographs' own colours, too")
    parser.add_argument("--limit", type=int, help="maximum number of photographs, evenly spread over all")
    parser.add_argument("--each", action="store_true", help="also a row for each photograph")
    args = parser.parse_args()
    paths = found(args.photographs, args.limit)
    colorizers = {name: Colorizer(name) for name in args.model or ["default"]}
    kinds = [*colorizers, *(["truth"] if args.truth else [])]
    counts = np.array([counted(path, colorizers, args.truth) for path in paths])  # [photographs, kinds, (red, dark)]
    print(f"| photograph | dark cells | {' | '.join(kinds)} |\n| --- | --- |{' --- |' * len(kinds)}")
    for path, count in zip(paths, counts, strict=True) if args.each else ():
        print(row(path.name, count))
    print(row(f"all {len(paths)}", counts.sum(0)))


def found(given: list[Path], limit: int | None) -> list[Path]:
    """Return the given files and the photographs in the given folders; at most ``limit``, evenly spread over all."""
    paths = []
    for path in given:
        paths += sorted(p for p in path.rglob("*") if p.suffix.lower() in SUFFIXES) if path.is_dir() else [path]
    if limit is None or limit >= len(paths):
        return paths
    return [paths[i] for i in np.linspace(0, len(paths) - 1, limit).astype(int)]


def counted(path: Path, colorizers: dict[str, Colorizer], truth: bool) -> list[tuple[int, int]]:
    """Return the result of ``red_and_dark`` for a photograph's picture by each colorizer and, if ``truth``, its own."""
    with Image.open(path) as image:
        upright = ImageOps.exif_transpose(image).convert("RGB")
    scale = SHORT_SIDE / min(upright.size)
    rgb = np.asarray(upright.resize([round(scale * side) for side in upright.size], Image.Resampling.LANCZOS))
    luma = luma_of_rgb(rgb)
    pictures = [np.asarray(colorizer.colorize(luma)) for colorizer in colorizers.values()]
    return [red_and_dark(picture) for picture in (*pictures, *([rgb] if truth else []))]


def red_and_dark(rgb: np.ndarray) -> tuple[int, int]:
    """Return the number of dark cells that are red, and the number of dark cells, in RGB uint8 ``[H, W, 3]``."""
    height, width = (side // CELL for side in rgb.shape[:2])
    small = cv2.resize(rgb[: height * CELL, : width * CELL], (width, height), interpolation=cv2.INTER_AREA)
    lightness, a, b = np.moveaxis(rgb_to_lab(small.astype(np.float32) / 255), -1, 0)
    hue = np.degrees(np.arctan2(b, a)) % 360
    dark = lightness < DARK
    red = dark & (np.hypot(a, b) > CHROMA) & ((hue > FIRST_HUE) | (hue < LAST_HUE))
    return int(red.sum()), int(dark.sum())


def row(name: str, counts: np.ndarray) -> str:
    """Return one row of the table, given counts ``[kinds, (red, dark)]``."""
    shares = [f"{red / dark:.1%}" if dark else "-" for red, dark in counts]
    return f"| {name} | {counts[0, 1]:,} | {' | '.join(shares)} |"


if __name__ == "__main__":
    main()
