"""Inspects all photographs before training; leaves out unreadable, tiny, grey and duplicate ones, and own outputs.

In training, the results are stored in ``photographs.csv``; files of unchanged size and date are not inspected again.
The evaluation inspects photographs in the same way, so that both leave out the same ones.
"""

from __future__ import annotations

import csv
import hashlib
import io
import os
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path

import cv2
import numpy as np
import simplejpeg
from tqdm import tqdm

from ...errors import PhotoError, TrainingError, counted
from ...photo.formats.image import check_size, open_image
from ..atomic_files import write
from .dataset import MIN_COLORFULNESS, Photograph, colorfulness, from_index, is_held_out
from .decoding import FORMATS, decode, in_srgb, is_converted
from .sources import HEIF_SUFFIXES, SUFFIXES, File, files, is_own_output, read

MIN_SIDE = 64  # pixels; smaller pictures contain too little to learn from
MIN_PHOTOGRAPHS = 20
_FAULTS = ("unreadable", "damaged", "too large")  # reasons to leave a file out that its owner may want to mend
_DECODED_SIDE = 256  # pixels: JPEGs are decoded at a reduced scale at which their short side is at least this
_NEAR = 12  # maximum number of different bits in the 256-bit hashes of copies of other size or compression
_NEAR_COLOR = 8.0  # difference of mean R, G or B, 0 to 255, above which pictures are not copies despite similar hashes
_BAND = 4  # digits of a hash, 16 bits: if two hashes differ in 12 of 256 bits, at least 4 of their 16 bands are equal
_SHUFFLED = np.random.default_rng(0).permutation(256)  # order of a hash's bits, so that no plain area fills a band

_KINDS = {"offset": int, "size": int, "colorfulness": float}  # types of columns of ``photographs.csv`` other than text
_FORMS = {
    "sha1": "([0-9a-f]{40})?",
    "hash": "([0-9a-f]{64})?",
    "mean": r"(\d+\.\d \d+\.\d \d+\.\d)?",
    "colorfulness": r"[\d.]+(e-?\d+)?",
    "dropped": "[^\n]*",  # not missing
}  # regular expressions of its columns


@dataclass(frozen=True)
class InspectedFile:
    """Result of inspecting one file: a row of ``photographs.csv``."""

    file: str
    """Path of the image file, or of the tar shard that contains it."""
    source: str
    """See ``dataset.Photograph``, also for the next three fields."""
    member: str
    offset: int
    size: int
    stamp: str
    """Size in bytes and modification time in nanoseconds of ``file``, to detect changes; empty if they are unknown."""
    sha1: str = ""
    """SHA-1 of the image file, hexadecimal; empty if it was not decoded."""
    colorfulness: float = 0.0
    """See ``dataset.Photograph``; 0 if the file was not decoded."""
    hash: str = ""
    """Difference hash of 256 bits in hexadecimal: whether the picture gets brighter to the right, in each cell of a 16
    by 16 grid, in shuffled order. Empty if the file was not decoded."""
    mean: str = ""
    """Mean R, G and B, 0 to 255, separated by spaces; empty if the file was not decoded."""
    converted: str = ""
    """``yes`` if the colours are converted from an ICC profile; see ``dataset.Photograph``."""
    dropped: str = ""
    """Reason for leaving the file out; empty if it is kept."""


@dataclass(frozen=True)
class Inspection:
    """The usable photographs of a folder, and those left out."""

    photographs: list[Photograph]
    dropped: dict[str, int]
    """Number of photographs left out, by reason."""
    faulty: dict[Path, str] = field(default_factory=dict)
    """Reason by path (within a shard, if it is in one) for each of them that is unreadable, damaged or too large."""

    def __str__(self) -> str:
        total = len(self.photographs) + sum(self.dropped.values())
        reasons = ", ".join(f"{count:,} {reason}" for reason, count in sorted(self.dropped.items()))
        usable = f"{counted(total, 'photograph')}, {len(self.photographs):,} usable"
        return f"{usable}; left out: {reasons}" if reasons else usable


def inspect_for_training(folder: Path, table: Path) -> Inspection:
    """Find the photographs of a folder that are suitable for training, as ``inspect`` does.

    Raises:
        TrainingError: As for ``inspect``, or fewer than 20 photographs are usable.
    """
    inspection = inspect(folder, table)
    if len(inspection.photographs) < MIN_PHOTOGRAPHS:
        reasons = f"; {table} says which were left out, and why" if table.is_file() and inspection.dropped else ""
        raise TrainingError(
            f"{inspection}; training needs at least {MIN_PHOTOGRAPHS} colour photographs",
            path=folder,
            remedy=f"add photographs{reasons}",
        )
    return inspection


def inspect(folder: Path, table: Path | None = None) -> Inspection:
    """Find the photographs of a folder that are suitable for training or evaluation.

    Args:
        folder: Folder of photographs and tar shards, or one shard. If it contains an ``index.csv`` with the columns
            file, source, colourfulness and sha1, the index is trusted: no photograph is read, and no table is written.
        table: CSV file for the results. If it exists, unchanged files in it are not inspected again.

    Raises:
        TrainingError: The folder does not exist or contains no photographs; a folder, the index, a shard or the table
            cannot be read; or the table cannot be written.
    """
    if not folder.exists():
        raise TrainingError("does not exist", path=folder, remedy="give a folder of photographs")
    if (index := folder / "index.csv").is_file():
        listed = from_index(index)
        usable = [p for p in listed if p.colorfulness >= MIN_COLORFULNESS]
        grey = len(listed) - len(usable)
        return Inspection(usable, {"nearly grey": grey} if grey else {})
    rows = without_duplicates(_inspect_all(folder, table))
    if table is not None:
        write_table(rows, table)
    return _summary(rows)


def _inspect_all(folder: Path, table: Path | None) -> list[InspectedFile]:
    """Inspect all files that have changed, and return the rows of all files.

    The table is written, too, even if the inspection is interrupted.

    Raises:
        TrainingError: There are no files of a photograph's extension, or the table cannot be read or written.
    """
    earlier = read_table(table) if table is not None and table.is_file() else []
    known = {(row.file, row.member, row.offset, row.stamp): row for row in earlier}
    if not (listed := list(files(folder))):
        remedy = f"put {', '.join(SUFFIXES)} files into it or into its subfolders"
        raise TrainingError("contains no photographs", path=folder, remedy=remedy)
    rows: list[InspectedFile] = []
    try:
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            for start in tqdm(range(0, len(listed), 512), "inspecting", unit="512 photographs", disable=None):
                rows += pool.map(lambda file: _inspect_file(file, known), listed[start : start + 512])
    finally:  # an interrupted inspection resumes from this table
        if rows and table is not None:
            write_table(rows, table)
    return rows


def _inspect_file(file: File, known: dict[tuple[str, str, int, str], InspectedFile]) -> InspectedFile:
    """Inspect a file, or return its earlier row if the file is unchanged."""
    row = InspectedFile(str(file.path), file.source, file.member, file.offset, file.size, "")
    if Path(file.member or file.path).suffix.lower() in HEIF_SUFFIXES:
        return replace(row, dropped="in HEIF or AVIF (convert to JPEG)")
    try:
        status = file.path.stat()
        row = replace(row, stamp=f"{status.st_size} {status.st_mtime_ns}")
        before = known.get((row.file, row.member, row.offset, row.stamp))
        if before is not None and before.dropped != "unreadable":  # such a file may be readable now
            return replace(before, dropped="") if "duplicate" in before.dropped else before
        data = read(file.path, file.offset, file.size)
        if is_own_output(file.path, data):
            return replace(row, dropped="made by Photochrom")
    except OSError:
        return replace(row, dropped="unreadable")
    try:
        rgb, short_side = _decode_strictly(data, file.path)
    except PhotoError:
        return replace(row, dropped="too large")
    except Exception:  # Pillow's decoders raise almost anything for damaged files
        return replace(row, dropped="damaged")
    color = colorfulness(rgb)
    reason = "tiny" if short_side < MIN_SIDE else "nearly grey" if color < MIN_COLORFULNESS else ""
    mean = " ".join(f"{value:.1f}" for value in rgb.mean((0, 1)))
    sha1 = hashlib.sha1(data).hexdigest()
    row = replace(row, sha1=sha1, converted="yes" if is_converted(data) else "")
    return replace(row, colorfulness=color, hash=_difference_hash(rgb), mean=mean, dropped=reason)


def _decode_strictly(data: bytes, path: Path) -> tuple[np.ndarray, int]:
    """Return a picture in sRGB, uint8 ``[H, W, 3]``, large JPEGs at a reduced scale, and its true short side in pixels.

    An error is raised for damaged files, some of which OpenCV, the decoder used in training, would accept.
    """
    if data[:2] == b"\xff\xd8":
        height, width, space, _ = simplejpeg.decode_jpeg_header(data)
        if space not in ("CMYK", "YCCK"):
            is_large = min(height, width) > _DECODED_SIDE
            minimum = {"min_height": _DECODED_SIDE, "min_width": _DECODED_SIDE} if is_large else {}
            return in_srgb(simplejpeg.decode_jpeg(data, "RGB", **minimum), data, path), min(height, width)
    with open_image(data, FORMATS) as image:
        check_size(*image.size)
        image.load()  # raises an error for damaged files
    rgb = decode(data, path)
    return rgb, min(rgb.shape[:2])


def _difference_hash(rgb: np.ndarray) -> str:
    """Return the difference hash of a picture; see ``InspectedFile.hash``."""
    grey = cv2.resize(cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY), (17, 16), interpolation=cv2.INTER_AREA).astype(int)
    return np.packbits((grey[:, 1:] > grey[:, :-1]).ravel()[_SHUFFLED]).tobytes().hex()


def without_duplicates(rows: Sequence[InspectedFile]) -> list[InspectedFile]:
    """Return the rows, with duplicates and near duplicates marked as dropped.

    If one of two near duplicates is held out, it is the one that is kept, so that no held-out photograph is trained on.
    """
    seen: set[str] = set()
    bands: dict[tuple[int, str], list[InspectedFile]] = defaultdict(list)
    marked = {}
    for i in sorted(range(len(rows)), key=lambda i: not (rows[i].sha1 and is_held_out(rows[i].sha1))):
        row = rows[i]
        if not row.dropped and row.sha1 in seen:
            row = replace(row, dropped="duplicate")
        elif not row.dropped:
            keys = [(k, row.hash[k : k + _BAND]) for k in range(0, len(row.hash), _BAND)]
            if any(_alike(row, other) for key in keys for other in bands[key]):
                row = replace(row, dropped="nearly duplicate")
            else:
                seen.add(row.sha1)
                for key in keys:
                    bands[key].append(row)
        marked[i] = row
    return [marked[i] for i in range(len(rows))]


def _alike(one: InspectedFile, other: InspectedFile) -> bool:
    """Return whether two pictures are near duplicates, judging by their hashes and mean colours."""
    if (int(one.hash, 16) ^ int(other.hash, 16)).bit_count() > _NEAR:
        return False
    return all(
        abs(float(a) - float(b)) < _NEAR_COLOR for a, b in zip(one.mean.split(), other.mean.split(), strict=True)
    )


def read_table(path: Path) -> list[InspectedFile]:
    """Read a table written by ``write_table``.

    Raises:
        TrainingError: The table cannot be read, or is damaged.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig", errors="surrogateescape") as file:
            return [_parsed(row) for row in csv.DictReader(file)]
    except (OSError, ValueError, TypeError, csv.Error) as exc:
        raise TrainingError(
            f"cannot be read ({exc})", path=path, remedy="delete it to inspect the photographs again"
        ) from exc


def _parsed(cells: dict[str, str]) -> InspectedFile:
    """Return a row of a table.

    Raises:
        ValueError, TypeError: The row is not as ``write_table`` writes it, perhaps because a spreadsheet has saved it.
    """
    columns = [field.name for field in fields(InspectedFile)]
    if sorted(map(str, cells)) != sorted(columns):
        raise ValueError(f"its columns are not {','.join(columns)}")
    for name, value in cells.items():
        if (form := _FORMS.get(name)) and not re.fullmatch(form, value):
            raise ValueError(f"{name} is {value!r:.60}")
    row = InspectedFile(**{name: _KINDS.get(name, str)(value) for name, value in cells.items()})
    if row.dropped or (row.sha1 and row.hash and row.mean):
        return row
    raise ValueError(f"there are no results for {row.file!r:.60}")


def write_table(rows: Iterable[InspectedFile], path: Path) -> None:
    """Write a table with one row per file, replacing the previous one; if writing fails, the previous one is kept.

    Raises:
        TrainingError: The table cannot be written.
    """
    text = io.StringIO()
    table = csv.DictWriter(text, [field.name for field in fields(InspectedFile)], lineterminator="\n")
    table.writeheader()
    table.writerows(asdict(row) for row in rows)
    write(path, text.getvalue().encode("utf-8", "surrogateescape"))


def _summary(rows: Sequence[InspectedFile]) -> Inspection:
    """Return the photographs that are not dropped, and what is known of the others."""
    kept = [
        Photograph(
            Path(k.file), k.sha1, k.source, k.colorfulness, k.member, k.offset, k.size, converted=bool(k.converted)
        )
        for k in rows
        if not k.dropped
    ]
    faulty = {Path(row.file) / row.member: row.dropped for row in rows if row.dropped in _FAULTS}
    return Inspection(kept, dict(Counter(row.dropped for row in rows if row.dropped)), faulty)
