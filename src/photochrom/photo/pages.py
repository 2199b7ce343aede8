"""``colorize_pages`` colours multi-page TIFFs page by page, with the pixels of one page in memory at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import cached_property
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Final

from ..atomic import new_file
from ..colorizer.hints import credit
from ..colorizer.loading import loaded
from ..colorizer.options import ColorOptions
from ..errors import OptionError, PhotoError
from .formats.image import Planes
from .formats.tiff_pages import LOOP_LOST, has_loop, mask_files, page_starts
from .formats.tiff_writer import TiffWriter
from .library_errors import THE_PICTURE, decoding, encoding, enough_memory, naming
from .metadata import metadata_for
from .names import format_of, sidecar_path
from .negatives import LOOKS_NEGATIVE, looks_negative
from .options import OutputOptions
from .read import Photo, read_page
from .report import PhotoReport, preview, report_on
from .sidecars import read_sidecar
from .signing import signed
from .write import write_data

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
    pages = _Pages(colorizer, data, options, output, name, negative, on_page)
    path = destination if isinstance(destination, Path) else None
    _check(path, options, output, pages.count, name)
    sidecar = sidecar_path(path) if output.sidecar and path is not None else None

    def write_label() -> None:
        if sidecar is not None:
            write_data(pages.sidecar, sidecar, overwrite=output.overwrite)

    if path is not None and output.c2pa is None:
        with _naming_output(path), new_file(path, overwrite=output.overwrite) as file:
            report = pages.write(file)
            write_label()
    else:
        whole = BytesIO()
        report = pages.write(whole)
        coded = whole.getvalue()
        if output.c2pa is not None:
            coded = signed(coded, pages.first, path, "TIFF", output.c2pa, pages.credit)
        write_data(coded, destination, overwrite=output.overwrite, before=write_label)
    return replace(report, outputs=tuple(file for file in (path, sidecar) if file is not None))


def _check(path: Path | None, options: ColorOptions, output: OutputOptions, count: int, name: str) -> None:
    if path is not None and format_of(path) != "TIFF":
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


class _Pages:
    """Colours the pages of one file, and combines their reports."""

    def __init__(
        self,
        colorizer: Colorizer | Callable[[], Colorizer] | None,
        data: bytes,
        options: ColorOptions,
        output: OutputOptions,
        name: str,
        negative: bool,
        on_page: OnPage | None,
    ) -> None:
        self._given, self._data, self._options, self._output = colorizer, data, options, output
        self._name, self._negative, self._on_page = name, negative, on_page
        with naming(name), decoding():
            self._starts = page_starts(data)  # read only once, since a file may have thousands of pages
        self.count = len(self._starts)
        self.first: Photo
        self.sidecar = b""

    @cached_property
    def _colorizer(self) -> Colorizer:
        return loaded(self._given)

    @cached_property
    def credit(self) -> str:
        """The label's text."""
        return credit(self._colorizer.label, self._options.hints)

    def write(self, stream: BinaryIO) -> PhotoReport:
        writer = TiffWriter(stream, self._output.compression, "<" if self._data[:2] == b"II" else ">")
        reports = []
        for number in range(1, self.count + 1):
            reports.append(self._write_page(writer, number))
            if self._on_page is not None:
                self._on_page(number, self.count)
        self._copy_masks(writer)
        confidences = [report.confidence for report in reports if report.confidence is not None]
        return replace(
            reports[0],
            confidence=sum(confidences) / len(confidences) if confidences else None,
            colorfulness=sum(report.colorfulness for report in reports) / len(reports),
            warnings=_by_page([report.warnings for report in reports]) + self._warnings(),
            pages=len(reports),
        )

    def _copy_masks(self, writer: TiffWriter) -> None:
        with naming(self._name), decoding():
            masks = mask_files(self._data)
        for mask in masks:
            writer.copy_page(mask)

    def _warnings(self) -> tuple[str, ...]:
        return (LOOP_LOST,) if has_loop(self._data) else ()

    def _write_page(self, writer: TiffWriter, number: int) -> PhotoReport:
        photo = self._read(number)
        with _naming_page(self._name, number), enough_memory(self._name):
            hints = tuple(hint for hint in self._options.hints if hint.page == number)
            options = self._options.with_hints(hints)
            prediction = self._colorizer.predict(photo.scene, options)
            cb, cr = self._colorizer.chroma(photo.luma, options, prediction=prediction, tones=photo.tones)
            embedded = None if self._output.sidecar else self.credit
            metadata = metadata_for(photo.metadata, source_format="TIFF", format="TIFF", credit=embedded)
            with encoding():
                writer.add(Planes(photo.luma, cb, cr, photo.alpha, photo.extra), metadata)
        report = report_on(photo, "TIFF", (), prediction, cb, cr)
        if photo.kind == "ordinary" and not hints and looks_negative(self._colorizer, prediction, options):
            report = replace(report, warnings=(*report.warnings, LOOKS_NEGATIVE))
        if number > 1:
            return report
        self.first = photo
        if self._output.sidecar:
            whole = metadata_for(photo.metadata, source_format="TIFF", format="TIFF", credit=self.credit)
            self.sidecar = whole.xmp or b""
        shown = preview(self._colorizer, photo, prediction, options) if self._output.preview else None
        return replace(report, preview=shown)

    def _read(self, number: int) -> Photo:
        """Read a page; the captions of a sidecar beside the file belong to the first page."""
        path = Path(self._name)
        origin = path if path.is_file() else self._data
        sidecar = read_sidecar(path) if number == 1 and origin is path else None
        with _naming_page(self._name, number):
            start = self._starts[number - 1]
            photo = read_page(self._data, start, self._name, negative=self._negative, sidecar=sidecar)
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


@contextmanager
def _naming_output(path: Path) -> Iterator[None]:
    """Translate system errors in the block to errors that name the output; other errors name the source already.

    Raises:
        PhotoError: The block raised ``OSError``.
    """
    try:
        yield
    except OSError as exc:
        with naming(str(path)):
            raise exc
