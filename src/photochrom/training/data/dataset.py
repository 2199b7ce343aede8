"""The data set: colour photographs, the held-out split, and views as pairs of luma and true a*b*.

The grey picture is the luma Y' (BT.601) of the colour picture, or an aged version of it (``aging``).
"""

from __future__ import annotations

import csv
import hashlib
import json
import random
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np

from ...color.spaces import luma_of_rgb, rgb_to_lab
from ...errors import TrainingError
from .aging import age
from .sources import SUFFIXES, files, read

VALIDATION_SHARE = 46  # one photograph in this many is held out: 2,000 of 93,440
MIN_VALIDATION = 20  # least number of held-out photographs, if the folder has ten times as many
CROP = (0.6, 1.0)  # range of a random square's side, relative to the largest square
AGED = 0.4  # share of the random views that are aged
MIN_COLORFULNESS = 15.0  # greyer pictures teach the network grey (Kim et al. 2022, BigColor)


@dataclass(frozen=True)
class Photograph:
    """One colour photograph of a data set."""

    path: Path
    """The file, or the tar shard that holds it."""
    sha1: str
    """SHA-1 of the file, hexadecimal; determines whether the photograph is held out."""
    source: str
    """Top-level folder of the file."""
    colorfulness: float
    """Colourfulness with signed axes (Hasler and Suesstrunk 2003)."""
    member: str = ""
    """Name within the shard; empty if the photograph is a file."""
    offset: int = 0
    """Position in the shard, in bytes."""
    size: int = -1
    """Size within the shard, in bytes; -1 if the photograph is a file."""

    @property
    def held_out(self) -> bool:
        """See ``is_held_out``."""
        return is_held_out(self.sha1)

    @property
    def name(self) -> str:
        """File name for display; within a shard, the member's."""
        return Path(self.member).name if self.member else self.path.name

    def read(self) -> bytes:
        """Read the bytes of the image file.

        Raises:
            TrainingError: The file cannot be read.
        """
        try:
            return read(self)
        except OSError as exc:
            raise TrainingError(
                f"{self.path} cannot be read ({exc.strerror})", remedy="give access, or take it out"
            ) from exc

    def decode(self) -> np.ndarray:
        """Read and decode the photograph to RGB uint8 ``[H, W, 3]``.

        Raises:
            TrainingError: The photograph cannot be read or decoded.
        """
        return decode(self.read(), self.path / self.member)


def is_held_out(sha1: str) -> bool:
    """Return whether a file belongs to the validation set; depends only on its content."""
    return int(sha1[:8], 16) % VALIDATION_SHARE == 0


Skip = Callable[[TrainingError], None]


def refuse(exc: TrainingError) -> None:
    """Raise the error; the default for ``skip``."""
    raise exc


def find_photographs(folder: Path, skip: Skip = refuse) -> list[Photograph]:
    """Find all colour photographs under ``folder``, in a fixed order.

    An ``index.csv`` with the columns file, source, colourfulness and sha1 is trusted. Without one, all files are read,
    including those in tar shards.

    Args:
        folder: Folder of photographs, or a tar shard.
        skip: Called with the error for each photograph that cannot be read; unless it raises, the photograph is left
            out.

    Raises:
        TrainingError: The folder does not exist or holds no photographs.
    """
    if not folder.exists():
        raise TrainingError(f"there is no {folder}", remedy="give a folder of photographs")
    index = folder / "index.csv"
    found = from_index(index) if index.is_file() else list(_from_files(folder, skip))
    if not found:
        raise TrainingError(
            f"no photographs in {folder}", remedy=f"it needs {', '.join(SUFFIXES)} files, in folders or flat"
        )
    return found


def from_index(index: Path) -> list[Photograph]:
    """Return the photographs listed in an ``index.csv``, without reading them.

    Raises:
        TrainingError: A column is missing, or a number or hash is invalid.
    """
    try:
        with index.open(newline="", encoding="utf-8", errors="surrogateescape") as file:
            return [
                Photograph(index.parent / row["file"], _hash(row["sha1"]), row["source"], float(row["colourfulness"]))
                for row in csv.DictReader(file)
            ]
    except (OSError, KeyError, ValueError, TypeError) as exc:  # TypeError: a row is too short
        raise TrainingError(
            f"{index} is not a list of photographs ({exc})", remedy="correct it, or move it away"
        ) from exc


def _hash(text: str) -> str:
    int(text[:8], 16)  # raises ValueError; the hash determines the held-out photographs and the views
    return text


def _from_files(folder: Path, skip: Skip) -> Iterator[Photograph]:
    for file in files(folder):
        unread = Photograph(file.path, "", file.source, 0.0, file.member, file.offset, file.size)
        try:
            data = unread.read()
            color = colorfulness(decode(data, file.path / file.member))
        except TrainingError as exc:
            skip(exc)
        else:
            yield replace(unread, sha1=hashlib.sha1(data).hexdigest(), colorfulness=color)


def split(photographs: Iterable[Photograph]) -> tuple[list[Photograph], list[Photograph]]:
    """Split photographs into training and validation, leaving out nearly grey ones.

    Validation consists of the held-out photographs. If they are few, those with the lowest hashes are added until there
    are 20, or a tenth of all.
    """
    colored = [p for p in photographs if p.colorfulness >= MIN_COLORFULNESS]
    by_hash = sorted(colored, key=lambda p: (not p.held_out, p.sha1))
    validation = set(by_hash[: max(sum(p.held_out for p in colored), min(MIN_VALIDATION, len(colored) // 10))])
    return [p for p in colored if p not in validation], [p for p in colored if p in validation]


def sample(photographs: Sequence[Photograph], count: int, cap: int, seed: int = 0) -> list[Photograph]:
    """Draw at most ``count`` photographs at random, at most ``cap`` from each source so that none dominates."""
    by_source: dict[str, list[Photograph]] = defaultdict(list)
    for photograph in photographs:
        by_source[photograph.source].append(photograph)
    draw = random.Random(seed)
    kept = [p for source in sorted(by_source) for p in draw.sample(by_source[source], min(cap, len(by_source[source])))]
    draw.shuffle(kept)
    return kept[:count]


@dataclass(frozen=True, slots=True)  # a recipe may have millions of them
class View:
    """A square crop of a photograph, determined by the photograph and ``number``."""

    photograph: Photograph
    number: int = 0
    """0 for the unchanged central square; others are random squares, some of them mirrored or aged."""
    aged: float = AGED
    """Probability that a random square is aged."""

    def load(self, size: int) -> tuple[np.ndarray, np.ndarray]:
        """Return the square, RGB uint8 ``[size, size, 3]``, and its luma, possibly aged, uint8 ``[size, size]``.

        Raises:
            TrainingError: The photograph cannot be decoded.
        """
        rgb = self.photograph.decode()
        if self.number == 0:
            rgb = square(rgb, size)
            return rgb, luma_of_rgb(rgb)
        rng = np.random.default_rng([int(self.photograph.sha1[:8], 16), self.number])
        rgb = square(rgb, size, rng)
        return rgb, age(rgb, rng) if rng.random() < self.aged else luma_of_rgb(rgb)


def views(photographs: Sequence[Photograph], each: int, first: int = 0, aged: float = AGED) -> list[View]:
    """Return ``each`` views of every photograph: number ``first`` of all photographs, then the next of all, and so on.

    Args:
        photographs: The photographs.
        each: Number of views of each photograph.
        first: Number of the first view; 0 for the central square.
        aged: Share of the random views that are aged.
    """
    return [View(photograph, number, aged) for number in range(first, first + each) for photograph in photographs]


def fingerprint(views: Sequence[View]) -> str:
    """Return a hash of the views and their order, in hexadecimal."""
    return hashlib.sha256(json.dumps([_identity(v) for v in views]).encode()).hexdigest()


def _identity(view: View) -> tuple[str, int] | tuple[str, int, float]:
    """Return everything that determines a view; omits the default share of aged views, as older runs did."""
    identity = (view.photograph.sha1, view.number)
    return identity if view.number == 0 or view.aged == AGED else (*identity, view.aged)


def decode(data: bytes, path: Path) -> np.ndarray:
    """Decode the bytes of an image file to RGB uint8 ``[H, W, 3]``.

    Raises:
        TrainingError: The file cannot be decoded.
    """
    try:
        bgr = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR) if data else None
    except cv2.error:  # raised for some damaged files, such as those that claim to be huge
        bgr = None
    if bgr is None:
        raise TrainingError(f"{path} cannot be decoded", remedy="remove it from the photographs")
    return np.ascontiguousarray(bgr[..., ::-1])


def square(rgb: np.ndarray, size: int, rng: np.random.Generator | None = None) -> np.ndarray:
    """Crop the central square of an RGB uint8 picture, or with ``rng`` a random one, scaled to ``size`` pixels."""
    height, width = rgb.shape[:2]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    if rng is not None:
        side = round(side * rng.uniform(*CROP))
        top, left = rng.integers(0, height - side + 1), rng.integers(0, width - side + 1)
        rgb = rgb[:, ::-1] if rng.random() < 0.5 else rgb
    crop = np.ascontiguousarray(rgb[top : top + side, left : left + side])
    return cv2.resize(crop, (size, size), interpolation=cv2.INTER_AREA if side >= size else cv2.INTER_CUBIC)


def true_chroma(rgb: np.ndarray, grid: int) -> np.ndarray:
    """Return the a*b* of an RGB uint8 square ``[S, S, 3]`` on a small grid, float32 ``[2, grid, grid]``."""
    small = cv2.resize(rgb.astype(np.float32) / 255, (grid, grid), interpolation=cv2.INTER_AREA)
    return rgb_to_lab(small)[..., 1:].transpose(2, 0, 1)


def colorfulness(rgb: np.ndarray, absolute: bool = False) -> float:
    """Return the colourfulness M3 (Hasler and Suesstrunk 2003) of RGB uint8 ``[H, W, 3]``.

    Its opponent axes are signed; figures published for several colorizers use absolute values (``absolute``).
    """
    r, g, b = np.moveaxis(rgb.astype(np.float32), -1, 0)
    rg, yb = r - g, (r + g) / 2 - b
    if absolute:
        rg, yb = np.abs(rg), np.abs(yb)
    return float(np.hypot(rg.std(), yb.std()) + 0.3 * np.hypot(rg.mean(), yb.mean()))
