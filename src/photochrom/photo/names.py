"""Determines the format of a path, the output of each input, and the paths of companion files."""

from __future__ import annotations

import errno
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from ..errors import OptionError, PhotoError
from ..label import is_labelled
from ..output_folders import check_folder
from .library_errors import PROBLEMS, naming
from .options import OutputOptions

STREAM: Final = "-"
EXTENSIONS: Final = {
    "JPEG": (".jpg", ".jpeg", ".jpe", ".jfif"),
    "PNG": (".png",),
    "TIFF": (".tif", ".tiff"),
    "WEBP": (".webp",),
    "HEIF": (".heic", ".heif", ".hif"),
    "AVIF": (".avif",),
}
"""Extensions of each format that Photochrom writes, the usual one first."""
PHOTOGRAPHS: Final = frozenset((".dng", *(extension for extensions in EXTENSIONS.values() for extension in extensions)))
"""Extensions of the photographs that are coloured if they are found in a folder."""
UNREAD: Final = frozenset((
    ".bmp", ".gif", ".jp2", ".jpx", ".j2k", ".jpf", ".jxl", ".psd", ".psb", ".tga", ".pcx", ".ppm", ".pgm", ".pnm",
    ".3fr", ".arw", ".cr2", ".cr3", ".crw", ".dcr", ".erf", ".fff", ".iiq", ".kdc", ".mef", ".mos", ".mrw", ".nef",
    ".nrw", ".orf", ".pef", ".raf", ".raw", ".rw2", ".rwl", ".sr2", ".srw", ".x3f",
))  # fmt: skip
"""Extensions of pictures in formats that Photochrom does not read, including cameras' raw files; they are counted if
they are found in a folder."""


def format_of(path: str | os.PathLike[str]) -> str:
    """Return the format of a file by its extension: a key of ``EXTENSIONS``.

    Raises:
        PhotoError: There is no extension, or an unknown one.
    """
    extension = Path(path).suffix.lower()
    for format, extensions in EXTENSIONS.items():
        if extension in extensions:
            return format
    known = [extensions[0] for extensions in EXTENSIONS.values()]
    if extension in ("", ".color"):  # colored_path appends .color to a name without an extension
        names = f"{', '.join(known[:-1])} or {known[-1]}"
        raise PhotoError("has no extension, so its format is not known", path=path, remedy=f"name it {names}")
    raise PhotoError(f"unknown extension {extension!r}", path=path, remedy=f"choose one of {' '.join(known)}")


def colored_path(source: Path) -> Path:
    """Return the default output path of a source: ``old.color.jpg`` for ``old.jpg``; a DNG becomes a TIFF.

    Raises:
        PhotoError: The source has no file name, as in ``/`` and ``.``.
    """
    if not source.name:
        raise PhotoError("is a folder", path=source, remedy="name a file in it")
    suffix = ".tif" if source.suffix.lower() == ".dng" else source.suffix
    return source.with_name(f"{source.stem}.color{suffix}")


def alternative_paths(destination: Path, number: int) -> tuple[Path, Path]:
    """Return the paths of an alternative's picture and hints: ``old.color.1.jpg`` and ``old.color.1.json``."""
    name = f"{destination.stem}.{number}"
    return destination.with_name(name + destination.suffix), destination.with_name(f"{name}.json")


def confidence_path(destination: Path) -> Path:
    """Return the path of the confidence map: ``old.confidence.png`` for ``old.color.jpg``."""
    return destination.with_name(f"{destination.stem.removesuffix('.color')}.confidence.png")


def sidecar_path(photograph: Path) -> Path:
    """Return the path of a photograph's XMP sidecar: ``old.color.jpg.xmp`` for ``old.color.jpg``."""
    return photograph.with_name(f"{photograph.name}.xmp")


def is_own_output(photograph: Path) -> bool:
    """Return whether a photograph, or the sidecar beside it, has Photochrom's label.

    Raises:
        OSError: One of the files cannot be read.
    """
    return any(file.is_file() and is_labelled(file) for file in (photograph, sidecar_path(photograph)))


def companion_paths(destination: Path, output: OutputOptions) -> list[Path]:
    """Return the paths of all companion files of a coloured photograph."""
    alternatives = [alternative_paths(destination, number) for number in range(1, output.alternatives + 1)]
    paths = [path for pair in alternatives for path in pair]
    if output.confidence:
        paths.append(confidence_path(destination))
    if output.sidecar:
        paths += [sidecar_path(path) for path in (destination, *(picture for picture, _ in alternatives))]
    return paths


def check_destination(path: Path, *, overwrite: bool) -> None:
    """Check that a file can be written to a path.

    Raises:
        PhotoError: The path is a folder, a device or a pipe; it exists and may not be overwritten; its folder does not
            exist; or the path cannot be examined.
    """
    with naming(str(path)):
        if path.is_dir():
            problem, remedy = PROBLEMS[errno.EISDIR]
            raise PhotoError(problem, remedy=remedy)
        if path.exists() and not path.is_file():  # it would be replaced instead of written to
            raise PhotoError(
                "is not a regular file but a device or a pipe", remedy="name a file, or - for the standard output"
            )
        if path.exists() and not overwrite:
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(path))
    check_folder(path, PhotoError)


def destination_of(source: str, destination: str | None) -> str:
    """Return the output of a source, in which ``-`` is the standard output.

    Args:
        source: A file, or ``-`` for the standard input.
        destination: A file, an existing folder or one whose name ends with a slash, or ``-``; None for
            ``NAME.color.EXT`` beside the source.

    Raises:
        OptionError: The destination is empty, or is a folder and the source has no name.
        PhotoError: The source has no file name, or the destination cannot be examined.
    """
    if destination is None:
        return STREAM if source == STREAM else str(colored_path(Path(source)))
    if not destination:
        raise OptionError("the output has no name", remedy="give a file, a folder, or -")
    with naming(destination):
        if destination == STREAM or not (destination.endswith(os.sep) or Path(destination).is_dir()):
            return destination
    if source == STREAM:
        raise OptionError(
            "a photograph from the standard input has no name", remedy="give a file as output, not a folder"
        )
    return str(Path(destination) / colored_path(Path(source)).name)


def check_stream(output: OutputOptions) -> None:
    """Check that no companion files are requested for an output that has no name, such as the standard output.

    Raises:
        OptionError: Companion files are requested.
    """
    if output.has_companions:
        raise OptionError(
            "alternatives, confidence and sidecars are files beside the output", remedy="give a file or a folder"
        )


def clashes(jobs: Sequence[tuple[str, str]], output: OutputOptions, kept: Sequence[str] = ()) -> dict[str, OptionError]:
    """Find the sources whose outputs would overwrite an input or each other.

    Args:
        jobs: Pairs of source and destination.
        output: Options, which determine the companion files.
        kept: Other files that must not be overwritten, such as files of hints.

    Returns:
        An error for each such source, keyed by source. If two sources have the same output, both get an error.

    Raises:
        OptionError: Companion files are requested for the standard output.
    """
    read = {file_key(path): "read for its hints" for path in kept}
    read |= {file_key(source): "to be coloured" for source, _ in jobs if source != STREAM}
    writers: dict[object, str] = {}
    found: dict[str, OptionError] = {}
    for source, target in jobs:
        if target == STREAM:
            check_stream(output)
        for path in [] if target == STREAM else [Path(target), *companion_paths(Path(target), output)]:
            file = file_key(path)
            if file in read:
                found[source] = OptionError(
                    f"is itself {read[file]}", path=path, remedy="choose another output, or leave it out"
                )
            elif (other := writers.setdefault(file, source)) != source:
                for one, like in ((other, source), (source, other)):
                    problem, remedy = f"would be written to {path}, like {like}", "rename one, or choose another output"
                    found[one] = OptionError(problem, path=one, remedy=remedy)
    return found


def is_same_file(one: str | os.PathLike[str], other: str | os.PathLike[str]) -> bool:
    """Return whether two paths refer to the same file, which need not exist."""
    return file_key(one) == file_key(other)


def file_key(path: str | os.PathLike[str]) -> object:
    """Return a key that is equal for all paths of a file, such as old.jpg and OLD.JPG on a case-insensitive disk."""
    try:
        real = os.path.realpath(path)
        status = os.lstat(real)
    except OSError:  # the file does not exist yet
        return real
    except ValueError:  # no file can have this name
        return os.fspath(path)
    return status.st_dev, status.st_ino
