"""An ImageNet classifier, to ask whether a picture is still taken for what it shows (Zhang et al. 2016, section 3)."""

from __future__ import annotations

from threading import Lock
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..data.feature_cache import compiled
from .encoders import EfficientNetLite, SameConv, fold, lite_state

SIZE = 240  # that EfficientNet-Lite1 was trained at
FEATURES = 1280  # that its last layer decides by


class LiteClassifier(nn.Module):
    """EfficientNet-Lite with its own head: RGB 0..255 float32 ``[N, 3, H, W]`` -> what ``decide`` returns."""

    def __init__(self, variant: int) -> None:
        super().__init__()
        state = lite_state(variant)
        self.encoder = EfficientNetLite(variant)
        self.encoder.load(state)
        self.head = SameConv(self.encoder.channels[-1], FEATURES, 1)
        fold(self.head, state, "_conv_head", "_bn1")
        self.classify = nn.Linear(FEATURES, 1000)
        self.classify.load_state_dict({k: state[f"_fc.{k}"] for k in ("weight", "bias")})

    def forward(self, rgb: Tensor) -> tuple[Tensor, Tensor]:
        return self.decide(self.maps(rgb))

    def maps(self, rgb: Tensor) -> list[Tensor]:
        """What it sees: maps at strides 8, 16 and 32."""
        return self.encoder.features((rgb - 127) / 128)

    def decide(self, maps: list[Tensor]) -> tuple[Tensor, Tensor]:
        """Logits ``[N, 1000]``, and the head's activations, averaged over the picture: 0..6, ``[N, FEATURES]``."""
        pooled = F.relu6(self.head(maps[-1])).mean(dim=(2, 3))
        return self.classify(pooled), pooled


class Verdict(NamedTuple):
    """What EfficientNet-Lite1 makes of a picture."""

    label: int
    """The ImageNet class, 0..999."""
    features: np.ndarray
    """float32 ``[FEATURES]``: what it decided by."""


class Judge:
    """EfficientNet-Lite1, loaded once. Safe to share between threads, which wait for one another.

    Raises:
        TrainingError: its weights are not installed.
    """

    def __init__(self) -> None:
        # In bfloat16 its verdicts on one picture and the same waver: agreement would be lost by that.
        self._run = compiled(LiteClassifier(1).eval(), torch.zeros(1, 3, SIZE, SIZE), exact=True)
        self._lock = Lock()  # a compiled network refuses a second thread

    def __call__(self, rgb: np.ndarray) -> Verdict:
        """The verdict on RGB uint8 ``[H, W, 3]``."""
        import cv2

        small = cv2.resize(rgb, (SIZE, SIZE), interpolation=cv2.INTER_AREA).astype(np.float32)
        with self._lock:
            logits, features = (np.array(found[0]) for found in self._run(small.transpose(2, 0, 1)[None]))
        return Verdict(int(logits.argmax()), features)
