"""The published models, as numbers: everything that decides what a training run gives, beside the photographs."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from lightning_fabric import Fabric
from torch import nn

from ..errors import TrainingError
from .data.batches import Sides
from .networks.colorization import HintedTail
from .networks.decoder import ColorDecoder, ReferenceDecoder
from .networks.encoders import Encoder, SameConv
from .networks.losses import ColorBins, Objective, RareColorCrossEntropy, squared_error
from .networks.perceptual_loss import Recognition

TUNED = 0.3  # learning rate of a trained model that is trained on, in parts of its recipe's
VIEWS = 10_000  # a set should have at least so many: fewer photographs are seen in more random squares
SHOWN = 25_000  # views to train for, unless the user says how many epochs: minutes on two cores


@dataclass(frozen=True)
class Recipe:
    """One way to train a colorizer."""

    name: str
    encoder: str
    size: int
    """Side of the training squares, pixels."""
    photographs: int
    """At most so many are trained on,"""
    per_source: int
    """and at most so many of one source."""
    views: int
    """Of each photograph, see ``dataset.View``."""
    grid: int
    """Side of the true a*b*, cells."""
    crop: int | None
    """Side of the part of the features that a step sees until the last fifth of a course, cells at stride 8."""
    epochs: float
    """How often each view is shown."""
    courses: int
    """Parts of equal length that the run is made of; see ``learning_rate``."""
    batch: int
    learning_rate: float
    """At the end of the warm-up; falls along a cosine to nothing in each course, which starts at half of the last's."""
    late_rate: float
    """Learning rate of the encoder's later stages, in parts of the decoder's."""
    weight_decay: float
    average: float
    """Decay per step of the running average of the weights, which is what gets exported; 0 for none."""
    hintless: float
    """Share of the pictures that are shown without simulated hints."""
    uniform: float | None
    """Share of the flat distribution in the rarity weights; None for squared error on a*b*, without hints."""
    decoded: float = 0.0
    """Weight of the error of decoded colours beside the cross-entropy."""
    recognized: float = 0.0
    """Weight beside it of how differently networks that know ImageNet see those colours; see ``Recognition``."""
    judges: int = 0
    """So many such networks,"""
    cell: int = 0
    """that see each cell of colour as so many pixels, squared."""
    seed: int = 0
    """Of the order of the views, of the parts of them that a step sees, and of simulated hints."""

    @property
    def sides(self) -> Sides:
        """Of the squares it is trained on."""
        return Sides(self.size, self.grid, self.cell * self.grid)


REFERENCE = Recipe(
    name="reference",
    encoder="vgg16",
    size=224,
    photographs=10_000,
    per_source=1_000,
    views=1,
    grid=56,
    crop=None,
    epochs=100,
    courses=1,
    batch=64,
    learning_rate=1e-3,
    late_rate=0.0,
    weight_decay=0.0,
    average=0.0,
    hintless=1.0,
    uniform=None,
)

DEFAULT = Recipe(
    name="default",
    encoder="efficientnet-lite2",
    size=256,
    photographs=120_000,
    per_source=12_000,
    views=16,
    grid=32,
    crop=None,
    epochs=1,
    courses=1,
    batch=384,
    learning_rate=1.6e-3,
    late_rate=0.3,
    weight_decay=0.01,
    average=0.999,
    hintless=0.4,
    uniform=0.85,
    decoded=0.12,
    recognized=0.1,
    judges=2,
    cell=6,
)

OWN = replace(DEFAULT, name="default-cpu", views=2, crop=24, epochs=2, batch=32, learning_rate=1e-3, judges=1, cell=5)
"""The same network where there is no GPU, and for photographs of one's own."""

RECIPES = {recipe.name: recipe for recipe in (REFERENCE, DEFAULT, OWN)}


def recipe_of(noted: Mapping[str, Any]) -> Recipe:
    """The recipe that a checkpoint notes, number by number.

    Raises:
        TrainingError: an unknown one.
    """
    try:
        return Recipe(**noted)
    except TypeError as exc:
        raise TrainingError("the checkpoint is of another version of Photochrom: train in another folder") from exc


def build_tail(encoder: Encoder, bins: ColorBins | None) -> nn.Module:
    """What a recipe trains, its decoder untrained yet: a ``ReferenceDecoder``, or with bins a ``HintedTail``."""
    if bins is None:
        return ReferenceDecoder(encoder.channels)
    late = copy.deepcopy(encoder.late).requires_grad_(True)  # another tail of the encoder starts from the same weights
    for module in late.modules():
        if isinstance(module, SameConv) and module.groups > 1:
            module.weight.requires_grad_(False)  # costs nine tenths of the step, see FrozenDepthwise
    return HintedTail(late, ColorDecoder(encoder.channels, len(bins.centres)))


def build_objective(recipe: Recipe, bins: ColorBins | None, fabric: Fabric) -> Objective:
    """What the recipe minimises.

    Raises:
        TrainingError: weights that it needs are not installed.
    """
    if bins is None or recipe.uniform is None:
        return squared_error
    recognition = None
    if recipe.recognized:
        recognition = Recognition(fabric.autocast, recipe.judges).to(fabric.device)
    return RareColorCrossEntropy(bins, recipe.uniform, recipe.decoded, recipe.recognized, recognition, fabric.device)


def tuned(recipe: Recipe) -> Recipe:
    """A recipe for going on from a trained model: a third of the learning rate, one course."""
    return replace(recipe, learning_rate=recipe.learning_rate * TUNED, courses=1)


def fitted(recipe: Recipe, photographs: int, world: int) -> Recipe:
    """A recipe for any number of photographs, all of them: what a few lack in number they make up in views.

    It has one course: a run is ended where the held-out loss does not get better, as it would not early in a second.

    Args:
        recipe: whose ``views``, ``epochs``, ``courses`` and caps are set anew.
        photographs: how many there are to train on.
        world: processes that train together, each with a batch of its own.
    """
    views = min(8, max(recipe.views, VIEWS // photographs)) if recipe.uniform is not None else recipe.views
    epochs = min(100, max(2, round(SHOWN / (views * photographs))))
    batch = max(1, min(recipe.batch, views * photographs // world))
    recipe = replace(recipe, photographs=photographs, per_source=photographs)
    return replace(recipe, views=views, epochs=epochs, batch=batch, courses=1)


def at_size(recipe: Recipe, size: int) -> Recipe:
    """A recipe for squares of another size; the grid and the part of it that a step sees keep their share."""
    crop = None if recipe.crop is None else max(4, 4 * round(recipe.crop * size / recipe.size / 4))
    return replace(recipe, size=size, grid=recipe.grid * size // recipe.size, crop=crop)
