"""Encoder, decoder and all that has to do with numbers, as one graph: lightness in, a*b* out."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .annealed_mean import anneal, raised
from .decoder import AB_SCALE
from .losses import ColorBins


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


class HintedTail(nn.Module):
    """What is trained of a colorizer with hints: the encoder's later stages and the decoder.

    Features at stride 8, hints ``[N, 3, H/8, W/8]`` -> logits ``[N, bins, H/8, W/8]``; see ``ColorDecoder``.
    """

    def __init__(self, late: nn.Module, decoder: nn.Module) -> None:
        super().__init__()
        self.late, self.decoder = late, decoder

    def forward(self, maps: Sequence[Tensor], hints: Tensor) -> Tensor:
        logits: Tensor = self.decoder(self.late(maps), hints)
        return logits


class DistributionNetwork(nn.Module):
    """A picture, and what is known of its colours -> its colours, how sure they are, and all that they might be.

    Inputs: lightness ``L*/100`` ``[N, 1, H, W]``; vividness ``[1]``; hints ``[N, 3, H, W]``, 1 where a colour is
    known, else 0, and its a* and b*. Outputs, all at an eighth of the size: ab ``[N, 2, ...]``; confidence
    ``[N, 1, ...]``; probability ``[N, bins, ...]``, of which ab is the mean, raised.

    The decoder was trained with rare colours weighted up, so its softmax is tilted toward them. Vividness sets how
    much of that tilt stays, how sharply the distribution is annealed before its mean is taken, and by how much that
    mean, which lies nearer to grey than what it is the mean of, is raised: 0 is the cautious end (least error, dull),
    1 nearly the likeliest colour of the tilted distribution, raised by a half.
    """

    centres: Tensor
    tilt: Tensor
    inputs = ("lightness", "vividness", "hints")
    outputs = ("ab", "confidence", "probability")

    def __init__(self, early: nn.Module, tail: nn.Module, bins: ColorBins, uniform: float) -> None:
        super().__init__()
        self.early, self.tail = early, tail
        self.register_buffer("centres", bins.centres.T[:, :, None, None].contiguous())  # [2, bins, 1, 1]
        self.register_buffer("tilt", bins.rarity(uniform).log()[None, :, None, None])

    def forward(self, lightness: Tensor, vividness: Tensor, hints: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        untilted = self.tail(self.early(lightness), small_hints(hints)) - self.tilt
        probability = anneal(untilted, self.tilt, vividness)
        ab = F.conv2d(probability, self.centres) * raised(vividness)
        return ab, self.confidence(untilted), probability

    @staticmethod
    def confidence(untilted: Tensor) -> Tensor:
        """1 - entropy / its maximum: 1 where one colour is certain, 0 where all are alike."""
        log_p = untilted.log_softmax(dim=1)
        entropy = -(log_p.exp() * log_p).sum(dim=1, keepdim=True)
        return 1 - entropy / torch.log(torch.tensor(float(untilted.shape[1])))


def small_hints(hints: Tensor) -> Tensor:
    """Hints ``[N, 3, H, W]`` (mask, a*, b*) as the decoder takes them, at an eighth of the size.

    A cell's colour is the mean of the hints in it.
    """
    known, ab = hints[:, :1], hints[:, 1:]
    share = F.avg_pool2d(known, 8)
    mean = F.avg_pool2d(ab * known, 8) / share.clamp(min=1e-6)
    return torch.cat([(share > 0).to(hints.dtype), mean / AB_SCALE], dim=1)
