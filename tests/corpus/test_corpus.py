"""Every file of the corpus is coloured with its own luma, or refused in one line; none crashes, hangs or tracebacks."""

import io
import sys
import tempfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from photochrom.batch.workers import Died, WorkerPool
from tests.corpus.make import Entry, corpus
from tests.helpers.limits import outcome

pytest.importorskip("onnx")


def prepare(model, parent):
    """Return what a worker calls with each entry: it colours the entry, and returns the kind of outcome and a text.

    The worker makes a folder of its own in ``parent``.
    """
    from photochrom import Colorizer

    return coloring(Colorizer(model, "cpu"), Path(tempfile.mkdtemp(dir=parent)))


def coloring(colorizer, folder):
    """Return the same function for a loaded model; it works in a folder."""
    from photochrom.photo import colorize_photo

    def color(entry: Entry):
        source = folder / entry.name
        source.write_bytes(entry.data)
        output = folder / ("out" + (source.suffix if source.suffix != ".jpg" else ".png"))
        output.unlink(missing_ok=True)
        kind, text = outcome(lambda: colorize_photo(source, output, colorizer=colorizer), source)
        source.unlink()
        return ("coloured", output.read_bytes()) if kind == "done" else (kind, text)

    return color


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    from tests.helpers.fakes import tiny_model

    model = tiny_model(tmp_path_factory.mktemp("model") / "tiny.onnx")
    entries = corpus()
    assert len(entries) > 500
    assert len({entry.name for entry in entries}) == len(entries)
    assert sum(len(entry.data) for entry in entries) < 4_000_000
    with WorkerPool(prepare, (str(model), tmp_path_factory.mktemp("work")), 2) as pool:
        return [(entry, result) for entry, result in pool.map(entries)]


pytestmark = [
    pytest.mark.skipif(sys.platform == "win32", reason="alarms and resource limits are POSIX"),
    pytest.mark.slow,
]


def test_nothing_crashes_hangs_or_shows_a_traceback(results):
    wrong = [
        (entry.name, result)
        for entry, result in results
        if isinstance(result, Died) or result[0] not in ("coloured", "refused")
    ]
    assert not wrong


def test_intact_files_are_coloured_with_their_own_luma(results):
    wrong = []
    for entry, result in results:
        if entry.luma is None:
            continue
        if isinstance(result, Died) or result[0] != "coloured":
            wrong.append((entry.name, result))
            continue
        found = luma_in(result[1], Path(entry.name).suffix)
        if found is not None and (
            found.shape != entry.luma.shape or np.abs(found.astype(int) - entry.luma).max() > entry.tolerance
        ):
            wrong.append((entry.name, "another luma"))
    assert not wrong


def luma_in(data, suffix):
    """Return the luma of an output by other libraries; None for lossy formats, which change the luma."""
    if suffix in (".webp", ".avif"):
        return None
    if suffix == ".tif":
        import tifffile

        rgb = tifffile.imread(io.BytesIO(data))
    else:
        import cv2

        rgb = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)[..., 2::-1]
    return np.rint(rgb[..., :3].astype(np.float64) @ [0.299, 0.587, 0.114]).astype(rgb.dtype)


def test_damaged_files_that_are_coloured_are_pictures(results):
    """A damaged file that is not refused gives a complete output."""
    coloured = 0
    for entry, result in results:
        if entry.luma is None and not isinstance(result, Died) and result[0] == "coloured":
            coloured += 1
            if not entry.name.endswith(".tif"):  # Pillow cannot read colour with 16 bits
                Image.open(io.BytesIO(result[1])).load()
    assert coloured < len(results) / 2


def test_the_corpus_is_the_same_every_time(results):
    first, second = ({one.name: one.data for one in made} for made in ((entry for entry, _ in results), corpus()))
    assert first.keys() == second.keys()
    assert [name for name, data in first.items() if data != second[name]] == []
