"""No library reads or writes beyond the arrays it is given: every array here ends at a guard page."""

import sys
from importlib.util import find_spec

import pytest

from tests.helpers.guard import survives

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="guard pages need mprotect")


def check(code: str) -> None:
    done = survives(code)
    assert done.returncode == 0, f"{done.stdout[-300:]}\n{done.stderr[-2000:]}"


@pytest.mark.slow
def test_the_guard_bites():
    done = survives(
        """
        import ctypes, numpy as np
        from tests.helpers.guard import guarded
        array = guarded(np.zeros(100, np.uint8))
        ctypes.string_at(array.ctypes.data, 100)
        print("all of it can be read", flush=True)
        ctypes.string_at(array.ctypes.data, 101)
        """
    )
    assert "all of it can be read" in done.stdout
    assert done.returncode < 0


@pytest.mark.slow
def test_jpeg_planes_of_all_sizes_and_samplings():
    """Odd heights once crashed the process: TurboJPEG reads the row that completes the last chroma sample."""
    check(
        """
        import io, itertools, numpy as np
        from tests.helpers.guard import guarded
        from PIL import Image
        from photochrom.photo.formats import jpeg
        from photochrom.photo.formats.image import Metadata, Planes

        random = np.random.default_rng(0)
        sides = [1, 2, 3, 5, 8, *range(17, 33)]
        for height, width, (rows, columns) in itertools.product(sides, sides, [(1, 1), (1, 2), (2, 2)]):
            print(height, width, rows, columns, flush=True)
            luma = np.add.outer(np.arange(height), 2 * np.arange(width)).astype(np.uint8) + 60
            small = -(-height // rows), -(-width // columns)
            cb, cr = (np.full(small, value, np.uint8) for value in (120, 140))
            stream = io.BytesIO()
            jpeg.write(stream, Planes(guarded(luma), guarded(cb), guarded(cr)), Metadata(), 96)
            image = Image.open(stream)
            image.draft("L", None)
            assert image.size == (width, height)
            assert np.abs(np.asarray(image).astype(int) - luma).max() <= 6
        """
    )


@pytest.mark.slow
def test_pictures_through_the_colorizer():
    check(
        """
        import numpy as np
        from tests.helpers.guard import guarded
        from PIL import Image
        from photochrom import Colorizer

        colorizer = Colorizer()
        random = np.random.default_rng(0)
        for dtype in (np.uint8, np.uint16):
            for height, width in [(1, 1), (7, 300), (301, 203), (257, 255), (1031, 517), (2049, 33)]:
                print(dtype, height, width, flush=True)
                luma = guarded(random.integers(0, np.iinfo(dtype).max, (height, width)).astype(dtype))
                for subsampling in (1, 2):
                    colorizer.chroma(luma, subsampling=subsampling)
                colorizer.colorize(luma)
                rgb = guarded(random.integers(0, np.iinfo(dtype).max, (height, width, 3)).astype(dtype))
                colorizer.colorize(rgb)
        colorizer.colorize(Image.fromarray(guarded(random.integers(0, 255, (33, 61)).astype(np.uint8))))
        """
    )


@pytest.mark.slow
@pytest.mark.skipif(find_spec("onnxruntime") is None, reason="needs ONNX Runtime")
def test_engines_that_share_inputs():
    check(
        """
        import numpy as np
        from tests.helpers.guard import guarded
        from photochrom.models.engines import OnnxRuntimeEngine, OpenVinoEngine
        from photochrom.models.registry import find_model

        path = find_model("default")
        for engine in (OpenVinoEngine(path), OnnxRuntimeEngine(path)):
            for height, width in [(32, 32), (256, 288), (64, 1024)]:
                print(type(engine).__name__, height, width, flush=True)
                engine.run({
                    "lightness": guarded(np.full((1, 1, height, width), 0.5, np.float32)),
                    "vividness": guarded(np.array([0.5], np.float32)),
                    "hints": guarded(np.zeros((1, 3, height, width), np.float32)),
                })
        """
    )


@pytest.mark.slow
def test_optical_flow():
    check(
        """
        import numpy as np
        from tests.helpers.guard import guarded
        from photochrom.film import optical_flow

        random = np.random.default_rng(0)
        for fast in (True, False):
            for height, width in [(1, 1), (16, 16), (17, 300), (90, 33), (128, 170), (16, 900)]:
                print(fast, height, width, flush=True)
                frames = [guarded(random.integers(0, 255, (height, width)).astype(np.uint8)) for _ in range(2)]
                where = guarded(optical_flow.backward_flow(*frames, fast=fast))
                optical_flow.warp(guarded(np.zeros((height, width, 2), np.float32)), where)
        """
    )


@pytest.mark.slow
def test_film_planes_of_odd_sizes():
    check(
        """
        import av, numpy as np
        from tests.helpers.guard import guarded
        from photochrom.color.coding import Coding
        from photochrom.color.thumbnail import thumbnail
        from photochrom.film.planes import luma_plane

        random = np.random.default_rng(0)
        for name, dtype in (("gray", np.uint8), ("gray16le", np.uint16), ("yuv420p", np.uint8)):
            for height, width in [(16, 16), (61, 75), (144, 177), (3, 5)]:
                print(name, height, width, flush=True)
                if name == "yuv420p":
                    height, width = height + height % 2, width + width % 2
                rows = height * 3 // 2 if name == "yuv420p" else height
                frame = av.VideoFrame.from_ndarray(
                    guarded(random.integers(0, 255, (rows, width)).astype(dtype)), format=name
                )
                luma = luma_plane(frame)
                thumbnail(guarded(np.ascontiguousarray(luma)), Coding(8 * luma.dtype.itemsize), 32, 64)
        """
    )
