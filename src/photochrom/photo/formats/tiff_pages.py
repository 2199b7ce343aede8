"""Finds the pages of a TIFF file: the directories of full-size pictures, as opposed to previews and masks."""

from __future__ import annotations

from collections.abc import Iterator
from mmap import mmap
from typing import Final

from PIL.ExifTags import Base as Tag

from ...errors import PhotoError
from . import exif
from .exif import Entry, Tiff
from .image import WHOLE_COPY
from .tiff_cut import page_file

LOOP_LOST: Final = "its list of pages loops: any pages after the loop are not kept"
RAW: Final = "a camera's raw file"
DEVELOP: Final = "develop it to a plain TIFF first"
_PREVIEW, _MASK = 1, 4  # bits of NewSubfileType
_MIN_ENTRY: Final = 12  # bytes of an entry, at least


def only_page(tiff: Tiff) -> int:
    """Return the offset of the directory of the only page.

    Raises:
        PhotoError: There are several pages, none, or only previews, as in some cameras' raw files; directories overlap;
            or the file is a Canon CR2.
        struct.error: A directory extends past the end of the file.
    """
    starts = _full_size_directories(tiff)
    if len(starts) > 1:
        raise PhotoError(f"holds {len(starts)} pages", remedy="name the page, or write all of them to a TIFF")
    return starts[0]


def _full_size_directories(tiff: Tiff) -> list[int]:
    """Return the offsets of the directories of full-size pictures.

    Film scanners and cameras write a preview first, and the picture after the preview or in a subdirectory of it.

    Raises:
        PhotoError: There are only previews, or no pages; directories overlap; or the file is a Canon CR2.
        struct.error: A directory extends past the end of the file.
    """
    if bytes(tiff.data[8:10]) == b"CR":  # Canon's CR2, whose first page looks like a picture
        raise PhotoError(f"is {RAW}", remedy=DEVELOP)
    chain = [*_chain(tiff)]
    if not chain:
        raise PhotoError("is cut short (it has no page)", remedy=WHOLE_COPY)
    starts = [start for start in chain if not _kind(tiff, start)]
    if _kind(tiff, chain[0]):
        known, below = {*chain}, tiff.all_integers(tiff.directory(chain[0])[0], Tag.SubIFDs)
        starts += [start for start in below if start not in known and not _kind(tiff, start)]
    if not starts:
        raise PhotoError(f"holds previews only, as does {RAW}", remedy=DEVELOP)
    return starts


def _chain(tiff: Tiff) -> Iterator[int]:
    """Yield the offset of each directory in order, and stop if the list loops.

    Raises:
        PhotoError: Directories overlap; a small file of overlapping directories could take hours.
        struct.error: A directory extends past the end of the file.
    """
    start, seen, size = tiff.first, set[int](), 0
    while start and start not in seen:
        yield start
        seen.add(start)
        entries, following = tiff.directory(start)
        size += _MIN_ENTRY * len(entries)
        if size > len(tiff.data):
            raise PhotoError("is damaged (its pages overlap)", remedy=WHOLE_COPY)
        start = following


def _kind(tiff: Tiff, start: int) -> int:
    """Return the kind of picture in a directory: ``_PREVIEW``, ``_MASK``, or 0 for a full-size one."""
    entries = tiff.directory(start)[0]
    kind = tiff.number(entries, Tag.NewSubfileType, 0)
    return _PREVIEW if kind & _PREVIEW or tiff.number(entries, Tag.SubfileType, 1) == 2 else kind & _MASK


def mask_files(data: bytes) -> list[bytes]:
    """Extract masks, among them the infrared channels of film scanners, each as a file of its own.

    SilverFast writes the infrared channel of an HDRi scan as a mask.

    Raises:
        PhotoError, ValueError, struct.error: The file is damaged.
    """
    tiff = exif.open_tiff(data)
    return [page_file(tiff, tiff.directory(start)[0]) for start in _chain(tiff) if _kind(tiff, start) == _MASK]


def has_loop(data: bytes) -> bool:
    """Return whether the directories of a TIFF file form a loop.

    Raises:
        PhotoError, ValueError, struct.error: The file is damaged.
    """
    tiff = exif.open_tiff(data)
    *_, last = 0, *_chain(tiff)
    return last != 0 and tiff.directory(last)[1] != 0


def inherited_from_preview(tiff: Tiff, entries: list[Entry]) -> list[Entry]:
    """Return the descriptive entries of a file's first directory, a preview, whose tags are not among ``entries``.

    ``entries`` are those of the picture. Resolution and ICC profile, which may differ in the preview, are left out.

    Raises:
        struct.error: The first directory extends past the end of the file.
    """
    not_inherited = {
        Tag.XResolution,
        Tag.YResolution,
        Tag.ResolutionUnit,
        Tag.InterColorProfile,
    } | exif.CODING - exif.METADATA_BLOCKS
    known = not_inherited.union(entry.tag for entry in entries)
    return [entry for entry in tiff.directory(tiff.first)[0] if entry.tag not in known]


def page_starts(data: bytes | mmap) -> list[int]:
    """Return the offset of the directory of each page of a TIFF file; previews and masks are not pages.

    Raises:
        PhotoError, ValueError, struct.error: The file is damaged, or contains previews only.
    """
    return _full_size_directories(exif.open_tiff(data))


def upright_size(data: bytes, number: int) -> tuple[int, int]:
    """Return width and height of a page after it is turned upright.

    Args:
        data: A TIFF file.
        number: The page, from 1.

    Raises:
        PhotoError, ValueError, IndexError, struct.error: The file is damaged, or has no such page.
    """
    tiff = exif.open_tiff(data)
    start = _full_size_directories(tiff)[number - 1]
    entries = tiff.directory(start)[0]
    if start != tiff.first:
        entries += inherited_from_preview(tiff, entries)
    width, height = (tiff.number(entries, tag, 0) for tag in (Tag.ImageWidth, Tag.ImageLength))
    return (height, width) if exif.orientation_of(tiff, entries) >= 5 else (width, height)


def page_start(data: bytes, number: int) -> int:
    """Return the offset of the directory of a page.

    Args:
        data: A TIFF file.
        number: The page, from 1.

    Raises:
        PhotoError, ValueError, struct.error: There is no such page, or the file is damaged.
    """
    starts = page_starts(data)
    if not 1 <= number <= len(starts):
        pages = f"{len(starts)} page{'s' * (len(starts) > 1)}"
        raise PhotoError(f"has {pages}, and none with the number {number}", remedy="choose another page")
    return starts[number - 1]
