"""Draws contact sheets: each photograph before and after colouring, and its alternatives, with captions."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from PIL import Image, ImageDraw, ImageFont
from PIL.PngImagePlugin import PngInfo

from ..atomic import new_file
from ..errors import OptionError, one_line
from ..label import statement
from .formats.image import LONGEST_SIDES
from .formats.xmp import Packet
from .library_errors import encoding, naming
from .metadata import label
from .report import PhotoReport

MAX_PHOTOGRAPHS: Final = 50
"""Maximum number of photographs on one sheet."""
_FORMATS: Final = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG", ".webp": "WEBP"}
_WIDTH: Final = 1700  # width of a sheet in pixels, unless three pictures in a row need more
_HEIGHT: Final = 300  # height of a picture in pixels
_LINE: Final = 24  # height of a line of text
_GAP: Final = 12


def format_of_sheet(path: Path) -> str:
    """Return the format of a contact sheet by its extension: ``PNG``, ``JPEG`` or ``WEBP``.

    Raises:
        OptionError: The extension is not that of a PNG, JPEG or WebP file.
    """
    if (found := _FORMATS.get(path.suffix.lower())) is None:
        raise OptionError(
            "a sheet is a PNG, JPEG or WebP file", path=path, remedy="choose such an extension, as in sheet.png"
        )
    return found


def contact_sheet(photographs: Sequence[tuple[str, PhotoReport]]) -> Image.Image:
    """Draw a contact sheet.

    Args:
        photographs: Name and report of each photograph, at most ``MAX_PHOTOGRAPHS``. The reports must have previews
            (``OutputOptions.preview``). If there is only one photograph, its name is omitted.

    Raises:
        OptionError: There are no photographs, or too many.
    """
    if not 1 <= len(photographs) <= MAX_PHOTOGRAPHS:
        raise OptionError(f"a sheet cannot show {len(photographs)} photographs", remedy=f"give 1 to {MAX_PHOTOGRAPHS}")
    blocks = [_block(name if len(photographs) > 1 else "", report) for name, report in photographs]
    sheet = _blank(max(block.width for block in blocks), sum(block.height for block in blocks))
    top = 0
    for block in blocks:
        sheet.paste(block, (0, top))
        top += block.height
    return sheet


def write_sheet(sheet: Image.Image, path: Path, *, credit: str, overwrite: bool) -> None:
    """Write a contact sheet with the label of coloured photographs in its metadata.

    Args:
        sheet: The sheet.
        path: The file to write, with an extension of PNG, JPEG or WebP.
        credit: Sources of the colours; see ``colorizer.hints.credit``.
        overwrite: Whether an existing file is replaced.

    Raises:
        OptionError: The extension is not that of a PNG, JPEG or WebP file, or the sheet is too long for WebP.
        PhotoError: The file cannot be written, or exists and ``overwrite`` is not set.
    """
    format, packet = format_of_sheet(path), Packet()
    label(packet, credit)
    settings: dict[str, Any] = {"xmp": packet.to_bytes(), "quality": 92}
    if format == "PNG":
        settings = {"pnginfo": PngInfo()}
        settings["pnginfo"].add_itxt("XML:com.adobe.xmp", packet.to_bytes().decode())
        settings["pnginfo"].add_itxt("Description", statement(credit))
    if format == "WEBP" and max(sheet.size) > LONGEST_SIDES["WEBP"]:
        raise OptionError("the sheet is too long for WebP", path=path, remedy="name a .png or a .jpg")
    with naming(str(path)), encoding(), new_file(path, overwrite=overwrite) as stream:
        sheet.save(stream, format, **settings)


def _block(title: str, report: PhotoReport) -> Image.Image:
    """Draw one photograph, before and after colouring, and its alternatives, in rows."""
    assert report.preview is not None
    pictures = [*report.preview, *report.alternative_previews]
    names = ["before", "first picture", *(f"{n}  {name}" for n, name in enumerate(report.alternatives, 1))]
    cells = [_cell(picture, name) for picture, name in zip(pictures, names, strict=True)]
    width, height = cells[0].width + _GAP, cells[0].height + _GAP
    columns = min(len(cells), max(3, _WIDTH // width))
    rows, head = -(-len(cells) // columns), _LINE if title else 0
    block = _blank(width * columns + _GAP, height * rows + _GAP + head)
    if title:
        _draw_line(block, (_GAP, _GAP // 2), title)
    for number, cell in enumerate(cells):
        row, column = divmod(number, columns)
        block.paste(cell, (_GAP + column * width, head + _GAP + row * height))
    return block


def _cell(picture: np.ndarray, name: str) -> Image.Image:
    height, width = picture.shape[:2]
    size = max(1, min(4 * _HEIGHT, round(_HEIGHT * width / height))), _HEIGHT
    cell = _blank(size[0], _HEIGHT + _LINE)
    cell.paste(Image.fromarray(picture).resize(size, Image.Resampling.LANCZOS), (0, 0))
    _draw_line(cell, (0, _HEIGHT + 4), name)
    return cell


def _blank(width: int, height: int) -> Image.Image:
    return Image.new("RGB", (width, height), "white")


def _draw_line(image: Image.Image, at: tuple[int, int], text: str) -> None:
    """Draw a line of text, shortened to the width of the image."""
    draw: ImageDraw.ImageDraw = ImageDraw.Draw(image)
    font = ImageFont.load_default(15)
    text = one_line(text.encode("utf-8", "replace").decode())
    while text and draw.textlength(text, font) > image.width - at[0]:
        text = f"{text.removesuffix('…')[:-1]}…" if len(text) > 1 else ""
    draw.text(at, text, fill="black", font=font)
