"""ImageNet classifiers: they test whether coloured pictures are recognised (Zhang et al. 2016), and serve as a loss."""

from __future__ import annotations

from threading import Lock
from typing import NamedTuple

import cv2
import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .compilation import compiled
from .encoders import EfficientNetLite, SameConv, fold, lite_state

SIZE = 240  # side in pixels of the pictures that EfficientNet-Lite1 was trained on
FEATURES = 1280  # channels of the last layer before the classification


class LiteClassifier(nn.Module):
    """EfficientNet-Lite with its classification layers: R'G'B' 0..255, ``[N, 3, H, W]``, to logits and features.

    The output is that of ``classify_maps``.

    Args:
        variant: Number of the variant: 0, 1 or 2.

    Raises:
        TrainingError: The network's weights are not installed.
    """

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
        """Return the feature maps of pictures, R'G'B' 0..255, at strides 8, 16 and 32, ``[N, C, h, w]`` each."""
        return self.encoder.features((rgb - 127) / 128)

    def classify_maps(self, maps: list[Tensor]) -> tuple[Tensor, Tensor]:
        """Return the class logits, ``[N, 1000]``, and the pooled features that they come from, 0..6, ``[N, FEATURES]``.

        Args:
            maps: Feature maps, as ``maps`` returns them; only the last is used.
        """
        pooled = F.relu6(self.head(maps[-1])).mean(dim=(2, 3))
        return self.classify(pooled), pooled


class Classification(NamedTuple):
    """Result of ``ImageClassifier``."""

    label: int
    """ImageNet class, 0 to 999."""
    features: np.ndarray
    """Pooled features before the classification, float32 ``[FEATURES]``."""


class ImageClassifier:
    """Classifies pictures with EfficientNet-Lite1; several threads may call it, and take turns.

    Raises:
        TrainingError: The network's weights are not installed.
    """

    def __init__(self) -> None:
        # In float32, since in bfloat16 two runs on the same picture may give different classes.
        self._run = compiled(LiteClassifier(1).eval(), torch.zeros(1, 3, SIZE, SIZE), exact=True)
        self._lock = Lock()  # a compiled network cannot run in two threads at once

    def __call__(self, rgb: np.ndarray) -> Classification:
        """Classify a picture of any size, RGB uint8 ``[H, W, 3]``, after scaling it to ``SIZE`` by ``SIZE`` pixels."""
        small = cv2.resize(rgb, (SIZE, SIZE), interpolation=cv2.INTER_AREA).astype(np.float32)
        with self._lock:
            logits, features = (np.array(output[0]) for output in self._run(small.transpose(2, 0, 1)[None]))
        return Classification(int(logits.argmax()), features)
