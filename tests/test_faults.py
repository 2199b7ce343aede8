"""Work that is killed at any moment leaves files complete or absent; the next run removes what kill -9 leaves."""

import os

import pytest

from tests.helpers.guard import survives

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="moments are tried in forks")

START = """
import signal, sys, tempfile
from pathlib import Path
import numpy as np
from photochrom.colorizer.colorizer import Colorizer
from tests.helpers.crash_points import attempts, temporary_files
folder = Path(tempfile.mkdtemp())
number = signal.Signals[{name!r}]
"""

PHOTO = """
from PIL import Image
from photochrom.photo import OutputOptions, colorize_file
from tests.helpers.suggesting import hinting_engine
(folder / "old").mkdir()
sources = [folder / "old" / f"{{i}}.{{end}}" for i, end in enumerate(("jpg", "tif"))]
for source in sources:
    Image.fromarray(np.add.outer(np.arange(60), np.arange(80)).astype(np.uint8)).save(source)
fake = folder.parent / "fake.onnx"
fake.write_bytes(b"fake")
fake_colorizer = Colorizer(fake, engine=hinting_engine())
out = folder / "out"
out.mkdir()
def work(quality=96):
    for source in sources:
        colorize_file(source, out / source.name, colorizer=fake_colorizer,
                      output=OutputOptions(quality, overwrite=True, alternatives=1, confidence=True, sidecar=True))
def contents():
    return {{path.name: path.read_bytes() for path in out.iterdir() if not path.name.startswith(".")}}
work(quality=50)
old = contents()
work()
new = contents()
assert old.keys() == new.keys() and old != new, (old.keys(), new.keys())
def before():
    assert not temporary_files(folder) or number == signal.SIGKILL
    for name, data in old.items():
        (out / name).write_bytes(data)
moments = left = 0
for moment, finished in attempts(work, out, number, before=before, every={every}):
    moments += 1
    found = contents()
    assert found.keys() == new.keys(), moment
    assert all(data in (old[name], new[name]) for name, data in found.items()), moment
    left = max(left, len(temporary_files(folder)))
    assert finished or number == signal.SIGKILL or not temporary_files(folder), moment
    # those of a picture and of its sidecar, which is written first; the next run has removed those before
    assert len(temporary_files(folder)) <= 2, moment
assert found == new and not temporary_files(folder)
assert left == (2 if number == signal.SIGKILL else 0)
print(moments, "moments")
"""

FILM = """
import photochrom.film.coloring as module
from photochrom.film import FilmOptions, colorize_film
from tests.helpers.films import all_packets, colorizer, other_shot, pan, write_film
module._SHORTEST, module._LONGEST = 0.5, 1
source = write_film(folder / "a.mp4", pan(30) + other_shot(20), rate=24, sound="aac")
fake_colorizer = colorizer(folder, lambda lightness: (60 * (lightness - 0.4), 30 * np.sin(9 * lightness)))
options = FilmOptions(preset="ultrafast")
whole = colorize_film(source, folder / "whole.mp4", options, colorizer=fake_colorizer).output
(folder / "out").mkdir()
output = folder / "out" / "a.mp4"
def work():
    colorize_film(source, output, options, colorizer=fake_colorizer)
moments = 0
for moment, finished in attempts(work, output.parent, number, every={every}):
    moments += 1
    assert output.exists() <= (all_packets(output) == all_packets(whole) if output.exists() else True), moment
    names = {{path.name for path in output.parent.iterdir()}} - set(temporary_files(output.parent))
    assert names <= {{output.name, output.name + ".photochrom"}}, (moment, names)
    if number == signal.SIGTERM:
        assert not temporary_files(folder), (moment, temporary_files(folder))
    if output.exists() and not finished:  # killed between publishing the film and removing its folder
        output.unlink()
    if finished:
        assert names == {{output.name}} and not temporary_files(folder), names
print(moments, "moments")
"""


@pytest.mark.parametrize("name", ["SIGTERM", "SIGKILL"])
@pytest.mark.parametrize("work", [PHOTO, FILM], ids=["photo", "film"])
@pytest.mark.slow
def test_work_ended_at_any_moment(work, name):
    done = survives((START + work).format(name=name, every=5 if work == FILM else 3))
    assert done.returncode == 0, done.stderr[-3000:]
    assert int(done.stdout.split()[-2]) > 5
