"""Reads manifests: lists of photographs with options for each, as CSV, JSON Lines or Parquet."""

from __future__ import annotations

import csv
import difflib
import functools
import io
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any, Final

from ..colorizer.options import ColorOptions
from ..errors import OptionError, needed_for
from ..json_text import parse_json
from .iiif import items_of_manifest
from .items import Item
from .remote_files import is_remote

COLUMNS: Final = {
    "path": ("path", "file", "filename", "source", "url"),
    "name": ("output", "name"),
    "hints": ("hints",),
    "vividness": ("vividness",),
}
"""Columns that are read, each with its accepted names; only the path is required."""


def read_manifest(data: bytes, name: str, base: str) -> Iterator[Item]:
    """Read the items of a manifest, without accessing their files (see ``listing.with_local_state``).

    All errors are raised while the items are iterated over.

    Args:
        data: Content of the manifest.
        name: File name of the manifest, for messages; its extension determines the format: ``.csv``, ``.tsv``,
            ``.parquet`` or ``.json`` (IIIF), otherwise JSON Lines.
        base: Folder or address to which relative paths refer.

    Raises:
        OptionError: The file is damaged, has no column of paths or one whose name is probably misspelled, a row has no
            path or too many fields, its vividness is not a number from 0 to 1, or its path or name has a character that
            no file name can have.
        PhotochromError: The file is Parquet, and the package pyarrow is missing.
    """
    suffix = PurePosixPath(name).suffix.lower()
    if suffix == ".json":
        return items_of_manifest(data, name)
    rows = {".csv": _csv, ".tsv": _csv, ".parquet": _parquet}.get(suffix, _json_lines)(data, name)
    return _items(rows, name, base)


def _items(rows: Iterator[Mapping[str, Any]], name: str, base: str) -> Iterator[Item]:
    """Convert the rows of a manifest to items; empty rows are left out.

    Raises:
        OptionError: A row has no path, its vividness is not a number from 0 to 1, or its path or name has a character
            that no file name can have.
    """
    for number, row in enumerate(rows, 1):
        if not any(str(value).strip() for value in row.values() if value is not None):
            continue  # spreadsheets end with such rows
        path = _field(row, "path")
        if not path:
            raise OptionError(
                f"row {number} has no path", path=name, remedy="name the column path, and fill it in every row"
            )
        hints = _field(row, "hints")
        vividness = _field(row, "vividness")
        try:
            wanted = ColorOptions(vividness=float(vividness) if vividness else None).vividness
        except ValueError:
            raise OptionError(
                f"row {number}: vividness is {vividness!r}", path=name, remedy="write a number from 0 to 1"
            ) from None
        source = _below(base, path)
        yield Item(
            key=_key(re.split("[?#]", path)[0] if source.startswith(("http://", "https://")) else path),
            source=source,
            name=_field(row, "name"),
            hints=_below(base, hints) if hints else "",
            vividness=wanted,
        )


def _field(row: Mapping[str, Any], name: str) -> str:
    """Return a row's value of a column, under any of the column's accepted names; empty if it has none."""
    for column in COLUMNS[name]:
        value = row.get(column)
        if value is not None and str(value).strip():
            return str(value).strip()
    return ""


def _below(base: str, path: str) -> str:
    """Return a path or address in full, given the folder or address to which relative paths refer."""
    if is_remote(path):
        return path
    return f"{base.rstrip('/')}/{path}" if is_remote(base) else str(Path(base, path))


def _key(path: str) -> str:
    """Return the key of an item: its path without root, drive, protocol, port and ``..``."""
    if is_remote(path):
        host, _, path = path.partition("://")[2].partition("/")
        path = path if ":" in host else f"{host}/{path}"
    path = Path(path).as_posix().removeprefix(Path(path).drive)
    return "/".join(part for part in PurePosixPath(path).parts if part not in ("/", ".."))


def _csv(data: bytes, name: str) -> Iterator[Mapping[str, Any]]:
    try:
        text = data.decode("utf-8-sig")
        header = text.partition("\n")[0]
        delimiter = max("\t,;", key=header.count)  # a tab if there is one column, whose names may contain commas
        reader = csv.DictReader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
        reader.fieldnames = [field.strip().lower() for field in reader.fieldnames or ()]
        _check_columns(reader.fieldnames, name)
        for row in reader:
            surplus: Any = row.pop(None, ())  # by which DictReader marks them
            if any(field.strip() for field in surplus):
                raise OptionError(
                    f"line {reader.line_num} has more fields than the first line",
                    path=name,
                    remedy="put values that contain a comma or semicolon in quotation marks",
                )
            yield row
    except UnicodeDecodeError as exc:
        raise OptionError(f"is not a CSV file in UTF-8 ({exc})", path=name, remedy="save it as one") from exc
    except csv.Error as exc:
        raise OptionError(
            f"line {reader.line_num + 1} is not CSV ({exc})", path=name, remedy="check its quotation marks"
        ) from exc


def _json_lines(data: bytes, name: str) -> Iterator[Mapping[str, Any]]:
    # str.splitlines would also divide lines at U+2028 and others, which JSON does not escape.
    for number, line in enumerate(data.decode("utf-8-sig", "surrogateescape").split("\n"), 1):
        if not line.strip():
            continue
        try:
            row = parse_json(line)
        except ValueError as exc:
            raise OptionError(
                f"line {number} is not JSON ({exc})", path=name, remedy="write one object a line"
            ) from exc
        if not isinstance(row, dict):
            raise OptionError(f"line {number} is not an object", path=name, remedy='write it as {"path": "scan.tif"}')
        _check_spelling(row, name)
        yield row


def _parquet(data: bytes, name: str) -> Iterator[Mapping[str, Any]]:
    with needed_for(name, "batch"):
        import pyarrow
        from pyarrow import parquet
    try:
        table = parquet.ParquetFile(pyarrow.BufferReader(data))
        _check_columns(table.schema_arrow.names, name)
        for batch in table.iter_batches():
            yield from batch.to_pylist()
    except OptionError:
        raise
    except (pyarrow.ArrowException, OSError, ValueError) as exc:  # ValueError: text that is not UTF-8
        raise OptionError(f"is not a Parquet file ({exc})", path=name, remedy="write it again") from exc


def _check_columns(found: list[str], name: str) -> None:
    """Raise an error if there is no column of paths, or one is misspelled (see ``_check_spelling``)."""
    _check_spelling(found, name)
    if not any(column in found for column in COLUMNS["path"]):
        raise OptionError(
            f"has no column of paths ({', '.join(found) or 'none at all'})", path=name, remedy='name a column "path"'
        )


def _check_spelling(columns: Iterable[str], name: str) -> None:
    """Raise an error for a name that is probably that of an optional column, misspelled; other columns are allowed."""
    for column in columns:
        if near := _meant(column):
            raise OptionError(
                f"has a column {column!r:.60}, which would not be read",
                path=name,
                remedy=f"write {near}, or another name",
            )


@functools.lru_cache(256)  # lines of JSON repeat the names
def _meant(column: str) -> str:
    """Return the optional column to whose name a name is similar but not equal; empty if there is none."""
    known = ("output", "hints", "vividness")
    near = difflib.get_close_matches(column.strip().casefold(), known, n=1, cutoff=0.8)
    return near[0] if near and column not in known else ""
