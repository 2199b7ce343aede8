"""The progress bar: its clock keeps running while one unit takes long."""

import io
import sys
import threading
import types

import pytest

from photochrom.commands import console
from photochrom.errors import PhotochromError


class Terminal(io.StringIO):
    """A terminal that reports when a bar has been drawn several times."""

    def __init__(self, times):
        super().__init__()
        self.drawn, self._left = threading.Event(), times

    def isatty(self):
        return True

    def write(self, text):
        self._left -= "0/" in text
        if self._left <= 0:
            self.drawn.set()
        return super().write(text)


@pytest.mark.parametrize("total", [1, 3])
def test_the_bar_moves_during_a_long_unit(total, monkeypatch):
    terminal = Terminal(times=3)
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setattr(console, "_REFRESH_SECONDS", 0.01)
    with console.Progress("photo", total, quiet=False):
        assert terminal.drawn.wait(600)
    lines = terminal.getvalue().split("\r")
    assert any(f"0/{total}" in line for line in lines)
    assert total == 3 or not lines[-1].strip()  # the bar of a single one is cleared


def test_a_short_unit_alone_shows_no_bar(monkeypatch):
    terminal = Terminal(times=1)
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setattr(console, "_REFRESH_SECONDS", 600)
    with console.Progress("photo", 1, quiet=False):
        pass
    assert terminal.getvalue().strip() == ""


def test_the_bar_says_that_a_total_is_an_estimate(monkeypatch):
    terminal = Terminal(times=1)
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setattr(console, "_REFRESH_SECONDS", 600)
    with console.Progress("frame", None, quiet=False) as bar:
        bar.show(1, 3, is_estimate=True)
        bar._bar.refresh()
        bar.show(2, 3, is_estimate=True)
        bar.finish()
    shown = terminal.getvalue()
    assert "| 1/about 3 [" in shown
    assert "| 2/2 [" in shown


@pytest.mark.parametrize(
    ("total", "is_estimate", "told"),
    [(4, False, "2 of 4 frames, about"), (4, True, "2 of about 4 frames, about"), (None, False, "2 frames\n")],
)
def test_lines_in_logs_say_that_a_total_is_an_estimate(total, is_estimate, told, monkeypatch, capsys):
    monkeypatch.setattr(console, "_LOG_SECONDS", 0)
    with console.Progress("frame", None, quiet=False) as bar:
        bar.show(2, total, is_estimate=is_estimate)
    assert f"photochrom: {told}" in capsys.readouterr().err


def test_nothing_is_drawn_without_a_terminal(capsys):
    with console.Progress("photo", 1, quiet=False):  # tqdm may start a thread of its own
        assert "photochrom-bar" not in {thread.name for thread in threading.enumerate()}
    assert capsys.readouterr().err == ""


def test_a_line_can_be_printed_while_tqdm_is_being_imported(monkeypatch, capsys):
    """A signal handler may print one at any moment; it must not import a module that is only half imported."""
    monkeypatch.setitem(sys.modules, "tqdm", types.ModuleType("tqdm"))
    console.print_to_stderr("finishing the items in progress")
    assert capsys.readouterr().err == "finishing the items in progress\n"


@pytest.mark.parametrize(
    ("alone", "path", "text"),
    [(False, None, "a.jpg: it failed"), (True, None, "it failed"), (False, "b.jpg", "b.jpg: it failed")],
)
def test_an_error_of_one_of_several_files_names_a_file(alone, path, text, capsys):
    console.Console(quiet=False, verbose=False).error_of("a.jpg", PhotochromError("it failed", path=path), alone=alone)
    assert capsys.readouterr().err == f"photochrom: {text}\n"
