"""The features of a frozen encoder, computed once and kept on disk: what makes a hundred epochs affordable.

A cache is a folder: ``cache.json`` (what it holds, how far it got), ``features.npy`` (float16, one row per
photograph, the encoder's feature maps one after another) and ``chroma.npy`` (int8, true a*b* on a small grid).
It resumes where it was interrupted, and is made anew when encoder, size or photographs change.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from tqdm import tqdm

from ..errors import TrainingError
from .dataset import Photograph, decode, square, training_pair
from .encoders import Encoder

_CHUNK = 64  # photographs between two notes of how far it got


@dataclass(frozen=True)
class FeatureCache:
    """Cached rows of ``count`` photographs."""

    features: np.ndarray
    """float16 ``[count, sum of shapes]``, on disk."""
    chroma: np.ndarray
    """int8 ``[count, 2, grid, grid]``: a*b*, rounded, on disk."""
    shapes: tuple[tuple[int, int, int], ...]
    """``(channels, height, width)`` of each feature map."""

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


def cache_features(
    encoder: Encoder, name: str, photographs: Sequence[Photograph], folder: Path, *, size: int, grid: int
) -> FeatureCache:
    """The features of all photographs at ``size`` by ``size`` pixels, from ``folder`` as far as they are there.

    Args:
        encoder: frozen.
        name: of the encoder, for the progress bar.
        photographs: in the order of the rows.
        folder: of the cache; about 50 kB (VGG16 at 224) to 220 kB (EfficientNet-Lite2 at 256) a photograph.
        size: side of the squares, a multiple of 32.
        grid: side of the true a*b*.

    Raises:
        TrainingError: a photograph cannot be decoded, or the disk is too small.
    """
    key = _key(encoder, photographs, size, grid)
    shapes = _shapes(encoder, size)
    done = _done(folder, key)
    cache = _open(folder, len(photographs), shapes, grid, fresh=done == 0)
    if done < len(photographs):
        run = compiled(encoder, torch.zeros(1, 1, size, size))
        pairs = _pairs(photographs[done:], size, grid)
        for i, (lightness, chroma) in enumerate(tqdm(pairs, f"{name} features", len(photographs), initial=done), done):
            cache.features[i] = np.concatenate([f.ravel() for f in run(lightness[None, None])])
            cache.chroma[i] = np.clip(np.rint(chroma), -127, 127)
            if (i + 1) % _CHUNK == 0 or i + 1 == len(photographs):
                _note(folder, key, i + 1)
    return cache


def _key(encoder: Encoder, photographs: Sequence[Photograph], size: int, grid: int) -> str:
    """Of all that the rows depend on: the encoder's weights, the photographs and their order, the sizes."""
    key = hashlib.sha256(json.dumps([size, grid, [p.sha1 for p in photographs]]).encode())
    for name, value in encoder.state_dict().items():
        key.update(name.encode() + value.numpy().tobytes())
    return key.hexdigest()


def _shapes(encoder: Encoder, size: int) -> tuple[tuple[int, int, int], ...]:
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
    needed = count * (2 * width + 2 * grid * grid)
    if fresh:
        (folder / "cache.json").unlink(missing_ok=True)
        if needed > (free := shutil.disk_usage(folder).free):
            raise TrainingError(f"the features need {needed / 1e9:.1f} GB in {folder}, {free / 1e9:.1f} GB are free")
    mode = "w+" if fresh else "r+"
    features = np.lib.format.open_memmap(folder / "features.npy", mode, np.float16, (count, width))
    chroma = np.lib.format.open_memmap(folder / "chroma.npy", mode, np.int8, (count, 2, grid, grid))
    return FeatureCache(features, chroma, shapes)


def _pairs(photographs: Sequence[Photograph], size: int, grid: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    def load(photograph: Photograph) -> tuple[np.ndarray, np.ndarray]:
        rgb = decode(photograph.path.read_bytes(), photograph.path)
        return training_pair(square(rgb, size), grid)

    with ThreadPoolExecutor(2) as pool:
        for start in range(0, len(photographs), _CHUNK):
            yield from pool.map(load, photographs[start : start + _CHUNK])


def compiled(network: nn.Module, example: Tensor) -> Callable[[np.ndarray], list[np.ndarray]]:
    """A network in OpenVINO, which runs convolutions 1.4 to 2.5 times as fast as PyTorch does on a CPU."""
    import openvino

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "network.onnx"
        torch.onnx.export(network, (example,), path, dynamo=True, verbose=False)
        model = openvino.Core().compile_model(path, "CPU", {"PERFORMANCE_HINT": "LATENCY"})
    return lambda inputs: list(model(inputs).values())
