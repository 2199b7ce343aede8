"""A fake network that takes hints and predicts a distribution, for tests of suggestions and hints."""

from __future__ import annotations

import json

import numpy as np

from photochrom.models.registry import CARD_KEY
from tests.helpers.fakes import CARD, FakeEngine

STEPS = np.arange(-60, 61, 20)
BINS = np.array([(a, b) for a in STEPS for b in STEPS], np.float32)
"""a*b* of the bins; all of them are within sRGB at a medium lightness."""


def hinting_engine(runs: list[int] | None = None, **changes: object) -> FakeEngine:
    """Return an engine that is certain in bright places and undecided between a few colours in dark ones.

    A hint determines the colour of places with a similar lightness, the more strongly the nearer they are.

    Args:
        runs: List to which each run of the network appends its number of pictures; None for no list.
        changes: Changed fields of the card.
    """
    facts = json.loads(CARD.to_json()) | {"name": "hinting", "hints": True, "bins": BINS.tolist()} | changes

    def answer(inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        if runs is not None:
            runs.append(len(inputs["lightness"]))
        hints = inputs.get("hints", np.zeros((len(inputs["lightness"]), 3, *inputs["lightness"].shape[2:])))
        each = [_one(lightness[0], known) for lightness, known in zip(inputs["lightness"], hints, strict=True)]
        return {name: np.stack([one[name] for one in each]).astype(np.float32) for name in each[0]}

    return FakeEngine(answer, {CARD_KEY: json.dumps(facts)})


def _one(lightness: np.ndarray, hints: np.ndarray) -> dict[str, np.ndarray]:
    height, width = (side // 8 for side in lightness.shape)
    small = lightness.reshape(height, 8, width, 8).mean((1, 3))
    weights = _scores(small, hints)
    probability = weights / weights.sum(0)
    entropy = -(probability * np.log(probability)).sum(0)
    return {
        "ab": np.einsum("byx,bc->cyx", probability, BINS),
        "confidence": 1 - entropy[None] / np.log(len(BINS)),
        "probability": probability,
    }


def _scores(small: np.ndarray, hints: np.ndarray) -> np.ndarray:
    doubt = 1.5 - small
    favourites = {(20, 20): 1.0, (-40, 20): 0.45, (0, -40): 0.3, (60, 40): 0.2}
    scores = np.full((len(BINS), *small.shape), 1e-4)
    for color, weight in favourites.items():
        scores[np.where((color == BINS).all(1))[0][0]] += weight ** (1 / doubt**2)
    y, x = np.mgrid[: small.shape[0], : small.shape[1]]
    for row, column in {(r // 8, c // 8) for r, c in np.argwhere(hints[0])}:
        cell = hints[:, 8 * row : 8 * row + 8, 8 * column : 8 * column + 8]
        color = (cell[1:] * cell[0]).sum((1, 2)) / cell[0].sum()
        near = np.exp(-np.hypot(y - row, x - column) / 4 - ((small - small[row, column]) / 0.1) ** 2)
        scores[((BINS - color) ** 2).sum(1).argmin()] += 20 * near
    return scores
