"""Determines and locks the folder of a batch's report, and replaces files in it."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, Final

from filelock import FileLock, Timeout

from ..atomic import new_file
from ..errors import OptionError, PhotochromError, system_errors
from ..models.download import cache_folder
from ..output_folders import create_folder
from .options import BatchOptions
from .remote_files import is_remote

LOCKS: Final = ".photochrom-batch*.lock"
"""Glob of the lock files, which remain when a batch ends, and are removed when its target becomes a bag."""

UNFINISHED_BAG: Final = "unfinished-bag"
"""Folder in a target in which it is made a bag; see ``archival.make_bag``."""

_TEST_S: Final = 2.0  # seconds after which a lock counts as that of a batch; other shards only test it for a moment


def report_folder(target: str, options: BatchOptions) -> Path:
    """Return the folder of the report, which need not exist.

    By default, that folder is the target. The report of a remote target is in a cache folder that is named after the
    target's address; ``ReportCopy`` copies the report to the target.

    Raises:
        OptionError: It or the target is a bag, perhaps an unfinished one, or cannot be examined.
    """
    folder = options.report or (_cached(target) if is_remote(target) else Path(target))
    with system_errors(OptionError, folder, "name another target"):
        for place in (folder, *([] if is_remote(target) else [Path(target)])):
            if inner := _unfinished_bag(place):
                raise OptionError(
                    "is a bag that was not finished",
                    path=place,
                    remedy=f"move everything in its folder {inner} up to it, or name another target",
                )
            if (place / "bagit.txt").exists():
                raise OptionError("is a bag, which must not be changed", path=place, remedy="name another target")
    return folder


def _unfinished_bag(folder: Path) -> str:
    """Return the subfolder to which the content of a folder was moved to make a bag; empty unless it is unfinished.

    A report in ``data/`` is content if there is no lock beside it, with which it would have been written there.
    """
    data, work = folder / "data", folder / UNFINISHED_BAG
    if any(path.is_file() for path in work.rglob("*")):  # its folders stay when the user has moved its content
        is_whole = any((place / "bagit.txt").exists() for place in (folder, work))
        return UNFINISHED_BAG if is_whole or not (work / "data").is_dir() else f"{UNFINISHED_BAG}/data"
    has_moved = any(data.glob("report*.jsonl")) and not (any(folder.glob("report*.jsonl")) or any(data.glob(LOCKS)))
    return "data" if has_moved and not (folder / "bagit.txt").exists() else ""


@contextmanager
def report_file(path: Path) -> Iterator[BinaryIO]:
    """Yield a stream, whose content replaces a file of the report at the end of the block.

    Raises:
        PhotochromError: The file cannot be written.
    """
    remedy = "make room, or ask for the right to write"
    with system_errors(PhotochromError, path, remedy, "written"), new_file(path, overwrite=True) as stream:
        yield stream


def _cached(target: str) -> Path:
    """Return the cache folder for the reports of a remote target."""
    address = target.rstrip("/")
    name = re.sub("[^a-z0-9]+", "-", address.lower()).strip("-")[:60]
    return cache_folder() / "batches" / f"{name}-{hashlib.sha256(address.encode()).hexdigest()[:8]}"


@contextmanager
def locked_report_folder(target: str, options: BatchOptions) -> Iterator[Path]:
    """Create the folder of the report, and lock it during the block.

    If an error ends the block before an item is reported, everything that was created is removed.

    Raises:
        OptionError: The folder cannot be created or is a bag, or another batch is running in it.
        PhotochromError: The folder cannot be written.
    """
    folder = report_folder(target, options)
    created = [path for path in (folder, *folder.parents) if not path.exists()]
    create_folder(folder, OptionError)
    with locked(folder, options.shard):
        try:
            report_folder(target, options)  # another batch may have made a bag before it released the lock
            yield folder
        except BaseException:
            _remove_unless_reported(folder, options, created)
            raise


def _remove_unless_reported(folder: Path, options: BatchOptions, created: Iterable[Path]) -> None:
    """Remove the lock, empty files, and those of the folders ``created`` that are empty then, unless a row exists."""
    report = report_path(folder, options)
    if report.is_file() and report.stat().st_size:
        return
    with suppress(OSError):
        for path in (report, report.with_suffix(".thumbnails")):
            if path.is_file() and not path.stat().st_size:
                path.unlink()
        (folder / _lock_name(options.shard)).unlink()
        for path in created:
            path.rmdir()


def _lock_name(shard: tuple[int, int] | None) -> str:
    return ".photochrom-batch.lock" if shard is None else f".photochrom-batch-{shard[0]}-of-{shard[1]}.lock"


@contextmanager
def locked(folder: Path, shard: tuple[int, int] | None) -> Iterator[None]:
    """Lock the folder of a report during the block.

    A whole batch excludes all other batches; a shard excludes whole batches and the same shard. The lock file remains.

    Raises:
        OptionError: Another batch is running in the folder.
        PhotochromError: The folder cannot be written.
    """
    with ExitStack() as stack:
        try:
            # Its own lock comes first, so that of two batches that begin at once, at least one sees the other.
            stack.enter_context(FileLock(folder / _lock_name(shard), timeout=_TEST_S))
            others = folder.glob(".photochrom-batch-*.lock") if shard is None else [folder / _lock_name(None)]
            for path in others:  # only tested: locked and released at once
                if path.exists():
                    with FileLock(path, timeout=_TEST_S):
                        pass
        except Timeout as exc:
            raise OptionError(
                "another batch is running in this folder", path=folder, remedy="wait for it, or name another target"
            ) from exc
        except OSError as exc:
            raise PhotochromError(
                f"cannot be written ({exc.strerror})", path=folder, remedy="name another target"
            ) from exc
        yield


def report_path(folder: Path, options: BatchOptions) -> Path:
    """Return the path of the report of a batch or shard."""
    name = "report" if options.shard is None else f"report-{options.shard[0]}-of-{options.shard[1]}"
    return folder / f"{name}.jsonl"
