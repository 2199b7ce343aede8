"""Files that appear whole or not at all, and that never replace another one unasked."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO


@contextmanager
def new_file(path: Path, *, overwrite: bool) -> Iterator[BinaryIO]:
    """Open a seekable stream to write a file through.

    The file gets its name when the block ends without an error. Until then, and after an error, whatever has that name
    is left alone.

    Args:
        path: Name of the file; its folder exists.
        overwrite: Whether a file of that name may be replaced.

    Raises:
        FileExistsError: The name is taken, even if only since the block began, and ``overwrite`` is false.
        OSError: The file cannot be written.
    """
    with new_path(path, overwrite=overwrite) as part, part.open("xb") as stream:
        yield stream


@contextmanager
def new_path(path: Path, *, overwrite: bool, suffix: str = "") -> Iterator[Path]:
    """Give a temporary path for code that writes a file by name; otherwise as ``new_file``.

    Args:
        path: Name that the file gets at the end; its folder exists.
        overwrite: Whether a file of that name may be replaced.
        suffix: Ending of the temporary name, where the code that writes insists on one.

    Raises:
        FileExistsError: The name is taken, even if only since the block began, and ``overwrite`` is false.
        OSError: The file cannot be written.
    """
    # In the same folder, so that renaming it never copies; hidden, so that nobody takes it for a result.
    part = path.with_name(f".photochrom-{secrets.token_hex(8)}.part{suffix}")
    try:
        yield part
        with part.open("rb+") as stream:
            os.fsync(stream.fileno())  # else a power cut could leave the name without the content
        publish(part, path, overwrite=overwrite)
    finally:
        part.unlink(missing_ok=True)


def publish(part: Path, path: Path, *, overwrite: bool) -> None:
    """Give a finished file its name, atomically; both paths are in one folder.

    Raises:
        FileExistsError: The name is taken, and ``overwrite`` is false.
        OSError: The file system refuses.
    """
    if overwrite:
        part.replace(path)
        return
    try:
        path.hardlink_to(part)  # unlike a rename, this fails where the name is taken
    except FileExistsError:
        raise
    except OSError:  # no hard links on this file system (FAT, some network shares): reserve the name first
        path.open("xb").close()
        try:
            part.replace(path)
        except BaseException:
            path.unlink(missing_ok=True)
            raise
