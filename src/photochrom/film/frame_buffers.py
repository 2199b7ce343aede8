"""Buffers of video frames: a pool that reuses them, limits in bytes, and planes as NumPy views.

Limits count bytes, not frames, because a scanned frame may be a hundred times as large as one of standard television.
"""

from __future__ import annotations

import threading
from collections import deque

import av
import numpy as np

_POOL_BYTES = 100e6  # limit on the frames kept for reuse


def frames_within(memory: float, frame_bytes: float, most: int) -> int:
    """Return the number of frames that fit into some memory, from 1 to ``most``.

    Args:
        memory: Memory for all frames, in bytes.
        frame_bytes: Memory per frame, including intermediate results, in bytes.
        most: Upper limit of the result.
    """
    return max(1, min(most, int(memory / frame_bytes)))


class FramePool:
    """A pool of video frames whose memory is reused; any thread may use it.

    For a large scan, the first access to newly allocated memory takes as long as colouring the frame.

    Args:
        memory: Maximum size of the pool in bytes; the oldest frames are released first.
    """

    def __init__(self, memory: float = _POOL_BYTES) -> None:
        self._memory, self._lock = memory, threading.Lock()
        self._frames: deque[av.VideoFrame] = deque()  # the most recently returned frame is last
        self._size = 0  # bytes of these frames

    def take(self, width: int, height: int, name: str) -> av.VideoFrame:
        """Return a frame with undefined pixels, from the pool if it has one of this size and format.

        Args:
            width: Columns of luma.
            height: Rows of luma.
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
                self._size -= frame_bytes(found)
        if found is None:
            return av.VideoFrame(width, height, name)
        found.make_writable()  # a decoder may still reference its pixels
        found.pts, found.duration = None, 0
        return found

    def give_back(self, frame: av.VideoFrame) -> None:
        """Put a frame into the pool; the caller must not use it any more."""
        with self._lock:
            self._frames.append(frame)
            self._size += frame_bytes(frame)
            while self._size > self._memory:
                self._size -= frame_bytes(self._frames.popleft())

    def clear(self) -> None:
        """Release the memory of all frames in the pool."""
        with self._lock:
            self._frames.clear()
            self._size = 0


def frame_bytes(frame: av.VideoFrame) -> int:
    """Return the size of a frame's pixels in bytes, including the padding of rows."""
    return sum(plane.buffer_size for plane in frame.planes)


pool = FramePool()
"""The pool shared by all films of this process."""


def luma_plane(frame: av.VideoFrame) -> np.ndarray:
    """Return the luma plane of a planar frame, uint8 or uint16 ``[H, W]``, as a view that must not be modified."""
    return view(frame, 0)


def view(frame: av.VideoFrame, index: int) -> np.ndarray:
    """Return a plane of a planar frame, uint8 or uint16 ``[h, w]`` in the frame's byte order, as a view of its memory.

    Args:
        frame: The frame.
        index: 0 for luma, 1 for Cb, 2 for Cr; for RGB, 0 for green, 1 for blue, 2 for red.
    """
    plane = frame.planes[index]
    order = ">u2" if frame.format.is_big_endian else "<u2"
    dtype = np.uint8 if frame.format.components[index].bits == 8 else np.dtype(order)
    rows = np.frombuffer(plane, dtype).reshape(plane.height, -1)
    return rows[:, : plane.width]
