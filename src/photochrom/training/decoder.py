"""Decoders: from the embedding of a grey picture to its colours, by convolutions and upsampling."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from torch import Tensor, nn
from torch.nn import functional as F

AB_SCALE = 110.0  # a* and b* of sRGB colours lie within this


class ReferenceDecoder(nn.Module):
    """The reference colorizer's decoder: ``[N, 512, h, w]`` of VGG16 -> a*b* ``[N, 2, 8h, 8w]``.

    For a 224 by 224 picture: 7x7x512 -> 14x14x256 -> 28x28x64 -> 56x56x32 -> 56x56x16 -> 56x56x2. The last step, to
    224x224, is bilinear and has no parameters (``upsampled``): true chroma at a quarter of the picture's size already
    gives 37 dB, and a training step costs a third.
    """

    widths = (256, 64, 32)

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
    """Feature maps at strides 8, 16 and 32 -> logits over the a*b* bins at stride 8, ``[N, bins, H/8, W/8]``.

    Coarse to fine with lateral connections (Lin et al. 2017). Each level is refined by residual blocks; what the
    whole picture is about enters once, at the coarsest level, as its pooled embedding.
    """

    widths = (96, 192, 256)  # of the levels at strides 8, 16 and 32
    blocks = (1, 1, 2)

    def __init__(self, channels: Sequence[int], bins: int) -> None:
        super().__init__()
        widths = self.widths
        self.lateral = nn.ModuleList(nn.Conv2d(c, w, 1) for c, w in zip(channels, widths, strict=True))
        self.narrow = nn.ModuleList(nn.Conv2d(coarse, fine, 1) for fine, coarse in pairwise(widths))
        self.refine = nn.ModuleList(
            nn.Sequential(*(Residual(w) for _ in range(n))) for w, n in zip(widths, self.blocks, strict=True)
        )
        self.scene = nn.Sequential(nn.Linear(channels[-1], widths[-1]), nn.SiLU(), nn.Linear(widths[-1], widths[-1]))
        self.classify = nn.Conv2d(widths[0], bins, 1)

    def forward(self, maps: Sequence[Tensor]) -> Tensor:
        levels = [lateral(m) for lateral, m in zip(self.lateral, maps, strict=True)]
        x = levels[-1] + self.scene(maps[-1].mean(dim=(2, 3)))[..., None, None]
        x = self.refine[-1](x)
        for i in reversed(range(len(self.narrow))):
            x = self.narrow[i](F.interpolate(x, scale_factor=2.0, mode="bilinear", align_corners=False))
            x = self.refine[i](x + levels[i])
        return self.classify(F.silu(x))


class Residual(nn.Module):
    """Two 3x3 convolutions beside the identity (He et al. 2016, pre-activation), normalised over channel groups."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = nn.GroupNorm(8, width)
        self.first = nn.Conv2d(width, width, 3, padding=1)
        self.second = nn.Conv2d(width, width, 3, padding=1)
        nn.init.zeros_(self.second.weight)

    def forward(self, x: Tensor) -> Tensor:
        y = self.first(F.silu(self.norm(x)))
        return x + self.second(F.silu(y))


def count_parameters(module: nn.Module) -> int:
    """Number of trainable parameters."""
    return sum(p.numel() for p in module.parameters() if p.requires_grad)
