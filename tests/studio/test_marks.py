"""Marks: the hints that clicks, strokes and areas stand for."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import cv2
import numpy as np
import pytest

from photochrom import OptionError
from photochrom.colorizer.hints import Hint
from photochrom.studio.marks import Mark, hints_of, parse_marks, points_of

RED = (200, 30, 40)
SHAPE = (300, 600)
POINT = {"kind": "point", "color": "#c81e28", "places": [[0.5, 0.25]]}


def test_a_point_is_one_hint():
    (mark,) = parse_marks([POINT | {"suggested": True}])
    assert mark.hints(SHAPE) == (Hint(0.5, 0.25, RED, suggested=True),)


def test_marks_round_trip():
    marks = (
        Mark("point", RED, ((0.1, 0.2),)),
        Mark("stroke", RED, ((0.1, 0.2), (0.9, 0.2)), 0.05, suggested=True),
        Mark("area", RED, ((0.1, 0.1), (0.5, 0.1), (0.3, 0.6))),
    )
    assert parse_marks([mark.to_json() for mark in marks]) == marks
    timed = replace(marks[0], time=Fraction(3, 2)).to_json()
    assert timed["time"] == 1.5
    assert parse_marks([timed]) == marks[:1]


def test_a_stroke_is_covered_from_end_to_end():
    hints = Mark("stroke", RED, ((0.1, 0.5), (0.9, 0.5)), 0.05).hints(SHAPE)
    x = np.array([hint.x for hint in hints])
    assert (x[0], x[-1]) == (pytest.approx(0.1), pytest.approx(0.9))
    radius = 0.05 * 300 / 600  # as a share of the width
    assert np.diff(x).max() <= radius * 1.01
    assert {hint.radius for hint in hints} == {0.05}
    long = Mark("stroke", RED, tuple((x, y) for x in np.linspace(0, 1, 100) for y in (0, 1)), 0.005)
    assert len(long.hints(SHAPE)) <= 48


def test_a_stroke_of_one_place_is_one_hint():
    assert len(Mark("stroke", RED, ((0.5, 0.5),), 0.05).hints(SHAPE)) == 1
    assert len(Mark("stroke", RED, ((0.5, 0.5), (0.5, 0.5)), 0.05).hints(SHAPE)) == 1


def test_an_area_is_filled_and_its_surroundings_are_not():
    corners = ((0.25, 0.25), (0.75, 0.25), (0.75, 0.75), (0.25, 0.75))
    hints = Mark("area", RED, corners).hints(SHAPE)
    assert 40 < len(hints) < 90
    covered = np.zeros(SHAPE, bool)
    y, x = np.mgrid[: SHAPE[0], : SHAPE[1]]
    for hint in hints:
        covered |= np.hypot(x - hint.x * 600, y - hint.y * 300) <= hint.radius * 300
    inside = (x >= 150) & (x <= 450) & (y >= 75) & (y <= 225)
    assert not (covered & ~inside).any()
    assert covered[inside].mean() > 0.6


def test_an_area_without_extent_is_one_hint_in_its_middle():
    (hint,) = Mark("area", RED, ((0.2, 0.5), (0.4, 0.5), (0.3, 0.5))).hints(SHAPE)
    assert (hint.x, hint.y) == (pytest.approx(0.3), pytest.approx(0.5))


def test_a_u_shaped_area_leaves_its_gap():
    corners = ((0, 0), (0.3, 0), (0.3, 0.7), (0.7, 0.7), (0.7, 0), (1, 0), (1, 1), (0, 1))
    hints = Mark("area", RED, corners).hints(SHAPE)
    assert not any(0.3 < hint.x < 0.7 and hint.y < 0.7 for hint in hints)


@pytest.mark.parametrize(
    "corners",
    [
        ((0.1, 0.1), (0.9, 0.9), (0.1, 0.9), (0.9, 0.1)),  # crosses itself: its halves cancel out
        ((0.1, 0.1), (0.9, 0.9), (0.5, 0.5)),  # hardly more than a line
    ],
)
def test_an_area_next_to_no_size_by_its_corners_is_a_few_hints(corners, monkeypatch):
    looked = []
    test = cv2.pointPolygonTest
    monkeypatch.setattr(cv2, "pointPolygonTest", lambda *args, **kwargs: looked.append(1) or test(*args, **kwargs))
    hints = Mark("area", RED, corners).hints((600, 800))
    assert 1 <= len(hints) <= 200
    assert len(looked) < 10_000  # and not each pixel of the box around it


def test_too_many_colours_are_refused():
    strokes = [Mark("stroke", RED, ((0, y / 30), (1, y / 30)), 0.005) for y in range(30)]
    with pytest.raises(OptionError, match="too many colours"):
        hints_of(strokes, SHAPE)


def test_hints_of_a_file_become_points():
    hints = [Hint(0.1, 0.2, RED, 0.03, suggested=True), Hint(0.3, 0.4, RED)]
    marks = points_of(hints, Fraction(2))
    assert [(mark.kind, mark.places, mark.suggested, mark.time) for mark in marks] == [
        ("point", ((0.1, 0.2),), True, 2), ("point", ((0.3, 0.4),), False, 2),
    ]  # fmt: skip


@pytest.mark.parametrize(
    "wrong",
    [
        None, {}, [1], [{}], [POINT | {"kind": "line"}], [POINT | {"places": []}], [POINT | {"places": "ab"}],
        [POINT | {"places": [[0.5]]}], [POINT | {"places": [[0.5, 1.01]]}], [POINT | {"places": [[0.5, float("nan")]]}],
        [POINT | {"places": [[True, 0.5]]}], [POINT | {"places": [[0.5, 0.5]] * 501}], [POINT | {"color": 7}],
        [POINT | {"color": "red; }"}], [POINT | {"radius": 0}], [POINT | {"radius": 0.3}], [POINT | {"radius": "1"}],
        [POINT] * 1001, [POINT | {"places": [[10**400, 0.5]]}], [POINT | {"radius": 10**400}],
    ],
)  # fmt: skip
def test_invalid_marks_are_refused(wrong):
    with pytest.raises(OptionError):
        parse_marks(wrong)
