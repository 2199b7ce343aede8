"""``notes``: lists what will change in a coloured film, and what its format cannot hold."""

from __future__ import annotations

from pathlib import Path

import av

from ...errors import counted
from ..options import FilmOptions
from ..planes import PlaneFormat
from ..reader import FilmReader
from ..sequences import frame_metadata
from ..sequences.reader import SequenceReader
from ..sequences.writer import keeps_alpha
from ..source.opening import address
from ..source.time_code import fits_mxf
from ..span import Span
from . import tracks
from .codecs import SEQUENCES, UNTIMED
from .metadata import metadata_to_copy

_WITHOUT_TIME_CODE = ("avi", "tiff", "png", "jpeg", "jp2")  # containers and frame formats that store no time code
_WITHOUT_ASPECT = ("avi", "nut")  # containers whose pixel aspect ratio PyAV cannot set
_WITHOUT_TITLES = ("mxf",)  # containers that store no titles of tracks
_WITHOUT_MARKS = ("mov", "avi", "mxf")  # containers that do not state the purpose of a track
_USUAL_MARKS = {"default", "attached_pic"}  # marks of tracks that need not be kept, or are kept in another way
_UNKNOWN = "und"  # the language of a track that states none
_OVERSCAN = "not kept: the pixels outside the display window"
_OVERSCAN_IN_EXR = "pixels outside the display window get the colours of the nearest pixel inside it"


def notes(reader: FilmReader, planes: PlaneFormat, container: str, options: FilmOptions) -> list[str]:
    """Return one line for each property of the source that will change or cannot be kept.

    Args:
        reader: The source.
        planes: Format of the coloured frames.
        container: FFmpeg's name of the container format; for a sequence, the format of its frames.
        options: How to colour and write.
    """
    found = reader.notes() + [
        f"not kept: {line}" for line in tracks.streams_to_copy(reader.container, reader.video.index)[1]
    ]
    if isinstance(reader, SequenceReader):
        found += frame_metadata.lost(reader.file(0), reader.pattern.format, reader.metadata, options.codec)
        if reader.has_overscan:
            found.append(_OVERSCAN_IN_EXR if options.codec == "exr" else _OVERSCAN)
    found += _not_in_frames(reader, options.codec) if options.codec in SEQUENCES else _other_pictures(reader)
    if options.rate is not None and options.rate != reader.rate:
        found.append(
            f"the film keeps its own {float(reader.rate):g} frames a second, since a rate is for numbered frames and "
            "raw streams without one"
        )
    has_alpha = any(part.is_alpha for part in reader.video.codec_context.format.components)
    if has_alpha and not keeps_alpha(reader, options.codec, planes.coding.bits):
        found.append("not kept: the alpha channel (transparency)")
    if container in UNTIMED and options.start is None:
        found += _early_sound(reader, container)
    found += _unstated(reader, container, options.codec)
    if reader.time_code and container in _WITHOUT_TIME_CODE:
        found.append(f"not kept: the time code {reader.time_code}, which {container} does not state")
    if reader.time_code and container == "mxf" and not fits_mxf(reader.time_code, reader.rate):
        rate = f"{float(reader.rate):g} frames a second"
        found.append(f"not kept: the time code {reader.time_code}, which {container} cannot state at {rate}")
    if reader.reel_name and container in _WITHOUT_TIME_CODE:
        found.append(f"not kept: the name of the reel, {reader.reel_name}, which {container} does not state")
    if change := planes.change():
        found.append(change)
    return found


def _unstated(reader: FilmReader, container: str, codec: str) -> list[str]:
    """Return notes on the shape of pixels and on the fields, for containers that do not state them."""
    found = []
    if container in _WITHOUT_ASPECT and reader.aspect != 1:
        found.append(
            f"the {container} header does not state the pixel aspect ratio {reader.aspect}; the frames of FFV1 do"
            if codec == "ffv1"
            else f"not kept: the pixel aspect ratio {reader.aspect}, which {codec} in {container} does not state"
        )
    if container in _WITHOUT_ASPECT and reader.fields and codec == "v210":
        order = "top" if reader.fields == "tff" else "bottom"
        found.append(f"not kept: that the {order} field is first, since {codec} in {container} does not state fields")
    return found


def lost_metadata(reader: FilmReader, film: Path, container: str, span: Span) -> list[str]:
    """Return notes on metadata, chapters and rotation of the source that a film lacks.

    Args:
        reader: The source.
        film: A film of one frame with the metadata of the coloured film.
        container: FFmpeg's name of its container format.
        span: The coloured part of the source.

    Raises:
        av.error.FFmpegError: The film cannot be read.
    """
    if reader.is_sequence:
        return []
    with av.open(address(film), metadata_errors="replace") as written:
        kept = {_folded(key) for key in metadata_to_copy(written)} | {"timecode", "reel_name"}
        lost = sorted(key.lower() for key in metadata_to_copy(reader.container) if _folded(key) not in kept)
        found = [f"metadata of the film ({', '.join(lost)})"] if lost else []
        chapters = len([chapter for chapter in reader.container.chapters() if span.chapter(chapter)])
        if chapters and not written.chapters():
            found.append(counted(chapters, "chapter"))
        if languages := _lost_languages(reader, container):
            found.append(f"languages of tracks ({', '.join(languages)})")
        titles = {found["title"] for found in map(tracks.tags, reader.container.streams) if "title" in found}
        if titles and container in _WITHOUT_TITLES:
            found.append(f"titles of tracks ({', '.join(sorted(titles))})")
        if container in _WITHOUT_MARKS and (marks := _marks(reader)):
            found.append(f"marks of tracks ({', '.join(marks)})")
        if reader.turns and not next(written.decode(video=0)).rotation:
            found.append(f"the rotation by {90 * reader.turns} degrees")
    return [f"not kept: {part}, which {container} cannot hold" for part in found]


def _lost_languages(reader: FilmReader, container: str) -> list[str]:
    """Return the languages of the coloured and the copied tracks that a container cannot state."""
    streams = [stream for stream in _kept(reader) if not tracks.language(stream, container)]
    return sorted({stream.metadata.get("language", _UNKNOWN) for stream in streams} - {_UNKNOWN})


def _marks(reader: FilmReader) -> list[str]:
    """Return the marks of the coloured and the copied tracks, such as ``forced`` for subtitles to be shown always."""
    found = {str(mark.name) for mark in av.stream.Disposition for stream in _kept(reader) if stream.disposition & mark}
    return sorted(found - _USUAL_MARKS)


def _kept(reader: FilmReader) -> list[av.stream.Stream]:
    """Return the coloured track and those that are copied."""
    return [reader.video, *tracks.streams_to_copy(reader.container, reader.video.index)[0]]


def _folded(key: str) -> str:
    """Return a metadata key in the form in which keys of different containers are equal."""
    return key.casefold().replace(" ", "_")


def _other_pictures(reader: FilmReader) -> list[str]:
    """Return a note for each further track of moving pictures, as in MXF files with several of them."""
    copied = tracks.streams_to_copy(reader.container, reader.video.index)[0]
    attached = av.stream.Disposition.attached_pic
    moving = [s.index for s in copied if s.type == "video" and not s.disposition & attached]
    return [
        f"track {index} is a further video track, which is copied uncoloured: only the first is coloured"
        for index in moving
    ]


def _early_sound(reader: FilmReader, container: str) -> list[str]:
    """Return a note for each sound track that begins before the first frame, in a container that begins with it."""
    first = reader.first_pts * reader.time_base
    copied = tracks.streams_to_copy(reader.container, reader.video.index)[0]
    sound = [s for s in copied if s.type == "audio" and s.start_time is not None and s.time_base is not None]
    early = {s.index: first - s.start_time * s.time_base for s in sound}
    return [
        f"not kept: {float(length):.3f} s of sound of track {index} before the first frame, where {container} begins"
        for index, length in early.items()
        if length > tracks.LEAST_GAP
    ]


def _not_in_frames(reader: FilmReader, codec: str) -> list[str]:
    """Return a note for each part of the film that numbered frames cannot hold."""
    copied = tracks.streams_to_copy(reader.container, reader.video.index)[0]
    found = [f"not kept: {stream.type} of track {stream.index}, which frames cannot hold" for stream in copied]
    if reader.turns:
        found.append(f"not kept: the rotation by {90 * reader.turns} degrees, which frames cannot state")
    if reader.aspect != 1 and codec == "jp2":
        found.append(f"not kept: the pixel aspect ratio {reader.aspect}, which {codec} does not state")
    if reader.is_sequence:
        return found
    if names := ", ".join(sorted(name.lower() for name in metadata_to_copy(reader.container))):
        found.append(f"not kept: metadata of the film ({names}), which frames cannot hold")
    if chapters := len(reader.container.chapters()):
        found.append(f"not kept: {counted(chapters, 'chapter')}, which frames cannot hold")
    return found
