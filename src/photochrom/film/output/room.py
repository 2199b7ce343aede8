"""Checks that a coloured film can be written before its frames are coloured: folders, permissions, disk space."""

from __future__ import annotations

import shutil
from pathlib import Path

from ...errors import FilmError
from ...output_folders import check_folder
from ..sequences.names import Pattern
from .resume import is_publishing, work_folder


def check_folders(output: Path, frames: Pattern | None) -> None:
    """Check that the output and its working folder can be written; a folder of frames need not exist.

    Args:
        output: The file to write, or the pattern of the frames.
        frames: The names of the frames if the output is a sequence; otherwise None.

    Raises:
        FilmError: A folder does not exist or cannot be written.
    """
    is_created = frames is not None and not frames.folder.is_dir()
    for path in (frames.folder if frames and is_created else output, work_folder(output)):
        check_folder(path, FilmError)


def check_room(output: Path, frame_bytes: int, count: int, *, muxed: bool) -> None:
    """Check that an uncompressed film fits on the disk, together with what an earlier run has done of it.

    Args:
        output: The file to write, or the pattern of the frames.
        frame_bytes: Result of ``frame_size``; 0 if the size of the film is not known beforehand.
        count: Number of frames.
        muxed: Whether the film is muxed from its segments, so that the disk must hold it twice.

    Raises:
        FilmError: The disk has too little room.
        OSError: The disk or the working folder cannot be examined.
    """
    folder = work_folder(output)
    if not frame_bytes or is_publishing(folder):  # all frames are on the disk if they are being published
        return
    done = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    needed = frame_bytes * count * (2 if muxed else 1) - done
    disk = shutil.disk_usage(folder.parent)
    if disk.total and needed > disk.free:  # some file systems without a limit, or on a network, state no size
        raise FilmError(
            f"needs {needed / 1e9:.1f} GB, and {disk.free / 1e9:.1f} GB are free on its disk",
            path=output,
            remedy="make room, or choose another output or codec",
        )


def frame_size(codec: str, bits: int, width: int, height: int) -> int:
    """Return the least size of a frame in bytes, if the codec does not compress; otherwise 0.

    Args:
        codec: Key of ``CODECS``.
        bits: Bits per sample.
        width: Width in pixels.
        height: Height in pixels.
    """
    if codec == "v210":
        return -(-width // 48) * 128 * height
    return 3 * bits * width * height // 8 if codec == "dpx" else 0
