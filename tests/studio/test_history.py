"""Undo and redo."""

from __future__ import annotations

from dataclasses import dataclass

from photochrom.studio.history import History


@dataclass(frozen=True)
class Choices:
    strength: float = 1.0
    vividness: float = 0.5
    marks: tuple[str, ...] = ()


def test_undo_and_redo_go_through_the_choices():
    start = History(Choices())
    first = start.choose(marks=("red",))
    second = first.choose(marks=("red", "blue"))
    assert second.undo().now == first.now
    assert second.undo().undo().now == start.now
    assert second.undo().undo().undo().now == start.now
    assert second.undo().undo().redo().redo().now == second.now
    assert second.redo() is second
    other = second.undo().turn("strength", strength=0.5)
    assert other.future == ()
    assert other.undo().now == first.now


def test_turning_a_dial_on_and_on_is_one_step():
    start = History(Choices())
    turned = start.turn("vividness", vividness=0.1).turn("vividness", vividness=0.2).turn("vividness", vividness=0.3)
    assert turned.now.vividness == 0.3
    assert turned.undo().now == start.now
    both = turned.turn("strength", strength=1.5).turn("strength", strength=1.6)
    assert both.undo().now == turned.now
    assert both.undo().turn("strength", strength=0.4).undo().now == turned.now
    assert start.turn("strength", strength=1.0) is start
    assert turned.choose(marks=("red",)).turn("vividness", vividness=0.9).undo().now.marks == ("red",)


def test_repeating_a_choice_changes_nothing():
    history = History(Choices()).choose(marks=("red",)).undo()
    assert history.choose(marks=()) is history


def test_the_past_is_bounded():
    history = History(Choices())
    for number in range(500):
        history = history.choose(marks=(str(number),))
    assert len(history.past) == 200
    assert history.undo().now.marks == ("498",)
