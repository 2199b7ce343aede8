"""The data set: colour photographs, those held out, and the square views that the network trains on.

The network sees a view's luma Y' (BT.601), or an aged version of it (``aging``), and learns to predict its a*b*.
"""

from __future__ import annotations

import csv
import hashlib
import json
import random
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from ...color.spaces import luma_of_rgb, rgb_to_lab
from ...errors import TrainingError, system_errors
from .aging import age
from .decoding import decode
from .sources import read

VALIDATION_SHARE = 46  # one photograph in this many is held out: 2,000 of 93,440
MIN_VALIDATION = 20  # minimum number of held-out photographs; a tenth of all if there are fewer than 200
CROP = (0.6, 1.0)  # range of a random square's side, relative to the picture's short side
AGED = 0.4  # share of the random views that are aged
MIN_COLORFULNESS = 15.0  # greyer pictures teach the network grey (Kim et al. 2022, BigColor)


@dataclass(frozen=True)
class Photograph:
    """One colour photograph of a data set."""

    path: Path
    """The image file, or the tar shard that contains it."""
    sha1: str
    """SHA-1 of the image file, hexadecimal; determines whether the photograph is held out."""
    source: str
    """Top-level folder of the image file, such as the name of a collection; empty if it is in none."""
    colorfulness: float
    """Colourfulness with signed axes (Hasler and Suesstrunk 2003)."""
    member: str = ""
    """Name within the shard; empty if the photograph is not in a shard."""
    offset: int = 0
    """Position in the shard, in bytes."""
    size: int = -1
    """Size within the shard, in bytes; -1 if the photograph is not in a shard."""
    converted: bool = False
    """Whether the file has an ICC profile other than sRGB's, by which its colours are converted."""

    @property
    def held_out(self) -> bool:
        """Whether the photograph is held out; see ``is_held_out``."""
        return is_held_out(self.sha1)

    @property
    def name(self) -> str:
        """File name for display, without its folders."""
        return Path(self.member).name if self.member else self.path.name

    def read(self) -> bytes:
        """Read the bytes of the image file.

        Raises:
            TrainingError: The file cannot be read.
        """
        with system_errors(TrainingError, self.path, "give access to it, or remove it"):
            return read(self.path, self.offset, self.size)

    def decode(self) -> np.ndarray:
        """Read and decode the photograph to sRGB, uint8 ``[H, W, 3]``; see ``decoding.decode``.

        Raises:
            TrainingError: The photograph cannot be read or decoded.
        """
        return decode(self.read(), self.path / self.member)


def is_held_out(sha1: str) -> bool:
    """Return whether a photograph is held out, which depends only on the SHA-1 of its file."""
    return int(sha1[:8], 16) % VALIDATION_SHARE == 0


Skip = Callable[[TrainingError], None]
"""Function called with the error for a photograph that cannot be read, which is left out unless the function raises."""


def refuse(exc: TrainingError) -> None:
    """Raise the given error; parameters named ``skip`` have this function as their default."""
    raise exc


def from_index(index: Path) -> list[Photograph]:
    """Return the photographs listed in an ``index.csv``, without reading them.

    Raises:
        TrainingError: The file cannot be read, a column is missing, or a number or hash is invalid.
    """
    try:
        with index.open(newline="", encoding="utf-8-sig", errors="surrogateescape") as file:
            return [
                Photograph(
                    index.parent / row["file"], _checked(row["sha1"]), row["source"], float(row["colourfulness"])
                )
                for row in csv.DictReader(file)
            ]
    except (OSError, KeyError, ValueError, TypeError, csv.Error) as exc:  # TypeError: a row is too short
        raise TrainingError(
            f"is not a list of photographs ({exc})",
            path=index,
            remedy="move it away, or give it the columns file, source, sha1 and colourfulness, separated by commas",
        ) from exc


def _checked(sha1: str) -> str:
    """Return a hash unchanged, or raise ``ValueError`` if it is not hexadecimal."""
    int(sha1[:8], 16)
    return sha1


def split(photographs: Iterable[Photograph]) -> tuple[list[Photograph], list[Photograph]]:
    """Split photographs into those for training and those for validation, leaving out nearly grey ones.

    The held-out photographs are for validation. If they are too few, those with the lowest hashes are added until there
    are 20, or a tenth of all photographs if that is fewer.
    """
    colored = [p for p in photographs if p.colorfulness >= MIN_COLORFULNESS]
    by_hash = sorted(colored, key=lambda p: (not p.held_out, p.sha1))
    validation = set(by_hash[: max(sum(p.held_out for p in colored), min(MIN_VALIDATION, len(colored) // 10))])
    return [p for p in colored if p not in validation], [p for p in colored if p in validation]


def sample(photographs: Sequence[Photograph], count: int, cap: int, seed: int = 0) -> list[Photograph]:
    """Draw up to ``count`` photographs at random, but at most ``cap`` of each source, so that no source dominates."""
    by_source: dict[str, list[Photograph]] = defaultdict(list)
    for photograph in photographs:
        by_source[photograph.source].append(photograph)
    draw = random.Random(seed)
    kept = [p for source in sorted(by_source) for p in draw.sample(by_source[source], min(cap, len(by_source[source])))]
    draw.shuffle(kept)
    return kept[:count]


@dataclass(frozen=True, slots=True)  # a recipe may have millions of them
class View:
    """A square crop of a photograph, the same each time it is loaded."""

    photograph: Photograph
    number: int = 0
    """Number of the view: 0 is the central square; all others are random squares, some of them mirrored or aged."""
    aged: float = AGED
    """Probability that a random square is aged."""

    def load(self, size: int) -> tuple[np.ndarray, np.ndarray]:
        """Return the square, RGB uint8 ``[size, size, 3]``, and its luma, uint8 ``[size, size]``, which may be aged.

        Raises:
            TrainingError: The photograph cannot be read or decoded.
        """
        rgb = self.photograph.decode()
        if self.number == 0:
            rgb = square(rgb, size)
            return rgb, luma_of_rgb(rgb)
        rng = np.random.default_rng([int(self.photograph.sha1[:8], 16), self.number])
        rgb = square(rgb, size, rng)
        return rgb, age(rgb, rng) if rng.random() < self.aged else luma_of_rgb(rgb)


def views(photographs: Sequence[Photograph], each: int, first: int = 0, aged: float = AGED) -> list[View]:
    """Return ``each`` views of every photograph, sorted by the number of the view.

    Args:
        photographs: The photographs.
        each: Number of views of each photograph.
        first: Number of the first view; 0 for the central square.
        aged: Probability that a random view is aged.
    """
    return [View(photograph, number, aged) for number in range(first, first + each) for photograph in photographs]


def set_hash(photographs: Iterable[Photograph]) -> str:
    """Return a SHA-256 of the names and contents of photographs, whatever their order, in hexadecimal."""
    lines = sorted(f"{p.sha1} {p.source}/{p.name}" for p in photographs)
    return hashlib.sha256("\n".join(lines).encode("utf-8", "surrogateescape")).hexdigest()


def fingerprint(views: Sequence[View]) -> str:
    """Return a text that identifies a set of views and their order: its size and a hash."""
    identities = [(v.photograph.sha1, v.photograph.converted, v.number, v.aged) for v in views]
    return f"{len(views):,} views, sha256 {hashlib.sha256(json.dumps(identities).encode()).hexdigest()[:16]}"


def square(rgb: np.ndarray, size: int, rng: np.random.Generator | None = None) -> np.ndarray:
    """Crop a square of an RGB uint8 picture ``[H, W, 3]``, and scale it to ``[size, size, 3]``.

    Args:
        rgb: The picture.
        size: Side of the result, in pixels.
        rng: Source of random choices for a random square, mirrored half of the time; None for the central square.
    """
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
    """Return the a*b* of the mean colour in each cell of a grid, float32 ``[2, grid, grid]``.

    Args:
        rgb: Square picture, RGB uint8 ``[S, S, 3]``.
        grid: Side of the grid, in cells.
    """
    small = cv2.resize(rgb.astype(np.float32) / 255, (grid, grid), interpolation=cv2.INTER_AREA)
    return rgb_to_lab(small)[..., 1:].transpose(2, 0, 1)


def colorfulness(rgb: np.ndarray, absolute: bool = False) -> float:
    """Return the colourfulness M3 (Hasler and Suesstrunk 2003) of RGB uint8 ``[H, W, 3]``.

    Args:
        rgb: The picture.
        absolute: Whether to take absolute values along the opponent axes. M3 uses signed ones, but figures published
            for several colorizers use absolute ones.
    """
    r, g, b = np.moveaxis(rgb.astype(np.float32), -1, 0)
    rg, yb = r - g, (r + g) / 2 - b
    if absolute:
        rg, yb = np.abs(rg), np.abs(yb)
    return float(np.hypot(rg.std(), yb.std()) + 0.3 * np.hypot(rg.mean(), yb.mean()))
