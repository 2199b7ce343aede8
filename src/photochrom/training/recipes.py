"""Training recipes: hyperparameters of the published models, and their adaptation to users' photographs.

A recipe and the photographs determine the result of a training run.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

FINE_TUNING_RATE = 0.3  # learning rate for fine-tuning a trained model, relative to the recipe's
MIN_VIEWS = 10_000  # number of views to which a small set of photographs is extended, by more random crops of each
SHOWN_VIEWS = 25_000  # views shown unless the user sets the epochs; takes minutes on two cores


@dataclass(frozen=True)
class Recipe:
    """Hyperparameters for training a colorizer."""

    name: str
    """Name of the recipe, by which ``RECIPES`` lists it."""
    encoder: str
    """Name of the encoder; see ``networks.encoders.load_encoder``."""
    size: int
    """Side of the training squares, in pixels."""
    photographs: int
    """Maximum number of training photographs."""
    per_source: int
    """Maximum number of training photographs from one source."""
    views: int
    """Number of views per photograph; see ``data.dataset.View``."""
    grid: int
    """Side of the grid of true a*b* values, in cells."""
    crop: int | None
    """Side of the random crop that a step sees, in cells at stride 8; None for whole pictures. The last fifth of the
    steps always sees whole pictures."""
    epochs: float
    """Number of times that each view is shown, if it is a multiple of ``repeats``; otherwise the mean over all views,
    some of which are shown up to ``repeats`` times more than others."""
    batch: int
    """Number of views in a step of one process."""
    learning_rate: float
    """Learning rate at the end of the warm-up. It falls to zero along a cosine (Loshchilov and Hutter 2017)."""
    stages_rate: float
    """Learning rate of the encoder's later stages, relative to the decoder's. With 0, these stages are frozen, and the
    features of all stages can be cached."""
    weight_decay: float
    """Weight decay of AdamW; biases, norms and colour queries do not decay."""
    ema_decay: float
    """Decay per step of the exponential moving average (EMA) of the weights; 0 to use the last weights instead."""
    hintless: float
    """Share of the pictures that are shown without simulated hints."""
    rebalance_lambda: float | None
    """Share of the uniform distribution in the class weights (lambda in Zhang et al. 2016); None to train on the
    squared error of a*b*, without hints."""
    decoded_weight: float = 0.0
    """Weight of the error of the decoded colours, relative to the cross-entropy."""
    perceptual_weight: float = 0.0
    """Weight of the perceptual loss, relative to the cross-entropy; see ``networks.perceptual_loss``."""
    perceptual_networks: int = 0
    """Number of ImageNet networks in the perceptual loss."""
    cell: int = 0
    """Side of one cell of colour in the picture that the perceptual loss sees, in pixels; 0 without that loss."""
    first_view: int = 0
    """Number of the first view of each photograph. View 0 is the central square; with 1 all views are random."""
    aged: float = 0.4
    """Share of the random views that are aged."""
    repeats: int = 1
    """Number of passes through each stretch of views before the next one (see ``Schedule.view_indices``), so that
    features computed on demand are used several times while they are in memory. The passes count as epochs: a run of 3
    epochs with 3 repeats shows each view three times, and one of 1 epoch shows a third of the views three times."""
    color_queries: int = 0
    """Number of learned colour queries in the decoder; see ``networks.decoder.ColorQueries``."""
    seed: int = 0
    """Seed of the order of the views, of the crops, and of the simulated hints."""


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
    batch=64,
    learning_rate=1e-3,
    stages_rate=0.0,
    weight_decay=0.0,
    ema_decay=0.0,
    hintless=1.0,
    rebalance_lambda=None,
)

DEFAULT = Recipe(
    name="default",
    encoder="efficientnet-lite2",
    size=384,
    photographs=120_000,
    per_source=12_000,
    views=16,
    grid=48,
    crop=None,
    epochs=1,
    batch=384,
    learning_rate=1.6e-3,
    stages_rate=0.3,
    weight_decay=0.01,
    ema_decay=0.999,
    hintless=0.4,
    rebalance_lambda=0.85,
    decoded_weight=0.12,
    perceptual_weight=0.1,
    perceptual_networks=2,
    cell=4,
)

# Trains the decoder of DEFAULT's network only, on features of the frozen encoder: for machines without a GPU, and for
# users' own photographs.
DEFAULT_CPU = replace(
    DEFAULT,
    name="default-cpu",
    views=2,
    crop=24,
    epochs=2,
    batch=32,
    learning_rate=1e-3,
    stages_rate=0.0,
    aged=0.1,
    hintless=0.7,
    rebalance_lambda=1.0,
    decoded_weight=0.24,
    perceptual_weight=0.12,
    perceptual_networks=1,
)

# For many photographs, each of which is seen in one view only. Whole pictures take four times as long as crops of a
# quarter, but the held-out loss fell faster on them in the same time (docs/experiments.md, version 12).
BROAD = replace(
    DEFAULT_CPU,
    name="broad",
    photographs=1_000_000,
    per_source=1_000_000,
    views=1,
    first_view=1,
    repeats=3,
    crop=None,
    epochs=3,
    perceptual_weight=0.24,
    color_queries=32,
)

RECIPES = {recipe.name: recipe for recipe in (REFERENCE, DEFAULT, DEFAULT_CPU, BROAD)}


def fine_tuning(recipe: Recipe) -> Recipe:
    """Adapt a recipe to fine-tuning a trained model, with a lower learning rate."""
    return replace(recipe, learning_rate=recipe.learning_rate * FINE_TUNING_RATE)


def fit_to_photographs(recipe: Recipe, photographs: int, world_size: int) -> Recipe:
    """Adapt a recipe to a number of photographs, all of which are used; the fewer they are, the more views each gets.

    Args:
        recipe: The recipe, whose ``views``, ``epochs``, ``batch`` and limits are replaced.
        photographs: Number of training photographs, at least 1.
        world_size: Number of processes that train together, each with its own batch.
    """
    views = recipe.views
    if recipe.rebalance_lambda is not None:
        views = min(8, max(recipe.views, MIN_VIEWS // photographs))
    epochs = min(100, max(2, round(SHOWN_VIEWS / (views * photographs))))
    batch = max(1, min(recipe.batch, views * photographs // world_size))
    recipe = replace(recipe, photographs=photographs, per_source=photographs)
    return replace(recipe, views=views, epochs=epochs, batch=batch)


def at_size(recipe: Recipe, size: int) -> Recipe:
    """Adapt a recipe to squares of ``size`` pixels; the grid and the crop keep their proportions."""
    crop = None if recipe.crop is None else max(8, 4 * round(recipe.crop * size / recipe.size / 4))
    return replace(recipe, size=size, grid=recipe.grid * size // recipe.size, crop=crop)
