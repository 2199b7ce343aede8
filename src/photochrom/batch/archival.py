"""Writes files for preservation systems: BagIt bags (RFC 8493), PREMIS 3 events, and the report as Parquet."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final
from xml.sax.saxutils import escape, quoteattr

from ..errors import OptionError, PhotochromError, needed_for
from ..photo.formats.xmp import ILLEGAL
from .report import Row
from .report_folder import LOCKS, UNFINISHED_BAG, report_file

PREMIS: Final = "premis.xml"
_NAMESPACE: Final = "http://www.loc.gov/premis/v3"
_OUTCOMES: Final = {"ok": "success", "error": "fail"}


def check_packages(*, bag: bool, parquet: bool) -> None:
    """Check that the packages for a bag or a Parquet file are there, before the work that they conclude.

    Raises:
        PhotochromError: A package is missing.
    """
    if bag:
        with needed_for("a bag", "batch"):
            import bagit  # noqa: F401
    if parquet:
        with needed_for("Parquet", "batch"):
            import pyarrow  # noqa: F401


def make_bag(folder: Path) -> Path:
    """Turn the target of a finished batch into a BagIt bag: its files move to ``data/``, and checksums are written.

    The lock files of batches stay in place until the bag is complete, so that a lock that the caller holds excludes
    other batches, and are then removed. The bag is made in a subfolder, meanwhile the process's current folder. After
    an error, files may already be in ``data/``.

    Returns:
        The folder.

    Raises:
        OptionError: The folder is a bag already, or has files whose names a bag cannot contain.
        PhotochromError: The package bagit is missing, the folder cannot be written, or the current folder is below it.
    """
    with needed_for("a bag", "batch"):
        import bagit
    if (folder / "bagit.txt").exists():
        raise OptionError("is a bag already", path=folder, remedy="colour into a new folder")
    if bad := next((path for path in folder.rglob("*") if _in_utf8(path.name) != path.name), None):
        raise OptionError(
            f"cannot be made a bag, since the name {bad.name!r} is not UTF-8",
            path=folder,
            remedy="delete this file, and rename its source",
        )
    work = folder / UNFINISHED_BAG
    try:
        with _content_in(folder, work):
            bagit.make_bag(str(work), {"Bagging-Software": "Photochrom, bagit-python"}, checksums=["sha256"])
        for lock in folder.glob(LOCKS):
            lock.unlink()
    except (OSError, RuntimeError, bagit.BagError) as exc:
        raise PhotochromError(
            f"cannot be made a bag ({exc})", path=folder, remedy="close other programs that use it"
        ) from exc
    return folder


@contextmanager
def _content_in(folder: Path, work: Path) -> Iterator[None]:
    """Move everything in a folder but lock files to its subfolder ``work`` for the block, and back after it.

    A file ``bagit.txt`` is moved back first, since other batches recognise a bag by it.

    Raises:
        OSError: Something cannot be moved, or ``work`` has content already.
    """
    for emptied in (work / "data", work):
        with suppress(FileNotFoundError):
            emptied.rmdir()
    work.mkdir()
    try:
        shutil.copymode(folder, work)
        locks = {work, *folder.glob(LOCKS)}
        for path in [path for path in folder.iterdir() if path not in locks]:
            path.rename(work / path.name)
        yield
    finally:
        for path in sorted(work.iterdir(), key=lambda path: path.name != "bagit.txt"):
            path.rename(folder / path.name)
        work.rmdir()


def write_premis(folder: Path, rows: Iterable[Row]) -> Path:
    """Write a PREMIS event for each item that was coloured or failed: action, time, software and outcome.

    Args:
        folder: Folder for the file.
        rows: Rows of the report.

    Returns:
        Path of the file, ``premis.xml``.

    Raises:
        PhotochromError: The file cannot be written.
    """
    path = folder / PREMIS
    with report_file(path) as stream:
        stream.write(f'<?xml version="1.0" encoding="UTF-8"?>\n<premis xmlns={quoteattr(_NAMESPACE)}'.encode())
        stream.write(b' version="3.0">\n')
        versions = set()
        for row in (row for row in rows if row.status in _OUTCOMES):
            stream.write(ILLEGAL.sub("?", _event(row)).encode())  # file names may have such characters
            versions.add(row.photochrom)
        for version in sorted(versions):
            stream.write(_agent(version).encode())
        stream.write(b"</premis>\n")
    return path


def _event(row: Row) -> str:
    detail = row.error or f"model {row.model}; {row.options}"
    objects = _object("source", row.source, row.source_sha256)
    if row.output:
        objects += _object("outcome", row.output, row.output_sha256)
    return f"""<event>
{_identifier("eventIdentifier", "photochrom", f"{row.key} {row.finished}")}
<eventType>modification</eventType>
<eventDateTime>{escape(row.finished)}</eventDateTime>
<eventDetailInformation><eventDetail>colours added by software; {escape(detail)}</eventDetail></eventDetailInformation>
<eventOutcomeInformation><eventOutcome>{_OUTCOMES[row.status]}</eventOutcome></eventOutcomeInformation>
{_identifier("linkingAgentIdentifier", "software", f"photochrom {row.photochrom}")}
{objects}</event>
"""


def _object(role: str, place: str, sha256: str) -> str:
    value = f"{place} sha256:{sha256}" if sha256 else place
    role = f"<linkingObjectRole>{role}</linkingObjectRole>"
    return _identifier("linkingObjectIdentifier", "file", value, role) + "\n"


def _agent(version: str) -> str:
    return (
        f"<agent>{_identifier('agentIdentifier', 'software', f'photochrom {version}')}<agentName>Photochrom</agentName>"
        f"<agentType>software</agentType><agentVersion>{escape(version)}</agentVersion></agent>\n"
    )


def _identifier(name: str, kind: str, value: str, more: str = "") -> str:
    return f"<{name}><{name}Type>{kind}</{name}Type><{name}Value>{escape(value)}</{name}Value>{more}</{name}>"


def write_parquet(folder: Path, rows: Iterable[Row]) -> Path:
    """Write a report as a Parquet file.

    Args:
        folder: Folder for the file.
        rows: Rows of the report.

    Returns:
        Path of the file, ``report.parquet``.

    Raises:
        PhotochromError: The package pyarrow is missing, or the file cannot be written.
    """
    with needed_for("Parquet", "batch"):
        import pyarrow
        from pyarrow import parquet
    path = folder / "report.parquet"
    text, whole, real = pyarrow.string(), pyarrow.int64(), pyarrow.float64()
    kinds = dict.fromkeys(("source_size", "output_size", "width", "height", "schema"), whole)
    kinds |= dict.fromkeys(("colorfulness", "confidence", "seconds"), real) | {"warnings": pyarrow.list_(text)}
    facts = [{name: _in_utf8(value) for name, value in asdict(row).items()} for row in rows]
    schema = pyarrow.schema([(name, kinds.get(name, text)) for name in Row.__dataclass_fields__])
    with report_file(path) as stream:
        parquet.write_table(pyarrow.Table.from_pylist(facts, schema), stream)
    return path


def _in_utf8(value: Any) -> Any:
    """Replace what Parquet's text cannot hold, names that are not UTF-8, in a text or in the texts of a tuple."""
    if isinstance(value, tuple):
        return list(map(_in_utf8, value))
    return value.encode("utf-8", "replace").decode() if isinstance(value, str) else value
