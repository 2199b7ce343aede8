"""``colorize_pages`` colours multi-page TIFFs page by page, with the pixels of one page in memory at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Final

from ..colorizer.hints import credit
from ..colorizer.loading import loaded
from ..colorizer.options import ColorOptions
from ..errors import OptionError, PhotoError
from .coloring import color
from .formats.image import Planes
from .formats.tiff_pages import LOOP_LOST, Pages
from .formats.tiff_writer import TiffWriter
from .library_errors import THE_PICTURE, decoding, encoding, enough_memory, naming
from .metadata import metadata_for
from .names import format_of
from .options import OutputOptions
from .read import Photo, read_page
from .report import PhotoReport
from .sidecars import read_sidecar
from .write import has_no_sidecar, publish

if TYPE_CHECKING:
    from ..colorizer.colorizer import Colorizer

OnPage = Callable[[int, int], None]
"""Progress callback: called with the number of pages done and in total."""
OR_ONE_PAGE: Final = ", or choose one with page=1"
"""Part of an error's advice; callers that have no option for the page leave it out."""


def colorize_pages(
    colorizer: Colorizer | Callable[[], Colorizer] | None,
    data: bytes,
    destination: Path | BinaryIO,
    options: ColorOptions,
    output: OutputOptions,
    *,
    name: str,
    negative: bool = False,
    on_page: OnPage | None = None,
) -> PhotoReport:
    """Colour all pages of a TIFF into a TIFF.

    Args:
        colorizer: As for ``colorize_photo``.
        data: The bytes of the source.
        destination: The file to write, or an open binary file.
        options: How to colour. Each hint must name its page.
        output: How to write.
        name: Path of the source, or its name in error messages.
        negative: As for ``colorize_photo``.
        on_page: Called after each page with the number of pages done and in total.

    Raises:
        PhotoError: The data is not a TIFF or is damaged; a page cannot be read (the message names it); or the output
            cannot be written or is not a TIFF.
        OptionError: A hint names no page, or a page that does not exist; alternatives or a confidence map are
            requested; or the options ask for something that the model cannot do.
        ModelError: The model cannot be loaded, or the network's output contradicts the model's card.
        EngineError: No engine for the model is installed, or the network could not be run.
        PhotochromError: The output cannot be signed.
        OSError: The open file cannot be written.
    """
    embedded = has_no_sidecar(destination, output)
    pages = _Pages(colorizer, data, options, output, name, negative, on_page, embedded)
    _check(destination, options, output, pages.count, name)
    files = publish(pages.write, destination, "TIFF", output)
    return replace(pages.report(), outputs=files)


def _check(destination: Path | BinaryIO, options: ColorOptions, output: OutputOptions, count: int, name: str) -> None:
    if isinstance(destination, Path) and format_of(destination) != "TIFF":
        raise PhotoError(
            f"holds {count} pages, which only a TIFF can hold",
            path=name,
            remedy=f"write a .tif{OR_ONE_PAGE}",
        )
    if output.alternatives or output.confidence:
        raise OptionError(
            f"holds {count} pages, and alternatives and confidence maps can only be made of single pages",
            path=name,
            remedy="choose one with page=1",
        )
    for hint in options.hints:
        if hint.page is None or hint.page > count:
            which = "no page" if hint.page is None else f"page {hint.page}"
            raise OptionError(
                f"holds {count} pages, and a hint is for {which}",
                path=name,
                remedy="name a page, as in 2:42%,31%,maroon",
            )


@dataclass
class _Pages:
    """Colours the pages of one file, and combines their reports; most fields are arguments of ``colorize_pages``."""

    given: Colorizer | Callable[[], Colorizer] | None
    data: bytes
    options: ColorOptions
    output: OutputOptions
    name: str
    negative: bool
    on_page: OnPage | None
    embedded: bool
    """Whether the label is in the pages."""

    def __post_init__(self) -> None:
        with naming(self.name), decoding():
            self._pages = Pages(self.data)
            self.count = self._pages.count
        self._first: Photo
        self._reports: list[PhotoReport] = []

    @cached_property
    def _colorizer(self) -> Colorizer:
        return loaded(self.given)

    @cached_property
    def _credit(self) -> str:
        return credit(self._colorizer.label, self.options.hints)

    def write(self, stream: BinaryIO) -> tuple[Photo, str]:
        """Write the coloured pages; return the first one, and the label's credit."""
        writer = TiffWriter(stream, self.output.compression, "<" if self.data[:2] == b"II" else ">")
        for number in range(1, self.count + 1):
            self._reports.append(self._write_page(writer, number))
            if self.on_page is not None:
                self.on_page(number, self.count)
        self._copy_masks(writer)
        return self._first, self._credit

    def report(self) -> PhotoReport:
        """Return the report on all pages, which have been written."""
        reports = self._reports
        confidences = [report.confidence for report in reports if report.confidence is not None]
        return replace(
            reports[0],
            confidence=sum(confidences) / len(confidences) if confidences else None,
            colorfulness=sum(report.colorfulness for report in reports) / len(reports),
            warnings=_by_page([report.warnings for report in reports]) + ((LOOP_LOST,) if self._pages.loops else ()),
            pages=len(reports),
        )

    def _copy_masks(self, writer: TiffWriter) -> None:
        with naming(self.name), decoding():
            masks = self._pages.mask_files()
        for mask in masks:
            writer.copy_page(mask)

    def _write_page(self, writer: TiffWriter, number: int) -> PhotoReport:
        photo = self._read(number)
        with _naming_page(self.name, number), enough_memory(self.name):
            hints = tuple(hint for hint in self.options.hints if hint.page == number)
            options = self.options.with_hints(hints)
            prediction = self._colorizer.predict(photo.scene, options)
            output = replace(self.output, preview=self.output.preview and number == 1)
            colors = color(self._colorizer, photo, options, prediction, "TIFF", output, may_be_negative=True)
            label = self._credit if self.embedded else None
            metadata = metadata_for(photo.metadata, source_format="TIFF", format="TIFF", credit=label)
            with encoding():
                writer.add(Planes(photo.luma, colors.cb, colors.cr, photo.alpha, photo.extra), metadata)
        if number == 1:
            self._first = photo
        return colors.report

    def _read(self, number: int) -> Photo:
        """Read a page; the captions of a sidecar beside the file belong to the first page."""
        path = Path(self.name)
        origin = path if path.is_file() else self.data
        sidecar = read_sidecar(path) if number == 1 and origin is path else None
        with _naming_page(self.name, number):
            photo = read_page(self.data, self._pages, number, self.name, negative=self.negative, sidecar=sidecar)
        return replace(photo, page=number, origin=origin)


def _by_page(warnings: list[tuple[str, ...]]) -> tuple[str, ...]:
    """Prefix warnings with their pages ("pages 2 and 3: ..."), except those that are the same for all pages."""
    pages: dict[str, list[int]] = {}
    for number, texts in enumerate(warnings, 1):
        for text in texts:
            pages.setdefault(text, []).append(number)
    return tuple(text if len(on) == len(warnings) else f"{_listed(on)}: {text}" for text, on in pages.items())


def _listed(numbers: list[int]) -> str:
    if len(numbers) == 1:
        return f"page {numbers[0]}"
    return f"pages {', '.join(map(str, numbers[:-1]))} and {numbers[-1]}"


@contextmanager
def _naming_page(name: str, number: int) -> Iterator[None]:
    """Add the name of the source and the number of the page to errors in the block.

    Raises:
        PhotoError: The block raised ``PhotoError``.
    """
    try:
        yield
    except PhotoError as exc:
        problem = f"page {number}: {exc.problem.removeprefix(f'{THE_PICTURE}: ')}"
        if name == THE_PICTURE:
            raise PhotoError(f"{name}: {problem}", remedy=exc.remedy) from exc
        raise PhotoError(problem, path=name, remedy=exc.remedy) from exc
