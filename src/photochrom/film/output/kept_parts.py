"""Keeps the segments of a finished film, so that a change to one shot recolours only that shot.

``appearance.json`` in the working folder records where the shots of the finished film begin and how each was coloured.
The next run compares this with its options, and removes the segments of changed shots. A segment depends only on the
shots in it, so the others are reused.
"""

from __future__ import annotations

import functools
import hashlib
import itertools
from bisect import bisect_right
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from ...errors import FilmError
from ..hint_spans import Reach
from ..hints import FilmHint
from ..options import FilmOptions
from ..plan import Plan
from ..reader import FilmReader
from ..shots.shot_plan import ShotPlan, colors_of, pts_from, pts_of_hint
from ..times import ROUNDED
from .resume import FinishedSegment, ResumeFolder

_FILE = "appearance"


@dataclass(frozen=True)
class _Appearance:
    """Content of ``appearance.json``: how the film in the folder was coloured."""

    asked: str
    """Digest of all hints and of the options for single shots."""
    named: list[int]
    """Least pts of each shot in the options; empty if the shots were detected."""
    starts: list[int] = field(default_factory=list)
    """pts of the first frame of each shot; empty while the film is unfinished."""
    shots: list[str] = field(default_factory=list)
    """``ShotPlan.appearance`` of each shot; empty while the film is unfinished."""
    reached: dict[str, list[int]] = field(default_factory=dict)
    """Result of ``reaches`` for all hints, by ``repr(hint)``; those of shots to be coloured may be missing."""


class KeptParts:
    """Decides which segments of an earlier run can be reused.

    Args:
        folder: The working folder, which is locked.
        reader: The film.
        plan: The part of the film to colour.
        options: How to colour it.
        hints: All hints, including those from stills.

    Raises:
        FilmError: The folder holds unfinished work with other shots or hints, or one of its files is damaged.
        OSError: Here and in methods: the folder cannot be read or written.
    """

    def __init__(
        self, folder: ResumeFolder, reader: FilmReader, plan: Plan, options: FilmOptions, hints: Sequence[FilmHint]
    ) -> None:
        self._folder, self._reader, self._plan, self._options, self._hints = folder, reader, plan, options, hints
        starts = (max(plan.first, pts_from(reader, shot.start)) for shot in options.shots)
        asked = hashlib.sha256(repr((options.shots, options.only_shots, sorted(map(repr, hints)))).encode()).hexdigest()
        self._now = _Appearance(asked, sorted(set(starts)))
        facts = folder.read(_FILE) if folder.segments() else None
        self._before = _Appearance(**facts) if facts else self._now
        self._reached = self._before.reached
        if not self._before.starts and self._before.asked != asked:
            raise FilmError(
                "holds unfinished work with other shots or hints",
                path=folder.folder,
                remedy="use the earlier ones, or start over with restart=True",
            )

    def known_starts(self) -> list[int]:
        """Return the pts of each shot's first frame if the folder's film is finished and has the shots in the options.

        Otherwise, return an empty list.
        """
        return self._before.starts if self._has_same_shots else []

    @property
    def _has_same_shots(self) -> bool:
        """Whether the options list the same shots as the earlier run's options, or all shots of its finished film."""
        before, named = self._before, self._now.named
        return named == before.named or len(before.starts) == len(named) == self._same_starts

    @property
    def _same_starts(self) -> int:
        """Number of leading shots of the earlier film whose starts equal those in the options."""
        # A start that was rounded when written to a file lies slightly before its frame.
        rounding = 2 * ROUNDED / self._reader.time_base + 1
        pairs = zip(self._before.starts, self._now.named, strict=False)
        return sum(1 for _ in itertools.takewhile(lambda pair: 0 <= pair[0] - pair[1] <= rounding, pairs))

    def remove_changed(self, shots: ShotPlan | None) -> None:
        """Remove the segments of shots whose appearance, first frame or last frame has changed; record the new options.

        Raises:
            FilmError: A file of the folder is damaged.
        """
        before = self._before
        if before.starts:
            unchanged = self._unchanged(shots)
            self._folder.remove(lambda segment: not _shots_in(segment, before.starts) <= unchanged)
            if self._plan.frames is not None and len(unchanged) < len(before.starts):
                self._remove_loose_frames()
        self._write(self.known_starts(), shots)

    def _remove_loose_frames(self) -> None:
        """Remove the frames of segments that an interrupted run left unfinished."""
        segments = self._folder.segments()
        finished = {_files(self._folder, self._reader, self._plan, pts)[0] for part in segments for pts in part.pts}
        for path in self._folder.frames.iterdir() if self._folder.frames.is_dir() else ():
            if path not in finished:
                path.unlink()

    def _unchanged(self, shots: ShotPlan | None) -> set[int]:
        """Return the numbers, from 0, of the earlier film's shots whose limits and appearance have not changed."""
        if shots is None:
            return set()
        before, now = self._before.shots, shots.appearance(self._reader, self._hints)
        count = len(before) if self._has_same_shots else self._same_starts - 1  # the last of these ends elsewhere
        return {i for i in range(count) if before[i] == now[i]}

    def finish(self, segments: Iterable[FinishedSegment], shots: ShotPlan | None) -> None:
        """Record the appearance of the finished film."""
        starts = tuple(pts for segment in segments for pts in segment.shots)
        left_out = frozenset(i for i, pts in enumerate(starts) if shots is not None and shots.is_left_out(pts))
        whole = ShotPlan(starts, colors_of(starts, self._options, self._reader), left_out)
        self._write(list(starts), whole)

    def _write(self, starts: list[int], shots: ShotPlan | None) -> None:
        appearances = shots.appearance(self._reader, self._hints) if starts and shots is not None else []
        now = _Appearance(self._now.asked, self._now.named, starts, appearances, self._reached)
        facts: dict[str, Any] = asdict(now)
        self._folder.write(_FILE, facts)

    def with_earlier(
        self, reached: Mapping[FilmHint, Reach], tracked: Collection[FilmHint], shots: ShotPlan | None
    ) -> dict[FilmHint, Reach]:
        """Add what an earlier run has recorded for the hints of finished shots, and record all of it.

        Args:
            reached: Result of ``reaches`` for the hints that this run has tracked.
            tracked: These hints, including those that reached no coloured frame.
            shots: As for ``remove_changed``.
        """
        skipped = set(self._hints) - set(tracked)
        earlier = {hint: self._before.reached[key] for hint in skipped if (key := repr(hint)) in self._before.reached}
        whole = dict(reached) | {hint: (first, last) for hint, (first, last) in earlier.items()}
        self._reached = {repr(hint): list(found) for hint, found in whole.items()}
        self._write(self.known_starts(), shots)
        return whole

    def hints_to_track(self, shots: ShotPlan | None) -> list[FilmHint]:
        """Return the hints of shots that still have frames to colour; all hints if the shots are not known yet.

        Raises:
            FilmError: A file of the folder is damaged.
        """
        if shots is None:
            return list(self._hints)
        spans = [(segment.pts[0], segment.next) for segment in self._folder.segments()]
        return [hint for hint in self._hints if not self._is_whole(shots, hint, spans)]

    def _is_whole(self, shots: ShotPlan, hint: FilmHint, spans: Iterable[tuple[int, int | None]]) -> bool:
        """Return whether finished segments cover the whole shot of a hint."""
        number = shots.number(pts_of_hint(self._reader, hint))
        end = shots.starts[number + 1] if number + 1 < len(shots.starts) else None
        covered = shots.starts[number]  # pts up to which the shot is covered
        for start, next_start in spans:
            if start <= covered and (next_start is None or next_start > covered):
                if next_start is None or (end is not None and next_start >= end):
                    return True
                covered = next_start
        return False


def remove_incomplete(folder: ResumeFolder, reader: FilmReader, plan: Plan) -> None:
    """Remove a sequence's segments that have a frame without a file, in the working folder or under its final name.

    The segments of a film in one file are left as they are.

    Raises:
        FilmError: A file of the folder is damaged.
        OSError: The folder cannot be read or written.
    """
    if plan.frames is not None:
        files = functools.partial(_files, folder, reader, plan)
        folder.remove(lambda segment: not all(any(f.is_file() for f in files(pts)) for pts in segment.pts))


def _files(folder: ResumeFolder, reader: FilmReader, plan: Plan, pts: int) -> tuple[Path, Path]:
    """Return the path of a coloured frame's file in the working folder, and its final path."""
    assert plan.frames is not None
    final = plan.frames.file(plan.number(reader, pts))
    return folder.frames / final.name, final


def _shots_in(segment: FinishedSegment, starts: Sequence[int]) -> set[int]:
    """Return the numbers of the shots that have frames in a segment."""
    first, last = (max(0, bisect_right(starts, pts) - 1) for pts in (segment.pts[0], segment.pts[-1]))
    return set(range(first, last + 1))
