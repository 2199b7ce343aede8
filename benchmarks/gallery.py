"""A sheet of photographs, each beside its colourings by several models.

python benchmarks/gallery.py SHEET PHOTOGRAPH ... [--model NAME ...] [--truth] [--columns 2] [--height 300] [--square]
"""

import argparse
from pathlib import Path

from PIL import Image, ImageOps

from photochrom import Colorizer


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("sheet", type=Path)
    parser.add_argument("photographs", nargs="+", type=Path)
    parser.add_argument("--model", action="append", help="any number (default: the embedded one)")
    parser.add_argument(
        "--truth", action="store_true", help="show the photographs, which are in colour, as they are, too"
    )
    parser.add_argument("--square", action="store_true", help="show the middle of each photograph, at 256 pixels")
    parser.add_argument("--columns", type=int, default=2)
    parser.add_argument("--height", type=int, default=300, help="height of each picture, in pixels")
    args = parser.parse_args()
    colorizers = [Colorizer(name) for name in args.model or ["default"]]
    rows = [pictures(path, colorizers, args.truth, args.square) for path in args.photographs]
    width = args.height if args.square else round(1.5 * args.height)
    sheet = Image.new(
        "RGB", (width * args.columns * len(rows[0]), -(-len(rows) // args.columns) * args.height), "white"
    )
    for i, row in enumerate(rows):
        down, across = divmod(i, args.columns)
        for k, picture in enumerate(row, across * len(row)):
            small = ImageOps.contain(picture, (width - 6, args.height - 6), Image.Resampling.LANCZOS)
            corner = k * width + (width - small.width) // 2, down * args.height + (args.height - small.height) // 2
            sheet.paste(small, corner)
    sheet.save(args.sheet, quality=90)


def pictures(path: Path, colorizers: list[Colorizer], truth: bool, square: bool) -> list[Image.Image]:
    """Return a photograph in grey, coloured by each model and, if ``truth``, in its own colours."""
    with Image.open(path) as image:
        upright = ImageOps.exif_transpose(image).convert("RGB")
    if square:
        upright = ImageOps.fit(upright, (256, 256), Image.Resampling.LANCZOS)
    grey = upright.convert("L")
    return [grey, *(colorizer.colorize(grey) for colorizer in colorizers), *([upright] if truth else [])]


if __name__ == "__main__":
    main()
