"""Pictures and colours for tests of reading and writing, made without Photochrom's own arithmetic."""

from __future__ import annotations

import struct
from dataclasses import replace
from io import BytesIO

import numpy as np
import tifffile
from PIL import Image

from photochrom import photo

MODEL = "tiny 1.0, sha256 0123abcd"
COLOR_FORMATS = ("JPEG", "PNG", "TIFF", "WEBP", "HEIF", "AVIF")


def bt601(rgb: np.ndarray) -> np.ndarray:
    """Compute the BT.601 luma in float64 by its definition, rounded."""
    return np.rint(rgb[..., :3].astype(np.float64) @ [0.299, 0.587, 0.114]).astype(rgb.dtype)


def colours(height: int, width: int, dtype: type, seed: int = 0) -> np.ndarray:
    """Return random R'G'B', including every corner of the cube, ``[height, width, 3]``."""
    generator = np.random.default_rng(seed)
    top = int(np.iinfo(dtype).max)
    rgb = generator.integers(0, top, (height, width, 3), dtype=dtype, endpoint=True)
    corners = generator.random((height, width, 1)) < 0.2
    return np.where(corners, np.where(rgb > top // 2, top, 0), rgb).astype(dtype)


def chroma(rgb: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Compute Cb and Cr of R'G'B' by the definition, rounded: in gamut for the luma of ``rgb``."""
    top = int(np.iinfo(rgb.dtype).max)
    y = bt601(rgb).astype(np.float64)
    planes = [(rgb[..., i] - y) / scale + (top + 1) // 2 for i, scale in ((2, 1.772), (0, 1.402))]
    cb, cr = (np.clip(np.rint(plane), 0, top).astype(rgb.dtype) for plane in planes)
    return cb, cr


def smooth(height: int, width: int) -> np.ndarray:
    """Return a grey picture with gradients and an edge, uint8, which codecs compress well."""
    y, x = np.mgrid[0:height, 0:width]
    wave = 90 * np.sin(x / 17) + 60 * np.cos(y / 11)
    return np.clip(128 + wave * (1 - 0.5 * (x > width // 2)), 0, 255).astype(np.uint8)


def saved(picture: Image.Image | np.ndarray, format: str, **options: object) -> bytes:
    """Encode a picture with Pillow."""
    image = picture if isinstance(picture, Image.Image) else Image.fromarray(picture)
    stream = BytesIO()
    image.save(stream, format, **options)
    return stream.getvalue()


def linear_dng(picture: np.ndarray, samples: int = 1) -> bytes:
    """Return a grey picture, uint8, as a scanner's linear DNG."""
    light = np.rint((picture / 255.0) ** 2.2 * 65535).astype(np.uint16)
    pixels = light if samples == 1 else np.dstack([light] * 3)
    stream = BytesIO()
    photometric = "minisblack" if samples == 1 else "rgb"
    version = [(50706, 1, 4, (1, 4, 0, 0), True)]
    tifffile.imwrite(stream, pixels, photometric=photometric, extratags=version, metadata=None)
    tag = struct.pack("<HHI", 262, 3, 1)  # tifffile writes no linear raw of one channel
    place = stream.getvalue().index(tag) + len(tag)
    stream.seek(place)
    stream.write(struct.pack("<H", 34892))
    return stream.getvalue()


def neutral(picture: photo.Photo, format: str) -> tuple[np.ndarray, np.ndarray]:
    """Return neutral chroma planes, in the shape that ``encode`` requires for a format."""
    steps = photo.chroma_sampling(picture, format)
    shape = tuple(-(-side // step) for side, step in zip(picture.luma.shape, steps, strict=True))
    plane = np.full(shape, (int(np.iinfo(picture.luma.dtype).max) + 1) // 2, picture.luma.dtype)
    return plane, plane.copy()


def coloured(picture: photo.Photo, format: str, *, lossless: bool = False, **options: object) -> bytes:
    """Encode the photograph in a format with neutral chroma; if ``lossless``, as if it came from a lossless WebP."""
    picture = replace(picture, lossless=lossless or picture.lossless)
    cb, cr = neutral(picture, format)
    return photo.encode_photo(picture, cb, cr, format=format, credit=MODEL, **options)


def opened(data: bytes) -> Image.Image:
    """Open a file with Pillow."""
    image = Image.open(BytesIO(data))
    image.load()
    return image
