"""Finds the shots of a film that are in colour already, and leaves them unchanged."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from statistics import median_high
from typing import Final

from ..frames import FrameColorizer
from ..plan import Plan
from ..source.color_detection import GAP, coherent_chroma, in_color_error, is_colored, unexplained_chroma
from .detection import MarkedShots, is_blank
from .shot_plan import entries_of

RECOLOR_NOTE: Final = ': recolor="all" colours all of them'
"""End of the note on shots that are left unchanged."""


def leaving_colored_shots(
    frame_colorizer: FrameColorizer, plan: Plan, *, is_explicit: bool, on_frame: Callable[[], None] = lambda: None
) -> FrameColorizer:
    """Return a colorizer that leaves shots in colour unchanged, if ``recolor`` is ``"grey-shots"``; add a note.

    Args:
        frame_colorizer: Colours the frames of the film.
        plan: The part of the film to colour; a note is added to it.
        is_explicit: Whether the user chose ``recolor``. If not, an error is raised if nothing is left to colour.
        on_frame: Called before each frame that is read; an exception that it raises ends the reading.

    Raises:
        FilmError: All shots to colour are in colour already, and ``is_explicit`` is False; or the film cannot be read.
    """
    shots = frame_colorizer.shots
    if frame_colorizer.options.recolor != "grey-shots":
        return frame_colorizer
    found = find_colored_shots(frame_colorizer, plan, on_frame)
    to_color = [pts for pts in found.starts if shots is None or not shots.is_left_out(pts)]
    colored = [pts for pts in to_color if found.has(pts)]
    which = _described(colored, to_color, frame_colorizer)
    if colored and len(colored) == len(to_color):
        if not is_explicit:
            raise in_color_error(frame_colorizer.reader.path, which if frame_colorizer.options.only_shots else "")
        plan.notes.append(f"{which} in colour: nothing was coloured")
    elif colored:
        remedy = "" if is_explicit else RECOLOR_NOTE
        plan.notes.append(f"{which} in colour and left unchanged{remedy}")
    elif is_explicit:
        plan.notes.append("no shot is in colour: all of them were coloured")
    return frame_colorizer.keeping(found.has)


def _described(colored: Sequence[int], to_color: Sequence[int], frame_colorizer: FrameColorizer) -> str:
    """Describe some of the shots to colour, with a verb: ``2 of 9 shots are``, or, with ``only_shots``, ``shot 3 is``.

    Args:
        colored: pts of the first frames of the shots to describe.
        to_color: pts of the first frames of all shots to colour.
        frame_colorizer: Has the plan and the options of the shots.
    """
    verb, options, shots = "is" if len(colored) == 1 else "are", frame_colorizer.options, frame_colorizer.shots
    if not (options.only_shots and shots):
        return f"{len(colored)} of {len(to_color)} shots {verb}"
    entries = entries_of(colored, options, frame_colorizer.reader) if options.shots else map(shots.number, colored)
    numbers = ", ".join(str(number + 1) for number in entries)
    return f"shot{'' if len(colored) == 1 else 's'} {numbers} {verb}"


def find_colored_shots(
    frame_colorizer: FrameColorizer, plan: Plan, on_frame: Callable[[], None] = lambda: None
) -> MarkedShots:
    """Read a film, and find the shots that are in colour.

    A shot is in colour if most pairs of its frames, ``GAP`` frames apart, are in colour, as defined by
    ``source.color_detection.has_colors``. Blank frames are ignored. If the film's pixel format has no chroma, the film
    is not read, and the result lists no shots.

    Args:
        frame_colorizer: Prepares the frames of the film.
        plan: The part of the film to colour.
        on_frame: Called before each frame; an exception that it raises ends the reading.

    Raises:
        FilmError: The film cannot be read; see ``FilmReader.frames``.
    """
    if not frame_colorizer.reader.may_have_colors:
        return MarkedShots()
    starts: list[int] = []
    scores: list[list[float]] = []
    number, last = 0, None
    for prepared, start in frame_colorizer.prepared_part(plan, on_frame):
        if start:
            starts.append(prepared.pts)
            scores.append([])
            number, last = 0, None
        if number % GAP == 0 and not is_blank(prepared.small):
            chroma = unexplained_chroma(prepared.frame, frame_colorizer.area)
            scores[-1].append(coherent_chroma(chroma if last is None else last, chroma))
            last = chroma
        number += 1
    return MarkedShots(tuple(starts), tuple(is_colored(median_high(found or [0.0])) for found in scores))
