"""What a film will look like, before hours of work: its shots, and a sheet with some frames of each."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import islice
from pathlib import Path

import av
import numpy as np
from PIL import Image, ImageDraw

from ..color.gamut import rgb_of_luma
from .frames import Painter, Seen
from .options import time_text
from .plan import Plan
from .segments import Segment

PER_SHOT = 3
"""Frames of a shot on a sheet."""
_MOST = 48  # shots on a sheet
_KEPT = 32  # frames of a shot held while it is read
_TRIAL = 96  # frames that an estimate is made from
_CAPTION = 14  # rows of pixels


@dataclass(frozen=True)
class Shot:
    """A shot of a film."""

    start: Fraction
    """Seconds from the film's beginning, of its first frame."""
    end: Fraction
    """The same of the frame behind it."""
    frames: int


def list_shots(painter: Painter, plan: Plan) -> Iterator[Shot]:
    """The shots of a film, one by one as they are found."""
    for shot, _ in _shots(painter, plan, keep=1):
        yield shot


def preview(painter: Painter, plan: Plan) -> Image.Image:
    """A sheet: of each shot some frames, grey and coloured; of very many shots some.

    Frames are coloured one by one here, so that a little flicker between them is not in the film.
    """
    found = list(_shots(painter, plan, keep=_KEPT))
    chosen = [found[i] for i in np.unique(np.linspace(0, len(found) - 1, min(len(found), _MOST)).astype(int))]
    rows = [_row(painter, number, shot, frames) for number, (shot, frames) in enumerate(chosen, 1)]
    sheet = Image.new("RGB", (max(row.width for row in rows), sum(row.height for row in rows)), "white")
    top = 0
    for row in rows:
        sheet.paste(row, (0, top))
        top += row.height
    return sheet


def frames_per_second(painter: Painter, plan: Plan) -> float:
    """How fast this film is coloured on this machine, by its first seconds."""
    frames = islice(painter.reel.frames(plan.first), _TRIAL)
    with tempfile.TemporaryDirectory() as folder:
        segment = Segment(Path(folder) / "trial.nut", painter.reel, plan.planes, painter.options)
        started = time.perf_counter()
        for seen, colors, _ in painter.colors(frames, plan.first, None):
            segment.write(painter.paint(seen, colors.ab), seen.pts)
        segment.finish()
        return len(segment.pts) / (time.perf_counter() - started)


def _shots(painter: Painter, plan: Plan, *, keep: int) -> Iterator[tuple[Shot, list[Seen]]]:
    """Each shot, with some of its frames, spread over it."""
    reel = painter.reel
    frames: Iterable[av.VideoFrame] = plan.span.of(reel.frames(plan.first), reel.time_base)
    kept: list[Seen] = []
    stride, count, first, last = 1, 0, 0, 0
    for seen, start in painter.seen(frames):
        if start and count:
            yield Shot(reel.seconds(first), reel.seconds(seen.pts), count), kept
            kept, stride, count = [], 1, 0
        if count == 0:
            first = seen.pts
        if count % stride == 0:
            kept.append(seen)
        if len(kept) > keep:
            kept, stride = kept[::2], 2 * stride
        count, last = count + 1, seen.pts
    if count:
        yield Shot(reel.seconds(first), reel.seconds(last) + 1 / reel.rate, count), kept


def _row(painter: Painter, number: int, shot: Shot, frames: Sequence[Seen]) -> Image.Image:
    places = np.linspace(0, len(frames) - 1, min(len(frames), PER_SHOT) + 2)[1:-1].round().astype(int)
    pictures = [_pair(painter, frames[i]) for i in places]
    width, height = sum(p.shape[1] for p in pictures), pictures[0].shape[0]
    row = Image.new("RGB", (width, height + _CAPTION), "white")
    ImageDraw.Draw(row).text((2, 1), f"{number}   {time_text(shot.start)}   {shot.frames} frames", fill="black")
    row.paste(Image.fromarray(np.hstack(pictures)), (0, _CAPTION))
    return row


def _pair(painter: Painter, seen: Seen) -> np.ndarray:
    """The frame grey above, coloured below, RGB."""
    painter.reel.watch()
    luma = seen.thumbnail
    color = painter.options.color
    known = tuple(painter.known.get(seen.pts, ()))
    cb, cr = painter.colorizer.chroma(luma, color.with_hints(known) if known else color)
    return np.vstack([np.dstack([luma] * 3), rgb_of_luma(luma, cb, cr)])
