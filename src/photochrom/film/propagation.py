"""Colours that stay steady from frame to frame of a film, and never cross a cut.

The network looks at a few frames of a shot, the keys. What it says of each is carried along the optical flow of the
luma to the next key and to the one after, and from the keys behind to those before; each key's colours are a mean of
all that arrives, weighted by how well the flow explains the luma and by how sure the network was. So a coat keeps its
colour while its wearer turns, and what comes into view has colour at once. The frames between two keys take theirs
from both. The flow is computed at the thumbnail's scale (Kroeger et al. 2016, DIS), where grain is averaged away.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from . import optical_flow

AHEAD = 6  # keys behind a frame that have a say in its colours
_INTERVAL = 8  # frames from key to key
_CLOSEST = 2  # where things move too fast for that
_UNEXPLAINED = 0.2  # share of a frame that the last key does not explain: time to look again
_RESIDUAL = 9.0  # difference of luma, 0 to 255, at which two places are hardly the same
_KEPT = 0.95  # of the weight of what is carried, per key: colours are a mean over some twenty keys
_LEAST = 0.02  # weight of what nothing explains: some colour is better than none
_RAISE = 1.25  # at most, of the chroma of a mean, which lies nearer to grey than what it is the mean of


@dataclass(frozen=True)
class Frame:
    """One frame, at the thumbnail's scale."""

    luma: np.ndarray
    """uint8 ``[h, w]``, full range."""
    starts_shot: bool
    look: Callable[[], tuple[np.ndarray, np.ndarray]]
    """Asks the network: a*b* float32 ``[2, h, w]``, and how much they count, float32 ``[h, w]``, above 0 to about 1."""


@dataclass(frozen=True)
class Carried:
    """What a shot's colours have come to at one of its keys: all that the next key needs to know."""

    luma: np.ndarray
    """uint8 ``[h, w]``"""
    colors: np.ndarray
    """float32 ``[h, w, 4]``: a*, b*, chroma, and their weight."""


@dataclass(frozen=True)
class Colors:
    """The colours of one frame."""

    ab: np.ndarray
    """float32 ``[2, h, w]``"""
    is_key: bool
    before: Carried | None
    """Of a key: what came before it in its shot; with this ``steady_colors`` goes on from here."""


@dataclass
class _Key:
    luma: np.ndarray
    look: np.ndarray
    """The network's own word, as ``Carried.colors``."""
    before: Carried | None
    carried: Carried
    """With the own word."""
    between: list[tuple[np.ndarray, Path]]
    """Luma of the frames up to the next key, and the way to each."""
    back: Path | None = None
    """The way to the key before, from this one."""
    final: np.ndarray | None = None
    """float32 ``[h, w, 2]``"""


class Path:
    """The way of the colours from one frame to another."""

    def __init__(self, source: np.ndarray, target: np.ndarray) -> None:
        """Of two frames' luma, uint8 ``[h, w]``."""
        self.places = optical_flow.places(source, target)
        self.trust = _trust(self.carry(source), target)
        """float32 ``[h, w]``, 0 to 1: how well it explains the target's luma."""
        height, width = source.shape
        self.trust[cv2.inRange(self.places, (-1, -1), (width, height)) == 0] = 0

    def carry(self, planes: np.ndarray) -> np.ndarray:
        """Planes ``[h, w]`` or ``[h, w, C]`` of the source, C up to 4, as they lie in the target."""
        return optical_flow.carried(planes, self.places)

    def pass_on(self, colors: np.ndarray) -> np.ndarray:
        """Colours with their weight, ``[h, w, 4]``, which is less where the way explains little."""
        carried = self.carry(colors)
        carried[..., 3] *= self.trust * np.float32(_KEPT)
        return carried


def _trust(moved: np.ndarray, target: np.ndarray) -> np.ndarray:
    rest = target.astype(np.float32) - moved
    rest -= np.median(rest[::4, ::4])  # old films flicker
    rest = cv2.blur(np.abs(rest), (3, 3)) * np.float32(1 / _RESIDUAL)
    return np.exp(-rest * rest)


def _merged(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """The mean of two sets of colours by their weights, and the sum of those."""
    weights = np.ascontiguousarray(one[..., 3]), np.ascontiguousarray(other[..., 3])
    mean: np.ndarray = cv2.blendLinear(one, other, *weights)
    mean[..., 3] = weights[0] + weights[1]
    return mean


def steady_colors(frames: Iterable[Frame], before: Carried | None = None, *, ahead: int = AHEAD) -> Iterator[Colors]:
    """The colours of each frame, some frames late: at most ``reach(ahead)``.

    Args:
        frames: consecutive ones, all of one size.
        before: of the first frame, if it is not the first of its shot: ``Colors.before`` of an earlier call.
        ahead: keys behind a frame that have a say in its colours.

    Yields:
        One for each frame, in their order.
    """
    keys: list[_Key] = []  # of the present shot, those whose frames are still to come out
    for frame in frames:
        if frame.starts_shot:
            yield from _rest(keys)
            keys, before = [], None
        path = Path(keys[-1].luma, frame.luma) if keys else None
        if path is not None and not _is_key(path, len(keys[-1].between) + 1):
            keys[-1].between.append((frame.luma, path))
            continue
        keys.append(_key(frame, path, keys[-1].carried if keys else before))
        if len(keys) > ahead + 1:
            if keys[0].final is None:
                _finish(keys[:-1], 0)  # as many keys ahead as of others, so that going on from here gives the same
            _finish(keys, 1)
            yield from _run(keys)
            del keys[0]
    yield from _rest(keys)


def reach(ahead: int) -> int:
    """How many frames ``steady_colors`` looks ahead at most."""
    return (ahead + 1) * _INTERVAL


def _rest(keys: list[_Key]) -> Iterator[Colors]:
    """All that is left of a shot."""
    while keys:
        if len(keys) > 1:
            _finish(keys, 1)
        yield from _run(keys)
        del keys[0]


def _is_key(path: Path, distance: int) -> bool:
    return distance >= _INTERVAL or (distance >= _CLOSEST and 1 - float(path.trust.mean()) > _UNEXPLAINED)


def _key(frame: Frame, path: Path | None, before: Carried | None) -> _Key:
    ab, weight = frame.look()
    look = np.dstack([*ab, np.hypot(*ab), weight])
    if before is None:
        return _Key(frame.luma, look, None, Carried(frame.luma, look), [])
    path = path or Path(before.luma, frame.luma)
    carried = Carried(frame.luma, _merged(look, path.pass_on(before.colors)))
    return _Key(frame.luma, look, before, carried, [], back=Path(frame.luma, before.luma))


def _finish(keys: Sequence[_Key], number: int) -> None:
    """Decide on a key's colours: what was carried to it, and what comes back from the keys behind it."""
    key, behind = keys[number], keys[number + 1 :]
    colors = key.carried.colors
    if behind:
        back = behind[-1].look
        for later, earlier in itertools.pairwise(reversed(behind)):
            back = _merged(earlier.look, _way_back(later).pass_on(back))
        colors = _merged(colors, _way_back(behind[0]).pass_on(back))
    key.final = _raised(colors)


def _way_back(key: _Key) -> Path:
    assert key.back is not None  # only a shot's first key has none
    return key.back


def _raised(colors: np.ndarray) -> np.ndarray:
    """a*b* ``[h, w, 2]`` of colours, their chroma that of the colours they are a mean of, within limits."""
    ab = colors[..., :2]
    chroma = np.hypot(ab[..., 0], ab[..., 1])
    factor = np.clip(colors[..., 2] / np.maximum(chroma, np.float32(1e-3)), 1, _RAISE)
    return ab * factor[..., None]


def _run(keys: list[_Key]) -> Iterator[Colors]:
    """The first key and the frames up to the next."""
    key, following = keys[0], keys[1] if len(keys) > 1 else None
    if key.final is None:
        _finish(keys, 0)
    assert key.final is not None
    yield Colors(key.final.transpose(2, 0, 1), True, key.before)
    for number, (luma, path) in enumerate(key.between, 1):
        ab = path.carry(key.final)
        if following is not None and following.final is not None:
            share = number / (len(key.between) + 1)
            coming = Path(following.luma, luma)
            ahead = share * (coming.trust + _LEAST)
            ahead /= ahead + (1 - share) * (path.trust + _LEAST)
            ab += ahead[..., None] * (coming.carry(following.final) - ab)
        yield Colors(ab.transpose(2, 0, 1), False, None)
