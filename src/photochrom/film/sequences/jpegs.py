"""Reads and writes the luma of JPEG frames as for photographs: decoded by libjpeg, and kept as it is coded."""

from __future__ import annotations

from pathlib import Path

import av
import cv2
import numpy as np
from simplejpeg import decode_jpeg

from ...color.gamut import gamut_factor
from ...color.luma_range import Sampling
from ...errors import FilmError
from ...photo.formats import damage
from ...photo.read import Photo
from ...photo.write import chroma_sampling, encode_photo
from ..frame_buffers import view

_NEUTRAL, _WHITE = 128, 255


def set_luma(frame: av.VideoFrame, data: memoryview, path: Path) -> None:
    """Replace the luma of a frame that FFmpeg decoded from a JPEG by libjpeg's, which photographs get.

    The frame of an RGB file has no luma, and is only checked.

    Args:
        frame: The frame, which is changed.
        data: The file.
        path: Its path, for messages.

    Raises:
        FilmError: The file is damaged, which FFmpeg's decoder conceals; or it is a CMYK picture, or a JPEG of another
            kind that libjpeg does not decode.
    """
    if len(frame.format.components) > 3:
        raise FilmError("is a CMYK picture", path=path, remedy="convert the frames to RGB")
    try:
        luma = decode_jpeg(data, "GRAY")
    except ValueError as exc:
        if damage.DAMAGED in damage.in_jpeg(bytes(data)):
            raise FilmError("is damaged", path=path, remedy="replace the file") from exc
        luma = _despite_warnings(data, path)
    if not frame.format.is_rgb:
        view(frame, 0)[...] = luma[..., 0]


def _despite_warnings(data: memoryview, path: Path) -> np.ndarray:
    """Decode the luma of a JPEG; warnings, such as of bytes behind the pixels, are ignored."""
    try:
        return decode_jpeg(data, "GRAY", strict=False)
    except ValueError as exc:
        raise FilmError(f"cannot be decoded ({exc})", path=path, remedy="convert the frames to PNG") from exc


def colored(photo: Photo, cb: np.ndarray, cr: np.ndarray, credit: str) -> bytes:
    """Encode a coloured frame as JPEG, with the coded luma and the metadata of its source.

    Args:
        photo: The source's frame.
        cb: Cb, uint8 ``[H, W]``.
        cr: Cr, of the same shape.
        credit: The label's text.

    Raises:
        PhotoError: The metadata does not fit into a JPEG.
    """
    cb, cr = _subsampled(photo.luma, cb, cr, chroma_sampling(photo, "JPEG"))
    return encode_photo(photo, cb, cr, format="JPEG", credit=credit)


def _subsampled(luma: np.ndarray, cb: np.ndarray, cr: np.ndarray, step: tuple[int, int]) -> tuple[np.ndarray, ...]:
    """Average chroma over ``step`` rows and columns, and bring it into gamut at the luma of all these pixels."""
    if step == (1, 1):
        return cb, cr
    sampling = Sampling(step)
    height, width = sampling.shape(luma)
    _, darkest, brightest = (part.astype(np.float32) for part in sampling.luma_range(luma, 0, height))
    edges = 0, height * step[0] - luma.shape[0], 0, width * step[1] - luma.shape[1]
    means = [
        cv2.resize(
            cv2.copyMakeBorder(plane, *edges, cv2.BORDER_REPLICATE), (width, height), interpolation=cv2.INTER_AREA
        )
        for plane in (cb, cr)
    ]
    blue, red = (mean.astype(np.float32) - _NEUTRAL for mean in means)
    factor = gamut_factor(blue, red, darkest, brightest, white=_WHITE)
    return tuple(np.rint(factor * plane + _NEUTRAL).astype(np.uint8) for plane in (blue, red))
