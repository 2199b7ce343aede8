"""Whether a coloured picture shows what the true one shows, to a network that has learnt ImageNet: as a loss."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ...color.spaces import WHITE, XYZ_TO_RGB
from .classifier import LiteClassifier

_FEATURES = 25.0
_VARIANTS = (0, 2)  # of EfficientNet-Lite: not the one that ``evaluate`` asks


class Recognition(nn.Module):
    """How differently judges see two colourings of one picture: 0 where they see the same.

    The first is EfficientNet-Lite0, the second Lite2. How a judge's verdict differs (the Kullback-Leibler divergence,
    nats), and what it comes from: the mean squared distance of its features at strides 8, 16 and 32, those of each
    place scaled to length 1 (as in LPIPS, Zhang et al. 2018, without their learnt weights), times ``_FEATURES``.
    Of several judges the mean.
    """

    def __init__(self, autocast: Callable[[], AbstractContextManager[object]], judges: int = 1) -> None:
        super().__init__()
        self.judges = [LiteClassifier(variant) for variant in _VARIANTS[:judges]]
        self.parts = nn.ModuleList(self.judges).eval().requires_grad_(False)  # which ``to`` moves
        self.autocast = autocast

    def forward(self, lightness: Tensor, ab: Tensor, truth: Tensor) -> Tensor:
        """Lightness ``L*/100`` ``[N, 1, H, W]``, a*b* ``[N, 2, h, w]`` both, not larger -> ``[N]``."""
        colored = _picture(lightness, ab)
        with torch.no_grad():
            true = _picture(lightness, truth)
        return torch.stack([self._apart(judge, colored, true) for judge in self.judges]).mean(0)

    def _apart(self, judge: LiteClassifier, colored: Tensor, true: Tensor) -> Tensor:
        with torch.no_grad():
            expected, true_maps = self._seen(judge, true)
        found, maps = self._seen(judge, colored)
        verdict = F.kl_div(found, expected, reduction="none", log_target=True).sum(1)
        apart = [(a - b).square().sum(1).mean((1, 2)) for a, b in zip(maps, true_maps, strict=True)]
        return verdict + _FEATURES * torch.stack(apart).mean(0)

    def _seen(self, judge: LiteClassifier, rgb: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Logarithms of the classes' probabilities, and the features that they come from, scaled."""
        with self.autocast():
            maps = judge.maps(rgb)
            logits, _ = judge.decide(maps)
        return logits.float().log_softmax(1), [F.normalize(m.float(), dim=1) for m in maps]


def _picture(lightness: Tensor, ab: Tensor) -> Tensor:
    """As a classifier takes it: R'G'B' 0..255."""
    smooth = F.interpolate(ab, lightness.shape[2:], mode="bilinear", align_corners=False)
    return 255 * rgb_of_lab(100 * lightness, smooth).contiguous(memory_format=torch.channels_last)


def rgb_of_lab(lightness: Tensor, ab: Tensor) -> Tensor:
    """L* ``[N, 1, H, W]`` and a*b* ``[N, 2, H, W]`` -> R'G'B' 0..1 ``[N, 3, H, W]``, clipped, for gradients.

    ``chroma.lab_to_rgb`` in PyTorch.
    """
    y = (lightness + 16) / 116
    f = torch.cat([y + ab[:, :1] / 500, y, y - ab[:, 1:] / 200], dim=1)
    xyz = torch.where(f > 6 / 29, f**3, (f - 4 / 29) * 108 / 841)
    matrix = torch.as_tensor(XYZ_TO_RGB * WHITE, dtype=f.dtype, device=f.device)
    linear = torch.einsum("ij,njhw->nihw", matrix, xyz).clamp(0, 1)
    return torch.where(linear > 0.0031308, 1.055 * linear.clamp(min=0.0031308) ** (1 / 2.4) - 0.055, 12.92 * linear)
