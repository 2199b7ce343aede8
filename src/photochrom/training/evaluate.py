"""Models and a folder of colour photographs -> one table, one JSON file, one sheet of pictures to look at.

The protocol: each photograph's central square at 256 by 256 pixels; its luma alone goes through the very path that
``photochrom photo`` takes; what comes back is compared with the photograph, and so is the grey picture. Nearly grey
photographs (colourfulness under 15) are left out: they flatter everything.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from tqdm import tqdm

from ..chroma import luma_of_rgb
from ..colorizer import Colorizer
from ..errors import TrainingError
from ..options import ColorOptions
from .classifier import Verdict
from .dataset import MIN_COLORFULNESS, Photograph, decode, find_photographs, sample, square
from .metrics import Scores, mean, score

SIZE = 256  # side of the squares compared, pixels
_COLUMNS = ("PSNR", "PSNR - grey's", "CIEDE2000", "/ grey's", "CF", "/ truth's", "CF abs.", "agreement")


def chosen(folder: Path, *, held_out: bool, limit: int) -> list[Photograph]:
    """The photographs to evaluate on: all colour ones of a folder, or only those that no training run sees.

    Raises:
        TrainingError: none are left.
    """
    photographs = [
        p for p in find_photographs(folder) if p.colorfulness >= MIN_COLORFULNESS and (p.held_out or not held_out)
    ]
    if not photographs:
        raise TrainingError(f"no colour photographs to evaluate on in {folder}")
    return sample(photographs, limit, limit)


def evaluate(
    colorizers: Mapping[str, Colorizer], photographs: Sequence[Photograph], options: ColorOptions | None = None
) -> dict[str, Scores]:
    """Mean scores of each colorizer, and of ``grey`` and ``truth``."""
    scores: dict[str, list[Scores]] = {name: [] for name in ("grey", *colorizers, "truth")}
    verdict = Verdict()
    for photograph in tqdm(photographs, "evaluating", disable=None):
        truth = load(photograph)
        true_verdict = verdict(truth)
        for name, picture in versions(colorizers, truth, options).items():
            scores[name].append(score(picture, truth, agrees=verdict(picture) == true_verdict))
    return {name: mean(values) for name, values in scores.items()}


def load(photograph: Photograph) -> np.ndarray:
    """The central square of a photograph, RGB uint8 ``[SIZE, SIZE, 3]``."""
    return square(decode(photograph.path.read_bytes(), photograph.path), SIZE)


def versions(
    colorizers: Mapping[str, Colorizer], truth: np.ndarray, options: ColorOptions | None = None
) -> dict[str, np.ndarray]:
    """The grey picture, what each colorizer makes of it, and the truth; RGB uint8."""
    luma = luma_of_rgb(truth)
    colored = {name: np.asarray(c.colorize(luma, options)) for name, c in colorizers.items()}
    return {"grey": np.repeat(luma[..., None], 3, axis=2), **colored, "truth": truth}


def table(scores: Mapping[str, Scores]) -> str:
    """A Markdown table, each figure beside the grey picture's own or the truth's."""
    grey, truth = scores["grey"], scores["truth"]
    lines = [f"| picture | {' | '.join(_COLUMNS)} |", "|---" * (len(_COLUMNS) + 1) + "|"]
    for name, s in scores.items():
        psnr = "- | -" if name == "truth" else f"{s.psnr:.2f} | {s.psnr - grey.psnr:+.2f}"
        lines.append(
            f"| {name} | {psnr} | {s.ciede2000:.2f} | {s.ciede2000 / grey.ciede2000:.3f} "
            f"| {s.colorfulness:.1f} | {s.colorfulness / truth.colorfulness:.2f} | {s.colorfulness_absolute:.1f} "
            f"| {s.agreement:.1%} |"
        )
    return "\n".join(lines)


def sheet(
    colorizers: Mapping[str, Colorizer],
    photographs: Sequence[Photograph],
    path: Path,
    columns: int = 3,
    side: int = 160,
    options: ColorOptions | None = None,
) -> None:
    """A PNG of pictures side by side: grey, each colorizer's, truth; ``columns`` photographs a row."""
    import cv2

    strips = []
    for photograph in photographs:
        pictures = versions(colorizers, load(photograph), options).values()
        small = [cv2.resize(p, (side, side), interpolation=cv2.INTER_AREA) for p in pictures]
        strips.append(np.pad(np.hstack(small), [(2, 2), (6, 6), (0, 0)], constant_values=255))
    blank = np.full_like(strips[0], 255)
    strips += [blank] * (-len(strips) % columns)
    rows = [np.hstack(strips[i : i + columns]) for i in range(0, len(strips), columns)]
    ok, png = cv2.imencode(".png", np.ascontiguousarray(np.vstack(rows)[..., ::-1]))
    assert ok
    path.write_bytes(png.tobytes())


def report(scores: Mapping[str, Scores], path: Path, facts: Mapping[str, object]) -> None:
    """The scores and what they were measured on, as JSON."""
    named = {name: dataclasses.asdict(s) for name, s in scores.items()}
    del named["truth"]["psnr"]  # infinite, for which JSON has no word
    path.write_text(json.dumps({**facts, "scores": named}, indent=2, allow_nan=False) + "\n")
