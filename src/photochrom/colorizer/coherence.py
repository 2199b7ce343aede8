"""Makes colours coherent: the cells of one object agree on a likely colour instead of choosing independently.

The network predicts a distribution of colours for each cell of its grid, independently of the other cells. A coat that
may be orange or violet would have patches of both colours. Therefore the distributions are decoded jointly, as in a
fully connected conditional random field (Kraehenbuehl and Koltun, Efficient Inference in Fully Connected CRFs with
Gaussian Edge Potentials, 2011): a colour becomes more probable if nearby cells of similar lightness expect similar
colours. A cell that is certain hardly changes, since a colour of zero probability cannot become likely.
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
_NEAR: Final = 3.0  # width of the Gaussian, over distance in cells, by which cells influence each other
_ALIKE: Final = 6.0  # width of the Gaussian, over difference in L*, by which cells influence each other
_SIMILAR: Final = 20.0  # width of the Gaussian, over distance in a*b*, by which colours support each other
_SUPPORT: Final = 10.0  # change of the log probability of a colour if all other cells expect exactly this colour
_ROUNDS: Final = 2  # iterations; further ones change little
_RANK: Final = 16  # dimensions of the features by which distributions are compared
_BLOCK: Final = 2  # side, in cells, of the blocks whose means represent their cells
_RARE: Final = np.float32(1e-4)  # colours that are less probable in every cell are ruled out, to save time
_MIN_EXPONENT: Final = -60.0  # smaller powers would be denormal numbers, which are slow
_MIN_PROBABILITY: Final = np.float32(1e-9)  # low enough that other cells never overrule a cell that is certain


def coherent(probability: np.ndarray, luma: np.ndarray, bins: Bins, vivid_bias: float) -> np.ndarray:
    """Adjust the distributions of a prediction so that similar cells near each other agree.

    Args:
        probability: Probability of each bin, float32 ``[bins, h, w]``.
        luma: Luma of the same picture at any size, uint8 ``[H, W]``, full range.
        bins: a* and b* of each bin.
        vivid_bias: Preference for vivid colours of the hue that other cells expect; 0 for none. A colour's log
            probability grows by ``vivid_bias`` times the inner product of its a*b* and the expected a*b*.

    Returns:
        Probabilities, float32 ``[bins, h, w]``.
    """
    count, height, width = probability.shape
    planes = np.asarray(probability, np.float32).reshape(count, -1)  # [bins, cells]
    weights = _weights(luma, height, width)  # [blocks, cells]
    vivid = np.array(bins, np.float32) * np.float32(vivid_bias**0.5)
    likely = planes.max(1) > _RARE
    given, features = planes[likely], np.hstack([_support_features(bins), vivid])[likely]  # [bins, features]
    own, agreed = cv2.log(np.clip(given, _MIN_PROBABILITY, 1)), given
    for _ in range(_ROUNDS):
        expected = product(features.T, agreed).reshape(-1, height, width)
        agreed = product(features, product(_blocks(expected).reshape(len(expected), -1), weights))
        agreed += own
        agreed -= agreed.max(0)
        cv2.exp(agreed, dst=agreed)
        agreed /= agreed.sum(0)
    decoded = np.zeros_like(planes)
    decoded[likely] = agreed
    return decoded.reshape(probability.shape)


def checked_probability(probability: np.ndarray | None, card: ModelCard) -> np.ndarray:
    """Return ``probability``, ``[bins, h, w]``, after checking that it has one plane per bin of the model's card.

    Raises:
        ModelError: The network gave no probabilities, or not one per bin.
    """
    if probability is None or len(probability) != len(card.bins):
        raise ModelError(
            f"the model {card.name!r} does not give the {len(card.bins)} probabilities that its card declares",
            remedy="choose another model",
        )
    return probability


def mean_color(probability: np.ndarray, bins: Bins | np.ndarray) -> np.ndarray:
    """Compute the mean a*b* of each cell, float32 ``[2, h, w]``, from the probabilities of bins, ``[bins, h, w]``."""
    count, height, width = probability.shape
    centres = np.array(bins, np.float32)
    mean = product(centres.T, probability.astype(np.float32, copy=False).reshape(count, -1))
    return mean.reshape(2, height, width)


def _weights(luma: np.ndarray, height: int, width: int) -> np.ndarray:
    """Compute the influence of each block on each of ``height * width`` cells; the influences on one cell sum to 1.

    Returns:
        float32 ``[blocks, cells]``.
    """
    lightness = cv2.resize(lightness_of_luma(luma), (width, height), interpolation=cv2.INTER_AREA)
    y, x = np.mgrid[:height, :width].astype(np.float32)
    position = np.stack([y / _NEAR, x / _NEAR, lightness / _ALIKE]).astype(np.float32)  # [3, h, w]
    cells, blocks = position.reshape(3, -1), _blocks(position).reshape(3, -1)
    # Minus half the squared distance is a·b - a²/2 - b²/2: one matrix product, if the squares are appended as terms.
    halves = [np.float32(-0.5) * np.square(part).sum(0, keepdims=True) for part in (blocks, cells)]
    left = np.vstack([blocks, halves[0], np.ones_like(halves[0])])
    right = np.vstack([cells, np.ones_like(halves[1]), halves[1]])
    weights = product(left.T, right)
    cv2.exp(np.clip(weights, _MIN_EXPONENT, 0, out=weights), dst=weights)
    weights /= np.maximum(weights.sum(0), _MIN_PROBABILITY)
    return weights


def _blocks(planes: np.ndarray) -> np.ndarray:
    """Average planes ``[N, h, w]`` over blocks of ``_BLOCK`` by ``_BLOCK`` cells."""
    height, width = (max(1, side // _BLOCK) for side in planes.shape[1:])
    return np.stack([cv2.resize(plane, (width, height), interpolation=cv2.INTER_AREA) for plane in planes])


@functools.lru_cache(maxsize=4)
def _support_features(bins: Bins) -> np.ndarray:
    """Return features ``[bins, features]`` whose inner products are the support of each colour for each other colour.

    The features are the leading eigenvectors of a Gaussian kernel over the distances between bins.
    """
    centres = np.array(bins, np.float64)
    distance = np.square(centres[:, None] - centres).sum(-1)
    values, vectors = np.linalg.eigh(_SUPPORT * np.exp(-distance / (2 * _SIMILAR**2)))
    leading = np.argsort(values)[::-1][:_RANK]
    features: np.ndarray = (vectors[:, leading] * np.sqrt(np.maximum(values[leading], 0))).astype(np.float32)
    return features
