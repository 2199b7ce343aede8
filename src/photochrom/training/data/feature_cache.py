"""Caches the features of the frozen encoder on disk, so that they are computed once instead of in every epoch.

A cache is a folder: ``cache.json`` (its key), ``there.npy`` (bool, which views are computed), ``features.npy``
(float16, the encoder's feature maps one after another), ``chroma.npy`` (int8, true a*b*) and ``thumbnail.npy`` (uint8,
small lightness for the perceptual loss). An interrupted cache is resumed; if the encoder, the sizes, the photographs or
the views change, it is rebuilt.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Literal

import numpy as np
import torch
from numpy.typing import DTypeLike
from torch import Tensor
from tqdm import tqdm

from ...atomic import new_file
from ...errors import TrainingError
from ...json_text import parse_json
from ..atomic_files import writing
from ..networks.compilation import Compiled, compiled
from ..networks.encoders import Backbone
from .batches import Batch, Pictures, Sides, load_ahead, load_view
from .dataset import View, fingerprint

_BATCH = 32  # views encoded at once
_CHUNK = 256  # views between two updates of there.npy

Shapes = tuple[tuple[int, int, int], ...]  # (channels, height, width) of each feature map


@dataclass
class FeatureCache:
    """Source of batches with features that are in memory; those of ``DiskCache`` are in memory-mapped files."""

    features: np.ndarray
    """Feature maps, flattened and concatenated, float16 ``[count, values of all maps]``."""
    chroma: np.ndarray
    """True a*b*, rounded, int8 ``[count, 2, grid, grid]``."""
    shapes: Shapes
    """``(channels, height, width)`` of each feature map."""
    thumbnails: np.ndarray
    """Small lightness, 255 for white, uint8 ``[count, thumbnail, thumbnail]``."""

    def __len__(self) -> int:
        return len(self.chroma)

    def batch(self, indices: np.ndarray) -> Batch:
        """Return the batch of the views with the given indices; its inputs are feature maps, ``[N, C, h, w]`` each."""
        flat = torch.from_numpy(self.features[indices])  # [N, values of all maps]
        parts = flat.split([int(np.prod(s)) for s in self.shapes], dim=1)
        features = [
            p.float().view(-1, *s).contiguous(memory_format=torch.channels_last)  # [N, C, h, w]
            for p, s in zip(parts, self.shapes, strict=True)
        ]
        chroma = torch.from_numpy(self.chroma[indices]).float()  # [N, 2, grid, grid]
        thumbnails = torch.from_numpy(self.thumbnails[indices])[:, None]  # [N, 1, thumbnail, thumbnail]
        return Batch(features, chroma, small_lightness=thumbnails.float() / 255)

    def stream(self, indices: Iterator[np.ndarray]) -> Generator[Batch]:
        """Yield one batch per array of indices; two threads load the next ones ahead, which is fast enough."""
        return load_ahead(self.batch, indices, 2)

    def backbone_features(self, inputs: list[Tensor]) -> list[Tensor]:
        """Return the inputs, which are the cached features."""
        return inputs


class DiskCache(FeatureCache):
    """Source of batches with features on the disk: those of each view are computed on first use, or by ``fill``.

    Args:
        encoder: The frozen part of an encoder.
        views: Views in the order of their indices.
        folder: Folder of the cache; takes 56 kB (VGG16 at 224) to 500 kB (EfficientNet-Lite2 at 384) per view.
        sides: Sides of the cached arrays.
        encode: The compiled encoder.

    Raises:
        TrainingError: The folder cannot be written.
    """

    def __init__(self, encoder: Backbone, views: Sequence[View], folder: Path, sides: Sides, encode: Compiled) -> None:
        self._views, self._folder, self._sides, self._encode = views, folder, sides, encode
        self._lock, self._unrecorded = Lock(), 0
        key, shapes = _key(encoder, views, sides), _shapes(encoder, sides.picture)
        with writing(folder):
            super().__init__(*_open(folder, key, len(views), shapes, sides))
        self._computed = _recorded(folder, key, len(views))

    def batch(self, indices: np.ndarray) -> Batch:
        """Return the batch of the views with the given indices; missing features are computed first.

        Raises:
            TrainingError: A photograph cannot be read or decoded, or the folder cannot be written.
        """
        with self._lock:
            self._compute(indices[~self._computed[indices]])
        return super().batch(indices)

    def fill(self, name: str) -> None:
        """Compute all missing features; ``name`` is the kind of views, such as ``training``, for the progress bar.

        Raises:
            TrainingError: A photograph cannot be read or decoded, or the disk is too small or cannot be written.
        """
        if len(missing := np.flatnonzero(~self._computed)):
            for array in self._arrays:
                _reserve(array, 0, len(self))
            with tqdm(desc=f"{name} features", total=len(self), initial=len(self) - len(missing), disable=None) as bar:
                self._compute(missing, bar.update)

    @property
    def _arrays(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        return self.features, self.chroma, self.thumbnails

    def _compute(self, indices: np.ndarray, on_view: Callable[[], object] = lambda: None) -> None:
        """Compute and store the features of views, and from time to time record which ones are computed."""
        computed = _arrays_of(self._encode, [self._views[index] for index in indices], self._sides)
        for index, values in zip(indices, computed, strict=True):
            for array, value in zip(self._arrays, values, strict=True):
                _reserve(array, index, 1)
                array[index] = value
            self._computed[index] = True
            self._unrecorded += 1
            if self._unrecorded >= _CHUNK or self._computed.all():
                self._record()
            on_view()

    def _record(self) -> None:
        with writing(self._folder):
            for array in self._arrays:  # before the record, which after a power cut must not name unwritten views
                if isinstance(array, np.memmap):
                    array.flush()
            with new_file(self._folder / "there.npy", overwrite=True) as file:
                np.save(file, self._computed)
        self._unrecorded = 0


Batches = Pictures | FeatureCache
"""A source of training data: of views by their indices, whose features are computed at every step or cached."""


def few_features(encoder: Backbone, encode: Compiled, views: Sequence[View], sides: Sides) -> FeatureCache:
    """Return the features of a few views, computed now and kept in memory.

    Raises:
        TrainingError: A photograph cannot be read or decoded.
    """
    features, chroma, thumbnails = (np.stack(part) for part in zip(*_arrays_of(encode, views, sides), strict=True))
    return FeatureCache(features, chroma, _shapes(encoder, sides.picture), thumbnails)


def cached_views(encoder: Backbone, views: Sequence[View], folder: Path, sides: Sides) -> int:
    """Return the number of views whose features are already in ``folder``, that of a ``DiskCache``."""
    return int(_recorded(folder, _key(encoder, views, sides), len(views)).sum())


def view_bytes(encoder: Backbone, sides: Sides) -> int:
    """Return the number of bytes that one view takes in a cache."""
    return 2 * sum(map(np.prod, _shapes(encoder, sides.picture))) + 2 * sides.grid**2 + sides.thumbnail**2


def _key(encoder: Backbone, views: Sequence[View], sides: Sides) -> str:
    """Return a hash of everything on which the arrays depend: the encoder's weights, the views in order, the sizes."""
    key = hashlib.sha256(json.dumps([*sides, fingerprint(views)]).encode())
    for name, value in encoder.state_dict().items():
        key.update(name.encode() + (value + 0).numpy().tobytes())  # turns -0 into 0, as a moving average does
    return key.hexdigest()


def _shapes(encoder: Backbone, size: int) -> Shapes:
    return tuple((c, size // s, size // s) for c, s in zip(encoder.channels, encoder.strides, strict=True))


def _recorded(folder: Path, key: str, count: int) -> np.ndarray:
    """Return which views are recorded as computed, bool ``[count]``; none if the key differs or a file is damaged."""
    try:
        for name in ("features", "chroma", "thumbnail"):
            np.lib.format.open_memmap(folder / f"{name}.npy", "r")
        found = np.load(folder / "there.npy")
        if parse_json((folder / "cache.json").read_text())["key"] == key and found.shape == (count,):
            return found.astype(bool)
    except (OSError, ValueError, EOFError, KeyError, TypeError):
        pass
    return np.zeros(count, bool)


def _open(
    folder: Path, key: str, count: int, shapes: Shapes, sides: Sides
) -> tuple[np.ndarray, np.ndarray, Shapes, np.ndarray]:
    """Map the files of a cache into memory, as the fields of ``FeatureCache``; create them if no views are there."""
    folder.mkdir(parents=True, exist_ok=True)
    is_fresh = not _recorded(folder, key, count).any()
    mode: Literal["w+", "r+"] = "w+" if is_fresh else "r+"

    def mapped(name: str, dtype: DTypeLike, *shape: int) -> np.ndarray:
        return np.lib.format.open_memmap(folder / f"{name}.npy", mode, dtype, (count, *shape))

    if is_fresh:
        (folder / "there.npy").unlink(missing_ok=True)
        with new_file(folder / "cache.json", overwrite=True) as file:
            file.write(json.dumps({"key": key}).encode())
    features = mapped("features", np.float16, sum(int(np.prod(s)) for s in shapes))
    chroma = mapped("chroma", np.int8, 2, sides.grid, sides.grid)
    return features, chroma, shapes, mapped("thumbnail", np.uint8, sides.thumbnail, sides.thumbnail)


def _reserve(array: np.ndarray, first: int, count: int) -> None:
    """Reserve disk space for rows of a memory-mapped file, since writing them to a full disk kills the process.

    Raises:
        TrainingError: The disk has no room for them.
    """
    if isinstance(array, np.memmap) and array.size and hasattr(os, "posix_fallocate"):
        path, row = Path(str(array.filename)), array.strides[0]
        try:
            with path.open("r+b") as file:
                os.posix_fallocate(file.fileno(), array.offset + first * row, count * row)
        except OSError as exc:
            raise TrainingError(
                f"no room for the features ({exc.strerror})", path=path, remedy="free some space, or give cache_gb=0"
            ) from exc


def _arrays_of(encode: Compiled, views: Sequence[View], sides: Sides) -> Iterator[tuple[np.ndarray, ...]]:
    """Yield the arrays of each view: features float16, a*b* int8, small lightness uint8; threads decode ahead."""

    def load(start: int) -> list[tuple[np.ndarray, ...]]:
        return [load_view(view, sides) for view in views[start : start + _BATCH]]

    for batch in load_ahead(load, iter(range(0, len(views), _BATCH)), os.cpu_count() or 1):
        lightness = np.zeros((_BATCH, 1, sides.picture, sides.picture), np.float32)
        lightness[: len(batch), 0] = [loaded[0] for loaded in batch]
        features = encode(lightness)  # [[32, C, h, w], ...]
        for i, (_, chroma, small_lightness) in enumerate(batch):
            yield np.concatenate([f[i].ravel() for f in features]).astype(np.float16), chroma, small_lightness


def compile_backbone(encoder: Backbone, size: int) -> Compiled:
    """Compile an encoder's backbone for lightness ``[32, 1, size, size]``; errors are those of ``compiled``."""
    return compiled(encoder, torch.zeros(_BATCH, 1, size, size))
