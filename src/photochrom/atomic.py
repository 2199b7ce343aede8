"""Files that are there whole or not at all, and never in place of another."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO


@contextmanager
def new_file(path: Path, *, overwrite: bool) -> Iterator[BinaryIO]:
    """A stream to write a file through, which can seek.

    The file gets its name when the block ends well; until then, and if it fails, nothing of that name is touched.

    Raises:
        FileExistsError: the name is taken, also if that happened meanwhile, and ``overwrite`` is not set.
        OSError: the disk says no.
    """
    part = path.with_name(f".photochrom-{secrets.token_hex(8)}.part")  # in the same folder: renaming copies nothing
    try:
        with part.open("xb") as stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        publish(part, path, overwrite=overwrite)
    finally:
        part.unlink(missing_ok=True)


def publish(part: Path, path: Path, *, overwrite: bool) -> None:
    """Give a whole file its name.

    Raises:
        FileExistsError: the name is taken, and ``overwrite`` is not set.
    """
    if overwrite:
        part.replace(path)
        return
    try:
        path.hardlink_to(part)  # unlike a rename, this fails where the name is taken
    except FileExistsError:
        raise
    except OSError:  # no hard links on this disk (FAT, some network shares): take the name with an empty file
        path.open("xb").close()
        try:
            part.replace(path)
        except BaseException:
            path.unlink(missing_ok=True)
            raise
