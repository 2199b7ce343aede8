"""What is decided before a film is coloured: where it goes, how it is stored, and whether that can be."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av

from ..errors import FilmError
from . import tracks
from .mux import FORMATS, Segmented, mux, way_out
from .options import FilmOptions, time_text
from .planes import PlaneFormat, plane_format
from .reader import Reel
from .segments import Segment, needs_even_sizes
from .span import Span


@dataclass(frozen=True)
class Plan:
    """Where a film goes, and how it is stored."""

    output: Path
    container: str
    planes: PlaneFormat
    first: int
    """pts of the first frame."""
    span: Span
    total: int
    """Frames, as far as the file tells."""
    notes: list[str]
    """What will not be kept."""


def make_plan(reel: Reel, output: Path | None, options: FilmOptions) -> Plan:
    """Decide where a film goes and how it is stored.

    Raises:
        FilmError: there is no such container, the film is HDR, or shorter, or has no frame between the times.
    """
    output = output or _beside(reel.path, options)
    if output.is_dir():
        output = output / _beside(reel.path, options).name
    if output.suffix.lower() not in FORMATS:
        raise FilmError(f"{output} is of no container that can be written: name it {', '.join(FORMATS)}")
    planes = plane_format(reel.video, even_only=needs_even_sizes(options.codec))
    if options.codec == "ffv1" and planes.coding.full_range and FORMATS[output.suffix.lower()] != "matroska":
        raise FilmError(f"{output}: FFV1 in such a file cannot say that black is 0: write to a .mkv file (-o)")
    start = options.start or Fraction(0)
    first = reel.first_pts if options.start is None else reel.pts_at(start)
    end = None if options.end is None else reel.first_pts * reel.time_base + options.end
    shift = options.start is not None or options.end is not None
    begins = first * reel.time_base if shift else Fraction(0)
    span = Span(begins, end, shift)
    if not span.goes_on(begins):
        times = f"{time_text(start)} and {time_text(options.end or 0)}"
        raise FilmError(f"{reel.path} has no frame between {times}: give a later end")
    until = reel.duration if options.end is None else min(options.end, reel.duration or options.end)
    total = max(0, round((until - start) * reel.rate)) if shift or not reel.video.frames else reel.video.frames
    notes = [f"not kept: {line}" for line in tracks.kept(reel.container, reel.video.index)[1]]
    if planes.lost_bits:
        notes.append(f"not kept: the last {planes.lost_bits} of {planes.coding.bits + planes.lost_bits} bits of luma")
    return Plan(output, FORMATS[output.suffix.lower()], planes, first, span, total, notes)


def _beside(source: Path, options: FilmOptions) -> Path:
    suffix = source.suffix if source.suffix.lower() in FORMATS else ".mkv"
    if options.codec == "ffv1":
        suffix = ".mkv"  # others are hardly read with it, or cannot say all that is to be said of it
    return source.with_name(f"{source.stem}.color{suffix}")


def rehearse(reel: Reel, plan: Plan, options: FilmOptions) -> None:
    """Write the beginning of such a film, without frames of it: what cannot be is to be said now, not after hours.

    Raises:
        FilmError: the container cannot hold the codec or a track of the source.
    """
    frame = av.VideoFrame(reel.width, reel.height, plan.planes.name)
    for plane in frame.planes:
        plane.update(bytes(plane.buffer_size))  # codecs stumble over what a format does not allow
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rehearsal.nut"
        try:
            segment = Segment(path, reel, plan.planes, options)
            segment.write(frame, plan.first)
            segment.finish()
            part = Segmented(path, segment.pts, segment.delay, plan.first + 1)
            film = path.with_suffix(plan.output.suffix)
            mux(reel, plan.planes, [part], film, plan.container, plan.span, "", rehearsal=True)
        except (av.error.FFmpegError, ValueError) as exc:
            raise FilmError(
                f"{plan.output}: a {plan.container} file cannot hold all that is in {reel.path} as {options.codec} "
                f"({exc}): {way_out(plan.container)}"
            ) from exc
