"""How well the statistics of luma tell photographs from their negatives, and the weights that tell them best.

    python benchmarks/negatives.py FITTED_FOLDER TESTED_FOLDER [--limit N]

Prints the weights for ``film/negatives.py``, fitted by logistic regression on the first folder, and the share of the
photographs of both folders that they tell right.
"""

import argparse
from pathlib import Path

import cv2
import numpy as np
from _tools import print_table

from photochrom.color.coding import Coding
from photochrom.film.negatives import at_small_size, statistics


def table(folder: Path, limit: int) -> np.ndarray:
    """Statistics of photographs, float64 ``[N, 4]``."""
    files = sorted(path for path in folder.rglob("*") if path.suffix.lower() in (".jpg", ".jpeg", ".png"))
    np.random.default_rng(1).shuffle(files)
    lumas = (cv2.imread(str(path), cv2.IMREAD_GRAYSCALE) for path in files[:limit])
    return np.array([statistics(at_small_size(x, Coding.of_photograph(x.dtype))) for x in lumas if x is not None])


def fitted(rows: np.ndarray) -> np.ndarray:
    """Weights that tell rows from their negations, by gradient descent on the logistic loss."""
    scaled = rows / rows.std(axis=0)
    weights = np.zeros(rows.shape[1])
    for _ in range(3000):
        weights += 0.5 * ((scaled / (1 + np.exp(scaled @ weights))[:, None]).mean(axis=0) - 1e-3 * weights)
    return weights / rows.std(axis=0)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("fitted", type=Path)
    parser.add_argument("tested", type=Path)
    parser.add_argument("--limit", type=int, default=1200)
    args = parser.parse_args()
    rows = table(args.fitted, args.limit)
    weights = fitted(rows)
    others = table(args.tested, args.limit)
    right = [f"{(part @ weights > 0).mean():.3f}" for part in (rows, others)]
    print_table(["weights", "right", "right, other photographs"], [[str(np.round(weights, 1).tolist()), *right]])


if __name__ == "__main__":
    main()
