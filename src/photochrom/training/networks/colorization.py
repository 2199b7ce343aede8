"""Colorization networks from lightness to a*b*, with all normalisation in the graph."""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ...colorizer.vividness import DIAL_LAMBDA
from .annealed_mean import anneal, network_gain
from .decoder import AB_SCALE, ColorDecoder, ReferenceDecoder
from .encoders import Encoder, make_trainable
from .losses import ColorBins


class ReferenceNetwork(nn.Module):
    """The reference colorizer: lightness ``L*/100``, ``[N, 1, H, W]``, to a*b* ``[N, 2, H, W]``.

    H and W are multiples of 32.
    """

    inputs = ("lightness",)
    outputs = ("ab",)

    def __init__(self, encoder: nn.Module, decoder: nn.Module) -> None:
        super().__init__()
        self.encoder, self.decoder = encoder, decoder

    def forward(self, lightness: Tensor) -> Tensor:
        ab = self.decoder(self.encoder(lightness))  # [N, 2, H/4, W/4]
        return F.interpolate(ab, scale_factor=4.0, mode="bilinear", align_corners=False)


class ColorizationHead(nn.Module):
    """The trained part of a colorizer that takes hints: the encoder's later stages and the decoder.

    Inputs: a list of feature maps, and hints ``[N, 3, H/8, W/8]`` (see ``ColorDecoder``). The list holds only the map
    at stride 8, ``[N, C, H/8, W/8]``, or, if the later stages are frozen, those at strides 8, 16 and 32. Output: logits
    ``[N, bins, H/8, W/8]``.
    """

    def __init__(self, stages: nn.Module, decoder: nn.Module) -> None:
        super().__init__()
        self.stages, self.decoder = stages, decoder

    def forward(self, maps: Sequence[Tensor], hints: Tensor) -> Tensor:
        logits: Tensor = self.decoder(self.features(maps), hints)
        return logits

    def features(self, maps: Sequence[Tensor]) -> Sequence[Tensor]:
        """Return the features at strides 8, 16 and 32; if only those at stride 8 are given, compute the others."""
        features: Sequence[Tensor] = self.stages(maps) if len(maps) == 1 else maps
        return features


class DistributionNetwork(nn.Module):
    """Predicts the colours of a picture, their confidence, and their distribution over the bins.

    Inputs: ``lightness`` (``L*/100``) ``[N, 1, H, W]``; ``vividness`` ``[1]``, 0 to 1; ``hints`` ``[N, 3, H, W]``, a
    mask that is 1 where a colour is known, and a* and b* there. Outputs, at an eighth of the size: ``ab``
    ``[N, 2, H/8, W/8]``; ``confidence`` ``[N, 1, H/8, W/8]``, 0 to 1; ``probability`` ``[N, bins, H/8, W/8]``. The
    output ``ab`` is the mean of ``probability``, with its chroma raised.

    The decoder is trained with class weights that favour rare colours, so its logits are biased towards them. Vividness
    controls three things: how much of this bias remains, how sharply the distribution is annealed before its mean is
    taken, and how much the chroma of the mean is raised, since a mean of colours is greyer than they are. At 0, the
    colours are cautious: they have the least error, but are dull. At 1, they are close to the likeliest colours of the
    biased distribution.

    Args:
        backbone: The encoder's backbone.
        head: A ``ColorizationHead``.
        bins: The bins of the head's logits.
        rebalance_lambda: Share of the uniform distribution in the class weights of the head.
    """

    centres: Tensor
    log_class_weights: Tensor
    inputs = ("lightness", "vividness", "hints")
    outputs = ("ab", "confidence", "probability")

    def __init__(self, backbone: nn.Module, head: nn.Module, bins: ColorBins, rebalance_lambda: float) -> None:
        super().__init__()
        self.backbone, self.head = backbone, head
        self.register_buffer("centres", bins.centres.T[:, :, None, None].contiguous())  # [2, bins, 1, 1]
        weights = bins.class_weights(rebalance_lambda)
        self.register_buffer("log_class_weights", weights.log()[None, :, None, None])  # [1, bins, 1, 1]

    def forward(self, lightness: Tensor, vividness: Tensor, hints: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        logits = self.head(self.backbone(lightness), downsample_hints(hints))  # [N, bins, H/8, W/8]
        unbiased_logits = logits - self.log_class_weights
        probability = anneal(unbiased_logits, self.log_class_weights, vividness)
        mean = self.centres[:, :, 0, 0] @ probability.flatten(2)  # [N, 2, places]
        ab = mean.unflatten(2, probability.shape[2:]) * network_gain(vividness)  # [N, 2, H/8, W/8]
        return ab, self.confidence(unbiased_logits), probability

    @staticmethod
    def confidence(unbiased_logits: Tensor) -> Tensor:
        """Return 1 - entropy / maximum entropy: 1 where one colour is certain, 0 where all are equally likely.

        The logits are ``[N, bins, h, w]``, the result ``[N, 1, h, w]``.
        """
        shifted = unbiased_logits - unbiased_logits.amax(dim=1, keepdim=True)
        odds = shifted.exp()
        total = odds.sum(dim=1, keepdim=True)
        entropy = total.log() - (odds * shifted).sum(dim=1, keepdim=True) / total
        return 1 - entropy / math.log(unbiased_logits.shape[1])


Network = ReferenceNetwork | DistributionNetwork


def new_head(encoder: Encoder, bins: ColorBins | None, color_queries: int = 0) -> nn.Module:
    """Build the head of a colorizer, with an untrained decoder whose random weights are the same each time.

    PyTorch's generator of random numbers is seeded.

    Args:
        encoder: The pretrained encoder.
        bins: The bins that the decoder predicts; None for a decoder that predicts a*b*.
        color_queries: Number of colour queries in the decoder (see ``ColorQueries``); ignored if ``bins`` is None.

    Returns:
        A ``ReferenceDecoder`` if ``bins`` is None; else a ``ColorizationHead`` with a copy of the encoder's stages. The
        copy is trainable, except for the kernels of its depthwise convolutions.
    """
    torch.manual_seed(0)
    if bins is None:
        return ReferenceDecoder(encoder.channels)
    stages = copy.deepcopy(encoder.stages)
    make_trainable(stages)
    return ColorizationHead(stages, ColorDecoder(encoder.channels, len(bins.centres), color_queries))


def build_network(
    backbone: nn.Module, head: nn.Module, bins: ColorBins | None, rebalance_lambda: float | None
) -> Network:
    """Assemble a whole colorizer, and set it to evaluation mode.

    Args:
        backbone: The encoder's backbone.
        head: The head, as ``new_head`` returns it. A ``ColorizationHead`` that was trained with a
            ``rebalance_lambda`` other than ``DIAL_LAMBDA`` is copied and converted; any other head becomes part of the
            colorizer.
        bins: The head's bins; None for a ``ReferenceDecoder``.
        rebalance_lambda: Share of the uniform distribution in the class weights with which the head was trained; None
            for a ``ReferenceDecoder``.
    """
    if bins is None or rebalance_lambda is None:
        return ReferenceNetwork(backbone, head).eval()
    if rebalance_lambda != DIAL_LAMBDA:
        head = shift_class_weights(copy.deepcopy(head), bins, rebalance_lambda, DIAL_LAMBDA)
    return DistributionNetwork(backbone, head, bins, DIAL_LAMBDA).eval()


@torch.no_grad()
def shift_class_weights(head: nn.Module, bins: ColorBins, before: float, after: float) -> nn.Module:
    """Convert a head, in place, from the class weights of one ``rebalance_lambda`` to those of another, and return it.

    Class weights bias the logits by their logarithms, so the difference of the logarithms is added to the bias of the
    last layer.
    """
    if before != after:
        head.decoder.classify.bias += bins.class_weights(after).log() - bins.class_weights(before).log()  # type: ignore[union-attr, operator]
    return head


def downsample_hints(hints: Tensor) -> Tensor:
    """Reduce hints ``[N, 3, H, W]`` (mask, a*, b*) to the decoder's ``[N, 3, H/8, W/8]``.

    The mask of a cell is 1 if the cell contains hints, and its a* and b* are the mean of their colours divided by
    ``AB_SCALE``; all three are 0 elsewhere.
    """
    known, ab = hints[:, :1], hints[:, 1:]
    share = F.avg_pool2d(known, 8)
    mean = F.avg_pool2d(ab * known, 8) / share.clamp(min=1e-6)
    return torch.cat([(share > 0).to(hints.dtype), mean / AB_SCALE], dim=1)
