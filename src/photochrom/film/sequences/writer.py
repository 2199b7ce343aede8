"""``SequenceWriter``: writes coloured frames as numbered files, in parallel, each of them atomically."""

from __future__ import annotations

import os
import struct
import threading
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from fractions import Fraction
from io import BytesIO
from pathlib import Path

import av
import numpy as np

from ...atomic import new_file
from ...color.bands import thread_limit, upright
from ...errors import FilmError, PhotoError
from ...label import short_statement
from ...photo.formats import png, tiff_writer
from ...photo.formats.image import NO_UNIT, Density, Metadata, Planes
from ...photo.inspection import count_pages
from ...photo.metadata import metadata_for
from ...photo.read import Photo, read_photo
from ...photo.write import encode_photo
from ..frame_buffers import frames_within, pool, view
from ..planes import PlaneFormat
from ..reader import FilmReader
from ..source.time_code import add_frames
from . import exr, jpegs
from .dpx import DpxHeader, file_of, new_header, read_header
from .frame_metadata import PHOTOS
from .names import Pattern
from .pixels import encoded, rgb_of_frame, rgb_of_planes
from .reader import SequenceReader

_XMP_BOX = bytes.fromhex("BE7ACFCB97A942E89C71999491E3AFAC")  # UUID of a JPEG 2000 box that holds XMP
_LOSSLESS_JP2 = {"pred": "dwt53", "format": "jp2"}  # options of FFmpeg's encoder
_INVERSE = {6: 8, 8: 6}  # EXIF orientations that turn an upright frame back; the others are their own inverse
_WRITE_BYTES = 192e6  # limit on the frames that are written in parallel


class SequenceWriter:
    """Writes the frames of one segment as numbered files; has the same methods as ``SegmentEncoder``.

    Args:
        pattern: Names of the files to write.
        first: Number of the source's first frame in these names.
        reader: The source.
        planes: Format of the frames.
        label: Credit that is written into the files.
    """

    def __init__(self, pattern: Pattern, first: int, reader: FilmReader, planes: PlaneFormat, label: str) -> None:
        self.pts: list[int] = []
        self.delay = 0
        """Always 0: frames are not reordered."""
        self._pattern, self._first, self._reader, self._planes = pattern, first, reader, planes
        self._label, self._thread_data = label, threading.local()
        pixels = reader.width * reader.height * np.dtype(planes.dtype).itemsize
        # Each frame needs memory for its planes, for RGB and for the encoded file.
        self.at_once = frames_within(_WRITE_BYTES, 9 * pixels, thread_limit() or os.cpu_count() or 1)
        """Number of frames that are written in parallel."""
        self._pool = ThreadPoolExecutor(self.at_once)
        self._waiting: deque[Future[None]] = deque()

    def write(self, frame: av.VideoFrame | None, pts: int) -> None:
        """Start to write a frame in another thread, which then gives it back to the pool of frames.

        Waits while ``at_once`` frames are being written.

        Args:
            frame: The frame, which the caller must not use any more; None stands for a frame whose file exists.
            pts: Its pts.

        Raises:
            FilmError, PhotoError, OptionError, OSError: An earlier frame could not be written.
        """
        self.pts.append(pts)
        if frame is None:
            return
        while len(self._waiting) >= self.at_once:
            self._waiting.popleft().result()
        self._waiting.append(self._pool.submit(self._write, frame, pts))

    def finish(self) -> None:
        """Wait until all files are written.

        Raises:
            FilmError, PhotoError, OptionError, OSError: A frame could not be written.
        """
        while self._waiting:
            self._waiting.popleft().result()
        self._pool.shutdown()

    def abandon(self) -> None:
        """Cancel the frames whose writing has not begun, and wait for the others."""
        self._pool.shutdown(wait=True, cancel_futures=True)

    def _write(self, frame: av.VideoFrame, pts: int) -> None:
        path = self._pattern.file(number_of(self._reader, self._first, pts))
        if self._pattern.format == "dpx":
            parts = self._dpx(frame, pts, path.name)
        elif self._pattern.format == "jp2":
            parts = self._jp2(frame)
        elif self._pattern.format == "exr":
            parts = (self._exr(frame, pts),)
        else:
            parts = (self._photo(frame, pts),)
        with new_file(path, overwrite=True) as stream:
            for part in parts:
                stream.write(part)
        pool.give_back(frame)

    def _dpx(self, frame: av.VideoFrame, pts: int, name: str) -> tuple[bytes | memoryview, ...]:
        index = round(self._reader.seconds(pts) * self._reader.rate)
        header, time_code = self._header(pts, index)
        order = "be" if header.order == ">" else "le"
        formats = {8: "rgb24", 10: f"gbrp10{order}", 12: f"gbrp12{order}", 16: f"rgb48{order}"}
        rgb = self._rgb(frame, formats[self._planes.coding.bits], header.orientation)
        return file_of(header, encoded(rgb, "dpx", {}), name, short_statement(), time_code, index)

    def _header(self, pts: int, index: int) -> tuple[DpxHeader, str]:
        """Return the header of the source's frame, or a new one if that is not DPX, and the time code to write.

        The time code is empty if there is none, or that of the header is to be kept. Errors are those of ``write``.
        """
        code = add_frames(self._reader.time_code, index, self._reader.rate) or ""
        reader = self._reader
        if isinstance(reader, SequenceReader) and reader.pattern.format == "dpx":
            header = read_header(reader.file(pts))
            filled = reader.is_filled(pts)
            return header, code if filled else ""
        return new_header(">", reader.aspect, Fraction(reader.rate)), code

    def _rgb(self, frame: av.VideoFrame, name: str, orientation: int = 1) -> av.VideoFrame:
        """Convert an upright frame to RGB, stored in an EXIF orientation."""
        y, cb, cr = (view(frame, index) for index in range(3))
        if orientation != 1:
            y, cb, cr = (upright(plane, _INVERSE.get(orientation, orientation)) for plane in (y, cb, cr))
        if not hasattr(self._thread_data, "rgb"):
            self._thread_data.rgb = av.VideoFrame(y.shape[1], y.shape[0], name)
        rgb: av.VideoFrame = self._thread_data.rgb  # reused, because allocating a frame takes as long as filling it
        rgb_of_planes(y, cb, cr, self._planes.coding, rgb_of_frame(rgb))
        return rgb

    def _jp2(self, frame: av.VideoFrame) -> tuple[bytes | memoryview, ...]:
        deep = self._planes.coding.bits > 8
        data = encoded(self._rgb(frame, "rgb48le" if deep else "rgb24"), "jpeg2000", _LOSSLESS_JP2)
        packet = _labelled("PNG", self._label).xmp or b""
        return data, struct.pack(">I4s", 24 + len(packet), b"uuid"), _XMP_BOX, packet

    def _exr(self, frame: av.VideoFrame, pts: int) -> bytes:
        reader = self._reader
        assert isinstance(reader, SequenceReader)  # checked by the plan
        code = add_frames(reader.time_code, pts, reader.rate) if reader.is_filled(pts) else None
        planes = (view(frame, 0), view(frame, 1), view(frame, 2))
        return exr.colored(reader.file(pts), planes, self._planes.coding, self._label, code or "")

    def _photo(self, frame: av.VideoFrame, pts: int) -> bytes:
        """Encode a frame as PNG, TIFF or JPEG, with the metadata of the source's frame if that is one of these, too."""
        format = PHOTOS[self._pattern.format]
        y, cb, cr = (view(frame, index) for index in range(3))
        reader, metadata = self._reader, _labelled(format, self._label)
        if isinstance(reader, SequenceReader) and reader.pattern.format in PHOTOS:
            photo = _photo(reader.file(pts))
            if format == "JPEG":
                return jpegs.colored(photo, cb, cr, self._label)
            if keeps_alpha(reader, self._pattern.format, self._planes.coding.bits):
                return encode_photo(photo.with_luma(y), cb, cr, format=format, credit=self._label)
            metadata = metadata_for(photo.metadata, source_format=photo.format, format=format, credit=self._label)
        if reader.aspect != 1 and metadata.density is None:
            down, across = map(Fraction, reader.aspect.as_integer_ratio())
            metadata = replace(metadata, density=Density(across, down, NO_UNIT))
        stream = BytesIO()
        write = png.write if format == "PNG" else tiff_writer.write
        write(stream, Planes(y, cb, cr), metadata)
        return stream.getvalue()


def keeps_alpha(reader: FilmReader, format: str, bits: int) -> bool:
    """Return whether written frames get the alpha channel of the source's frames.

    In OpenEXR they always do. In other formats they do if both formats are PNG, TIFF or JPEG, and source and output
    both have 8 bits or both more.

    Args:
        reader: The source.
        format: Format of the written frames; a key of ``FORMATS``.
        bits: Bits per sample of the written frames.
    """
    if format == "exr":
        return True
    if not isinstance(reader, SequenceReader) or not {format, reader.pattern.format} <= PHOTOS.keys():
        return False
    return (bits > 8) == (max(part.bits for part in reader.video.codec_context.format.components) > 8)


def number_of(reader: FilmReader, first: int, pts: int) -> int:
    """Return the number in the file name of a frame.

    Args:
        reader: The film.
        first: Number of the film's first frame.
        pts: Time stamp of the frame.
    """
    return first + round(reader.seconds(pts) * reader.rate)


def _labelled(format: str, label: str) -> Metadata:
    """Return metadata that holds only the label."""
    return metadata_for(Metadata(), source_format=format, format=format, credit=label)


def publish_frames(work: Pattern, target: Pattern, numbers: list[int]) -> None:
    """Move finished frames to their final names, in a folder that is created; an interrupted call can be repeated.

    Args:
        work: Names of the frames in the working folder.
        target: Final names.
        numbers: Numbers of the frames.

    Raises:
        OSError: A file cannot be moved, or exists under neither name.
    """
    target.folder.mkdir(exist_ok=True)
    for number in numbers:
        part, path = work.file(number), target.file(number)
        if part.is_file() or not path.is_file():
            part.replace(path)


def first_existing(target: Pattern, numbers: list[int]) -> Path | None:
    """Return the first file with one of these numbers that exists already; None if none exists.

    Raises:
        OSError: The folder cannot be read.
    """
    existing = {path.name for path in target.folder.iterdir()} if target.folder.is_dir() else set()
    return next((path for path in map(target.file, numbers) if path.name in existing), None)


def _photo(path: Path) -> Photo:
    """Read the file of a frame as a photograph.

    Raises:
        PhotoError: The file cannot be read.
        FilmError: The file holds several pages.
    """
    try:
        return read_photo(path)
    except PhotoError as exc:
        with suppress(OSError):  # then ``exc`` says why the file cannot be read
            if (count := count_pages(path.read_bytes())) > 1:
                problem = f"holds {count} pages, and a frame is one picture"
                raise FilmError(problem, path=path, remedy="save each page as a file") from exc
        raise
