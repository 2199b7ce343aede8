"""Colours one photograph from file to file: reads it, predicts its colours, and writes it with companion files."""

from __future__ import annotations

import functools
import mmap
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, TypedDict, cast

import numpy as np

from ..colorizer.hints import credit
from ..colorizer.options import DEFAULT_QUALITY, ColorOptions
from ..errors import OptionError, PhotoError
from .confidence import confidence_png, least_sure_places
from .library_errors import THE_PICTURE, enough_memory, naming
from .metadata import metadata_for
from .names import (
    EXTENSIONS,
    STREAM,
    alternative_paths,
    check_destination,
    companion_paths,
    confidence_path,
    format_of,
    plan,
    sidecar_path,
)
from .negatives import LOOKS_NEGATIVE, looks_negative
from .options import JpegLayout, OutputOptions
from .pages import OnPage, checked_options, colorize_pages
from .picture_kinds import chroma, for_network
from .read import Photo, check_source, count_pages, read_photo
from .report import PhotoReport, preview, report_on
from .signing import signed
from .write import chroma_sampling, encode_photo, write_beside, write_photo

if TYPE_CHECKING:
    from ..colorizer.colorizer import Colorizer, Prediction


class _EncoderSettings(TypedDict):
    quality: int
    layout: JpegLayout
    compression: str


def colorize_file(
    source: str | os.PathLike[str],
    destination: str | os.PathLike[str] | None = None,
    options: ColorOptions | None = None,
    *,
    colorizer: Colorizer | None = None,
    output: OutputOptions | None = None,
    quality: int = DEFAULT_QUALITY,
    overwrite: bool = False,
    alternatives: int = 0,
    confidence: bool = False,
    negative: bool = False,
) -> Path:
    """Colour a photograph file, and return the path of the coloured file.

    Args:
        source: The photograph.
        destination: A file or an existing folder; None for ``NAME.color.EXT`` beside the source.
        options: How to colour; None for the model's defaults.
        colorizer: A loaded model, to reuse between calls; None loads the default model.
        output: How to write, and which companion files to write. If given, the next four arguments are ignored.
        quality: Quality of lossy formats, 1 to 100.
        overwrite: Whether existing files are replaced.
        alternatives: Number of alternative colourings to write, 0 to 5, each with its hints.
        confidence: Whether to write a map of the model's confidence.
        negative: Whether the photograph is a negative, which gets complementary colours; see ``colorize_photo``.

    Returns:
        Path of the coloured file. ``photochrom.photo.colorize_photo`` returns a report instead.

    Raises:
        PhotoError: The photograph cannot be read or written.
        OptionError: The destination is the source, or the options ask for something that the model cannot do.
        ModelError: The default model cannot be loaded, or the network's output contradicts the model's card.
        EngineError: The network could not be run.
        PhotochromError: The output cannot be signed.
    """
    output = output or OutputOptions(quality, overwrite, alternatives, confidence)
    target = None if destination is None else os.fspath(destination)
    ((name, target),) = plan([os.fspath(source)], target, output)
    if STREAM in (name, target):
        raise PhotoError("'-' is a stream for the command line only", remedy="give a path")
    return colorize_photo(name, target, options, colorizer=colorizer, output=output, negative=negative).outputs[0]


def colorize_photo(
    source: str | os.PathLike[str] | bytes | BinaryIO,
    destination: str | os.PathLike[str],
    options: ColorOptions | None = None,
    *,
    colorizer: Colorizer | None = None,
    output: OutputOptions | None = None,
    negative: bool = False,
    page: int | None = None,
    on_page: OnPage | None = None,
) -> PhotoReport:
    """Colour one photograph, given as a path, bytes or an open binary file, and write it to a path.

    If a file exists already or an option is not supported, an error is raised before anything is written. The caller
    must ensure that the destination is not the source (see ``names.plan``).

    Args:
        source: The photograph.
        destination: The file to write, in the format of its extension.
        options: How to colour; None for the model's defaults.
        colorizer: A loaded model; None loads the default model.
        output: How to write, and which companion files to write.
        negative: Whether the photograph is a negative. The network then gets the positive. The output is a negative
            with the same luma and complementary colours, so that its inversion is the coloured positive.
        page: Page of a multi-page TIFF, from 1. None colours all pages into one TIFF.
        on_page: Called after each page of a multi-page TIFF with the number of pages done and in total.

    Raises:
        PhotoError: The photograph cannot be read or written.
        OptionError: The options ask for something that the model cannot do.
        ModelError: The default model cannot be loaded, or the network's output contradicts the model's card.
        EngineError: The network could not be run.
        PhotochromError: The output cannot be signed.
    """
    from ..colorizer.colorizer import Colorizer

    path, output = Path(destination), output or OutputOptions()
    if isinstance(source, str | os.PathLike):
        check_source(Path(source))
    for file in (path, *companion_paths(path, output)):
        check_destination(file, overwrite=output.overwrite)
    try:
        format_of(path)
    except PhotoError:
        if isinstance(source, str | os.PathLike):
            read_photo(source)  # its error is more helpful if the source is at fault, such as a camera's raw file
        raise
    colorizer, options = colorizer or Colorizer(), options or ColorOptions()
    if not isinstance(source, str | os.PathLike | bytes):
        source = source.read()
    if page is None and (data := _multipage_data(source)) is not None:
        name = os.fspath(source) if isinstance(source, str | os.PathLike) else THE_PICTURE
        return colorize_pages(colorizer, data, path, options, output, name=name, negative=negative, on_page=on_page)
    photo = read_photo(source, negative=negative, reduced=format_of(path) == "JPEG", page=page)
    with enough_memory(photo.name):
        return _Outputs(colorizer, photo, output).write(path, checked_options(options, page, photo.name))


def colorize_job(
    colorizer: Colorizer,
    source: str,
    destination: str,
    options: ColorOptions,
    output: OutputOptions,
    *,
    negative: bool = False,
    page: int | None = None,
    on_page: OnPage | None = None,
) -> PhotoReport:
    """Colour a pair of source and destination from ``names.plan``, in which ``-`` is the standard input or output.

    Raises:
        PhotoError: The photograph cannot be read or written, or a standard stream is closed.
        OptionError: The options ask for something that the model cannot do.
        ModelError: The network's output contradicts the model's card.
        EngineError: The network could not be run.
        PhotochromError: The output cannot be signed.
    """
    if destination == STREAM:
        return colorize_stream(colorizer, source, options, output, negative=negative, page=page, on_page=on_page)
    photograph = standard_input() if source == STREAM else source
    return colorize_photo(
        photograph,
        destination,
        options,
        colorizer=colorizer,
        output=output,
        negative=negative,
        page=page,
        on_page=on_page,
    )


def colorize_stream(
    colorizer: Colorizer,
    source: str,
    options: ColorOptions,
    output: OutputOptions,
    *,
    negative: bool = False,
    page: int | None = None,
    on_page: OnPage | None = None,
) -> PhotoReport:
    """Colour one photograph, and write it to the standard output in the format of the source.

    Raises:
        PhotoError: The photograph cannot be read, or the standard output is closed.
        OptionError: The options ask for something that the model cannot do.
        ModelError: The network's output contradicts the model's card.
        EngineError: The network could not be run.
        PhotochromError: The output cannot be signed.
    """
    if sys.stdout is None:
        raise PhotoError("the standard output is closed", remedy="name a file")
    if source != STREAM:
        check_source(Path(source))
    photograph: str | bytes = standard_input().read() if source == STREAM else source
    if page is None and (data := _multipage_data(photograph)) is not None:
        stream, name = sys.stdout.buffer, THE_PICTURE if source == STREAM else source
        return colorize_pages(
            colorizer, data, None, options, output, name=name, negative=negative, stream=stream, on_page=on_page
        )
    photo = read_photo(photograph, negative=negative, reduced=True, page=page)
    options = checked_options(options, page, photo.name)
    with enough_memory(photo.name):
        prediction = colorizer.predict(for_network(photo.luma, photo.kind), options)
        cb, cr = _chroma(colorizer, photo, photo.format, options, prediction, output)
        label = credit(colorizer.label, options.hints)
        tiled = output.c2pa is None
        data = encode_photo(photo, cb, cr, format=photo.format, credit=label, **_encoder_settings(output), tiled=tiled)
        if output.c2pa is not None:
            extension = EXTENSIONS[photo.format][0]
            data = signed(data, photo, Path(f"output{extension}"), output.c2pa, label)
    sys.stdout.buffer.write(data)
    return report_on(photo, photo.format, (), prediction, cb, cr, output.jpeg_layout)


def _multipage_data(source: str | os.PathLike[str] | bytes) -> bytes | None:
    """Return the bytes of the source if it is a TIFF of several pages, else None."""
    if isinstance(source, bytes):
        return source if count_pages(source) > 1 else None
    path = Path(source)
    if not path.is_file():  # a pipe's bytes can be read only once
        return None
    with naming(str(path)), path.open("rb") as file:
        if os.fstat(file.fileno()).st_size == 0:  # an empty file cannot be mapped
            return None
        mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        return file.read() if count_pages(mapped) > 1 else None


def standard_input() -> BinaryIO:
    """Return the standard input as a binary file.

    Raises:
        PhotoError: The standard input is closed.
    """
    if sys.stdin is None:
        raise PhotoError("the standard input is closed", remedy="name a file")
    return sys.stdin.buffer


def write_colored(
    colorizer: Colorizer,
    photo: Photo,
    path: Path,
    options: ColorOptions,
    prediction: Prediction | None = None,
    output: OutputOptions | None = None,
) -> PhotoReport:
    """Colour a photograph in memory, and write it; of the companion files, only the sidecar is written.

    Args:
        colorizer: The model.
        photo: The photograph.
        path: The file to write.
        options: How to colour.
        prediction: Result of ``Colorizer.predict`` for this photograph and these options, if already computed.
        output: How to write, and whether to write a sidecar.

    Raises:
        PhotoError: The file cannot be written.
        OptionError: The options ask for something that the model cannot do.
        ModelError: The network's output contradicts the model's card.
        EngineError: The network could not be run.
        PhotochromError: The output cannot be signed.
    """
    output, format = output or OutputOptions(), format_of(path)
    prediction = prediction or colorizer.predict(for_network(photo.luma, photo.kind), options)
    cb, cr = _chroma(colorizer, photo, format, options, prediction, output)
    label = credit(colorizer.label, options.hints)
    embedded = None if output.sidecar else label
    if output.c2pa is None:
        write_photo(photo, cb, cr, path, credit=embedded, overwrite=output.overwrite, **_encoder_settings(output))
    else:
        check_destination(path, overwrite=output.overwrite)
        data = encode_photo(photo, cb, cr, format=format, credit=embedded, **_encoder_settings(output), tiled=False)
        write_beside(signed(data, photo, path, output.c2pa, label), path, overwrite=output.overwrite)
    outputs: tuple[Path, ...] = (path,)
    if output.sidecar:
        outputs = (path, sidecar_path(path))
        metadata = metadata_for(photo.metadata, source_format=photo.format, format=format, credit=label)
        write_beside(metadata.xmp or b"", outputs[1], overwrite=output.overwrite)
    report = report_on(photo, format, outputs, prediction, cb, cr, output.jpeg_layout)
    return replace(report, preview=preview(colorizer, prediction, options)) if output.preview else report


def _chroma(
    colorizer: Colorizer,
    photo: Photo,
    format: str,
    options: ColorOptions,
    prediction: Prediction,
    output: OutputOptions,
) -> tuple[np.ndarray, np.ndarray]:
    sampling = (1, 1) if photo.reduced else chroma_sampling(photo, format, output.jpeg_layout)
    return chroma(colorizer, photo.luma, photo.kind, options, prediction, sampling, reduced=photo.reduced)


def _encoder_settings(output: OutputOptions) -> _EncoderSettings:
    return {"quality": output.quality, "layout": output.jpeg_layout, "compression": output.compression}


@dataclass(frozen=True)
class _Outputs:
    """Writes the files for one photograph: the coloured picture, its alternatives, and the confidence map."""

    colorizer: Colorizer
    photo: Photo
    output: OutputOptions

    @functools.cached_property
    def network_luma(self) -> np.ndarray:
        """Luma plane from which the network predicts colours."""
        return for_network(self.photo.luma, self.photo.kind)

    def write(self, path: Path, options: ColorOptions) -> PhotoReport:
        """Make all predictions, and then write all files."""
        prediction = self.colorizer.predict(self.network_luma, options)
        confidence = self._confidence(prediction) if self.output.confidence else None
        others = self._alternatives(options, prediction)
        predictions = [self.colorizer.predict(self.network_luma, other) for other in others]
        observations = self._observations(options, prediction)
        report = self._write_colored(path, options, prediction)
        report = replace(report, warnings=(*report.warnings, *observations))
        for number, (other, prediction_of_other) in enumerate(zip(others, predictions, strict=True), 1):
            self._write_alternative(path, number, other, prediction_of_other)
        if confidence is not None:
            write_beside(confidence, confidence_path(path), overwrite=self.output.overwrite)
            report = replace(report, least_sure=tuple(least_sure_places(cast(np.ndarray, prediction.confidence))))
        if others:
            report = self._report_alternatives(report, prediction, list(zip(others, predictions, strict=True)))
        return replace(report, outputs=(path, *companion_paths(path, self.output)))

    def _observations(self, options: ColorOptions, prediction: Prediction) -> tuple[str, ...]:
        if self.photo.kind != "ordinary" or options.hints or not looks_negative(self.colorizer, prediction, options):
            return ()
        return (LOOKS_NEGATIVE,)

    def _write_colored(self, path: Path, options: ColorOptions, prediction: Prediction) -> PhotoReport:
        return write_colored(self.colorizer, self.photo, path, options, prediction, self.output)

    def _write_alternative(self, path: Path, number: int, options: ColorOptions, prediction: Prediction) -> None:
        from ..colorizer.hints import hints_json

        picture, hints = alternative_paths(path, number)
        self._write_colored(picture, options, prediction)
        write_beside(hints_json(options.hints).encode(), hints, overwrite=self.output.overwrite)

    def _report_alternatives(
        self, report: PhotoReport, first: Prediction, others: Sequence[tuple[ColorOptions, Prediction]]
    ) -> PhotoReport:
        from ..colorizer.alternative_captions import name_alternatives

        names = name_alternatives(first, [prediction for _, prediction in others])
        if not self.output.preview:
            return replace(report, alternatives=tuple(names))
        pictures = [preview(self.colorizer, prediction, options)[1] for options, prediction in others]
        return replace(report, alternatives=tuple(names), alternative_previews=tuple(pictures))

    def _alternatives(self, options: ColorOptions, prediction: Prediction) -> list[ColorOptions]:
        from ..colorizer.suggestions import alternatives

        count = self.output.alternatives
        return alternatives(self.colorizer, self.network_luma, count, options, prediction=prediction) if count else []

    def _confidence(self, prediction: Prediction) -> bytes:
        if prediction.confidence is None:
            name = self.colorizer.card.name
            raise OptionError(f"the model {name!r} does not report its confidence", remedy="leave the confidence out")
        return confidence_png(prediction.confidence, self.photo.shape, raw=self.output.confidence_raw)
