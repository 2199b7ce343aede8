"""What a run shows while it goes: the curves of its losses, and what its network makes of the same few photographs."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch

from ..colorizer.colorizer import Colorizer
from ..models.engines import Arrays
from ..models.registry import CARD_KEY, ModelCard
from .data.dataset import Photograph
from .evaluation.evaluate import load, small_pictures, versions
from .evaluation.report import write_sheet
from .export import Network
from .files import write

SAMPLES = 12  # photographs
_COLUMNS = 2  # photographs beside one another

History = Sequence[Mapping[str, float]]


class TorchEngine:
    """A network that is still in training, as an engine: so that samples are coloured as photographs will be."""

    def __init__(self, network: Network, card: ModelCard) -> None:
        self.network = network
        self.metadata = {CARD_KEY: card.to_json()}

    @torch.no_grad()
    def run(self, inputs: Arrays) -> dict[str, np.ndarray]:
        """See ``Engine.run``."""
        found = self.network(*(torch.from_numpy(inputs[name]) for name in self.network.inputs))
        outputs = found if isinstance(found, tuple) else (found,)
        return {name: value.numpy() for name, value in zip(self.network.outputs, outputs, strict=True)}


def write_samples(network: Network, card: ModelCard, photographs: Sequence[Photograph], path: Path) -> None:
    """A PNG: grey, coloured and true picture of each photograph, side by side.

    Raises:
        TrainingError: a photograph cannot be decoded, or the file cannot be written.
    """
    colorizer = Colorizer(engine=TorchEngine(network, card))
    shown = [versions({"trained": colorizer}, load(photograph)) for photograph in photographs[:SAMPLES]]
    write_sheet([small_pictures(pictures) for pictures in shown], path, _COLUMNS)


def write_losses(history: History, path: Path) -> None:
    """The history as a CSV file.

    Raises:
        TrainingError: it cannot be written.
    """
    text = io.StringIO()
    table = csv.DictWriter(text, list(history[0]), lineterminator="\n")
    table.writeheader()
    table.writerows(history)
    write(path, text.getvalue().encode())


def draw_curves(history: History, title: str, path: Path) -> None:
    """Training and validation loss over the epochs, as a PNG.

    Raises:
        TrainingError: it cannot be written.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 4.5), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot(xlabel="epoch", ylabel="loss", title=title)
    for name in ("training", "validation"):
        axes.plot([h["epoch"] for h in history], [h[name] for h in history], ".-", label=name)
    axes.legend()
    axes.grid(alpha=0.3)
    png = io.BytesIO()
    figure.savefig(png, dpi=120)
    write(path, png.getvalue())
