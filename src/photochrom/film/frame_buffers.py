"""Memory of frames: limits by bytes, reuse of buffers, and views of their planes.

A frame of a scan may be a hundred times as large as one of standard television, so limits count bytes, not frames.
"""

from __future__ import annotations

import threading
from collections import deque

import av
import numpy as np

_KEPT = 100e6  # most bytes of frames kept for reuse


def frames_within(memory: float, frame_bytes: float, most: int) -> int:
    """Return how many frames fit into memory, at least one.

    Args:
        memory: Bytes for all of them.
        frame_bytes: Bytes per frame, including intermediate results.
        most: Upper limit of the result.
    """
    return max(1, min(most, int(memory / frame_bytes)))


class FramePool:
    """A pool of frames whose memory is reused.

    Touching newly allocated memory takes as long as colouring a scan.

    Args:
        memory: Maximum number of bytes of frames in the pool.
    """

    def __init__(self, memory: float = _KEPT) -> None:
        self._memory, self._lock = memory, threading.Lock()
        self._frames: deque[av.VideoFrame] = deque()  # the most recently returned frame is last
        self._held = 0  # bytes of these frames

    def take(self, width: int, height: int, name: str) -> av.VideoFrame:
        """Return a frame with undefined pixels, from the pool or new.

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
                self._held -= frame_bytes(found)
        if found is None:
            return av.VideoFrame(width, height, name)
        found.make_writable()  # a decoder may still reference its pixels
        found.pts, found.duration = None, 0
        return found

    def give_back(self, frame: av.VideoFrame) -> None:
        """Return a frame to the pool; the caller must not use it any more."""
        with self._lock:
            self._frames.append(frame)
            self._held += frame_bytes(frame)
            while self._held > self._memory:
                self._held -= frame_bytes(self._frames.popleft())

    def clear(self) -> None:
        """Release all frames when a film is finished."""
        with self._lock:
            self._frames.clear()
            self._held = 0


def frame_bytes(frame: av.VideoFrame) -> int:
    """Return the number of bytes of a frame's pixels."""
    return sum(plane.buffer_size for plane in frame.planes)


pool = FramePool()
"""The pool shared by all films of this process."""


def luma_plane(frame: av.VideoFrame) -> np.ndarray:
    """Return the luma of a frame as a view, uint8 or uint16 ``[H, W]``, which must not be modified."""
    return view(frame, 0)


def view(frame: av.VideoFrame, index: int) -> np.ndarray:
    """Return a plane of a planar frame as a view, uint8 or uint16 ``[h, w]``."""
    plane = frame.planes[index]
    order = ">u2" if frame.format.is_big_endian else "<u2"
    dtype = np.uint8 if frame.format.components[index].bits == 8 else np.dtype(order)
    rows = np.frombuffer(plane, dtype).reshape(plane.height, -1)
    return rows[:, : plane.width]
