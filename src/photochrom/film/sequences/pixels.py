"""Pixels of numbered frames: converts RGB to luma and chroma and back, turns frames, and encodes them with FFmpeg."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import av
import cv2
import numpy as np

from ...color.bands import strips, upright
from ...color.coding import Coding
from ..frame_buffers import view

_TURNABLE = {"pal8": "rgb24", "monob": "gray", "monow": "gray"}
"""Formats to which those are converted that do not store whole bytes of each pixel; subsampled ones to yuv444p."""


def rgb_of_frame(frame: av.VideoFrame) -> list[np.ndarray]:
    """Return red, green and blue of an RGB frame as views of its memory, uint8 or uint16 ``[H, W]``, without alpha."""
    if len(frame.planes) >= 3:  # FFmpeg stores green, blue, red
        return [view(frame, 2), view(frame, 0), view(frame, 1)]
    samples, names = len(frame.format.components), frame.format.name
    plane = frame.planes[0]
    dtype = np.uint8 if frame.format.components[0].bits == 8 else np.dtype(">u2" if names.endswith("be") else "<u2")
    rows = np.frombuffer(plane, dtype).reshape(frame.height, -1)[:, : frame.width * samples]
    pixels = rows.reshape(frame.height, frame.width, samples)
    return [pixels[..., names.index(letter)] for letter in "rgb"]


def luma_and_chroma(frame: av.VideoFrame, coding: Coding, *, chroma: bool) -> list[np.ndarray]:
    """Compute the luma of an RGB frame, and optionally Cb and Cr.

    The luma of a grey pixel is exactly its value.

    Args:
        frame: RGB of the depth of ``coding``.
        coding: Depth and matrix of the result; full range.
        chroma: Whether to compute Cb and Cr.

    Returns:
        A list of luma, followed by Cb and Cr if they are computed, uint8 or uint16 ``[H, W]``. If only the luma of a
        grey frame is asked for, it is a view of the frame's memory, in the frame's byte order.
    """
    red, green, blue = rgb_of_frame(frame)
    dtype = np.uint8 if coding.bits == 8 else np.uint16
    if not chroma and np.array_equal(red, green) and np.array_equal(green, blue):
        return [green]
    weights = coding.matrix
    found = [np.empty(green.shape, dtype) for _ in range(3 if chroma else 1)]
    for start, stop in strips(*green.shape):
        r, g, b = (plane[start:stop].astype(np.float32) for plane in (red, green, blue))
        y = np.float32(weights.red) * (r - g) + np.float32(weights.blue) * (b - g) + g
        planes = (
            [y]
            if not chroma
            else [y, _centred(b - y, weights.cb_to_b, coding), _centred(r - y, weights.cr_to_r, coding)]
        )
        for plane, values in zip(found, planes, strict=True):
            plane[start:stop] = np.clip(np.rint(values), 0, coding.highest)
    return found


def _centred(difference: np.ndarray, gain: float, coding: Coding) -> np.ndarray:
    """Scale the difference of blue or red from the luma to Cb or Cr."""
    return difference / np.float32(gain) + np.float32(coding.neutral)


def rgb_of_planes(luma: np.ndarray, cb: np.ndarray, cr: np.ndarray, coding: Coding, out: list[np.ndarray]) -> None:
    """Convert Y'CbCr to R'G'B' that has exactly the given luma wherever the chroma is in gamut.

    Red and blue are rounded first; green is then computed from them and the luma.

    Args:
        luma: uint8 or uint16 ``[H, W]``, full range.
        cb: Cb, of the shape and dtype of ``luma``.
        cr: Cr, of the shape and dtype of ``luma``.
        coding: Depth, range and matrix of these planes.
        out: Red, green and blue to write into, of the shape of ``luma``, with any strides and either byte order.
    """
    matrix, top = coding.matrix, coding.highest
    for start, stop in strips(*luma.shape):
        part = slice(start, stop)
        y = luma[part].astype(np.float32)
        red = _sum(luma[part], cr[part], matrix.cr_to_r, coding)
        blue = _sum(luma[part], cb[part], matrix.cb_to_b, coding)
        y -= np.float32(matrix.red) * red
        y -= np.float32(matrix.blue) * blue
        y *= np.float32(1 / matrix.green)
        green = np.clip(np.rint(y, out=y), 0, top, out=y)
        for plane, values in zip(out, (red, green, blue), strict=True):
            plane[part] = values


def _sum(luma: np.ndarray, chroma: np.ndarray, gain: float, coding: Coding) -> np.ndarray:
    """Compute red or blue from luma and Cr or Cb, rounded and clipped."""
    add: Any = cv2.addWeighted
    found: np.ndarray = add(luma, 1, chroma, gain, -gain * coding.neutral)  # rounded, and no less than 0
    return found if coding.highest == np.iinfo(found.dtype).max else cv2.min(found, coding.highest)  # type: ignore[call-overload]


def turned(frame: av.VideoFrame, orientation: int) -> av.VideoFrame:
    """Return a copy of a frame that is upright, given its EXIF orientation, 1 to 8."""
    name = frame.format.name
    if name in _TURNABLE or (name.startswith("yuv") and "444" not in name):
        frame = frame.reformat(format=_TURNABLE.get(name, "yuv444p"))
    height, width = (frame.width, frame.height) if orientation >= 5 else (frame.height, frame.width)
    new = av.VideoFrame(width, height, frame.format.name)
    for old_pixels, new_pixels in zip(_whole_pixels(frame), _whole_pixels(new), strict=True):
        new_pixels[...] = upright(old_pixels, orientation)
    new.colorspace, new.color_range = frame.colorspace, frame.color_range
    return new


def _whole_pixels(frame: av.VideoFrame) -> list[np.ndarray]:
    """Return the planes of a frame as views of its memory, ``[H, W]``; an element holds all bytes of a pixel there."""
    size = frame.format.padded_bits_per_pixel // 8 // len(frame.planes)
    rows = [np.frombuffer(plane, np.uint8).reshape(frame.height, -1)[:, : frame.width * size] for plane in frame.planes]
    return [part.view(np.dtype((np.void, size))) for part in rows]


def encoded(frame: av.VideoFrame, codec: str, options: dict[str, str]) -> memoryview:
    """Encode one frame with an encoder of FFmpeg, and return the bytes of the file.

    Args:
        frame: The frame, whose pts is changed.
        codec: Name of the encoder.
        options: Options of the encoder.
    """
    context = av.CodecContext.create(codec, "w")
    assert isinstance(context, av.VideoCodecContext)
    context.width, context.height, context.pix_fmt = frame.width, frame.height, frame.format.name
    context.time_base, context.options, context.thread_count = Fraction(1, 24), options, 1
    frame.pts = 0
    packets = [*context.encode(frame), *context.encode(None)]
    return memoryview(packets[0])
