"""One photograph from disk to disk: the report, the output options, and the command's output."""

from __future__ import annotations

import errno
import io
import warnings
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image
from skimage.data import camera

from photochrom import Colorizer, colorize_file, photo
from photochrom.errors import OptionError, PhotoError
from photochrom.photo.library_errors import decoding, naming, quiet_libraries
from photochrom.photo.report import colorfulness
from tests.helpers.photographs import saved, smooth


@pytest.fixture(scope="module")
def colorizer() -> Colorizer:
    return Colorizer()


@pytest.mark.slow
def test_the_report_says_what_was_written(colorizer: Colorizer, tmp_path: Path) -> None:
    target = tmp_path / "old.color.jpg"
    output = photo.OutputOptions(alternatives=1, confidence=True)
    data = saved(camera()[::5, ::4], "JPEG")
    report = photo.colorize_photo(data, target, colorizer=colorizer, output=output)
    assert set(report.outputs) == set(tmp_path.iterdir())
    assert report.outputs[0] == target
    assert (report.width, report.height) == (128, 103)
    assert report.confidence is not None
    assert 0 < report.confidence < 1
    assert report.colorfulness > 0
    assert report.warnings == ()
    with pytest.raises(PhotoError, match="exists already"):
        photo.colorize_photo(io.BytesIO(data), target, colorizer=colorizer)


@pytest.mark.slow
def test_output_options_and_single_arguments_are_the_same(colorizer: Colorizer, tmp_path: Path) -> None:
    source = tmp_path / "old.png"
    source.write_bytes(saved(smooth(60, 80), "PNG"))
    first = colorize_file(source, tmp_path / "a.jpg", colorizer=colorizer, quality=50, confidence=True)
    output = photo.OutputOptions(quality=50, confidence=True)
    second = colorize_file(source, tmp_path / "b.jpg", colorizer=colorizer, output=output)
    assert first.read_bytes() == second.read_bytes()
    assert (tmp_path / "b.confidence.png").is_file()
    with pytest.raises(OptionError, match="are part of the output options: give them in OutputOptions"):
        colorize_file(source, tmp_path / "b.jpg", colorizer=colorizer, output=output, overwrite=True)


@pytest.mark.parametrize("quality", [0, 101, 95.5, float("nan"), "96"])
def test_a_quality_is_a_whole_number_from_1_to_100(quality: Any) -> None:
    with pytest.raises(OptionError, match=f"quality is {quality!r}: give a whole number from 1 to 100"):
        photo.OutputOptions(quality=quality)


def test_colourfulness_is_that_of_the_pixels() -> None:
    """It equals the definition on RGB, for chroma computed from that RGB."""
    rgb = np.random.default_rng(0).integers(60, 190, (40, 50, 3)).astype(np.uint8)
    _, cr, cb = cv2.split(cv2.cvtColor(rgb, cv2.COLOR_RGB2YCrCb))
    red, green, blue = (rgb[..., i].astype(float) for i in range(3))
    rg, yb = red - green, (red + green) / 2 - blue
    expected = np.hypot(rg.std(), yb.std()) + 0.3 * np.hypot(rg.mean(), yb.mean())
    assert colorfulness(cb, cr) == pytest.approx(expected, rel=0.02)
    deep = [plane.astype(np.uint16) * 257 - 128 for plane in (cb, cr)]
    assert colorfulness(*deep) == pytest.approx(expected, rel=0.02)
    assert colorfulness(np.full((3, 3), 128, np.uint8), np.full((3, 3), 128, np.uint8)) == 0


@pytest.mark.parametrize(
    "error",
    [
        cv2.error("OpenCV(4.10.0) alloc.cpp:73: error: (-4:Insufficient memory) Failed to allocate 12 bytes"),
        OSError("out of memory when reading image file"),
        OSError("decoder error -9 when reading image file"),
        RuntimeError("Memory allocation error: Security limit exceeded"),
        MemoryError(),
    ],
)
def test_a_library_out_of_memory_is_reported_as_memory(error: Exception) -> None:
    """It is not reported as damage, or as a wrong format."""
    with pytest.raises(PhotoError, match=r"^old\.jpg: does not fit in memory"), naming("old.jpg"), decoding():
        raise error


def test_warnings_of_libraries_are_kept_out(recwarn: pytest.WarningsRecorder) -> None:
    """They are suppressed within overlapping blocks, as in several threads, and not afterwards."""
    first, second = quiet_libraries(), quiet_libraries()
    first.__enter__()
    second.__enter__()
    warnings.warn("Corrupt EXIF data", stacklevel=1)
    first.__exit__(None, None, None)
    warnings.warn("Truncated File Read", stacklevel=1)
    second.__exit__(None, None, None)
    assert not recwarn.list
    warnings.warn("mine", stacklevel=1)
    assert [str(warning.message) for warning in recwarn.list] == ["mine"]


def test_pillows_warnings_do_not_reach_the_terminal(recwarn: pytest.WarningsRecorder) -> None:
    picture = Image.fromarray(smooth(20, 20)).convert("P")
    picture.info["transparency"] = bytes(range(256))
    assert photo.read_photo(saved(picture, "PNG", transparency=bytes(range(256)))).luma.shape == (20, 20)
    assert not recwarn.list


def test_errors_carry_their_path_and_remedy(tmp_path: Path) -> None:
    path = tmp_path / "old.jpg"
    path.write_bytes(saved(smooth(20, 20), "JPEG")[:200])
    with pytest.raises(PhotoError, match="cut short") as caught:
        photo.read_photo(path)
    assert (caught.value.path, caught.value.remedy) == (path, "get a whole copy of the file")
    with pytest.raises(PhotoError) as caught:
        photo.read_photo(path.read_bytes())
    assert caught.value.path is None
    assert str(caught.value) == "the picture: is cut short: get a whole copy of the file"


def test_a_colon_in_the_system_s_message_does_not_begin_the_remedy() -> None:
    with pytest.raises(PhotoError) as caught, naming("old.jpg"):
        raise OSError(errno.EIO, "Input/output error", "old.jpg")
    assert caught.value.problem == "cannot be read or written ([Errno 5] Input/output error: 'old.jpg')"
    assert caught.value.remedy == "check its disk, or copy it to another one"
