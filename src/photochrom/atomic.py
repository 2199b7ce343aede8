"""Atomic file writes: a file appears complete or not at all, and replaces an existing file only on request."""

from __future__ import annotations

import functools
import hashlib
import os
import platform
import secrets
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, Final

_PREFIX: Final = ".photochrom-"
_ABANDONED_S: Final = 2 * 86_400.0  # seconds after which a temporary file counts as abandoned in any case


@contextmanager
def new_file(path: Path, *, overwrite: bool) -> Iterator[BinaryIO]:
    """Yield a seekable binary stream that writes a new file.

    The file gets its name when the block ends without an error. Until then, and after an error, an existing file of
    that name is unchanged. Temporary files that killed processes have left in the folder are removed first (``sweep``).

    Args:
        path: Name of the file; its folder exists.
        overwrite: Whether a file of that name may be replaced.

    Raises:
        FileExistsError: A file has this name, perhaps only since the block began, and ``overwrite`` is false.
        OSError: The file cannot be written.
    """
    with new_path(path, overwrite=overwrite) as part, part.open("xb") as stream:
        yield stream


@contextmanager
def new_path(path: Path, *, overwrite: bool, suffix: str = "") -> Iterator[Path]:
    """Yield a temporary path at which the block must write a new file, which then gets its name as in ``new_file``.

    Args:
        path: Name that the file gets at the end; its folder exists.
        overwrite: Whether a file of that name may be replaced.
        suffix: Extension of the temporary name, with its dot, for writers that require one.

    Raises:
        FileExistsError: A file has this name, perhaps only since the block began, and ``overwrite`` is false.
        OSError: The file cannot be written, or the block has not written it.
    """
    sweep(path.parent)
    part = _temporary(path.parent, suffix)
    try:
        yield part
        sync(part)  # otherwise a power failure could leave an empty file with the final name
        publish(part, path, overwrite=overwrite)
    finally:
        part.unlink(missing_ok=True)


def sync(path: Path) -> None:
    """Flush a file to the disk, so that a power failure does not lose it.

    Raises:
        OSError: The file cannot be read or written.
    """
    with path.open("rb+") as stream:
        os.fsync(stream.fileno())


def remove_folder(folder: Path) -> None:
    """Rename a folder and then remove it, so that a killed process never leaves part of the folder under its name.

    Raises:
        OSError: The folder cannot be renamed or removed.
    """
    renamed = _temporary(folder.parent, "")
    folder.rename(renamed)
    shutil.rmtree(renamed)


def _temporary(folder: Path, suffix: str) -> Path:
    # In the same folder, so that a rename does not copy data; hidden, so that the file is not mistaken for an output.
    return folder / f"{_PREFIX}{_owner()}.part{suffix}"


@functools.cache
def sweep(folder: Path, prefix: str = _PREFIX) -> None:
    """Remove temporary files and folders that killed processes have left in a folder; runs once per folder and process.

    Errors are ignored: what cannot be removed is left.

    Args:
        folder: The folder.
        prefix: Beginning of the names, which is followed by a result of ``_owner``.
    """
    with suppress(OSError), os.scandir(folder) as entries:  # a faulty folder is reported when the file is written
        for entry in entries:
            if entry.name.startswith(prefix):
                with suppress(OSError):  # another process may just be giving the file its final name
                    _remove_if_abandoned(entry, prefix)


def _remove_if_abandoned(entry: os.DirEntry[str], prefix: str) -> None:
    if not _is_abandoned(entry, prefix):
        return
    if entry.is_dir(follow_symlinks=False):
        shutil.rmtree(entry.path, ignore_errors=True)
    else:
        Path(entry.path).unlink(missing_ok=True)


@contextmanager
def temporary_folder(name: str) -> Iterator[Path]:
    """Create a folder in the system's temporary folder, yield its path, and remove it after the block.

    Folders that killed processes created with the same ``name`` are removed first, once per name and process.

    Args:
        name: Beginning of the folder's name, to which a unique text is appended.

    Raises:
        OSError: The folder cannot be created.
    """
    parent = Path(tempfile.gettempdir())
    sweep(parent, f"{name}-")
    folder = parent / f"{name}-{_owner()}"
    folder.mkdir(mode=0o700)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _is_abandoned(entry: os.DirEntry[str], prefix: str) -> bool:
    """Return whether a temporary file or folder is abandoned: its process has ended, or it is a file of two days ago.

    Whether a process of another machine that shares the disk has ended is not known.
    """
    if prefix == _PREFIX and time.time() - entry.stat().st_mtime > _ABANDONED_S:
        return True
    host, _, rest = entry.name.removeprefix(prefix).partition("-")
    number = rest.partition("-")[0]
    return host == _host() and number.isdigit() and not _is_alive(int(number))


def _owner() -> str:
    """Return a unique string for file names, which identifies this machine and this process."""
    return f"{_host()}-{os.getpid()}-{secrets.token_hex(4)}"


def _is_alive(process: int) -> bool:
    if sys.platform == "win32":
        return True  # Windows: an open file cannot be removed anyway, and there is no signal 0
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True  # the process belongs to another user
    with suppress(OSError):  # this system has no /proc, or the process has just ended
        state = Path(f"/proc/{process}/stat").read_text().rpartition(") ")[2][:1]
        return state != "Z"  # a zombie has ended, and waits for its parent to collect it
    return True


@functools.cache
def _host() -> str:
    return hashlib.blake2b(platform.node().encode(), digest_size=4).hexdigest()


def publish(part: Path, path: Path, *, overwrite: bool) -> None:
    """Give a finished file its final name atomically.

    Args:
        part: The finished file. If ``overwrite`` is false, it may remain as a hard link, which the caller must remove.
        path: The final name; both paths must be in the same folder.
        overwrite: Whether to replace a file that has this name.

    Raises:
        FileExistsError: A file has this name, and ``overwrite`` is false.
        OSError: The file cannot be renamed.
    """
    if overwrite:
        part.replace(path)
        return
    try:
        path.hardlink_to(part)  # unlike a rename, this fails if a file has the name
    except FileExistsError:
        raise
    except OSError:  # no hard links on this file system (FAT, some network shares): reserve the name first
        path.open("xb").close()
        try:
            part.replace(path)
        except BaseException:
            path.unlink(missing_ok=True)
            raise
