"""An ImageNet classifier, to test whether coloured pictures are still recognised (Zhang et al. 2016, section 3)."""

from __future__ import annotations

from threading import Lock
from typing import NamedTuple

import cv2
import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..data.feature_cache import compiled
from .encoders import EfficientNetLite, SameConv, fold, lite_state

SIZE = 240  # pixels: the size that EfficientNet-Lite1 was trained at
FEATURES = 1280  # channels of the last layer before the classification


class LiteClassifier(nn.Module):
    """EfficientNet-Lite with its own classification layers; takes RGB 0..255, float32 ``[N, 3, H, W]``."""

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
        return self.classify_maps(self.maps(rgb))

    def maps(self, rgb: Tensor) -> list[Tensor]:
        """Return feature maps at strides 8, 16 and 32."""
        return self.encoder.features((rgb - 127) / 128)

    def classify_maps(self, maps: list[Tensor]) -> tuple[Tensor, Tensor]:
        """Return logits ``[N, 1000]``, and the pooled activations before them, 0 to 6, ``[N, FEATURES]``."""
        pooled = F.relu6(self.head(maps[-1])).mean(dim=(2, 3))
        return self.classify(pooled), pooled


class Classification(NamedTuple):
    """Result of ``ImageClassifier``."""

    label: int
    """ImageNet class, 0 to 999."""
    features: np.ndarray
    """Pooled activations before the classification, float32 ``[FEATURES]``."""


class ImageClassifier:
    """EfficientNet-Lite1. Several threads may use it, one at a time.

    Raises:
        TrainingError: Its weights are not installed.
    """

    def __init__(self) -> None:
        # In float32, since in bfloat16 two runs on the same picture may give different classes.
        self._run = compiled(LiteClassifier(1).eval(), torch.zeros(1, 3, SIZE, SIZE), exact=True)
        self._lock = Lock()  # a compiled network refuses a second thread

    def __call__(self, rgb: np.ndarray) -> Classification:
        """Classify a picture, RGB uint8 ``[H, W, 3]``."""
        small = cv2.resize(rgb, (SIZE, SIZE), interpolation=cv2.INTER_AREA).astype(np.float32)
        with self._lock:
            logits, features = (np.array(found[0]) for found in self._run(small.transpose(2, 0, 1)[None]))
        return Classification(int(logits.argmax()), features)
