"""What is minimised: squared error of a*b* (the reference); or cross-entropy over quantised a*b*, and the error of the
colour that is decoded from them (the default).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from .annealed_mean import anneal, raised
from .decoder import AB_SCALE
from .perceptual_loss import Recognition

_NEIGHBOURS = 5  # bins that share a true colour (Zhang et al. 2016)
_SIGMA = 5.0  # of that sharing, in units of a*b*
_VIVIDNESS = 0.5  # that decoded colours are judged at
_COLORFUL = 12.0  # units of colour difference that a colourfulness wrong by a factor of e is worth


class Objective(Protocol):
    """Decoder output, true a*b* and thumbnails (``features.Batch``) -> losses, and how much each weighs: ``[K]`` both.

    Their sum is what is minimised. Of several parts of a batch, the mean of the losses, so weighted, is that of the
    whole.
    """

    def __call__(self, output: Tensor, chroma: Tensor, lightness: Tensor) -> tuple[Tensor, Tensor]: ...


def squared_error(output: Tensor, chroma: Tensor, lightness: Tensor) -> tuple[Tensor, Tensor]:
    """Mean squared error of a*b*, in units of ``AB_SCALE``; the output may be smaller than the truth."""
    error = F.mse_loss(output.float(), _shrunk(chroma, output)) * (1 / AB_SCALE**2)
    return error[None], error.new_tensor([float(output.numel())])


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
    """Cross-entropy against softly encoded a*b*, each pixel weighted by how rare its colour is (Zhang et al. 2016).

    Beside it, times ``decoded``, what the colour that a user will see is worth: its difference from the truth
    (``difference``), and how far its colourfulness is from the truth's. Which places should dare a colour, so that the
    picture as a whole has as much of it as the true one at the least error, is learnt. And how differently a network
    that knows ImageNet sees it (``recognition``): errors that change what a picture shows count more than others.
    """

    def __init__(
        self,
        bins: ColorBins,
        uniform: float,
        decoded: float = 0.0,
        recognized: float = 0.0,
        recognition: Recognition | None = None,
        device: torch.device | None = None,
    ) -> None:
        self.nearest, self.shares = (table.to(device) for table in _nearest(bins.centres))
        self.weights = bins.rarity(uniform).to(device)
        self.centres, self.tilt = bins.centres.to(device), self.weights.log()
        self.decoded, self.recognized, self.recognition = decoded, recognized, recognition

    def __call__(self, output: Tensor, chroma: Tensor, lightness: Tensor) -> tuple[Tensor, Tensor]:
        # One row per pixel: along rows the softmax and its gradient take a third of the time they take along columns.
        logits = output.movedim(1, -1).flatten(0, 2).float()
        truth = _shrunk(chroma, output)
        error, weights = self._entropy(logits, truth)
        losses, weighs = [(error * weights).sum() / weights.sum()], [weights.sum()]
        if self.decoded or self.recognition is not None:
            ab = self._decoded(logits, truth)
            if self.decoded:
                losses.append(self.decoded * _of_colors(ab, truth))
            if self.recognition is not None:
                losses.append(self.recognized * self.recognition(lightness, ab, truth).mean())
            weighs += [weights.new_tensor(float(len(truth)))] * (len(losses) - 1)
        return torch.stack(losses), torch.stack(weighs)

    def _entropy(self, logits: Tensor, truth: Tensor) -> tuple[Tensor, Tensor]:
        whole = truth.round().long()
        codes = (256 * (whole[:, 0] + 128) + whole[:, 1] + 128).flatten()
        bins, shares = self.nearest[codes], self.shares[codes]  # [pixels, 5]
        return -(logits.log_softmax(1).gather(1, bins) * shares).sum(1), self.weights[bins[:, 0]]

    def _decoded(self, logits: Tensor, truth: Tensor) -> Tensor:
        mean = anneal(logits - self.tilt, self.tilt, _VIVIDNESS) @ self.centres * raised(_VIVIDNESS)
        return mean.view(len(truth), *truth.shape[2:], 2).movedim(-1, 1)


def _of_colors(ab: Tensor, truth: Tensor) -> Tensor:
    missing = torch.log((colorfulness(ab) + 1) / (colorfulness(truth) + 1))
    return difference(ab, truth).mean() + _COLORFUL * missing.square().mean()


def difference(ab: Tensor, truth: Tensor) -> Tensor:
    """How different colours of one lightness look, ``[N, 2, h, w]`` both -> ``[N, h, w]``: CIE94, made symmetric.

    Without a corner at 0, where a gradient would be none.
    """
    chroma, true_chroma = (_length(x) for x in (ab, truth))
    of_chroma = chroma - true_chroma
    of_hue = ((ab - truth).square().sum(1) - of_chroma.square()).clamp(min=0)
    mean = (chroma + true_chroma) / 2
    return ((of_chroma / (1 + 0.045 * mean)).square() + of_hue / (1 + 0.015 * mean).square() + 1).sqrt() - 1


def colorfulness(ab: Tensor) -> Tensor:
    """Of a*b* ``[N, 2, h, w]``: ``[N]``, after the first measure of Hasler and Suesstrunk 2003, in Lab.

    In place of their standard deviation the mean distance from the mean, compressed as CIE94 compresses chroma. What a
    standard deviation of a whole picture lacks, a few cells can bring in a loud colour at a small error: that is what
    was learnt from it, in corners and in the dark.
    """
    mean = ab.mean((2, 3), keepdim=True)
    apart = _length(ab - mean)
    return (apart / (1 + 0.045 * apart)).mean((1, 2)) + 0.37 * _length(mean)[:, 0, 0]


def _length(ab: Tensor) -> Tensor:
    return (ab.square().sum(1) + 1e-6).sqrt()
