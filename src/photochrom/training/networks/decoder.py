"""Decoders, which turn the features of a grey picture into colours."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

AB_SCALE = 110.0  # |a*| and |b*| of all sRGB colours are smaller
_REACHES = (1.5, 4.0, 10.0)  # distances over which hints are spread: standard deviations in cells at stride 8


class ReferenceDecoder(nn.Module):
    """Decoder of the reference colorizer: a list of VGG16's feature map ``[N, 512, h, w]`` to a*b* ``[N, 2, 8h, 8w]``.

    For a 224 by 224 picture: 7x7x512 -> 14x14x256 -> 28x28x64 -> 56x56x32 -> 56x56x16 -> 56x56x2. The last upsampling,
    to 224x224, is bilinear and has no parameters (see ``ReferenceNetwork``). True chroma at a quarter of the size
    already reaches a PSNR of 37 dB, and a training step at this size takes a third of the time.
    """

    widths = (256, 64, 32)  # channels at two, four and eight times the size of the features

    def __init__(self, channels: Sequence[int] = (512,)) -> None:
        super().__init__()
        (width,) = channels
        layers: list[nn.Module] = []
        for out in self.widths:
            layers += [nn.Conv2d(width, out, 3, padding=1), nn.ReLU(inplace=True), nn.Upsample(scale_factor=2)]
            width = out
        layers += [nn.Conv2d(width, 16, 3, padding=1), nn.ReLU(inplace=True), nn.Conv2d(16, 2, 3, padding=1), nn.Tanh()]
        self.layers = nn.Sequential(*layers)

    def forward(self, maps: Sequence[Tensor]) -> Tensor:
        (embedding,) = maps
        return AB_SCALE * self.layers(embedding)


class ColorDecoder(nn.Module):
    """Decoder from features at strides 8, 16 and 32, and hints, to logits ``[N, bins, H/8, W/8]`` of the a*b* bins.

    It works from coarse to fine, with lateral connections (Lin et al. 2017). Residual blocks refine each level. At the
    two coarser levels, attention relates all places to one another, so that the parts of an object get one colour.
    These levels have two thirds of the features' height and width, which saves a fifth of the time; a larger picture
    for the encoder is worth more than their detail (docs/experiments.md, "a larger thumbnail alone").

    Hints are ``[N, 3, H/8, W/8]``: a mask that is 1 where a colour is known, then a* and b* there, divided by
    ``AB_SCALE``; all three are 0 elsewhere. They are added at every level (Zhang et al. 2017), but not in the encoder,
    so that its features can be cached. They are first spread over their surroundings (``spread_hints``), since
    convolutions would not propagate a single cell far enough.

    Args:
        channels: Channels of the features at strides 8, 16 and 32.
        bins: Number of bins.
        color_queries: Number of colour queries; 0 for none.
    """

    widths = (96, 192, 256)  # channels of the levels at strides 8, 16 and 32
    blocks = ((2, 0), (1, 4), (1, 2))  # numbers of residual and attention blocks at each level

    def __init__(self, channels: Sequence[int], bins: int, color_queries: int = 0) -> None:
        super().__init__()
        widths = self.widths
        self.lateral = nn.ModuleList(nn.Conv2d(c, w, 1) for c, w in zip(channels, widths, strict=True))
        self.hint = nn.ModuleList(nn.Conv2d(3 + 3 * len(_REACHES), w, 3, padding=1) for w in widths)
        self.narrow = nn.ModuleList(nn.Conv2d(coarse, fine, 1) for fine, coarse in pairwise(widths))
        self.refine = nn.ModuleList(
            nn.Sequential(*(Residual(w) for _ in range(near)), *(Attention(w) for _ in range(far)))
            for w, (near, far) in zip(widths, self.blocks, strict=True)
        )
        self.classify = nn.Conv2d(widths[0], bins, 1)
        self.queries: ColorQueries | None = None
        if color_queries:
            self.add_queries(color_queries)

    def add_queries(self, count: int) -> None:
        """Add ``count`` colour queries, which have no effect until they are trained."""
        self.queries = ColorQueries(count, self.widths, self.classify.out_channels)

    def forward(self, maps: Sequence[Tensor], hints: Tensor) -> Tensor:
        spread = spread_hints(hints)  # [N, 12, H/8, W/8]
        pooled = [spread, F.avg_pool2d(spread, 2), F.avg_pool2d(spread, 4)]  # at strides 8, 16 and 32
        height, width = ((2 * side + 1) // 3 for side in maps[2].shape[2:])
        sizes = maps[0].shape[2:], (2 * height, 2 * width), (height, width)
        levels = [  # [N, widths[i], h, w] at strides 8, 24 and 48
            resized(lateral(features) + hint(planes), size)
            for lateral, hint, features, planes, size in zip(self.lateral, self.hint, maps, pooled, sizes, strict=True)
        ]
        refined = [x := self.refine[-1](levels[-1])]  # from coarse to fine
        for i in reversed(range(len(self.narrow))):
            x = self.narrow[i](resized(x, sizes[i]))
            refined.append(x := self.refine[i](x + levels[i]))
        logits: Tensor = self.classify(F.silu(x))  # [N, bins, H/8, W/8]
        return logits if self.queries is None else logits + self.queries(*refined)


def resized(x: Tensor, size: Sequence[int]) -> Tensor:
    """Return maps ``[N, C, h, w]`` interpolated to another height and width."""
    return x if tuple(x.shape[2:]) == tuple(size) else F.interpolate(x, tuple(size), mode="bilinear")


def spread_hints(hints: Tensor) -> Tensor:
    """Return hints ``[N, 3, h, w]`` followed by the same hints spread over each of ``_REACHES``, ``[N, 12, h, w]``.

    Each distance has three planes: the proximity of hints, 0 to 1, and their mean a* and b* times that proximity.
    """
    planes = [hints]
    for reach in _REACHES:
        near = _gaussian(hints.shape[2], reach, hints) @ hints @ _gaussian(hints.shape[3], reach, hints)
        planes.append(near / (1 + near[:, :1]))
    return torch.cat(planes, dim=1)


def _gaussian(side: int, reach: float, like: Tensor) -> Tensor:
    """Return the proximity of every two cells along one axis, ``[side, side]``; 1 on the diagonal."""
    cells = torch.arange(side, dtype=like.dtype, device=like.device)
    return torch.exp(-(((cells[:, None] - cells) / reach) ** 2) / 2)


class Residual(nn.Module):
    """Residual block (He et al. 2016, pre-activation): group normalisation, then two 3x3 convolutions.

    The last convolution's weights are initially 0, so that the block returns its input plus a constant.

    Args:
        width: Channels of input and output, a multiple of 8.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = nn.GroupNorm(8, width)
        self.first = nn.Conv2d(width, width, 3, padding=1)
        self.second = nn.Conv2d(width, width, 3, padding=1)
        nn.init.zeros_(self.second.weight)

    def forward(self, x: Tensor) -> Tensor:
        y = self.first(self._activate(x))
        return x + self.second(F.silu(y))

    def _activate(self, x: Tensor) -> Tensor:
        if not torch.compiler.is_exporting():
            return F.silu(self.norm(x))
        # OpenVINO computes row by row, and the ends of short rows without vector instructions: one long row is faster.
        return F.silu(self.norm(x.flatten(2))).unflatten(2, x.shape[2:])


class Attention(nn.Module):
    """Self-attention block over the places of a feature map (Vaswani et al. 2017, pre-norm).

    A depthwise convolution encodes positions (Chu et al. 2021), so that maps may have any size. The last layers of
    attention and of the two linear layers after it have weights that are initially 0.

    Args:
        width: Channels of input and output, a multiple of ``head``.
    """

    head = 32  # channels of each attention head

    def __init__(self, width: int) -> None:
        super().__init__()
        self.place = nn.Conv2d(width, width, 3, padding=1, groups=width)
        self.norm, self.norm_after = nn.LayerNorm(width), nn.LayerNorm(width)
        self.query_key_value, self.join = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.widen, self.narrow = nn.Linear(width, 2 * width), nn.Linear(2 * width, width)
        for last in (self.join, self.narrow):
            nn.init.zeros_(last.weight)

    def forward(self, x: Tensor) -> Tensor:
        n, c, h, w = x.shape
        tokens = places(x + self.place(x))  # [N, places, C]
        query, key, value = (  # [N, heads, places, 32] each
            part.view(n, -1, c // self.head, self.head).transpose(1, 2)
            for part in self.query_key_value(self.norm(tokens)).chunk(3, dim=-1)
        )
        # Attention is written out because PyTorch's fused function is slower on a CPU, especially its gradient.
        weights = (query @ key.transpose(-1, -2) * self.head**-0.5).softmax(-1).to(value.dtype)
        tokens = tokens + self.join((weights @ value).transpose(1, 2).flatten(2))
        tokens = tokens + self.narrow(F.gelu(self.widen(self.norm_after(tokens))))
        return tokens.unflatten(1, (h, w)).permute(0, 3, 1, 2)


def places(x: Tensor) -> Tensor:
    """Return a feature map ``[N, C, h, w]`` as tokens ``[N, h w, C]``.

    OpenVINO keeps maps in channels-last memory, and moves less data for this than for a transpose of the flattened map.
    """
    return x.permute(0, 2, 3, 1).flatten(1, 2)


class ColorQueries(nn.Module):
    """Learned colour queries (Kang et al. 2023, DDColor), which bring global context to the colour of each place.

    Each query attends to the features at strides 32 and 16. The product of a query with the features of a place at
    stride 8 measures how relevant the query is there. A linear layer maps these products to terms that are added to the
    logits, initially 0.

    Args:
        count: Number of queries.
        widths: Channels of the features at strides 8, 16 and 32.
        bins: Number of bins.
    """

    width = 192  # channels of a query

    def __init__(self, count: int, widths: Sequence[int], bins: int) -> None:
        super().__init__()
        fine, middle, coarse = widths
        self.embedding = nn.Parameter(torch.randn(count, self.width) * self.width**-0.5)
        self.attend = nn.ModuleList(CrossAttention(self.width, memory) for memory in (coarse, middle))
        self.norm, self.project = nn.LayerNorm(self.width), nn.Linear(self.width, fine)
        self.add = nn.Conv2d(count, bins, 1, bias=False)
        nn.init.zeros_(self.add.weight)

    def forward(self, coarse: Tensor, middle: Tensor, fine: Tensor) -> Tensor:
        tokens = self.embedding.expand(fine.shape[0], -1, -1)  # [N, queries, C]
        for attend, memory in zip(self.attend, (coarse, middle), strict=True):
            tokens = attend(tokens, memory)
        keys = self.project(self.norm(tokens))  # [N, queries, C of fine]
        n, channels, h, w = fine.shape
        product = keys @ fine.flatten(2) * channels**-0.5  # [N, queries, places]
        logits: Tensor = self.add(product.view(n, -1, h, w))
        return logits


class CrossAttention(nn.Module):
    """Cross-attention block: tokens attend to the places of a feature map (Vaswani et al. 2017, pre-norm).

    Args:
        width: Channels of the tokens, a multiple of ``head``.
        memory: Channels of the feature map.
    """

    head = 32  # channels of each attention head

    def __init__(self, width: int, memory: int) -> None:
        super().__init__()
        self.norm, self.norm_memory, self.norm_after = nn.LayerNorm(width), nn.LayerNorm(memory), nn.LayerNorm(width)
        self.query, self.key_value = nn.Linear(width, width), nn.Linear(memory, 2 * width)
        self.join = nn.Linear(width, width)
        self.widen, self.narrow = nn.Linear(width, 2 * width), nn.Linear(2 * width, width)

    def forward(self, tokens: Tensor, memory: Tensor) -> Tensor:
        n, count, width = tokens.shape
        seen = self.norm_memory(places(memory))  # [N, places, C]
        query = self.query(self.norm(tokens)).view(n, count, -1, self.head).transpose(1, 2)
        key, value = (
            part.view(n, -1, width // self.head, self.head).transpose(1, 2)
            for part in self.key_value(seen).chunk(2, dim=-1)
        )
        weights = (query @ key.transpose(-1, -2) * self.head**-0.5).softmax(-1).to(value.dtype)
        tokens = tokens + self.join((weights @ value).transpose(1, 2).flatten(2))
        result: Tensor = tokens + self.narrow(F.gelu(self.widen(self.norm_after(tokens))))
        return result


def count_parameters(module: nn.Module) -> int:
    """Return the number of trainable parameters of a module."""
    return sum(p.numel() for p in module.parameters() if p.requires_grad)
