"""An evaluation as one HTML page: tables, then the best, the worst and random photographs of each model.

Pictures are embedded, and the page's own policy forbids the browser to load anything.
"""

from __future__ import annotations

import base64
import math
import random
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from pathlib import Path

import numpy as np
import simplejpeg

from ..files import write
from .evaluate import SIZE, Evaluation, load, versions
from .metrics import Scores
from .report import Table, cell, sources, tables

_QUALITY = 82  # without chroma subsampling, since the colours matter here

_STYLE = """
body { margin: 0 auto; max-width: 78rem; padding: 1.5rem 1rem 4rem; background: #fff; color: #1d1d1f;
  font: 1rem/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "DejaVu Sans", sans-serif; }
h1 { font-size: 1.75rem; line-height: 1.2; margin: 0 0 .5rem; }
h2 { font-size: 1.25rem; margin: 3rem 0 .25rem; padding-top: .75rem; border-top: 1px solid #d8d8dc; }
h3 { font-size: .875rem; font-weight: 600; margin: 1.75rem 0 .4rem; overflow-wrap: anywhere; }
p { margin: .25rem 0 1rem; max-width: 48rem; }
a { color: #0b57a4; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .15rem 1rem; margin: 1rem 0; font-size: .875rem; }
dt { color: #5b5b62; }
dd { margin: 0; overflow-wrap: anywhere; }
nav { display: flex; flex-wrap: wrap; gap: .25rem 1.25rem; font-size: .9rem; }
.wide { overflow-x: auto; margin: .75rem 0; }
table { border-collapse: collapse; font-size: .875rem; font-variant-numeric: tabular-nums; }
th, td { padding: .4rem .7rem; text-align: right; border-bottom: 1px solid #e5e5e9; }
thead th { color: #5b5b62; font-weight: 600; vertical-align: bottom; min-width: 3.5rem; border-color: #b9b9c0; }
th:first-child { text-align: left; min-width: 5.5rem; max-width: 14rem; position: sticky; left: 0; background: #fff;
  overflow-wrap: break-word; }
tbody th { font-weight: 600; }
.note { color: #5b5b62; font-size: .85rem; }
.row { display: grid; grid-template-columns: repeat(var(--kinds), minmax(0, 16rem)); gap: .6rem; }
summary { margin: 2rem 0 0; cursor: pointer; color: #0b57a4; }
figure { margin: 0; }
img { display: block; width: 100%; height: auto; border-radius: 4px; background: #eee; }
figcaption { padding: .35rem 0 .25rem; font-size: .8rem; line-height: 1.35; color: #44444a; overflow-wrap: anywhere; }
figcaption b, figcaption span { display: block; }
figcaption b { color: #1d1d1f; }
@media (max-width: 40rem) { .row { grid-template-columns: repeat(2, minmax(0, 1fr)); } h1 { font-size: 1.4rem; } }
"""


def write_page(found: Evaluation, path: Path, protocol: Mapping[str, object], count: int = 12) -> None:
    """Tables and pictures as one file. The photographs shown are coloured once more: no others were kept.

    Args:
        found: what to show.
        path: of the page; replaced if it is there.
        protocol: named facts of the evaluation, for the page's head.
        count: photographs in each section: the best and the worst of each model, random ones for all.

    Raises:
        TrainingError: it cannot be written.
    """
    sections = list(_sections(found, count))
    shown = {i: _photograph(found, i) for i in sorted({i for _, _, rows in sections for i in rows})}
    body = [_head(found, protocol, [title for title, _, _ in sections]), *map(_table, tables(found)), _sources(found)]
    for number, (title, note, rows) in enumerate(sections):
        body.append(f'<h2 id="s{number}">{escape(title)}</h2>\n<p class="note">{escape(note)}</p>')
        body += [shown[i] for i in rows]
    write(path, _document("\n".join(body), kinds=len(found.scores)).encode(errors="replace"))


def _document(body: str, kinds: int) -> str:
    policy = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Photochrom evaluation</title>
<style>:root {{ --kinds: {kinds}; }}{_STYLE}</style>
</head>
<body>
{body}
</body>
</html>
"""


def _sections(found: Evaluation, count: int) -> Iterable[tuple[str, str, list[int]]]:
    """Title, note, and the photographs by index."""
    for name in found.colorizers:
        ranked = _ranked(found.scores[name], found.scores["grey"])
        note = "By CIEDE2000 relative to the grey picture's, in brackets: over 1, it had better been left grey."
        yield f"Best of {name}", note, ranked[:count]
        yield f"Worst of {name}", note, ranked[::-1][:count]
    rows = range(len(found.photographs))
    yield "Random photographs", "The same draw for all models.", random.Random(0).sample(rows, min(count, len(rows)))


def _ranked(scores: Sequence[Scores], grey: Sequence[Scores]) -> list[int]:
    """Indices of the photographs, best first; those whose truth is grey have no rank."""
    ratios = {i: s.ciede2000 / g.ciede2000 for i, (s, g) in enumerate(zip(scores, grey, strict=True)) if g.ciede2000}
    return sorted(ratios, key=ratios.__getitem__)


def _head(found: Evaluation, protocol: Mapping[str, object], titles: Sequence[str]) -> str:
    named = {f"model {name}": colorizer.label for name, colorizer in found.colorizers.items()}
    what = {"photographs": len(found.photographs), "compared": f"central squares, {SIZE} by {SIZE}"}
    lines = {**what, **named, **protocol}
    terms = "\n".join(f"<dt>{escape(k.replace('_', ' '))}</dt><dd>{escape(_plain(v))}</dd>" for k, v in lines.items())
    links = "\n".join(f'<a href="#s{i}">{escape(title)}</a>' for i, title in enumerate(titles))
    return f"<h1>Photochrom evaluation</h1>\n<dl>\n{terms}\n</dl>\n<nav>\n{links}\n</nav>"


def _plain(value: object) -> str:
    return {True: "yes", False: "no", None: "-"}[value] if value is None or isinstance(value, bool) else str(value)


def _table(table: Table) -> str:
    head = "".join(f'<th scope="col">{escape(text)}</th>' for text in table.columns)
    rows = "\n".join(
        f'<tr><th scope="row">{escape(row[0])}</th>{"".join(f"<td>{escape(text)}</td>" for text in row[1:])}</tr>'
        for row in table.rows
    )
    return (
        f'<h2>{escape(table.title)}</h2>\n<div class="wide"><table>\n<thead><tr>{head}</tr></thead>\n'
        f'<tbody>\n{rows}\n</tbody>\n</table></div>\n<p class="note">{escape(table.note)}</p>'
    )


def _sources(found: Evaluation) -> str:
    rows = []
    for source, facts in sources(found).items():
        ratios = facts["ciede2000_ratio"]
        assert isinstance(ratios, dict)
        figures = [cell(ratios[name], ".3f") for name in found.colorizers]
        rows.append([source or "-", str(facts["photographs"]), *figures])
    note = "CIEDE2000 of each source's photographs, to that of the grey ones."
    table = _table(Table("By source", ["source", "photographs", *found.colorizers], rows, note))
    return f"<details><summary>By source</summary>\n{table}\n</details>"


def _photograph(found: Evaluation, index: int) -> str:
    """One photograph: all kinds of picture side by side, the figures of each below it."""
    photograph = found.photographs[index]
    name = f"{photograph.source}/{photograph.name}" if photograph.source else photograph.name
    pictures = versions(found.colorizers, load(photograph), found.options)
    grey = found.scores["grey"][index]
    figures = "\n".join(
        _figure(picture, kind, name, found.scores[kind][index], grey) for kind, picture in pictures.items()
    )
    return f'<h3>{escape(name)}</h3>\n<div class="row">\n{figures}\n</div>'


def _figure(picture: np.ndarray, kind: str, name: str, scores: Scores, grey: Scores) -> str:
    jpeg = simplejpeg.encode_jpeg(np.ascontiguousarray(picture), _QUALITY, colorsubsampling="444")
    lines = [f"CF {scores.colorfulness:.0f}"]
    if kind != "truth":
        lines[:0] = [f"PSNR {cell(scores.psnr, '.1f')} dB", f"CIEDE2000 {scores.ciede2000:.1f}"]
    if kind not in ("truth", "grey") and grey.ciede2000 and math.isfinite(grey.psnr):
        lines[0] += f" ({scores.psnr - grey.psnr:+.1f})"
        lines[1] += f" (\u00d7{scores.ciede2000 / grey.ciede2000:.2f})"
    spans = "".join(f"<span>{line}</span>" for line in lines)
    return (
        f'<figure><img loading="lazy" decoding="async" width="{picture.shape[1]}" height="{picture.shape[0]}" '
        f'alt="{escape(f"{name}: {kind}")}" src="data:image/jpeg;base64,{base64.b64encode(jpeg).decode()}">'
        f"<figcaption><b>{escape(kind)}</b>{spans}</figcaption></figure>"
    )
