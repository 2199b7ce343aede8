"""From files to files: which output belongs to which input, and the way of one photograph from disk to disk."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from .errors import OptionError, PhotoError
from .options import DEFAULT_QUALITY, ColorOptions

if TYPE_CHECKING:
    from .colorizer import Colorizer

STREAM = "-"


def plan(inputs: Sequence[str], output: str | None) -> list[tuple[str, str]]:
    """Pairs of source and destination; ``-`` is the standard input or output.

    Args:
        inputs: files, or ``-``.
        output: a file (for one input), a folder, ``-``; None for ``NAME.color.EXT`` beside each source.

    Raises:
        OptionError: several inputs for one output, or two inputs that would share one.
    """
    jobs = [(source, _destination(source, output, several=len(inputs) > 1)) for source in inputs]
    taken: dict[str, str] = {}
    for source, destination in jobs:
        if destination == STREAM:
            continue
        target = os.path.realpath(destination)
        if (other := taken.setdefault(target, source)) != source:
            raise OptionError(f"{other} and {source} would both be written to {destination}")
        if source != STREAM and os.path.realpath(source) == target:
            raise OptionError(f"{source} would be overwritten by its own colours: choose another output")
    return jobs


def _destination(source: str, output: str | None, *, several: bool) -> str:
    if output is None:
        return STREAM if source == STREAM else str(colored_path(Path(source)))
    is_folder = output != STREAM and (output.endswith(os.sep) or Path(output).is_dir())
    if several and not is_folder:
        raise OptionError(f"several photographs need a folder as output, {output} is none: create it first")
    if not is_folder:
        return output
    if source == STREAM:
        raise OptionError("a photograph from the standard input has no name: give a file as output, not a folder")
    return str(Path(output) / colored_path(Path(source)).name)


def colored_path(source: Path) -> Path:
    """``old.jpg`` -> ``old.color.jpg``."""
    return source.with_name(f"{source.stem}.color{source.suffix}")


def colorize_job(
    colorizer: Colorizer, source: str, destination: str, options: ColorOptions, *, quality: int, overwrite: bool
) -> None:
    """Colour one photograph from disk (or a stream) to disk (or a stream); see ``photo.read`` and ``photo.write``."""
    from . import photo

    picture = photo.read(sys.stdin.buffer.read() if source == STREAM else Path(source))
    name = picture.format if destination == STREAM else photo.format_of(Path(destination))
    cb, cr = colorizer.chroma(picture.luma, options, subsampling=photo.chroma_subsampling(name))
    if destination == STREAM:
        sys.stdout.buffer.write(photo.encode(picture, cb, cr, format=name, quality=quality, model=colorizer.label))
    else:
        photo.write(picture, cb, cr, Path(destination), quality=quality, overwrite=overwrite, model=colorizer.label)


def colorize_file(
    source: str | os.PathLike[str],
    destination: str | os.PathLike[str] | None = None,
    options: ColorOptions | None = None,
    *,
    colorizer: Colorizer | None = None,
    quality: int = DEFAULT_QUALITY,
    overwrite: bool = False,
) -> Path:
    """Colour a photograph on disk.

    Args:
        source: the photograph.
        destination: a file; None for ``NAME.color.EXT`` beside the source.
        options: how; None for the model's own choice.
        colorizer: to be used again from call to call; None loads the embedded model.
        quality: of lossy formats, 1 to 100.
        overwrite: whether an existing destination is replaced.

    Returns:
        The path written.

    Raises:
        PhotoError: the photograph cannot be read or written.
        OptionError: the destination is the source, or the model has no such dial.
    """
    from .colorizer import Colorizer

    ((name, target),) = plan([os.fspath(source)], None if destination is None else os.fspath(destination))
    if STREAM in (name, target):
        raise PhotoError("'-' is a stream for the command line only: give a path")
    options = options or ColorOptions()
    colorize_job(colorizer or Colorizer(), name, target, options, quality=quality, overwrite=overwrite)
    return Path(target)
