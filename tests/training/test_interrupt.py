"""Ctrl+C in a separate process: the command saves a checkpoint, says how to continue, and continues."""

import csv
import importlib.util
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

_TOY = Path(__file__).parents[2] / "examples" / "train" / "toy.py"


def _command(photographs, run, *options):
    arguments = ["train", str(photographs), "-o", str(run), "--size", "64", "--epochs", "30", *options]
    return [sys.executable, "-m", "photochrom", *arguments]


def _losses(run):
    with (run / "losses.csv").open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.slow
def test_ctrl_c(tmp_path):
    spec = importlib.util.spec_from_file_location("toy", _TOY)
    toy = importlib.util.module_from_spec(spec)
    sys.modules["toy"] = toy
    spec.loader.exec_module(toy)
    photographs, run = tmp_path / "photographs", tmp_path / "run"
    photographs.mkdir()
    toy.write_crops(photographs, 40, 96)
    job = subprocess.Popen(_command(photographs, run), stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 600
    while not (run / "losses.csv").exists() and job.poll() is None and time.monotonic() < deadline:
        time.sleep(0.1)
    job.send_signal(signal.SIGINT)
    try:
        _, said = job.communicate(timeout=600)
    finally:
        job.kill()
    assert job.returncode == 130, said
    assert "go on with --resume" in said
    assert "Traceback" not in said
    assert (run / "checkpoint.safetensors").exists()
    assert 0 < len(_losses(run)) < 30


HEARD = """
import signal, sys
from photochrom.training.stop_signals import stopping
number = signal.Signals[sys.argv[1]]
before = signal.getsignal(number)
with stopping() as asked:
    assert asked() == 0
    signal.raise_signal(number)
    assert asked() == number
assert signal.getsignal(number) == before
"""


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_signals_are_heard_between_two_steps(name):
    number = getattr(signal, name, None)
    if number is None or signal.getsignal(number) == signal.SIG_IGN:
        pytest.skip(f"no {name} here")  # nobody could send it
    subprocess.run([sys.executable, "-c", HEARD, name], check=True)
