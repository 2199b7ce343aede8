"""Lists the items that failed in a table beside the report, for those who have to repair them."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from ..errors import PhotochromError, system_errors
from .items import Item
from .remote_files import is_remote
from .report import read_rows, report_paths
from .report_folder import report_file

FAILURES: Final = "report-failed.csv"
"""Name of the table."""


def write_failures(folder: Path, items: Iterable[Item]) -> Path | None:
    """Write the items whose last row in the reports of a folder is an error to ``report-failed.csv``.

    The table is in UTF-8, with a byte order mark, by which spreadsheets recognise it. If no item failed, a table of
    earlier runs is removed. An item whose file has been removed since, and is not listed any more, is left out.

    Args:
        folder: Folder of the reports.
        items: Items of the run that has ended.

    Returns:
        Path of the table; None if no item failed.

    Raises:
        OptionError: The folder or a report cannot be read, or a line of it is not a row; see ``read_rows``.
        PhotochromError: The table cannot be written or removed.
    """
    path, failed = folder / FAILURES, dict[str, tuple[str, str, str, str]]()
    for row in (row for report in report_paths(folder) for row in read_rows(report)):
        failed.pop(row.key, None)
        if row.status == "error":
            failed[row.key] = row.key, row.problem, row.source, row.finished
    listed = {item.key for item in items if item.key in failed}
    failed = {key: row for key, row in failed.items() if key in listed or is_remote(row[2]) or os.path.lexists(row[2])}
    if not failed:
        with system_errors(PhotochromError, path, "remove it", "removed"):
            path.unlink(missing_ok=True)
        return None
    text = io.StringIO()
    csv.writer(text).writerows([("path", "error", "source", "finished"), *failed.values()])
    with report_file(path) as stream:
        stream.write(text.getvalue().encode("utf-8-sig", "backslashreplace"))
    return path
