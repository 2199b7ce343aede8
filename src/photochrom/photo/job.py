"""From files to files: which outputs belong to which input, and the way of one photograph from disk to disk."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

from ..colorizer.options import DEFAULT_QUALITY, ColorOptions
from ..errors import OptionError, PhotoError

if TYPE_CHECKING:
    from ..colorizer.colorizer import Colorizer, Prediction
    from .photograph import Photo

STREAM = "-"


@dataclass(frozen=True)
class Extras:
    """What is wanted of each photograph besides its coloured copy; all of it is written beside that.

    Raises:
        OptionError: the number is out of its range.
    """

    alternatives: int = 0
    """How many other plausible pictures, each with the hints that make it."""
    confidence: bool = False
    """Whether a picture of how sure the model is."""

    def __post_init__(self) -> None:
        if self.alternatives:
            from ..colorizer.suggestions import check_count

            check_count(self.alternatives)

    def paths(self, destination: Path) -> list[Path]:
        """The files beside a coloured photograph."""
        numbers = range(1, self.alternatives + 1)
        paths = [path for number in numbers for path in alternative_paths(destination, number)]
        return [*paths, confidence_path(destination)] if self.confidence else paths


NOTHING = Extras()


def plan(
    inputs: Sequence[str], output: str | None, extras: Extras = NOTHING, kept: Sequence[str] = ()
) -> list[tuple[str, str]]:
    """Pairs of source and destination; ``-`` is the standard input or output. An input given twice counts once.

    Args:
        inputs: files, or ``-``.
        output: a file (for one input), a folder, ``-``; None for ``NAME.color.EXT`` beside each source.
        extras: what is to be written beside each destination.
        kept: other files that are read, and must not be written to either.

    Raises:
        OptionError: several inputs for one output, two inputs that would share one, an output that is an input, or
            extras beside the standard output.
        PhotoError: an input that no file can be called.
    """
    distinct = list(dict.fromkeys(inputs))
    jobs = [(source, _destination(source, output, several=len(distinct) > 1)) for source in distinct]
    read = {_same_file(path): "read for its hints" for path in kept}
    read |= {_same_file(source): "to be coloured" for source in distinct if source != STREAM}
    taken: dict[object, str] = {}
    for source, destination in jobs:
        if destination == STREAM and extras != NOTHING:
            raise OptionError("alternatives and confidence are files beside the output: give a file or a folder")
        for path in _outputs(destination, extras):
            target = _same_file(path)
            if target in read:
                raise OptionError(f"{path} is itself {read[target]}: choose another output, or leave it out")
            if (other := taken.setdefault(target, source)) != source:
                raise OptionError(f"{other} and {source} would both be written to {path}")
    return jobs


def _same_file(path: str | os.PathLike[str]) -> object:
    """What two paths share if they lead to one file: many disks take old.jpg and OLD.JPG for one."""
    real = os.path.realpath(path)
    try:
        status = os.lstat(real)
    except (OSError, ValueError):  # not there yet, or no name for a file
        return real
    return status.st_dev, status.st_ino


def _outputs(destination: str, extras: Extras) -> list[Path]:
    return [] if destination == STREAM else [Path(destination), *extras.paths(Path(destination))]


def _destination(source: str, output: str | None, *, several: bool) -> str:
    if output is None:
        return STREAM if source == STREAM else str(colored_path(Path(source)))
    if not output:
        raise OptionError("the output has no name: give a file, a folder, or -")
    is_folder = output != STREAM and (output.endswith(os.sep) or Path(output).is_dir())
    if several and not is_folder:
        raise OptionError(f"several photographs need a folder as output, {output} is none: create it first")
    if not is_folder:
        return output
    if source == STREAM:
        raise OptionError("a photograph from the standard input has no name: give a file as output, not a folder")
    return str(Path(output) / colored_path(Path(source)).name)


def colored_path(source: Path) -> Path:
    """``old.jpg`` -> ``old.color.jpg``.

    Raises:
        PhotoError: the source has no name, as ``/`` and ``.`` have none.
    """
    if not source.name:
        raise PhotoError(f"{source}: is a folder: name a file in it")
    return source.with_name(f"{source.stem}.color{source.suffix}")


def alternative_paths(destination: Path, number: int) -> tuple[Path, Path]:
    """An alternative's picture and hints: ``old.color.jpg`` -> ``old.color.1.jpg`` and ``old.color.1.json``."""
    name = f"{destination.stem}.{number}"
    return destination.with_name(name + destination.suffix), destination.with_name(f"{name}.json")


def confidence_path(destination: Path) -> Path:
    """``old.color.jpg`` -> ``old.confidence.png``."""
    return destination.with_name(f"{destination.stem.removesuffix('.color')}.confidence.png")


def colorize_job(
    colorizer: Colorizer,
    source: str,
    destination: str,
    options: ColorOptions,
    *,
    quality: int,
    overwrite: bool,
    extras: Extras = NOTHING,
) -> None:
    """Colour one photograph from disk (or a stream) to disk (or a stream); see ``photo.read`` and ``photo.write``.

    What can be refused is refused before anything is written: places that are taken, wishes that the model cannot
    fulfil. The standard output takes no extras.
    """
    from . import photograph as photo

    if source != STREAM:
        photo.check_source(Path(source))
    if destination != STREAM:
        photo.check_place(destination, overwrite=overwrite)
        for path in extras.paths(Path(destination)):
            photo.check_place(path, overwrite=overwrite, photograph=False)
    picture = photo.read(_standard_input() if source == STREAM else Path(source))
    try:
        if destination == STREAM:
            _to_stream(colorizer, picture, options, quality)
        else:
            _Writer(colorizer, picture, quality, overwrite).write(Path(destination), options, extras)
    except MemoryError as exc:
        raise PhotoError(f"{source}: {photo.TOO_LARGE}") from exc


def _standard_input() -> bytes:
    if sys.stdin is None:
        raise PhotoError("the standard input is closed: name a file")
    return sys.stdin.buffer.read()


def _to_stream(colorizer: Colorizer, picture: Photo, options: ColorOptions, quality: int) -> None:
    from ..provenance import credit
    from . import photograph as photo

    if sys.stdout is None:
        raise PhotoError("the standard output is closed: name a file")
    cb, cr = colorizer.chroma(picture.luma, options, subsampling=photo.chroma_subsampling(picture.format))
    model = credit(colorizer.label, options.hints)
    sys.stdout.buffer.write(photo.encode(picture, cb, cr, format=picture.format, quality=quality, model=model))


def write_colored(
    colorizer: Colorizer,
    picture: Photo,
    path: Path,
    options: ColorOptions,
    prediction: Prediction | None = None,
    *,
    quality: int = DEFAULT_QUALITY,
    overwrite: bool = False,
) -> None:
    """Colour a photograph that was read, and write it; see ``Colorizer.chroma`` and ``photo.write``."""
    from ..provenance import credit
    from . import photograph as photo

    step = photo.chroma_subsampling(photo.format_of(path))
    cb, cr = colorizer.chroma(picture.luma, options, subsampling=step, prediction=prediction)
    model = credit(colorizer.label, options.hints)
    photo.write(picture, cb, cr, path, quality=quality, overwrite=overwrite, model=model)


@dataclass(frozen=True)
class _Writer:
    """Writes one photograph: its coloured copy, and what is wanted beside it."""

    colorizer: Colorizer
    picture: Photo
    quality: int
    overwrite: bool

    def write(self, path: Path, options: ColorOptions, extras: Extras) -> None:
        """All that is wanted, once the network has said all that it is asked: it may still refuse."""
        from ..colorizer.hints import hints_json
        from . import photograph as photo

        prediction = self.colorizer.predict(self.picture.luma, options)
        confidence = self._confidence(prediction) if extras.confidence else None
        others = self._alternatives(extras.alternatives, options, prediction)
        predictions = [self.colorizer.predict(self.picture.luma, other) for other in others]
        self._write_colored(path, options, prediction)
        for number, (other, prediction) in enumerate(zip(others, predictions, strict=True), 1):
            target, hints = alternative_paths(path, number)
            self._write_colored(target, other, prediction)
            photo.write_beside(hints_json(other.hints).encode(), hints, overwrite=self.overwrite)
        if confidence is not None:
            photo.write_beside(confidence, confidence_path(path), overwrite=self.overwrite)

    def _write_colored(self, path: Path, options: ColorOptions, prediction: Prediction) -> None:
        colorizer, quality, overwrite = self.colorizer, self.quality, self.overwrite
        write_colored(colorizer, self.picture, path, options, prediction, quality=quality, overwrite=overwrite)

    def _alternatives(self, count: int, options: ColorOptions, prediction: Prediction) -> list[ColorOptions]:
        from ..colorizer.suggestions import alternatives

        luma = self.picture.luma
        return alternatives(self.colorizer, luma, count, options, prediction=prediction) if count else []

    def _confidence(self, prediction: Prediction) -> bytes:
        """A PNG of the photograph's size, 8-bit grey: white where the model is sure."""
        import cv2
        import numpy as np
        from PIL import Image

        if prediction.confidence is None:
            name = self.colorizer.card.name
            raise OptionError(f"the model {name!r} does not say how sure it is: leave the confidence out")
        grey = np.rint(255 * np.clip(prediction.confidence, 0, 1)).astype(np.uint8)
        stream = BytesIO()
        Image.fromarray(cv2.resize(grey, self.picture.luma.shape[::-1])).save(stream, "PNG")
        return stream.getvalue()


def colorize_file(
    source: str | os.PathLike[str],
    destination: str | os.PathLike[str] | None = None,
    options: ColorOptions | None = None,
    *,
    colorizer: Colorizer | None = None,
    quality: int = DEFAULT_QUALITY,
    overwrite: bool = False,
    alternatives: int = 0,
    confidence: bool = False,
) -> Path:
    """Colour a photograph on disk.

    Args:
        source: the photograph.
        destination: a file; None for ``NAME.color.EXT`` beside the source.
        options: how; None for the model's own choice.
        colorizer: to be used again from call to call; None loads the embedded model.
        quality: of lossy formats, 1 to 100.
        overwrite: whether an existing destination is replaced; it holds for the files beside it, too.
        alternatives: how many other plausible pictures to write beside it, at most 5, each with its hints.
        confidence: whether to write a picture beside it of how sure the model is.

    Returns:
        The path written; see ``alternative_paths`` and ``confidence_path`` for those beside it.

    Raises:
        PhotoError: the photograph cannot be read or written.
        OptionError: the destination is the source, or the model has no such dial, no alternatives or no confidence.
    """
    from ..colorizer.colorizer import Colorizer

    extras = Extras(alternatives, confidence)
    output = None if destination is None else os.fspath(destination)
    ((name, target),) = plan([os.fspath(source)], output, extras)
    if STREAM in (name, target):
        raise PhotoError("'-' is a stream for the command line only: give a path")
    colorizer, options = colorizer or Colorizer(), options or ColorOptions()
    colorize_job(colorizer, name, target, options, quality=quality, overwrite=overwrite, extras=extras)
    return Path(target)
