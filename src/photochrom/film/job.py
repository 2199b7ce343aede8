"""The way of a film: its frames are painted, encoded in segments, and put together with all that it had besides."""

from __future__ import annotations

import hashlib
import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

import av

from .. import __version__
from ..atomic import publish
from ..colorizer.colorizer import Colorizer
from ..errors import FilmError
from ..provenance import credit
from . import propagation, shots
from .frames import Painter, Seen
from .hints import FilmHint, follow
from .mux import Segmented, mux
from .options import FilmOptions
from .plan import Plan, make_plan, rehearse
from .prefetch import prefetched
from .reader import Reel
from .resume import Done, Job, sync
from .segments import Segment

_WAITING = 4  # frames between two threads
_BURST = 8  # the same where they come from key to key
_SHORTEST, _LONGEST = 5, 10  # seconds of a segment: it ends with the next shot, or at last within one


@dataclass(frozen=True)
class Progress:
    """How far a job is."""

    done: int
    """Frames."""
    total: int
    """Frames, as far as the file tells."""


@dataclass(frozen=True)
class FilmReport:
    """What became of a film."""

    output: Path
    frames: int
    shots: list[Fraction]
    """Seconds from the source's beginning at which they begin."""
    notes: list[str] = field(default_factory=list)
    """What was damaged, and what could not be kept; a line each."""


def colorize_film(
    source: str | os.PathLike[str],
    output: str | os.PathLike[str] | None = None,
    options: FilmOptions | None = None,
    *,
    hints: Sequence[FilmHint] = (),
    colorizer: Colorizer | None = None,
    overwrite: bool = False,
    restart: bool = False,
    progress: Callable[[Progress], None] = lambda _: None,
) -> FilmReport:
    """Colour a film; everything but its chroma stays as it is.

    A job that was stopped, in whatever way, goes on when it is started again with the same arguments, and gives the
    same film as one that was not.

    Args:
        source: the film.
        output: where to; None for ``NAME.color.EXT`` beside the source.
        options: how; None for the model's own choice.
        hints: colours that are known at places of single frames; each is carried through its shot.
        colorizer: a model that is loaded already; None for the default.
        overwrite: whether an output that exists may be replaced.
        restart: throw unfinished work of this output away.
        progress: called after each frame, with none done while the film is looked at before, and with all done while
            it is put together; what it raises stops the job, which can go on later.

    Raises:
        FilmError: the film cannot be read, or cannot be written so.
    """
    options = options or FilmOptions()
    with Reel(source) as reel:
        plan = make_plan(reel, None if output is None else Path(output), options)
        reel.watch = lambda: progress(Progress(0, plan.total))
        check(reel, plan, options, overwrite=overwrite)
        painter = Painter(colorizer or Colorizer(), reel, plan.planes, options)
        label = credit(painter.colorizer.label, [hint.hint for hint in hints])
        try:
            with Job(plan.output, _key(reel, plan, options, hints, label), restart=restart) as job:
                painter.known = follow(painter, hints)
                reel.watch = lambda: None
                parts = _color(painter, job, plan, progress)
                count = sum(len(part.pts) for part in parts)
                reel.watch = lambda: progress(Progress(count, count))
                _put_together(reel, job, parts, plan, label, overwrite=overwrite)
        except (OSError, av.error.FFmpegError) as exc:
            raise FilmError(
                f"{plan.output} cannot be written ({exc.strerror or exc}): see to it and start again, it goes on"
            ) from exc
        starts = [reel.seconds(pts) for part in parts for pts in part.shots]
        return FilmReport(plan.output, count, starts, plan.notes + reel.damage.lines())


def check(reel: Reel, plan: Plan, options: FilmOptions, *, overwrite: bool) -> None:
    """See that a film may be coloured, and written as and where it shall be.

    Raises:
        FilmError: it has colours already, its place is taken, or the container cannot hold all of it.
    """
    rehearse(reel, plan, options)
    if plan.output.exists():
        if plan.output.samefile(reel.path):
            raise FilmError(f"{plan.output} is the film itself: choose another output")
        if not overwrite:
            raise FilmError(f"{plan.output} exists: choose another output, or --overwrite")
    if not plan.output.parent.is_dir():
        raise FilmError(f"{plan.output} cannot be written: there is no folder {plan.output.parent}")
    if not options.recolor and reel.is_colored():
        raise FilmError(f"{reel.path} has colours already: --recolor colours its luma anew")


def _key(reel: Reel, plan: Plan, options: FilmOptions, hints: Sequence[FilmHint], label: str) -> dict[str, str]:
    """All that the frames depend on, by the names that a user knows them by."""
    file = reel.path.stat()
    return {
        "film": f"{reel.path.resolve()}, {file.st_size} bytes, {file.st_mtime_ns}",
        "options": repr(options),
        "hints": hashlib.sha256(repr(tuple(hints)).encode()).hexdigest() if hints else "none",
        "model": label,
        "format": repr(plan.planes),
        "version": f"photochrom {__version__}, av {av.__version__}",
    }


def _put_together(reel: Reel, job: Job, parts: Sequence[Done], plan: Plan, model: str, *, overwrite: bool) -> None:
    segments = [Segmented(job.segment_path(i), part.pts, part.delay, part.end) for i, part in enumerate(parts)]
    whole = job.folder / f"film{plan.output.suffix}"
    try:
        mux(reel, plan.planes, segments, whole, plan.container, plan.span, model)
        sync(whole)
        publish(whole, plan.output, overwrite=overwrite)
    except FileExistsError as exc:
        raise FilmError(f"{plan.output} has appeared meanwhile: start again with --overwrite") from exc
    finally:
        whole.unlink(missing_ok=True)  # it has its own name by now, or is worth nothing
    job.discard()


def _color(painter: Painter, job: Job, plan: Plan, progress: Callable[[Progress], None]) -> list[Done]:
    """Colour what is still to do; all finished segments."""
    parts = job.finished()
    count = sum(len(part.pts) for part in parts)
    last = parts[-1] if parts else Done([], [], 0, plan.first, [], "", "", plan.first, plan.first)
    painter.reel.damage.restore(last.damaged, last.ends_early, last.other_fields)
    if last.next is None:
        return parts
    frames = plan.span.of(painter.reel.frames(last.warm_up), painter.reel.time_base)
    before = job.carried(len(parts) - 1) if parts else None
    writer = _Writer(painter, job, plan, parts)
    try:
        # Looking, painting and encoding take about the same time: each has a thread.
        with (
            prefetched(painter.colors(frames, last.next, before), _BURST) as looked,
            prefetched(_painted(painter, looked), _WAITING) as painted,
        ):
            for seen, frame, colors, start in painted:
                writer.write(seen, frame, colors, start)
                count += 1
                progress(Progress(count, max(plan.total, count)))
        writer.finish(None, None)
    except BaseException:
        writer.abandon()
        raise
    return writer.parts


def _painted(
    painter: Painter, looked: Iterator[tuple[Seen, propagation.Colors, bool]]
) -> Iterator[tuple[Seen, av.VideoFrame, propagation.Colors, bool]]:
    for seen, colors, start in looked:
        yield seen, painter.paint(seen, colors.ab), colors, start


class _Writer:
    """Writes coloured frames to segments, and ends each where a successor can begin."""

    def __init__(self, painter: Painter, job: Job, plan: Plan, parts: list[Done]) -> None:
        self.parts = parts
        self._painter, self._job, self._plan = painter, job, plan
        self._segment: Segment | None = None
        self._shots: list[int] = []
        self._lately = deque((pts for part in parts for pts in part.pts), maxlen=shots.REACH)
        self._end = 0
        rate = float(painter.reel.rate)
        self._usual = max(1, round(1 / (painter.reel.rate * painter.reel.time_base)))
        self._shortest, self._longest = round(_SHORTEST * rate), round(_LONGEST * rate)

    def write(self, seen: Seen, frame: av.VideoFrame, colors: propagation.Colors, start: bool) -> None:
        pts = seen.pts
        if self._segment and self._may_end(colors, start):
            self.finish(pts, colors.before)
        if self._segment is None:
            path = self._job.segment_path(len(self.parts))
            self._segment = Segment(path, self._painter.reel, self._plan.planes, self._painter.options)
        if start:
            self._shots.append(pts)
        self._segment.write(frame, pts)
        self._lately.append(pts)
        self._end = pts + (seen.frame.duration or self._usual)

    def _may_end(self, colors: propagation.Colors, start: bool) -> bool:
        assert self._segment is not None
        count = len(self._segment.pts)
        return (start and count >= self._shortest) or (colors.is_key and count >= self._longest)

    def finish(self, following: int | None, carried: propagation.Carried | None) -> None:
        """End the segment; ``following`` is the pts of the frame that comes next."""
        if self._segment is None:
            raise FilmError(f"{self._painter.reel.path}: not one frame of it can be decoded: check the file")
        self._segment.finish()
        damage = self._painter.reel.damage
        if following is None and self._plan.span.end is None:
            self._painter.reel.check_end(self._end)
        done = Done(
            pts=self._segment.pts,
            shots=self._shots,
            delay=self._segment.delay,
            end=self._end,
            damaged=[str(time) for time in damage.packets],
            ends_early=damage.ends_early if following is None else "",
            other_fields=damage.other_fields,
            next=following,
            warm_up=None if following is None else self._lately[0],
        )
        self._job.finish(len(self.parts), done, carried)
        self.parts.append(done)
        self._segment, self._shots = None, []

    def abandon(self) -> None:
        """Close what is open."""
        if self._segment is not None:
            self._segment.abandon()
