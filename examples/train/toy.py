"""A small training run with a known result, on four photographs that come with scikit-image.

    python examples/train/toy.py FOLDER [small]

Cuts the photographs into crops, trains the default model on them, and compares the final validation loss with its value
when this script was written. Only crops are held out, not whole photographs, so it shows that everything works, not how
good a model is. It takes about four minutes on two cores, or half a minute with ``small``. If it is stopped, the same
command resumes from the last checkpoint, and ends at the same loss.
"""

import csv
import sys
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from skimage import data

from photochrom.training.config import CHECKPOINT, TrainingConfig
from photochrom.training.pipeline import train as train_model


@dataclass(frozen=True)
class Size:
    """Amount of training, and its expected result."""

    crops: int
    side: int  # side in pixels of the crops and of the network's input
    epochs: int
    expected: float  # the last validation loss, in float32


SIZES = {"whole": Size(300, 128, 6, 2.454), "small": Size(60, 64, 2, 3.693)}
_NAMES = ("astronaut", "coffee", "chelsea", "rocket")


def write_crops(folder: Path, count: int, side: int) -> None:
    """Write random squares of the four photographs, a third to a half of their height, as PNG files."""
    rng = np.random.default_rng(0)
    for i in range(count):
        whole = getattr(data, _NAMES[i % len(_NAMES)])()
        height, width = whole.shape[:2]
        cut = int(rng.uniform(height / 3, height / 2))
        top, left = rng.integers(0, height - cut), rng.integers(0, width - cut)
        crop = cv2.resize(whole[top : top + cut, left : left + cut], (side, side), interpolation=cv2.INTER_AREA)
        cv2.imwrite(str(folder / f"{i:03}.png"), crop[..., ::-1])


def train(folder: Path, name: str) -> float:
    """Train, and return the final validation loss."""
    size = SIZES[name]
    photographs, run = folder / "photographs", folder / "run"
    photographs.mkdir(parents=True, exist_ok=True)
    write_crops(photographs, size.crops, size.side)
    resume = (run / CHECKPOINT).exists()  # as with photochrom train --resume
    how = TrainingConfig(str(photographs), run, epochs=size.epochs, size=size.side, precision="fp32", resume=resume)
    train_model(how)
    with (run / "losses.csv").open(newline="") as file:
        return float(list(csv.DictReader(file))[-1]["validation"])


if __name__ == "__main__":
    chosen = sys.argv[2] if len(sys.argv) > 2 else "whole"
    print(f"validation loss {train(Path(sys.argv[1]), chosen):.3f}, expected about {SIZES[chosen].expected}")
