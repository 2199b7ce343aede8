"""How well statistics of luma distinguish photographs from their negatives, and the best weights.

    python benchmarks/negatives.py FITTED_FOLDER TESTED_FOLDER [--limit N]

Prints the weights for ``film/source/negatives.py``, fitted by logistic regression on the first folder, and the share of
photographs in both folders that they classify correctly. Then it does the same for ``photo/negatives.py``, which also
uses the network's predictions for the picture and its inversion, and prints both scores that belong to the weights:
below the first, a photograph is a negative; above the second, no prediction for the inversion is needed. The last table
is about the weights and scores in the package: the shares of negatives and of positives that are classified as
negatives, and of positives that are predicted twice.
"""

import argparse
from pathlib import Path

import cv2
import numpy as np
from _tools import print_table

from photochrom import Colorizer
from photochrom.color.coding import Coding
from photochrom.color.polarity import at_small_size, statistics
from photochrom.photo.negatives import chroma_difference, confidence_difference, is_negative, may_be_negative
from photochrom.training.data.aging import age

FALSE_ALARMS = 0.005  # share of positives that may be classified as negatives
FOUND = 0.98  # share of the negatives found by both predictions that the statistics must let through


def table(folder: Path, limit: int) -> np.ndarray:
    """Return a row of statistics for each photograph of a folder; every other photograph is aged.

    Returns:
        float64 ``[N, 9]``: seven statistics of the luma, then the differences in confidence and in chroma between the
        network's predictions for the picture and for its inversion.
    """
    colorizer = Colorizer()

    def facts(luma: np.ndarray) -> np.ndarray:
        positive, negative = (colorizer.predict(picture) for picture in (luma, 255 - luma))
        return np.append(
            statistics(luma), [confidence_difference(positive, negative), chroma_difference(positive, negative)]
        )

    files = sorted(path for path in folder.rglob("*") if path.suffix.lower() in (".jpg", ".jpeg", ".png"))
    np.random.default_rng(1).shuffle(files)
    lumas = (luma_of(path, number if number % 2 else None) for number, path in enumerate(files[:limit]))
    return np.array([facts(luma) for luma in lumas if luma is not None])


def luma_of(path: Path, age_seed: int | None) -> np.ndarray | None:
    """Return a photograph's luma at the size for statistics, aged if a seed is given; None if it cannot be read."""
    if (bgr := cv2.imread(str(path))) is None:
        return None
    scale = min(1.0, 512 / min(bgr.shape[:2]))
    bgr = cv2.resize(bgr, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    grey = cv2.cvtColor(bgr, cv2.COLOR_BGR2GRAY)
    luma = grey if age_seed is None else age(bgr[..., ::-1].copy(), np.random.default_rng(age_seed))
    return at_small_size(luma, Coding.of_photograph(luma.dtype))


def fitted(rows: np.ndarray) -> np.ndarray:
    """Return weights that distinguish rows from their negations, fitted by gradient descent on the logistic loss."""
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
    weights, score, by_statistics = fitted_for_photographs(rows)
    row = [str(np.round(weights, 2).tolist()), f"{score:.2f}", f"{by_statistics:.2f}"]
    print_table(["photo: weights", "score", "score by statistics alone"], [row])
    measured = [[name, *shares(part)] for name, part in (("first folder", rows), ("second", others))]
    print_table(["photo, as it is", "negatives", "positives", "predicted twice"], measured)


def fitted_for_photographs(rows: np.ndarray) -> tuple[np.ndarray, float, float]:
    """Return the weights, and the highest score of a negative: by all of them, and by those of the statistics."""
    columns = [0, 1, 3, 4, 5, 6, 7, 8]  # light from above adds nothing to the correlation with height
    weights = np.insert(fitted(rows[:, columns]), 2, 0.0)
    score = np.quantile(rows @ weights, FALSE_ALARMS)
    found = rows[-rows @ weights < score]
    return weights, float(score), float(np.quantile(-found[:, :7] @ weights[:7], FOUND))


def shares(rows: np.ndarray) -> list[str]:
    """Return the shares of negatives and positives that are called negatives, and of positives predicted twice."""
    twice = sum(may_be_negative(row[:7]) for row in rows)
    called = [
        sum(may_be_negative(row[:7]) and is_negative(row[:7], *row[7:]) for row in each) for each in (-rows, rows)
    ]
    return [f"{count / len(rows):.3f}" for count in (*called, twice)]


if __name__ == "__main__":
    main()
