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
    """Pairs of source and destination; ``-`` is the standard input or output. An input given twice counts once.

    Args:
        inputs: files, or ``-``.
        output: a file (for one input), a folder, ``-``; None for ``NAME.color.EXT`` beside each source.

    Raises:
        OptionError: several inputs for one output, two inputs that would share one, or an output that is an input.
        PhotoError: an input that no file can be called.
    """
    distinct = list(dict.fromkeys(inputs))
    jobs = [(source, _destination(source, output, several=len(distinct) > 1)) for source in distinct]
    sources = {os.path.realpath(source) for source in distinct if source != STREAM}
    taken: dict[str, str] = {}
    for source, destination in jobs:
        if destination == STREAM:
            continue
        target = os.path.realpath(destination)
        if target in sources:
            raise OptionError(f"{destination} is itself to be coloured: choose another output, or leave it out")
        if (other := taken.setdefault(target, source)) != source:
            raise OptionError(f"{other} and {source} would both be written to {destination}")
    return jobs


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


def colorize_job(
    colorizer: Colorizer, source: str, destination: str, options: ColorOptions, *, quality: int, overwrite: bool
) -> None:
    """Colour one photograph from disk (or a stream) to disk (or a stream); see ``photo.read`` and ``photo.write``."""
    from . import photo

    if destination != STREAM:
        photo.check_place(destination, overwrite=overwrite)
    picture = photo.read(_standard_input() if source == STREAM else Path(source))
    name = picture.format if destination == STREAM else photo.format_of(Path(destination))
    cb, cr = colorizer.chroma(picture.luma, options, subsampling=photo.chroma_subsampling(name))
    if destination == STREAM:
        sys.stdout.buffer.write(photo.encode(picture, cb, cr, format=name, quality=quality, model=colorizer.label))
    else:
        photo.write(picture, cb, cr, Path(destination), quality=quality, overwrite=overwrite, model=colorizer.label)


def _standard_input() -> bytes:
    if sys.stdin is None:
        raise PhotoError("the standard input is closed: name a file")
    return sys.stdin.buffer.read()


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
