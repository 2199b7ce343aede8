"""Access to the page: by keyboard alone, in several languages, and as checked by axe-core."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from PIL import Image
from skimage import data

from tests.helpers.films import other_shot, pan, write_film
from tests.studio.browser.page import (
    SIZES,
    accessibility,
    at,
    changed,
    drop,
    put,
    state,
)


def test_the_page_can_be_used_by_keyboard_alone(visit, photograph, tmp_path):
    """The test goes from the empty page to the download by Tab, Space, Enter and arrows."""
    page = visit()

    def tab_to(selector, most=60):
        for _ in range(most):
            page.keyboard.press("Tab")
            if page.evaluate("selector => !!document.activeElement?.closest(selector)", selector):
                return
        raise AssertionError(f"the Tab key does not come to {selector}")

    with page.expect_file_chooser() as chooser:
        tab_to(".choose")
        page.keyboard.press("Enter")
    chooser.value.set_files(photograph)
    page.locator("#guesses img").nth(3).wait_for()
    tab_to("#canvas")
    for _ in range(3):
        page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    page.locator("#popover .swatch").first.wait_for()
    page.wait_for_function("() => document.activeElement.matches('#popover .swatch')")
    page.screenshot(path=tmp_path / "keyboard.png")
    changed(page, lambda: page.keyboard.press("2"))
    (mark,) = state(page)["marks"]
    assert mark["places"][0] == pytest.approx([0.53, 0.5])
    tab_to("#overlay .mark")
    changed(page, lambda: page.keyboard.press("ArrowDown"))
    assert state(page)["marks"][0]["places"][0] == pytest.approx([0.53, 0.505])
    changed(page, lambda: page.keyboard.press("Delete"))
    assert state(page)["marks"] == []
    changed(page, lambda: page.keyboard.press("Control+z"))
    page.keyboard.press("s")
    assert page.locator("button[data-tool=stroke]").get_attribute("aria-pressed") == "true"
    page.locator("#guesses[aria-busy=false]").wait_for()
    tab_to("#guesses [data-guess='0']")
    changed(page, lambda: page.keyboard.press("Enter"))
    tab_to("#download", 100)
    with page.expect_download() as found:
        page.keyboard.press("Enter")
    assert found.value.suggested_filename == "old.color.png"


def test_nothing_is_undone_that_cannot_be_seen(visit, photograph):
    page = visit()
    drop(page, photograph)
    put(page, 0.5, 0.5)
    page.keyboard.press("g")
    page.locator(".tile").wait_for()
    page.keyboard.press("Control+z")
    page.keyboard.press("Escape")
    page.locator("#canvas").wait_for()
    put(page, 0.3, 0.3)  # is sent after any undo
    assert len(state(page)["marks"]) == 2


def test_the_tray_is_emptied_by_keyboard(visit, tmp_path):
    paths = [tmp_path / f"{name}.png" for name in "abc"]
    for path in paths:
        Image.fromarray(data.camera()[::4, ::4]).save(path)
    page = visit()
    drop(page, *paths)
    page.locator(".entry .open").nth(1).focus()
    for focused in ("c.png", "a.png"):
        page.keyboard.press("Delete")
        assert page.evaluate("document.activeElement.title") == focused
    page.keyboard.press("Delete")
    page.locator("#welcome").wait_for()
    assert page.title() == "Photochrom"


def test_the_page_has_the_language_of_the_browser_or_the_chosen_one(visit, photograph, tmp_path):
    page = visit(locale="de-AT")
    page.get_by_role("button", name="Dateien wählen").wait_for()
    assert page.locator("html").get_attribute("lang") == "de"
    drop(page, photograph)
    page.get_by_role("button", name="Herunterladen", exact=True).wait_for()
    for name in ("Lebendigkeit", "Farbstärke", "Pinselbreite"):
        page.get_by_role("slider", name=name, exact=True).wait_for()
    page.locator("#language").select_option("ja")
    page.get_by_role("button", name="ダウンロード", exact=True).wait_for()
    page.screenshot(path=tmp_path / "japanese.png")
    page.reload()
    page.get_by_role("button", name="ダウンロード", exact=True).wait_for()


@SIZES
def test_axe_finds_nothing(visit, photograph, tmp_path, size):
    """CI installs axe-core with npm, and AXE_CORE names its file axe.min.js."""
    axe = Path(os.environ.get("AXE_CORE", "node_modules/axe-core/axe.min.js"))
    if not axe.is_file():
        pytest.skip("axe-core is not there: npm install axe-core, and set AXE_CORE to its axe.min.js")
    page = visit(size)
    found = [*accessibility(page, axe)]
    drop(page, photograph)
    page.locator("#guesses img").nth(3).wait_for()
    put(page, 0.5, 0.5)
    found += accessibility(page, axe)
    page.mouse.click(*at(page, 0.3, 0.3))
    page.locator("#popover .swatch").first.wait_for()
    page.locator("[data-view=unsure]").dispatch_event("click")
    page.locator(".unsure").first.wait_for()
    found += accessibility(page, axe)
    page.locator("[data-view=compare]").dispatch_event("click")
    found += accessibility(page, axe)
    drop(page, write_film(tmp_path / "old.mp4", pan(24, 320, 240) + other_shot(24, 320, 240), rate=24))
    page.locator("#shots button").nth(1).wait_for()
    found += accessibility(page, axe)
    assert "\n".join(found) == ""
