"""What is minimised: squared error of a*b* (the reference), or cross-entropy over quantised a*b* (the default)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from .decoder import AB_SCALE

_NEIGHBOURS = 5  # bins that share a true colour (Zhang et al. 2016)
_SIGMA = 5.0  # of that sharing, in units of a*b*


class Objective(Protocol):
    """Decoder output and true a*b* ``[N, 2, grid, grid]`` -> the loss, a scalar, and how much it weighs.

    Of several parts of a batch, the mean of the losses, so weighted, is the loss of the whole.
    """

    def __call__(self, output: Tensor, chroma: Tensor) -> tuple[Tensor, Tensor]: ...


def squared_error(output: Tensor, chroma: Tensor) -> tuple[Tensor, Tensor]:
    """Mean squared error of a*b*, in units of ``AB_SCALE``; the output may be smaller than the truth."""
    error = F.mse_loss(output.float(), _shrunk(chroma, output)) * (1 / AB_SCALE**2)
    return error, error.new_tensor(float(output.numel()))


def _shrunk(chroma: Tensor, output: Tensor) -> Tensor:
    height, width = output.shape[-2:]
    return F.adaptive_avg_pool2d(chroma, (height, width))


@dataclass(frozen=True)
class ColorBins:
    """The colours a picture may take, and how common they are in photographs."""

    centres: Tensor
    """float32 ``[bins, 2]``: a*b* of each bin."""
    frequency: Tensor
    """float32 ``[bins]``: share of all pixels, smoothed as the targets are; sums to 1."""

    @classmethod
    def of(cls, chroma: np.ndarray, step: int = 10, rarest: float = 1e-5) -> ColorBins:
        """The grid of ``step`` over the a*b* int8 ``[N, 2, h, w]``, without bins rarer than ``rarest``."""
        counts = np.zeros((256, 256), np.int64)
        for part in np.array_split(chroma, max(1, len(chroma) // 1000)):
            a, b = (part[:, i].ravel().astype(np.intp) + 128 for i in (0, 1))
            counts += np.bincount(256 * a + b, minlength=65536).reshape(256, 256)
        share = torch.from_numpy(counts / counts.sum()).float()
        axis = torch.arange(-11, 12, dtype=torch.float32) * step
        grid = torch.cartesian_prod(axis, axis)
        kept = _frequency(grid, share) > rarest
        return cls(grid[kept], _frequency(grid[kept], share))

    def rarity(self, uniform: float) -> Tensor:
        """Weights ``[bins]``: one over the frequency mixed with ``uniform`` parts of flat; 1 on average over pixels."""
        weights = 1 / ((1 - uniform) * self.frequency + uniform / len(self.frequency))
        return weights / (self.frequency * weights).sum()


def _nearest(centres: Tensor) -> tuple[Tensor, Tensor]:
    """For each whole a*b* (row 256 (a + 128) + b + 128): its nearest bins and their shares, ``[65536, 5]`` both."""
    axis = torch.arange(-128, 128, dtype=torch.float32)
    distance, bins = torch.cdist(torch.cartesian_prod(axis, axis), centres).topk(_NEIGHBOURS, largest=False)
    # The nearest bin's distance is taken off first: a colour outside the grid would else have no share at all.
    shares = torch.exp((distance[:, :1] ** 2 - distance**2) / (2 * _SIGMA**2))
    return bins, shares / shares.sum(1, keepdim=True)


def _frequency(centres: Tensor, share: Tensor) -> Tensor:
    bins, shares = _nearest(centres)
    return torch.zeros(len(centres)).index_add_(0, bins.ravel(), (shares * share.view(-1, 1)).ravel())


class RareColorCrossEntropy:
    """Cross-entropy against softly encoded a*b*, each pixel weighted by how rare its colour is (Zhang et al. 2016)."""

    def __init__(self, bins: ColorBins, uniform: float, device: torch.device | None = None) -> None:
        self.nearest, self.shares = (table.to(device) for table in _nearest(bins.centres))
        self.weights = bins.rarity(uniform).to(device)

    def __call__(self, output: Tensor, chroma: Tensor) -> tuple[Tensor, Tensor]:
        # One row per pixel: along rows the softmax and its gradient take a third of the time they take along columns.
        logits = output.movedim(1, -1).flatten(0, 2).float()
        whole = _shrunk(chroma, output).round().long()
        codes = (256 * (whole[:, 0] + 128) + whole[:, 1] + 128).flatten()
        bins, shares = self.nearest[codes], self.shares[codes]  # [pixels, 5]
        error = -(logits.log_softmax(1).gather(1, bins) * shares).sum(1)
        weights = self.weights[bins[:, 0]]
        return (error * weights).sum() / weights.sum(), weights.sum()
