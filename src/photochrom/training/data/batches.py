"""Batches of training data: their types, and a source that decodes photographs for every batch."""

from __future__ import annotations

import os
import signal
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from typing import NamedTuple, Protocol, TypeVar

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
    """Side of the lightness that the perceptual loss sees, in pixels; 0 without that loss."""

    @classmethod
    def of(cls, recipe: Recipe) -> Sides:
        """Return the side lengths for a recipe."""
        return cls(recipe.size, recipe.grid, recipe.cell * recipe.grid)


class Batch(NamedTuple):
    """The views of one training step."""

    inputs: list[Tensor]
    """Arguments of ``Batches.maps``, float32 ``[N, ...]`` each."""
    chroma: Tensor
    """True a*b*, float32 ``[N, 2, grid, grid]``."""
    lightness: Tensor
    """``L*/100`` of the network's input, float32 ``[N, 1, thumbnail, thumbnail]``."""


class Batches(Protocol):
    """A source of training data, with one row per view."""

    def __len__(self) -> int: ...

    def stream(self, rows: Iterator[np.ndarray]) -> Generator[Batch]:
        """Yield batches, loading the next ones while one is in use."""
        ...

    def batch(self, rows: np.ndarray) -> Batch:
        """Return the batch of the given rows."""
        ...

    def maps(self, inputs: list[Tensor]) -> list[Tensor]:
        """Return the feature maps ``[N, C, h, w]`` of the encoder's backbone."""
        ...


@dataclass(frozen=True)
class Pictures:
    """Views that are decoded and encoded at every step: slow, but needs no cache on disk."""

    views: Sequence[View]
    backbone: Callable[[Tensor], list[Tensor]]
    """Function from lightness ``[N, 1, H, W]`` to feature maps, both on the training device."""
    sides: Sides
    processes: int = 0
    """Number of decoding processes. With 0, threads decode; because of the GIL they are too slow for a GPU."""

    def __len__(self) -> int:
        return len(self.views)

    def batch(self, rows: np.ndarray) -> Batch:
        """See ``Batches``; the one input is lightness ``[N, 1, H, W]``."""
        return _load_batch(self.views, self.sides, rows)

    def stream(self, rows: Iterator[np.ndarray]) -> Generator[Batch]:
        """See ``Batches``."""
        if not self.processes:
            return ahead(self.batch, rows, os.cpu_count() or 1)
        return _decoded(_Loader(self.views, self.sides), rows, self.processes)

    @torch.no_grad()
    def maps(self, inputs: list[Tensor]) -> list[Tensor]:
        """See ``Batches``."""
        return self.backbone(inputs[0])


def ahead(load: Callable[[Item], Result], items: Iterator[Item], workers: int) -> Generator[Result]:
    """Yield ``load(item)`` for each item, in order, computed ahead by threads."""
    with ThreadPoolExecutor(workers) as pool:
        coming = deque(pool.submit(load, item) for item in islice(items, 2 * workers))
        while coming:
            result = coming.popleft().result()
            coming.extend(pool.submit(load, item) for item in islice(items, 1))
            yield result


@dataclass(frozen=True)
class _Loader(Dataset["Batch | PhotochromError"]):
    """Dataset for a DataLoader worker, indexed by the rows of a batch. Returns a PhotochromError, never raises it."""

    views: Sequence[View]
    sides: Sides

    def __getitem__(self, rows: np.ndarray) -> Batch | PhotochromError:
        try:
            return _load_batch(self.views, self.sides, rows)
        except PhotochromError as exc:
            return exc  # a raised error would arrive with this process's traceback in its message


def _decoded(loader: _Loader, rows: Iterator[np.ndarray], processes: int) -> Generator[Batch]:
    cuda = torch.cuda.is_available()
    for batch in DataLoader(
        loader, batch_size=None, sampler=rows, num_workers=processes, worker_init_fn=_alone, pin_memory=cuda
    ):
        if isinstance(batch, PhotochromError):
            raise batch
        yield batch


def _alone(_: int) -> None:
    """Prepare a decoding process: only the parent handles Ctrl-C, and the process ends with it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    cv2.setNumThreads(0)  # OpenCV's threads do not exist in a forked process


def _load_batch(views: Sequence[View], sides: Sides, rows: np.ndarray) -> Batch:
    loaded = [load_view(views[row], sides) for row in rows]
    lightness, chroma, small = (torch.from_numpy(np.stack(part)) for part in zip(*loaded, strict=True))
    return Batch([lightness[:, None]], chroma.float(), small[:, None].float() / 255)


def load_view(view: View, sides: Sides) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return a view's lightness, its true a*b*, and a thumbnail of the lightness.

    Returns:
        ``L*/100``, float32 ``[picture, picture]``; a*b*, int8 ``[2, grid, grid]``; and ``255 L*/100``, uint8
        ``[thumbnail, thumbnail]`` (see ``Sides``).
    """
    rgb, luma = view.load(sides.picture)
    lightness = lightness_of_luma(luma) / 100
    chroma = np.clip(np.rint(true_chroma(rgb, sides.grid)), -127, 127)
    return lightness, chroma.astype(np.int8), _small(lightness, sides.thumbnail)


def _small(lightness: np.ndarray, side: int) -> np.ndarray:
    if side == 0:
        return np.empty((0, 0), np.uint8)
    return np.rint(255 * cv2.resize(lightness, (side, side), interpolation=cv2.INTER_AREA)).astype(np.uint8)
