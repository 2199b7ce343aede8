"""The published models, as numbers: everything that decides what a training run gives, beside the photographs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from torch import nn

from .decoder import ColorDecoder, ReferenceDecoder
from .losses import ColorBins, Objective, RareColorCrossEntropy, squared_error


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
    epochs: float
    """How often each photograph is shown."""
    batch: int
    learning_rate: float
    """At the end of the warm-up; falls along a cosine to nothing."""
    weight_decay: float
    average: float
    """Decay per step of the running average of the weights, which is what gets exported; 0 for none."""
    uniform: float | None
    """Share of the flat distribution in the rarity weights; None for squared error on a*b*."""

    @property
    def grid(self) -> int:
        """Side of the true a*b*, a quarter of the picture's."""
        return self.size // 4


REFERENCE = Recipe(
    name="reference",
    encoder="vgg16",
    size=224,
    photographs=10_000,
    per_source=1_000,
    epochs=100,
    batch=64,
    learning_rate=1e-3,
    weight_decay=0.0,
    average=0.0,
    uniform=None,
)

DEFAULT = Recipe(
    name="default",
    encoder="efficientnet-lite2",
    size=256,
    photographs=60_000,
    per_source=7_000,
    epochs=3,
    batch=32,
    learning_rate=1e-3,
    weight_decay=0.01,
    average=0.999,
    uniform=0.85,
)

RECIPES = {recipe.name: recipe for recipe in (REFERENCE, DEFAULT)}


def build_decoder(channels: Sequence[int], bins: ColorBins | None) -> nn.Module:
    """The untrained decoder of a recipe."""
    if bins is None:
        return ReferenceDecoder(channels)
    return ColorDecoder(channels, len(bins.centres))


def build_objective(recipe: Recipe, bins: ColorBins | None) -> Objective:
    """What the recipe minimises."""
    if bins is None or recipe.uniform is None:
        return squared_error
    return RareColorCrossEntropy(bins, recipe.uniform)
