"""Reports on the hints and stills of a film: from when to when each was tracked, and which are in the label."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from operator import itemgetter

from ..colorizer.hints import credit
from .colored_stills import Still
from .damage_log import listed
from .frames import FrameColorizer
from .hint_tracking import TrackedHint
from .hints import FilmHint
from .plan import Plan
from .reader import FilmReader
from .shots.shot_plan import pts_of_hint
from .times import time_text

Reach = tuple[int, int]
"""pts of the first and the last of the coloured frames to which a hint was tracked."""


@dataclass(frozen=True)
class HintSpan:
    """The part of a shot to which a hint or a still was tracked; times are in seconds from the film's beginning."""

    time: Fraction
    """Time of the hint, or of the still's frame."""
    start: Fraction
    """Time of the first coloured frame to which the hint was tracked, or at least half of the still's hints."""
    end: Fraction
    """Time of the last such frame."""
    is_whole_shot: bool
    """Whether these are all coloured frames of the shot, so that the hint was not lost."""
    hint: FilmHint | None = None
    """The hint as it was given; None for a still."""

    def text(self, verb: str = "") -> str:
        """Describe the span: ``at 0:00:12.400 from 0:00:11.960 to 0:00:13.200``, with ``verb`` before ``from``."""
        return f"at {time_text(self.time)} {verb}from {time_text(self.start)} to {time_text(self.end)}"


def is_colored(frame_colorizer: FrameColorizer, plan: Plan, pts: int) -> bool:
    """Return whether a frame is in the part to colour, and not left unchanged."""
    time = pts * frame_colorizer.reader.time_base
    return pts >= plan.first and plan.span.is_before_end(time) and not frame_colorizer.is_kept(pts)


def reaches(
    frame_colorizer: FrameColorizer,
    plan: Plan,
    tracked: Mapping[int, Sequence[TrackedHint]],
    hints: Sequence[FilmHint],
) -> dict[FilmHint, Reach]:
    """Return the first and the last coloured frame to which each hint was tracked; leave out hints that have none.

    Args:
        frame_colorizer: Knows the picture area, and which frames of the film stay unchanged.
        plan: The part of the film to colour.
        tracked: Result of ``track_hints``.
        hints: Hints as they were given.

    Raises:
        FilmError: The picture area is invalid; see ``FrameColorizer.area``.
    """
    found: dict[int, tuple[FilmHint | None, int, int]] = {}  # by the id of the hint, since hashing one takes long
    for pts in sorted(tracked):
        if is_colored(frame_colorizer, plan, pts):
            for place in tracked[pts]:
                key = id(place.origin)
                found[key] = (place.origin, found[key][1] if key in found else pts, pts)
    of_origin = {origin: (first, last) for origin, first, last in found.values()}
    placed = {hint: in_area[0] for hint in hints if (in_area := frame_colorizer.hints_in_area([hint]))}
    return {hint: of_origin[origin] for hint, origin in placed.items() if origin in of_origin}


def hint_spans(
    reader: FilmReader,
    reached: Mapping[FilmHint, Reach],
    hints: Sequence[FilmHint],
    stills: Sequence[Still],
    shots: Sequence[tuple[int, int]],
) -> list[HintSpan]:
    """Return the spans of the hints, and then those of the stills, each in order of time.

    Args:
        reader: The film.
        reached: Result of ``reaches`` for all hints, including those of stills.
        hints: Hints that the user gave.
        stills: Stills that the user gave.
        shots: pts of the first and of the last coloured frame of each shot, in order.
    """

    def span(time: Fraction, first: int, last: int, hint: FilmHint | None = None) -> HintSpan:
        start, end = shots[max(0, bisect_right(shots, first, key=itemgetter(0)) - 1)]
        is_whole = first <= start and last >= end
        return HintSpan(time, reader.seconds(first), reader.seconds(last), is_whole, hint)

    of_hints = [span(hint.time, *reached[hint], hint) for hint in hints if hint in reached]
    of_stills = [
        span(reader.seconds(still.pts), *_where_half_are([reached[hint] for hint in still.hints if hint in reached]))
        for still in stills
        if any(hint in reached for hint in still.hints)
    ]
    return [*sorted(of_hints, key=lambda found: found.time), *sorted(of_stills, key=lambda found: found.time)]


def _where_half_are(found: Sequence[Reach]) -> Reach:
    """Return the first and the last frame to which at least half of some hints of the same frame were tracked."""
    half = (len(found) + 1) // 2 - 1
    return sorted(first for first, _ in found)[half], sorted((last for _, last in found), reverse=True)[half]


def span_notes(spans: Sequence[HintSpan]) -> list[str]:
    """Return a short note on the spans of the hints, and one on those of the stills; none if there are no spans."""
    kinds = {"hint": [s for s in spans if s.hint is not None], "still": [s for s in spans if s.hint is None]}
    return [_note(kind, found) for kind, found in kinds.items() if found]


def _note(kind: str, spans: Sequence[HintSpan]) -> str:
    if len(spans) == 1:
        whole = ", its whole shot" if spans[0].is_whole_shot else ""
        return f"the {kind} {spans[0].text('was followed ')}{whole}"
    lost = [span for span in spans if not span.is_whole_shot]
    if not lost:
        return f"{len(spans)} {kind}s were followed through their whole shots"
    verb, whose = ("was", "its shot") if len(lost) == 1 else ("were", "their shots")
    named = listed(list(dict.fromkeys(span.text() for span in lost)))
    return f"{len(lost)} of {len(spans)} {kind}s {verb} followed through only a part of {whose}: {named}"


def film_credit(
    frame_colorizer: FrameColorizer,
    plan: Plan,
    reached: Mapping[FilmHint, Reach],
    hints: Sequence[FilmHint],
    stills: Sequence[Still],
) -> str:
    """Return the label's text on where a film's colours come from; notes on unused colours are added to the plan.

    A hint is used if its frame is coloured, or another frame to which it was tracked. So is a still, whose hints are
    tracked, too.

    Args:
        frame_colorizer: Knows which frames of the film stay unchanged.
        plan: The part of the film to colour.
        reached: Result of ``reaches``. Hints of shots that an earlier run has finished may be missing.
        hints: Hints that the user gave.
        stills: Stills that the user gave.

    Raises:
        FilmError: The picture area is invalid; see ``FrameColorizer.area``.
    """
    reader = frame_colorizer.reader

    def is_used(hint: FilmHint) -> bool:
        if hint in reached:
            return True
        is_in_area = bool(frame_colorizer.hints_in_area([hint]))
        return is_in_area and is_colored(frame_colorizer, plan, pts_of_hint(reader, hint))

    used, unused = list[FilmHint](), list[FilmHint]()
    for hint in hints:
        (used if is_used(hint) else unused).append(hint)
    used_stills = [
        still for still in stills if is_colored(frame_colorizer, plan, still.pts) or any(map(is_used, still.hints))
    ]
    _note_unused(plan, "hint", [hint.time for hint in unused])
    _note_unused(plan, "still", [reader.seconds(still.pts) for still in stills if still not in used_stills])
    return credit(frame_colorizer.colorizer.label, [hint.hint for hint in used], len(used_stills))


def _note_unused(plan: Plan, kind: str, times: Sequence[Fraction]) -> None:
    """Add a note to the plan that names the times of unused hints or stills, if there are any."""
    if times:
        count = f"1 {kind} was" if len(times) == 1 else f"{len(times)} {kind}s were"
        named = listed(list(dict.fromkeys(map(time_text, times))))
        plan.notes.append(f"{count} not used, because nothing is coloured there ({named})")
