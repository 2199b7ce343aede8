"""The plan of a film: where it goes, how it is stored, and whether that is possible, all before it is coloured."""

from __future__ import annotations

import errno
import os
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av

from ..errors import FilmError
from ..machine import lacks_memory
from . import tracks
from .codecs import CODECS, CONSTANT_RATE, FORMATS, suffixes
from .mux import mux, way_out
from .options import FilmOptions, time_text
from .planes import PlaneFormat, plane_format
from .reader import FilmReader
from .segments import EncodedSegment, SegmentEncoder
from .span import Span

_STATE_RANGE = ("matroska", "mxf")  # containers that state full range beside FFV1, which does not
_OF_THE_MACHINE: tuple[int, ...] = (
    errno.ENOMEM, errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EMFILE, errno.ENFILE, errno.EACCES, errno.EROFS,
)  # fmt: skip
"""Errors that say nothing of the film: the disk is full, too many files are open, a folder is not writable."""
_LACK_ASPECT = ("nut",)  # PyAV cannot set the field that this header takes the pixel aspect ratio from


@dataclass(frozen=True)
class Plan:
    """Where a film goes, and how it is stored."""

    output: Path
    container: str
    planes: PlaneFormat
    first: int
    """pts of the first frame to colour."""
    span: Span
    total: int
    """Number of frames, as far as the file states it."""
    notes: list[str]
    """One line for each thing that will not be kept."""


def make_plan(reader: FilmReader, output: Path | None, options: FilmOptions) -> Plan:
    """Decide where a film goes and how it is stored.

    Args:
        reader: The film.
        output: A file or a folder; None for ``NAME.color.EXT`` beside the source.
        options: How to colour and write.

    Raises:
        FilmError: The output's suffix names no container, or one that cannot hold the codec or the film's range or
            rate; the codec does not take such pictures; the film is HDR; or it has no frame between the times.
    """
    output = output or _beside(reader.path, options)
    if output.is_dir():
        output = output / _beside(reader.path, options).name
    container = _container(output, options)
    planes = plane_format(reader.video, reader.path, CODECS[options.codec], options.profile, options.bits)
    if options.codec == "ffv1" and planes.coding.full_range and container not in _STATE_RANGE:
        raise FilmError(f"{output}: FFV1 in such a file cannot state full range: write to a .mkv file")
    if container in CONSTANT_RATE and (at := reader.irregular_at()) is not None:
        raise FilmError(
            f"{output}: {container} stores no time stamps, and frames of {reader.path} do not follow one another "
            f"evenly (the first at {time_text(at)}): write to a .mov or .mkv file"
        )
    wanted, until = options.times
    start = wanted or Fraction(0)
    first = reader.first_pts if wanted is None else reader.pts_at(start)
    end = None if until is None else reader.first_pts * reader.time_base + until
    shift = wanted is not None or until is not None
    begins = first * reader.time_base if shift else Fraction(0)
    span = Span(begins, end, shift)
    if not span.goes_on(begins):
        times = f"{time_text(start)} and {time_text(until or 0)}"
        raise FilmError(f"{reader.path} has no frame between {times}: give a later end")
    until = reader.duration if until is None else min(until, reader.duration or until)
    total = max(0, round((until - start) * reader.rate)) if shift or not reader.video.frames else reader.video.frames
    notes = [f"not kept: {line}" for line in tracks.kept(reader.container, reader.video.index)[1]]
    if options.codec == "ffv1" and reader.aspect != 1 and container in _LACK_ASPECT:
        notes.append(
            f"the {container} header does not state the pixel aspect ratio {reader.aspect}; the frames of FFV1 do"
        )
    if change := planes.change():
        notes.append(change)
    return Plan(output, container, planes, first, span, total, notes)


def _container(output: Path, options: FilmOptions) -> str:
    """Return the container format that the output's name stands for."""
    codec = CODECS[options.codec]
    if (container := FORMATS.get(output.suffix.lower())) is None:
        raise FilmError(f"{output} has no suffix of a container that can be written: use {suffixes(codec)}")
    if container not in codec.containers:
        raise FilmError(f"{output}: a {container} file cannot hold {options.codec}: write to a {suffixes(codec)} file")
    return container


def _beside(source: Path, options: FilmOptions) -> Path:
    codec = CODECS[options.codec]
    suffix = source.suffix.lower()
    # Few players read FFV1 in other containers than Matroska, which also lose facts about it.
    fits = FORMATS.get(suffix) in codec.containers and options.codec != "ffv1"
    return source.with_name(f"{source.stem}.color{source.suffix if fits else codec.suffix}")


def check(
    reader: FilmReader,
    plan: Plan,
    options: FilmOptions,
    *,
    overwrite: bool,
    on_frame: Callable[[], None] = lambda: None,
) -> None:
    """Check that a film may be coloured, and that it can be written as planned.

    Args:
        reader: The film.
        plan: Where it goes, and how it is stored.
        options: How to colour and write.
        overwrite: Whether an existing output may be replaced.
        on_frame: Called before each frame that is examined; an exception that it raises ends the check.

    Raises:
        FilmError: The film has colours already, the output exists or has no folder, or the container cannot hold it.
    """
    plan.notes.extend(_rehearse(reader, plan, options))
    if plan.output.exists():
        if plan.output.samefile(reader.path):
            raise FilmError(f"{plan.output} is the film itself: choose another output")
        if not overwrite:
            raise FilmError(f"{plan.output} exists", remedy="choose another output, or overwrite=True")
    if not plan.output.parent.is_dir():
        raise FilmError(f"{plan.output} cannot be written: there is no folder {plan.output.parent}")
    if options.recolor:
        return
    part = reader.colored_part(on_frame)
    if part == "some":
        raise FilmError(
            f"{reader.path} is partly in colour",
            remedy='recolor="grey-shots" colours the grey shots and leaves the others, recolor="all" colours all',
        )
    if part == "all":
        raise FilmError(
            f"{reader.path} has colours already", remedy='recolor="all" colours the film anew from its luma'
        )


def _rehearse(reader: FilmReader, plan: Plan, options: FilmOptions) -> list[str]:
    """Write a film of one empty frame, to find out now and not after hours what the container cannot hold.

    Returns:
        One line of text for each track that is encoded anew.

    Raises:
        FilmError: The container cannot hold the codec or a track of the source.
    """
    frame = av.VideoFrame(reader.width, reader.height, plan.planes.name)
    for plane in frame.planes:
        plane.update(bytes(plane.buffer_size))  # codecs fail on values that a format does not allow
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rehearsal.segment"
        try:
            segment = SegmentEncoder(path, reader, plan.planes, options)
            segment.write(frame, plan.first)
            segment.finish()
            part = EncodedSegment(path, segment.pts, segment.delay, plan.first + 1)
            film = path.with_suffix(plan.output.suffix)
            return mux(reader, plan.planes, [part], film, plan.container, options, plan.span, "", rehearsal=True)
        except (av.error.FFmpegError, OSError, ValueError) as exc:
            number: int = errno.ENOMEM if lacks_memory(exc) else getattr(exc, "errno", 0)
            if number in _OF_THE_MACHINE:
                raise FilmError(
                    f"{folder} cannot be written ({os.strerror(number)})", remedy="make room there"
                ) from exc
            raise FilmError(
                f"{plan.output}: a {plan.container} file cannot hold all that is in {reader.path} as {options.codec} "
                f"({exc}): {way_out(plan.container, options.codec)}"
            ) from exc
