"""Evaluates models on a folder of colour photographs; ``report`` turns the results into tables, JSON and pictures.

Protocol: the central square of each photograph is scaled to 256 by 256 pixels, and its luma is coloured as
``photochrom photo`` would. The coloured picture and the grey one are compared with the true one at this size and luma.
Photographs are inspected as for training: nearly grey ones (colourfulness under 15) are left out, since every model
scores well on them, and so are Photochrom's own outputs, whose colours are not true ones.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path

import cv2
import numpy as np
from tqdm import tqdm

from ...color.spaces import luma_of_rgb
from ...colorizer.colorizer import Colorizer
from ...colorizer.options import ColorOptions
from ...errors import OptionError, TrainingError
from ..data.curation import inspect
from ..data.dataset import Photograph, Skip, refuse, sample, split, square
from ..networks.imagenet_classifier import FEATURES, ImageClassifier
from .frechet import Gaussian, distance
from .frontier import DialScores, Frontier, along_dial, dial_of
from .frontier import frontier as frontier_of
from .lpips_fid import INCEPTION_FEATURES, Perceptual, open_perceptual
from .metrics import PairedDifference, Scores, Summary, paired_difference, score, summary
from .robustness import Trial, measure_robustness

SIZE = 256  # side of the compared squares, in pixels
THUMBNAIL = 160  # side of the pictures on the sheet, in pixels
_BATCH = 64  # photographs whose features are in memory at once
_THREADS = 2


@dataclass
class Evaluation:
    """Measurements of several models on the same photographs.

    Some fields have one entry for each kind of picture: ``grey``, the models by name, and ``truth``.
    """

    colorizers: Mapping[str, Colorizer]
    """The measured models, by name."""
    options: ColorOptions
    """How the pictures were coloured."""
    photographs: list[Photograph]
    """Photographs that could be read."""
    scores: dict[str, list[Scores]]
    """Scores by kind of picture, in the photographs' order."""
    trials: dict[str, list[Trial]]
    """Trials of robustness by model, in the photographs' order; empty lists unless ``evaluate`` was called with
    ``full``."""
    not_measured: dict[str, str]
    """Why figures are missing and how to get them, by figure (``LPIPS`` or ``FID``)."""
    frechet: dict[str, float] = field(default_factory=dict)
    """Fréchet distance from the true pictures in EfficientNet-Lite1's features, by kind of picture."""
    fid: dict[str, float] = field(default_factory=dict)
    """FID, the Fréchet distance in InceptionV3's features, by kind of picture; empty if not measured."""
    frontiers: dict[str, Frontier] = field(default_factory=dict)
    """Figures along the dial (vividness or strength), by model; empty unless ``evaluate`` was called with
    ``frontier``."""
    thumbnails: list[list[np.ndarray]] = field(default_factory=list)
    """Small pictures of each kind for the first photographs, RGB uint8 ``[THUMBNAIL, THUMBNAIL, 3]``."""

    def summary(self, kind: str) -> Summary:
        """Return the mean scores of one kind of picture, and their relation to those of grey and true pictures."""
        found = summary(self.scores[kind], self.scores["grey"], self.scores["truth"])
        return replace(found, frechet_lite1=self.frechet.get(kind), fid=self.fid.get(kind))

    def differences(self) -> dict[str, PairedDifference]:
        """Return the difference in CIEDE2000 of each other model from the first, by name."""
        first, *others = self.colorizers
        return {name: paired_difference(self.scores[name], self.scores[first]) for name in others}


@dataclass(frozen=True)
class _Measured:
    """Measurements of one photograph, by kind of picture or by model."""

    photograph: Photograph
    scores: dict[str, Scores]
    features: dict[str, np.ndarray]
    inception: dict[str, np.ndarray]
    trials: dict[str, Trial]
    dial_scores: dict[str, list[DialScores]]
    thumbnails: list[np.ndarray]


def chosen(
    folder: Path, *, held_out: bool, limit: int, skip: Skip = refuse, note: Callable[[str], None] | None = None
) -> list[Photograph]:
    """Choose the photographs to evaluate on, from those that training would use, too.

    Args:
        folder: Folder of photographs, or a tar shard.
        held_out: Whether to choose only photographs that training holds out.
        limit: Maximum number of photographs; if there are more, they are drawn at random, the same ones each time.
        skip: Called with the error for each photograph that is damaged, too large or cannot be read; unless it raises,
            the photograph is left out.
        note: Called with one line that counts the photographs and the reasons for leaving some out, if there are any.

    Raises:
        TrainingError: As for ``inspect``, there are no photographs to choose, or ``skip`` raises an error.
        OptionError: The limit is below 1.
    """
    if limit < 1:
        raise OptionError(f"the limit is {limit}", remedy="give the number of photographs, at least 1")
    inspection = inspect(folder)
    for path, reason in inspection.faulty.items():
        skip(TrainingError(f"is {reason}", path=path, remedy="replace it, or remove it from the photographs"))
    if note and inspection.dropped:
        note(str(inspection))
    photographs = split(inspection.photographs)[1] if held_out else inspection.photographs
    if not photographs:
        kind = "held-out" if held_out else "colour"
        problem = f"contains no {kind} photographs to evaluate on"
        raise TrainingError(problem, path=folder, remedy="give another folder of photographs")
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
        full: Whether to measure robustness, too (see ``measure_robustness``), at three times the cost.
        frontier: Whether to measure each model along its dial (see ``frontier.py``), too, at six times the cost of
            colouring.
        thumbnails: Number of photographs whose small pictures are kept for a sheet.
        skip: Called with the error for each photograph that cannot be read; unless it raises, the photograph is left
            out.

    Raises:
        TrainingError: No photograph can be read, ``skip`` raises the error of one that cannot, or the classifier's
            weights are missing.
        OptionError, ModelError, EngineError: As for ``Colorizer.predict``.
    """
    kinds = ("grey", *colorizers, "truth")
    perceptual = open_perceptual()
    result = Evaluation(
        colorizers,
        options or ColorOptions(),
        photographs=[],
        scores={kind: [] for kind in kinds},
        trials={name: [] for name in colorizers},
        not_measured=perceptual.not_measured,
    )
    features = {kind: Gaussian(FEATURES) for kind in kinds}
    inception = {kind: Gaussian(INCEPTION_FEATURES) for kind in kinds} if perceptual.inception else {}
    measure = _Measurement(colorizers, result.options, ImageClassifier(), perceptual, full, frontier)
    dial_scores: dict[str, list[list[DialScores]]] = {name: [] for name in colorizers if frontier}
    for batch in _measured(measure, photographs, skip):
        for measured in batch:
            result.photographs.append(measured.photograph)
            for kind, scores in measured.scores.items():
                result.scores[kind].append(scores)
            for name, trial in measured.trials.items():
                result.trials[name].append(trial)
            for name, along in measured.dial_scores.items():
                dial_scores[name].append(along)
            if len(result.thumbnails) < thumbnails:
                result.thumbnails.append(measured.thumbnails)
        for kind in kinds:
            features[kind].add(np.stack([measured.features[kind] for measured in batch]))
        for kind, gaussian in inception.items():
            gaussian.add(np.stack([measured.inception[kind] for measured in batch]))
    if not result.photographs:
        raise TrainingError(
            "none of the photographs can be read, so nothing was measured", remedy="give other photographs"
        )
    result.frechet = {kind: distance(g, features["truth"]) for kind, g in features.items()}
    result.fid = {kind: distance(g, inception["truth"]) for kind, g in inception.items()}
    result.frontiers = {
        name: frontier_of(dial_of(colorizers[name]), along, result.scores["grey"], result.scores["truth"])
        for name, along in dial_scores.items()
    }
    return result


def _measured(measure: _Measurement, photographs: Sequence[Photograph], skip: Skip) -> Iterator[list[_Measured]]:
    """Yield batches of measurements in the photographs' order, made by several threads; pass errors to ``skip``."""
    with ThreadPoolExecutor(_THREADS) as pool, tqdm(total=len(photographs), desc="evaluating", disable=None) as bar:
        for start in range(0, len(photographs), _BATCH):
            batch = []
            for measured in pool.map(measure, photographs[start : start + _BATCH]):
                bar.update()
                if isinstance(measured, TrainingError):
                    skip(measured)
                else:
                    batch.append(measured)
            if batch:
                yield batch


@dataclass(frozen=True)
class _Measurement:
    """Function that colours and measures one photograph, or returns the error; several threads may call it."""

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
        classes = {kind: self.classifier(picture) for kind, picture in pictures.items()}
        inception, lpips = self.perceptual.inception, self.perceptual.lpips
        return _Measured(
            photograph,
            scores={
                kind: score(
                    picture,
                    truth,
                    agrees=classes[kind].label == classes["truth"].label,
                    lpips=lpips(picture, truth) if lpips else None,
                )
                for kind, picture in pictures.items()
            },
            features={kind: classification.features for kind, classification in classes.items()},
            inception={kind: inception(picture) for kind, picture in pictures.items()} if inception else {},
            trials={
                name: measure_robustness(colorizer, photograph.sha1, truth, pictures[name], self.options)
                for name, colorizer in self.colorizers.items()
                if self.full
            },
            dial_scores={
                name: along_dial(colorizer, truth, self.options)
                for name, colorizer in self.colorizers.items()
                if self.frontier
            },
            thumbnails=small_pictures(pictures),
        )


def load(photograph: Photograph) -> np.ndarray:
    """Load the central square of a photograph, RGB uint8 ``[SIZE, SIZE, 3]``.

    Raises:
        TrainingError: The photograph cannot be read or decoded.
    """
    return square(photograph.decode(), SIZE)


def versions(
    colorizers: Mapping[str, Colorizer], truth: np.ndarray, options: ColorOptions | None = None
) -> dict[str, np.ndarray]:
    """Return one photograph's pictures by kind: the grey, each colorizer's, and the true one, RGB uint8 ``[H, W, 3]``.

    Args:
        colorizers: Colorizers by name.
        truth: The true picture, RGB uint8 ``[H, W, 3]``.
        options: How to colour; None for each model's defaults.

    Raises:
        OptionError, ModelError, EngineError: As for ``Colorizer.predict``.
    """
    luma = luma_of_rgb(truth)
    colored = {name: c.colorize(luma, options) for name, c in colorizers.items()}
    return {"grey": np.repeat(luma[..., None], 3, axis=2), **colored, "truth": truth}


def small_pictures(pictures: Mapping[str, np.ndarray]) -> list[np.ndarray]:
    """Scale square pictures down for a sheet, to RGB uint8 ``[THUMBNAIL, THUMBNAIL, 3]``."""
    return [cv2.resize(p, (THUMBNAIL, THUMBNAIL), interpolation=cv2.INTER_AREA) for p in pictures.values()]
