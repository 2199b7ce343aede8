"""Colours one photograph from file to file: reads it, predicts its colours, and writes it with companion files."""

from __future__ import annotations

import mmap
import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO, cast

import numpy as np

from ..colorizer.alternative_captions import name_alternatives
from ..colorizer.colorizer import Colorizer
from ..colorizer.hints import credit, hints_json
from ..colorizer.loading import loaded
from ..colorizer.options import DEFAULT_QUALITY, ColorOptions
from ..colorizer.prediction import Prediction
from ..colorizer.suggestions import alternatives
from ..errors import OptionError, PhotoError
from .coloring import color
from .confidence import confidence_png, least_sure_places
from .inspection import check_source, count_pages
from .library_errors import THE_PICTURE, enough_memory, naming
from .names import (
    STREAM,
    alternative_paths,
    check_destination,
    check_stream,
    clashes,
    companion_paths,
    confidence_path,
    destination_of,
    format_of,
)
from .options import OutputOptions
from .pages import OnPage, colorize_pages
from .read import Photo, read_photo
from .report import PhotoReport
from .sidecars import remove_former_sidecars
from .write import check_picture, write_data, write_output


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
        output: How to write, and which companion files to write. It replaces the next four arguments.
        quality: Quality of lossy formats, 1 to 100.
        overwrite: Whether existing files are replaced.
        alternatives: Number of alternative colourings to write, 0 to 5, each with its hints.
        confidence: Whether to write a map of the model's confidence.
        negative: Whether the photograph is a negative, which gets complementary colours; see ``colorize_photo``.

    Returns:
        Path of the coloured file. ``photochrom.photo.colorize_photo`` returns a report instead.

    Raises:
        PhotoError: The photograph cannot be read or written.
        OptionError: The destination is the source; ``output`` is given beside an argument that it replaces; or the
            options ask for something that the model cannot do.
        ModelError: The default model cannot be loaded, or the network's output contradicts the model's card.
        EngineError: No engine for the default model is installed, or the network could not be run.
        PhotochromError: The output cannot be signed.
    """
    single = OutputOptions(quality, overwrite, alternatives, confidence)
    if output is not None and single != OutputOptions():
        names = "quality, overwrite, alternatives and confidence"
        raise OptionError(f"{names} are part of the output options", remedy="give them in OutputOptions")
    output = output or single
    name = os.fspath(source)
    target = destination_of(name, None if destination is None else os.fspath(destination))
    for error in clashes([(name, target)], output).values():
        raise error
    if STREAM in (name, target):
        raise PhotoError("'-' is a stream for the command line only", remedy="give a path")
    return colorize_photo(name, target, options, colorizer=colorizer, output=output, negative=negative).outputs[0]


def colorize_photo(
    source: str | os.PathLike[str] | bytes | BinaryIO,
    destination: str | os.PathLike[str] | BinaryIO,
    options: ColorOptions | None = None,
    *,
    colorizer: Colorizer | Callable[[], Colorizer] | None = None,
    output: OutputOptions | None = None,
    negative: bool = False,
    page: int | None = None,
    on_page: OnPage | None = None,
) -> PhotoReport:
    """Colour one photograph, given as a path, bytes or an open binary file.

    If a file exists already or an option is not supported, an error is raised before anything is written. The caller
    must ensure that the destination is not the source (see ``names.clashes``).

    Args:
        source: The photograph.
        destination: The file to write, in the format of its extension; or an open binary file, which gets the format
            of the source, and for which no companion files are written.
        options: How to colour; None for the model's defaults.
        colorizer: A loaded model, or a function that loads one, which is called when the photograph has been checked;
            None loads the default model.
        output: How to write, and which companion files to write.
        negative: Whether the photograph is a negative. The network then gets the positive. The output is a negative
            with the same luma and complementary colours, so that its inversion is the coloured positive.
        page: Page of a multi-page TIFF, from 1. None colours all pages into one TIFF.
        on_page: Called after each page of a multi-page TIFF with the number of pages done and in total.

    Raises:
        PhotoError: The photograph cannot be read or written.
        OptionError: The options ask for something that the model cannot do, or for companion files of an open file; or
            a hint is for a page that is not coloured.
        ModelError: The model cannot be loaded, or the network's output contradicts the model's card.
        EngineError: No engine for the model is installed, or the network could not be run.
        PhotochromError: The output cannot be signed.
        OSError: An open source cannot be read, or an open destination cannot be written.
    """
    output, options = output or OutputOptions(), options or ColorOptions()
    target = Path(destination) if isinstance(destination, str | os.PathLike) else destination
    format = _checked_format(source, target, output)
    if not isinstance(source, str | os.PathLike | bytes):
        source = source.read()
    if page is None and (data := _multipage_data(source)) is not None:
        name = os.fspath(source) if isinstance(source, str | os.PathLike) else THE_PICTURE
        report = colorize_pages(colorizer, data, target, options, output, name=name, negative=negative, on_page=on_page)
        return _without_former_sidecars(report, output)
    photo = read_photo(source, negative=negative, may_reduce=format in (None, "JPEG"), page=page)
    _check_hints(options, page, photo.name)
    _check_size(photo, target)
    colorizer = loaded(colorizer)
    with enough_memory(photo.name):
        report = _color_with_companions(colorizer, photo, target, options, output)
    return _without_former_sidecars(report, output)


def _without_former_sidecars(report: PhotoReport, output: OutputOptions) -> PhotoReport:
    """Remove outdated sidecars of earlier runs beside the outputs; the report names those that are left."""
    left = remove_former_sidecars(report.outputs, overwrite=output.overwrite)
    return replace(report, warnings=(*report.warnings, *left))


def _checked_format(
    source: str | os.PathLike[str] | bytes | BinaryIO, target: Path | BinaryIO, output: OutputOptions
) -> str | None:
    """Check that the source is a photograph and that all outputs can be written.

    Returns:
        The format of the target, by its extension; None for an open file. Errors are those of ``colorize_photo``.
    """
    if isinstance(source, str | os.PathLike):
        check_source(Path(source))
    if not isinstance(target, Path):
        check_stream(output)
        return None
    for file in (target, *companion_paths(target, output)):
        check_destination(file, overwrite=output.overwrite)
    try:
        return format_of(target)
    except PhotoError:
        if isinstance(source, str | os.PathLike):
            read_photo(source)  # its error is more helpful if the source is at fault, such as a camera's raw file
        raise


def _multipage_data(source: str | os.PathLike[str] | bytes) -> bytes | None:
    """Return the bytes of the source if it is a TIFF of several pages; else, or if it is a pipe, None.

    Raises:
        PhotoError: The file cannot be read.
    """
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


def _check_hints(options: ColorOptions, page: int | None, name: str) -> None:
    """Check that all hints are for the page that is coloured; ``page`` is None for a photograph without pages.

    Raises:
        OptionError: A hint is for another page.
    """
    for hint in options.hints:
        if hint.page not in (None, page or 1):
            raise OptionError(
                f"a hint is for page {hint.page}, which is not coloured", path=name, remedy="leave it out"
            )


def _check_size(photo: Photo, destination: Path | BinaryIO) -> str:
    """Check that the output can hold a photograph, and return the output's format.

    Raises:
        PhotoError: The photograph is too large for the format, or its extension denotes no format.
    """
    format = format_of(destination) if isinstance(destination, Path) else photo.format
    with naming(str(destination) if isinstance(destination, Path) else photo.name):
        check_picture(photo, format)
    return format


def _color_with_companions(
    colorizer: Colorizer, photo: Photo, target: Path | BinaryIO, options: ColorOptions, output: OutputOptions
) -> PhotoReport:
    """Make all predictions, and then colour and write the photograph and its companion files."""
    luma = photo.scene
    prediction = colorizer.predict(luma, options)
    confidence = _confidence_map(colorizer, photo, prediction, output) if output.confidence else None
    others = _alternatives(colorizer, luma, options, prediction, output.alternatives)
    report = color_and_write(colorizer, photo, target, options, prediction, output, may_be_negative=True)
    if not isinstance(target, Path):
        return report
    if others:
        reports = _write_alternatives(colorizer, photo, target, others, output)
        names = name_alternatives(prediction, [its_prediction for _, its_prediction in others])
        previews = tuple(other.preview[1] for other in reports if other.preview is not None)
        report = replace(report, alternatives=tuple(names), alternative_previews=previews)
    if confidence is not None:
        write_data(confidence, confidence_path(target), overwrite=output.overwrite)
        report = replace(report, least_sure=tuple(least_sure_places(cast(np.ndarray, prediction.confidence))))
    return replace(report, outputs=(target, *companion_paths(target, output)))


def color_and_write(
    colorizer: Colorizer,
    photo: Photo,
    destination: Path | BinaryIO,
    options: ColorOptions,
    prediction: Prediction | None = None,
    output: OutputOptions | None = None,
    *,
    may_be_negative: bool = False,
) -> PhotoReport:
    """Predict a photograph's colours if they are not given, compute its chroma, write it, and report on it.

    Of the companion files, only the sidecar is written.

    Args:
        colorizer: The model.
        photo: The photograph.
        destination: The file to write, in the format of its extension; or an open binary file, which gets the format
            of the source and no sidecar.
        options: How to colour.
        prediction: Result of ``Colorizer.predict`` for this photograph and these options, if already computed.
        output: How to write, and whether to write a sidecar.
        may_be_negative: Whether to warn of a photograph that looks like a negative, for which the network may run
            again.

    Raises:
        PhotoError: The file cannot be written.
        OptionError, ModelError, EngineError: As for ``Colorizer.predict``.
        PhotochromError: The output cannot be signed.
        OSError: The open file cannot be written.
    """
    format, output = _check_size(photo, destination), output or OutputOptions()
    prediction = prediction or colorizer.predict(photo.scene, options)
    cb, cr, report = color(colorizer, photo, options, prediction, format, output, may_be_negative=may_be_negative)
    files = write_output(photo, cb, cr, destination, format, credit(colorizer.label, options.hints), output)
    return replace(report, outputs=files)


def _confidence_map(colorizer: Colorizer, photo: Photo, prediction: Prediction, output: OutputOptions) -> bytes:
    """Return the confidence map as a PNG file.

    Raises:
        OptionError: The model does not report its confidence.
    """
    if prediction.confidence is None:
        name = colorizer.card.name
        raise OptionError(f"the model {name!r} does not report its confidence", remedy="leave the confidence out")
    return confidence_png(prediction.confidence, photo.shape, raw=output.confidence_raw)


def _alternatives(
    colorizer: Colorizer, luma: np.ndarray, options: ColorOptions, prediction: Prediction, count: int
) -> list[tuple[ColorOptions, Prediction]]:
    """Return the options of each alternative colouring, and its prediction."""
    if not count:
        return []
    found = alternatives(colorizer, luma, count, options, prediction=prediction)
    return [(other, colorizer.predict(luma, other)) for other in found]


def _write_alternatives(
    colorizer: Colorizer,
    photo: Photo,
    path: Path,
    others: Sequence[tuple[ColorOptions, Prediction]],
    output: OutputOptions,
) -> list[PhotoReport]:
    """Write each alternative colouring, and the hints that produce it, beside the coloured photograph at ``path``."""
    reports = []
    for number, (options, prediction) in enumerate(others, 1):
        picture, hints = alternative_paths(path, number)
        reports.append(color_and_write(colorizer, photo, picture, options, prediction, output))
        write_data(hints_json(options.hints).encode(), hints, overwrite=output.overwrite)
    return reports
