"""Propagates colours along the optical flow, so that they stay steady within a shot and never cross a cut.

The network predicts colours only for some frames of a shot, the key frames. These colours are warped along the optical
flow of the luma to later and to earlier key frames. The final colours of a key frame are the mean of its own and all
warped colours, weighted by the flow confidence and by the network's confidence. So a coat keeps its colour while its
wearer turns, and an object that comes into view is coloured at once. A frame between two key frames gets a mean of the
colours warped from both. The flow is computed on halved thumbnails, where film grain is averaged out. Each search for
the flow from a key frame to another frame starts from the flow to that frame's neighbour, so that it can follow motion
over many frames. If a few frames between two key frames show another picture, as inserted or misplaced frames do, they
get the colours that the network predicts for each of them.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import cv2
import numpy as np

from . import optical_flow
from .shots import detection

AHEAD = 3
"""Number of later key frames that influence the colours of a frame."""
_INTERVAL = 8  # usual number of frames from one key frame to the next
_LEAST_INTERVAL = 3  # least number of frames from one key frame to the next, for fast motion
_LEAST_CONFIDENCE = 0.6  # mean flow confidence from the last key frame, below which a frame becomes a key frame
_RESIDUAL = 9.0  # difference of luma (0 to 255) at which the flow confidence falls to 1/e
_DECAY = 0.95  # factor on propagated weights at each key frame, so that colours are averaged over some twenty of them
_LEAST_WEIGHT = 0.02  # added to flow confidences, so that pixels where both are 0 still get a mean of both colours
_MOST_GAIN = 1.25  # limit on the factor that restores chroma, which averaging different hues has reduced


@dataclass(frozen=True)
class Frame:
    """A frame as input for ``steady_colors``, at the size of a halved thumbnail."""

    luma: np.ndarray
    """uint8 ``[h, w]``, full range."""
    starts_shot: bool
    predict: Callable[[], tuple[np.ndarray, np.ndarray]]
    """Called if this is a key frame; returns a*b*, float32 ``[2, h, w]``, and their weight in averages, float32
    ``[h, w]``, above 0 and at most 1."""
    is_known: bool = False
    """Whether ``predict`` returns known colours, which are used as they are; their weight may exceed 1."""


@dataclass(frozen=True)
class Colors:
    """The final colours of one frame."""

    ab: np.ndarray
    """a*b*, float32 ``[2, h, w]``."""
    is_key: bool
    """Whether this is a key frame."""
    before: np.ndarray | None
    """Weighted colours propagated to this key frame from earlier ones, float32 ``[h, w, 4]``: a*, b*, chroma, weight.
    ``steady_colors`` can continue from them. None at other frames, and at the first key frame of a shot."""


@dataclass
class _Between:
    """A frame between two key frames."""

    luma: np.ndarray
    flow: Flow
    """Flow from the earlier key frame to this frame."""
    predict: Callable[[], tuple[np.ndarray, np.ndarray]] | None
    """As ``Frame.predict``, if this frame shows another picture than the frames around it; otherwise None."""


@dataclass
class _Key:
    """A key frame, and the frames up to the next one."""

    luma: np.ndarray
    predicted: np.ndarray
    """Colours from ``Frame.predict``, float32 ``[h, w, 4]``: a*, b*, chroma, weight."""
    before: np.ndarray | None
    """As ``Colors.before``."""
    propagated: np.ndarray
    """Weighted mean of ``predicted`` and ``before``; only ``predicted`` if ``before`` is None or the colours are
    known."""
    between: list[_Between] = field(default_factory=list)
    """The frames between this key frame and the next."""
    is_known: bool = False
    back: list[Flow] = field(default_factory=list)
    """Flow from this key frame back to the previous one, then to each frame between the two, in display order. Empty
    for the first key frame of a shot."""
    final: np.ndarray | None = None
    """Final a*b*, float32 ``[h, w, 2]``; None until it is computed."""


class Flow:
    """Optical flow from a source frame to a target frame, with its confidence.

    Args:
        source: Luma, uint8 ``[h, w]``.
        target: Luma, uint8 ``[h, w]``.
        near: Flow from the same source to the frame before or after the target, from which the search starts.
    """

    def __init__(self, source: np.ndarray, target: np.ndarray, near: Flow | None = None) -> None:
        start = None if near is None else near.backward_flow
        self.backward_flow: np.ndarray = optical_flow.backward_flow(source, target, near=start)
        """Column and row in the source of each pixel of the target, float32 ``[h, w, 2]``."""
        self.confidence = flow_confidence(self.warp(source), target)
        """How well the flow explains the target's luma, float32 ``[h, w]``, 0 to 1; 0 where it leaves the source."""
        height, width = source.shape
        self.confidence[cv2.inRange(self.backward_flow, (-1, -1), (width, height)) == 0] = 0

    def warp(self, planes: np.ndarray) -> np.ndarray:
        """Warp planes from the source to the target; see ``optical_flow.warp``."""
        return optical_flow.warp(planes, self.backward_flow)

    def propagate(self, colors: np.ndarray) -> np.ndarray:
        """Warp weighted colours, float32 ``[h, w, 4]``; multiply their weights by the flow confidence and a decay."""
        warped = self.warp(colors)
        warped[..., 3] *= self.confidence * np.float32(_DECAY)
        return warped


def flow_confidence(warped: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Return how well warped luma matches the luma of the target frame, from 0 to 1 (equal), float32 ``[h, w]``.

    A constant difference, such as flicker causes, is ignored.

    Args:
        warped: uint8 ``[h, w]``.
        target: uint8 ``[h, w]``.
    """
    residual = target.astype(np.float32) - warped
    residual -= np.median(residual[::4, ::4])
    residual = cv2.blur(np.abs(residual), (3, 3)) * np.float32(1 / _RESIDUAL)
    return np.exp(-residual * residual)


def _merged(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Return the weighted mean of two arrays of weighted colours ``[h, w, 4]``, with the sum of the weights."""
    weights = np.ascontiguousarray(one[..., 3]), np.ascontiguousarray(other[..., 3])
    mean: np.ndarray = cv2.blendLinear(one, other, *weights)
    mean[..., 3] = weights[0] + weights[1]
    return mean


def steady_colors(frames: Iterable[Frame], before: np.ndarray | None = None, *, ahead: int = AHEAD) -> Iterator[Colors]:
    """Compute colours that are steady over each shot, at most ``reach(ahead)`` frames behind the input.

    Args:
        frames: Consecutive frames of one size.
        before: ``Colors.before`` that an earlier call yielded for the first frame; None if a shot begins there.
        ahead: Number of later key frames that influence the colours of a frame.

    Yields:
        The colours of each frame, in order.
    """
    keys: list[_Key] = []  # key frames of the current shot whose colours have not been yielded
    for frame in frames:
        if frame.starts_shot:
            yield from _rest(keys)
            keys, before = [], None
        flow = _flow_on(keys[-1], frame.luma) if keys else None
        if flow is not None and not frame.is_known:
            is_apart = _is_apart(frame.luma, flow, keys[-1])
            if is_apart or not _is_key(flow, len(keys[-1].between) + 1):
                keys[-1].between.append(_Between(frame.luma, flow, frame.predict if is_apart else None))
                continue
        if flow is not None:
            before = flow.propagate(keys[-1].propagated)
        keys.append(_key(frame, before, keys[-1] if keys else None))
        if len(keys) > ahead + 1:
            if keys[0].final is None:
                _finish(keys[:-1], 0)  # the same look-ahead for all key frames, so that a resumed film is identical
            _finish(keys, 1)
            yield from _run(keys)
            del keys[0]
    yield from _rest(keys)


def reach(ahead: int) -> int:
    """Return the greatest number of frames that ``steady_colors`` reads ahead of the frame that it yields."""
    return (ahead + 1) * _INTERVAL


def _rest(keys: list[_Key]) -> Iterator[Colors]:
    """Yield the colours of the remaining frames of a shot."""
    while keys:
        if len(keys) > 1:
            _finish(keys, 1)
        yield from _run(keys)
        del keys[0]


def _is_key(flow: Flow, distance: int) -> bool:
    """Return whether a frame becomes a key frame, given its flow and distance in frames from the last key frame."""
    is_explained = float(flow.confidence.mean()) >= _LEAST_CONFIDENCE
    return distance >= _INTERVAL or (distance >= _LEAST_INTERVAL and not is_explained)


def _is_apart(luma: np.ndarray, flow: Flow, key: _Key) -> bool:
    """Return whether a frame shows another picture than those from the last key frame on, and may be one of a few."""
    explained = [between for between in key.between if between.predict is None]
    last = explained[-1].luma if explained else key.luma
    apart = itertools.takewhile(lambda between: between.predict is not None, reversed(key.between))
    if len(list(apart)) >= detection.INSERT or len(key.between) + 1 >= _INTERVAL:
        return False
    return float(flow.confidence.mean()) < _LEAST_CONFIDENCE and detection.distance(last, luma) >= detection.UNRELATED


def _flow_on(key: _Key, luma: np.ndarray) -> Flow:
    """Return the flow from the last key frame to the frame read next."""
    flows = [between.flow for between in key.between if between.predict is None]
    return Flow(key.luma, luma, flows[-1] if flows else None)


def _flows_back(luma: np.ndarray, last: _Key) -> list[Flow]:
    """Return the flow from a new key frame to the last one, then to each frame between the two, in display order."""
    flows: list[Flow] = []
    near: Flow | None = None
    for between in reversed(last.between):
        flows.append(Flow(luma, between.luma, near))
        near = flows[-1] if between.predict is None else near
    return [Flow(luma, last.luma, near), *reversed(flows)]


def _key(frame: Frame, before: np.ndarray | None, last: _Key | None) -> _Key:
    ab, weight = frame.predict()
    predicted = np.dstack([*ab, np.hypot(*ab), weight])  # [h, w, 4]
    propagated = predicted if before is None or frame.is_known else _merged(predicted, before)
    back = [] if last is None else _flows_back(frame.luma, last)
    return _Key(frame.luma, predicted, before, propagated, is_known=frame.is_known, back=back)


def _finish(keys: Sequence[_Key], number: int) -> None:
    """Set the final colours of the key frame ``keys[number]``.

    They are the weighted mean of its own colours and of those propagated to it from earlier key frames and from the
    later ones in ``keys``, with restored chroma. Known colours are used as they are.
    """
    key, later_keys = keys[number], keys[number + 1 :]
    if key.is_known:
        key.final = np.ascontiguousarray(key.predicted[..., :2])
        return
    colors = key.propagated
    if later_keys:
        from_later = later_keys[-1].predicted
        for later, earlier in itertools.pairwise(reversed(later_keys)):
            from_later = _merged(earlier.predicted, later.back[0].propagate(from_later))
        colors = _merged(colors, later_keys[0].back[0].propagate(from_later))
    key.final = _with_restored_chroma(colors)


def _with_restored_chroma(colors: np.ndarray) -> np.ndarray:
    """Return a*b* ``[h, w, 2]`` of averaged colours ``[h, w, 4]``, with the chroma that averaging has reduced restored.

    a*b* is scaled up, by a factor of at most 1.25, to the mean chroma of the colours that were averaged.
    """
    ab = colors[..., :2]
    chroma = np.hypot(ab[..., 0], ab[..., 1])
    factor = np.clip(colors[..., 2] / np.maximum(chroma, np.float32(1e-3)), 1, _MOST_GAIN)
    return ab * factor[..., None]


def _run(keys: list[_Key]) -> Iterator[Colors]:
    """Yield the colours of the first key frame and of the frames up to the next one."""
    key, next_key = keys[0], keys[1] if len(keys) > 1 else None
    if key.final is None:
        _finish(keys, 0)
    assert key.final is not None
    yield Colors(key.final.transpose(2, 0, 1), True, key.before)
    for number, between in enumerate(key.between, 1):
        if between.predict is not None:
            yield Colors(between.predict()[0], False, None)
            continue
        flow = between.flow
        ab = flow.warp(key.final)
        if next_key is not None and next_key.final is not None:
            position = number / (len(key.between) + 1)
            flow_back = next_key.back[number]
            share = position * (flow_back.confidence + _LEAST_WEIGHT)
            share /= share + (1 - position) * (flow.confidence + _LEAST_WEIGHT)
            ab += share[..., None] * (flow_back.warp(next_key.final) - ab)
        yield Colors(ab.transpose(2, 0, 1), False, None)
