"""Lists the photographs for ``photochrom photo``, each with its destination."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from ..errors import OptionError, PhotochromError, PhotoError
from ..output_folders import check_future_folder, needed_folder
from ..photo.inspection import check_source, is_in_color
from ..photo.library_errors import naming
from ..photo.names import (
    PHOTOGRAPHS,
    STREAM,
    UNREAD,
    clashes,
    colored_path,
    confidence_path,
    destination_of,
    is_own_output,
)
from ..photo.options import OutputOptions

_CONFIDENCE = confidence_path(Path("x")).name.removeprefix("x")  # ending of the names of confidence maps


@dataclass(frozen=True)
class PhotoJob:
    """One photograph and its destination: paths, or ``-`` for a standard stream."""

    source: str
    destination: str
    is_named: bool = True
    """Whether the user named the file itself instead of a folder."""
    is_skippable: bool = True
    """Whether the job is skipped if its destination exists. If the user named the destination, this is an error
    instead."""

    @property
    def is_stream(self) -> bool:
        """Whether the photograph is read from standard input."""
        return self.source == STREAM

    def keeps_existing(self, *, overwrite: bool) -> bool:
        """Return whether the job is skipped because its destination exists; never if ``overwrite`` is true.

        Raises:
            PhotoError: The destination cannot be examined, for example because its name is too long.
        """
        if not self.is_skippable or overwrite:
            return False
        with naming(self.destination):
            return Path(self.destination).exists()

    def check_folder(self, *, overwrite: bool) -> None:
        """Check that the folder of the destination can be written or created, unless nothing will be written.

        Raises:
            PhotoError: It cannot, or the destination cannot be examined.
        """
        is_missing = not (self.is_stream or os.path.lexists(self.source))  # reported when the photograph is read
        if self.destination != STREAM and not is_missing and not self.keeps_existing(overwrite=overwrite):
            check_future_folder(Path(self.destination).parent, PhotoError)

    def was_written_meanwhile(self, error: PhotochromError) -> bool:
        """Return whether a skippable job failed only because its destination, which was missing before, exists now."""
        is_own = error.path is not None and str(error.path) == self.destination
        return self.is_skippable and is_own and isinstance(error.__cause__, FileExistsError)

    def needed_folder(self) -> AbstractContextManager[None]:
        """Create the folder of the destination, unless it exists; after the block, remove it if nothing was written.

        Raises:
            PhotoError: The folder cannot be created, or the source is not a photograph.
        """
        if self.destination == STREAM:
            return nullcontext()
        if not self.is_stream:
            check_source(Path(self.source))  # nothing is created for a photograph that does not exist
        return needed_folder(Path(self.destination).parent, PhotoError)


class FoundJobs(NamedTuple):
    """The result of ``find_jobs``."""

    jobs: list[PhotoJob]
    """Jobs to do."""
    own: list[PhotoJob]
    """Jobs to skip, because Photochrom made their sources."""
    errors: list[PhotochromError]
    """One for each folder that cannot be listed or written, and one for each photograph whose output would replace
    another output or an input."""


def find_jobs(
    inputs: Sequence[str],
    destination: str | None,
    output: OutputOptions,
    *,
    recursive: bool = True,
    recolor: bool = False,
    other_inputs: Sequence[str] = (),
) -> FoundJobs:
    """Find all photographs and pair each with its destination.

    Subfolders are mirrored below the destination. A photograph that is found twice counts once.

    Args:
        inputs: Files, folders, or ``-`` for standard input.
        destination: A file (for one photograph), a folder, or ``-``; None for ``NAME.color.EXT`` beside each source.
        output: Options that determine which files are written beside each destination.
        recursive: Whether to descend into subfolders.
        recolor: Whether to colour Photochrom's own outputs again. One that is found in a folder is still skipped if its
            source is found, too.
        other_inputs: Other input files, such as files of hints, which must not be overwritten.

    Raises:
        OptionError: The destination cannot hold several photographs, or an input is the root of the file system.
        PhotoError: A source has no file name, or the destination cannot be examined.
    """
    unlisted: list[PhotochromError] = []
    found = _paired(inputs, destination, unlisted, recursive=recursive)
    own_sources = _own_sources(found, recolor=recolor)
    own = [job for job in found if job.source in own_sources]
    jobs = [job for job in found if job.source not in own_sources]
    bad = _clashes(jobs, output, other_inputs)
    wanted = [job for job in jobs if job.source not in bad]
    writable, unwritable = _writable(wanted, overwrite=output.overwrite, recolor=recolor)
    return FoundJobs(writable, own, [*unlisted, *bad.values(), *unwritable])


def _paired(
    inputs: Sequence[str], destination: str | None, unlisted: list[PhotochromError], *, recursive: bool
) -> list[PhotoJob]:
    """Return a job for each photograph; for each folder that cannot be listed, add an error to ``unlisted``.

    A photograph that is named and also found in a folder counts as named.
    """
    distinct = dict.fromkeys(inputs)
    folders = {name for name in distinct if _is_folder(name)}
    into = _output_folder(destination, several=len(distinct) > 1 or bool(folders))
    found: dict[str, PhotoJob] = {}
    for name in distinct:
        if name not in folders:
            found[name] = _named_job(name, destination, into)
            continue
        for path in _photographs(Path(name), unlisted, recursive=recursive, without=into):
            target = colored_path(path) if into is None else into / colored_path(path).relative_to(name)
            found.setdefault(str(path), PhotoJob(str(path), str(target), is_named=False))
    return list(found.values())


def _is_folder(name: str) -> bool:
    """Return whether an input is a folder.

    Raises:
        OptionError: It is the root of the file system, which is probably a mistake.
    """
    if name == STREAM or not name or not os.path.isdir(name):  # noqa: PTH112
        return False
    if Path(name).resolve() == Path(Path(name).resolve().anchor):
        raise OptionError("is the root of the file system", path=name, remedy="name the folder of the photographs")
    return True


def _own_sources(found: Sequence[PhotoJob], *, recolor: bool) -> set[str]:
    """Return the sources that Photochrom made, except those to colour again."""
    outputs = {job.destination for job in found}
    again = {job.source for job in found if recolor and (job.is_named or job.source not in outputs)}
    return {job.source for job in found if job.source not in again and not job.is_stream and _is_own(Path(job.source))}


def _clashes(jobs: Sequence[PhotoJob], output: OutputOptions, other_inputs: Sequence[str]) -> dict[str, OptionError]:
    """Return an error for each source whose output would replace another output or an input, keyed by source."""
    bad = clashes([(job.source, job.destination) for job in jobs], output, other_inputs)
    sources = {job.source for job in jobs}
    for job in jobs:  # such a job replaces no input, because it is skipped
        if job.destination in sources and job.is_skippable and not output.overwrite:
            bad.pop(job.source, None)
    return bad


def _writable(jobs: Sequence[PhotoJob], *, overwrite: bool, recolor: bool) -> tuple[list[PhotoJob], list[PhotoError]]:
    """Return the jobs whose outputs can be written, and an error for each folder in which this is not so.

    Photographs in colour need no output unless they are coloured again, so they cause no such error.
    """
    found, errors = list[PhotoJob](), dict[str, PhotoError]()
    for job in jobs:
        try:
            job.check_folder(overwrite=overwrite)
            found.append(job)
        except PhotoError as exc:
            if str(exc) not in errors and not recolor and is_in_color(Path(job.source)):
                found.append(job)
            else:
                errors.setdefault(str(exc), exc)
    return found, list(errors.values())


def unread_pictures(inputs: Sequence[str], *, recursive: bool = True) -> list[Path]:
    """Return the pictures of unsupported formats in the input folders."""
    found: dict[Path, None] = {}
    for folder in filter(os.path.isdir, dict.fromkeys(inputs)):
        paths = _files(Path(folder), recursive=recursive)
        found.update(dict.fromkeys(path for path in paths if path.suffix.lower() in UNREAD))
    return list(found)


def _is_own(path: Path) -> bool:
    """Return whether a photograph, or the sidecar beside it, has the label of Photochrom's outputs."""
    try:
        return is_own_output(path)
    except (OSError, ValueError):  # reported when the photograph is read
        return False


def _named_job(name: str, destination: str | None, into: Path | None) -> PhotoJob:
    folder_or_file = destination if into is None else str(into).rstrip(os.sep) + os.sep
    target = destination_of(name, folder_or_file)
    return PhotoJob(name, target, is_skippable=into is not None or destination is None)


def _output_folder(destination: str | None, *, several: bool) -> Path | None:
    """Return the destination if it is a folder or will be created as one; None for a file or standard output.

    Raises:
        OptionError: A folder is needed, but the destination is a file or has a suffix; or the destination is empty.
        PhotoError: The destination cannot be examined.
    """
    if destination is None:
        return None
    if not destination:
        raise OptionError("the output has no name", remedy="give a file, a folder, or -")
    path, ends = Path(destination), destination.endswith((os.sep, "/"))
    with naming(destination):
        is_folder = destination != STREAM and (ends or path.is_dir())
        if is_folder or (several and destination != STREAM and not path.suffix):
            if path.exists() and not path.is_dir():
                raise OptionError("is a file, not a folder", path=path, remedy="choose another output")
            return path
    if several:
        raise OptionError(
            "is not a folder, which several photographs need as output", path=path, remedy="name a folder"
        )
    return None


def _photographs(
    folder: Path, unlisted: list[PhotochromError], *, recursive: bool, without: Path | None
) -> Iterator[Path]:
    """Yield the photographs in a folder, sorted by name, except hidden files, confidence maps and those in ``without``.

    Pipes, sockets and devices are left out, since reading one may never end. Broken links are included, so that errors
    report them. For each folder that cannot be listed, an error is added to ``unlisted``.
    """

    def note(exc: OSError) -> None:
        unlisted.append(
            PhotoError(f"cannot be listed ({exc.strerror})", path=exc.filename, remedy="check its permissions")
        )

    for path in _files(folder, recursive=recursive, without=without, onerror=note):
        is_wanted = path.suffix.lower() in PHOTOGRAPHS and not path.name.endswith(_CONFIDENCE)
        if is_wanted and (path.is_file() or not path.exists()):
            yield path


def _files(
    root: Path, *, recursive: bool, without: Path | None = None, onerror: Callable[[OSError], None] | None = None
) -> Iterator[Path]:
    """Yield the files of a folder and its subfolders, sorted by name, except hidden ones and those in ``without``.

    Links to folders are followed, except into ``root`` and to folders that contain it. No folder is entered twice.
    """
    top, *others = (Path(os.path.realpath(folder)) for folder in (root, without) if folder is not None)
    entered = {top, *others}

    def enters(folder: Path) -> bool:
        real = Path(os.path.realpath(folder))
        is_near = folder.is_symlink() and (real.is_relative_to(top) or top.is_relative_to(real))
        if real in entered or is_near:
            return False
        entered.add(real)
        return True

    for parent, names, files in os.walk(root, onerror=onerror, followlinks=True):
        visible = (name for name in sorted(names) if recursive and not name.startswith("."))
        names[:] = [name for name in visible if enters(Path(parent, name))]
        yield from (Path(parent, name) for name in sorted(files) if not name.startswith("."))
