"""A photograph as it looks before it is coloured, for contact sheets: its own colours, upright, by its profile."""

from __future__ import annotations

from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image
from PIL.ExifTags import Base as Tag

from photochrom import Colorizer, photo
from photochrom.photo.appearance import in_srgb, own_look
from photochrom.photo.contact_sheet import contact_sheet
from tests.helpers import profiles
from tests.helpers.photographs import saved, smooth

PATCHES = np.array([[[200, 60, 40], [40, 150, 60]], [[50, 70, 190], [210, 190, 60]]], np.uint8)
SCENE = np.kron(PATCHES, np.ones((64, 96, 1), np.uint8))
STORED = np.ascontiguousarray(np.rot90(SCENE))  # by the orientation 6
EXIF = Image.Exif()
EXIF[Tag.Orientation] = 6


def tiff(pixels: np.ndarray, **how: object) -> bytes:
    stream = BytesIO()
    tags = [(int(Tag.Orientation), "H", 1, 6, True)]
    tifffile.imwrite(stream, pixels, photometric="rgb", metadata=None, extratags=tags, **how)
    return stream.getvalue()


def second_page() -> bytes:
    stream = BytesIO()
    with tifffile.TiffWriter(stream) as file:
        file.write(np.zeros_like(SCENE), photometric="rgb", metadata=None)
        file.write(SCENE, photometric="rgb", metadata=None)
    return stream.getvalue()


SOURCES: dict[str, Callable[[], bytes]] = {
    "JPEG": lambda: saved(STORED, "JPEG", quality=95, subsampling=0, exif=EXIF),
    "PNG": lambda: saved(STORED, "PNG", exif=EXIF),
    "palette": lambda: saved(Image.fromarray(STORED).quantize(4), "PNG", exif=EXIF),
    "transparent": lambda: saved(np.dstack([STORED, np.full_like(STORED[..., 0], 99)]), "PNG", exif=EXIF),
    "WebP": lambda: saved(STORED, "WEBP", quality=95, exif=EXIF.tobytes()),
    "AVIF": lambda: saved(SCENE, "AVIF", quality=95),
    "CMYK": lambda: saved(Image.fromarray(SCENE).convert("CMYK"), "TIFF"),
    "TIFF of 8 bits": lambda: tiff(STORED),
    "TIFF of 16 bits": lambda: tiff(STORED.astype(np.uint16) * 257),
    "TIFF with infrared": lambda: tiff(np.dstack([STORED, STORED[..., 1]]), extrasamples=[0]),
    "second page": second_page,
}


def colours_of(shown: np.ndarray) -> np.ndarray:
    """Return the colours in the middle of the four patches, ``[2, 2, 3]``."""
    return shown[8::16, 12::24].astype(float)


@pytest.mark.parametrize("kind", SOURCES)
@pytest.mark.parametrize("is_file", [False, True])
def test_a_photograph_is_shown_upright_in_its_own_colours(kind: str, is_file: bool, tmp_path: Path) -> None:
    data = SOURCES[kind]()
    (tmp_path / "a").write_bytes(data)
    source = photo.read_photo(tmp_path / "a" if is_file else data, page=2 if kind == "second page" else None)
    shown = own_look(source, (32, 48))
    assert shown is not None
    assert (shown.shape, shown.dtype) == ((32, 48, 3), np.uint8)
    assert np.abs(colours_of(shown) - PATCHES).max() < 8


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_a_photograph_is_shown_by_its_profile(kind: str) -> None:
    profile = profiles.PROFILES["Adobe RGB"]
    data = saved(SCENE, "PNG", icc_profile=profile) if kind == "PNG" else tiff(STORED, iccprofile=profile)
    source = photo.read_photo(data)
    shown, expected = own_look(source, (32, 48)), profiles.in_srgb(PATCHES, "Adobe RGB")
    assert shown is not None
    assert np.abs(colours_of(shown) - expected).max() < 4
    assert np.abs(in_srgb(source, PATCHES) - expected).max() < 4
    assert np.abs(expected - PATCHES).max() > 20


def test_a_negative_is_shown_as_its_positive() -> None:
    shown = own_look(photo.read_photo(saved(255 - SCENE, "PNG"), negative=True), (32, 48))
    assert shown is not None
    assert np.array_equal(colours_of(shown), PATCHES)


def test_a_grey_photograph_has_no_colours_of_its_own() -> None:
    grey = smooth(64, 96)
    for data in (saved(grey, "JPEG"), saved(grey, "PNG"), saved(grey.astype(np.uint16) * 257, "PNG")):
        assert own_look(photo.read_photo(data), (32, 48)) is None


@pytest.mark.slow
def test_a_contact_sheet_reveals_a_photograph_that_was_in_colour(tmp_path: Path) -> None:
    output = photo.OutputOptions(preview=True)
    report = photo.colorize_photo(
        saved(STORED, "PNG", exif=EXIF), tmp_path / "a.png", colorizer=Colorizer(), output=output
    )
    sheet = np.asarray(contact_sheet([("a", report)])).astype(float)
    for patch in np.ndindex(2, 2):
        row, column = (round(12 + (place + 0.5) * length / 2) for place, length in zip(patch, (300, 450), strict=True))
        assert np.abs(sheet[row, column] - PATCHES[patch]).max() < 8


@pytest.mark.slow
def test_a_picture_that_cannot_hold_colours_is_not_shown_with_colours(tmp_path: Path) -> None:
    halftone = Image.fromarray(smooth(96, 96)).convert("1")
    output = photo.OutputOptions(preview=True)
    report = photo.colorize_photo(saved(halftone, "PNG"), tmp_path / "a.png", colorizer=Colorizer(), output=output)
    with Image.open(tmp_path / "a.png") as written:
        assert np.ptp(np.asarray(written.convert("RGB")), axis=2).max() == 0
    assert report.preview is not None
    assert all(np.ptp(shown, axis=2).max() == 0 for shown in report.preview)
