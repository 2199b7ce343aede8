"""Lists the items that failed in a table beside the report, for those who have to repair them."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Final

from ..errors import PhotochromError, system_errors
from .report import read_rows, report_paths
from .report_folder import report_file

FAILURES: Final = "report-failed.csv"
"""Name of the table."""


def write_failures(folder: Path) -> Path | None:
    """Write the items whose last row in the reports of a folder is an error to ``report-failed.csv``.

    The table is in UTF-8, with a byte order mark, by which spreadsheets recognise it. If no item failed, a table of
    earlier runs is removed.

    Returns:
        Path of the table; None if no item failed.

    Raises:
        OptionError: The folder or a report cannot be read, or a line of it is not a row; see ``read_rows``.
        PhotochromError: The table cannot be written or removed.
    """
    path, failed = folder / FAILURES, dict[str, tuple[str, ...]]()
    for row in (row for report in report_paths(folder) for row in read_rows(report)):
        failed.pop(row.key, None)
        if row.status == "error":
            failed[row.key] = row.key, row.problem, row.source, row.finished
    if not failed:
        with system_errors(PhotochromError, path, "remove it", "removed"):
            path.unlink(missing_ok=True)
        return None
    text = io.StringIO()
    csv.writer(text).writerows([("path", "error", "source", "finished"), *failed.values()])
    with report_file(path) as stream:
        stream.write(text.getvalue().encode("utf-8-sig", "backslashreplace"))
    return path
