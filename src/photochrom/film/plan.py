"""``Plan``: path, format, span and losses of a coloured film, decided and checked before its frames are coloured."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

import av

from ..atomic import temporary_folder
from ..color.polarity import at_small_size
from ..errors import FilmError, OptionError
from ..machine import lacks_memory
from .frame_buffers import luma_plane
from .frame_kinds.picture_area import picture_area
from .options import FilmOptions
from .output import losses
from .output.codecs import AUTO, CODECS, CONSTANT_RATE, FORMATS, SEQUENCES, UNTIMED, suffixes
from .output.mux import mux, remedy_for
from .output.plane_format import plane_format
from .output.resume import is_publishing, work_folder
from .output.room import check_folders, check_room, frame_size
from .output.segments import EncodedSegment, SegmentEncoder
from .planes import PlaneFormat, in_format
from .reader import FilmReader
from .sequences.names import SUFFIXES, Pattern, check_suffix, is_pattern, pattern_of
from .sequences.reader import SequenceReader
from .sequences.writer import first_existing, number_of
from .source import pulldown
from .source.color_detection import in_color_error
from .source.negatives import is_surely_negative
from .source.samples import FrameSamples
from .span import Span
from .times import time_text

_CONTAINERS_WITH_RANGE = ("matroska", "mxf")  # containers that store the color range, which FFV1 itself does not
_MACHINE_ERRORS: tuple[int, ...] = (
    errno.ENOMEM, errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EMFILE, errno.ENFILE, errno.EACCES, errno.EROFS,
)  # fmt: skip
"""Error numbers that have nothing to do with the film: a full disk, too many open files, a folder not writable."""


@dataclass(frozen=True)
class Plan:
    """Where to write a film, in which format, and which part of it to colour.

    Functions that examine the film append to ``notes``.
    """

    output: Path
    """The file to write, or the pattern of the frames to write."""
    container: str
    """FFmpeg's name of the container format; for a sequence, the format of its frames."""
    planes: PlaneFormat
    first: int
    """pts of the first frame to colour."""
    span: Span
    total: int
    """Number of frames to colour; 0 if unknown."""
    is_estimate: bool
    """Whether ``total`` was estimated from the length and the rate, because the file does not state it."""
    notes: list[str]
    """Lines for the user: properties of the source that will change or cannot be kept, and what was found in it."""
    frames: Pattern | None = None
    """Names of the frames to write if the coloured film is a sequence; otherwise None."""
    first_number: int = 0
    """Number that stands for the film's first frame in the names of the frames to write."""

    @property
    def place(self) -> Path:
        """The output as errors name it: the file, or the folder of the frames."""
        return self.output if self.frames is None else self.frames.folder

    def number(self, reader: FilmReader, pts: int) -> int:
        """Return the number in the file name of the frame with this pts; only for a film written as a sequence."""
        return number_of(reader, self.first_number, pts)


def resolved(options: FilmOptions, reader: FilmReader, output: Path | None) -> FilmOptions:
    """Return the options with an actual codec instead of ``auto``.

    If the output is a pattern of numbered frames, its suffix decides the codec. ``output`` is as for ``make_plan``.

    Raises:
        OptionError: The codec does not have the requested profile.
        FilmError: The codec in the options contradicts the suffix of a pattern.
    """
    codec = options.codec
    if output is not None and is_pattern(output):
        codec = SUFFIXES[output.suffix.lower()]
        if options.codec not in (AUTO, codec):
            raise FilmError(
                f"is a pattern of {codec} files, but the codec is {options.codec}",
                path=output,
                remedy="change the suffix or the codec",
            )
    elif codec == AUTO:
        named = output is not None and output.suffix.lower() in FORMATS
        codec = reader.pattern.format if isinstance(reader, SequenceReader) and not named else "libx264"
    return options if codec == options.codec else replace(options, codec=codec)


def make_plan(reader: FilmReader, output: Path | None, options: FilmOptions) -> Plan:
    """Decide where to write a film, and in which format.

    Args:
        reader: The film.
        output: As for ``colorize_film``.
        options: How to colour and write.

    Raises:
        FilmError: The output's name denotes no container or valid pattern, or contradicts the codec; the container
            cannot hold the codec, or the film's range or frame rate; the codec does not support the size, depth or kind
            of the frames; or the film is HDR, cannot be read, or has no frame between ``start`` and ``end``.
        OptionError: The codec does not have the requested profile.
    """
    if output is not None and output.suffix.lower() not in FORMATS:
        check_suffix(output)
    options = resolved(options, reader, output)
    frames = _frames(reader, output, options) if options.codec in SEQUENCES else None
    if frames is not None:
        output = frames.path
    else:
        output = output or _beside(reader, options)
        if output.is_dir():
            output = output / _beside(reader, options).name
    container = options.codec if frames else container_for(output, options)
    planes = plane_format(reader, CODECS[options.codec], options.profile, options.bits)
    if options.codec == "ffv1" and planes.coding.full_range and container not in _CONTAINERS_WITH_RANGE:
        raise FilmError(
            f"FFV1 in {container} files cannot state full range", path=output, remedy="write to a .mkv file"
        )
    if container in CONSTANT_RATE and (at := reader.irregular_at()) is not None:
        raise FilmError(
            f"{container} stores no time stamps, but the frame rate of {reader.path} varies (first at {time_text(at)})",
            path=output,
            remedy="write to a .mov or .mkv file",
        )
    first, span, total = _part(reader, options, container)
    is_estimate = total != reader.stated_frames
    notes = losses.notes(reader, planes, container, options)
    first_number = reader.numbers[0] if isinstance(reader, SequenceReader) else 1
    return Plan(output, container, planes, first, span, total, is_estimate, notes, frames, first_number)


def _part(reader: FilmReader, options: FilmOptions, container: str) -> tuple[int, Span, int]:
    """Return the pts of the first frame to colour, the part to colour, and the number of its frames.

    Raises:
        FilmError: The film cannot be read, or has no frame between ``start`` and ``end``.
    """
    wanted, until = options.times
    start = wanted or Fraction(0)
    first = reader.first_pts if wanted is None else reader.pts_at(start)
    end = None if until is None else reader.first_pts * reader.time_base + until
    is_cut = wanted is not None or until is not None
    # Players leave out what comes before 0. Without time stamps, sound must begin with the picture.
    moves = is_cut or first < 0 or (first > 0 and container in UNTIMED)
    begins = first * reader.time_base if moves else reader.clock_start
    span = Span(begins, end, moves or begins != 0)
    if not span.is_before_end(begins):
        times = f"{time_text(start)} and {time_text(until or 0)}"
        raise FilmError(f"has no frame between {times}", path=reader.path, remedy="give a later end")
    duration = reader.duration if until is None else min(until, reader.duration or until)
    stated = reader.stated_frames
    return first, span, max(0, round((duration - start) * reader.rate)) if is_cut or not stated else stated


def _frames(reader: FilmReader, output: Path | None, options: FilmOptions) -> Pattern:
    """Return the names of the frames to write.

    If the output is a pattern, its names are returned. Otherwise the folder is the output, or lies beside the source,
    and the files are named like the source's frames, or after the source if it is one file.

    Raises:
        FilmError: The output is a file in a container or an invalid pattern; OpenEXR is to be written and the source
            is not scene-linear; or JPEG is to be written and the source is not a sequence of JPEG files.
    """
    if output is not None and output.suffix.lower() in FORMATS:
        raise FilmError(
            f"{options.codec} writes numbered frames", path=output, remedy="name a folder, or reel.%07d.dpx"
        )
    suffix = CODECS[options.codec].suffix
    if options.codec == "exr" and not (isinstance(reader, SequenceReader) and reader.is_linear):
        raise FilmError(
            "is not scene-linear, which OpenEXR stores", path=reader.path, remedy='choose codec="tiff" or codec="dpx"'
        )
    if options.codec == "jpeg" and not (isinstance(reader, SequenceReader) and reader.pattern.format == "jpeg"):
        raise FilmError(
            "does not consist of JPEG files, whose luma a JPEG could keep",
            path=reader.path,
            remedy='choose codec="png" or codec="tiff"',
        )
    if output is not None and is_pattern(output):
        return pattern_of(output)
    if isinstance(reader, SequenceReader):
        same = reader.pattern.format == options.codec
        folder = output or _named_beside(reader.pattern.folder, ".color")
        names = reader.pattern
        return Pattern(folder, names.prefix, names.suffix if same else suffix, names.width)
    folder = output or reader.path.with_name(f"{reader.stem}.color")
    return Pattern(folder, f"{reader.stem}.", suffix, 7)


def container_for(output: Path, options: FilmOptions) -> str:
    """Return FFmpeg's name of the container that the suffix of an output denotes.

    Raises:
        FilmError: The suffix denotes no container, or one that cannot hold the codec.
    """
    codec = CODECS[options.codec]
    if (container := FORMATS.get(output.suffix.lower())) is None:
        folder = "" if output.suffix else "; if it is to be a folder, create that first"
        raise FilmError(
            "has no suffix of a container that can be written", path=output, remedy=f"use {suffixes(codec)}{folder}"
        )
    if container not in codec.containers:
        raise FilmError(
            f"{container} files cannot hold {options.codec}", path=output, remedy=f"write to a {suffixes(codec)} file"
        )
    return container


def _named_beside(folder: Path, suffix: str, stem: str = "") -> Path:
    """Return the path ``stem + suffix`` beside a folder; an empty stem stands for the folder's own name.

    The path is absolute if the folder is given as ``.`` or ends in ``..``.
    """
    folder = folder if folder.name not in ("", "..") else folder.absolute()
    return folder.with_name((stem or folder.name) + suffix)


def _beside(reader: FilmReader, options: FilmOptions) -> Path:
    """Return the default output beside the source, such as ``reel.color.mp4``."""
    codec = CODECS[options.codec]
    if isinstance(reader, SequenceReader):
        return _named_beside(reader.pattern.folder, f".color{codec.suffix}", reader.stem)
    suffix = reader.path.suffix
    # Few players read FFV1 in containers other than Matroska, and those lose some of its properties.
    fits = FORMATS.get(suffix.lower()) in codec.containers and options.codec != "ffv1"
    return reader.path.with_name(f"{reader.stem}.color{suffix if fits else codec.suffix}")


def check(
    reader: FilmReader,
    plan: Plan,
    options: FilmOptions,
    *,
    overwrite: bool,
    on_frame: Callable[[], None] = lambda: None,
) -> FilmOptions:
    """Check that a film should be coloured, and that it can be written as planned; add notes to the plan.

    Args:
        reader: The film.
        plan: Where to write the film, and in which format.
        options: How to colour and write.
        overwrite: Whether an existing output may be replaced.
        on_frame: As for ``FrameSamples``.

    Returns:
        The options, as returned by ``check_pictures``.

    Raises:
        FilmError: The film is in colour already or certainly a negative, or cannot be read; the output is the film
            itself, exists, does not fit on the disk, or is in a folder that does not exist or cannot be written; the
            codec or the container cannot hold the film; or the picture area is invalid.
        OptionError: The options ask for content credentials in a sequence.
        OSError: The system's temporary folder cannot be written, or the output's disk cannot be examined.
    """
    if plan.frames is not None:
        _check_sequence(reader, plan, options, overwrite=overwrite)
    elif plan.output.exists():
        if not reader.is_sequence and plan.output.samefile(reader.path):
            raise FilmError("is the film itself", path=plan.output, remedy="choose another output")
        if not overwrite:
            raise FilmError("exists", path=plan.output, remedy="choose another output, or overwrite=True")
    check_folders(plan.output, plan.frames)
    size = frame_size(options.codec, plan.planes.coding.bits, reader.width, reader.height)
    check_room(plan.output, size, plan.total, muxed=plan.frames is None)
    if plan.frames is None:
        plan.notes.extend(_rehearse(reader, plan, options))
    if found := pulldown.note(reader, plan.first, plan.span, plan.total):
        plan.notes.append(found)
    return check_pictures(reader, plan, options, on_frame)


def check_pictures(
    reader: FilmReader, plan: Plan, options: FilmOptions, on_frame: Callable[[], None] = lambda: None
) -> FilmOptions:
    """Examine some frames of a film to check that it should be coloured; colours outside the picture area do not count.

    Args:
        reader: The film.
        plan: The part of the film to colour.
        options: How to colour.
        on_frame: As for ``FrameSamples``.

    Returns:
        The options. If ``recolor`` is False, it becomes ``"grey-shots"`` for a film that is partly in colour, and if
        only a part of a colour film is to be coloured, since that part may be grey.

    Raises:
        FilmError: The film is in colour already or certainly a negative, or cannot be read; or the picture area is
            invalid.
    """
    area = picture_area(options.frame, (reader.height, reader.width), plan.planes.subsampling)
    samples = FrameSamples(reader, on_frame, area)
    if options.negative is None:
        _refuse_negatives(reader, plan, samples)
    if options.recolor or (part := samples.colored_part()) == "none":
        return options
    if part == "all" and options.times == (None, None) and not options.only_shots:
        raise in_color_error(reader.path)
    return replace(options, recolor="grey-shots")


def _refuse_negatives(reader: FilmReader, plan: Plan, samples: FrameSamples) -> None:
    """Raise an error if the film is certainly a negative."""
    if reader.is_log:
        return  # a scanned negative stores its densities, which are high where the scene is bright
    frames = (in_format(frame, plan.planes, chroma=False) for frame in samples.frames())
    if is_surely_negative([at_small_size(luma_plane(frame), plan.planes.coding) for frame in frames]):
        raise FilmError(
            "is a negative, since the film around its pictures is clear",
            path=reader.path,
            remedy="negative=True colours it as such, negative=False as a positive",
        )


def _check_sequence(reader: FilmReader, plan: Plan, options: FilmOptions, *, overwrite: bool) -> None:
    """Check that the frames of a sequence can be written as planned."""
    assert plan.frames is not None
    if options.c2pa is not None:
        raise OptionError("content credentials are bound to one file, not to a sequence", remedy="leave them out")
    target = plan.frames
    if target.folder.exists() and not target.folder.is_dir():
        raise FilmError("is a file", path=target.folder, remedy="give a folder, or a pattern like reel.%07d.dpx")
    if isinstance(reader, SequenceReader) and target.folder.is_dir():
        same = target.folder.samefile(reader.pattern.folder)
        if same and _share_names(target, reader.pattern, reader.numbers):
            raise FilmError("holds the film itself", path=target.folder, remedy="choose another output")
    last = plan.number(reader, plan.first) + max(plan.total, 1)
    found = first_existing(target, list(range(plan.number(reader, plan.first), last)))
    if found is not None and not overwrite and not is_publishing(work_folder(plan.output)):
        raise FilmError("exists", path=found, remedy="choose another output, or overwrite=True")


def _share_names(target: Pattern, source: Pattern, numbers: list[int]) -> bool:
    """Return whether two patterns give any frame the same name, as ``f.0%03d.png`` and ``f.%04d.png`` do."""
    if (target.prefix, target.suffix) == (source.prefix, source.suffix):
        return True
    names = {source.file(number).name.casefold() for number in numbers}
    return any(target.file(number).name.casefold() in names for number in numbers)


def _rehearse(reader: FilmReader, plan: Plan, options: FilmOptions) -> list[str]:
    """Mux a film of one empty frame to a temporary file, to find what the container cannot hold; return notes.

    Raises:
        FilmError: The codec cannot encode such frames, the container cannot hold the codec or a track of the source, or
            the temporary file cannot be written.
        OSError: The system's temporary folder cannot be written.
    """
    frame = av.VideoFrame(reader.width, reader.height, plan.planes.name)
    for plane in frame.planes:
        plane.update(bytes(plane.buffer_size))  # codecs fail on values outside the format's range
    with temporary_folder("photochrom-film") as folder:
        path = folder / "rehearsal.segment"
        try:
            segment = SegmentEncoder(path, reader, plan.planes, options)
            segment.write(frame, plan.first)
            segment.finish()
            part = EncodedSegment(path, segment.pts, segment.delay, plan.first + 1)
            film = path.with_suffix(plan.output.suffix)
            notes = mux(reader, plan.planes, [part], film, plan.container, options, plan.span, "", rehearsal=True)
            return notes + losses.lost_metadata(reader, film, plan.container, plan.span)
        except (av.error.FFmpegError, OSError, ValueError) as exc:
            number: int = errno.ENOMEM if lacks_memory(exc) else getattr(exc, "errno", 0)
            if number in _MACHINE_ERRORS:
                raise FilmError(
                    f"cannot be written ({os.strerror(number)})", path=folder, remedy="make room there"
                ) from exc
            raise FilmError(
                f"{plan.container} files with {options.codec} cannot hold all tracks of {reader.path} ({exc})",
                path=plan.output,
                remedy=remedy_for(plan.container, options.codec),
            ) from exc
