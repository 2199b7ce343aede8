"""A film on the page, from its shots to its player."""

from __future__ import annotations

import pytest

from tests.helpers.films import other_shot, pan, write_film
from tests.studio.browser.page import (
    SIZES,
    at,
    changed,
    download,
    drop,
    put,
    state,
)


@SIZES
def test_a_film_from_its_shots_to_its_player(visit, tmp_path, size):
    film = write_film(tmp_path / "old.mp4", pan(24, 320, 240) + other_shot(24, 320, 240), rate=24)
    page = visit(size)
    drop(page, film)
    page.locator("#shots button").nth(1).wait_for()
    changed(page, page.locator("#shots button").nth(1).click)
    assert state(page)["time"] == pytest.approx(1, abs=1e-3)
    put(page, 0.5, 0.5)
    assert page.locator("#shots .marked").count() == 1
    assert page.locator("#stop").is_hidden()
    page.screenshot(path=tmp_path / "film-1.png")
    page.locator("#start").click()
    page.get_by_text("48 frames, 2 shots").wait_for()
    page.reload()  # the result stays
    page.locator("#play").click()
    page.locator("#result").wait_for()
    page.wait_for_function("() => document.querySelector('video').readyState >= 1")
    assert page.evaluate("document.querySelector('video').duration") == pytest.approx(2, abs=0.1)
    page.screenshot(path=tmp_path / "film-2.png")
    assert page.locator("#stop").is_hidden()
    assert page.locator("#start").is_disabled()  # nothing has changed
    page.locator("[data-view=color]").click()
    put(page, 0.3, 0.3)
    assert page.locator("#start").inner_text() == "Colour what has changed"
    path = download(page, page.locator("#download").click, tmp_path)
    assert path.name == "old.color.mp4"
    assert page.evaluate("document.documentElement.scrollWidth") <= size["width"]


def test_a_colour_given_before_another_frame_is_shown_stays_on_its_frame(visit, tmp_path):
    film = write_film(tmp_path / "old.mp4", pan(24, 320, 240) + other_shot(24, 320, 240), rate=24)
    page = visit()
    drop(page, film)
    page.locator("#shots button").nth(1).wait_for()
    place, held = at(page, 0.5, 0.5), []

    def hold(route):
        if '"go"' in route.request.post_data:
            held.append(route)
        else:
            route.continue_()

    page.route("**/edit", hold)
    page.locator("#shots button").nth(1).click()
    page.mouse.click(*place)
    page.locator("#popover .swatches button").first.click()
    with page.expect_response(lambda response: '"marks"' in (response.request.post_data or "")):
        held[0].continue_()
    found = state(page)
    assert (found["time"], found["marked"]) == (pytest.approx(1, abs=1e-3), [0])


def test_one_frame_forward_and_back(visit, tmp_path):
    rate = 18  # so slow that a twentieth of a second back is no other frame
    film = write_film(tmp_path / "old.mp4", pan(20, 320, 240), rate=rate)
    page = visit()
    drop(page, film)
    shown = []
    for name in ("Next frame", "Next frame", "Previous frame"):
        changed(page, page.get_by_role("button", name=name).click)
        shown.append(round(state(page)["time"] * rate))
    assert shown == [1, 2, 1]
