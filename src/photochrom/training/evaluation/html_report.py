"""Writes an evaluation as one HTML page: tables, then the best, worst and random photographs of each model.

The template is ``report.html.j2``; pictures are embedded.
"""

from __future__ import annotations

import base64
import math
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import simplejpeg
from jinja2 import Environment, PackageLoader, StrictUndefined, Template

from ..files import write
from .evaluate import SIZE, Evaluation, load, versions
from .metrics import Scores
from .report import Table, cell, sources, tables

_QUALITY = 82  # JPEG quality, without chroma subsampling, since colours matter here


@dataclass(frozen=True)
class _Figure:
    """One picture of a photograph: the truth, the grey picture, or one in a model's colours."""

    kind: str
    width: int
    height: int
    source: str
    """The picture as a ``data:`` URL."""
    lines: list[str]
    """Figures shown below the picture."""


@dataclass(frozen=True)
class _Photograph:
    name: str
    figures: list[_Figure]


@dataclass(frozen=True)
class _Section:
    title: str
    note: str
    photographs: list[_Photograph]


def write_page(found: Evaluation, path: Path, protocol: Mapping[str, object], count: int = 12) -> None:
    """Write tables and pictures to one file. An evaluation keeps no pictures, so those shown are coloured again.

    Args:
        found: The evaluation to show.
        path: The page; it is replaced if it exists.
        protocol: Facts about the evaluation by name, for the page's head.
        count: Photographs in each section: the best and the worst of each model, and random ones for all.

    Raises:
        TrainingError: The page cannot be written.
    """
    ranked = list(_sections(found, count))
    shown = {i: _photograph(found, i) for i in sorted({i for _, _, rows in ranked for i in rows})}
    sections = [_Section(title, note, [shown[i] for i in rows]) for title, note, rows in ranked]
    page = _template().render(
        kinds=len(found.scores),
        facts=_facts(found, protocol),
        tables=tables(found),
        sources=_sources(found),
        sections=sections,
    )
    write(path, page.encode(errors="replace"))


def _template() -> Template:
    loader = PackageLoader("photochrom.training.evaluation", ".")
    environment = Environment(loader=loader, autoescape=True, trim_blocks=True, undefined=StrictUndefined)
    return environment.get_template("report.html.j2")


def _sections(found: Evaluation, count: int) -> Iterator[tuple[str, str, list[int]]]:
    """Yield title, note, and the photographs by index."""
    for name in found.colorizers:
        ranked = _ranked(found.scores[name], found.scores["grey"])
        note = "By CIEDE2000 relative to the grey picture's, in brackets: above 1, grey would have been better."
        yield f"Best of {name}", note, ranked[:count]
        yield f"Worst of {name}", note, ranked[::-1][:count]
    rows = range(len(found.photographs))
    yield "Random photographs", "The same draw for all models.", random.Random(0).sample(rows, min(count, len(rows)))


def _ranked(scores: Sequence[Scores], grey: Sequence[Scores]) -> list[int]:
    """Return indices of photographs, best first, without those whose truth is grey."""
    ratios = {i: s.ciede2000 / g.ciede2000 for i, (s, g) in enumerate(zip(scores, grey, strict=True)) if g.ciede2000}
    return sorted(ratios, key=ratios.__getitem__)


def _facts(found: Evaluation, protocol: Mapping[str, object]) -> dict[str, str]:
    counts = {"photographs": len(found.photographs), "compared": f"central squares, {SIZE} by {SIZE}"}
    named = {f"model {name}": colorizer.label for name, colorizer in found.colorizers.items()}
    return {name.replace("_", " "): _plain(value) for name, value in {**counts, **named, **protocol}.items()}


def _plain(value: object) -> str:
    return {True: "yes", False: "no", None: "-"}[value] if value is None or isinstance(value, bool) else str(value)


def _sources(found: Evaluation) -> Table:
    rows = []
    for source, facts in sources(found).items():
        ratios = facts["ciede2000_ratio"]
        assert isinstance(ratios, dict)
        figures = [cell(ratios[name], ".3f") for name in found.colorizers]
        rows.append([source or "-", str(facts["photographs"]), *figures])
    note = "CIEDE2000 of each source's photographs, divided by that of the grey pictures."
    return Table("By source", ["source", "photographs", *found.colorizers], rows, note)


def _photograph(found: Evaluation, index: int) -> _Photograph:
    """Render one photograph: all kinds of picture side by side, each with its figures."""
    photograph = found.photographs[index]
    name = f"{photograph.source}/{photograph.name}" if photograph.source else photograph.name
    pictures = versions(found.colorizers, load(photograph), found.options)
    grey = found.scores["grey"][index]
    figures = [_figure(picture, kind, found.scores[kind][index], grey) for kind, picture in pictures.items()]
    return _Photograph(name, figures)


def _figure(picture: np.ndarray, kind: str, scores: Scores, grey: Scores) -> _Figure:
    jpeg = simplejpeg.encode_jpeg(np.ascontiguousarray(picture), _QUALITY, colorsubsampling="444")
    lines = [f"CF {scores.colorfulness:.0f}"]
    if kind != "truth":
        lines[:0] = [f"PSNR {cell(scores.psnr, '.1f')} dB", f"CIEDE2000 {scores.ciede2000:.1f}"]
    if kind not in ("truth", "grey") and grey.ciede2000 and math.isfinite(grey.psnr):
        lines[0] += f" ({scores.psnr - grey.psnr:+.1f})"
        lines[1] += f" (\u00d7{scores.ciede2000 / grey.ciede2000:.2f})"
    height, width = picture.shape[:2]
    return _Figure(kind, width, height, f"data:image/jpeg;base64,{base64.b64encode(jpeg).decode()}", lines)
