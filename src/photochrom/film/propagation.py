"""Propagates colours along the optical flow, so that they stay steady within a shot and never cross a cut.

The network predicts only some frames of a shot, the keys. Its colours for each key are warped along the optical flow of
the luma to the following keys and to the preceding ones. The final colours of a key are the mean of all colours that
reach it, weighted by how well the flow explains the luma and by the network's confidence. So a coat keeps its colour
while its wearer turns, and whatever comes into view is coloured at once. Frames between two keys take their colours
from both. The flow is computed at the thumbnail's scale, where film grain is averaged out. Each search for the flow
from a key starts from the flow to the neighbouring frame, and so follows motion over many frames.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import cv2
import numpy as np

from . import optical_flow

AHEAD = 3
"""Number of keys after a frame that influence its colours."""
_INTERVAL = 8  # usual number of frames from one key to the next
_CLOSEST = 3  # least interval, for fast motion
_UNEXPLAINED = 0.4  # share of a frame not explained by the last key, above which the frame becomes a key
_RESIDUAL = 9.0  # difference of luma (0 to 255) at which two places hardly match
_DECAY = 0.95  # factor on propagated weights at each key, which averages over some twenty keys
_LEAST = 0.02  # least weight, for places that no flow explains, since some colour is better than none
_RAISE = 1.25  # greatest factor by which the chroma of a mean is raised, since a mean is greyer than its colours


@dataclass(frozen=True)
class Frame:
    """One frame at the thumbnail's scale."""

    luma: np.ndarray
    """uint8 ``[h, w]``, full range."""
    starts_shot: bool
    predict: Callable[[], tuple[np.ndarray, np.ndarray]]
    """Runs the network; returns a*b* float32 ``[2, h, w]`` and their weight float32 ``[h, w]``, above 0 and at most
    1."""
    is_known: bool = False
    """Whether ``predict`` returns known colours, which are not averaged with others; their weight may exceed 1."""


@dataclass(frozen=True)
class Colors:
    """The colours of one frame."""

    ab: np.ndarray
    """a*b*, float32 ``[2, h, w]``."""
    is_key: bool
    before: np.ndarray | None
    """Colours propagated to this frame from earlier ones, float32 ``[h, w, 4]``: a*, b*, chroma, and their weight.
    ``steady_colors`` can continue from them. None except at keys after the first of a shot."""


@dataclass
class _Key:
    luma: np.ndarray
    predicted: np.ndarray
    """The network's own prediction, in the form of ``Colors.before``."""
    before: np.ndarray | None
    """See ``Colors.before``."""
    propagated: np.ndarray
    """The prediction merged with ``before``."""
    between: list[tuple[np.ndarray, Flow]] = field(default_factory=list)
    """Luma of each frame between this key and the next, and the flow to it."""
    is_known: bool = False
    back: list[Flow] = field(default_factory=list)
    """Flow from this key to the previous one, and to each frame after that; empty for the first key of a shot."""
    final: np.ndarray | None = None
    """Final a*b*, float32 ``[h, w, 2]``; None until it is computed."""


class Flow:
    """Optical flow from one frame to another, with its confidence.

    Args:
        source: Luma, uint8 ``[h, w]``.
        target: Luma of the other frame, uint8 ``[h, w]``.
        near: Flow from the same source to the frame before or after the target. The search starts from it, so that it
            follows motion over many frames.
    """

    def __init__(self, source: np.ndarray, target: np.ndarray, near: Flow | None = None) -> None:
        start = None if near is None else near.backward_flow
        self.backward_flow: np.ndarray = optical_flow.backward_flow(source, target, near=start)
        self.confidence = flow_confidence(self.warp(source), target)
        """How well the flow explains the target's luma, float32 ``[h, w]``, 0 to 1."""
        height, width = source.shape
        self.confidence[cv2.inRange(self.backward_flow, (-1, -1), (width, height)) == 0] = 0

    def warp(self, planes: np.ndarray) -> np.ndarray:
        """Warp planes ``[h, w]`` or ``[h, w, C]``, C up to 4, from the source to the target."""
        return optical_flow.warp(planes, self.backward_flow)

    def propagate(self, colors: np.ndarray) -> np.ndarray:
        """Warp weighted colours ``[h, w, 4]``, and scale their weights by the flow's confidence."""
        warped = self.warp(colors)
        warped[..., 3] *= self.confidence * np.float32(_DECAY)
        return warped


def flow_confidence(warped: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Compare a warped luma with the target's luma.

    Args:
        warped: uint8 ``[h, w]``.
        target: uint8 ``[h, w]``.

    Returns:
        float32 ``[h, w]``, from 0 (different) to 1 (equal).
    """
    rest = target.astype(np.float32) - warped
    rest -= np.median(rest[::4, ::4])  # compensates for flicker
    rest = cv2.blur(np.abs(rest), (3, 3)) * np.float32(1 / _RESIDUAL)
    return np.exp(-rest * rest)


def _merged(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Return the weighted mean of two sets of colours ``[h, w, 4]``, and the sum of their weights."""
    weights = np.ascontiguousarray(one[..., 3]), np.ascontiguousarray(other[..., 3])
    mean: np.ndarray = cv2.blendLinear(one, other, *weights)
    mean[..., 3] = weights[0] + weights[1]
    return mean


def steady_colors(frames: Iterable[Frame], before: np.ndarray | None = None, *, ahead: int = AHEAD) -> Iterator[Colors]:
    """Compute the colours of each frame, with a delay of at most ``reach(ahead)`` frames.

    Args:
        frames: Consecutive frames of one size.
        before: ``Colors.before`` of an earlier call, if the first frame does not begin a shot.
        ahead: Number of keys after a frame that influence its colours.

    Yields:
        Colours for each frame, in order.
    """
    keys: list[_Key] = []  # keys of the current shot whose frames have not been yielded
    for frame in frames:
        if frame.starts_shot:
            yield from _rest(keys)
            keys, before = [], None
        flow = _flow_on(keys[-1], frame.luma) if keys else None
        if flow is not None and not frame.is_known and not _is_key(flow, len(keys[-1].between) + 1):
            keys[-1].between.append((frame.luma, flow))
            continue
        if flow is not None:
            before = flow.propagate(keys[-1].propagated)
        keys.append(_key(frame, before, keys[-1] if keys else None))
        if len(keys) > ahead + 1:
            if keys[0].final is None:
                _finish(keys[:-1], 0)  # the same look-ahead for all keys, so that a resumed film is identical
            _finish(keys, 1)
            yield from _run(keys)
            del keys[0]
    yield from _rest(keys)


def reach(ahead: int) -> int:
    """Return the maximum number of frames that ``steady_colors`` looks ahead."""
    return (ahead + 1) * _INTERVAL


def _rest(keys: list[_Key]) -> Iterator[Colors]:
    """Yield the colours of the remaining frames of a shot."""
    while keys:
        if len(keys) > 1:
            _finish(keys, 1)
        yield from _run(keys)
        del keys[0]


def _is_key(flow: Flow, distance: int) -> bool:
    return distance >= _INTERVAL or (distance >= _CLOSEST and 1 - float(flow.confidence.mean()) > _UNEXPLAINED)


def _flow_on(key: _Key, luma: np.ndarray) -> Flow:
    """Return the flow from the last key to the next frame."""
    return Flow(key.luma, luma, key.between[-1][1] if key.between else None)


def _flows_back(luma: np.ndarray, last: _Key) -> list[Flow]:
    """Return the flow from a new key to the last one, and to each frame after that."""
    flows: list[Flow] = []
    for earlier in (*(between for between, _ in reversed(last.between)), last.luma):
        flows.append(Flow(luma, earlier, flows[-1] if flows else None))
    return flows[::-1]


def _key(frame: Frame, before: np.ndarray | None, last: _Key | None) -> _Key:
    ab, weight = frame.predict()
    predicted = np.dstack([*ab, np.hypot(*ab), weight])  # [h, w, 4]
    propagated = predicted if before is None or frame.is_known else _merged(predicted, before)
    back = [] if last is None else _flows_back(frame.luma, last)
    return _Key(frame.luma, predicted, before, propagated, is_known=frame.is_known, back=back)


def _finish(keys: Sequence[_Key], number: int) -> None:
    """Compute a key's final colours from those propagated from earlier and from later keys."""
    key, behind = keys[number], keys[number + 1 :]
    if key.is_known:
        key.final = np.ascontiguousarray(key.predicted[..., :2])
        return
    colors = key.propagated
    if behind:
        back = behind[-1].predicted
        for later, earlier in itertools.pairwise(reversed(behind)):
            back = _merged(earlier.predicted, later.back[0].propagate(back))
        colors = _merged(colors, behind[0].back[0].propagate(back))
    key.final = _raised(colors)


def _raised(colors: np.ndarray) -> np.ndarray:
    """Return a*b* ``[h, w, 2]`` with the chroma raised towards the mean chroma of the averaged colours."""
    ab = colors[..., :2]
    chroma = np.hypot(ab[..., 0], ab[..., 1])
    factor = np.clip(colors[..., 2] / np.maximum(chroma, np.float32(1e-3)), 1, _RAISE)
    return ab * factor[..., None]


def _run(keys: list[_Key]) -> Iterator[Colors]:
    """Yield the colours of the first key and of the frames up to the next one."""
    key, following = keys[0], keys[1] if len(keys) > 1 else None
    if key.final is None:
        _finish(keys, 0)
    assert key.final is not None
    yield Colors(key.final.transpose(2, 0, 1), True, key.before)
    for number, (_, flow) in enumerate(key.between, 1):
        ab = flow.warp(key.final)
        if following is not None and following.final is not None:
            share = number / (len(key.between) + 1)
            coming = following.back[number]
            ahead = share * (coming.confidence + _LEAST)
            ahead /= ahead + (1 - share) * (flow.confidence + _LEAST)
            ab += ahead[..., None] * (coming.warp(following.final) - ab)
        yield Colors(ab.transpose(2, 0, 1), False, None)
