"""``colorize_film``: the stages of colouring a film from file to file, in order."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import av

from ..atomic import publish, sync
from ..colorizer.loading import loaded
from ..errors import FilmError
from ..version import __version__
from .colored_stills import Still, distinct_stills
from .coloring import Progress, color_frames
from .damage_log import Damage, gap_notes
from .frames import FrameColorizer
from .hint_spans import HintSpan, film_credit, hint_spans, reaches, span_notes
from .hint_tracking import track_hints
from .hints import FilmHint
from .options import FilmOptions
from .output.kept_parts import KeptParts, remove_incomplete
from .output.mux import mux
from .output.resume import FinishedSegment, ResumeFolder, is_published, is_publishing, whole_film
from .output.segments import EncodedSegment
from .output.signing import check_signing, sign_film
from .plan import Plan, check, make_plan, resolved
from .reader import FilmReader
from .sequences.reader import SequenceReader, open_film
from .sequences.writer import first_existing, publish_frames
from .shots.already_in_color import leaving_colored_shots
from .shots.planning import make_shot_plan
from .shots.titles import keeping_titles
from .source import side_data
from .source.opening import RESUMES

if TYPE_CHECKING:
    from ..colorizer.colorizer import Colorizer


@dataclass(frozen=True)
class FilmReport:
    """The result of colouring a film."""

    output: Path
    """The coloured film, or the pattern of its numbered frames."""
    frames: int
    """Number of frames in the coloured film."""
    shots: list[Fraction]
    """Times at which shots begin, in seconds from the source's beginning."""
    notes: list[str] = field(default_factory=list)
    """Lines for the user: damage in the source, properties that changed or could not be kept, and what was found when
    the film was examined, such as shots that were left unchanged; and a summary of ``hint_spans``."""
    hint_spans: list[HintSpan] = field(default_factory=list)
    """From when to when each hint and each still that was used was tracked."""


def colorize_film(
    source: str | os.PathLike[str],
    output: str | os.PathLike[str] | None = None,
    options: FilmOptions | None = None,
    *,
    hints: Sequence[FilmHint] = (),
    stills: Sequence[Still] = (),
    colorizer: Colorizer | Callable[[], Colorizer] | None = None,
    overwrite: bool = False,
    restart: bool = False,
    progress: Callable[[Progress], None] = lambda _: None,
    on_output: Callable[[Path], None] = lambda _: None,
) -> FilmReport:
    """Colour a film from file to file; luma, sound, subtitles, chapters and metadata are copied from the source.

    ``FilmReport.notes`` lists everything that the output format cannot hold. After an interruption of any kind, the
    same call resumes the work, and gives the same result as an uninterrupted run. Finished parts are kept in the folder
    ``OUTPUT.photochrom`` beside the output. It becomes as large as the film, and stays after an interruption or an
    error, or if ``options.keep_parts`` is set.

    Args:
        source: The film: a file, a folder of numbered frames, or a pattern of their names (``reel.%07d.dpx``).
        output: A file, a pattern of frames, or a folder for the file or the frames; None for ``NAME.color.EXT`` beside
            the source.
        options: How to colour and write; None for the defaults.
        hints: Known colours at places of single frames; each hint is tracked through its shot.
        stills: Coloured pictures of single frames. A frame with a still gets exactly the still's colours; the rest of
            its shot gets hints from the still.
        colorizer: A loaded model, or a function that loads one, which is called when the film has been checked; None
            for the default one.
        overwrite: Whether an existing output may be replaced.
        restart: Whether to discard unfinished work on this output.
        progress: Called after each frame; also while the film is examined, with no frame done, and while it is muxed,
            with all frames done. An exception that it raises stops the work, which can be resumed later.
        on_output: Called with the path of the output before any work. An exception that it raises stops the work.

    Raises:
        FilmError: The film cannot be read, is in colour already or certainly a negative, or has no frame at a hint's
            time; ``options`` name a shot or a picture area that it does not have; the output exists, cannot be written
            with these options, or is being written by another process; or unfinished work on it has other options.
        OptionError: The options ask for something that the model, the codec or a sequence does not support; or two
            stills give different colours to the same frame.
        PhotoError: A PNG, TIFF or JPEG frame of a sequence cannot be read or written.
        ModelError: The model cannot be loaded, or the network's output contradicts the model's card.
        EngineError: No engine for the model is installed, or the network could not be run.
        PhotochromError: The film cannot be signed.
    """
    options, stills = options or FilmOptions(), distinct_stills(stills)
    target = None if output is None else Path(output)
    with open_film(source, options) as reader:
        place = reader.pattern.folder if isinstance(reader, SequenceReader) else reader.path
        with _disk_errors(place, target or place):
            options = resolved(options, reader, target)
            plan = make_plan(reader, target, options)
        on_output(plan.output)

        def examining() -> None:
            progress(Progress(0, plan.total, plan.is_estimate))

        is_explicit, overwrite = bool(options.recolor), overwrite or (not restart and is_published(plan.output))
        with _disk_errors(place, plan.place):
            options = check(reader, plan, options, overwrite=overwrite, on_frame=examining)
            if options.c2pa is not None:
                check_signing(reader.path, plan.output, overwrite=overwrite)
        frame_colorizer = FrameColorizer(loaded(colorizer), reader, plan.planes, options)
        frame_colorizer = frame_colorizer.with_stills({still.pts: still.ab for still in stills})
        given = [*hints, *(hint for shot in options.shots for hint in shot.hints)]
        hints = [*given, *(hint for still in stills for hint in still.hints)]
        damage = Damage()
        with (
            _disk_errors(place, plan.place),
            ResumeFolder(
                plan.output,
                _key(reader, plan, options, hints, stills, frame_colorizer.colorizer.label),
                restart=restart,
            ) as folder,
        ):
            recolored = folder.remove_damaged()
            remove_incomplete(folder, reader, plan)
            kept = KeptParts(folder, reader, plan, options, hints) if options.keep_parts else None
            shots = make_shot_plan(frame_colorizer, plan, kept.known_starts() if kept else (), examining)
            frame_colorizer = frame_colorizer.with_shots(shots)
            if kept:
                kept.remove_changed(shots)
            to_track = kept.hints_to_track(shots) if kept else hints
            tracked = track_hints(frame_colorizer, to_track, examining)
            frame_colorizer = replace(frame_colorizer, hints=tracked)
            frame_colorizer = leaving_colored_shots(frame_colorizer, plan, is_explicit=is_explicit, on_frame=examining)
            frame_colorizer = keeping_titles(frame_colorizer, plan, examining)
            reached = reaches(frame_colorizer, plan, tracked, hints)
            if kept:
                reached = kept.with_earlier(reached, to_track, shots)
            label = film_credit(frame_colorizer, plan, reached, given, stills)
            segments = color_frames(frame_colorizer, folder, plan, damage, label, progress)
            if kept:
                kept.finish(segments, shots)
            _assemble(reader, folder, segments, plan, options, damage, label, overwrite=overwrite, progress=progress)
        times = [pts for segment in segments for pts in segment.pts]
        gaps = gap_notes(times[1:] if reader.is_avi else times, reader.seconds)  # see ``is_avi``
        starts = [pts for segment in segments for pts in segment.shots]
        ends = [times[bisect_left(times, start) - 1] for start in starts[1:]] + times[-1:]
        spans = hint_spans(reader, reached, given, stills, list(zip(starts, ends, strict=True)))
        notes = plan.notes + span_notes(spans) + recolored
        notes += side_data.lost(damage.side_data, options.codec) + damage.lines() + gaps
        return FilmReport(plan.output, _count(segments), [reader.seconds(pts) for pts in starts], notes, spans)


def _key(
    reader: FilmReader,
    plan: Plan,
    options: FilmOptions,
    hints: Sequence[FilmHint],
    stills: Sequence[Still],
    model: str,
) -> dict[str, str]:
    """Return all settings that the coloured frames depend on; only work with an equal key is resumed.

    If ``keep_parts`` is set, the key leaves out hints and the options of single shots, because ``KeptParts`` compares
    these shot by shot.
    """
    known = repr(tuple(hints)).encode() + b"".join(still.ab.tobytes() for still in stills)
    digest = hashlib.sha256(known).hexdigest() if hints else "none"
    if options.keep_parts:
        options, digest = replace(options, shots=(), only_shots=()), "by shot"
    return {
        "film": reader.fingerprint(),
        "options": repr(options),
        "hints": digest,
        "model": model,
        "format": repr(plan.planes),
        "version": f"photochrom {__version__}, av {av.__version__}",
    }


@contextlib.contextmanager
def _disk_errors(source: Path, output: Path) -> Iterator[None]:
    """Re-raise errors of the disk and of FFmpeg's writers as ``FilmError``."""
    try:
        yield
    except (OSError, av.error.FFmpegError) as exc:
        if exc.errno == errno.ENAMETOOLONG:
            raise FilmError("has too long a name", path=output, remedy="choose a shorter one") from exc
        if not source.exists():
            raise FilmError("has disappeared", path=source, remedy="put it back, then start again") from exc
        if exc.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
            remedy = "ask for permission, or choose another folder"
        else:
            is_full = exc.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
            remedy = f"{'make room' if is_full else 'check the disk'}, {RESUMES}"
        raise FilmError(f"cannot be written ({exc.strerror or exc})", path=output, remedy=remedy) from exc


def _assemble(
    reader: FilmReader,
    folder: ResumeFolder,
    segments: Sequence[FinishedSegment],
    plan: Plan,
    options: FilmOptions,
    damage: Damage,
    label: str,
    *,
    overwrite: bool,
    progress: Callable[[Progress], None],
) -> None:
    """Mux the finished segments with the source's other tracks, sign the film, and publish it.

    The frames of a sequence are only published. The working folder is removed, unless ``keep_parts`` is set.

    Raises:
        FilmError: The output has appeared since the film was planned, or the container cannot hold a track.
        PhotochromError: The film cannot be signed.
        OSError, av.error.FFmpegError: A file cannot be written.
    """
    if plan.frames is not None:
        _publish_frames(reader, folder, segments, plan, overwrite=overwrite)
        if options.keep_parts:
            folder.end_publishing()
        else:
            folder.discard()
        return
    count = _count(segments)
    encoded = [EncodedSegment(folder.segment_path(i), s.pts, s.delay, s.end) for i, s in enumerate(segments)]
    whole = whole_film(plan.output)
    whole.unlink(missing_ok=True)  # it may be a link of a published film
    try:
        mux(
            reader, plan.planes, encoded, whole, plan.container, options, plan.span, label,
            damage=damage, on_packet=lambda: progress(Progress(count, count)),
        )  # fmt: skip
        if options.c2pa is not None:
            sign_film(whole, plan.output, reader.path, options.c2pa, label, overwrite=overwrite)
        sync(whole)
        publish(whole, plan.output, overwrite=overwrite)
    except FileExistsError as exc:
        raise FilmError("has appeared meanwhile", path=plan.output, remedy="start again with overwrite=True") from exc
    finally:
        whole.unlink(missing_ok=True)  # published by now, or incomplete
    if not options.keep_parts:
        folder.discard()


def _publish_frames(
    reader: FilmReader, folder: ResumeFolder, segments: Sequence[FinishedSegment], plan: Plan, *, overwrite: bool
) -> None:
    """Move the finished frames of a sequence to their final names.

    Raises:
        FilmError: A file with one of these names has appeared since the film was planned.
        OSError: The folder cannot be read or written.
    """
    assert plan.frames is not None
    numbers = [plan.number(reader, pts) for segment in segments for pts in segment.pts]
    if not overwrite and not is_publishing(folder.folder) and (found := first_existing(plan.frames, numbers)):
        raise FilmError("has appeared meanwhile", path=found, remedy="start again with overwrite=True")
    folder.start_publishing()
    publish_frames(replace(plan.frames, folder=folder.frames), plan.frames, numbers)


def _count(segments: Sequence[FinishedSegment]) -> int:
    return sum(len(segment.pts) for segment in segments)
