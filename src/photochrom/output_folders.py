"""Checks and creates the folders of outputs, with the same messages for outputs of every kind."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from .errors import PhotochromError, system_errors


def check_folder(output: Path, error: type[PhotochromError]) -> None:
    """Check that the folder in which an output is to be written exists, and can be written.

    Raises:
        PhotochromError: It does not exist, is a file, or cannot be examined or written, or no file can have the
            output's name. The exception is of type ``error``.
    """
    check_name(output, error)
    with system_errors(error, output, "choose another output", "written"):
        is_folder = output.parent.is_dir()
    if is_folder:
        _check_access(output.parent, error)
        return
    if problem := _obstacle(output):
        raise error(problem, path=output, remedy="choose another output")
    raise error(f"there is no folder {output.parent}", path=output, remedy="create it first")


def create_folder(folder: Path, error: type[PhotochromError]) -> None:
    """Create a folder for outputs, including its parents, unless it exists and can be written.

    Raises:
        PhotochromError: The folder is a file, or cannot be created or written. The exception is of type ``error``.
    """
    check_name(folder, error)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as exc:
        problem = _obstacle(folder) or f"the folder cannot be created ({exc.strerror})"
        raise error(problem, path=folder, remedy="choose another output") from exc
    _check_access(folder, error)


def check_future_folder(folder: Path, error: type[PhotochromError]) -> None:
    """Check that ``create_folder`` would succeed, as far as that can be known without creating a folder.

    Raises:
        PhotochromError: The folder is a file, or cannot be created or written. The exception is of type ``error``.
    """
    check_name(folder, error)
    if problem := _obstacle(folder):
        raise error(problem, path=folder, remedy="choose another output")
    existing = next((part for part in (folder, *folder.parents) if os.path.isdir(part)), None)  # noqa: PTH112
    if existing is not None:  # Windows has paths on disks that do not exist
        _check_access(existing, error)


def check_name(path: str | os.PathLike[str], error: type[PhotochromError]) -> None:
    """Check that a file can have this name: Python raises ``ValueError`` for NUL and for characters without a code.

    Raises:
        PhotochromError: No file can have it. The exception is of type ``error``.
    """
    try:
        if b"\0" not in os.fsencode(path):
            return
    except UnicodeEncodeError:
        pass
    raise error("has a character that no file name can have", path=path, remedy="choose another name")


@contextmanager
def needed_folder(folder: Path, error: type[PhotochromError]) -> Iterator[None]:
    """Create a folder for outputs, including its parents; after the block, remove the created folders that are empty.

    Raises:
        PhotochromError: The folder is a file, or cannot be created or written. The exception is of type ``error``.
    """
    created = [path for path in (folder, *folder.parents) if not os.path.exists(path)]  # noqa: PTH110
    create_folder(folder, error)
    try:
        yield
    finally:
        for path in created:
            with suppress(OSError):  # it is not empty
                path.rmdir()


def _check_access(folder: Path, error: type[PhotochromError]) -> None:
    """Check that files can be created in a folder that exists. On Windows, this is known only when a file is created.

    Raises:
        PhotochromError: They cannot. The exception is of type ``error``, and has an ``OSError`` as its cause.
    """
    remedy = "ask for permission, or choose another output"
    with system_errors(error, folder if folder.name else folder.absolute(), remedy, "written"):
        if not os.access(folder, os.W_OK | os.X_OK, effective_ids=os.access in os.supports_effective_ids):
            is_read_only = os.statvfs(folder).f_flag & os.ST_RDONLY
            number = errno.EROFS if is_read_only else errno.EACCES
            raise OSError(number, os.strerror(number))


def _obstacle(path: Path) -> str:
    """Describe the file or broken link in place of a folder, which is ``path`` or a parent; empty if there is none."""
    for part in (path, *path.parents):
        name = "" if part == path else f"{part} "
        # Unlike the methods of Path, these functions raise no error for what is in a folder without permissions.
        if os.path.isdir(part):  # noqa: PTH112
            break
        if os.path.exists(part):  # noqa: PTH110
            return f"{name}is a file, not a folder"
        if os.path.islink(part):  # noqa: PTH114
            return f"{name}is a link that leads nowhere"
    return ""
