"""Answers of the studio that arrive late or in another order, and what the user does meanwhile."""

from __future__ import annotations

from contextlib import contextmanager

import numpy as np
import pytest
from PIL import Image
from skimage import data

from tests.helpers.films import other_shot, pan, write_film
from tests.studio.browser.page import at, changed, drop, put, state, tray


@pytest.fixture
def page(visit, tmp_path):
    """Return a page that shows the first of two photographs."""
    names = ("a.png", "b.png")
    for number, name in enumerate(names):
        Image.fromarray(np.roll(data.camera(), 100 * number, 1)).save(tmp_path / name)
    page = visit()
    drop(page, *(tmp_path / name for name in names))
    show(page, 0)
    return page


def show(page, number):
    page.locator(".entry .open").nth(number).click()
    name = page.locator(".entry .open").nth(number).get_attribute("title")
    page.wait_for_function("name => document.querySelector('#name').textContent === name", arg=name)
    page.locator("#guesses[aria-busy=false] img").first.wait_for()


@contextmanager
def delayed(page, pattern):
    """Hold back the first request to a URL until the end of the block, and wait for its answer."""
    held = []

    def hold(route):
        if held:
            route.continue_()
        else:
            held.append(route)

    page.route(pattern, hold)
    yield held
    wait(page, holds(held))
    with page.expect_response(held[0].request.url):
        held[0].continue_()
    page.evaluate("new Promise(done => setTimeout(done))")


def turn(page, value):
    page.locator("#strength").evaluate(
        "(dial, value) => {dial.value = value; dial.dispatchEvent(new Event('input'))}", value
    )


def holds(held):
    """Return a condition: a request is held back."""
    return lambda: len(held) == 1


def wait(page, condition):
    for _ in range(36_000):  # frames, of which there are sixty a second
        if condition():
            return
        page.evaluate("new Promise(requestAnimationFrame)")
    raise AssertionError("it did not happen")


def test_dials_of_two_photographs_keep_their_values(page):
    with delayed(page, "**/edit") as held:
        turn(page, 0.5)
        wait(page, holds(held))
        turn(page, 0.6)
        show(page, 1)
        turn(page, 1.5)
    wait(page, lambda: [item["strength"] for item in tray(page)] == [0.6, 1.5])


def test_an_answer_does_not_bring_a_removed_photograph_back(page):
    with delayed(page, "**/edit") as held:
        turn(page, 0.5)
        wait(page, holds(held))
        page.locator(".entry .remove").first.click(force=True)
        page.locator(".entry").nth(1).wait_for(state="detached")
    assert page.locator(".entry").count() == 1
    page.locator("#messages").get_by_role("button", name="Undo").click()
    page.locator(".entry").nth(1).wait_for()
    assert page.locator("#strength").input_value() == "0.5"


def test_a_removed_photograph_stays_removed_after_a_reload_and_in_other_windows(page):
    other = page.context.new_page()
    other.goto(page.url)
    other.locator(".entry").nth(1).wait_for()
    page.locator(".entry .remove").first.click(force=True)
    page.reload()
    page.locator("body[data-ready]").wait_for()
    assert page.locator(".entry .open").evaluate_all("all => all.map(each => each.title)") == ["b.png"]
    other.evaluate("dispatchEvent(new Event('focus'))")
    other.locator(".entry").nth(1).wait_for(state="detached")
    assert other.locator("#messages .error").count() == 0


def test_a_photograph_dropped_in_one_window_appears_in_the_other(page, photograph):
    other = page.context.new_page()
    other.goto(page.url)
    other.locator(".entry").nth(1).wait_for()
    drop(page, photograph)
    other.evaluate("dispatchEvent(new Event('focus'))")
    other.locator(".entry").nth(2).wait_for()
    assert other.locator(".entry .open").nth(2).get_attribute("title") == "old.png"


def test_deleted_photographs_cannot_be_restored(page):
    page.locator(".entry .remove").first.click(force=True)
    page.locator("#overview-button").click()
    with page.expect_download():
        page.get_by_role("button", name="Download all 1").click()
    assert page.locator("#messages").get_by_role("button", name="Undo").count() == 0
    assert page.locator(".entry").count() == len(tray(page)) == 1


def test_an_open_choice_of_colours_closes_when_another_photograph_is_shown(page):
    page.mouse.click(*at(page, 0.5, 0.5))
    page.wait_for_function("() => document.activeElement.matches('#popover .swatch')")
    page.keyboard.press("ArrowRight")
    page.locator("#popover").wait_for(state="hidden")
    assert page.locator("#name").inner_text() == "b.png"


def test_late_likely_colours_do_not_move_the_choice_at_another_place(page):
    with delayed(page, "**/likely?*") as held:
        page.mouse.click(*at(page, 0.2, 0.2))
        wait(page, holds(held))
        page.keyboard.press("Escape")
        page.mouse.click(*at(page, 0.7, 0.7))
        page.locator("#popover .swatch").first.wait_for()
        place = page.locator("#popover").bounding_box()
    assert page.locator("#popover").bounding_box() == place


def test_late_unsure_places_of_another_photograph_are_not_shown(page):
    def places():
        return page.locator(".unsure").evaluate_all("all => all.map(({dataset}) => [dataset.x, dataset.y].map(Number))")

    with delayed(page, "**/unsure") as held:
        page.locator("[data-view=unsure]").click()
        wait(page, holds(held))
        show(page, 1)
        page.locator(".unsure").first.wait_for()
        before = places()
    assert places() == before
    put(page, *before[0])
    now = page.evaluate("async id => (await fetch(`/api/items/${id}/unsure`)).json()", state(page)["id"])["places"]
    assert now != before
    wait(page, lambda: places() == now)


def test_a_colour_moves_with_the_arrow_keys_while_an_answer_is_pending(page):
    put(page, 0.5, 0.5)
    (before,) = state(page)["marks"][0]["places"]
    page.locator("#overlay .mark").focus()
    with delayed(page, "**/edit"):
        for _ in range(3):
            page.keyboard.press("ArrowRight")
    wait(page, lambda: state(page)["marks"][0]["places"][0] == pytest.approx([before[0] + 0.015, before[1]]))
    assert page.locator("#name").inner_text() == "a.png"
    assert page.evaluate("document.activeElement.matches('.mark')")


def test_a_colour_is_dragged_while_an_answer_arrives(page):
    put(page, 0.5, 0.5)
    with delayed(page, "**/edit") as held:
        turn(page, 0.7)
        wait(page, holds(held))
        page.mouse.move(*at(page, 0.5, 0.5))
        page.mouse.down()
        page.mouse.move(*at(page, 0.6, 0.6), steps=3)
    page.mouse.move(*at(page, 0.7, 0.7), steps=3)
    changed(page, page.mouse.up)
    assert state(page)["marks"][0]["places"][0] == pytest.approx([0.7, 0.7], abs=0.015)


def test_a_stroke_is_not_put_on_a_photograph_that_appears_meanwhile(page):
    page.locator("button[data-tool=stroke]").click()
    page.mouse.move(*at(page, 0.3, 0.3))
    page.mouse.down()
    page.mouse.move(*at(page, 0.5, 0.5), steps=3)
    page.locator(".entry .open").nth(1).dispatch_event("click")
    page.locator("#name").get_by_text("b.png").wait_for()
    page.mouse.up()
    page.evaluate("new Promise(done => setTimeout(done))")
    assert page.locator("#overlay .mark").count() == 0
    assert [item["marks"] for item in tray(page)] == [[], []]


def test_an_upload_that_ends_late_does_not_replace_what_the_user_looks_at(page, photograph):
    with delayed(page, "**/api/items?*") as held:
        page.set_input_files("#files", photograph)
        wait(page, holds(held))
        show(page, 1)
    page.locator(".entry").nth(2).wait_for()
    assert page.locator("#name").inner_text() == "b.png"


@pytest.mark.parametrize("acts", [False, True])
def test_the_first_of_several_dropped_photographs_is_shown_unless_the_user_acts(page, tmp_path, acts):
    names = ("c.png", "d.png", "e.png")
    for number, name in enumerate(names):
        Image.fromarray(np.roll(data.camera(), 100 * number, 0)).save(tmp_path / name)
    shown = page.locator("#name")
    with delayed(page, "**/api/items?name=c.png*") as held:
        page.set_input_files("#files", [tmp_path / name for name in names])
        wait(page, holds(held))
        page.locator(".entry").nth(3).wait_for()
        assert shown.inner_text() == "d.png"
        if acts:
            page.locator("[aria-current=true]").click()
    page.get_by_text("3 of 3 added").wait_for()
    wait(page, lambda: shown.inner_text() == ("d.png" if acts else "c.png"))
    titles = page.locator(".entry .open").evaluate_all("all => all.map(each => each.title)")
    assert titles == ["a.png", "b.png", *names]


def test_an_upload_that_is_found_before_it_is_answered_is_there_once(page, photograph):
    answers = []
    page.route("**/api/items?*", lambda route: answers.append((route, route.fetch())))
    page.set_input_files("#files", photograph)
    wait(page, lambda: answers)
    page.evaluate("dispatchEvent(new Event('focus'))")
    page.locator(".entry").nth(2).wait_for()
    ((route, answer),) = answers
    route.fulfill(response=answer)
    page.locator(".coming").wait_for(state="detached")
    page.locator("#overview-button").click()
    page.get_by_role("button", name="Download all 3").wait_for()


def test_a_photograph_that_is_being_deleted_does_not_come_back(page):
    page.locator(".entry .remove").first.click(force=True)
    held = []
    page.route(
        "**/api/items/*", lambda route: held.append(route) if route.request.method == "DELETE" else route.continue_()
    )
    page.locator("#overview-button").click()
    page.get_by_role("button", name="Download all 1").click()  # deletes the removed one first
    wait(page, holds(held))
    with page.expect_response("**/api/items"):
        page.evaluate("dispatchEvent(new Event('focus'))")
    with page.expect_download():
        held[0].continue_()
    assert page.locator(".entry").count() == 1


def test_the_focus_stays_on_a_colour_while_a_film_is_in_progress(visit, tmp_path):
    film = write_film(tmp_path / "old.mp4", pan(24, 320, 240) + other_shot(24, 320, 240), rate=24)
    page = visit()
    drop(page, film)
    page.locator("#shots button").nth(1).wait_for()
    put(page, 0.5, 0.5)
    page.locator("#overlay .mark").focus()
    page.locator("#start").dispatch_event("click")
    page.get_by_text("48 frames, 2 shots").wait_for()
    assert page.evaluate("document.activeElement.matches('.mark')")


def test_a_repeated_error_is_shown_once(page):
    answers = []
    page.route("**/edit", lambda route: (answers.append(route), route.fulfill(status=400, json={"error": "no"})))
    for _ in range(3):
        page.keyboard.press("Control+z")
    wait(page, lambda: len(answers) == 3)
    page.unroute("**/edit")
    changed(page, lambda: turn(page, 0.5))  # is sent when the other answers have been shown
    assert page.locator("#messages .error").count() == 1
