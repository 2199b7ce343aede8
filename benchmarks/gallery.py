"""Old photographs, each beside what a model makes of it, on one sheet to look at.

python benchmarks/gallery.py SHEET PHOTOGRAPH ... [--model NAME] [--columns 2] [--height 300]
"""

import argparse
from pathlib import Path

from PIL import Image, ImageOps

from photochrom import Colorizer


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("sheet", type=Path)
    parser.add_argument("photographs", nargs="+", type=Path)
    parser.add_argument("--model", default="default")
    parser.add_argument("--columns", type=int, default=2)
    parser.add_argument("--height", type=int, default=300, help="of each picture, pixels")
    args = parser.parse_args()
    colorizer = Colorizer(args.model)
    cell = (round(1.5 * args.height), args.height)
    rows = -(-len(args.photographs) // args.columns)
    sheet = Image.new("RGB", (2 * args.columns * cell[0], rows * cell[1]), "white")
    for i, path in enumerate(args.photographs):
        row, column = divmod(i, args.columns)
        with Image.open(path) as image:
            upright = ImageOps.exif_transpose(image).convert("RGB")
        for k, picture in enumerate((upright.convert("L"), colorizer.colorize(upright))):
            small = ImageOps.contain(picture, (cell[0] - 6, cell[1] - 6), Image.Resampling.LANCZOS)
            left = (2 * column + k) * cell[0] + (cell[0] - small.width) // 2
            sheet.paste(small, (left, row * cell[1] + (cell[1] - small.height) // 2))
    sheet.save(args.sheet, quality=90)


if __name__ == "__main__":
    main()
