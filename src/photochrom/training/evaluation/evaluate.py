"""Evaluates models on a folder of colour photographs; ``report`` turns the results into tables, JSON and pictures.

Protocol: the central square of each photograph is scaled to 256 by 256 pixels, and its luma coloured exactly as
``photochrom photo`` does. The result, and the grey picture, are compared with the photograph at this size and luma.
Nearly grey photographs (colourfulness under 15) are left out, since every model scores well on them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
from tqdm import tqdm

from ...color.spaces import luma_of_rgb
from ...colorizer.colorizer import Colorizer
from ...colorizer.options import ColorOptions
from ...errors import OptionError, TrainingError
from ..data.curation import distinct
from ..data.dataset import MIN_COLORFULNESS, Photograph, Skip, find_photographs, refuse, sample, square
from ..networks.classifier import FEATURES, ImageClassifier
from .frechet import Gaussian, distance
from .frontier import DialScores, Frontier, along_dial, dial_of
from .frontier import frontier as frontier_of
from .lpips_fid import INCEPTION_FEATURES, Perceptual, open_perceptual
from .metrics import Scores, Summary, score, summary
from .robustness import Trial, measure_robustness

SIZE = 256  # side of the squares compared, pixels
THUMBNAIL = 160  # side of the pictures on the sheet
_BATCH = 64  # photographs whose features are held at once
_THREADS = 2


@dataclass
class Evaluation:
    """All measurements. The kinds of picture are ``grey``, the models by name, and ``truth``."""

    colorizers: Mapping[str, Colorizer]
    options: ColorOptions
    photographs: list[Photograph]
    """Photographs that could be read."""
    scores: dict[str, list[Scores]]
    """Scores by kind of picture, in the photographs' order."""
    trials: dict[str, list[Trial]]
    """Trials by model, in the photographs' order; empty lists unless ``full``."""
    not_measured: dict[str, str]
    """Reasons for missing figures, and how to get them, by figure."""
    frechet: dict[str, float] = field(default_factory=dict)
    """Distance from the truth in EfficientNet-Lite1's features, by kind of picture."""
    fid: dict[str, float] = field(default_factory=dict)
    """The same in InceptionV3's features; empty if not measured."""
    frontiers: dict[str, Frontier] = field(default_factory=dict)
    """Figures along the dial, by model; empty unless requested."""
    thumbnails: list[list[np.ndarray]] = field(default_factory=list)
    """Pictures of each kind for the first photographs, RGB uint8 ``[THUMBNAIL, THUMBNAIL, 3]``."""

    def summary(self, kind: str) -> Summary:
        """Summarise the scores of ``grey``, ``truth`` or a model (by name), relative to grey and truth."""
        return summary(self.scores[kind], self.scores["grey"], self.scores["truth"])


@dataclass(frozen=True)
class _Measured:
    """Measurements of one photograph, by kind of picture."""

    photograph: Photograph
    scores: dict[str, Scores]
    features: dict[str, np.ndarray]
    inception: dict[str, np.ndarray]
    trials: dict[str, Trial]
    dialled: dict[str, list[DialScores]]
    thumbnails: list[np.ndarray]


def chosen(folder: Path, *, held_out: bool, limit: int, skip: Skip = refuse) -> list[Photograph]:
    """Return the photographs to evaluate on: all colour photographs of a folder, or only the held-out ones.

    Raises:
        TrainingError: The folder does not exist or holds no colour photographs.
        OptionError: The limit is below 1.
    """
    if limit < 1:
        raise OptionError(f"the limit is {limit}", remedy="give the number of photographs, at least 1")
    photographs = [
        p for p in find_photographs(folder, skip) if p.colorfulness >= MIN_COLORFULNESS and (p.held_out or not held_out)
    ]
    if not (folder / "index.csv").is_file():  # an index lists distinct photographs
        photographs = distinct(photographs)
    if not photographs:
        raise TrainingError(f"no colour photographs to evaluate on in {folder}")
    return sample(photographs, limit, limit)


def evaluate(
    colorizers: Mapping[str, Colorizer],
    photographs: Sequence[Photograph],
    options: ColorOptions | None = None,
    *,
    full: bool = False,
    frontier: bool = False,
    thumbnails: int = 0,
    skip: Skip = refuse,
) -> Evaluation:
    """Measure colorizers, and the grey and true pictures for comparison, in one pass over the photographs.

    Args:
        colorizers: Colorizers by their names in the report.
        photographs: At least one photograph.
        options: How to colour; None for each model's defaults.
        full: Whether to also measure aged pictures, hints and confidence, at three times the cost.
        frontier: Whether to also measure each model along its dial, at six times the cost of colouring.
        thumbnails: Number of photographs whose small pictures are kept for a sheet.
        skip: Called with the error for each photograph that cannot be read; unless it raises, the photograph is left
            out.

    Raises:
        TrainingError: No photograph can be read, or the classifier's weights are missing.
        OptionError: A model lacks the dial.
    """
    kinds = ("grey", *colorizers, "truth")
    perceptual = open_perceptual()
    found = Evaluation(
        colorizers,
        options or ColorOptions(),
        photographs=[],
        scores={kind: [] for kind in kinds},
        trials={name: [] for name in colorizers},
        not_measured=perceptual.not_measured,
    )
    features = {kind: Gaussian(FEATURES) for kind in kinds}
    inception = {kind: Gaussian(INCEPTION_FEATURES) for kind in kinds} if perceptual.inception else {}
    examine = _Examiner(colorizers, found.options, ImageClassifier(), perceptual, full, frontier)
    dialled: dict[str, list[list[DialScores]]] = {name: [] for name in colorizers if frontier}
    for batch in _measured(examine, photographs, skip):
        for one in batch:
            found.photographs.append(one.photograph)
            for kind, scores in one.scores.items():
                found.scores[kind].append(scores)
            for name, tried in one.trials.items():
                found.trials[name].append(tried)
            for name, along in one.dialled.items():
                dialled[name].append(along)
            if len(found.thumbnails) < thumbnails:
                found.thumbnails.append(one.thumbnails)
        for kind in kinds:
            features[kind].add(np.stack([one.features[kind] for one in batch]))
        for kind, gaussian in inception.items():
            gaussian.add(np.stack([one.inception[kind] for one in batch]))
    if not found.photographs:
        raise TrainingError(
            "none of the photographs can be read: nothing was measured", remedy="give other photographs"
        )
    found.frechet = {kind: distance(g, features["truth"]) for kind, g in features.items()}
    found.fid = {kind: distance(g, inception["truth"]) for kind, g in inception.items()}
    found.frontiers = {
        name: frontier_of(dial_of(colorizers[name]), along, found.scores["grey"], found.scores["truth"])
        for name, along in dialled.items()
    }
    return found


def _measured(examine: _Examiner, photographs: Sequence[Photograph], skip: Skip) -> Iterator[list[_Measured]]:
    """Yield batches in the photographs' order; threads colour the pictures."""
    with ThreadPoolExecutor(_THREADS) as pool, tqdm(total=len(photographs), desc="evaluating", disable=None) as bar:
        for start in range(0, len(photographs), _BATCH):
            batch = []
            for one in pool.map(examine, photographs[start : start + _BATCH]):
                bar.update()
                if isinstance(one, TrainingError):
                    skip(one)
                else:
                    batch.append(one)
            if batch:
                yield batch


@dataclass(frozen=True)
class _Examiner:
    """Measures a photograph; shared between threads."""

    colorizers: Mapping[str, Colorizer]
    options: ColorOptions
    classifier: ImageClassifier
    perceptual: Perceptual
    full: bool
    frontier: bool

    def __call__(self, photograph: Photograph) -> _Measured | TrainingError:
        try:
            truth = load(photograph)
        except TrainingError as exc:
            return exc
        pictures = versions(self.colorizers, truth, self.options)
        verdicts = {kind: self.classifier(picture) for kind, picture in pictures.items()}
        inception, lpips = self.perceptual.inception, self.perceptual.lpips
        return _Measured(
            photograph,
            scores={
                kind: score(
                    picture,
                    truth,
                    agrees=verdicts[kind].label == verdicts["truth"].label,
                    lpips=lpips(picture, truth) if lpips else None,
                )
                for kind, picture in pictures.items()
            },
            features={kind: verdict.features for kind, verdict in verdicts.items()},
            inception={kind: inception(picture) for kind, picture in pictures.items()} if inception else {},
            trials={
                name: measure_robustness(colorizer, photograph.sha1, truth, pictures[name], self.options)
                for name, colorizer in self.colorizers.items()
                if self.full
            },
            dialled={
                name: along_dial(colorizer, truth, self.options)
                for name, colorizer in self.colorizers.items()
                if self.frontier
            },
            thumbnails=small_pictures(pictures),
        )


def load(photograph: Photograph) -> np.ndarray:
    """Load the central square of a photograph, RGB uint8 ``[SIZE, SIZE, 3]``."""
    return square(photograph.decode(), SIZE)


def versions(
    colorizers: Mapping[str, Colorizer], truth: np.ndarray, options: ColorOptions | None = None
) -> dict[str, np.ndarray]:
    """Return the grey picture, each colorizer's result, and the truth; RGB uint8."""
    luma = luma_of_rgb(truth)
    colored = {name: np.asarray(c.colorize(luma, options)) for name, c in colorizers.items()}
    return {"grey": np.repeat(luma[..., None], 3, axis=2), **colored, "truth": truth}


def small_pictures(pictures: Mapping[str, np.ndarray]) -> list[np.ndarray]:
    """Return small pictures for a sheet, RGB uint8 ``[THUMBNAIL, THUMBNAIL, 3]``."""
    return [cv2.resize(p, (THUMBNAIL, THUMBNAIL), interpolation=cv2.INTER_AREA) for p in pictures.values()]
