"""The features of a frozen encoder, computed once and kept on disk: what makes a hundred epochs affordable.

A cache is a folder: ``cache.json`` (what it holds, how far it got), ``features.npy`` (float16, one row per view of a
photograph, the encoder's feature maps one after another) and ``chroma.npy`` (int8, true a*b* on a small grid).
It resumes where it was interrupted, and is made anew when encoder, size, photographs or views change.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Literal, Protocol, TypeVar

import numpy as np
import torch
from torch import Tensor, nn
from tqdm import tqdm

from ..chroma import lightness_of_luma
from ..errors import TrainingError
from .dataset import View, true_chroma
from .encoders import Early
from .graph import to_onnx

_BATCH = 32  # views inferred at once
_CHUNK = 256  # views between two notes of how far it got


Item = TypeVar("Item")
Result = TypeVar("Result")


class Batches(Protocol):
    """What a tail is trained on: rows, one a view."""

    @property
    def workers(self) -> int:
        """Threads that keep up with the training."""
        ...

    def __len__(self) -> int: ...

    def batch(self, rows: np.ndarray) -> tuple[list[Tensor], Tensor]:
        """What ``maps`` takes, float32 ``[N, ...]`` each, and a*b* float32 ``[N, 2, grid, grid]`` of the given rows."""
        ...

    def maps(self, inputs: list[Tensor]) -> list[Tensor]:
        """Feature maps ``[N, C, h, w]`` of the encoder's early part."""
        ...


@dataclass(frozen=True)
class Pictures:
    """Views decoded anew at each step, for which the encoder's early part runs each time: slow, but needs no disk."""

    views: Sequence[View]
    early: nn.Module
    size: int
    grid: int

    @property
    def workers(self) -> int:
        """See ``Batches``: decoding takes all that the machine has."""
        return os.cpu_count() or 1

    def __len__(self) -> int:
        return len(self.views)

    def batch(self, rows: np.ndarray) -> tuple[list[Tensor], Tensor]:
        """See ``Batches``; the one input is lightness ``[N, 1, size, size]``."""
        pairs = [_pair(self.views[row], self.size, self.grid) for row in rows]
        lightness, chroma = (torch.from_numpy(np.stack(part)) for part in zip(*pairs, strict=True))
        return [lightness[:, None]], chroma.float()

    @torch.no_grad()
    def maps(self, inputs: list[Tensor]) -> list[Tensor]:
        """See ``Batches``."""
        found: list[Tensor] = self.early(inputs[0])
        return found


@dataclass(frozen=True)
class FeatureCache:
    """Cached rows of ``count`` views."""

    features: np.ndarray
    """float16 ``[count, sum of shapes]``, on disk."""
    chroma: np.ndarray
    """int8 ``[count, 2, grid, grid]``: a*b*, rounded, on disk."""
    shapes: tuple[tuple[int, int, int], ...]
    """``(channels, height, width)`` of each feature map."""
    workers = 2

    def __len__(self) -> int:
        return len(self.chroma)

    def batch(self, rows: np.ndarray) -> tuple[list[Tensor], Tensor]:
        """Feature maps float32 ``[N, C, h, w]`` and a*b* float32 ``[N, 2, grid, grid]`` of the given rows."""
        flat = torch.from_numpy(self.features[rows])
        parts = flat.split([int(np.prod(s)) for s in self.shapes], dim=1)
        maps = [
            p.float().view(-1, *s).contiguous(memory_format=torch.channels_last)
            for p, s in zip(parts, self.shapes, strict=True)
        ]
        return maps, torch.from_numpy(self.chroma[rows]).float()

    def maps(self, inputs: list[Tensor]) -> list[Tensor]:
        """See ``Batches``: they are what is cached."""
        return inputs


def ahead(load: Callable[[Item], Result], items: Iterator[Item], workers: int) -> Generator[Result]:
    """``load`` of each item, in their order; threads work ahead while earlier results are in use."""
    with ThreadPoolExecutor(workers) as pool:
        coming = deque(pool.submit(load, item) for item in islice(items, 2 * workers))
        while coming:
            result = coming.popleft().result()
            coming.extend(pool.submit(load, item) for item in islice(items, 1))
            yield result


Compiled = Callable[[np.ndarray], list[np.ndarray]]


def cache_features(
    encoder: Early,
    name: str,
    views: Sequence[View],
    folder: Path,
    *,
    size: int,
    grid: int,
    run: Compiled | None = None,
) -> FeatureCache:
    """The features of all views at ``size`` by ``size`` pixels, from ``folder`` as far as they are there.

    Args:
        encoder: the part of an encoder that stays frozen (``early``).
        name: for the progress bar.
        views: in the order of the rows.
        folder: of the cache; about 50 kB (VGG16 at 224) to 100 kB (EfficientNet-Lite2 at 256) a view.
        size: side of the squares, a multiple of 32.
        grid: side of the true a*b*.
        run: the encoder, if it is compiled already.

    Raises:
        TrainingError: a photograph cannot be decoded, or the disk is too small.
    """
    key = _key(encoder, views, size, grid)
    shapes = _shapes(encoder, size)
    done = _done(folder, key)
    cache = _open(folder, len(views), shapes, grid, fresh=done == 0)
    if done < len(views):
        rows = _rows(run or compile_early(encoder, size), views[done:], size, grid)
        bar = tqdm(rows, f"{name} features", len(views), initial=done, disable=None)
        for i, (features, chroma) in enumerate(bar, done):
            cache.features[i], cache.chroma[i] = features, chroma
            if (i + 1) % _CHUNK == 0 or i + 1 == len(views):
                _note(folder, key, i + 1)
    return cache


def few_features(encoder: Early, run: Compiled, views: Sequence[View], size: int, grid: int) -> FeatureCache:
    """The features of a few views, in memory."""
    features, chroma = zip(*_rows(run, views, size, grid), strict=True)
    return FeatureCache(np.stack(features), np.stack(chroma), _shapes(encoder, size))


def cached_views(encoder: Early, views: Sequence[View], folder: Path, size: int, grid: int) -> int:
    """How many of the views have their features in ``folder`` already."""
    return _done(folder, _key(encoder, views, size, grid))


def row_bytes(encoder: Early, size: int, grid: int) -> int:
    """What the features of one view take on disk."""
    return 2 * sum(int(np.prod(s)) for s in _shapes(encoder, size)) + 2 * grid * grid


def _key(encoder: Early, views: Sequence[View], size: int, grid: int) -> str:
    """Of all that the rows depend on: the encoder's weights, the views and their order, the sizes."""
    key = hashlib.sha256(json.dumps([size, grid, [(v.photograph.sha1, v.number) for v in views]]).encode())
    for name, value in encoder.state_dict().items():
        key.update(name.encode() + value.numpy().tobytes())
    return key.hexdigest()


def _shapes(encoder: Early, size: int) -> tuple[tuple[int, int, int], ...]:
    return tuple((c, size // s, size // s) for c, s in zip(encoder.channels, encoder.strides, strict=True))


def _done(folder: Path, key: str) -> int:
    note = folder / "cache.json"
    facts = json.loads(note.read_text()) if note.is_file() else {}
    return int(facts["done"]) if facts.get("key") == key else 0


def _note(folder: Path, key: str, done: int) -> None:
    side = folder / "cache.json.part"
    side.write_text(json.dumps({"key": key, "done": done}))
    side.replace(folder / "cache.json")


def _open(folder: Path, count: int, shapes: tuple[tuple[int, int, int], ...], grid: int, fresh: bool) -> FeatureCache:
    folder.mkdir(parents=True, exist_ok=True)
    width = sum(int(np.prod(s)) for s in shapes)
    if fresh:
        (folder / "cache.json").unlink(missing_ok=True)
    mode: Literal["w+", "r+"] = "w+" if fresh else "r+"
    features = np.lib.format.open_memmap(folder / "features.npy", mode, np.float16, (count, width))
    chroma = np.lib.format.open_memmap(folder / "chroma.npy", mode, np.int8, (count, 2, grid, grid))
    for name in ("features.npy", "chroma.npy") if fresh else ():
        _reserve(folder / name)
    return FeatureCache(features, chroma, shapes)


def _reserve(path: Path) -> None:
    """Take the disk that a file is long: where a mapped file finds the disk full, the process is killed unasked."""
    if hasattr(os, "posix_fallocate"):
        try:
            with path.open("r+b") as file:
                os.posix_fallocate(file.fileno(), 0, path.stat().st_size)
        except OSError as exc:
            raise TrainingError(
                f"no room for the features in {path} ({exc.strerror}): free some, or --cache-gb 0"
            ) from exc


def _rows(run: Compiled, views: Sequence[View], size: int, grid: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Features float16 and a*b* int8 of each view; the next views are decoded while a batch is inferred."""

    def pairs(start: int) -> list[tuple[np.ndarray, np.ndarray]]:
        return [_pair(view, size, grid) for view in views[start : start + _BATCH]]

    for batch in ahead(pairs, iter(range(0, len(views), _BATCH)), os.cpu_count() or 1):
        lightness = np.zeros((_BATCH, 1, size, size), np.float32)
        lightness[: len(batch), 0] = [pair[0] for pair in batch]
        maps = run(lightness)
        for i, (_, chroma) in enumerate(batch):
            yield np.concatenate([m[i].ravel() for m in maps]).astype(np.float16), chroma


def _pair(view: View, size: int, grid: int) -> tuple[np.ndarray, np.ndarray]:
    """Lightness ``L*/100`` float32 ``[size, size]`` of what is left of a view, and its true a*b*, int8."""
    rgb, luma = view.load(size)
    chroma = np.clip(np.rint(true_chroma(rgb, grid)), -127, 127)
    return lightness_of_luma(luma) / 100, chroma.astype(np.int8)


def compile_early(encoder: Early, size: int) -> Compiled:
    """The early part of an encoder, for batches of lightness ``[32, 1, size, size]``."""
    return compiled(encoder, torch.zeros(_BATCH, 1, size, size))


def compiled(network: nn.Module, example: Tensor) -> Compiled:
    """A network in OpenVINO, which runs convolutions 1.4 to 2.5 times as fast as PyTorch does on a CPU."""
    import openvino

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "network.onnx"
        to_onnx(network, [example]).save(path)
        model = openvino.Core().compile_model(path, "CPU", {"PERFORMANCE_HINT": "LATENCY"})
    return lambda inputs: list(model(inputs).values())
