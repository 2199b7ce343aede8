"""A fake engine's card and answers: a colorizer without a network."""

import json

import numpy as np

from photochrom.models.registry import CARD_KEY, ModelCard

CARD = ModelCard(
    name="fake",
    version="0",
    licence="CC0-1.0",
    description="for tests",
    training_data="none",
    working_size=64,
    vividness=0.5,
)


def card_metadata(**changes):
    """The metadata of a model file with ``CARD``, changed."""
    return {CARD_KEY: json.dumps(json.loads(CARD.to_json()) | changes)}


def constant_answer(a, b):
    """An engine's answer: one a*b* everywhere, at an eighth of the input's size."""

    def answer(inputs):
        _, _, height, width = inputs["lightness"].shape
        ab = np.empty((1, 2, height // 8, width // 8), np.float32)
        ab[:, 0], ab[:, 1] = a, b
        return {"ab": ab, "confidence": np.ones_like(ab[:, :1])}

    return answer
