"""What a visitor chooses, and what is shown of it, without a page."""

from __future__ import annotations

import copy
import errno
import gc
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image
from skimage import data

from photochrom import Colorizer, ColorOptions, Hint, OptionError, PhotoError, Prediction, alternatives, photo
from photochrom.color.gamut import rgb_of_luma
from photochrom.color.spaces import luma_of_rgb
from photochrom.studio import render as pictures
from photochrom.studio.editing import Source
from photochrom.studio.sessions.photo import PREVIEW, guesses, open_session, read, read_in_color, small, write_full_size
from photochrom.studio.sessions.slots import SessionSlot, new_slot, working
from tests.helpers.suggesting import hinting_engine

RED, BLUE = (200, 30, 40), (40, 60, 200)
MANY = 10**9


@pytest.fixture
def colorizer(tmp_path):
    (tmp_path / "fake.onnx").write_bytes(b"fake")
    return Colorizer(tmp_path / "fake.onnx", engine=hinting_engine())


@pytest.fixture
def upload(tmp_path):
    """A grey photograph larger than what is shown."""
    path = tmp_path / "old.png"
    Image.fromarray(cv2.resize(data.camera(), (1800, 1500))).save(path, dpi=(300, 300))
    return path


@pytest.fixture
def work(tmp_path):
    folder = tmp_path / "work"
    folder.mkdir()
    return folder


@pytest.fixture
def session(colorizer, upload, work):
    return open_session(colorizer, upload, work, MANY)


@pytest.mark.slow
def test_the_small_picture_has_the_colours_of_the_full_size(colorizer, upload, session, tmp_path):
    session = session.at(0.3, 0.3).color(RED)
    luma = photo.read_photo(upload).luma
    whole = colorizer.predict(luma, session.choices.options)
    np.testing.assert_array_equal(session.with_prediction(colorizer).cached.prediction.ab, whole.ab)
    full = rgb_of_luma(luma, *colorizer.chroma(luma, session.choices.options))
    with Image.open(write_full_size(colorizer, session, tmp_path)) as written:
        np.testing.assert_array_equal(np.asarray(written), full)
    shown = pictures.colored(colorizer, session.picture.luma, session.choices.options, whole)
    assert max(shown.shape) == PREVIEW
    reduced = cv2.resize(full, shown.shape[1::-1], interpolation=cv2.INTER_AREA)
    assert np.abs(shown.astype(int) - reduced).mean() < 1


@pytest.mark.slow
def test_the_original_may_go_and_the_copy_goes_with_the_session(colorizer, upload, work, tmp_path):
    session = open_session(colorizer, upload, work, MANY)
    upload.unlink()
    changed = session.at(0.5, 0.5).color(BLUE)
    del session
    assert write_full_size(colorizer, changed, tmp_path).name == "old.color.png"
    assert len(list(work.rglob("old.png"))) == 1
    del changed
    gc.collect()
    assert list(work.iterdir()) == []


def test_half_a_copy_goes_at_once(upload, work, monkeypatch):
    def full(_, target):
        Path(target).write_bytes(b"half")
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("shutil.copyfile", full)
    with pytest.raises(OSError, match="No space left") as held:  # its traceback holds the copy's owner
        Source(upload, work)
    assert list(work.iterdir()) == []
    assert held.value.errno == errno.ENOSPC


def test_undo_and_redo_go_through_the_choices(session):
    first = session.at(0.2, 0.2).color(RED)
    second = first.at(0.8, 0.8).color(BLUE)
    assert [hint.color for hint in second.choices.given] == [RED, BLUE]
    assert second.undo().choices == first.choices
    assert second.undo().undo().choices == session.choices
    assert second.undo().undo().undo().choices == session.choices
    assert second.undo().undo().redo().redo().choices == second.choices
    assert second.redo() is second
    other = second.undo().turn("strength", 0.5)
    assert other.future == ()
    assert other.undo().choices == first.choices


def test_turning_a_dial_on_and_on_is_one_step(session):
    turned = session.turn("vividness", 0.1).turn("vividness", 0.2).turn("vividness", 0.3)
    assert turned.choices.vividness == 0.3
    assert turned.undo().choices == session.choices
    both = turned.turn("strength", 1.5).turn("strength", 1.6)
    assert both.undo().choices == turned.choices
    again = both.undo().turn("strength", 0.4)
    assert again.undo().choices == turned.choices
    assert session.turn("strength", session.choices.strength) is session


def test_of_clicks_at_once_none_is_lost():
    state, visit = new_slot(""), SessionSlot("")
    visit.session = ()

    def click(session, number):
        time.sleep(0.005)
        return {state: (*session, number)}

    with ThreadPoolExecutor(10) as pool:
        list(pool.map(lambda number: working(state, click)(visit, number), range(10)))
    assert sorted(visit.session) == list(range(10))


def test_a_visit_is_each_visitors_own():
    first = SessionSlot("drop it again")
    first.session = "mine"
    other = copy.deepcopy(first)
    assert other.session is None
    assert other.turn is not first.turn
    with pytest.raises(OptionError, match="drop it again"):
        _ = other.here


def test_the_network_is_asked_only_for_what_it_has_not_said(tmp_path, upload, work):
    runs = []
    (tmp_path / "fake.onnx").write_bytes(b"fake")
    colorizer = Colorizer(tmp_path / "fake.onnx", engine=hinting_engine(runs))

    def asked(session):
        runs.clear()
        return session.with_prediction(colorizer), len(runs)

    session, count = asked(open_session(colorizer, upload, work, MANY))
    assert count == 0
    session, count = asked(session.at(0.5, 0.5).turn("strength", 0.5))
    assert count == 0
    session, count = asked(session.color(RED))
    assert count == 1
    expected = colorizer.predict(session.picture.thumbnail, session.options)
    np.testing.assert_array_equal(session.cached.prediction.ab, expected.ab)
    session, count = asked(session.turn("vividness", 0.9))
    assert count == 2
    expected = colorizer.predict(session.picture.thumbnail, session.options)
    np.testing.assert_array_equal(session.cached.prediction.ab, expected.ab)
    session, count = asked(session.without(0))
    assert count == 0
    np.testing.assert_array_equal(session.cached.prediction.ab, session.cached.plain.ab)


def test_hints_of_a_file_replace_all_and_keep_who_said_them(session):
    mine, theirs = Hint(0.1, 0.2, RED), Hint(0.3, 0.4, BLUE, suggested=True)
    loaded = session.at(0.9, 0.9).color(BLUE).choose(borrowed=(theirs,)).with_file([mine, theirs])
    assert loaded.marks == (mine,)
    assert loaded.options.hints == (theirs, mine)
    assert loaded.undo().marks == (Hint(0.9, 0.9, BLUE),)


def test_a_colour_at_the_same_place_replaces_the_former(session):
    session = session.at(0.5, 0.5).color(RED).at(0.505, 0.495).color(BLUE).at(0.9, 0.9).color(RED)
    assert [(hint.x, hint.color) for hint in session.choices.given] == [(0.505, BLUE), (0.9, RED)]
    assert not any(hint.suggested for hint in session.choices.given)
    assert [hint.color for hint in session.without(0).choices.given] == [RED]
    for number in (2, -1):
        with pytest.raises(OptionError, match="gone already"):
            session.without(number)


def test_a_colour_needs_a_place_and_places_lie_within_the_picture(session):
    with pytest.raises(OptionError, match="no place is chosen"):
        session.color(RED)
    assert session.at(-0.5, 7).place == (0, 1)


def test_other_guesses_keep_what_is_known(colorizer, session):
    session = guessing(colorizer, session.at(0.4, 0.6).color(RED))
    thumbnail = session.picture.thumbnail
    expected = alternatives(colorizer, thumbnail, 4, session.choices.options)
    chosen = session.choose(guess=session.guesses[2])
    assert set(chosen.choices.options.hints) == set(expected[2].hints)
    assert chosen.choices.options.hints[-1] == Hint(0.4, 0.6, RED)  # of hints at one place the last counts
    another = chosen.at(0.1, 0.1).color(BLUE).choose(guess=session.guesses[0])
    assert set(another.choices.options.hints) == {*expected[0].hints, Hint(0.1, 0.1, BLUE)}
    assert guessing(colorizer, another).guesses != ()


def guessing(colorizer, session):
    return replace(session, guesses=guesses(colorizer, session))


def test_a_model_without_guesses_has_none(fake_colorizer, upload, work):
    session = open_session(fake_colorizer, upload, work, MANY)
    assert guesses(fake_colorizer, session) == ()


def test_too_many_pixels_are_refused_in_one_line_without_the_servers_path(colorizer, upload, work):
    for reading in (lambda: open_session(colorizer, upload, work, 10**6), lambda: read_in_color(upload, 10**6)):
        with pytest.raises(PhotoError) as caught:
            reading()
        assert str(caught.value).startswith("old.png: is 1800 x 1500 pixels, more than 1 million")
    assert list(work.iterdir()) == []


@pytest.mark.parametrize("format", ["JPEG", "PNG", "TIFF", "WEBP", "AVIF"])
def test_the_limit_holds_for_each_format(tmp_path, format):
    path = tmp_path / f"old.{format.lower()}"
    Image.fromarray(data.camera()).convert("RGB").save(path, format)
    assert read(path, 512 * 512).luma.shape == (512, 512)
    with pytest.raises(PhotoError, match=r"is 512 x 512 pixels, more than 0\.26"):
        read(path, 512 * 512 - 1)


@pytest.mark.parametrize("content", [b"", b"no picture", b"\xff\xd8\xff\xe0 cut short"])
def test_what_is_no_photograph_is_named(tmp_path, content):
    path = tmp_path / "old.jpg"
    path.write_bytes(content)
    for reading in (read, read_in_color):
        with pytest.raises(PhotoError) as caught:
            reading(path, MANY)
        assert str(caught.value).startswith("old.jpg: ")
        assert str(tmp_path) not in str(caught.value)


def test_a_reference_is_seen_upright(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(data.astronaut()[:300]).save(tmp_path / "lent.jpg", exif=exif, quality=95)
    rgb = read_in_color(tmp_path / "lent.jpg", MANY)
    expected = np.rot90(data.astronaut()[:300], -1)
    assert rgb.shape == expected.shape
    assert np.abs(rgb.astype(int) - expected).mean() < 5


def test_small_pictures_stay_and_16_bits_become_8():
    luma = np.arange(0, 65536, 64, np.uint16).reshape(32, 32)
    assert small(luma).shape == (32, 32)
    assert small(luma).dtype == np.uint8
    assert small(np.zeros((10, 3000), np.uint8)).shape == (5, PREVIEW)


def test_marks_show_their_colours_where_they_are():
    rgb = np.full((300, 600, 3), 128, np.uint8)
    shown = pictures.marked(rgb, [Hint(0.25, 0.5, RED)], (0.75, 0.5))
    assert tuple(shown[150, 150]) == RED
    assert tuple(shown[150, 450]) == (128, 128, 128)  # the cross is open in its middle
    assert (shown[150, 452:480] == 255).all(-1).any()
    assert (rgb == 128).all()
    assert pictures.marked(rgb, [Hint(1, 1, RED)], (1, 1)).shape == rgb.shape


def test_doubt_covers_where_the_model_is_unsure():
    confidence = np.repeat(np.linspace(0, 1, 11, dtype=np.float32)[None], 4, axis=0)
    rgb = np.full((40, 110, 3), 128, np.uint8)
    shown = pictures.doubt(rgb, Prediction(rgb[..., 0], np.zeros((2, 4, 11), np.float32), confidence))
    covered = np.abs(shown.astype(int) - rgb).sum(-1)[20]
    assert (np.diff(covered) <= 0).all()
    assert covered[0] > 150
    assert covered[-30:].max() == 0


def test_a_model_that_does_not_say_how_sure_it_is_is_named(colorizer, session):
    silent = Prediction(session.picture.thumbnail, session.cached.plain.ab)
    with pytest.raises(OptionError, match="does not report its confidence"):
        pictures.doubt(pictures.grey(session.picture.luma), silent)


def test_a_colour_is_picked_up_where_the_click_was():
    rgb = np.zeros((100, 200, 3), np.uint8)
    rgb[:, 100:] = RED
    assert pictures.color_at(rgb, 0.75, 0.5) == RED
    assert pictures.color_at(rgb, 0.0, 1.0) == (0, 0, 0)


def test_what_is_shown_keeps_its_colours(tmp_path):
    path = Path(pictures.save(data.astronaut(), tmp_path / "shown.jpg"))
    with Image.open(path) as image:
        assert np.abs(np.asarray(image).astype(int) - data.astronaut()).mean() < 3
    assert luma_of_rgb(data.astronaut()).shape == (512, 512)


def test_options_of_nothing_chosen_are_the_models_own(colorizer, session):
    assert session.choices.options == ColorOptions(vividness=colorizer.card.vividness)
