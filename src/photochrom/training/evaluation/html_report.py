"""Writes an evaluation as one HTML page: tables, then the best and worst photographs of each model, and random ones.

The template is ``report.html.j2``; pictures are embedded.
"""

from __future__ import annotations

import base64
import math
import random
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import simplejpeg
from jinja2 import Environment, PackageLoader, StrictUndefined, Template

from ..atomic_files import write
from .evaluate import SIZE, Evaluation, load, versions
from .metrics import Scores
from .report import Table, cell, sources, tables

_QUALITY = 82  # JPEG quality; chroma is not subsampled, since colours matter here


def write_page(evaluation: Evaluation, path: Path, protocol: Mapping[str, object], count: int = 12) -> None:
    """Write an evaluation's tables and pictures as one HTML file.

    The pictures are coloured again, since an evaluation does not keep them.

    Args:
        evaluation: The evaluation.
        path: The file; it is replaced if it exists.
        protocol: Facts about the evaluation by name, for the head of the page.
        count: Maximum number of photographs in each section.

    Raises:
        TrainingError: A photograph cannot be read any more, or the page cannot be written.
        OptionError, ModelError, EngineError: As for ``Colorizer.predict``.
    """
    ranked = list(_sections(evaluation, count))
    shown = {i: _photograph(evaluation, i) for i in sorted({i for _, _, rows in ranked for i in rows})}
    sections = [(title, note, [shown[i] for i in rows]) for title, note, rows in ranked]
    page = _template().render(
        kinds=len(evaluation.scores),
        facts=_facts(evaluation, protocol),
        tables=tables(evaluation),
        sources=_sources(evaluation),
        sections=sections,
    )
    write(path, page.encode(errors="replace"))


def _template() -> Template:
    loader = PackageLoader("photochrom.training.evaluation", ".")
    environment = Environment(loader=loader, autoescape=True, trim_blocks=True, undefined=StrictUndefined)
    return environment.get_template("report.html.j2")


def _sections(evaluation: Evaluation, count: int) -> Iterator[tuple[str, str, list[int]]]:
    """Yield the title, the note and the indices of the photographs of each section."""
    for name in evaluation.colorizers:
        ranked = _ranked(evaluation.scores[name], evaluation.scores["grey"])
        note = "By CIEDE2000 relative to the grey picture's, in brackets: above 1, grey would have been better."
        yield f"Best of {name}", note, ranked[:count]
        yield f"Worst of {name}", note, ranked[::-1][:count]
    rows = range(len(evaluation.photographs))
    yield "Random photographs", "The same draw for all models.", random.Random(0).sample(rows, min(count, len(rows)))


def _ranked(scores: Sequence[Scores], grey: Sequence[Scores]) -> list[int]:
    """Return the indices of photographs, best first; photographs that are themselves grey are left out."""
    ratios = {i: s.ciede2000 / g.ciede2000 for i, (s, g) in enumerate(zip(scores, grey, strict=True)) if g.ciede2000}
    return sorted(ratios, key=ratios.__getitem__)


def _facts(evaluation: Evaluation, protocol: Mapping[str, object]) -> dict[str, str]:
    counts = {"photographs": len(evaluation.photographs), "compared": f"central squares, {SIZE} by {SIZE}"}
    named = {f"model {name}": colorizer.label for name, colorizer in evaluation.colorizers.items()}
    return {name.replace("_", " "): _plain(value) for name, value in {**counts, **named, **protocol}.items()}


def _plain(value: object) -> str:
    return {True: "yes", False: "no", None: "-"}[value] if value is None or isinstance(value, bool) else str(value)


def _sources(evaluation: Evaluation) -> Table:
    rows = []
    for source, facts in sources(evaluation).items():
        ratios = facts["ciede2000_ratio"]
        assert isinstance(ratios, dict)
        figures = [cell(ratios[name], ".3f") for name in evaluation.colorizers]
        rows.append([source or "-", str(facts["photographs"]), *figures])
    note = "CIEDE2000 of each source's photographs, divided by that of the grey pictures."
    return Table("By source", ["source", "photographs", *evaluation.colorizers], rows, note)


def _photograph(evaluation: Evaluation, index: int) -> tuple[str, list[dict[str, Any]]]:
    """Colour one photograph, and return its name and its pictures of all kinds (``_figure``)."""
    photograph = evaluation.photographs[index]
    name = f"{photograph.source}/{photograph.name}" if photograph.source else photograph.name
    pictures = versions(evaluation.colorizers, load(photograph), evaluation.options)
    grey = evaluation.scores["grey"][index]
    return name, [_figure(picture, kind, evaluation.scores[kind][index], grey) for kind, picture in pictures.items()]


def _figure(picture: np.ndarray, kind: str, scores: Scores, grey: Scores) -> dict[str, Any]:
    """Return the fields of one picture in the template, among them its figures as lines of text."""
    jpeg = simplejpeg.encode_jpeg(np.ascontiguousarray(picture), _QUALITY, colorsubsampling="444")
    lines = [f"CF {scores.colorfulness:.0f}"]
    if kind != "truth":
        lines[:0] = [f"PSNR {cell(scores.psnr, '.1f')} dB", f"CIEDE2000 {scores.ciede2000:.1f}"]
    if kind not in ("truth", "grey") and grey.ciede2000 and math.isfinite(grey.psnr):
        lines[0] += f" ({scores.psnr - grey.psnr:+.1f})"
        lines[1] += f" (\u00d7{scores.ciede2000 / grey.ciede2000:.2f})"
    height, width = picture.shape[:2]
    source = f"data:image/jpeg;base64,{base64.b64encode(jpeg).decode()}"
    return {"kind": kind, "width": width, "height": height, "source": source, "lines": lines}
