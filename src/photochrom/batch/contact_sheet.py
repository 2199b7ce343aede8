"""Summarises a report, and writes its contact sheet: thumbnails of sources and outputs, least confident first."""

from __future__ import annotations

import base64
import math
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Final
from urllib.parse import quote

from ..errors import OptionError, needed_for, one_line
from .report import Row, read_rows, report_paths
from .report_folder import report_file
from .summary import two_digits
from .thumbnails import Thumbnails

PER_PAGE: Final = 500  # items per page, so that a page has about 5 MB and opens quickly
_ORDER: Final = {"ok": 0, "skipped": 1, "unread": 2}  # order of the items by status; errors come last
_NAMED: Final = 10  # maximum number of different errors that are listed, and of warnings


def rows_of(folder: Path) -> list[Row]:
    """Read the last row of each item from all reports in a folder.

    Raises:
        OptionError: There is no report, or one cannot be read or is invalid.
    """
    if not (paths := report_paths(folder)):
        raise OptionError(
            "holds no report of a batch", path=folder, remedy="name the target of a batch, or the folder of its report"
        )
    return list({row.key: row for path in paths for row in read_rows(path)}.values())


def sums_of(rows: Sequence[Row]) -> str:
    """Return the totals over the rows of a report as text, with a line for each of the most frequent errors."""
    count = Counter(row.status for row in rows)
    done = [row for row in rows if row.status == "ok"]
    skipped = f", {count['skipped']:,} skipped, being in colour already" if count["skipped"] else ""
    unread = f", {count['unread']:,} left out, being in formats that are not read" if count["unread"] else ""
    megapixels = sum((row.width or 0) * (row.height or 0) for row in done) / 1e6
    hours = sum(row.seconds for row in rows) / 3600  # of one core
    lines = [
        f"{count['ok']:,} coloured, {count['error']:,} failed{skipped}{unread}; {two_digits(megapixels)} megapixels, "
        f"{two_digits(hours)} core-hours"
    ]
    if sure := [row.confidence for row in done if row.confidence is not None]:
        lines.append(f"mean confidence {sum(sure) / len(sure):.2f}")
    errors = Counter(row.problem for row in rows if row.status == "error")
    warnings = Counter(warning for row in done for warning in row.warnings)
    lines += [f"  {times:,} x failed: {one_line(text)}" for text, times in errors.most_common(_NAMED)]
    lines += [f"  {times:,} x {one_line(text)}" for text, times in warnings.most_common(_NAMED)]
    return "\n".join(lines)


def write_sheet(folder: Path, rows: Sequence[Row], into: Path | None = None) -> list[Path]:
    """Write the contact sheet of a batch: ``report.html``, and for many items also ``report-2.html`` and so on.

    Items are sorted by confidence, the least confident first; then come those whose confidence is unknown, skipped and
    unread items, and failures.

    Args:
        folder: Folder of the report and of the outputs.
        rows: Rows of the report.
        into: Folder for the pages; None for ``folder``. Only outputs in this folder are linked.

    Returns:
        Paths of the pages.

    Raises:
        OptionError: A file of thumbnails cannot be read.
        PhotochromError: Jinja is missing, or the pages cannot be written.
    """
    with needed_for("the contact sheet", "batch"):
        from jinja2 import Environment, PackageLoader
    loader = PackageLoader("photochrom.batch", ".")
    template = Environment(loader=loader, autoescape=True, trim_blocks=True).get_template("contact_sheet.html.j2")
    ordered = sorted(rows, key=_place)
    count = max(1, -(-len(ordered) // PER_PAGE))
    into = into or folder
    pages = [into / ("report.html" if number == 1 else f"report-{number}.html") for number in range(1, count + 1)]
    thumbnails = Thumbnails(sorted(folder.glob("report*.thumbnails")))
    counts = Counter(row.status for row in rows)
    for number, page in enumerate(pages):
        shown = [_Entry(row, thumbnails, folder, into) for row in ordered[number * PER_PAGE : (number + 1) * PER_PAGE]]
        text = template.render(sums=counts, entries=shown, pages=pages, number=number, title=into.resolve().name)
        with report_file(page) as stream:
            stream.write(text.encode("utf-8", "replace"))
    return pages


def _place(row: Row) -> tuple[int, float, str]:
    """Return the key by which rows are sorted on the contact sheet."""
    return _ORDER.get(row.status, 3), math.inf if row.confidence is None else row.confidence, row.key


class _Entry:
    """A row of the report, with its error, its link and its thumbnails as the template shows them."""

    def __init__(self, row: Row, thumbnails: Thumbnails, folder: Path, into: Path) -> None:
        self.row, self.problem = row, row.problem
        output = folder / row.output
        is_here = bool(row.output) and output.is_file() and output.is_relative_to(into)
        self.link = quote(output.relative_to(into).as_posix(), errors="surrogateescape") if is_here else ""
        pictures = thumbnails.get(row.key)
        self.before, self.after = ("", "") if pictures is None else (_embedded(part) for part in pictures)


def _embedded(jpeg: bytes) -> str:
    return f"data:image/jpeg;base64,{base64.b64encode(jpeg).decode()}"
