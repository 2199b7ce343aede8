"""Determines and locks the folder of a batch's report."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from ..errors import OptionError, PhotochromError
from ..models.download import cache_folder
from .options import BatchOptions
from .remote_files import is_remote


def report_folder(target: str, options: BatchOptions, *, make: bool = True) -> Path:
    """Return the folder of the report, and create it if ``make`` is set.

    By default, that folder is the target. The report of a remote target is in a cache folder that is named after the
    target's address; ``ReportCopy`` copies the report to the target.

    Raises:
        OptionError: The folder cannot be created, or is a bag.
    """
    folder = options.report or (_cached(target) if is_remote(target) else Path(target))
    if (folder / "bagit.txt").exists():
        raise OptionError(f"{folder} is a bag, which must not be changed", remedy="name another target")
    try:
        if make:
            folder.mkdir(parents=True, exist_ok=True)
    except OSError as exc:
        raise OptionError(f"{folder} cannot be created ({exc.strerror})", remedy="name another target") from exc
    return folder


def _cached(target: str) -> Path:
    """Return the cache folder for the reports of a remote target."""
    address = target.rstrip("/")
    name = re.sub("[^a-z0-9]+", "-", address.lower()).strip("-")[:60]
    return cache_folder() / "batches" / f"{name}-{hashlib.sha256(address.encode()).hexdigest()[:8]}"


@contextmanager
def locked(folder: Path, shard: tuple[int, int] | None) -> Iterator[None]:
    """Lock the folder of a report during the block.

    A whole batch excludes all other batches; a shard excludes whole batches and the same shard. The lock file remains.

    Raises:
        OptionError: Another batch is running in the folder.
        PhotochromError: The folder cannot be written.
    """
    names = [".photochrom-batch.lock"]
    if shard is not None:
        names = [f".photochrom-batch-{shard[0]}-of-{shard[1]}.lock"]
    with ExitStack() as stack:
        try:
            others = folder.glob(".photochrom-batch-*.lock") if shard is None else [folder / ".photochrom-batch.lock"]
            for path in others:  # only tested: locked and released at once
                if path.exists():
                    with FileLock(path, blocking=False):
                        pass
            for name in names:
                stack.enter_context(FileLock(folder / name, blocking=False))
        except Timeout as exc:
            raise OptionError(
                f"another batch is running in {folder}", remedy="wait for it, or name another target"
            ) from exc
        except OSError as exc:
            raise PhotochromError(f"{folder} cannot be written ({exc.strerror})", remedy="name another target") from exc
        yield


def report_path(folder: Path, options: BatchOptions) -> Path:
    """Return the path of the report of a batch or shard."""
    name = "report" if options.shard is None else f"report-{options.shard[0]}-of-{options.shard[1]}"
    return folder / f"{name}.jsonl"
