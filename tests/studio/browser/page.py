"""Operates the studio's page as a user does, and reads what it shows."""

from __future__ import annotations

import base64
import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

EXAMPLE = Path(__file__).parents[3] / "examples" / "dust-bowl-home.jpg"
DESK, PHONE = {"width": 1400, "height": 900}, {"width": 390, "height": 844}
SIZES = pytest.mark.parametrize("size", [DESK, PHONE], ids=["desk", "phone"])


def drop(page, *paths):
    """Drop files on the page as a user does, and wait until the first is shown and all are on the tray."""
    before = page.locator(".entry").count()
    files = [{"name": path.name, "content": base64.b64encode(path.read_bytes()).decode()} for path in paths]
    page.evaluate(
        """files => {
            const transfer = new DataTransfer();
            for (const {name, content} of files) {
                transfer.items.add(new File([Uint8Array.from(atob(content), byte => byte.charCodeAt(0))], name));
            }
            for (const type of ["dragenter", "dragover", "drop"]) {
                document.querySelector("header").dispatchEvent(
                    new DragEvent(type, {dataTransfer: transfer, bubbles: true, cancelable: true}));
            }
        }""",
        files,
    )
    page.locator(".entry").nth(before + len(paths) - 1).wait_for()
    page.locator("#canvas[data-revision]").wait_for()


def state(page):
    """Return the studio's state of the displayed item."""
    return page.evaluate(
        """async () => {
            const {item} = document.querySelector(".entry [aria-current=true]").dataset;
            return (await fetch(`/api/items/${item}`)).json();
        }"""
    )


def changed(page, action):
    """Perform an action, and wait until the resulting picture is shown."""
    before = page.locator("#canvas").get_attribute("data-revision")
    action()
    page.wait_for_function("before => document.querySelector('#canvas').dataset.revision !== before", arg=before)


def settled(page):
    """Wait until no request for the picture is pending."""
    page.evaluate("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")
    page.wait_for_function("() => document.querySelector('#canvas').ariaBusy === 'false'")


def looked_at(page):
    """Return the stage as displayed, RGB, without the controls over the picture."""
    page.evaluate("document.querySelector('#overlay').style.visibility = 'hidden'")
    page.evaluate("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")
    settled(page)
    shot = page.locator("#canvas canvas").screenshot()
    page.evaluate("document.querySelector('#overlay').style.visibility = ''")
    with Image.open(io.BytesIO(shot)) as image:
        return np.asarray(image.convert("RGB")).astype(int)


def at(page, x, y):
    """Return the position of a place of the picture, in pixels of the window; the picture fits the stage."""
    box, facts = page.locator("#canvas").bounding_box(), state(page)
    scale = min(box["width"] / facts["width"], box["height"] / facts["height"])
    return (
        box["x"] + box["width"] / 2 + (x - 0.5) * facts["width"] * scale,
        box["y"] + box["height"] / 2 + (y - 0.5) * facts["height"] * scale,
    )


def put(page, x, y, number=1):
    """Click on the picture, take one of the likely colours, and return it."""
    page.mouse.click(*at(page, x, y))
    swatch = page.locator("#popover .swatches").first.locator("button").nth(number)
    swatch.wait_for()
    color = swatch.get_attribute("data-color")
    changed(page, swatch.click)
    return color


def draw(page, tool, places):
    page.locator(f"button[data-tool={tool}]").click()
    page.mouse.move(*at(page, *places[0]))
    page.mouse.down()
    for place in places[1:]:
        page.mouse.move(*at(page, *place), steps=3)
    changed(page, page.mouse.up)


def download(page, action, tmp_path):
    with page.expect_download() as found:
        action()
    path = tmp_path / "saved" / found.value.suggested_filename
    found.value.save_as(path)
    return path


def tray(page):
    return page.evaluate("async () => (await (await fetch('/api/studio')).json()).items")


def accessibility(page, axe):
    page.evaluate(axe.read_text())
    result = page.evaluate("async () => (await axe.run()).violations")
    return [f"{each['id']} ({each['impact']}): {node['html'][:200]}" for each in result for node in each["nodes"]]
