"""``Prediction``: what the network predicts for one picture; means, blends, and extension over margins."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import cv2
import numpy as np

from ..color.coding import Coding
from ..color.spaces import lightness_of_luma
from ..color.thumbnail import thumbnail
from .hint_propagation import hint_influence
from .hints import Hint
from .margins import WHOLE, Box


@dataclass(frozen=True)
class Prediction:
    """Colours that the network predicts for one picture, on the network's small grid of cells, ``[h', w']``."""

    luma: np.ndarray
    """Luma of the picture's thumbnail, uint8 ``[h, w]``, full range."""
    ab: np.ndarray
    """a*b*, float32 ``[2, h', w']``, before any upsampling."""
    confidence: np.ndarray | None = None
    """float32 ``[h', w']``, from 0 (any colour is plausible) to 1 (certain); None if the model does not predict it."""
    probability: np.ndarray | None = None
    """Probability of each colour in the card's ``bins``, float32 ``[bins, h', w']``; None if the model has no bins."""
    picture: Box | None = None
    """Position of the picture inside blank margins, which stay neutral; None if there are no margins, ``NOWHERE`` if
    there are only margins."""

    def clear_margins(self, cb: np.ndarray, cr: np.ndarray, hints: Sequence[Hint]) -> None:
        """Make a photograph's chroma neutral outside the picture, in place, unless a hint lies there.

        The thumbnail's margins are neutral already, but one of its pixels may lie across the edge of the picture.
        """
        if self.picture is not None and not self.picture.misses(hints):
            for plane in (cb, cr):
                self.picture.clear_outside(plane, Coding.of_photograph(plane.dtype).neutral)


def mean_of_scales(coarse: Prediction, fine: Prediction) -> Prediction:
    """Average two predictions for one picture, on the grid of ``fine``."""
    grid = fine.ab.shape[1:]
    return _blended(fine, {name: WHOLE.spread(planes, *grid) for name, planes in _planes(coarse).items()}, 0.5)


def with_margins(prediction: Prediction, luma: np.ndarray, picture: Box) -> Prediction:
    """Extend a prediction of the picture alone to the whole scan ``luma``, margins included; cells keep their size."""
    changes: dict[str, Any] = {
        name: picture.spread(planes, *picture.whole(*planes.shape[-2:])) for name, planes in _planes(prediction).items()
    }
    small = thumbnail(luma, Coding.of_photograph(luma.dtype), *picture.whole(*prediction.luma.shape))
    return replace(prediction, luma=small, picture=picture, **changes)


def blend_near_hints(hinted: Prediction, plain: Prediction, hints: Sequence[Hint]) -> Prediction:
    """Blend two predictions: ``hinted`` where hints have influence, ``plain`` elsewhere."""
    influence = hint_influence(lightness_of_luma(plain.luma), hints)
    influence = cv2.resize(influence, plain.ab.shape[:0:-1], interpolation=cv2.INTER_AREA)
    return replace(_blended(plain, _planes(hinted), influence), picture=hinted.picture)


def _planes(prediction: Prediction) -> dict[str, np.ndarray]:
    """Return the planes on the network's grid that the model predicts, by name."""
    planes = {"ab": prediction.ab, "confidence": prediction.confidence, "probability": prediction.probability}
    return {name: plane for name, plane in planes.items() if plane is not None}


def _blended(prediction: Prediction, others: Mapping[str, np.ndarray], share: np.ndarray | float) -> Prediction:
    """Mix the planes of a prediction with others of the same grid; ``share`` is the weight of the others, 0 to 1."""
    changes: dict[str, Any] = {
        name: planes + np.float32(share) * (others[name] - planes) for name, planes in _planes(prediction).items()
    }
    return replace(prediction, **changes)
