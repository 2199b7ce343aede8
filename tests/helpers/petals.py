"""A drawing with known colours: a red flower of eight petals on grey paper, to test what happens beside edges."""

from __future__ import annotations

import cv2
import numpy as np


def petals(size: int = 256) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Draw the flower.

    Returns:
        L* float32 ``[size, size]``, with some grain; a*b* float32 ``[2, size, size]``, 0 on the paper; and where
        there is nothing but paper, bool ``[size, size]``.
    """
    y, x = (np.mgrid[:size, :size].astype(np.float32) + 0.5) / size - 0.5
    inside = (np.hypot(y, x) < 0.2 + 0.14 * np.cos(8 * np.arctan2(y, x))).astype(np.float32)
    soft = cv2.GaussianBlur(inside, (0, 0), 0.8)
    flower = 55 + 8 * np.sin(28 * x) + 25 * np.cos(15 * y)
    lightness = 92 + soft * (flower - 92) + np.random.default_rng(0).normal(0, 0.6, soft.shape)
    return lightness.astype(np.float32), soft * np.array([40, 30], np.float32)[:, None, None], soft < 0.02
