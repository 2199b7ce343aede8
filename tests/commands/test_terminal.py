"""Nothing but our own messages reaches the terminal."""

import subprocess
import sys

import pytest

from tests.corpus.make import damaged

LOUD = {
    "png": lambda entry: entry.name.endswith(".png") and ".doubled-8." in entry.name,  # libpng: IHDR: out of place
    "tif": lambda entry: entry.name.endswith(".tif") and ".huge-" in entry.name,  # libtiff: Incorrect count
}


def color(path, **environment):
    code = "from photochrom.commands.main import run; run()"
    command = [sys.executable, "-c", code, "photo", str(path), "-o", str(path.with_name("out.png"))]
    import os

    return subprocess.run(command, capture_output=True, text=True, env=os.environ | environment)


@pytest.mark.slow
@pytest.mark.parametrize("kind", LOUD)
def test_what_c_libraries_print_stays_away(tmp_path, kind):
    entries = [entry for entry in damaged() if LOUD[kind](entry)][:12]
    for entry in entries:
        path = tmp_path / entry.name
        path.write_bytes(entry.data)
        if (heard := color(path, PHOTOCHROM_DEBUG="1")).returncode and heard.stderr.count("\n") > 1:
            break
    else:
        pytest.skip("no library says anything about these files here")
    done = color(path)
    assert done.returncode == 1
    assert done.stderr.startswith(f"photochrom: {path}: ")
    assert done.stderr.count("\n") == 1
