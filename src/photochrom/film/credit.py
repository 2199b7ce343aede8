"""``film_credit``: the label's text for a film, which counts only the hints and stills that were used."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction

from ..colorizer.hints import credit
from .colored_stills import Still
from .damage_log import listed
from .frames import FrameColorizer
from .hint_spans import Reach, is_colored
from .hints import FilmHint
from .plan import Plan
from .shots.shot_plan import pts_of_hint
from .times import time_text


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
