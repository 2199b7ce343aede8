"""Helpers for large planes: bands for threads, matrix products, reduction, rounding to 8 bits, EXIF orientation."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final, TypeVar

import numpy as np

from ..machine import available_cores

Part = TypeVar("Part")
Result = TypeVar("Result")
BAND_BYTES: Final = 1 << 20  # bytes of output per band: fits the cache, and is long enough for deflate to compress

_STRIP_SAMPLES = 3 << 14  # samples per strip, so that intermediate arrays stay in the processor's cache
_MIN_STRIP_ROWS: Final = 24  # with fewer rows, the overhead of each strip would dominate
_BLAS_THREADS_FROM: Final = 1 << 18  # number of multiplications from which OpenBLAS uses several threads
_thread_limit: int | None = None


def limit_threads(count: int) -> None:
    """Limit the threads of this process: those of ``in_parallel``, of OpenCV, and of engines that are opened later.

    If several processes colour photographs at the same time, they are fastest with one thread each.

    Args:
        count: Maximum number of threads, at least 1.
    """
    import cv2

    global _thread_limit
    _thread_limit = count
    cv2.setNumThreads(count)


@contextlib.contextmanager
def limited_threads(count: int) -> Iterator[None]:
    """Limit the threads of this process, as ``limit_threads`` does, until the block ends."""
    import cv2

    global _thread_limit
    before = _thread_limit, cv2.getNumThreads()
    limit_threads(count)
    try:
        yield
    finally:
        _thread_limit = before[0]
        cv2.setNumThreads(before[1])


def thread_limit() -> int | None:
    """Return the limit set by ``limit_threads``, or None if there is none."""
    return _thread_limit


def threads() -> int:
    """Return the number of threads for one photograph: the limit, or else the number of available cores."""
    return _thread_limit or available_cores()


def strips(height: int, width: int) -> Iterator[tuple[int, int]]:
    """Cut ``height`` rows of ``width`` samples into strips that fit the processor's cache; yield start and stop rows.

    Strips have at least 24 rows, except the last. If ``width`` is large, they may exceed the cache.
    """
    rows = max(_MIN_STRIP_ROWS, _STRIP_SAMPLES // width)
    for start in range(0, height, rows):
        yield start, min(start + rows, height)


def bands(height: int, row_bytes: int) -> list[range]:
    """Divide ``height`` rows of ``row_bytes`` bytes into ranges of about ``BAND_BYTES`` bytes, but at least one row."""
    step = max(1, BAND_BYTES // row_bytes)
    return [range(start, min(start + step, height)) for start in range(0, height, step)]


def shares(height: int, count: int, unit: int = 1) -> list[slice]:
    """Divide ``height`` rows into at most ``count`` slices of about equal length, begun at multiples of ``unit``."""
    share = unit * -(-height // (unit * count))
    return [slice(start, min(start + share, height)) for start in range(0, height, share)]


def in_parallel(work: Callable[[Part], Result], parts: Sequence[Part]) -> Iterator[Result]:
    """Apply ``work`` to each part in threads, and yield the results in order.

    This is faster than a loop only if ``work`` mostly calls NumPy, OpenCV or zlib, which release the GIL. Nothing is
    done before the first result is requested. An exception in ``work`` is raised in place of that part's result.
    """
    if len(parts) == 1:
        yield work(parts[0])
        return
    with ThreadPoolExecutor(max_workers=threads()) as pool:
        yield from pool.map(work, parts)


def product(left: np.ndarray, right: np.ndarray, out: np.ndarray | None = None) -> np.ndarray:
    """Multiply matrices in one thread; twice as fast if the environment variable ``OPENBLAS_NUM_THREADS`` is 1.

    Args:
        left: float32 ``[..., n, m]``.
        right: float32 ``[..., m, k]``.
        out: float32 ``[..., n, k]`` to write into; None for a new array.

    Returns:
        float32 ``[..., n, k]``.
    """
    (*_, n, m), (*_, k) = left.shape, right.shape
    if out is None:
        out = np.empty((*np.broadcast_shapes(left.shape[:-2], right.shape[:-2]), n, k), np.float32)
    # Threads of OpenBLAS, NumPy's backend, wait for work in a busy loop, which costs more processor time than all other
    # steps of colouring a photograph together. It starts none for small products, so ``right`` is multiplied in parts.
    is_single = os.environ.get("OPENBLAS_NUM_THREADS") == "1"
    step = max(1, k if is_single else _BLAS_THREADS_FROM // max(1, n * m))
    for start in range(0, k, step):
        part = slice(start, start + step)
        np.matmul(left, right[..., part], out=out[..., part])
    return out


def at_8_bits(plane: np.ndarray) -> np.ndarray:
    """Round uint16 ``[H, W, ...]`` (0..65535) to uint8 (0..255); uint8 is returned unchanged."""
    if plane.dtype == np.uint8:
        return plane
    result = np.empty(plane.shape, np.uint8)
    for start, stop in strips(*plane.shape[:2]):
        # For every 16-bit v, (v * 255 + 32895) >> 16 equals round(v / 257); libpng uses the same identity.
        result[start:stop] = (plane[start:stop].astype(np.uint32) * 255 + 32895) >> 16
    return result


def small(picture: np.ndarray, longest: int) -> np.ndarray:
    """Convert a picture to uint8, and scale it down to sides of at most ``longest`` pixels.

    Args:
        picture: ``[H, W]`` or ``[H, W, channels]``, uint8 or uint16.
        longest: Maximum length of the longest side, in pixels.
    """
    import cv2  # takes a tenth of a second

    scale = longest / max(picture.shape[:2])
    if scale < 1:
        height, width = (max(1, round(side * scale)) for side in picture.shape[:2])
        picture = cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA)
    return at_8_bits(picture)


def upright(plane: np.ndarray, orientation: int) -> np.ndarray:
    """Rotate or mirror pixels upright, given their EXIF orientation (1..8).

    Args:
        plane: A plane ``[H, W]``, or channels ``[H, W, C]``; so is the result, which is contiguous.
        orientation: The orientation; another number than 1..8 changes nothing.
    """
    if orientation in (5, 6, 7, 8):
        plane = plane.swapaxes(0, 1)
    if orientation in (2, 3, 6, 7):
        plane = plane[:, ::-1]
    if orientation in (3, 4, 7, 8):
        plane = plane[::-1]
    return np.ascontiguousarray(plane)
