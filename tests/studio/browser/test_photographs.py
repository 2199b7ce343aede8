"""A photograph on the page: zoomed, hinted, adjusted by dials, corrected, downloaded."""

from __future__ import annotations

import math

import numpy as np
import pytest
from PIL import Image

from photochrom import read_hints
from tests.helpers.photographs import bt601
from tests.studio.browser.page import (
    SIZES,
    at,
    changed,
    download,
    draw,
    drop,
    looked_at,
    put,
    settled,
    state,
)


@SIZES
def test_drop_look_hint_choose_and_download(visit, photograph, tmp_path, size):
    page = visit(size)
    page.screenshot(path=tmp_path / "1-empty.png")
    drop(page, photograph)
    assert page.url.startswith("http")  # the browser did not leave the page for the file
    page.locator("#guesses img").nth(3).wait_for()
    page.screenshot(path=tmp_path / "2-dropped.png")
    color = put(page, 0.6, 0.8)
    (mark,) = state(page)["marks"]
    assert (mark["color"], mark["suggested"]) == (color, True)
    assert mark["places"][0] == pytest.approx([0.6, 0.8], abs=0.01)
    page.locator("#guesses[aria-busy=false]").wait_for()
    changed(page, page.locator("#guesses button").nth(2).click)
    assert page.locator("#guesses [aria-pressed=true]").get_attribute("data-guess") == "1"
    assert page.locator("#overlay circle").count() > 10  # where the guess puts its colours
    page.screenshot(path=tmp_path / "3-guess.png")
    changed(page, page.locator("#undo").click)
    assert state(page)["guess"] is None
    changed(page, lambda: page.keyboard.press("Control+Shift+Z"))
    assert state(page)["guess"] == 1
    box = page.locator("#download").bounding_box()
    assert 0 <= box["x"] <= box["x"] + box["width"] <= size["width"]
    assert 0 <= box["y"] <= box["y"] + box["height"] <= size["height"]
    path = download(page, page.locator("#download").click, tmp_path)
    assert path.name == "old.color.png"
    with Image.open(photograph) as source, Image.open(path) as result:
        rgb = np.asarray(result.convert("RGB"))
        assert np.abs(bt601(rgb).astype(int) - np.asarray(source)).max() <= 1
        assert result.info["Author"] == "Dorothea Lange"
        assert result.getexif()[0x013B] == "Dorothea Lange"
        assert result.info["dpi"] == pytest.approx((300, 300), abs=0.1)
    file = download(page, page.get_by_role("button", name="Save hints").click, tmp_path)
    assert len(read_hints(file)) > 10
    changed(page, page.locator("#undo").click)
    changed(page, page.locator("#undo").click)
    changed(page, lambda: page.set_input_files("#load-hints-file", file))
    again = download(page, page.locator("#download").click, tmp_path)
    assert np.array_equal(np.asarray(Image.open(again)), rgb)


@SIZES
def test_zoomed_to_every_pixel_and_back(visit, tmp_path, size):
    """At 100 % each pixel of the photograph is one pixel of the screen, with its own luma."""
    pixels = np.random.default_rng(0).integers(90, 160, (1000, 1700), np.uint8)
    Image.fromarray(pixels).save(tmp_path / "large.png")
    page = visit(size)
    drop(page, tmp_path / "large.png")
    fitted = looked_at(page)
    page.locator("[data-zoom=full]").click()
    settled(page)
    near = looked_at(page)
    height, width = near.shape[:2]
    top, left = (1000 - height) // 2, (1700 - width) // 2
    shown = bt601(near.astype(np.uint8)).astype(float)[20 : height // 2, 20 : width // 2]
    errors = [
        np.abs(shown - pixels[top + y + 20 : top + y + height // 2, left + x + 20 : left + x + width // 2]).mean()
        for y in (0, 1)
        for x in (0, 1)
    ]
    assert min(errors) < 6
    page.screenshot(path=tmp_path / "full.png")
    box = page.locator("#canvas").bounding_box()
    page.locator("button[data-tool=hand]").click()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] / 2 - 60, box["y"] + box["height"] / 2 - 30, steps=4)
    page.mouse.up()
    settled(page)
    moved = looked_at(page)
    overlap = np.s_[60 : height - 120, 60 : width - 120]
    there = np.roll(near, (-30, -60), (0, 1))
    assert np.abs(moved[overlap] - there[overlap]).mean() < 3
    page.locator("[data-zoom=fit]").click()
    np.testing.assert_allclose(looked_at(page), fitted, atol=2)


@SIZES
def test_before_and_after_on_the_same_place(visit, photograph, tmp_path, size):
    page = visit(size)
    drop(page, photograph)
    color = looked_at(page)
    page.locator("#canvas").focus()
    page.keyboard.down("Space")
    grey = looked_at(page)
    page.keyboard.up("Space")
    assert np.ptp(grey, axis=2).max() < 8
    edge = np.s_[8:-8, 8:-8]  # with the keyboard's focus there is a frame
    assert np.abs(bt601(color.astype(np.uint8)).astype(int) - grey[..., 0])[edge].mean() < 3  # nothing jumps
    page.locator("[data-view=compare]").click()
    page.locator("#divider").wait_for()
    for key, shift in ((None, 0), ("ArrowRight", 0.2)):
        if key:
            page.locator("#divider").focus()
            for _ in range(10):
                page.keyboard.press(key)
        half = looked_at(page)
        middle = round(half.shape[1] * (0.5 + shift))
        assert np.ptp(half[:, : middle - 20], axis=2).max() < 8
        np.testing.assert_array_equal(half[edge][:, middle + 20 :], color[edge][:, middle + 20 :])
    page.screenshot(path=tmp_path / "compare.png")


@SIZES
def test_strokes_lasso_eyedropper_and_moving_a_colour(visit, photograph, tmp_path, size):
    page = visit(size)
    drop(page, photograph)
    page.locator("button[data-tool=pick]").click()
    page.mouse.click(*at(page, 0.3, 0.15))
    sky = page.locator("#color").input_value()
    assert page.locator("button[data-tool=point]").get_attribute("aria-pressed") == "true"
    draw(page, "stroke", [(0.2, 0.7), (0.4, 0.72), (0.5, 0.75)])
    ring = [(0.7 + 0.1 * math.cos(a), 0.4 + 0.1 * math.sin(a)) for a in np.linspace(0, 6, 12)]
    draw(page, "area", ring)
    page.screenshot(path=tmp_path / "strokes.png")
    stroke, area = state(page)["marks"]
    assert (stroke["kind"], area["kind"], stroke["color"], area["color"]) == ("stroke", "area", sky, sky)
    assert stroke["places"][0] == pytest.approx([0.2, 0.7], abs=0.01)
    page.locator("button[data-tool=point]").click()
    put(page, 0.1, 0.4)
    page.mouse.move(*at(page, 0.1, 0.4))
    page.mouse.down()
    page.mouse.move(*at(page, 0.2, 0.3), steps=4)
    changed(page, page.mouse.up)
    assert state(page)["marks"][2]["places"][0] == pytest.approx([0.2, 0.3], abs=0.015)
    page.mouse.click(*at(page, 0.2, 0.3))
    changed(page, page.get_by_role("button", name="Remove", exact=True).click)
    assert [mark["kind"] for mark in state(page)["marks"]] == ["stroke", "area"]
    for left in (3, 3, 2, 1, 0):
        changed(page, lambda: page.keyboard.press("Control+Z"))
        assert len(state(page)["marks"]) == left


def test_quick_strokes_are_all_kept(visit, photograph):
    page = visit()
    drop(page, photograph)
    page.locator("button[data-tool=stroke]").click()
    for number in range(6):
        y = 0.2 + 0.1 * number
        page.mouse.move(*at(page, 0.2, y))
        page.mouse.down()
        page.mouse.move(*at(page, 0.4, y))
        page.mouse.up()
    changed(page, lambda: page.wait_for_function(
        "async () => (await (await fetch('/api/studio')).json()).items[0].marks.length === 6"
    ))  # fmt: skip
    settled(page)
    assert page.locator("#overlay .mark").count() == 6


@SIZES
def test_the_page_shows_where_the_model_is_unsure(visit, photograph, tmp_path, size):
    page = visit(size)
    drop(page, photograph)
    plain = looked_at(page)
    page.locator("[data-view=unsure]").click()
    page.locator(".unsure").first.wait_for()
    page.get_by_text("Hatched: the model is unsure").wait_for()
    page.screenshot(path=tmp_path / "unsure.png")
    assert np.abs(looked_at(page) - plain).mean() > 1
    assert page.locator(".unsure").first.inner_text() == "1"
    page.locator(".unsure").first.click()
    swatch = page.locator("#popover .swatch").first
    swatch.wait_for()
    changed(page, swatch.click)
    assert len(state(page)["marks"]) == 1


def test_dials_are_turned_and_undone(visit, photograph):
    page = visit()
    drop(page, photograph)
    color = looked_at(page)
    strength = page.locator("#strength")
    strength.focus()
    changed(page, lambda: page.keyboard.press("Home"))
    settled(page)
    assert np.ptp(looked_at(page), axis=2).max() < 8
    changed(page, page.locator("#undo").click)
    np.testing.assert_array_equal(looked_at(page), color)
    assert strength.input_value() == "1"


def test_two_windows_keep_the_colours_of_each_other(visit, photograph):
    page = visit()
    drop(page, photograph)
    other = page.context.new_page()
    other.goto(page.url)
    other.locator("#canvas[data-revision]").wait_for()
    color = put(page, 0.3, 0.3)
    put(other, 0.7, 0.7)  # refused, since this window has not shown the colour of the first one
    other.get_by_text("the colours were changed in another window").wait_for()
    assert [mark["color"] for mark in state(other)["marks"]] == [color]
    assert other.locator("#overlay .mark").count() == 1
    put(other, 0.7, 0.7)
    put(other, 0.7, 0.3)
    assert len(state(other)["marks"]) == 3
    assert page.locator("#overlay .mark").count() == 1
    page.evaluate("dispatchEvent(new Event('focus'))")
    page.locator("#overlay .mark").nth(2).wait_for()
