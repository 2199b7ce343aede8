"""The report says from when to when each hint and each still was tracked."""

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from photochrom import FilmOptions, Hint
from photochrom.commands.main import main
from photochrom.film import colorize_film
from photochrom.film.hint_spans import HintSpan, span_notes
from photochrom.film.hints import FilmHint, film_hints_json
from photochrom.film.times import time_text
from tests.film.test_hints import grey_still
from tests.helpers.films import other_shot, pan, write_film
from tests.helpers.interruptions import Stop, stop_at

LOSSLESS = FilmOptions(codec="ffv1", recolor="all")
RED = (200, 40, 40)
WIDTH, HEIGHT, SIDE, STEP, FRAMES = 128, 96, 28, 4, 36
RATE = Fraction(25)


def leaving(count=FRAMES):
    """Return a checked square that moves out of the picture on the right, over a still background."""
    ground = pan(1, WIDTH, HEIGHT)[0] // 4 + 20
    y, x = np.mgrid[:SIDE, :SIDE]
    checks = (140 + 40 * ((y // 7 + x // 7) % 2)).astype(np.uint8)
    lumas = []
    for i in range(count):
        luma, left = np.pad(ground, ((0, 0), (0, SIDE + STEP * count))), 8 + STEP * i
        luma[34 : 34 + SIDE, left : left + SIDE] = checks
        lumas.append(luma[:, :WIDTH])
    return lumas


def at(frame):
    return Fraction(frame) / RATE


def on_square(frame=0, color=RED):
    return FilmHint(
        Fraction(frame) / RATE, Hint((8 + STEP * frame + SIDE / 2) / WIDTH, (34 + SIDE / 2) / HEIGHT, color)
    )


def on_ground(frame=0):
    return FilmHint(at(frame), Hint(0.5, 0.1, RED))


@pytest.fixture
def two_shots(tmp_path):
    """Return a film in whose first shot the square leaves the picture; the second has 12 frames."""
    return write_film(tmp_path / "a.mkv", leaving() + other_shot(12, WIDTH, HEIGHT), codec="ffv1", rate=RATE)


LAST_SEEN = (WIDTH - 8 - SIDE // 2) // STEP
"""Number of the last frame in which the middle of the square is inside the picture."""


def test_a_hint_is_tracked_until_its_point_leaves_the_picture(two_shots, grey_colorizer):
    hint = on_square(9)
    report = colorize_film(two_shots, None, LOSSLESS, hints=[hint], colorizer=grey_colorizer)
    (span,) = report.hint_spans
    assert (span.time, span.start, span.hint) == (hint.time, 0, hint)
    assert at(LAST_SEEN - 3) <= span.end <= at(LAST_SEEN + 3)
    assert not span.is_whole_shot
    assert f"the hint at 0:00:00.360 was followed from 0:00:00.000 to {time_text(span.end)}" in report.notes


def test_a_hint_that_is_not_lost_has_its_whole_shot(two_shots, grey_colorizer):
    hint = FilmHint(at(FRAMES + 4), Hint(0.5, 0.5, RED))
    report = colorize_film(two_shots, None, LOSSLESS, hints=[hint], colorizer=grey_colorizer)
    assert report.hint_spans == [HintSpan(hint.time, at(FRAMES), at(FRAMES + 11), True, hint)]
    assert "the hint at 0:00:01.600 was followed from 0:00:01.440 to 0:00:01.880, its whole shot" in report.notes


def test_only_the_coloured_part_counts(two_shots, grey_colorizer):
    """Times count from the beginning of the film, and the hint is given before the part."""
    options = replace(LOSSLESS, start=at(12), end=at(20))
    report = colorize_film(two_shots, None, options, hints=[on_square()], colorizer=grey_colorizer)
    (span,) = report.hint_spans
    assert (span.time, span.start, span.end, span.is_whole_shot) == (0, at(12), at(19), True)


def test_the_note_on_many_hints_names_those_that_were_lost(two_shots, grey_colorizer):
    hints = [on_ground(), *(on_square(frame) for frame in range(9)), on_ground(2)]
    report = colorize_film(two_shots, None, LOSSLESS, hints=hints, colorizer=grey_colorizer)
    assert [span.hint for span in report.hint_spans] == sorted(hints, key=lambda hint: hint.time)
    (note,) = [note for note in report.notes if "followed" in note]
    assert note.startswith("9 of 11 hints were followed through only a part of their shots: at 0:00:00.000 from ")
    assert note.endswith(", ...")
    assert note.count(" from ") == 5


def test_the_note_on_hints_that_were_not_lost_is_a_number():
    spans = [HintSpan(at(frame), Fraction(0), Fraction(2), True, on_ground(frame)) for frame in range(30)]
    assert span_notes(spans) == ["30 hints were followed through their whole shots"]
    assert span_notes([]) == []


def test_a_still_has_one_span(two_shots, grey_colorizer, tmp_path):
    """It is where at least half of its hints are; here, most of them are on the still background."""
    still = grey_still(two_shots, at(3), tmp_path / "still.png")
    report = colorize_film(two_shots, None, LOSSLESS, stills=[still], colorizer=grey_colorizer)
    assert report.hint_spans == [HintSpan(at(3), at(0), at(FRAMES - 1), True, None)]
    assert "the still at 0:00:00.120 was followed from 0:00:00.000 to 0:00:01.400, its whole shot" in report.notes


def test_the_span_of_a_still_ends_where_less_than_half_of_its_hints_are_left(two_shots, grey_colorizer, tmp_path):
    still = grey_still(two_shots, at(0), tmp_path / "still.png")
    few = tuple(replace(on_square(), hint=replace(on_square().hint, color=(200, i, 0))) for i in range(2))
    lost = colorize_film(two_shots, None, LOSSLESS, hints=few[:1], colorizer=grey_colorizer).hint_spans[0]
    for hints, is_lost in (((*few, on_ground()), True), ((few[0], on_ground()), False)):
        known = replace(still, hints=hints)
        report = colorize_film(
            two_shots, None, LOSSLESS, stills=[known], colorizer=grey_colorizer, overwrite=True, restart=True
        )
        (span,) = report.hint_spans
        assert (span.end == lost.end) is is_lost
        assert span.is_whole_shot is not is_lost


def test_spans_of_shots_that_are_finished_already_are_known(two_shots, grey_colorizer):
    """The second run colours only the second shot, whose hint has changed, and the third colours nothing."""
    options = replace(LOSSLESS, keep_parts=True)
    first, second = on_square(), FilmHint(at(FRAMES), Hint(0.5, 0.5, RED))
    changed = replace(second, hint=replace(second.hint, color=(0, 0, 200)))
    spans = colorize_film(two_shots, None, options, hints=[first, second], colorizer=grey_colorizer).hint_spans
    assert [span.is_whole_shot for span in spans] == [False, True]
    for _ in range(2):
        report = colorize_film(
            two_shots, None, options, hints=[first, changed], colorizer=grey_colorizer, overwrite=True
        )
        assert report.hint_spans == [spans[0], replace(spans[1], hint=changed)]


def test_a_hint_of_a_shot_that_is_now_left_out_has_no_span(two_shots, grey_colorizer):
    options, hint = replace(LOSSLESS, keep_parts=True), on_square()
    colorize_film(two_shots, None, options, hints=[hint], colorizer=grey_colorizer)
    options = replace(options, only_shots=(2,))
    for _ in range(2):
        report = colorize_film(two_shots, None, options, hints=[hint], colorizer=grey_colorizer, overwrite=True)
        assert report.hint_spans == []
    report = colorize_film(
        two_shots, None, replace(options, only_shots=(1,)), hints=[hint], colorizer=grey_colorizer, overwrite=True
    )
    assert len(report.hint_spans) == 1


@pytest.mark.slow
def test_a_resumed_film_has_the_same_spans(tmp_path, grey_colorizer):
    source = write_film(tmp_path / "a.mkv", leaving() + other_shot(200, WIDTH, HEIGHT, step=0), codec="ffv1", rate=RATE)
    hints = [on_square(), FilmHint(at(FRAMES), Hint(0.5, 0.5, RED))]
    whole = colorize_film(source, tmp_path / "whole.mkv", LOSSLESS, hints=hints, colorizer=grey_colorizer)
    with pytest.raises(Stop):
        colorize_film(source, None, LOSSLESS, hints=hints, colorizer=grey_colorizer, progress=stop_at(180))
    resumed = colorize_film(source, None, LOSSLESS, hints=hints, colorizer=grey_colorizer)
    assert resumed.hint_spans == whole.hint_spans
    assert len(resumed.hint_spans) == 2


@pytest.mark.slow
def test_the_command_prints_all_spans_if_asked(two_shots, tmp_path, capsys):
    (tmp_path / "hints.json").write_text(film_hints_json([on_ground(), on_ground(2)]))
    command = ["film", str(two_shots), "--hints", str(tmp_path / "hints.json"), "--verbose"]
    assert main(command) == 0
    printed = capsys.readouterr()
    for time in ("0:00:00.000", "0:00:00.080"):
        assert f"{two_shots}: the hint at {time} was followed from 0:00:00.000 to 0:00:01.400\n" in printed.out
    assert f"photochrom: {two_shots}: 2 hints were followed through their whole shots\n" in printed.err


@pytest.mark.parametrize("suffix", ["png", "mkv"])
def test_a_preview_says_where_hints_would_be_followed(suffix, two_shots, grey_colorizer, tmp_path, capsys, monkeypatch):
    """Its notes are those of the film, and come without those on what the film's container cannot hold."""
    monkeypatch.setattr("photochrom.colorizer.colorizer.Colorizer", lambda *_: grey_colorizer)
    hints = [on_square(9), FilmHint(at(FRAMES), Hint(0.5, 0.5, RED))]
    (tmp_path / "hints.json").write_text(film_hints_json(hints))
    options = replace(LOSSLESS, end=at(FRAMES))
    report = colorize_film(two_shots, tmp_path / "b.mkv", options, hints=hints, colorizer=grey_colorizer)
    assert len(report.notes) == 2
    command = ["film", str(two_shots), "--hints", str(tmp_path / "hints.json"), "--end", str(float(at(FRAMES)))]
    assert main([*command, "--preview", "-o", str(tmp_path / f"p.{suffix}")]) == 0
    printed = capsys.readouterr()
    assert printed.out == f"{tmp_path / 'p'}.{suffix}\n"
    assert printed.err == "".join(f"photochrom: {two_shots}: {note}\n" for note in report.notes)
    assert main([*command, "--preview", "-o", str(tmp_path / f"q.{suffix}"), "--quiet"]) == 0
    assert capsys.readouterr().err == ""
