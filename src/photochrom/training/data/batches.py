"""Batches of training data, and a source of them that decodes photographs (``Pictures``)."""

from __future__ import annotations

import os
import signal
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import Any, NamedTuple, TypeVar

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from ...color.spaces import lightness_of_luma
from ...errors import PhotochromError
from ..recipes import Recipe
from .dataset import View, true_chroma

Item = TypeVar("Item")
Result = TypeVar("Result")


class Sides(NamedTuple):
    """Side lengths of the square arrays that training uses."""

    picture: int
    """Side of the picture that the encoder sees, in pixels; a multiple of 32."""
    grid: int
    """Side of the grid of true a*b* values, in cells."""
    thumbnail: int
    """Side of the small lightness that the perceptual loss sees, in pixels; 0 without that loss."""

    @classmethod
    def of(cls, recipe: Recipe) -> Sides:
        """Return the side lengths for a recipe."""
        return cls(recipe.size, recipe.grid, recipe.cell * recipe.grid)


class Batch(NamedTuple):
    """The views of one training step."""

    inputs: list[Tensor]
    """Input of the source's ``backbone_features``: lightness or cached features, float32 ``[N, C, h, w]`` each."""
    chroma: Tensor
    """True a*b*, float32 ``[N, 2, grid, grid]``."""
    small_lightness: Tensor
    """``L*/100`` of the pictures for the perceptual loss, float32 ``[N, 1, thumbnail, thumbnail]``."""


@dataclass(frozen=True)
class Pictures:
    """Source that decodes photographs and runs the backbone at every step: slow, but needs no cache on disk."""

    views: Sequence[View]
    backbone: Callable[[Tensor], list[Tensor]]
    """Function from lightness ``[N, 1, H, W]`` to feature maps, both on the training device."""
    sides: Sides
    processes: int = 0
    """Number of decoding processes. With 0, threads decode instead, which is too slow for a GPU because of the GIL."""

    def __len__(self) -> int:
        return len(self.views)

    def batch(self, indices: np.ndarray) -> Batch:
        """Return the batch of the views with the given indices; its only input is lightness ``[N, 1, H, W]``.

        Raises:
            TrainingError: A photograph cannot be read or decoded.
        """
        return _load_batch(self.views, self.sides, indices)

    def stream(self, indices: Iterator[np.ndarray]) -> Generator[Batch]:
        """Yield one batch per array of indices; processes or threads decode the next ones ahead.

        Raises:
            TrainingError: A photograph cannot be read or decoded.
        """
        return decode_ahead(partial(_load_batch, self.views, self.sides), indices, self.processes)

    @torch.no_grad()
    def backbone_features(self, inputs: list[Tensor]) -> list[Tensor]:
        """Return the backbone's features, ``[N, C, h, w]`` each, of ``[lightness]``."""
        return self.backbone(inputs[0])


def load_ahead(load: Callable[[Item], Result], items: Iterator[Item], threads: int) -> Generator[Result]:
    """Yield ``load(item)`` for each item, in order; threads load the next items while one is in use."""
    with ThreadPoolExecutor(threads) as pool:
        pending = deque(pool.submit(load, item) for item in islice(items, 2 * threads))
        while pending:
            result = pending.popleft().result()
            pending.extend(pool.submit(load, item) for item in islice(items, 1))
            yield result


def decode_ahead(
    load: Callable[[np.ndarray], Result], indices: Iterator[np.ndarray], processes: int
) -> Generator[Result]:
    """Yield the batch for each array of indices, in order; the next ones are decoded while one is in use.

    Args:
        load: Function that decodes a batch; processes need one that can be pickled.
        indices: Arrays of indices.
        processes: Number of decoding processes; with 0, threads decode instead.

    Raises:
        TrainingError: A photograph cannot be read or decoded.
    """
    if not processes:
        return load_ahead(load, indices, os.cpu_count() or 1)
    return _decoded_by_processes(_Loader(load), indices, processes)


@dataclass(frozen=True)
class _Loader(Dataset[Any]):
    """Loads the batch for an array of indices in a process of a ``DataLoader``; errors are returned, not raised."""

    load: Callable[[np.ndarray], Any]

    def __getitem__(self, indices: np.ndarray) -> Any:
        try:
            return self.load(indices)
        except PhotochromError as exc:
            return exc  # DataLoader would add this process's traceback to the message of a raised error


def _decoded_by_processes(loader: _Loader, indices: Iterator[np.ndarray], processes: int) -> Generator[Any]:
    cuda, prepare = torch.cuda.is_available(), _prepare_process
    for batch in DataLoader(
        loader, batch_size=None, sampler=indices, num_workers=processes, worker_init_fn=prepare, pin_memory=cuda
    ):
        if isinstance(batch, PhotochromError):
            raise batch
        yield batch


def _prepare_process(_: int) -> None:
    """Make a decoding process ignore Ctrl+C, which the parent handles, and end at once on SIGTERM."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    cv2.setNumThreads(0)  # OpenCV's threads do not exist in a forked process


def _load_batch(views: Sequence[View], sides: Sides, indices: np.ndarray) -> Batch:
    loaded = [load_view(views[index], sides) for index in indices]
    lightness, chroma, small = (torch.from_numpy(np.stack(part)) for part in zip(*loaded, strict=True))
    return Batch([lightness[:, None]], chroma.float(), small[:, None].float() / 255)


def load_view(view: View, sides: Sides) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Decode a view, and return its lightness, its true a*b*, and its small lightness.

    Args:
        view: The view.
        sides: Sides of the returned arrays.

    Returns:
        ``L*/100``, float32 ``[picture, picture]``; a*b*, rounded, int8 ``[2, grid, grid]``; and ``255 L*/100``, uint8
        ``[thumbnail, thumbnail]``.

    Raises:
        TrainingError: The photograph cannot be read or decoded.
    """
    rgb, luma = view.load(sides.picture)
    lightness = lightness_of_luma(luma) / 100
    chroma = np.clip(np.rint(true_chroma(rgb, sides.grid)), -127, 127)
    return lightness, chroma.astype(np.int8), _small(lightness, sides.thumbnail)


def _small(lightness: np.ndarray, side: int) -> np.ndarray:
    if side == 0:
        return np.empty((0, 0), np.uint8)
    return np.rint(255 * cv2.resize(lightness, (side, side), interpolation=cv2.INTER_AREA)).astype(np.uint8)
