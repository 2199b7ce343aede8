"""Only Photochrom's own messages reach the terminal."""

import os
import subprocess
import sys

import pytest

from tests.corpus.make import damaged

LOUD = {
    "png": lambda name: name.endswith(".png") and ".doubled-8." in name,  # libpng: IHDR: out of place
    "tif": lambda name: name.startswith(("rgb8-deflate.huge", "rgb8-packbits.huge")),  # libtiff: Incorrect count
}


def said(paths, output, **environment):
    """Return the lines that the command prints on standard error while it colours files."""
    code = "from photochrom.commands.main import run; run()"
    command = [sys.executable, "-c", code, "photo", *map(str, paths), "-o", f"{output}{os.sep}"]
    done = subprocess.run(command, capture_output=True, text=True, env=os.environ | environment)
    assert done.returncode == 1
    return done.stderr.splitlines()


@pytest.mark.slow
@pytest.mark.parametrize("kind", LOUD)
def test_warnings_of_c_libraries_are_not_shown(tmp_path, kind):
    paths = []
    for entry in damaged():
        if LOUD[kind](entry.name):
            paths.append(tmp_path / entry.name)
            paths[-1].write_bytes(entry.data)
    ours = tuple(f"photochrom: {path}: " for path in paths)
    everything = said(paths, tmp_path / "loud", PHOTOCHROM_DEBUG="1")
    if all(line.startswith(ours) for line in everything):
        pytest.skip("no library says anything about these files here")
    assert said(paths, tmp_path / "out") == [line for line in everything if line.startswith(ours)]
