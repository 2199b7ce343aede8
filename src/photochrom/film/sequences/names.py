"""``Pattern``: the names of numbered frames, such as ``reel.%07d.dpx``; finds the sequence in a folder."""

from __future__ import annotations

import itertools
import re
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

from ...errors import FilmError

SUFFIXES = {
    ".dpx": "dpx",
    ".tif": "tiff",
    ".tiff": "tiff",
    ".png": "png",
    ".jpg": "jpeg",
    ".jpeg": "jpeg",
    ".jp2": "jp2",
    ".j2k": "jp2",
    ".exr": "exr",
}
"""Formats of numbered frames, by file suffix."""
# A hyphen is a minus sign only after a dot, an underscore or nothing: reel-003.png is frame 3, and reel.-003.png is -3.
_NUMBERED = re.compile(r"(.*?)((?:(?<![^._])-)?\d+)(\.[A-Za-z0-9]+)", re.DOTALL)
_PLACEHOLDER = re.compile(r"%(0\d+)?d|#+")
_SURELY = re.compile(r"%(0\d+)?d|##+")  # a placeholder for certain; names of films and folders may contain a single #
_FRAME_SUFFIXES = (".dpx", ".exr")  # such a file denotes its whole sequence; files of other formats may be photographs
_WIDEST = 200  # most digits of a number; file names are not much longer
_MOST_LISTED = 5  # sequences, or runs of missing frames, that a message lists


@dataclass(frozen=True)
class Pattern:
    """The names of a sequence's files: a folder, and a file name with a placeholder for the frame's number."""

    folder: Path
    prefix: str
    """Text before the number."""
    suffix: str
    """File suffix with its dot."""
    width: int
    """Least number of characters of a number, with its minus sign; shorter ones are padded with zeros."""

    @property
    def path(self) -> Path:
        """The pattern in FFmpeg's notation: ``folder/reel.%07d.dpx``."""
        placeholder = f"%0{self.width}d" if self.width > 1 else "%d"
        return self.folder / f"{self.prefix}{placeholder}{self.suffix}"

    @property
    def format(self) -> str:
        """Name of the frames' format, a value of ``SUFFIXES``."""
        return SUFFIXES[self.suffix.lower()]

    def file(self, number: int) -> Path:
        """Return the path of the frame with this number."""
        return self.folder / f"{self.prefix}{number:0{self.width}}{self.suffix}"

    def numbers(self) -> list[int]:
        """Return the numbers of the frames that exist, in increasing order.

        Raises:
            OSError: The folder cannot be read.
        """
        found = []
        for path in self.folder.iterdir():
            if (parts := _NUMBERED.fullmatch(path.name)) and (parts[1], parts[3]) == (self.prefix, self.suffix):
                number = int(parts[2])
                if path.name == self.file(number).name:
                    found.append(number)
        return sorted(found)


def is_pattern(path: Path) -> bool:
    """Return whether a path is a pattern of numbered frames: ``reel.%07d.dpx`` or ``reel.#######.dpx``."""
    return path.suffix.lower() in SUFFIXES and _PLACEHOLDER.search(path.name) is not None


def pattern_of(path: Path) -> Pattern:
    """Parse a pattern such as ``reel.%07d.dpx`` or ``reel.#######.dpx``.

    Raises:
        FilmError: The name does not consist of a prefix, one placeholder, and a suffix of ``SUFFIXES``.
    """
    places = list(_PLACEHOLDER.finditer(path.name))
    if len(places) != 1 or path.suffix.lower() not in SUFFIXES:
        raise FilmError("is not a pattern of frames", path=path, remedy="write one like reel.%07d.dpx")
    place = places[0]
    width = int(place[1] or 1) if place[0].startswith("%") else len(place[0])
    if width > _WIDEST:
        raise FilmError("is not a pattern of frames", path=path, remedy="write one like reel.%07d.dpx")
    rest = path.name[place.end() :]
    if rest != path.suffix:
        raise FilmError("has text after the number", path=path, remedy="write a pattern like reel.%07d.dpx")
    return Pattern(path.parent, path.name[: place.start()], path.suffix, width)


def check_suffix(path: Path) -> None:
    """Reject a pattern of an unsupported format, which would otherwise be used as the name of a folder.

    Raises:
        FilmError: The path is such a pattern.
    """
    if _SURELY.search(path.name) and path.suffix and path.suffix.lower() not in SUFFIXES and not path.is_dir():
        raise FilmError(
            f"cannot be written, since numbered frames cannot have the suffix {path.suffix}",
            path=path,
            remedy=f"use {', '.join(SUFFIXES)}",
        )


def find_sequence(path: Path) -> Pattern | None:
    """Return the pattern of the sequence that a path denotes; None if the path is a film in one file.

    Args:
        path: A pattern, a folder, or one frame of a DPX or OpenEXR sequence.

    Raises:
        FilmError: A folder holds no numbered frames, several sequences, or one with inconsistent numbering; or the path
            is an invalid pattern.
        OSError: A folder cannot be read.
    """
    if path.is_dir():
        return _in_folder(path)
    if family := family_of(path):
        return _checked_pattern(*family, _digits_by_name(path.parent)[family[1:]])
    return pattern_of(path) if is_pattern(path) and not path.is_file() else None


def family_of(path: Path) -> tuple[Path, str, str] | None:
    """Return folder, prefix and suffix of the sequence that a DPX or OpenEXR file belongs to; None for other files."""
    parts = _parts_of(path)
    if parts is None or path.suffix.lower() not in _FRAME_SUFFIXES or not path.is_file():
        return None
    return path.parent, parts[1], parts[3]


def _parts_of(path: Path) -> re.Match[str] | None:
    """Split a file name at its number; return None without a number, or for a hidden file such as ``._r0001.dpx``."""
    return None if path.name.startswith(".") else _NUMBERED.fullmatch(path.name)


def is_alone(pattern: Pattern) -> bool:
    """Return whether a folder holds no other numbered frames than those of a pattern.

    Raises:
        OSError: The folder cannot be read.
    """
    return _digits_by_name(pattern.folder).keys() <= {(pattern.prefix, pattern.suffix)}


def _in_folder(folder: Path) -> Pattern:
    """Return the pattern of the only sequence in a folder.

    Raises:
        FilmError: There is no sequence, several, or one with inconsistent numbering.
        OSError: The folder cannot be read.
    """
    groups = _digits_by_name(folder)
    if not groups:
        raise FilmError(
            f"cannot be read, since it is a folder without numbered frames ({', '.join(SUFFIXES)})",
            path=folder,
            remedy="name a film in it, or convert its frames to one of these formats",
        )
    if len(groups) > 1:
        patterns = sorted((_unchecked_pattern(folder, a, b, digits).path for (a, b), digits in groups.items()), key=str)
        firsts = sorted(f"{a}{min(digits, key=int)}{b}" for (a, b), digits in groups.items())
        raise FilmError(
            f"holds several sequences (beginning with {', '.join(firsts[:_MOST_LISTED])})",
            path=folder,
            remedy=f"name one, as in {patterns[0]}",
        )
    (((prefix, suffix), digits),) = groups.items()
    return _checked_pattern(folder, prefix, suffix, digits)


def _digits_by_name(folder: Path) -> dict[tuple[str, str], list[str]]:
    """Return the numbers as written in a folder's file names that are not hidden, by prefix and suffix."""
    groups: dict[tuple[str, str], list[str]] = defaultdict(list)
    for path in folder.iterdir():
        if (parts := _parts_of(path)) and parts[3].lower() in SUFFIXES:
            groups[parts[1], parts[3]].append(parts[2])
    return groups


def _checked_pattern(folder: Path, prefix: str, suffix: str, digits: list[str]) -> Pattern:
    """Return the pattern of frames, given the digits in their names.

    Raises:
        FilmError: No single pattern matches them all, as with ``reel.7.dpx`` beside ``reel.0008.dpx``.
    """
    found = _unchecked_pattern(folder, prefix, suffix, digits)
    names = [f"{prefix}{text}{suffix}" for text in sorted(digits)]
    expected = {found.file(int(text)).name for text in digits}
    if others := [name for name in names if name not in expected]:
        example = next(name for name in names if name in expected)
        raise FilmError(
            f"has frames whose numbers are written in several ways ({others[0]}, and {example})",
            path=folder,
            remedy="rename them alike, or name a pattern like reel.%07d.dpx",
        )
    return found


def _unchecked_pattern(folder: Path, prefix: str, suffix: str, digits: list[str]) -> Pattern:
    """Return the pattern of frames, given the digits in their names, without checking that it matches all of them."""
    least = min(len(d) for d in digits)
    padded = any(len(d) > 1 and d.lstrip("-").startswith("0") for d in digits) or len({len(d) for d in digits}) == 1
    return Pattern(folder, prefix, suffix, least if padded else 1)


def missing(numbers: list[int]) -> list[range]:
    """Return the ranges of numbers that are missing from a list of increasing numbers."""
    # Millions of numbers may be missing if frames are numbered by date or time.
    return [range(a + 1, b) for a, b in itertools.pairwise(numbers) if b > a + 1]


def frames_in_words(runs: list[range]) -> str:
    """Format ranges of frame numbers as ``frame 12`` or ``frames 12, 15 to 17``; list the first five ranges at most."""
    words = [str(run[0]) if len(run) == 1 else f"{run[0]} to {run[-1]}" for run in runs[:_MOST_LISTED]]
    plural = "" if len(runs) == len(runs[0]) == 1 else "s"
    return f"frame{plural} {', '.join(words)}{', ...' if len(runs) > _MOST_LISTED else ''}"
