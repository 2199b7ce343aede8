"""How well the statistics of luma tell photographs from their negatives, and the weights that tell them best.

    python benchmarks/negatives.py FITTED_FOLDER TESTED_FOLDER [--limit N]

Prints the weights for ``film/source/negatives.py``, fitted by logistic regression on the first folder, and the share of
the photographs of both folders that they tell right. Then likewise those for ``photo/negatives.py``, which also knows
how sure the network is of the picture and of its inversion, with the share of negatives, and of positives, that it
calls negatives.
"""

import argparse
from pathlib import Path

import cv2
import numpy as np
from _tools import print_table

from photochrom import Colorizer
from photochrom.color.coding import Coding
from photochrom.color.polarity import at_small_size, statistics
from photochrom.photo.negatives import is_negative, worth_asking


def table(folder: Path, limit: int) -> np.ndarray:
    """Statistics of photographs, and how much surer the network is of them than of their inversions.

    Returns:
        float64 ``[N, 5]``.
    """
    colorizer = Colorizer()

    def facts(luma: np.ndarray) -> np.ndarray:
        positive, negative = (colorizer.predict(picture).confidence.mean() for picture in (luma, 255 - luma))
        return np.append(statistics(luma), positive - negative)

    files = sorted(path for path in folder.rglob("*") if path.suffix.lower() in (".jpg", ".jpeg", ".png"))
    np.random.default_rng(1).shuffle(files)
    lumas = (cv2.imread(str(path), cv2.IMREAD_GRAYSCALE) for path in files[:limit])
    return np.array([facts(at_small_size(x, Coding.of_photograph(x.dtype))) for x in lumas if x is not None])


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
    rows, others = table(args.fitted, args.limit), table(args.tested, args.limit)
    weights = fitted(rows[:, :4])
    right = [f"{(part[:, :4] @ weights > 0).mean():.3f}" for part in (rows, others)]
    print_table(["film: weights", "right", "right, other photographs"], [[str(np.round(weights, 1).tolist()), *right]])
    columns = [4, 0, 1, 2]
    weights = fitted(np.vstack([rows, others])[:, columns])
    scores = [part[:, columns] @ weights for part in (rows, others)]
    called = [f"{(score > 2).mean():.3f}, {(score < -2).mean():.3f}" for score in scores]
    print_table(["photo: weights", "called negatives", "of others"], [[str(np.round(weights, 1).tolist()), *called]])
    called = [np.mean([worth_asking(r[:3]) and is_negative(r[:3], r[4]) for r in part]) for part in (-others, others)]
    print_table(["photo, as it is", "negatives", "positives"], [["called negatives", *(f"{c:.3f}" for c in called)]])


if __name__ == "__main__":
    main()
