"""Reports an evaluation as Markdown tables, a JSON file, and a sheet of pictures; ``html_report`` writes a page."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from ...version import __version__
from ..atomic_files import write
from ..data.dataset import MIN_COLORFULNESS, set_hash
from .evaluate import SIZE, Evaluation
from .frontier import TARGETS, Point
from .metrics import mean, ratio
from .robustness import HINTS, OTHERS
from .robustness import summary as robustness_summary

_Row = Sequence[str]
_Columns = Sequence[tuple[str, str, str]]  # heading, field of the figures, format

_FIDELITY: _Columns = (
    ("PSNR", "psnr", ".2f"),
    ("PSNR - grey's", "psnr_gain", "+.2f"),
    ("SSIM", "ssim", ".4f"),
    ("CIEDE2000", "ciede2000", ".2f"),
    ("/ grey's", "ciede2000_ratio", ".3f"),
    ("luma kept", "luma_kept", ".1%"),
    ("LPIPS", "lpips", ".4f"),
)
_COLOR: _Columns = (
    ("CF", "colorfulness", ".1f"),
    ("/ truth's", "colorfulness_ratio", ".2f"),
    ("ΔCF of means", "colorfulness_delta", ".1f"),
    ("mean ΔCF", "colorfulness_delta_each", ".1f"),
    ("CF abs.", "colorfulness_absolute", ".1f"),
    ("/ truth's", "colorfulness_absolute_ratio", ".2f"),
    ("ΔCF abs. of means", "colorfulness_absolute_delta", ".1f"),
    ("agreement", "agreement", ".1%"),
    ("recovered", "recovered", ".1%"),
    ("Fréchet Lite1", "frechet_lite1", ".2f"),
    ("FID", "fid", ".2f"),
)
_FRONTIER: _Columns = (
    ("CF / truth's", "colorfulness_ratio", ".2f"),
    ("CIEDE2000 / grey's", "ciede2000_ratio", ".3f"),
    ("PSNR - grey's", "psnr_gain", "+.2f"),
)
_ROBUSTNESS: _Columns = (
    ("aged CIEDE2000", "aged_ciede2000", ".2f"),
    ("/ clean's", "aged_ciede2000_ratio", ".3f"),
    ("aged PSNR - grey's", "aged_psnr_gain", "+.2f"),
    (f"{HINTS} hints PSNR - none", "ten_hints_psnr_gain", "+.2f"),
    ("at one hint: median", "hint_error_median", ".2f"),
    ("mean", "hint_error_mean", ".2f"),
    ("without it", "hint_error_without", ".2f"),
    ("elsewhere", "elsewhere", ".2f"),
    ("surer half / other", "confidence_ratio", ".3f"),
    ("within each picture", "confidence_ratio_each", ".3f"),
    (f"{OTHERS} alternatives apart", "alternatives_apart", ".2f"),
    ("best of all / first", "alternatives_best_ratio", ".3f"),
)


@dataclass(frozen=True)
class Table:
    """A table of an evaluation."""

    title: str
    columns: _Row
    """Headings of the columns."""
    rows: Sequence[_Row]
    """Formatted cells, row by row."""
    note: str = ""
    """Explanation of the figures, shown below the table."""


def tables(evaluation: Evaluation) -> list[Table]:
    """Return the tables: fidelity, colour and meaning, and, if measured, figures along the dial and robustness."""
    measured = [_fidelity(evaluation), _color(evaluation)]
    if evaluation.frontiers:
        measured.append(_frontier(evaluation))
    if any(evaluation.trials.values()):
        measured.append(_robustness(evaluation))
    return measured


def _fidelity(evaluation: Evaluation) -> Table:
    headings, differences = ["picture", *_headings(_FIDELITY)], evaluation.differences()
    rows = [[kind, *_cells(evaluation.summary(kind), _FIDELITY)] for kind in evaluation.scores]
    note = "PSNR in dB over 8-bit RGB. Compare with the grey pictures' figures, whose luma is that of the true ones."
    if differences:
        headings.append(f"CIEDE2000 - {next(iter(evaluation.colorizers))}'s")
        rows = [[*row, str(differences.get(row[0], "-"))] for row in rows]
        note += " ±: standard error of the mean difference; a difference is clear if it is larger than two of them."
    return Table("Fidelity", headings, rows, _with_missing(note, evaluation, "LPIPS"))


def _color(evaluation: Evaluation) -> Table:
    rows = [[kind, *_cells(evaluation.summary(kind), _COLOR)] for kind in evaluation.scores]
    note = (
        "CF: colourfulness of Hasler and Suesstrunk with signed axes, abs. with absolute ones. ΔCF of means: "
        "|mean CF - the truth's mean CF|; mean ΔCF: mean of |CF - the truth's CF| over the photographs. Agreement: "
        "share of the pictures that EfficientNet-Lite1 assigns to the same class as the true ones; recovered: share of "
        "the agreement lost in the grey pictures that colouring recovers. Fréchet distances fall as the number of "
        f"photographs grows: compare only those of {len(evaluation.photographs)} photographs."
    )
    return Table("Colour and meaning", ["picture", *_headings(_COLOR)], rows, _with_missing(note, evaluation, "FID"))


def _frontier(evaluation: Evaluation) -> Table:
    rows = []
    for name, frontier in evaluation.frontiers.items():
        rows += [[name, f"{frontier.dial} {cell(p.setting, '.2f')}", *_cells(p, _FRONTIER)] for p in frontier.points]
        for target in TARGETS:
            point = frontier.at(target)
            where = f"at CF {target:g}" + (f" ({frontier.dial} {cell(point.setting, '.2f')})" if point else "")
            rows.append([name, where, *_cells(point or Point(None, target, None, None), _FRONTIER)])
    note = (
        "Figures along each model's dial, and interpolated at equal colourfulness, at which models can be compared. "
        "-: the dial does not reach that colourfulness."
    )
    return Table("Frontier", ["model", "at", *_headings(_FRONTIER)], rows, note)


def _robustness(evaluation: Evaluation) -> Table:
    trials = evaluation.trials.items()
    rows = [[name, *_cells(robustness_summary(each), _ROBUSTNESS)] for name, each in trials]
    note = (
        "Aged: pictures with chroma predicted from an aged luma, and the clean luma (aim: at most 1.15 of the clean "
        f"CIEDE2000). {HINTS} hints: true colours at random points (aim: +3 dB). At one hint: CIEDE2000 between 5 by 5 "
        "pixels and the hint's colour at their luma (aim: under 5). Elsewhere: CIEDE2000 between the pictures with and "
        "without the hint, beyond strong edges and a quarter of the picture away. Surer half / other: CIEDE2000 of the "
        "pixels with higher confidence, divided by that of the others (aim: at most 0.6). Alternatives apart: mean "
        "CIEDE2000 between any two of the picture and its alternatives; best of all / first: error of the best of "
        "them, divided by that of the picture."
    )
    return Table("Robustness", ["model", *_headings(_ROBUSTNESS)], rows, note)


def _headings(columns: _Columns) -> list[str]:
    return [heading for heading, _, _ in columns]


def _cells(figures: object, columns: _Columns) -> list[str]:
    """Return the formatted fields of ``figures``, column by column."""
    return [cell(getattr(figures, field), form) for _, field, form in columns]


def _with_missing(note: str, evaluation: Evaluation, figure: str) -> str:
    """Return a note, followed by the reason why a figure is missing, if it is."""
    why = evaluation.not_measured.get(figure)
    return f"{note} {figure}: not measured ({why})." if why else note


def cell(value: float | None, form: str) -> str:
    """Format a figure; return a dash if it is None or not finite."""
    return "-" if value is None or not math.isfinite(value) else format(value, form)


def markdown(evaluation: Evaluation) -> str:
    """Return all tables in Markdown, each with its note."""
    return "\n\n".join(_markdown(table) for table in tables(evaluation))


def _markdown(table: Table) -> str:
    lines = [table.columns, ["---"] * len(table.columns), *table.rows]
    rows = "\n".join(f"| {' | '.join(text.replace('|', chr(92) + '|') for text in line)} |" for line in lines)
    return f"### {table.title}\n\n{rows}\n\n{table.note}"


def facts(evaluation: Evaluation, protocol: Mapping[str, object]) -> dict[str, object]:
    """Return all figures of an evaluation, ready for JSON; undefined figures are None.

    Args:
        evaluation: The evaluation.
        protocol: How the evaluation was made, such as its photographs and model, by name; size and minimum
            colourfulness of the photographs are added, and a hash of the set of photographs.

    Raises:
        ModelError: A model file can no longer be read.
    """
    digest = set_hash(evaluation.photographs)
    return {
        "photochrom": __version__,
        "protocol": {"size": SIZE, "least_colorfulness": MIN_COLORFULNESS, "sha256": digest, **protocol},
        "photographs": len(evaluation.photographs),
        "models": {name: colorizer.label for name, colorizer in evaluation.colorizers.items()},
        "scores": {kind: dataclasses.asdict(evaluation.summary(kind)) for kind in evaluation.scores},
        "differences": {
            name: dataclasses.asdict(difference)
            | {"from": next(iter(evaluation.colorizers)), "clear": difference.is_clear}
            for name, difference in evaluation.differences().items()
        },
        "robustness": {
            name: dataclasses.asdict(robustness_summary(trials)) for name, trials in evaluation.trials.items() if trials
        },
        "frontier": {
            name: dataclasses.asdict(frontier)
            | {"at": {f"{t:g}": (point := frontier.at(t)) and dataclasses.asdict(point) for t in TARGETS}}
            for name, frontier in evaluation.frontiers.items()
        },
        "sources": sources(evaluation),
        "not_measured": evaluation.not_measured,
    }


def sources(evaluation: Evaluation) -> dict[str, dict[str, object]]:
    """Return the number of photographs of each source, and each model's CIEDE2000 relative to grey pictures.

    The keys under a source are ``photographs`` and ``ciede2000_ratio``. The latter has, by model, the mean CIEDE2000
    divided by that of the grey pictures, or None if that is 0.
    """
    by_source: dict[str, list[int]] = {}
    for i, photograph in enumerate(evaluation.photographs):
        by_source.setdefault(photograph.source, []).append(i)
    return {
        source: {
            "photographs": len(rows),
            "ciede2000_ratio": {name: _ratio_of(evaluation, name, rows) for name in evaluation.colorizers},
        }
        for source, rows in sorted(by_source.items())
    }


def _ratio_of(evaluation: Evaluation, name: str, rows: Iterable[int]) -> float | None:
    own, grey = (mean(evaluation.scores[kind][i].ciede2000 for i in rows) for kind in (name, "grey"))
    return ratio(own, grey)


def write_json(evaluation: Evaluation, path: Path, protocol: Mapping[str, object]) -> None:
    """Write ``facts`` to a JSON file.

    Args:
        evaluation: The evaluation.
        path: The file; it is replaced if it exists.
        protocol: As for ``facts``.

    Raises:
        TrainingError: The file cannot be written.
        ModelError: A model file can no longer be read.
    """
    write(path, (json.dumps(facts(evaluation, protocol), indent=2, allow_nan=False) + "\n").encode())


def write_sheet(pictures: Sequence[Sequence[np.ndarray]], path: Path, columns: int) -> None:
    """Write a PNG file that shows all pictures of each photograph side by side.

    Args:
        pictures: Pictures of one or more photographs, equally many of each, RGB uint8 ``[H, W, 3]``, all of one size.
        path: The file; it is replaced if it exists.
        columns: Number of photographs in a row.

    Raises:
        TrainingError: The file cannot be written.
    """
    strips = [np.pad(np.hstack(p), [(2, 2), (6, 6), (0, 0)], constant_values=255) for p in pictures]
    strips += [np.full_like(strips[0], 255)] * (-len(strips) % columns)
    rows = [np.hstack(strips[i : i + columns]) for i in range(0, len(strips), columns)]
    ok, png = cv2.imencode(".png", np.ascontiguousarray(np.vstack(rows)[..., ::-1]))
    assert ok
    write(path, png.tobytes())
