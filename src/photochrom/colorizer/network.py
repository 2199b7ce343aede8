"""Runs a model's network on a thumbnail: builds its inputs, and decodes its distribution of colours."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..color.spaces import lightness_of_luma
from ..errors import OptionError
from ..models.engines import Engine
from ..models.registry import ModelCard
from .coherence import checked_probability, coherent, mean_color
from .hint_propagation import hint_planes
from .options import ColorOptions
from .prediction import Prediction
from .vividness import chroma_gain, network_vividness, vivid_bias


def vividness_of(options: ColorOptions, card: ModelCard) -> float | None:
    """Return the vividness to use: that of the options, or else the model's default; None if the model has no dial.

    Raises:
        OptionError: The options ask for a vividness, and the model has no dial.
    """
    if options.vividness is not None and card.vividness is None:
        raise OptionError(f"the model {card.name!r} has no vividness", remedy="leave it out, or choose another model")
    return card.vividness if options.vividness is None else options.vividness


def network_inputs(thumbnail: np.ndarray, options: ColorOptions, card: ModelCard) -> dict[str, np.ndarray]:
    """Build the network's inputs from a result of ``Colorizer.thumbnail``.

    Returns:
        ``lightness`` float32 ``[1, 1, h, w]``, L*/100; and if the model has these inputs, ``vividness`` float32 ``[1]``
        and ``hints`` float32 ``[1, 3, h, w]``.

    Raises:
        OptionError: The options ask for something that the model cannot do.
    """
    inputs = {"lightness": lightness_of_luma(thumbnail)[None, None] / np.float32(100)}
    if (vividness := vividness_of(options, card)) is not None:
        vividness = network_vividness(vividness) if card.bins else vividness
        inputs["vividness"] = np.array([vividness], np.float32)
    if card.hints:
        inputs["hints"] = hint_planes(options.hints, *thumbnail.shape)[None]
    return inputs


def run_network(engine: Engine, card: ModelCard, thumbnail: np.ndarray, options: ColorOptions) -> Prediction:
    """Run the network on a thumbnail, and return its outputs without further processing.

    Raises:
        OptionError: The options ask for something that the model cannot do.
        ModelError: The network's output contradicts the model's card.
        EngineError: The network could not be run.
    """
    outputs = engine.run(network_inputs(thumbnail, options, card))
    confidence = outputs["confidence"][0, 0] if "confidence" in outputs else None
    probability = outputs["probability"][0] if "probability" in outputs else None
    return Prediction(thumbnail, outputs["ab"][0], confidence, probability)


def decoded(prediction: Prediction, options: ColorOptions, card: ModelCard) -> Prediction:
    """Decode a*b* jointly from the distributions of all cells; a prediction without bins is returned unchanged.

    Raises:
        OptionError: The options ask for a vividness, and the model has no dial.
        ModelError: The network's output contradicts the model's card.
    """
    if not (bins := card.bins):
        return prediction
    vividness, given = vividness_of(options, card) or 0, checked_probability(prediction.probability, card)
    agreed = coherent(given, prediction.luma, bins, vivid_bias(vividness))
    return replace(prediction, ab=mean_color(agreed, bins) * np.float32(chroma_gain(vividness)))
