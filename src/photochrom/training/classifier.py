"""An ImageNet classifier, to ask whether a picture is still taken for what it shows (Zhang et al. 2016, section 3)."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .encoders import EfficientNetLite, SameConv, fold, lite_state
from .features import compiled

SIZE = 240  # that EfficientNet-Lite1 was trained at


class LiteClassifier(nn.Module):
    """EfficientNet-Lite with its own head: RGB 0..255 float32 ``[N, 3, H, W]`` -> logits ``[N, 1000]``."""

    def __init__(self, variant: int) -> None:
        super().__init__()
        state = lite_state(variant)
        self.encoder = EfficientNetLite(variant)
        self.encoder.load(state)
        self.head = SameConv(self.encoder.channels[-1], 1280, 1)
        fold(self.head, state, "_conv_head", "_bn1")
        self.classify = nn.Linear(1280, 1000)
        self.classify.load_state_dict({k: state[f"_fc.{k}"] for k in ("weight", "bias")})

    def forward(self, rgb: Tensor) -> Tensor:
        features = self.encoder.features((rgb - 127) / 128)[-1]
        return self.classify(F.relu6(self.head(features)).mean(dim=(2, 3)))


class Verdict:
    """What EfficientNet-Lite1 takes a picture for."""

    def __init__(self) -> None:
        self._run = compiled(LiteClassifier(1).eval(), torch.zeros(1, 3, SIZE, SIZE))

    def __call__(self, rgb: np.ndarray) -> int:
        """The ImageNet class (0..999) of RGB uint8 ``[H, W, 3]``."""
        import cv2

        small = cv2.resize(rgb, (SIZE, SIZE), interpolation=cv2.INTER_AREA).astype(np.float32)
        return int(self._run(small.transpose(2, 0, 1)[None])[0].argmax())
