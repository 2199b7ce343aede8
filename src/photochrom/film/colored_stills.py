"""``Still``: a frame's picture that the user has coloured; it sets that frame's colours, and gives its shot hints."""

from __future__ import annotations

import itertools
import os
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np

from ..color.spaces import luma_of_rgb, rgb_to_lab
from ..color.tones import NEGATIVE
from ..colorizer.hint_propagation import propagate_hints
from ..colorizer.hints import Hint
from ..errors import OptionError, PhotoError
from ..photo.formats import icc
from ..photo.formats.image import check_size
from ..photo.inspection import open_picture
from .hints import FilmHint
from .options import FilmOptions
from .reader import FilmReader
from .sequences.reader import open_film
from .times import ROUNDED

_HINT_SIDE = 128  # greatest short side in pixels of the copy of a still from which hints are chosen
_COLOR_SIDE = 720  # greatest short side in pixels of the copy of a still that decides its frame's colours
_GRID = 8  # initial hints along a still's short side
_ROUNDS = 3  # rounds of adding hints
_MOST_HINTS = 400  # per still
_APART = 2  # pixels around an added hint in which no place has a greater error
_LEAST_ERROR = 3.0  # error in a*b* at a place, from which a hint is added
_LEAST_CORRELATION = 0.6  # between the luma of a still and of its frame
_FLAT = 3.0  # standard deviation of luma, up to which a frame is too flat to compare


@dataclass(frozen=True, eq=False)
class Still:
    """The colours of one frame of a film, from a coloured picture of that frame."""

    pts: int
    """Presentation time stamp of the frame, in the film's time base."""
    ab: np.ndarray
    """a*b* of the upright frame, float32 ``[2, h, w]``."""
    hints: tuple[FilmHint, ...]
    """Hints at this frame for colouring the rest of the shot."""
    path: Path | None = None
    """The picture; None for a still that was not read from a file."""


def distinct_stills(stills: Sequence[Still]) -> list[Still]:
    """Return stills without those that equal an earlier one, as if the same picture is given twice.

    Raises:
        OptionError: Two stills give different colours to the same frame.
    """
    of_frame: dict[int, Still] = {}
    for still in stills:
        other = of_frame.setdefault(still.pts, still)
        if not np.array_equal(still.ab, other.ab):
            names = "two stills" if still.path is None or other.path is None else f"{other.path} and {still.path}"
            raise OptionError(f"{names} are of the same frame, with different colours", remedy="leave one of them out")
    return list(of_frame.values())


def read_still(
    film: str | os.PathLike[str],
    time: Fraction,
    path: str | os.PathLike[str],
    options: FilmOptions | None = None,
) -> Still:
    """Read a still: a coloured picture of the frame that a film shows at a given time.

    Args:
        film: The film: a file, a folder of numbered frames, or a pattern of their names.
        time: Time of the frame, in seconds from the film's beginning.
        path: The picture, in any format that Pillow can read. Its colours are converted to sRGB by its ICC profile,
            unless the frames of the film have the same profile.
        options: Options of the film; only those for numbered frames, and ``negative``, matter. A still of a negative
            shows the positive.

    Raises:
        FilmError: The film cannot be read, or ends before that time.
        OptionError: The picture cannot be read, or does not show the frame.
    """
    pts, luma, profile = frame_at(film, time, options)
    hints = hints_of_still(time, path, luma, profile)
    lab = rgb_to_lab(_read_still(path, profile, _COLOR_SIDE).astype(np.float32) / 255)
    return Still(pts, np.ascontiguousarray(np.moveaxis(lab[..., 1:], -1, 0)), hints, Path(path))


def hints_of_still(
    time: Fraction, path: str | os.PathLike[str], frame: np.ndarray | None = None, profile: bytes | None = None
) -> tuple[FilmHint, ...]:
    """Choose hints that reproduce the colours of a still.

    They lie on a coarse grid, and at those places where propagating the hints chosen so far gives the greatest errors.

    Args:
        time: Time of the frame, in seconds from the film's beginning.
        path: The picture, in any format that Pillow can read.
        frame: Luma of the upright frame at any size, uint8 ``[h, w]``, to check the picture; None to skip the check.
        profile: ICC profile of the coloured frames; None for sRGB.

    Raises:
        OptionError: The picture cannot be read, or does not show the frame.
    """
    rgb = _read_still(path, profile)
    if frame is not None:
        _check_still(rgb, frame, path, time)
    height, width = rgb.shape[:2]
    lab = rgb_to_lab(rgb.astype(np.float32) / 255)
    lightness, ab = (np.ascontiguousarray(planes) for planes in (lab[..., 0], np.moveaxis(lab[..., 1:], -1, 0)))
    step = min(height, width) / _GRID
    rows, columns = max(1, round(height / step)), max(1, round(width / step))
    small = cv2.resize(rgb, (columns, rows), interpolation=cv2.INTER_AREA)
    hints = [_hint_of(small, place) for place in np.ndindex(rows, columns)]
    blurred = np.stack([cv2.GaussianBlur(plane, (0, 0), step / 2) for plane in ab])  # approximates the grid's effect
    for _ in range(_ROUNDS):
        error = np.hypot(*(propagate_hints(blurred, lightness, hints) - ab))
        hints += [_hint_of(rgb, place) for place in _greatest(error, max(0, _MOST_HINTS - len(hints)) // 2)]
    return tuple(FilmHint(time, hint) for hint in hints)


def frame_at(
    film: str | os.PathLike[str], time: Fraction, options: FilmOptions | None = None
) -> tuple[int, np.ndarray, bytes | None]:
    """Find the frame that is shown at a time.

    Args:
        film: The film: a file, a folder of numbered frames, or a pattern of their names.
        time: Seconds from the film's beginning.
        options: Options of the film; only those for numbered frames, and ``negative``, matter.

    Returns:
        Its pts; a small upright copy of its luma, inverted for a negative, uint8 ``[h, w]`` with a short side of at
        most 128 pixels; and the ICC profile of the coloured frames, None for sRGB.

    Raises:
        FilmError: The film cannot be read, or ends before that time.
    """
    options = options or FilmOptions()
    with open_film(film, options) as reader:
        shown = _shown(reader, time)
        scale = min(1, _HINT_SIDE / min(shown.width, shown.height))
        small = shown.reformat(max(1, round(shown.width * scale)), max(1, round(shown.height * scale)), format="gray")
        assert shown.pts is not None  # guaranteed by FilmReader.frames
        luma = np.rot90(small.to_ndarray(), reader.turns)
        return int(shown.pts), NEGATIVE.scene(luma) if options.negative else luma, reader.profile


def _shown(reader: FilmReader, time: Fraction) -> av.VideoFrame:
    """Return the frame that a film shows at a time, which may have begun long before.

    Raises:
        FilmError: The film cannot be read, or ends before that time.
    """
    found = reader.pts_at(time, or_last=True)
    if reader.seconds(found) + 1 / reader.rate <= time + ROUNDED:
        reader.pts_at(time)  # raises the error for a time behind the end
    if reader.seconds(found) <= time + ROUNDED:
        return next(reader.frames(found))
    for frames in (reader.frames_near(found - 1), reader.frames()):  # the second, if the film is not seekable
        if before := deque(itertools.takewhile(lambda frame: frame.pts < found, frames), maxlen=1):
            return before[0]
    return next(reader.frames(found))


def _read_still(path: str | os.PathLike[str], profile: bytes | None, side: int = _HINT_SIDE) -> np.ndarray:
    """Read a picture as upright RGB, uint8 ``[h, w, 3]``, reduced to a short side of at most ``side`` pixels.

    It is converted to sRGB by its ICC profile, unless that is ``profile``.

    Raises:
        OptionError: The picture cannot be read.
    """
    try:
        with open_picture(Path(path)) as stored:
            check_size(*stored.size)
            return icc.upright_srgb(stored, side / min(stored.size), kept=profile)
    except PhotoError as exc:
        raise OptionError(f"the still {exc.problem}", path=path, remedy=exc.remedy) from exc
    except (OSError, SyntaxError, ValueError, LookupError, RuntimeError, EOFError) as exc:  # raised by the decoders
        reason = getattr(exc, "strerror", None) or exc
        raise OptionError(f"the still cannot be read ({reason})", path=path, remedy="check the path") from exc


def _check_still(rgb: np.ndarray, frame: np.ndarray, path: str | os.PathLike[str], time: Fraction) -> None:
    """Raise an error if the luma of a still does not correlate with that of its frame; flat frames are not compared.

    Brightening, sharpening or scaling a still hardly affects the correlation. Frames of the same shot some seconds
    apart correlate, too: a still of one of them is accepted, since its colours are not wrong.
    """
    still = cv2.resize(luma_of_rgb(rgb), frame.shape[::-1], interpolation=cv2.INTER_AREA).astype(np.float64)
    still, luma = still - still.mean(), frame - frame.mean(dtype=np.float64)
    spread = float(np.sqrt((still**2).mean() * (luma**2).mean()))
    if luma.std() > _FLAT and float((still * luma).mean()) < _LEAST_CORRELATION * spread:
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


def _greatest(error: np.ndarray, count: int) -> list[tuple[int, int]]:
    """Return row and column of at most ``count`` local maxima of an error ``[h, w]``, the greatest first."""
    window = 2 * _APART + 1
    smooth = cv2.GaussianBlur(error, (0, 0), 1)
    peaks = (smooth == cv2.dilate(smooth, np.ones((window, window), np.uint8))) & (smooth > _LEAST_ERROR)
    rows, columns = np.nonzero(peaks)
    order = np.argsort(-smooth[rows, columns])[:count]
    return [(int(rows[i]), int(columns[i])) for i in order]
