"""Reads OpenEXR frames as display values (sRGB curve), and writes them with new colours and the same luminance.

Frames are shown at their display window: the data window is cropped to it, or surrounded with black. The coloured
channels are R, G and B, also in place of Y, RY and BY. They have the source's type, half or float, and its primaries.
Their luminance, computed with the file's chromaticities, rounds to the source's value at every pixel. Other channels,
other parts and the header are kept; lossy compression becomes lossless.
"""

from __future__ import annotations

import functools
import re
from fractions import Fraction
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import av
import numpy as np

from ...color.bands import strips
from ...color.coding import Coding
from ...color.spaces import BT709, RGB_TO_XYZ, Matrix, linear_to_srgb, srgb_to_linear
from ...errors import FilmError, message_of, needed_for
from ...label import with_statement
from ..source.opening import reading
from .headers import Header
from .pixels import rgb_of_planes

if TYPE_CHECKING:
    from types import ModuleType

_HIGHEST = 65535
_REMEDY = "convert it to DPX or TIFF"
_LUMINANCE_AND_CHROMA = ("Y", "RY", "BY")
# Factors on a pixel's chroma, tried in turn until its luminance is exact. If all of them fail, the pixel becomes grey.
_FACTORS = (1, 0.5, 0.25)
_STRUCTURE = {
    "channels", "chunkCount", "compression", "dataWindow", "displayWindow", "lineOrder", "name", "pixelAspectRatio",
    "screenWindowCenter", "screenWindowWidth", "tiles", "type", "version",
    "framesPerSecond", "reelName", "timeCode",
}  # fmt: skip
"""Attributes that describe the pixels as stored, and those that become properties of the film."""
_LOSSY = ("PXR24", "B44", "B44A", "DWAA", "DWAB")  # PXR24 only for float
_LEAST_VOLUME = 1e-6  # least determinant of three primaries in XYZ, each of luminance 1
_LOSSLESS = "PIZ"  # suits the grain of film
_CONES = np.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]])
"""From XYZ to the cone responses in which white points are adapted (Bradford, as in ICC profiles)."""
_TIME_CODE = re.compile(r"(\d+):(\d+):(\d+)([:;])(\d+)")


def _openexr(path: Path) -> ModuleType:
    """Import OpenEXR, which is an optional dependency; raise an error that names ``path`` if it is not installed."""
    with needed_for(str(path), "exr", FilmError):
        import OpenEXR
    module: ModuleType = OpenEXR
    return module


def _opened(path: Path, *, header_only: bool = False) -> Any:
    """Open an OpenEXR file.

    Raises:
        FilmError: The file is missing or damaged, has deep pixels, or has neither R, G and B nor Y in its first part;
            or OpenEXR is not installed.
    """
    exr = _openexr(path)
    try:
        with reading(path), path.open("rb") as stream:
            file = exr.File(stream, separate_channels=True, header_only=header_only)
            header = file.header()
    except FilmError:
        raise
    except Exception as exc:  # the library raises RuntimeError, ValueError and others
        raise FilmError(f"cannot be decoded ({message_of(exc)})", path=path, remedy="replace the file") from exc
    if "deep" in str(header["type"]):
        raise FilmError("has deep pixels, with several samples each", path=path, remedy="flatten it first")
    sampling = {c.name: (c.xSampling, c.ySampling) for c in header["channels"]}
    if any(sampling.get(name) != (1, 1) for name in _picture(sampling)):
        raise FilmError("has no channels R, G and B, nor Y, in its first part", path=path, remedy=_REMEDY)
    return file


def _picture(names: Any) -> tuple[str, ...]:
    """Return the names of the channels that hold the picture."""
    return ("Y",) if "Y" in names and "G" not in names else ("R", "G", "B")


def read_header(path: Path) -> Header:
    """Read the header of an OpenEXR frame.

    Raises:
        FilmError: The file cannot be read, its pixels are of an unsupported kind, its chromaticities are invalid, or
            OpenEXR is not installed.
    """
    header = _opened(path, header_only=True).header()
    _to_xyz(header, path)
    width, height = _size(header["displayWindow"])
    channels = {channel.name: (channel.xSampling, channel.ySampling) for channel in header["channels"]}
    code, rate = header.get("timeCode"), header.get("framesPerSecond")
    dropped = [name for name in _LUMINANCE_AND_CHROMA if name in channels and "G" not in channels]
    return Header(
        width,
        height,
        "the channels " + ", ".join(_in_words(name, *sampling) for name, sampling in sorted(channels.items())),
        rate=Fraction(rate) if rate and rate > 0 else None,
        time_code=_text(code) if code else "",
        reel_name=str(header.get("reelName", "")),
        aspect=Fraction(header["pixelAspectRatio"]).limit_denominator(1000),
        dropped=tuple(dropped[1:]),
        overscan=_size(_shared(header)) != _size(header["dataWindow"]),
    )


def compression_notes(path: Path) -> list[str]:
    """Return a note if the coloured frames of a sequence are compressed in another way than this frame.

    Raises:
        FilmError: The file cannot be read.
    """
    found = [name for part in _opened(path, header_only=True).parts if (name := _compression(part)) in _LOSSY]
    return (
        [f"lossy compression ({', '.join(dict.fromkeys(found))}) becomes {_LOSSLESS}, which keeps the luma"]
        if found
        else []
    )


def _compression(part: Any) -> str:
    name: str = part.header["compression"].name
    return name.removesuffix("_COMPRESSION")


def described(path: Path) -> list[str]:
    """Return the names of attributes, channels and parts of an OpenEXR file that no other format holds.

    Raises:
        FilmError: The file cannot be read.
    """
    file = _opened(path, header_only=True)
    header = file.header()
    found = [f"attribute {name}" for name in sorted(header.keys() - _STRUCTURE)]
    channels = [c.name for c in header["channels"] if c.name not in (*"RGB", *_LUMINANCE_AND_CHROMA)]
    found += [f"channel {name}" for name in sorted(channels)]
    return found + [f"part {part.header.get('name', '')}".strip() for part in file.parts[1:]]


def _in_words(name: str, columns: int, rows: int) -> str:
    """Describe a channel by its name and subsampling."""
    return name if columns == rows == 1 else f"{name} (one in {columns} x {rows} pixels)"


def _text(code: Any) -> str:
    return f"{code.hours:02}:{code.minutes:02}:{code.seconds:02}{';' if code.dropFrame else ':'}{code.frame:02}"


def _to_xyz(header: dict[str, Any], path: Path) -> np.ndarray:
    """Return the matrix ``[3, 3]`` from a file's linear RGB to XYZ; of Rec. 709 if it states no chromaticities.

    Raises:
        FilmError: The chromaticities are not those of three colours and a white.
    """
    if (stated := header.get("chromaticities")) is None:
        return RGB_TO_XYZ
    with np.errstate(divide="ignore", invalid="ignore"):
        xyz = np.array([(x / y, 1, (1 - x - y) / y) for x, y in np.asarray(stated, np.float64).reshape(4, 2)]).T
    if not np.isfinite(xyz).all() or abs(np.linalg.det(xyz[:, :3])) < _LEAST_VOLUME:
        raise FilmError(
            "states chromaticities that are not those of three colours", path=path, remedy="correct or remove them"
        )
    found: np.ndarray = xyz[:, :3] * np.linalg.solve(xyz[:, :3], xyz[:, 3])
    return found


def _matrix(to_xyz: np.ndarray) -> Matrix:
    """Return the weights of red, green and blue in the luminance; exactly those of Rec. 709 for its primaries."""
    return BT709 if to_xyz is RGB_TO_XYZ else Matrix(float(to_xyz[1, 0]), float(to_xyz[1, 2]))


def _from_rec709(to_xyz: np.ndarray) -> np.ndarray:
    """Return the matrix ``[3, 3]`` from linear Rec. 709 to a file's RGB, which keeps grey grey whatever the white."""
    ours, theirs = (_CONES @ matrix for matrix in (RGB_TO_XYZ, to_xyz))
    return np.linalg.solve(theirs / theirs.sum(1, keepdims=True), ours / ours.sum(1, keepdims=True))


def _luminance(planes: list[np.ndarray], matrix: Matrix) -> np.ndarray:
    """Return the luminance of linear planes ``[H, W]``, float64; for a grey pixel, exactly its value."""
    if len(planes) == 1:
        return planes[0].astype(np.float64)
    red, green, blue = (plane.astype(np.float64) for plane in planes)
    with np.errstate(invalid="ignore"):  # infinities give NaN here, and count as grey
        found = matrix.red * (red - green) + matrix.blue * (blue - green) + green
    grey = (red == green) & (blue == green)
    return np.where(grey, green, found)


def _planes(channels: dict[str, Any], path: Path) -> list[np.ndarray]:
    """Return the planes ``[H, W]`` of the picture: luminance, or red, green and blue.

    Raises:
        FilmError: They are whole numbers, for which OpenEXR defines no white.
    """
    found = [channels[name].pixels for name in _picture(channels)]
    if any(plane.dtype.kind != "f" for plane in found):
        raise FilmError("holds whole numbers (UINT), not half or float", path=path, remedy=_REMEDY)
    return found


def read_displayed(path: Path) -> av.VideoFrame:
    """Decode a frame as it is displayed: linear light from 0 to 1 is converted to Rec. 709 and by the sRGB curve.

    Returns:
        RGB of 16 bits, or grey of 16 bits if the picture's only channel is luminance; of the size of the display
        window. Pixels that are not stored are black.

    Raises:
        FilmError: The file cannot be read, its pixels are of an unsupported kind, its display window is too large, or
            OpenEXR is not installed.
    """
    file = _opened(path)
    header = file.header()
    planes, to_xyz, shared = _planes(file.channels(), path), _to_xyz(header, path), _shared(header)
    planes = [plane[_within(shared, header["dataWindow"])] for plane in planes]
    pixels, frame = _black(*_size(header["displayWindow"]), len(planes), path)
    pixels = pixels[_within(shared, header["displayWindow"])]
    if not pixels.size:
        return frame
    is_converted = len(planes) == 3 and to_xyz is not RGB_TO_XYZ
    to_rec709 = np.linalg.inv(_from_rec709(to_xyz)) if is_converted else None
    for start, stop in strips(*planes[0].shape):
        light = np.stack([plane[start:stop].astype(np.float32) for plane in planes])
        if to_rec709 is not None:
            is_grey = (light == light[0]).all(0)
            light = np.where(is_grey, light, _converted(light, to_rec709))
        shown = linear_to_srgb(np.clip(np.nan_to_num(light, nan=0), 0, 1))
        pixels[start:stop] = np.rint(_HIGHEST * np.moveaxis(shown, 0, -1))
    return frame


def _black(width: int, height: int, samples: int, path: Path) -> tuple[np.ndarray, av.VideoFrame]:
    """Return a black frame of 16 bits, grey or RGB, behind a view ``[H, W, samples]`` of its memory.

    Raises:
        FilmError: FFmpeg supports no frame of this size.
    """
    try:
        frame = av.VideoFrame(width, height, "gray16be" if samples == 1 else "rgb48be")
    except ValueError as exc:
        problem = f"shows {width} x {height} pixels, more than FFmpeg supports"
        raise FilmError(problem, path=path, remedy="crop its display window") from exc
    rows = np.frombuffer(frame.planes[0], ">u2").reshape(height, -1)[:, : width * samples]
    rows[...] = 0
    return rows.reshape(height, width, samples), frame


def _converted(rgb: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """Multiply the colours ``[3, H, W]`` by a matrix; infinities may become NaN."""
    with np.errstate(invalid="ignore"):
        found: np.ndarray = np.tensordot(matrix, rgb, 1)
    return found


@functools.cache
def _linear() -> np.ndarray:
    """Return the linear light of each 16-bit display value, float32 ``[65536]``."""
    found: np.ndarray = srgb_to_linear(np.arange(_HIGHEST + 1, dtype=np.float32) / _HIGHEST).astype(np.float32)
    return found


def colored(
    path: Path, planes: tuple[np.ndarray, np.ndarray, np.ndarray], coding: Coding, label: str, time_code: str = ""
) -> bytes:
    """Return an OpenEXR file with new colours, and everything else as in the source.

    Pixels outside the display window get the colours of the nearest pixel inside it.

    Args:
        path: The black-and-white frame.
        planes: Y', Cb and Cr of the frame as it is displayed, uint16 ``[H, W]`` each.
        coding: Depth, range and matrix of these planes.
        label: Credit that is added to the comments.
        time_code: Time code to write, if the frame has one; empty to keep the frame's own.

    Raises:
        FilmError: The file cannot be read, its pixels are of an unsupported kind, or OpenEXR is not installed.
    """
    exr, file = _openexr(path), _opened(path)
    for part in file.parts:
        if _compression(part) in _LOSSY:
            part.header["compression"] = getattr(exr, f"{_LOSSLESS}_COMPRESSION")
    header, channels = dict(file.header()), dict(file.channels())
    places = np.ix_(*_nearest_shown(header))
    shown = (planes[0][places], planes[1][places], planes[2][places])
    new = _with_colors(_planes(channels, path), shown, coding, _to_xyz(header, path))
    kept = {name: c for name, c in channels.items() if "G" in channels or name not in _LUMINANCE_AND_CHROMA}
    kept |= {name: exr.Channel(name, plane) for name, plane in zip("RGB", new, strict=True)}
    header["comments"] = with_statement(str(header.get("comments", "")), label)
    if time_code and "timeCode" in header:
        _set_time(header["timeCode"], time_code)
    first = exr.Part(header, kept, *([header["name"]] if "name" in header else []))
    stream = BytesIO()
    exr.File([first, *file.parts[1:]]).write(stream)
    return stream.getvalue()


def _set_time(code: Any, text: str) -> None:
    if parts := _TIME_CODE.fullmatch(text):
        code.hours, code.minutes, code.seconds, code.frame = (int(parts[index]) for index in (1, 2, 3, 5))


def _with_colors(
    source: list[np.ndarray], planes: tuple[np.ndarray, np.ndarray, np.ndarray], coding: Coding, to_xyz: np.ndarray
) -> list[np.ndarray]:
    """Return linear R, G and B with the source's dtype, primaries and luminance, and the chroma of displayed planes."""
    matrix, from_rec709 = _matrix(to_xyz), None if to_xyz is RGB_TO_XYZ else _from_rec709(to_xyz)
    dtype = source[0].dtype
    found = [np.empty(source[0].shape, dtype) for _ in range(3)]
    for start, stop in strips(*source[0].shape):
        luminance = _luminance([plane[start:stop] for plane in source], matrix)
        displayed = [np.empty(luminance.shape, np.uint16) for _ in range(3)]
        y, cb, cr = (plane[start:stop] for plane in planes)
        rgb_of_planes(y, cb, cr, coding, displayed)
        rgb = np.stack([_linear()[plane] for plane in displayed]).astype(np.float64)
        if from_rec709 is not None:
            rgb = _converted(rgb, from_rec709)
        for plane, values in zip(found, _scaled(rgb, luminance, matrix, dtype), strict=True):
            plane[start:stop] = values
    return found


def _scaled(rgb: np.ndarray, luminance: np.ndarray, matrix: Matrix, dtype: np.dtype[Any]) -> np.ndarray:
    """Scale linear colours ``[3, H, W]`` so that, rounded to ``dtype``, they have exactly the given luminance.

    Where rounding prevents that, a pixel gets less chroma, or none.
    """
    target = luminance.astype(dtype).ravel()
    rgb, old = rgb.reshape(3, -1), _luminance(list(rgb), matrix).ravel()
    new = np.repeat(target[None], 3, axis=0)
    pending = np.flatnonzero(np.isfinite(target) & (target > 0) & (old > 0))  # pixels without colours so far
    for factor in _FACTORS:
        y = target[pending].astype(np.float64)
        tried = _rounded((rgb[:, pending] / old[pending] - 1) * y * factor + y, y, matrix, dtype)
        exact = _luminance(list(tried), matrix).astype(dtype) == target[pending]
        new[:, pending[exact]] = tried[:, exact]
        pending = pending[~exact]
        if not pending.size:
            break
    return new.reshape(3, *luminance.shape)


def _rounded(rgb: np.ndarray, luminance: np.ndarray, matrix: Matrix, dtype: np.dtype[Any]) -> np.ndarray:
    """Round colours ``[3, N]`` to a dtype, in an order that keeps their luminance ``[N]`` as exact as possible.

    Red compensates for the rounding of green, and then blue, whose weight in the luminance is least, for both.
    """
    with np.errstate(over="ignore"):
        green = np.maximum(rgb[1], 0).astype(dtype)
        rest = luminance - matrix.green * green.astype(np.float64)
        red = np.maximum((rest - matrix.blue * rgb[2]) / matrix.red, 0).astype(dtype)
        blue = np.maximum((rest - matrix.red * red.astype(np.float64)) / matrix.blue, 0).astype(dtype)
    return np.stack([red, green, blue])


# A window is ``(left, top), (right, bottom)``, whose right column and bottom row belong to it; an array ``[2, 2]``.


def _size(window: Any) -> tuple[int, int]:
    """Return width and height of a window."""
    (left, top), (right, bottom) = np.asarray(window, np.int64)
    return int(right - left + 1), int(bottom - top + 1)


def _shared(header: dict[str, Any]) -> np.ndarray:
    """Return the window ``[2, 2]`` of the pixels that are stored and shown; its size is 0 if there are none."""
    stored, shown = (np.asarray(header[name], np.int64) for name in ("dataWindow", "displayWindow"))
    first, last = np.maximum(stored[0], shown[0]), np.minimum(stored[1], shown[1])
    return np.stack([first, np.maximum(last, first - 1)])


def _within(window: np.ndarray, outer: Any) -> tuple[slice, slice]:
    """Return rows and columns of a window inside another one."""
    (left, top), (width, height) = np.subtract(window[0], outer[0], dtype=np.int64), _size(window)
    return slice(top, top + height), slice(left, left + width)


def _nearest_shown(header: dict[str, Any]) -> list[np.ndarray]:
    """Return for each row, and for each column, of the data window the nearest one of the display window."""
    (left, top), (right, bottom) = np.subtract(header["dataWindow"], header["displayWindow"][0], dtype=np.int64)
    width, height = _size(header["displayWindow"])
    return [np.arange(top, bottom + 1).clip(0, height - 1), np.arange(left, right + 1).clip(0, width - 1)]
