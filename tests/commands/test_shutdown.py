"""The process ends once and cleanly at the first signal, and not while threads are at work."""

import atexit
import os
import signal
import subprocess
import sys
import textwrap
import threading

import pytest

from photochrom.commands import shutdown
from photochrom.commands.shutdown import Shutdown


class LeftError(Exception):
    """Raised in place of ending the process."""


@pytest.fixture
def process(monkeypatch):
    """Return a ``Shutdown`` that handles no signals, and raises an exception in place of ending the process."""

    def leave(status):
        raise LeftError(status)

    monkeypatch.setattr(os, "_exit", leave)
    monkeypatch.setattr(atexit, "register", lambda _: None)
    return Shutdown()


def test_the_first_signal_exits_cleanly_and_immediate_repetitions_are_ignored(process):
    with pytest.raises(SystemExit) as first:
        process._handle(signal.SIGTERM, None)
    assert first.value.code == 128 + signal.SIGTERM
    process._handle(signal.SIGTERM, None)
    process._handle(signal.SIGINT, None)


def test_ctrl_c_raises_keyboard_interrupt_and_a_later_one_exits_at_once(process, monkeypatch):
    with pytest.raises(KeyboardInterrupt):
        process._handle(signal.SIGINT, None)
    monkeypatch.setattr(shutdown, "_AT_ONCE", -1.0)
    with pytest.raises(LeftError, match="130"):
        process._handle(signal.SIGINT, None)


def test_signals_are_ignored_once_the_work_is_done(process):
    process.close()
    process._handle(signal.SIGINT, None)
    with pytest.raises(SystemExit):
        process.exit(0)


def test_threads_at_work_are_not_ended_by_the_interpreter(process):
    done = threading.Event()
    thread = threading.Thread(target=done.wait, daemon=True)
    thread.start()
    with pytest.raises(LeftError, match="1"):
        process._leave()
    done.set()
    thread.join()


def ended(code, folder):
    """Return the status of a process that is ended by a signal, and its output."""
    begin = (
        "import os, signal\nfrom photochrom.commands.shutdown import Shutdown\n"
        "shutdown = Shutdown()\nshutdown.handle_signals()"
    )
    command = [sys.executable, "-c", f"{begin}\n{code}"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=folder, timeout=600)
    assert done.stderr == ""
    return done.returncode, done.stdout


@pytest.mark.skipif(sys.platform == "win32", reason="needs SIGTERM")
def test_a_process_that_is_ended_twice_cleans_up_and_keeps_its_status(tmp_path):
    """``timeout`` sends its signal twice: to the process, and to its group."""
    code = """
import atexit
atexit.register(print, "registered later")
try:
    try:
        os.kill(os.getpid(), signal.SIGTERM)
        signal.pause()
    finally:
        os.kill(os.getpid(), signal.SIGTERM)
        print("cleaned up")
except SystemExit as exc:
    shutdown.close()
    shutdown.exit(exc.code)
"""
    assert ended(code, tmp_path) == (143, "cleaned up\nregistered later\n")


@pytest.mark.skipif(sys.platform == "win32", reason="needs SIGTERM")
def test_a_signal_is_not_lost_in_a_module_that_passes_over_errors(tmp_path):
    (tmp_path / "careless.py").write_text(
        "import os, signal\ntry:\n    os.kill(os.getpid(), signal.SIGTERM)\nexcept BaseException:\n    pass\n"
        "print('imported')\n"
    )
    code = """
import careless, time
while True:
    time.sleep(0.01)  # the signal is sent again, before or after the first round
"""
    assert ended(code, tmp_path) == (143, "imported\n")


@pytest.mark.skipif(sys.platform == "win32", reason="its processes do not end by signals")
def test_ctrl_c_while_the_command_line_is_loaded_ends_it_silently():
    code = """
        import os, signal, sys, time

        class Interrupting:
            def find_spec(self, name, *_):
                if name == "photochrom.commands.main":
                    os.kill(os.getpid(), signal.SIGINT)

        sys.meta_path.insert(0, Interrupting())
        from photochrom.__main__ import run
        run()
        """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(code), "--version"], capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (-signal.SIGINT, "", "")
