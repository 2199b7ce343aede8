"""Stills: coloured pictures of single frames, which get exactly their colours, and hints for the rest of the shot."""

from __future__ import annotations

import os
from dataclasses import dataclass
from fractions import Fraction

import cv2
import numpy as np

from ..color.spaces import luma_of_rgb, rgb_to_lab
from ..colorizer.hint_propagation import propagate_hints
from ..colorizer.hints import Hint
from ..errors import OptionError
from .hints import FilmHint
from .options import FilmOptions
from .sequences.reader import open_film
from .times import ROUNDED

_SIDE = 128  # short side in pixels at which a still is turned into hints
_FINE = 720  # greatest short side in pixels at which it colours its own frame
_SQUARES = 8  # initial hints along a still's short side
_ROUNDS = 3  # rounds of adding hints
_MOST = 400  # most hints per still
_APART = 2  # least distance in pixels between added hints
_CLOSE = 3.0  # error in a*b* below which no hint is added
_LIKE = 0.6  # least correlation between the luma of a still and its frame
_FLAT = 3.0  # standard deviation of luma below which a frame is too flat to compare


@dataclass(frozen=True, eq=False)
class Still:
    """A coloured picture of one frame of a film."""

    pts: int
    """Presentation time stamp of the frame, in the film's time base."""
    ab: np.ndarray
    """a*b* of the upright frame, float32 ``[2, h, w]``."""
    hints: tuple[FilmHint, ...]
    """Hints that spread its colours to the rest of the shot."""


def read_still(
    film: str | os.PathLike[str],
    time: Fraction,
    path: str | os.PathLike[str],
    options: FilmOptions | None = None,
) -> Still:
    """Read a coloured picture of the frame that a film shows at a time.

    Args:
        film: The film: a file, a folder of numbered frames, or a pattern of their names.
        time: Time of the frame, in seconds from the film's beginning.
        path: The still, in any format that Pillow can read.
        options: Options of the film; only needed for numbered frames.

    Raises:
        FilmError: The film cannot be read, or ends before that time.
        OptionError: The still cannot be read as a picture, or is not a picture of the frame.
    """
    pts, luma = frame_at(film, time, options)
    hints = hints_of_still(time, path, luma)
    lab = rgb_to_lab(_read_still(path, _FINE).astype(np.float32) / 255)
    return Still(pts, np.ascontiguousarray(np.moveaxis(lab[..., 1:], -1, 0)), hints)


def hints_of_still(
    time: Fraction, path: str | os.PathLike[str], frame: np.ndarray | None = None
) -> tuple[FilmHint, ...]:
    """Turn a coloured still into hints: on a coarse grid first, then where the error of propagating them is greatest.

    Args:
        time: Time of the frame, in seconds from the film's beginning.
        path: The still, in any format that Pillow reads.
        frame: Luma of the frame, uint8 ``[h, w]`` at any size, upright; None to skip the comparison.

    Raises:
        OptionError: The file cannot be read as a picture, or is not a picture of the frame.
    """
    rgb = _read_still(path)
    if frame is not None:
        _check_still(rgb, frame, path, time)
    height, width = rgb.shape[:2]
    lab = rgb_to_lab(rgb.astype(np.float32) / 255)
    lightness, wanted = (np.ascontiguousarray(planes) for planes in (lab[..., 0], np.moveaxis(lab[..., 1:], -1, 0)))
    step = min(height, width) / _SQUARES
    rows, columns = max(1, round(height / step)), max(1, round(width / step))
    small = cv2.resize(rgb, (columns, rows), interpolation=cv2.INTER_AREA)
    hints = [_hint_of(small, place) for place in np.ndindex(rows, columns)]
    expected = np.stack([cv2.GaussianBlur(plane, (0, 0), step / 2) for plane in wanted])  # from the grid alone
    for _ in range(_ROUNDS):
        missed = np.hypot(*(propagate_hints(expected, lightness, hints) - wanted))
        hints += [_hint_of(rgb, place) for place in _worst(missed, (_MOST - len(hints)) // 2)]
    return tuple(FilmHint(time, hint) for hint in hints)


def frame_at(
    film: str | os.PathLike[str], time: Fraction, options: FilmOptions | None = None
) -> tuple[int, np.ndarray]:
    """Return the pts of the frame shown at a time, and a small upright copy of its luma, uint8 ``[h, w]``.

    Raises:
        FilmError: The film cannot be read, or ends before that time."""
    with open_film(film, options or FilmOptions()) as reader:
        here = next(reader.frames(reader.pts_at(max(Fraction(0), time - 1 / reader.rate))))
        for frame in reader.frames(here.pts):
            if frame.pts is None or reader.seconds(frame.pts) > time + ROUNDED:
                break
            here = frame
        scale = min(1, _SIDE / min(here.width, here.height))
        small = here.reformat(max(1, round(here.width * scale)), max(1, round(here.height * scale)), format="gray")
        assert here.pts is not None  # guaranteed by FilmReader.frames
        return int(here.pts), np.rot90(small.to_ndarray(), reader.turns)


def _read_still(path: str | os.PathLike[str], side: int = _SIDE) -> np.ndarray:
    """Read a still, turned upright, with a short side of at most ``side`` pixels: RGB uint8 ``[h, w, 3]``."""
    from PIL import Image, ImageOps

    try:
        with Image.open(path) as stored:
            image = ImageOps.exif_transpose(stored).convert("RGB")
            scale = min(1, side / min(image.size))
            width, height = (max(1, round(side * scale)) for side in image.size)
            return np.asarray(image.resize((width, height), Image.Resampling.BOX))
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as exc:  # raised by Pillow
        reason = getattr(exc, "strerror", None) or exc
        raise OptionError(f"{os.fspath(path)}: the still cannot be read ({reason})", remedy="check the path") from exc


def _check_still(rgb: np.ndarray, frame: np.ndarray, path: str | os.PathLike[str], time: Fraction) -> None:
    """Raise an error if the luma of a still does not match its frame; flat frames are not compared.

    A still may have been brightened, sharpened or scaled, which hardly affects the correlation. Frames of the same shot
    some seconds apart correlate, too: such a still is not ideal, but not wrong.
    """
    still = cv2.resize(luma_of_rgb(rgb), frame.shape[::-1], interpolation=cv2.INTER_AREA).astype(np.float64)
    still, there = still - still.mean(), frame - frame.mean(dtype=np.float64)
    spread = float(np.sqrt((still**2).mean() * (there**2).mean()))
    if there.std() > _FLAT and float((still * there).mean()) < _LIKE * spread:
        raise OptionError(
            f"is not a picture of the frame at {float(time):g} s",
            path=path,
            remedy="check the time, or colour that frame",
        )


def _hint_of(rgb: np.ndarray, place: tuple[int, int]) -> Hint:
    row, column = place
    height, width = rgb.shape[:2]
    red, green, blue = (int(value) for value in rgb[row, column])
    return Hint((column + 0.5) / width, (row + 0.5) / height, (red, green, blue))


def _worst(missed: np.ndarray, count: int) -> list[tuple[int, int]]:
    """Return the places of the greatest errors, none of them adjacent."""
    near = 2 * _APART + 1
    smooth = cv2.GaussianBlur(missed, (0, 0), 1)
    peaks = (smooth == cv2.dilate(smooth, np.ones((near, near), np.uint8))) & (smooth > _CLOSE)
    rows, columns = np.nonzero(peaks)
    order = np.argsort(-smooth[rows, columns])[:count]
    return [(int(rows[i]), int(columns[i])) for i in order]
