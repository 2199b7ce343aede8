"""Copies the report to and from a remote target, so that another machine can resume the batch."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Final

from ..atomic import temporary_folder
from .remote_files import is_remote, naming_errors, open_address
from .report import merge, report_paths

_INTERVAL_S: Final = 60.0  # between copies; if the machine is lost, the items since the last copy are coloured again


class ReportCopy:
    """Copies reports to and from a remote target; does nothing if the target is local.

    Args:
        target: Folder or address of the outputs.
        own: Local path of the report that this batch writes.
    """

    def __init__(self, target: str, own: Path) -> None:
        self._target, self._own = target.rstrip("/"), own
        self._is_remote = is_remote(target)
        self._copied = time.monotonic()

    def fetch(self) -> None:
        """Fetch the reports in the target, this batch's own and those of other shards, and merge them into local ones.

        Raises:
            OptionError: The target cannot be opened or listed, or a report, local or remote, is invalid or unreadable.
            PhotochromError: fsspec or the package for the protocol is missing, or a local report cannot be written.
            OSError: The system's temporary folder cannot be written.
        """
        if not self._is_remote:
            return
        system, root = open_address(self._target)
        with naming_errors(self._target):
            places = system.glob(f"{root}/report*.jsonl")
        for place in places:
            local = self._own.with_name(place.rpartition("/")[2])
            with temporary_folder("photochrom-batch") as folder:
                fetched = Path(folder, local.name)
                with naming_errors(self._target):
                    system.get_file(place, str(fetched))
                merge(fetched, local)

    def send(self, *, now: bool = False) -> None:
        """Copy the batch's own report to the target if ``now`` is set, or if the last copy is more than a minute old.

        Raises:
            OptionError: The target cannot be written.
            PhotochromError: fsspec or the package for the protocol is missing.
        """
        if not self._is_remote or self._own not in report_paths(self._own.parent):
            return
        if now or time.monotonic() - self._copied > _INTERVAL_S:
            system, root = open_address(self._target)
            with naming_errors(self._target, "written"):
                system.put_file(str(self._own), f"{root}/{self._own.name}")
            self._copied = time.monotonic()
