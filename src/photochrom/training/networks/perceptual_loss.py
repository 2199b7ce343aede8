"""``PerceptualLoss``: how different a coloured picture and the true one look to ImageNet classifiers."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ...color.spaces import WHITE, XYZ_TO_RGB
from .imagenet_classifier import LiteClassifier

_FEATURE_WEIGHT = 25.0  # weight of the feature distance relative to the divergence of the classes in nats
_VARIANTS = (0, 2)  # variants of EfficientNet-Lite; ``evaluate`` uses Lite1, so that its figures are independent


class PerceptualLoss(nn.Module):
    """Difference between two colourings of a picture as image classifiers see them; 0 if they are equal.

    For each network, it is the Kullback-Leibler divergence of the class probabilities, in nats, plus
    ``_FEATURE_WEIGHT`` times the mean squared distance of the features at strides 8, 16 and 32, those of each place
    scaled to length 1 (as in LPIPS, Zhang et al. 2018, but without learnt weights). The mean over the networks is
    returned.

    Args:
        autocast: Function that returns the autocast context for the networks.
        count: Number of networks: 1 for EfficientNet-Lite0, 2 for Lite0 and Lite2.

    Raises:
        TrainingError: The networks' weights are not installed.
    """

    networks: Iterable[LiteClassifier]

    def __init__(self, autocast: Callable[[], AbstractContextManager[object]], count: int = 1) -> None:
        super().__init__()
        networks = nn.ModuleList(LiteClassifier(variant) for variant in _VARIANTS[:count])
        self.networks = networks.eval().requires_grad_(False)  # type: ignore[assignment]
        self.autocast = autocast

    def forward(self, lightness: Tensor, ab: Tensor, truth: Tensor) -> Tensor:
        """Compare two colourings.

        Args:
            lightness: ``L*/100``, ``[N, 1, H, W]``.
            ab: Predicted a*b*, ``[N, 2, h, w]``; it is enlarged to the size of the lightness.
            truth: True a*b*, ``[N, 2, h, w]``.

        Returns:
            The difference in each picture, ``[N]``.
        """
        colored = _picture(lightness, ab)  # [N, 3, H, W]
        with torch.no_grad():
            true = _picture(lightness, truth)
        return torch.stack([self._difference(network, colored, true) for network in self.networks]).mean(0)

    def _difference(self, network: LiteClassifier, colored: Tensor, true: Tensor) -> Tensor:
        """Return the difference between two pictures as one network sees them, ``[N]``."""
        with torch.no_grad():
            expected, true_maps = self._run(network, true)
        log_probabilities, maps = self._run(network, colored)
        divergence = F.kl_div(log_probabilities, expected, reduction="none", log_target=True).sum(1)  # [N]
        distances = [(a - b).square().sum(1).mean((1, 2)) for a, b in zip(maps, true_maps, strict=True)]  # [N] each
        return divergence + _FEATURE_WEIGHT * torch.stack(distances).mean(0)

    def _run(self, network: LiteClassifier, rgb: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Return log-probabilities of the classes, ``[N, 1000]``, and feature maps, ``[N, C, h, w]`` each.

        The features of each place are scaled to length 1.
        """
        with self.autocast():
            maps = network.maps(rgb)
            logits, _ = network.classify_maps(maps)
        return logits.float().log_softmax(1), [F.normalize(m.float(), dim=1) for m in maps]


def _picture(lightness: Tensor, ab: Tensor) -> Tensor:
    """Return a picture for a classifier: R'G'B' from 0 to 255, ``[N, 3, H, W]``."""
    smooth = F.interpolate(ab, lightness.shape[2:], mode="bilinear", align_corners=False)
    return 255 * rgb_of_lab(100 * lightness, smooth).contiguous(memory_format=torch.channels_last)


def rgb_of_lab(lightness: Tensor, ab: Tensor) -> Tensor:
    """Convert L* ``[N, 1, H, W]`` and a*b* ``[N, 2, H, W]`` to R'G'B' ``[N, 3, H, W]``, clipped to 0..1.

    This is ``color.spaces.lab_to_rgb`` in PyTorch, with gradients.
    """
    y = (lightness + 16) / 116
    f = torch.cat([y + ab[:, :1] / 500, y, y - ab[:, 1:] / 200], dim=1)
    xyz = torch.where(f > 6 / 29, f**3, (f - 4 / 29) * 108 / 841)
    matrix = torch.as_tensor(XYZ_TO_RGB * WHITE, dtype=f.dtype, device=f.device)
    linear = torch.einsum("ij,njhw->nihw", matrix, xyz).clamp(0, 1)
    return torch.where(linear > 0.0031308, 1.055 * linear.clamp(min=0.0031308) ** (1 / 2.4) - 0.055, 12.92 * linear)
