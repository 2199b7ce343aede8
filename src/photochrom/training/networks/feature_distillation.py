"""``FeatureDistillation``: a student that sees grey pictures, beside its teacher, which sees them in colour."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from lightning_fabric import Fabric
from torch import Tensor, nn
from torch.nn import functional as F

from .encoders import EfficientNetLite, make_trainable
from .imagenet_classifier import LiteClassifier

_WEIGHTS = (0.5, 1.0, 1.0)  # weights of the unexplained shares at strides 8, 16 and 32
_CLASS_WEIGHT = 0.25  # weight of the divergence of the classes in nats (Hinton, Vinyals and Dean 2015)
_SMALLEST = 1e-3  # addition to each channel's variance, relative to the mean over channels, so that none is near 0


class Comparison(NamedTuple):
    """Features ``[N, C, h, w]`` at strides 8, 16 and 32, and class logits ``[N, 1000]``, of student and teacher."""

    maps: list[Tensor]
    logits: Tensor
    true_maps: list[Tensor]
    true_logits: Tensor


@dataclass(frozen=True)
class Figures:
    """How well a student finds in grey pictures what the teacher finds in colour."""

    errors: list[Tensor]
    """Mean squared error of each channel, float32 ``[C]`` for each stride."""
    variances: list[Tensor]
    """Variance of each channel of the teacher's features, float32 ``[C]`` for each stride."""
    agreement: float
    """Share of the pictures that get the same ImageNet class from both, 0 to 1."""

    @property
    def unexplained(self) -> list[float]:
        """Unexplained share of the teacher's features for each stride; see ``unexplained``."""
        return [float(unexplained(*pair)) for pair in zip(self.errors, self.variances, strict=True)]


class FeatureDistillation:
    """Cross-modal distillation of features (Gupta, Hoffman and Malik 2016).

    The teacher is EfficientNet-Lite as trained on ImageNet, and its input is the picture in colour. The student is an
    encoder of the same architecture, and its input is the grey picture.

    Args:
        encoder: Encoder of the student; only its backbone is used, which is changed: it becomes trainable.
        stages: Later stages of the student, which are trainable.
        fabric: Launched Fabric; both networks run on its device, to which they are moved.

    Raises:
        TrainingError: The weights of ImageNet's network are not installed.
    """

    def __init__(self, encoder: EfficientNetLite, stages: nn.Module, fabric: Fabric) -> None:
        self.fabric = fabric
        self.teacher = LiteClassifier(encoder.variant).eval().requires_grad_(False)
        make_trainable(encoder.backbone)
        self.student = nn.ModuleDict({"backbone": encoder.backbone, "stages": stages})
        for network in (self.teacher, self.student):
            fabric.to_device(network).to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def compare(self, rgb: Tensor, lightness: Tensor) -> Comparison:
        """Run both networks; the last layers of the teacher classify the student's features, too.

        Args:
            rgb: The pictures in colour, R'G'B' uint8, ``[N, 3, H, W]``.
            lightness: ``L*/100`` of the grey pictures, float32 ``[N, 1, H, W]``.
        """
        rgb, lightness = self.fabric.to_device((rgb, lightness))
        with self.fabric.autocast():
            with torch.no_grad():
                true_maps = self.teacher.maps(rgb.float())
                true_logits, _ = self.teacher.classify_maps(true_maps)
            maps = self.student["stages"](self.student["backbone"](lightness))
            logits, _ = self.teacher.classify_maps(maps)
        return Comparison(
            [m.float() for m in maps], logits.float(), [m.float() for m in true_maps], true_logits.float()
        )

    @staticmethod
    def loss(seen: Comparison, variances: Sequence[Tensor]) -> Tensor:
        """Return the weighted sum of the unexplained shares and of the divergence of the classes, a scalar.

        Args:
            seen: Features and logits of both networks.
            variances: Variance of each channel of the teacher's features, ``[C]`` for each stride.
        """
        classes, expected = seen.logits.log_softmax(1), seen.true_logits.log_softmax(1)
        loss = _CLASS_WEIGHT * F.kl_div(classes, expected, reduction="batchmean", log_target=True)
        for weight, found, true, variance in zip(_WEIGHTS, seen.maps, seen.true_maps, variances, strict=True):
            loss = loss + weight * unexplained((found - true).square().mean((0, 2, 3)), variance)
        return loss


def unexplained(errors: Tensor, variances: Tensor) -> Tensor:
    """Return the share of the teacher's features that the student's do not explain: error over variance, a scalar.

    It is the mean over channels.

    Args:
        errors: Mean squared error of each channel, ``[C]``.
        variances: Variance of each channel of the teacher's features, ``[C]``.
    """
    return (errors / (variances + _SMALLEST * variances.mean())).mean()
