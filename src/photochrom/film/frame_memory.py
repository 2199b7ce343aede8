"""Memory of the frames in work: how many may wait, by their bytes; frames that are used again; planes as arrays.

A scan is as large as a hundred frames of old television: numbers of frames that suit these would fill the memory.
"""

from __future__ import annotations

import threading
from collections import deque

import av
import numpy as np

_KEPT = 100e6  # greatest number of bytes of frames that are kept to be used again


def frames_within(memory: float, frame_bytes: float, most: int) -> int:
    """Return how many frames may be in work at once: at least one, and no more than fit.

    Args:
        memory: Bytes for all of them.
        frame_bytes: Bytes that each takes, with what is made of it meanwhile.
        most: Greatest number that is of any use.
    """
    return max(1, min(most, int(memory / frame_bytes)))


class FramePool:
    """Frames that are used again.

    Memory that the system has just given out costs as much to touch as the colouring of a scan.

    Args:
        memory: Greatest number of bytes of the frames that wait to be used again.
    """

    def __init__(self, memory: float = _KEPT) -> None:
        self._memory, self._lock = memory, threading.Lock()
        self._frames: deque[av.VideoFrame] = deque()  # the one that was given back last is the last

    def take(self, width: int, height: int, name: str) -> av.VideoFrame:
        """Return a frame whose pixels hold anything: one that was given back, or a new one.

        Args:
            width: Number of columns.
            height: Number of rows.
            name: FFmpeg's name of the pixel format.
        """
        found = None
        with self._lock:
            for frame in reversed(self._frames):
                if (frame.width, frame.height, frame.format.name) == (width, height, name):
                    found = frame
                    break
            if found is not None:
                self._frames.remove(found)
        if found is None:
            return av.VideoFrame(width, height, name)
        found.make_writable()  # a decoder may hold its pixels as well
        found.pts, found.duration = None, 0
        return found

    def give_back(self, frame: av.VideoFrame) -> None:
        """Offer a frame, which nobody may use any more, to ``take``."""
        with self._lock:
            self._frames.append(frame)
            while sum(map(frame_bytes, self._frames)) > self._memory:
                self._frames.popleft()

    def clear(self) -> None:
        """Let go of all frames, because a film is finished."""
        with self._lock:
            self._frames.clear()


def frame_bytes(frame: av.VideoFrame) -> int:
    """Return the number of bytes of a frame's pixels."""
    return sum(plane.buffer_size for plane in frame.planes)


pool = FramePool()
"""The frames of all films of this process."""


def luma_plane(frame: av.VideoFrame) -> np.ndarray:
    """Return the luma of a frame, uint8 or uint16 ``[H, W]``: a view, which must not be written to."""
    return view(frame, 0)


def view(frame: av.VideoFrame, index: int) -> np.ndarray:
    """Return a plane of a planar frame as a view, uint8 or uint16 ``[h, w]``."""
    plane = frame.planes[index]
    order = ">u2" if frame.format.is_big_endian else "<u2"
    dtype = np.uint8 if frame.format.components[index].bits == 8 else np.dtype(order)
    rows = np.frombuffer(plane, dtype).reshape(plane.height, -1)
    return rows[:, : plane.width]
