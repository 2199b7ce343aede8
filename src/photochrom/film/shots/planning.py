"""``make_shot_plan``: decides, before a film is coloured, where its shots begin and how each of them is coloured."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ...errors import FilmError
from ..frames import FrameColorizer
from ..plan import Plan
from ..reader import FilmReader
from .options import ShotOptions
from .shot_plan import ShotPlan, colors_of, entries_of, starts_in_options


def make_shot_plan(
    frame_colorizer: FrameColorizer,
    plan: Plan,
    known: Sequence[int] = (),
    on_frame: Callable[[], None] = lambda: None,
) -> ShotPlan | None:
    """Decide where the shots of a film begin and how each of them is coloured.

    Args:
        frame_colorizer: Prepares the frames of the film, and has the options for its shots.
        plan: The part of the film to colour.
        known: pts of the first frame of each shot, if an earlier run has recorded them; otherwise empty.
        on_frame: Called before each frame that is read; an exception that it raises ends the reading.

    Returns:
        The plan; None if all shots are coloured alike, so that they can be detected during colouring.

    Raises:
        FilmError: ``only_shots`` has a number that is too great, the last shot in the options begins after the film's
            end, or the film cannot be read.
    """
    options, reader = frame_colorizer.options, frame_colorizer.reader
    if options.shots and not known:
        _check_end(options.shots, reader)
    starts = known or starts_in_options(options, reader)
    if not starts and options.only_shots:
        starts = [prepared.pts for prepared, start in frame_colorizer.prepared_part(plan, on_frame) if start]
    if not starts:
        return None
    numbers = frozenset(number - 1 for number in options.only_shots)
    entries = entries_of(starts, options, reader) if options.shots else range(len(starts))
    count = len(options.shots or starts)
    if numbers and max(numbers) >= count:
        found = "1 shot" if count == 1 else f"{count} shots"
        raise FilmError(f"has {found}, and not {max(numbers) + 1}", path=reader.path, remedy="list them first")
    left_out = frozenset(i for i, entry in enumerate(entries) if numbers and entry not in numbers)
    return ShotPlan(tuple(starts), colors_of(starts, options, reader), left_out)


def _check_end(shots: Sequence[ShotOptions], reader: FilmReader) -> None:
    """Raise an error if the last shot in the options begins after the film's end."""
    try:
        reader.pts_at(shots[-1].start)
    except FilmError as exc:
        problem = f"shot {len(shots)} of the list: {exc.problem}"
        raise FilmError(problem, path=exc.path, remedy=exc.remedy) from exc
