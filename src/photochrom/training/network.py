"""Encoder, decoder and all that has to do with numbers, as one graph: lightness in, a*b* out."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .losses import ColorBins

SHARPEN = 1.935  # temperature is exp(-SHARPEN * vividness): 1 at 0, 0.38 (Zhang et al. 2016) at one half


class ReferenceNetwork(nn.Module):
    """Lightness ``[N, 1, H, W]`` -> a*b* ``[N, 2, H, W]``: the picture's own size, as the reference has it."""

    inputs = ("lightness",)
    outputs = ("ab",)

    def __init__(self, encoder: nn.Module, decoder: nn.Module) -> None:
        super().__init__()
        self.encoder, self.decoder = encoder, decoder

    def forward(self, lightness: Tensor) -> Tensor:
        ab = self.decoder(self.encoder(lightness))
        return F.interpolate(ab, scale_factor=4.0, mode="bilinear", align_corners=False)


class DistributionNetwork(nn.Module):
    """Lightness ``[N, 1, H, W]``, vividness ``[1]`` -> a*b* ``[N, 2, H/8, W/8]``, confidence ``[N, 1, H/8, W/8]``.

    The decoder was trained with rare colours weighted up, so its softmax is tilted toward them. Vividness sets how
    much of that tilt stays and how sharply the distribution is annealed before its mean is taken: 0 is the mean of
    the colours as frequent as they are (least error, dull), 1 nearly the likeliest colour of the tilted distribution.
    """

    centres: Tensor
    tilt: Tensor
    inputs = ("lightness", "vividness")
    outputs = ("ab", "confidence")

    def __init__(self, encoder: nn.Module, decoder: nn.Module, bins: ColorBins, uniform: float) -> None:
        super().__init__()
        self.encoder, self.decoder = encoder, decoder
        self.register_buffer("centres", bins.centres.T[:, :, None, None].contiguous())  # [2, bins, 1, 1]
        self.register_buffer("tilt", bins.rarity(uniform).log()[None, :, None, None])

    def forward(self, lightness: Tensor, vividness: Tensor) -> tuple[Tensor, Tensor]:
        untilted = self.decoder(self.encoder(lightness)) - self.tilt
        ab = F.conv2d(self.anneal(untilted, vividness), self.centres)
        return ab, self.confidence(untilted)

    def anneal(self, untilted: Tensor, vividness: Tensor) -> Tensor:
        """Logits of colours as frequent as they are -> the probabilities whose mean is taken."""
        tilted = untilted + 2 * vividness * self.tilt
        return (tilted * torch.exp(SHARPEN * vividness)).softmax(dim=1)

    @staticmethod
    def confidence(untilted: Tensor) -> Tensor:
        """1 - entropy / its maximum: 1 where one colour is certain, 0 where all are alike."""
        log_p = untilted.log_softmax(dim=1)
        entropy = -(log_p.exp() * log_p).sum(dim=1, keepdim=True)
        return 1 - entropy / torch.log(torch.tensor(float(untilted.shape[1])))
