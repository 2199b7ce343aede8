"""Visitors: who is kept, who is removed, and their files."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from photochrom import OptionError, StudioError
from photochrom.studio import visitors as module
from photochrom.studio.films import Film
from photochrom.studio.visitors import MOST_ITEMS, MOST_VISITORS, LostError, Visitors


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def visitors(clock):
    return Visitors(clock)


def item(name, closed=None):
    return SimpleNamespace(id=name, close=lambda: closed.append(name) if closed is not None else None)


def test_everyone_has_a_secret_that_is_not_guessed(visitors):
    tokens = {visitors.new().token for _ in range(MOST_VISITORS)}
    assert len(tokens) == MOST_VISITORS
    assert min(map(len, tokens)) >= 32
    for token in (None, "", "photochrom", "*"):
        assert visitors.find(token) is None


def test_an_item_is_its_visitors_alone(visitors):
    mine, other = visitors.new(), visitors.new()
    mine.add(item("a"))
    assert mine.item("a").id == "a"
    for act in (other.item, other.remove):
        with pytest.raises(LostError, match="no longer here: drop it again"):
            act("a")


def test_a_file_whose_upload_ends_after_its_visitor_was_removed_is_removed(visitors):
    closed = []
    visitor = visitors.new()
    visitor.add(item("a", closed))
    visitor.close()
    with pytest.raises(LostError, match="the session of this page has ended: load it again"):
        visitor.add(item("b", closed))
    assert closed == ["a", "b"]
    assert len(visitor) == 0


def test_an_item_that_is_removed_while_its_visitor_is_removed_does_no_harm(visitors):
    closed, visitor = [], visitors.new()
    first = SimpleNamespace(id="a")

    def close():
        with pytest.raises(LostError):
            visitor.remove("b")
        closed.append("a")

    first.close = close
    visitor.add(first)
    visitor.add(item("b", closed))
    visitor.close()
    assert closed == ["a", "b"]


def test_visitors_away_for_a_day_are_removed(visitors, clock):
    closed = []
    goes, stays = visitors.new(), visitors.new()
    goes.add(item("gone", closed))
    stays.add(item("there", closed))
    clock.now = 23 * 3600
    visitors.remove_inactive()
    assert closed == []
    assert visitors.find(stays.token) is stays
    clock.now = 25 * 3600
    visitors.remove_inactive()
    assert closed == ["gone"]
    assert visitors.find(goes.token) is None
    assert visitors.find(stays.token) is stays


def test_films_are_waited_for_a_week(visitors, clock):
    closed = []
    visitor = visitors.new()
    film = Film.__new__(Film)
    film.id, film.close = "film", lambda: closed.append("film")
    visitor.add(film)
    clock.now = 6 * 24 * 3600
    visitors.remove_inactive()
    assert closed == []
    clock.now = 8 * 24 * 3600
    visitors.remove_inactive()
    assert closed == ["film"]


def test_visitors_with_an_empty_tray_are_removed_first(visitors, clock):
    owner = visitors.new()
    owner.add(item("a"))
    for clock.now in range(1, MOST_VISITORS + 20):
        visitors.new()
    assert visitors.find(owner.token) is owner
    assert len(visitors._visitors) == MOST_VISITORS


def test_a_full_studio_says_so_and_removes_only_inactive_visitors(visitors, clock):
    closed = []
    owners = [visitors.new() for _ in range(MOST_VISITORS)]
    for number, owner in enumerate(owners):
        owner.add(item(str(number), closed))
    with pytest.raises(StudioError, match="the studio is full: try again"):
        visitors.new()
    clock.now = 3600
    for owner in owners[1:]:
        visitors.find(owner.token)
    visitors.new()
    assert closed == ["0"]


def test_a_tray_is_bounded(visitors):
    visitor = visitors.new()
    for number in range(MOST_ITEMS):
        visitor.check_space()
        visitor.add(item(str(number)))
    closed = []
    for action in (visitor.check_space, lambda: visitor.add(item("other", closed))):  # before and after an upload
        with pytest.raises(OptionError, match=f"the tray holds {MOST_ITEMS} files: remove some"):
            action()
    assert (len(visitor), closed) == (MOST_ITEMS, ["other"])


def test_all_visitors_are_removed_at_the_end(visitors):
    closed = []
    for name in "ab":
        visitors.new().add(item(name, closed))
    visitors.close()
    assert closed == ["a", "b"]
    assert module.MOST_VISITORS == 100
