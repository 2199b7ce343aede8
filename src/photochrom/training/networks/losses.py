"""Losses: squared error of a*b* (the reference), or class-rebalanced cross-entropy over quantised a*b* (the default).

Two losses of the colour that is decoded from the distribution can be added to the default: its difference from the true
colour, and a perceptual loss.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from ...colorizer.vividness import DIAL_LAMBDA, chroma_gain, network_vividness
from ..recipes import Recipe
from .annealed_mean import anneal
from .decoder import AB_SCALE
from .perceptual_loss import PerceptualLoss

_STEP = 10  # distance between neighbouring bins on a square grid, in units of a*b* (Zhang et al. 2016)
_RAREST = 1e-5  # frequency up to which a bin is left out
_NEIGHBOURS = 5  # nearest bins to which a true colour is softly assigned (Zhang et al. 2016)
_SIGMA = 5.0  # standard deviation of the soft assignment, in units of a*b* (Zhang et al. 2016)
_VIVIDNESS = 0.5  # vividness at which colours are decoded for the losses
_COLORFULNESS_WEIGHT = 12.0  # colour difference that costs as much as a colourfulness wrong by a factor of e


# Function from a head's output (logits ``[N, bins, h, w]`` or a*b* ``[N, 2, h, w]``), true a*b* ``[N, 2, H, W]``, not
# smaller than the output, and small lightness, ``L*/100``, ``[N, 1, S, S]``, S 0 without the perceptual loss, to the
# terms of the loss and their weights, ``[K]`` both. The terms are summed and minimised. The weights are for combining
# parts of a batch: each term of the whole batch is the weighted mean of the parts' terms.
Objective = Callable[[Tensor, Tensor, Tensor], tuple[Tensor, Tensor]]


def build_objective(
    recipe: Recipe,
    bins: ColorBins | None,
    autocast: Callable[[], AbstractContextManager[object]],
    device: torch.device,
) -> Objective:
    """Build the objective of a recipe.

    Args:
        recipe: Recipe of the run. Without ``rebalance_lambda``, the objective is the squared error.
        bins: Bins of the head; None for the squared error, too.
        autocast: Function that returns the autocast context for the perceptual loss's networks.
        device: Device of the training.

    Raises:
        TrainingError: The weights for the perceptual loss are not installed.
    """
    if bins is None or recipe.rebalance_lambda is None:
        return squared_error
    perceptual_loss = None
    if recipe.perceptual_weight:
        perceptual_loss = PerceptualLoss(autocast, recipe.perceptual_networks).to(device)
    return RebalancedCrossEntropy(
        bins, recipe.rebalance_lambda, recipe.decoded_weight, recipe.perceptual_weight, perceptual_loss, device
    )


def squared_error(output: Tensor, chroma: Tensor, small_lightness: Tensor) -> tuple[Tensor, Tensor]:
    """Return the mean squared error of ``a*b* / AB_SCALE``, and its weight, the number of output values; ``[1]`` both.

    ``small_lightness`` is not used; see ``Objective``.
    """
    error = F.mse_loss(output.float(), _downsample(chroma, output)) * (1 / AB_SCALE**2)
    return error[None], error.new_tensor([float(output.numel())])


def _downsample(chroma: Tensor, output: Tensor) -> Tensor:
    """Reduce a*b* ``[N, 2, H, W]`` to the size of the output."""
    height, width = output.shape[-2:]
    return F.adaptive_avg_pool2d(chroma, (height, width))


@dataclass(frozen=True)
class ColorBins:
    """The quantised colours among which the network chooses, and their frequency in photographs."""

    centres: Tensor
    """a*b* of each bin, float32 ``[bins, 2]``."""
    frequency: Tensor
    """Share of the pixels in each bin, softly assigned as in the loss, float32 ``[bins]``; sums to 1."""

    @classmethod
    def of(cls, chroma: np.ndarray) -> ColorBins:
        """Determine the bins for a set of photographs, given their true a*b*, int8 ``[N, 2, h, w]``, N at least 1."""
        counts = np.zeros((256, 256), np.int64)
        for part in np.array_split(chroma, max(1, len(chroma) // 1000)):
            a, b = (part[:, i].ravel().astype(np.intp) + 128 for i in (0, 1))
            counts += np.bincount(256 * a + b, minlength=65536).reshape(256, 256)
        share = torch.from_numpy(counts / counts.sum()).float()  # [256, 256]
        axis = torch.arange(-11, 12, dtype=torch.float32) * _STEP
        grid = torch.cartesian_prod(axis, axis)  # [529, 2]
        kept = _frequency(grid, share) > _RAREST
        return cls(grid[kept], _frequency(grid[kept], share))

    def class_weights(self, rebalance_lambda: float) -> Tensor:
        """Return the weight of each bin, ``[bins]``: rarer colours weigh more (Zhang et al. 2016).

        The frequencies are mixed with a share ``rebalance_lambda``, 0 to 1, of the uniform distribution. The weights
        are the inverses of the mixed frequencies, scaled so that the mean weight of all pixels is 1.
        """
        weights = 1 / ((1 - rebalance_lambda) * self.frequency + rebalance_lambda / len(self.frequency))
        return weights / (self.frequency * weights).sum()


def _nearest(centres: Tensor) -> tuple[Tensor, Tensor]:
    """Return the nearest bins of each integer a*b* and their shares, both ``[65536, 5]``.

    The row of a colour is ``256 * (a + 128) + b + 128``; the shares of its bins sum to 1.
    """
    axis = torch.arange(-128, 128, dtype=torch.float32)
    distance, bins = torch.cdist(torch.cartesian_prod(axis, axis), centres).topk(_NEIGHBOURS, largest=False)
    # The nearest bin's distance is subtracted first; otherwise all shares of a colour outside the grid would be 0.
    shares = torch.exp((distance[:, :1] ** 2 - distance**2) / (2 * _SIGMA**2))
    return bins, shares / shares.sum(1, keepdim=True)


def _frequency(centres: Tensor, share: Tensor) -> Tensor:
    """Return the frequency of each bin, ``[bins]``, given the share of pixels of each integer a*b*, ``[256, 256]``."""
    bins, shares = _nearest(centres)
    return torch.zeros(len(centres)).index_add_(0, bins.ravel(), (shares * share.view(-1, 1)).ravel())


class RebalancedCrossEntropy:
    """Cross-entropy with softly assigned bins, and class weights that favour rare colours (Zhang et al. 2016).

    Up to two weighted terms are added. They judge the colour decoded from the distribution, which users see:

    - ``decoded_loss`` is the colour's distance from the true colour plus the error of the picture's colourfulness, so
      that colours are strong where that is safe, and muted elsewhere.
    - ``PerceptualLoss`` gives more weight to errors that change what the picture seems to show.

    Calling it returns the terms one by one; see ``Objective``.

    Args:
        bins: The quantised colours.
        rebalance_lambda: Share of the uniform distribution in the class weights.
        decoded_weight: Weight of ``decoded_loss``; 0 for none.
        perceptual_weight: Weight of the perceptual loss.
        perceptual_loss: Function from lightness, a*b* and true a*b* to losses ``[N]``; None for none.
        device: Device of the training; None for the CPU.
    """

    def __init__(
        self,
        bins: ColorBins,
        rebalance_lambda: float,
        decoded_weight: float = 0.0,
        perceptual_weight: float = 0.0,
        perceptual_loss: Callable[[Tensor, Tensor, Tensor], Tensor] | None = None,
        device: torch.device | None = None,
    ) -> None:
        self.nearest, self.shares = (table.to(device) for table in _nearest(bins.centres))
        self.class_weights = bins.class_weights(rebalance_lambda).to(device)
        self.centres, self.log_class_weights = bins.centres.to(device), self.class_weights.log()
        self.dial = bins.class_weights(DIAL_LAMBDA).log().to(device)
        self.decoded_weight = decoded_weight
        self.perceptual_weight, self.perceptual_loss = perceptual_weight, perceptual_loss

    def __call__(self, output: Tensor, chroma: Tensor, small_lightness: Tensor) -> tuple[Tensor, Tensor]:
        # One row per pixel, since softmax and its gradient are three times as fast along rows as along columns.
        logits = output.movedim(1, -1).flatten(0, 2).float()  # [pixels, bins]
        truth = _downsample(chroma, output)  # [N, 2, h, w]
        error, weights = self._cross_entropy(logits, truth)  # [pixels] both
        losses, loss_weights = [(error * weights).sum() / weights.sum()], [weights.sum()]
        if self.decoded_weight or self.perceptual_loss is not None:
            ab = self._decode(logits, truth)  # [N, 2, h, w]
            if self.decoded_weight:
                losses.append(self.decoded_weight * decoded_loss(ab, truth))
            if self.perceptual_loss is not None:
                losses.append(self.perceptual_weight * self.perceptual_loss(small_lightness, ab, truth).mean())
            loss_weights += [weights.new_tensor(float(len(truth)))] * (len(losses) - 1)
        return torch.stack(losses), torch.stack(loss_weights)

    def _cross_entropy(self, logits: Tensor, truth: Tensor) -> tuple[Tensor, Tensor]:
        """Return the cross-entropy and the class weight of each pixel, ``[pixels]`` both."""
        integers = truth.round().long()  # [N, 2, h, w]
        rows = (256 * (integers[:, 0] + 128) + integers[:, 1] + 128).flatten()  # [pixels]
        bins, shares = self.nearest[rows], self.shares[rows]  # [pixels, 5]
        return -(logits.log_softmax(1).gather(1, bins) * shares).sum(1), self.class_weights[bins[:, 0]]

    def _decode(self, logits: Tensor, truth: Tensor) -> Tensor:
        """Return the annealed mean of the distribution, with raised chroma, in the truth's shape ``[N, 2, h, w]``."""
        unbiased_logits = logits - self.log_class_weights
        probability = anneal(unbiased_logits, self.dial, network_vividness(_VIVIDNESS))  # [pixels, bins]
        mean = probability @ self.centres * chroma_gain(_VIVIDNESS)  # [pixels, 2]
        return mean.view(len(truth), *truth.shape[2:], 2).movedim(-1, 1)


def decoded_loss(ab: Tensor, truth: Tensor) -> Tensor:
    """Return the mean colour difference plus the weighted error of the colourfulness; a*b* are ``[N, 2, h, w]``."""
    log_ratio = torch.log((colorfulness(ab) + 1) / (colorfulness(truth) + 1))  # [N]
    return color_difference(ab, truth).mean() + _COLORFULNESS_WEIGHT * log_ratio.square().mean()


def color_difference(ab: Tensor, truth: Tensor) -> Tensor:
    """Return the perceived difference between colours of equal lightness: CIE94, made symmetric and smooth at 0.

    Args:
        ab: Predicted a*b*, ``[N, 2, h, w]``.
        truth: True a*b*, ``[N, 2, h, w]``.

    Returns:
        The difference at each place, ``[N, h, w]``.
    """
    chroma, true_chroma = (_length(x) for x in (ab, truth))
    chroma_difference = chroma - true_chroma
    squared_hue_difference = ((ab - truth).square().sum(1) - chroma_difference.square()).clamp(min=0)
    mean = (chroma + true_chroma) / 2
    scaled = (chroma_difference / (1 + 0.045 * mean)).square() + squared_hue_difference / (1 + 0.015 * mean).square()
    return (scaled + 1).sqrt() - 1


def colorfulness(ab: Tensor) -> Tensor:
    """Return the colourfulness ``[N]`` of a*b* ``[N, 2, h, w]``, adapted from Hasler and Suesstrunk 2003.

    Their standard deviation is replaced by the mean distance from the mean, compressed like chroma in CIE94.
    """
    # Otherwise a network can raise the standard deviation of a dull picture at little cost by giving a few cells garish
    # colours, as it learnt to do in corners and dark areas.
    mean = ab.mean((2, 3), keepdim=True)  # [N, 2, 1, 1]
    distance = _length(ab - mean)  # [N, h, w]
    return (distance / (1 + 0.045 * distance)).mean((1, 2)) + 0.37 * _length(mean)[:, 0, 0]


def _length(ab: Tensor) -> Tensor:
    """Return the length ``[N, h, w]`` of a*b* ``[N, 2, h, w]``; it has a gradient at 0."""
    return (ab.square().sum(1) + 1e-6).sqrt()
