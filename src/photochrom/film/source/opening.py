"""Opens films with FFmpeg, without following playlists or accessing the network."""

from __future__ import annotations

import os
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Final

import av

from ...errors import FilmError, system_errors

RESUMES: Final = "then start again; finished work is kept"
"""End of the remedy for what interrupts a film."""
_FILES_ALONE = {"protocol_whitelist": "file"}
"""FFmpeg's setting that prevents a playlist from opening network addresses."""
_LISTS = ("hls", "concat", "dash", "imf", "sdp", "rtsp", "webm_dash_manifest")
"""Formats that only list other files; an uploaded list could make the server read its own files."""


def address(path: Path) -> str:
    """Return an absolute path for FFmpeg, which takes text before a colon in a relative path for a protocol."""
    return str(path.absolute())


def reading(path: Path) -> AbstractContextManager[None]:
    """Return a context that translates system errors while a film, or one of its frames, is read to ``FilmError``."""
    return system_errors(FilmError, path, f"check the disk, {RESUMES}")


def open_container(path: Path, options: dict[str, str]) -> av.container.InputContainer:
    """Open a film with FFmpeg.

    Args:
        path: The film.
        options: Settings of FFmpeg's demuxer.

    Raises:
        FilmError: The file is missing, is a pipe or a device, cannot be read as a film, or only lists other files.
    """
    if os.path.exists(path) and not (os.path.isfile(path) or os.path.isdir(path)):  # noqa: PTH110, PTH112, PTH113
        problem = "is a pipe or a device, and a film is read more than once"
        raise FilmError(problem, path=path, remedy="save it as a file")
    try:
        container = av.open(address(path), metadata_errors="replace", options=options | _FILES_ALONE)
    except FileNotFoundError as exc:
        raise FilmError("does not exist", path=path, remedy="check the path") from exc
    except (IsADirectoryError, PermissionError) as exc:
        raise FilmError(f"cannot be read ({exc.strerror})", path=path, remedy="check its permissions") from exc
    except (av.error.FFmpegError, OSError, ValueError) as exc:
        reason = getattr(exc, "strerror", None) or exc  # FFmpeg's "invalid data" error is not an OSError
        raise FilmError(
            f"cannot be read as a film ({reason})", path=path, remedy="check that the file is whole"
        ) from exc
    if container.format.name in _LISTS:
        container.close()
        raise FilmError("is not a film but lists other files", path=path, remedy="name the film itself")
    return container


def main_stream(container: av.container.InputContainer, path: Path) -> av.VideoStream:
    """Return the first track of moving pictures.

    Raises:
        FilmError: The film has no such track.
    """
    for stream in container.streams.video:
        if not stream.disposition & av.stream.Disposition.attached_pic and stream.codec_context is not None:
            return stream
    raise FilmError("has no picture", path=path, remedy="name a film")
