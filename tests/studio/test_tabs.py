"""What happens at clicks that take long, without a page: jobs are stopped and go on, files are not lost meanwhile."""

from __future__ import annotations

import asyncio
import os
import threading
import time
import warnings
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from photochrom import FilmError, OptionError, StudioError
from photochrom.colorizer.reference import References
from photochrom.film import colorize_film
from photochrom.film import preview as film_preview
from photochrom.film.reader import FilmReader
from photochrom.studio.sessions.film import begin_film
from photochrom.studio.sessions.film_job import Job
from photochrom.studio.sessions.slots import SessionSlot, opening
from photochrom.studio.state import AppState, Disk
from photochrom.studio.tabs import film as film_tab
from tests.film.test_resume import lively
from tests.helpers.films import all_packets, other_shot, pan, write_film

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # of what Gradio is made of
    import gradio as gr

    from photochrom.studio.tabs.film import FilmTab
    from photochrom.studio.tabs.folder import FolderTab
    from photochrom.studio.tabs.photo import PhotoTab

SKIPPED = gr.skip()
NEVER = 10**9


@pytest.fixture
def studio(tmp_path, monkeypatch):
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "shown"))
    folder = tmp_path / "studio"
    for name in ("shown", "kept"):
        (folder / name).mkdir(parents=True)
    colorizer = lively(tmp_path)
    disk = Disk(folder, 10**6)
    return AppState(
        colorizer, References(colorizer), folder / "shown", folder / "kept", disk, 10**6, 10**9, threading.Event()
    )


def drawn(tab, studio):
    async def draw():  # where no event loop runs, Gradio makes some that nobody closes
        with gr.Blocks(analytics_enabled=False):
            return tab(studio)

    return asyncio.run(draw())


@pytest.fixture
def tab(studio):
    return drawn(FilmTab, studio)


@pytest.fixture
def film(tmp_path):
    """Three shots, in grey."""
    return write_film(tmp_path / "old.mp4", pan(31) + other_shot(20) + pan(55, top=150), rate=24)


@pytest.fixture
def session(studio, film):
    return begin_film(studio.colorizer, film, studio.kept, studio.max_pixels)


@pytest.fixture
def short_segments(monkeypatch):
    """Of half a second to one."""
    monkeypatch.setattr("photochrom.film.coloring._SHORTEST", 0.5)
    monkeypatch.setattr("photochrom.film.coloring._LONGEST", 1)


class Bar:
    """What the page shows of the progress: how many frames were done at each step. At one of them something happens."""

    def __init__(self, at=NEVER, action=None):
        self.seen, self._at, self._action = [], at, action

    def __call__(self, progress, unit):
        self.seen.append(progress[0])
        if progress[0] == self._at:
            self._action()


def colored(tab, session, at=NEVER, action=None):
    """Colour a film; what the page gets, and how far it was at each step."""
    session = tab.begin(session, False)[tab.slot]
    bar = Bar(at, action or session.job.stop)
    return tab.color_film(session, bar), bar.seen


# Stop and go on ----------------------------------------------------------------------------------------------------


def test_a_film_that_is_stopped_goes_on(tab, session, film, short_segments, tmp_path):
    whole = colorize_film(film, tmp_path / "whole.mp4", session.film_options(), colorizer=tab._colorizer).output
    answer, seen = colored(tab, session, at=60)
    assert answer == (None, SKIPPED)
    assert seen == list(range(1, 61))
    (file, status), seen = colored(tab, session)
    assert seen[0] > 31  # the segments that were finished are
    assert status == "106 frames in 3 shots."
    assert all_packets(file) == all_packets(whole)


@pytest.mark.parametrize("change", [lambda s: s.turn("strength", 0.5), lambda s: s.at(0.5, 0.5).color((200, 30, 40))])
def test_stopped_and_changed_it_begins_anew(tab, session, short_segments, change):
    colored(tab, session, at=60)
    changed = change(session)
    answer, seen = colored(tab, changed, at=60)
    assert answer == (None, SKIPPED)
    assert next(done for done in seen if done) == 1
    (_, status), seen = colored(tab, changed)
    assert next(done for done in seen if done) > 31
    assert status == "106 frames in 3 shots."


def test_changed_there_and_back_it_is_coloured_as_it_says(tab, session, film, short_segments, tmp_path):
    whole = colorize_film(film, tmp_path / "whole.mp4", session.film_options(), colorizer=tab._colorizer).output
    for each in (session, session.turn("strength", 0)):
        colored(tab, each, at=60)
    (file, _), _ = colored(tab, session)
    assert all_packets(file) == all_packets(whole)


def test_what_takes_long_is_asked_for_once(tab, session):
    tab.begin(session, False)
    for ask in (lambda: tab.begin(session, False), lambda: tab.ask(session)):
        with pytest.raises(OptionError, match="being worked on already: wait, or stop it"):
            ask()


def test_stopped_while_it_waits_it_does_nothing_when_its_turn_comes(tab, session):
    waiting, bar = tab.begin(session, False)[tab.slot], Bar()
    assert tab.stop_film(session).startswith("Stopped.")
    assert tab.stop_film(session) == SKIPPED  # nothing is left to be stopped
    assert tab.color_film(waiting, bar) == (None, SKIPPED)
    tab.ask(session)
    assert tab.color_film(waiting, bar) == (None, SKIPPED)  # it is another thing that is wanted now
    tab.stop_film(session)
    assert tab.shots(session) == SKIPPED
    assert bar.seen == []
    (_, status), _ = colored(tab, session)
    assert status == "106 frames in 3 shots."
    assert tab.color_film(waiting, bar) == (None, SKIPPED)  # a turn too many
    assert bar.seen == []


def test_a_job_that_fails_can_be_asked_for_again():
    job = Job()
    job.ask("film")
    with pytest.raises(FilmError), job.turn("film"):
        raise FilmError("the disk is full")
    job.ask("film")


@pytest.mark.parametrize("with_another", [True, False])
def test_dropping_another_film_ends_the_job_of_the_former(tab, session, film, with_another):
    visit, other = SessionSlot("", film_tab._stop), str(film) if with_another else None
    visit.session = session
    drop = opening(tab.slot, tab.open)
    answer, seen = colored(tab, session, at=10, action=lambda: drop(visit, other))
    assert answer == (None, SKIPPED)
    assert seen[-1] == 10
    assert visit.session is not session


def test_the_studio_may_end_while_a_film_is_coloured(tab, studio, session):
    answer, seen = colored(tab, session, at=10, action=studio.ending.set)
    assert answer == (None, SKIPPED)
    assert seen[-1] == 10


@pytest.mark.parametrize("end", ["stop", "ending"])
def test_while_hints_are_followed_it_can_be_stopped(tab, studio, session, end):
    session = session.go(tab._colorizer, Fraction(4)).at(0.5, 0.5).color((200, 30, 40))
    action = {"stop": session.job.stop, "ending": studio.ending.set}[end]
    answer, seen = colored(tab, session, at=0, action=action)
    assert answer == (None, SKIPPED)
    assert seen == [0]


@pytest.mark.parametrize("end", ["stop", "ending"])
@pytest.mark.parametrize("while_in", ["follow", "preview"])
def test_a_sheet_can_be_stopped(tab, studio, session, monkeypatch, end, while_in):
    action = {"stop": session.job.stop, "ending": studio.ending.set}[end]
    session = session.at(0.5, 0.5).color((200, 30, 40))
    module = film_tab if while_in == "preview" else film_preview
    slow, came_to_an_end = getattr(module, while_in), []

    def stopped(*arguments):
        action()
        found = slow(*arguments)
        came_to_an_end.append(while_in)
        return found

    monkeypatch.setattr(module, while_in, stopped)
    tab.ask(session)
    assert tab.shots(session) == SKIPPED
    assert came_to_an_end == []


def test_a_sheet_that_nobody_stops_is_shown(tab, session):
    tab.ask(session)
    with Image.open(tab.shots(session)["value"]) as sheet:
        assert sheet.height > 3 * 2 * 64


# Limits, and files that wait ---------------------------------------------------------------------------------------


def test_a_film_of_too_many_pixels_is_refused_before_it_is_decoded(studio, film, monkeypatch):
    def decode(_):
        raise AssertionError("a frame was decoded")

    monkeypatch.setattr(FilmReader, "_first_frame", decode)
    with pytest.raises(FilmError, match=r"^old\.mp4: .*is 96 x 64 pixels, more than 0\.006 million"):
        begin_film(studio.colorizer, film, studio.kept, 6000)
    assert list(studio.kept.iterdir()) == []


def test_there_must_be_room_for_the_copy_of_a_photograph(studio, tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, (800, 1000), np.uint8)
    Image.fromarray(noise).save(tmp_path / "old.png")
    (studio.shown / "there").write_bytes(bytes(300_000))
    with pytest.raises(StudioError, match="no room for more files"):
        drawn(PhotoTab, studio).open(str(tmp_path / "old.png"))


def test_photographs_that_wait_for_their_turn_do_not_grow_old(studio, tmp_path):
    uploads = [tmp_path / f"{number}.png" for number in range(4)]
    for upload in uploads:
        Image.fromarray(pan(1)[0]).save(upload)
    steps = drawn(FolderTab, studio).color_all([str(upload) for upload in uploads], 0.5, 1)
    (first, _), *_ = next(steps)[0]["value"]
    uploads[3].unlink()
    hours_ago = time.time() - 2 * 3600
    for path in (*uploads[:3], first):
        os.utime(path, (hours_ago, hours_ago))
    next(steps)
    assert [time.time() - path.stat().st_mtime < 3600 for path in (*uploads[:3], Path(first))] == [
        False, False, True, True
    ]  # fmt: skip
    assert not uploads[3].exists()  # what is gone stays so
