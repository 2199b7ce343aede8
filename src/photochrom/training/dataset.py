"""Colour photographs in a folder -> what an autoencoder learns from: (lightness, true a*b*).

The grey picture is made from the colour one as a black-and-white photograph is: its luma Y' (BT.601), nothing else.
"""

from __future__ import annotations

import csv
import hashlib
import random
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from ..chroma import lightness_of_luma, luma_of_rgb, rgb_to_lab
from ..errors import TrainingError

SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff", ".bmp")
VALIDATION_SHARE = 46  # one photograph in so many is held out: 2,000 of 93,440
MIN_COLORFULNESS = 15.0  # greyer pictures teach grey (Kim et al. 2022, BigColor)


@dataclass(frozen=True)
class Photograph:
    """One colour photograph of a data set."""

    path: Path
    sha1: str
    """Of the original file; decides whether the photograph is held out."""
    source: str
    """The top folder it lies in."""
    colorfulness: float
    """Hasler and Suesstrunk 2003, signed form."""

    @property
    def held_out(self) -> bool:
        """Whether it belongs to the validation set: by content alone, so for ever, whatever else the folder holds."""
        return int(self.sha1[:8], 16) % VALIDATION_SHARE == 0


def find_photographs(folder: Path) -> list[Photograph]:
    """All colour photographs under ``folder``, in a fixed order.

    An ``index.csv`` with the columns file, source, colourfulness and sha1 is believed; else the files are read.

    Raises:
        TrainingError: there are none.
    """
    index = folder / "index.csv"
    found = _from_index(index) if index.is_file() else _from_files(folder)
    if not found:
        raise TrainingError(f"no photographs in {folder}: it needs {', '.join(SUFFIXES)} files, in folders or flat")
    return found


def _from_index(index: Path) -> list[Photograph]:
    with index.open(newline="") as file:
        return [
            Photograph(index.parent / row["file"], row["sha1"], row["source"], float(row["colourfulness"]))
            for row in csv.DictReader(file)
        ]


def _from_files(folder: Path) -> list[Photograph]:
    found = []
    for path in sorted(p for p in folder.rglob("*") if p.suffix.lower() in SUFFIXES):
        data = path.read_bytes()
        relative = path.relative_to(folder)
        source = relative.parts[0] if len(relative.parts) > 1 else ""
        found.append(Photograph(path, hashlib.sha1(data).hexdigest(), source, colorfulness(decode(data, path))))
    return found


def split(photographs: Iterable[Photograph]) -> tuple[list[Photograph], list[Photograph]]:
    """(training, validation), nearly grey pictures dropped from both."""
    colored = [p for p in photographs if p.colorfulness >= MIN_COLORFULNESS]
    return [p for p in colored if not p.held_out], [p for p in colored if p.held_out]


def sample(photographs: Sequence[Photograph], count: int, cap: int, seed: int = 0) -> list[Photograph]:
    """At most ``count`` photographs, at most ``cap`` of a source so that no source rules, shuffled."""
    by_source: dict[str, list[Photograph]] = defaultdict(list)
    for photograph in photographs:
        by_source[photograph.source].append(photograph)
    draw = random.Random(seed)
    kept = [p for source in sorted(by_source) for p in draw.sample(by_source[source], min(cap, len(by_source[source])))]
    draw.shuffle(kept)
    return kept[:count]


def decode(data: bytes, path: Path) -> np.ndarray:
    """Bytes of an image file -> RGB uint8 ``[H, W, 3]``.

    Raises:
        TrainingError: the file cannot be decoded.
    """
    bgr = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR) if data else None
    if bgr is None:
        raise TrainingError(f"{path} cannot be decoded: remove it from the photographs")
    return np.ascontiguousarray(bgr[..., ::-1])


def square(rgb: np.ndarray, size: int) -> np.ndarray:
    """The central square of an RGB uint8 picture, at ``size`` by ``size`` pixels."""
    height, width = rgb.shape[:2]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    crop = rgb[top : top + side, left : left + side]
    return cv2.resize(crop, (size, size), interpolation=cv2.INTER_AREA if side >= size else cv2.INTER_CUBIC)


def training_pair(rgb: np.ndarray, grid: int) -> tuple[np.ndarray, np.ndarray]:
    """An RGB uint8 square ``[S, S, 3]`` -> (lightness L*/100 float32 ``[S, S]``, a*b* float32 ``[2, grid, grid]``).

    The lightness is that of the grey photograph, whose R'G'B' all equal the luma of the colour one.
    """
    lightness = lightness_of_luma(luma_of_rgb(rgb)) / 100
    small = cv2.resize(rgb.astype(np.float32) / 255, (grid, grid), interpolation=cv2.INTER_AREA)
    return lightness, rgb_to_lab(small)[..., 1:].transpose(2, 0, 1)


def colorfulness(rgb: np.ndarray, absolute: bool = False) -> float:
    """Hasler and Suesstrunk 2003, M3, of RGB uint8 ``[H, W, 3]``.

    Their opponent axes are signed; several colorizers publish figures with absolute values instead (``absolute``).
    """
    r, g, b = np.moveaxis(rgb.astype(np.float32), -1, 0)
    rg, yb = r - g, (r + g) / 2 - b
    if absolute:
        rg, yb = np.abs(rg), np.abs(yb)
    return float(np.hypot(rg.std(), yb.std()) + 0.3 * np.hypot(rg.mean(), yb.mean()))
