"""``Pages`` finds the pages of a TIFF file: the directories of full-size pictures, as opposed to previews and masks."""

from __future__ import annotations

from functools import cached_property
from mmap import mmap
from typing import Final

from PIL.ExifTags import Base as Tag

from ...errors import WHOLE_COPY, PhotoError
from . import exif
from .exif import Entry
from .tiff_cut import page_file

LOOP_LOST: Final = "its list of pages loops: any pages after the loop are not kept"
RAW: Final = "a camera's raw file"
DEVELOP: Final = "develop it to a plain TIFF first"
_PREVIEW, _MASK = 1, 4  # bits of NewSubfileType
_MIN_ENTRY: Final = 12  # bytes of an entry, at least
_MOST_MASKS: Final = 4  # times the size of the file: masks whose parts are unknown are copied with the whole file
_NOT_INHERITED: Final = (
    frozenset([Tag.XResolution, Tag.YResolution, Tag.ResolutionUnit, Tag.InterColorProfile])
    | exif.CODING - exif.METADATA_BLOCKS
)
"""Tags of a preview that say nothing about the picture after it."""


class Pages:
    """The directories of a TIFF file, each of which is parsed once; the results are kept.

    Args:
        data: The file.

    Raises:
        ValueError, struct.error: The file has no header of a TIFF.
    """

    def __init__(self, data: bytes | mmap) -> None:
        self.tiff = exif.open_tiff(data)

    @cached_property
    def _chain(self) -> tuple[dict[int, int], bool]:
        """Return the kind of each directory by its offset, in order, and whether the list of directories loops.

        Raises:
            PhotoError: Directories overlap; a small file of overlapping directories could take hours.
            struct.error: A directory extends past the end of the file, or its values overlap.
        """
        kinds: dict[int, int] = {}
        start, size = self.tiff.first, 0
        while start and start not in kinds:
            entries, following = self.tiff.directory(start)
            size += _MIN_ENTRY * len(entries)
            if size > len(self.tiff.data):
                raise PhotoError("is damaged (its pages overlap)", remedy=WHOLE_COPY)
            kinds[start], start = self._kind(entries), following
        return kinds, start != 0

    def _kind(self, entries: list[Entry]) -> int:
        """Return the kind of picture in a directory: ``_PREVIEW``, ``_MASK``, or 0 for a full-size one."""
        kind = self.tiff.number(entries, Tag.NewSubfileType, 0)
        return _PREVIEW if kind & _PREVIEW or self.tiff.number(entries, Tag.SubfileType, 1) == 2 else kind & _MASK

    @cached_property
    def _starts(self) -> list[int]:
        """Return the offsets of the directories of full-size pictures.

        Film scanners and cameras write a preview first, and the picture after the preview or in a subdirectory of it.

        Raises:
            PhotoError: There are only previews, or no pages; directories overlap; or the file is a Canon CR2.
            struct.error: A directory extends past the end of the file, or its values overlap.
        """
        tiff = self.tiff
        if bytes(tiff.data[8:10]) == b"CR":  # Canon's CR2, whose first page looks like a picture
            raise PhotoError(f"is {RAW}", remedy=DEVELOP)
        kinds, _ = self._chain
        if not kinds:
            raise PhotoError("is cut short (it has no page)", remedy=WHOLE_COPY)
        starts = [start for start, kind in kinds.items() if not kind]
        if kinds[tiff.first]:
            below = tiff.all_integers(tiff.directory(tiff.first)[0], Tag.SubIFDs)
            others = (start for start in below if start not in kinds)
            starts += [start for start in others if not self._kind(tiff.directory(start)[0])]
        if not starts:
            raise PhotoError(f"holds previews only, as does {RAW}", remedy=DEVELOP)
        return starts

    @property
    def count(self) -> int:
        """Number of pages; previews and masks are not pages.

        Raises:
            PhotoError, struct.error: The file is damaged, or contains previews only, as some cameras' raw files do.
        """
        return len(self._starts)

    @property
    def loops(self) -> bool:
        """Whether the list of directories loops.

        Raises:
            PhotoError, struct.error: The file is damaged.
        """
        return self._chain[1]

    def check_single(self) -> None:
        """Check that there is one page.

        Raises:
            PhotoError, struct.error: There are several, or ``count`` raises an error.
        """
        if self.count > 1:
            raise PhotoError(f"holds {self.count} pages", remedy="name the page, or write all of them to a TIFF")

    def is_first(self, number: int) -> bool:
        """Return whether a page, counted from 1, is the file's only page and its first directory.

        Raises:
            PhotoError, struct.error: As for ``entries``.
        """
        return self.count == 1 and self._start(number) == self.tiff.first

    def entries(self, number: int) -> list[Entry]:
        """Return the entries of a page, counted from 1.

        To those of an only page behind a preview, descriptive entries of the preview are added if they are missing.
        Resolution and ICC profile, which may differ in the preview, are left out.

        Raises:
            PhotoError, struct.error: There is no such page, or the file is damaged.
        """
        start, tiff = self._start(number), self.tiff
        entries = tiff.directory(start)[0]
        if self.count > 1 or start == tiff.first:
            return entries
        known = _NOT_INHERITED.union(entry.tag for entry in entries)
        return [*entries, *(entry for entry in tiff.directory(tiff.first)[0] if entry.tag not in known)]

    def _start(self, number: int) -> int:
        if not 1 <= number <= self.count:
            pages = f"{self.count} page{'s' * (self.count > 1)}"
            raise PhotoError(f"has {pages}, and none with the number {number}", remedy="choose another page")
        return self._starts[number - 1]

    def upright_size(self, number: int) -> tuple[int, int]:
        """Return width and height of a page, counted from 1, after it is turned upright.

        Raises:
            PhotoError, struct.error: There is no such page, or the file is damaged.
        """
        entries = self.entries(number)
        width, height = (self.tiff.number(entries, tag, 0) for tag in (Tag.ImageWidth, Tag.ImageLength))
        return (height, width) if exif.orientation_of(self.tiff, entries) >= 5 else (width, height)

    def mask_files(self) -> tuple[bytes, ...]:
        """Extract masks, among them the infrared channels of film scanners, each as a file of its own.

        SilverFast writes the infrared channel of an HDRi scan as a mask.

        Raises:
            PhotoError, struct.error: The file is damaged, or its masks overlap.
        """
        files: list[bytes] = []
        size = 0
        for start, kind in self._chain[0].items():
            if kind == _MASK:
                files.append(page_file(self.tiff, self.tiff.directory(start)[0]))
                size += len(files[-1])
                if size > _MOST_MASKS * len(self.tiff.data):  # otherwise thousands of masks could share one strip
                    raise PhotoError("is damaged (its masks overlap)", remedy=WHOLE_COPY)
        return tuple(files)
