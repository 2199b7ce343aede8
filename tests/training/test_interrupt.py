"""Ctrl+C in a separate process: the command saves a checkpoint, says how to continue, and continues."""

import csv
import signal
import subprocess
import sys

import pytest

from tests.helpers.training_runs import toy

# The command presses Ctrl+C itself as it writes the losses of the first epoch, however busy the machine is.
INTERRUPTED = """
import os, signal, sys
from photochrom.commands.main import run

def hear(event, arguments):
    if event == "os.rename" and os.path.basename(arguments[1]) == "losses.csv":
        os.kill(os.getpid(), signal.SIGINT)

sys.addaudithook(hear)
run()
"""


def _losses(run):
    with (run / "losses.csv").open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.slow
def test_ctrl_c(tmp_path):
    photographs, run = tmp_path / "photographs", tmp_path / "run"
    photographs.mkdir()
    toy().write_crops(photographs, 40, 96)
    arguments = ["train", str(photographs), "-o", str(run), "--size", "64", "--epochs", "30"]
    done = subprocess.run([sys.executable, "-c", INTERRUPTED, *arguments], stderr=subprocess.PIPE, text=True)
    assert done.returncode == 130, done.stderr
    assert "go on with --resume" in done.stderr
    assert "Traceback" not in done.stderr
    assert (run / "checkpoint.safetensors").exists()
    assert len(_losses(run)) == 1


HEARD = """
import signal, sys
from photochrom.signals import stopping
from photochrom.training.stop_signals import SIGNALS
number = signal.Signals[sys.argv[1]]
before = signal.getsignal(number)
with stopping(*SIGNALS) as asked:
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
