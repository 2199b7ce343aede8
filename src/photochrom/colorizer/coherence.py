"""Coherence: cells of one thing agree on one of their likely colours, instead of each choosing for itself.

The network gives each cell of its grid a distribution of colours, and does not say which choices go together. Where a
coat may be orange or violet, its cells decide by chance, and the coat comes out in both. Here the distributions are
decoded together, as in a fully connected conditional random field (Kraehenbuehl and Koltun, Efficient Inference in
Fully Connected CRFs with Gaussian Edge Potentials, 2011): a colour gains where cells that are near and alike in
lightness expect similar colours, and its rivals lose. A cell that is certain hardly changes, since what has no
probability cannot gain any.
"""

from __future__ import annotations

import functools
from typing import Final

import cv2
import numpy as np

from ..color.bands import product
from ..color.spaces import lightness_of_luma
from ..errors import ModelError
from ..models.registry import ModelCard

Bins = tuple[tuple[float, float], ...]

# Chosen on 50 outside photographs for the least CIEDE2000 at equal colourfulness; docs/experiments.md has the figures.
_NEAR: Final = 3.0  # cells over which the influence of another cell falls off
_ALIKE: Final = 6.0  # contrast in L* over which it falls off
_SIMILAR: Final = 20.0  # distance in a*b* over which two colours support each other
_SUPPORT: Final = 10.0  # change of the logarithm of a probability if all others expect just this colour
_LEAN: Final = 0.002  # the same for each unit of a*b* that they expect, and each that the colour has along it
_ROUNDS: Final = 2  # more change little
_RANK: Final = 16  # numbers that stand for a distribution when it is compared with others
_STEP: Final = 2  # cells along each side of a block whose mean stands for its cells
_FARTHEST: Final = -60.0  # exponent, of no account; arithmetic on smaller numbers than its power becomes slow
_LEAST: Final = np.float32(1e-9)  # probability: so little that no agreement of others overrules a certain cell


def coherent(probability: np.ndarray, luma: np.ndarray, bins: Bins) -> np.ndarray:
    """Let the cells of a prediction agree.

    Args:
        probability: Probability of each bin, float32 ``[bins, h, w]``.
        luma: Luma of the same picture, uint8 ``[H, W]``, at any size.
        bins: a* and b* of each bin.

    Returns:
        Probabilities, float32 ``[bins, h, w]``.
    """
    count, height, width = probability.shape
    given = np.asarray(probability, np.float32).reshape(count, -1)  # [bins, cells]
    weights = _weights(luma, height, width)  # [blocks, cells]
    features = _features(bins)  # [bins, features]
    own, agreed = cv2.log(np.clip(given, _LEAST, 1)), given
    for _ in range(_ROUNDS):
        expected = product(features.T, agreed).reshape(-1, height, width)
        agreed = product(features, product(_blocks(expected).reshape(len(expected), -1), weights))
        agreed += own
        agreed -= agreed.max(0)
        cv2.exp(agreed, dst=agreed)
        agreed /= agreed.sum(0)
    return agreed.reshape(probability.shape)


def declared(probability: np.ndarray | None, card: ModelCard) -> np.ndarray:
    """Return the probabilities ``[bins, h, w]`` that a network gave, one for each bin of the model's card.

    Raises:
        ModelError: The network's output contradicts the card.
    """
    if probability is None or len(probability) != len(card.bins):
        raise ModelError(
            f"the model {card.name!r} does not give the {len(card.bins)} probabilities that its card declares",
            remedy="choose another model",
        )
    return probability


def mean_color(probability: np.ndarray, bins: Bins | np.ndarray) -> np.ndarray:
    """Return the mean a*b* of distributions ``[bins, h, w]``, float32 ``[2, h, w]``."""
    count, height, width = probability.shape
    centres = np.array(bins, np.float32)
    mean = product(centres.T, probability.astype(np.float32, copy=False).reshape(count, -1))
    return mean.reshape(2, height, width)


def _weights(luma: np.ndarray, height: int, width: int) -> np.ndarray:
    """Return how much each block of cells counts for each cell, float32 ``[blocks, cells]``; each column sums to 1."""
    lightness = cv2.resize(lightness_of_luma(luma), (width, height), interpolation=cv2.INTER_AREA)
    y, x = np.mgrid[:height, :width].astype(np.float32)
    place = np.stack([y / _NEAR, x / _NEAR, lightness / _ALIKE]).astype(np.float32)  # [3, h, w]
    cells, blocks = place.reshape(3, -1), _blocks(place).reshape(3, -1)
    # Half the squared distance, negative: the halves of the squares are two more terms of one product.
    halves = [np.float32(-0.5) * np.square(part).sum(0, keepdims=True) for part in (blocks, cells)]
    left = np.vstack([blocks, halves[0], np.ones_like(halves[0])])
    right = np.vstack([cells, np.ones_like(halves[1]), halves[1]])
    weights = product(left.T, right)
    cv2.exp(np.clip(weights, _FARTHEST, 0, out=weights), dst=weights)
    weights /= np.maximum(weights.sum(0), _LEAST)
    return weights


def _blocks(planes: np.ndarray) -> np.ndarray:
    """Average planes ``[N, h, w]`` over blocks of ``_STEP`` by ``_STEP`` cells."""
    height, width = (max(1, side // _STEP) for side in planes.shape[1:])
    return np.stack([cv2.resize(plane, (width, height), interpolation=cv2.INTER_AREA) for plane in planes])


@functools.lru_cache(maxsize=4)
def _features(bins: Bins) -> np.ndarray:
    """Return numbers for each bin whose products say how much two colours support each other: ``[bins, features]``.

    They are the leading eigenvectors of a Gaussian of the colours' distance, and the colours themselves.
    """
    centres = np.array(bins, np.float64)
    distance = np.square(centres[:, None] - centres).sum(-1)
    values, vectors = np.linalg.eigh(_SUPPORT * np.exp(-distance / (2 * _SIMILAR**2)))
    leading = np.argsort(values)[::-1][:_RANK]
    likeness = vectors[:, leading] * np.sqrt(np.maximum(values[leading], 0))
    features: np.ndarray = np.concatenate([likeness, _LEAN**0.5 * centres], axis=1).astype(np.float32)
    return features
