"""Previews a film before it is coloured: lists its shots, and renders some frames of each as a sheet or a film."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import TypeVar

import cv2
import numpy as np
from PIL import Image, ImageDraw

from ..atomic import temporary_folder
from ..color.gamut import rgb_of_luma
from .colored_stills import Still
from .frame_buffers import view
from .frames import FrameColorizer, PreparedFrame
from .hint_spans import Reach, film_credit, hint_spans, reaches, span_notes
from .hint_tracking import track_hints
from .hints import FilmHint
from .output.mux import mux_picture
from .output.segments import SegmentEncoder
from .plan import Plan, container_for
from .sequences.writer import SequenceWriter
from .shots.detection import Shot
from .span import Span
from .times import time_text

PER_SHOT = 3
"""Number of frames of each shot on a sheet."""
_MOST_SHOTS = 48  # in a preview
_MOST_FRAMES = 32  # of one shot in memory while it is read
_TRIAL_FRAMES = 96  # coloured to measure the speed
_CAPTION = 14  # height of a caption in pixels
_CLIP_SECONDS = 2  # of each shot in the preview film

_Item = TypeVar("_Item")


def list_shots(frame_colorizer: FrameColorizer, plan: Plan) -> Iterator[Shot]:
    """Detect the shots of a film, and yield each as soon as its end is found.

    Args:
        frame_colorizer: Prepares the frames of the film.
        plan: The part of the film to examine.

    Raises:
        FilmError: The film cannot be read, or the picture area is invalid; see ``FrameColorizer.area``.
    """
    for shot, _ in _shots(frame_colorizer, plan, keep=1):
        yield shot


def preview(
    frame_colorizer: FrameColorizer,
    plan: Plan,
    hints: Sequence[FilmHint] = (),
    stills: Sequence[Still] = (),
) -> Image.Image:
    """Draw a sheet with some frames of each shot, grey above and coloured below; at most 48 shots are shown.

    Each frame is coloured by itself, so colours vary slightly more within a shot than in the coloured film. A frame
    with a still has the still's colours; the rest of its shot resembles the still less than in the coloured film.

    Args:
        frame_colorizer: Colours the frames of the film.
        plan: The part of the film to show; notes on the hints and stills are added to it.
        hints: Known colours at places of single frames, without those of stills.
        stills: The stills that ``frame_colorizer`` has.

    Returns:
        RGB picture, one row per shot.

    Raises:
        FilmError: The film cannot be read, or has no frame at a hint's time; or the picture area is invalid.
        OptionError, ModelError, EngineError: As for ``Colorizer.predict``.
    """
    frame_colorizer, reached = _hinted(frame_colorizer, plan, hints, stills)
    limits: list[tuple[int, int]] = []
    found = list(_shots(frame_colorizer, plan, keep=_MOST_FRAMES, limits=limits))
    _credit(frame_colorizer, plan, reached, hints, stills, limits)
    rows = [_row(frame_colorizer, number, shot, frames) for number, (shot, frames) in enumerate(_some(found), 1)]
    sheet = Image.new("RGB", (max(row.width for row in rows), sum(row.height for row in rows)), "white")
    top = 0
    for row in rows:
        sheet.paste(row, (0, top))
        top += row.height
    return sheet


def preview_film(
    frame_colorizer: FrameColorizer,
    plan: Plan,
    path: Path,
    hints: Sequence[FilmHint] = (),
    stills: Sequence[Still] = (),
) -> int:
    """Write a short film without sound: the middle two seconds of each shot, coloured as in the film.

    If there are more than 48 shots, 48 evenly spaced ones are shown.

    Args:
        frame_colorizer: Colours the frames of the film.
        plan: The part of the film to show; notes on the hints and stills are added to it.
        path: The file to write, which is replaced if it exists. Its suffix decides the container.
        hints: Known colours at places of single frames, without those of stills.
        stills: The stills that ``frame_colorizer`` has.

    Returns:
        Number of frames written.

    Raises:
        FilmError: The film cannot be read, has no frame at a hint's time, or cannot be encoded by the codec; the
            picture area is invalid; or the suffix of ``path`` denotes no container, or one that cannot hold the codec.
        OSError, av.error.FFmpegError: The codec fails, or the file cannot be written.
        OptionError, ModelError, EngineError: As for ``Colorizer.predict``.
    """
    container = container_for(path, frame_colorizer.options)
    frame_colorizer, reached = _hinted(frame_colorizer, plan, hints, stills)
    limits: list[tuple[int, int]] = []
    shots = _some([shot for shot, _ in _shots(frame_colorizer, plan, keep=1, limits=limits)])
    reader = frame_colorizer.reader
    with temporary_folder("photochrom-film") as folder:
        part = folder / "preview.nut"
        segment = SegmentEncoder(part, reader, plan.planes, frame_colorizer.options)
        count = 0
        for shot in shots:
            length = min(shot.frames, max(1, round(_CLIP_SECONDS * reader.rate)))
            step = (shot.end - shot.start) / shot.frames  # that of the film may differ, if the frame rate varies
            first = reader.pts_at(shot.start + (shot.frames - length) // 2 * step)
            of_shot = Span(shot.start, reader.first_pts * reader.time_base + shot.end, True)
            frames = of_shot.until_end(islice(reader.frames(first), length), reader.time_base)
            for prepared, colors, _ in frame_colorizer.colors(frames, first, None):
                segment.write(frame_colorizer.render(prepared, colors.ab), count)
                count += 1
        segment.finish()
        label = _credit(frame_colorizer, plan, reached, hints, stills, limits)
        mux_picture(reader, plan.planes, part, path, container, frame_colorizer.options, label)
    return count


def _hinted(
    frame_colorizer: FrameColorizer,
    plan: Plan,
    hints: Sequence[FilmHint],
    stills: Sequence[Still],
) -> tuple[FrameColorizer, dict[FilmHint, Reach]]:
    """Return a colorizer that has the tracked hints, also those of the stills, and the result of ``reaches``."""
    known = [*hints, *(hint for still in stills for hint in still.hints)]
    tracked = track_hints(frame_colorizer, known)
    return replace(frame_colorizer, hints=tracked), reaches(frame_colorizer, plan, tracked, known)


def _credit(
    frame_colorizer: FrameColorizer,
    plan: Plan,
    reached: dict[FilmHint, Reach],
    hints: Sequence[FilmHint],
    stills: Sequence[Still],
    limits: Sequence[tuple[int, int]],
) -> str:
    """Return the label's text; add notes on the hints and stills to the plan, as in the report of the whole film."""
    label = film_credit(frame_colorizer, plan, reached, hints, stills)
    plan.notes.extend(span_notes(hint_spans(frame_colorizer.reader, reached, hints, stills, limits)))
    return label


def _some(items: Sequence[_Item]) -> list[_Item]:
    """Choose at most ``_MOST_SHOTS`` items, evenly spaced."""
    return [items[i] for i in np.unique(np.linspace(0, len(items) - 1, min(len(items), _MOST_SHOTS)).astype(int))]


def frames_per_second(frame_colorizer: FrameColorizer, plan: Plan) -> float:
    """Measure the speed of colouring, in frames per second, on at most 96 frames from the first one to colour on.

    They may extend past the end of the part to colour. The coloured frames are written to a temporary folder.

    Raises:
        FilmError: The film cannot be read (see ``FilmReader.frames``) or encoded by the codec, or the picture area is
            invalid.
        PhotoError: A PNG, TIFF or JPEG frame of a sequence cannot be read or written.
        OSError, av.error.FFmpegError: The codec fails, or the temporary folder cannot be written.
        OptionError, ModelError, EngineError: As for ``Colorizer.predict``.
    """
    frames = islice(frame_colorizer.reader.frames(plan.first), _TRIAL_FRAMES)
    with temporary_folder("photochrom-film") as folder:
        segment = _trial_encoder(folder, frame_colorizer, plan)
        started = time.perf_counter()
        for prepared, colors, _ in frame_colorizer.colors(frames, plan.first, None):
            segment.write(frame_colorizer.render(prepared, colors.ab), prepared.pts)
        segment.finish()
        return len(segment.pts) / (time.perf_counter() - started)


def _trial_encoder(folder: Path, frame_colorizer: FrameColorizer, plan: Plan) -> SegmentEncoder | SequenceWriter:
    reader, options = frame_colorizer.reader, frame_colorizer.options
    if plan.frames is not None:
        return SequenceWriter(replace(plan.frames, folder=folder), plan.first_number, reader, plan.planes, "")
    return SegmentEncoder(folder / "trial.nut", reader, plan.planes, options)


def _shots(
    frame_colorizer: FrameColorizer,
    plan: Plan,
    *,
    keep: int,
    on_frame: Callable[[], None] = lambda: None,
    limits: list[tuple[int, int]] | None = None,
) -> Iterator[tuple[Shot, list[PreparedFrame]]]:
    """Yield each shot with at most ``keep`` of its frames, evenly spaced, and all frames that the user has coloured.

    If ``limits`` is a list, the pts of the first and the last frame of each shot are added to it.
    """
    limits = [] if limits is None else limits
    reader, stills = frame_colorizer.reader, frame_colorizer.stills
    spaced: list[PreparedFrame] = []
    known: list[PreparedFrame] = []
    stride, count, first, last = 1, 0, 0, 0
    for prepared, start in frame_colorizer.prepared_part(plan, on_frame):
        if start and count:
            limits.append((first, last))
            yield Shot(reader.seconds(first), reader.seconds(prepared.pts), count), _merged(spaced, known)
            spaced, known, stride, count = [], [], 1, 0
        if count == 0:
            first = prepared.pts
        if prepared.pts in stills:
            known.append(prepared)
        if count % stride == 0:
            spaced.append(prepared)
        if len(spaced) > keep:
            del spaced[1::2]
            stride *= 2
        count, last = count + 1, prepared.pts
    if count:
        limits.append((first, last))
        yield Shot(reader.seconds(first), reader.seconds(last) + 1 / reader.rate, count), _merged(spaced, known)


def _merged(*groups: Iterable[PreparedFrame]) -> list[PreparedFrame]:
    """Return the frames of all groups in the film's order, each once."""
    frames = {frame.pts: frame for group in groups for frame in group}
    return [frames[pts] for pts in sorted(frames)]


def _row(frame_colorizer: FrameColorizer, number: int, shot: Shot, frames: Sequence[PreparedFrame]) -> Image.Image:
    """Draw the row of one shot: a caption, and below it up to ``PER_SHOT`` frames, grey and coloured."""
    places = np.linspace(0, len(frames) - 1, min(len(frames), PER_SHOT) + 2)[1:-1].round().astype(int)
    for known in (i for i, frame in enumerate(frames) if frame.pts in frame_colorizer.stills):
        places[np.abs(places - known).argmin()] = known
    pictures = [_pair(frame_colorizer, frames[place]) for place in places]
    width, height = sum(p.shape[1] for p in pictures), pictures[0].shape[0]
    row = Image.new("RGB", (width, height + _CAPTION), "white")
    ImageDraw.Draw(row).text((2, 1), f"{number}   {time_text(shot.start)}   {shot.frames} frames", fill="black")
    row.paste(Image.fromarray(np.hstack(pictures)), (0, _CAPTION))
    return row


def _pair(frame_colorizer: FrameColorizer, prepared: PreparedFrame) -> np.ndarray:
    """Return a frame twice, RGB uint8 ``[2 h, w, 3]``: in grey, and below that as in the coloured film."""
    luma = prepared.thumbnail
    if frame_colorizer.is_kept(prepared.pts):
        return np.vstack([np.dstack([luma] * 3), in_own_colors(frame_colorizer, prepared, luma)])
    ab, _ = frame_colorizer.predict(prepared)
    strength = frame_colorizer.color_options(prepared.pts).strength
    cb, cr = frame_colorizer.colorizer.render(luma, prepared.small, ab, strength=strength)
    return np.vstack([np.dstack([luma] * 3), rgb_of_luma(luma, cb, cr)])


def in_own_colors(frame_colorizer: FrameColorizer, prepared: PreparedFrame, luma: np.ndarray) -> np.ndarray:
    """Convert a frame to RGB with the source's own chroma; grey if the source has none.

    Args:
        frame_colorizer: Has prepared the frame.
        prepared: The frame.
        luma: The frame's luma in the size of the result, upright, uint8 ``[h, w]``, full range.

    Returns:
        RGB uint8 ``[h, w, 3]``.
    """
    if len(prepared.frame.planes) < 3:
        return np.dstack([luma] * 3)
    coding, size = frame_colorizer.planes.coding, luma.shape[::-1]
    sign = -1 if frame_colorizer.options.negative else 1
    chroma = []
    for index in (1, 2):
        stored = view(prepared.frame, index)[frame_colorizer.area.chroma]
        upright = np.ascontiguousarray(np.rot90(stored, frame_colorizer.reader.turns))
        plane = cv2.resize(upright, size, interpolation=cv2.INTER_AREA).astype(np.float32)
        chroma.append(sign * (plane - coding.neutral) / coding.chroma_span)
    rgb = coding.matrix.rgb(luma / np.float32(255), *chroma)
    return np.clip(np.rint(255 * rgb), 0, 255).astype(np.uint8)


def shot_pictures(
    frame_colorizer: FrameColorizer, plan: Plan, on_frame: Callable[[], None] = lambda: None
) -> Iterator[tuple[Shot, np.ndarray]]:
    """Find the shots of a film, and yield each with a small coloured picture of one of its frames.

    Args:
        frame_colorizer: Colours the frames of the film.
        plan: The part of the film to show.
        on_frame: Called before each frame that is read; an exception that it raises ends the search.

    Yields:
        The shot, and its picture, RGB uint8 ``[h, w, 3]``.

    Raises:
        FilmError: The film cannot be read, or the picture area is invalid; see ``FrameColorizer.area``.
        OptionError, ModelError, EngineError: As for ``Colorizer.predict``.
    """
    for shot, frames in _shots(frame_colorizer, plan, keep=2, on_frame=on_frame):
        pair = _pair(frame_colorizer, frames[len(frames) // 2])
        yield shot, pair[len(pair) // 2 :]
