"""One photograph from disk to disk: read, coloured, written, with the files beside it."""

from __future__ import annotations

import functools
import os
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, TypedDict, cast

import numpy as np

from ..color.gamut import rgb_of_luma
from ..colorizer.options import DEFAULT_QUALITY, ColorOptions
from ..errors import OptionError, PhotoError
from ..provenance import credit
from .confidence import confidence_png, least_sure_places
from .credentials import signed
from .formats.splice import LumaScans
from .library_errors import enough_memory
from .metadata import losses, metadata_for
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
from .options import JpegLayout, OutputOptions
from .read import Photo, check_source, read_photo
from .view import chroma, seen
from .write import chroma_sampling, encode_photo, write_beside, write_photo

if TYPE_CHECKING:
    from ..colorizer.colorizer import Colorizer, Prediction


class _How(TypedDict):
    quality: int
    layout: JpegLayout


_SAMPLE = 500  # rows and columns of chroma that the colourfulness is measured on, about


@dataclass(frozen=True)
class PhotoReport:
    """Report on one photograph that was written."""

    outputs: tuple[Path, ...]
    """Files written: the coloured photograph, then the files beside it. Empty for the standard output."""
    width: int
    """Width of the upright picture, in pixels."""
    height: int
    """Height of the upright picture, in pixels."""
    confidence: float | None
    """Mean confidence of the model, 0 to 1; None for a model that does not predict it."""
    colorfulness: float
    """Colourfulness of the output (Hasler and Suesstrunk 2003): 0 is grey, 15 slightly and 59 quite colourful."""
    least_sure: tuple[tuple[float, float, float], ...] = ()
    """Places where the model is least sure, if a confidence map was written: x and y from 0 to 1, and confidence."""
    warnings: tuple[str, ...] = ()
    """Phrases that name what the output does not keep of the source, and what was noticed."""
    luma_coding: str = ""
    """Whether a JPEG output keeps the coded luma of its source, and why not; empty for other formats."""
    preview: tuple[np.ndarray, np.ndarray] | None = None
    """Luma uint8 ``[h, w]`` and R'G'B' uint8 ``[h, w, 3]`` at the thumbnail's size, if ``OutputOptions.preview``."""


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
    """Colour a photograph on disk.

    Args:
        source: The photograph.
        destination: A file or a folder; None for ``NAME.color.EXT`` beside the source.
        options: How to colour; None for the model's defaults.
        colorizer: A loaded model to use again from call to call; None loads the embedded one.
        output: How to write, and what to write beside the photograph. It replaces the four arguments that follow.
        quality: Quality of lossy formats, 1 to 100.
        overwrite: Whether existing files are replaced.
        alternatives: Number of other plausible pictures to write, 0 to 5, each with its hints.
        confidence: Whether to write a picture of how sure the model is.
        negative: Whether the photograph is a negative, which gets complementary colours; see ``colorize_photo``.

    Returns:
        The path of the coloured photograph. ``photochrom.photo.colorize_photo`` returns a report.

    Raises:
        PhotoError: The photograph cannot be read or written.
        OptionError: The destination is the source, or the options ask for something that the model cannot do.
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
) -> PhotoReport:
    """Colour one photograph from a path, bytes or an open binary file to a path.

    Whatever can be refused is refused before anything is written: names that are taken, options that the model does not
    support. The caller ensures that the destination is not the source (``names.plan``).

    Args:
        source: The photograph.
        destination: The file to write, in the format of its extension.
        options: How to colour; None for the model's defaults.
        colorizer: A loaded model; None loads the embedded one.
        output: How to write, and what to write beside the photograph.
        negative: Whether the photograph is a negative. The network then sees its positive; the luma stays a negative
            and gets complementary colours, so that inverting the output gives the coloured positive.

    Raises:
        PhotoError: The photograph cannot be read or written.
        OptionError: The options ask for something that the model cannot do.
    """
    from ..colorizer.colorizer import Colorizer

    path, output = Path(destination), output or OutputOptions()
    if isinstance(source, str | os.PathLike):
        check_source(Path(source))
    for file in (path, *companion_paths(path, output)):
        check_destination(file, overwrite=output.overwrite)
    format_of(path)
    photo = read_photo(source, negative=negative, reduced=format_of(path) == "JPEG")
    with enough_memory(photo.name):
        return _Job(colorizer or Colorizer(), photo, output).write(path, options or ColorOptions())


def colorize_job(
    colorizer: Colorizer,
    source: str,
    destination: str,
    options: ColorOptions,
    output: OutputOptions,
    *,
    negative: bool = False,
) -> PhotoReport:
    """Colour one photograph of a plan; ``-`` is the standard input or output.

    Raises:
        PhotoError: The photograph cannot be read or written, or a standard stream is closed.
        OptionError: The options ask for something that the model cannot do.
    """
    if destination == STREAM:
        return colorize_stream(colorizer, source, options, output, negative=negative)
    taken = standard_input() if source == STREAM else source
    return colorize_photo(taken, destination, options, colorizer=colorizer, output=output, negative=negative)


def colorize_stream(
    colorizer: Colorizer, source: str, options: ColorOptions, output: OutputOptions, *, negative: bool = False
) -> PhotoReport:
    """Colour one photograph to the standard output, in its own format.

    Raises:
        PhotoError: The photograph cannot be read, or the standard output is closed.
        OptionError: The options ask for something that the model cannot do.
    """
    if sys.stdout is None:
        raise PhotoError("the standard output is closed", remedy="name a file")
    if source != STREAM:
        check_source(Path(source))
    photo = read_photo(standard_input() if source == STREAM else source, negative=negative, reduced=True)
    with enough_memory(photo.name):
        prediction = colorizer.predict(seen(photo.luma, photo.view), options)
        cb, cr = _chroma(colorizer, photo, photo.format, options, prediction, output)
        label = credit(colorizer.label, options.hints)
        data = encode_photo(photo, cb, cr, format=photo.format, credit=label, **_how(output))
        if output.c2pa is not None:
            extension = EXTENSIONS[photo.format][0]
            data = signed(data, photo, Path(f"output{extension}"), output.c2pa, label)
    sys.stdout.buffer.write(data)
    return _report(photo, photo.format, (), prediction, cb, cr, output.jpeg_layout)


def standard_input() -> BinaryIO:
    """Return the standard input.

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
    """Colour a photograph that was read, and write it, with its sidecar if that is asked for.

    Args:
        colorizer: The model.
        photo: The photograph.
        path: The file to write.
        options: How to colour.
        prediction: Result of ``Colorizer.predict`` for this photograph and these options, if it is at hand.
        output: Quality, and whether the file may exist.

    Raises:
        PhotoError: The file cannot be written.
        OptionError: The options ask for something that the model cannot do.
    """
    output, format = output or OutputOptions(), format_of(path)
    prediction = prediction or colorizer.predict(seen(photo.luma, photo.view), options)
    cb, cr = _chroma(colorizer, photo, format, options, prediction, output)
    label = credit(colorizer.label, options.hints)
    embedded = None if output.sidecar else label
    if output.c2pa is None:
        write_photo(photo, cb, cr, path, credit=embedded, overwrite=output.overwrite, **_how(output))
    else:
        check_destination(path, overwrite=output.overwrite)
        data = encode_photo(photo, cb, cr, format=format, credit=embedded, **_how(output))
        write_beside(signed(data, photo, path, output.c2pa, label), path, overwrite=output.overwrite)
    outputs: tuple[Path, ...] = (path,)
    if output.sidecar:
        outputs = (path, sidecar_path(path))
        metadata = metadata_for(photo.metadata, source_format=photo.format, format=format, credit=label)
        write_beside(metadata.xmp or b"", outputs[1], overwrite=output.overwrite)
    report = _report(photo, format, outputs, prediction, cb, cr, output.jpeg_layout)
    return replace(report, preview=_preview(colorizer, prediction, options)) if output.preview else report


def _preview(colorizer: Colorizer, prediction: Prediction, options: ColorOptions) -> tuple[np.ndarray, np.ndarray]:
    luma = prediction.luma
    return luma, rgb_of_luma(luma, *colorizer.chroma(luma, options, prediction=prediction))


def colorfulness(cb: np.ndarray, cr: np.ndarray) -> float:
    """Measure how colourful chroma is (Hasler and Suesstrunk, Measuring colourfulness in natural images, 2003).

    The measure takes differences of R', G' and B' only, from which the luma cancels out.

    Args:
        cb: uint8 or uint16 ``[H, W]``, neutral at 128 or 32768.
        cr: Likewise.

    Returns:
        0 for grey; 15 is slightly, 33 moderately, 59 quite and 109 extremely colourful.
    """
    blue, red = (_centred(plane) for plane in (cb, cr))
    rg = 2.116136 * red + 0.344136 * blue  # R' - G'
    yb = 0.343932 * red - 1.944068 * blue  # (R' + G') / 2 - B'
    return float(np.hypot(rg.std(), yb.std()) + 0.3 * np.hypot(rg.mean(), yb.mean()))


def _centred(plane: np.ndarray) -> np.ndarray:
    """Return a sample of a chroma plane as float32, in 8-bit steps, 0 being neutral."""
    down, across = (max(1, side // _SAMPLE) for side in plane.shape)
    scale, neutral = (1, 128) if plane.dtype == np.uint8 else (257, 32768)
    return (plane[::down, ::across].astype(np.float32) - neutral) / scale


def _chroma(
    colorizer: Colorizer,
    photo: Photo,
    format: str,
    options: ColorOptions,
    prediction: Prediction,
    output: OutputOptions,
) -> tuple[np.ndarray, np.ndarray]:
    sampling = (1, 1) if photo.reduced else chroma_sampling(photo, format, output.jpeg_layout)
    return chroma(colorizer, photo.luma, photo.view, options, prediction, sampling, reduced=photo.reduced)


def _how(output: OutputOptions) -> _How:
    return {"quality": output.quality, "layout": output.jpeg_layout}


def _report(
    photo: Photo,
    format: str,
    outputs: tuple[Path, ...],
    prediction: Prediction,
    cb: np.ndarray,
    cr: np.ndarray,
    layout: JpegLayout,
) -> PhotoReport:
    height, width = photo.shape
    confidence = None if prediction.confidence is None else float(np.clip(prediction.confidence, 0, 1).mean())
    warnings = (*photo.losses, *losses(photo.metadata, 8 * photo.luma.itemsize, format))
    return PhotoReport(
        outputs,
        width,
        height,
        confidence,
        colorfulness(cb, cr),
        warnings=warnings,
        luma_coding=_luma_coding(photo, format, layout),
    )


def _luma_coding(photo: Photo, format: str, layout: JpegLayout) -> str:
    if (photo.format, format) != ("JPEG", "JPEG"):
        return ""
    if photo.coded_luma is None:
        return f"its luma is coded anew: {photo.recoded}"
    if layout == "scan" and isinstance(photo.coded_luma, LumaScans):
        return "its coded luma is kept byte for byte"
    return "its luma's coefficients are kept, in a new order"


@dataclass(frozen=True)
class _Job:
    """One photograph and everything that is to be written for it."""

    colorizer: Colorizer
    photo: Photo
    output: OutputOptions

    @functools.cached_property
    def seen(self) -> np.ndarray:
        """Luma plane that the network is shown."""
        return seen(self.photo.luma, self.photo.view)

    def write(self, path: Path, options: ColorOptions) -> PhotoReport:
        """Write all files, once the network has answered everything: it may still refuse."""
        prediction = self.colorizer.predict(self.seen, options)
        confidence = self._confidence(prediction) if self.output.confidence else None
        others = self._alternatives(options, prediction)
        predictions = [self.colorizer.predict(self.seen, other) for other in others]
        report = self._write_colored(path, options, prediction)
        for number, (other, prediction_of_other) in enumerate(zip(others, predictions, strict=True), 1):
            self._write_alternative(path, number, other, prediction_of_other)
        if confidence is not None:
            write_beside(confidence, confidence_path(path), overwrite=self.output.overwrite)
            report = replace(report, least_sure=tuple(least_sure_places(cast(np.ndarray, prediction.confidence))))
        return replace(report, outputs=(path, *companion_paths(path, self.output)))

    def _write_colored(self, path: Path, options: ColorOptions, prediction: Prediction) -> PhotoReport:
        return write_colored(self.colorizer, self.photo, path, options, prediction, self.output)

    def _write_alternative(self, path: Path, number: int, options: ColorOptions, prediction: Prediction) -> None:
        from ..colorizer.hints import hints_json

        picture, hints = alternative_paths(path, number)
        self._write_colored(picture, options, prediction)
        write_beside(hints_json(options.hints).encode(), hints, overwrite=self.output.overwrite)

    def _alternatives(self, options: ColorOptions, prediction: Prediction) -> list[ColorOptions]:
        from ..colorizer.suggestions import alternatives

        count = self.output.alternatives
        return alternatives(self.colorizer, self.seen, count, options, prediction=prediction) if count else []

    def _confidence(self, prediction: Prediction) -> bytes:
        if prediction.confidence is None:
            name = self.colorizer.card.name
            raise OptionError(f"the model {name!r} does not report its confidence", remedy="leave the confidence out")
        return confidence_png(prediction.confidence, self.photo.shape, raw=self.output.confidence_raw)
