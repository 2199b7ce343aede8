"""The studio as its visitors meet it, in a real browser."""

from __future__ import annotations

import io
import math
import os
import shutil
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from skimage import data

from photochrom import read_hints
from tests.helpers.films import other_shot, pan, write_film
from tests.helpers.photographs import bt601
from tests.helpers.studio_server import RunningStudio, running_studio

playwright_api = pytest.importorskip(
    "playwright.sync_api", reason="the browser tests need playwright: pip install playwright"
)

pytestmark = [pytest.mark.browser, pytest.mark.slow]

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples" / "dust-bowl-home.jpg"
DESK, PHONE = {"width": 1400, "height": 900}, {"width": 390, "height": 844}
SIZES = pytest.mark.parametrize("size", [DESK, PHONE], ids=["desk", "phone"])


@pytest.fixture(scope="module")
def studio(tmp_path_factory) -> Iterator[RunningStudio]:
    with running_studio(tmp_path_factory.mktemp("studio"), "--max-megapixels", "20") as running:
        yield running


@pytest.fixture(scope="module")
def browser():
    """Debian's chromium, or the one that Playwright has installed."""
    path = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    arguments = ["--no-sandbox"] if os.name == "posix" and os.geteuid() == 0 else []
    with playwright_api.sync_playwright() as playwright:
        try:
            found = playwright.chromium.launch(executable_path=path, args=arguments)
        except playwright_api.Error as exc:
            pytest.skip(f"no browser is there for the tests of the studio: apt install chromium ({exc.message[:60]})")
        yield found
        found.close()


@pytest.fixture
def visit(studio, browser) -> Iterator[Callable]:
    """Opens a page for a new visitor. It asks nothing of others than the studio, and logs no error."""
    contexts, strangers, errors = [], [], []

    def open_page(size=DESK, locale="en-GB"):
        context = browser.new_context(viewport=size, accept_downloads=True, locale=locale)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(30_000)
        page.on("request", lambda r: r.url.startswith((studio.url, "blob:")) or strangers.append(r.url))
        page.on("pageerror", lambda error: errors.append(error))
        page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
        page.goto(studio.url)
        page.locator("body[data-ready]").wait_for()
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert strangers == []
    assert [error for error in errors if "400 (Bad Request)" not in str(error)] == []


@pytest.fixture
def photograph(tmp_path):
    """A grey photograph with facts about it."""
    path = tmp_path / "old.png"
    texts = PngInfo()
    texts.add_text("Author", "Dorothea Lange")
    exif = Image.Exif()
    exif[0x013B] = "Dorothea Lange"
    with Image.open(EXAMPLE) as image:
        image.convert("L").save(path, pnginfo=texts, dpi=(300, 300), exif=exif)
    return path


def drop(page, *paths):
    """Drop files anywhere, as a hand does it, and wait until the first is shown and all are on the tray."""
    before = page.locator(".entry").count()
    files = [{"name": path.name, "content": list(path.read_bytes())} for path in paths]
    page.evaluate(
        """files => {
            const transfer = new DataTransfer();
            for (const {name, content} of files) transfer.items.add(new File([new Uint8Array(content)], name));
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
    """What the studio says of the item that is shown."""
    return page.evaluate(
        """async () => {
            const {item} = document.querySelector(".entry [aria-current=true]").dataset;
            return (await fetch(`/api/items/${item}`)).json();
        }"""
    )


def changed(page, action):
    """Do something, and wait until the picture that it makes is shown."""
    before = page.locator("#canvas").get_attribute("data-revision")
    action()
    page.wait_for_function(
        "before => document.querySelector('#canvas').dataset.revision !== before"
        " && !document.querySelector('#canvas').dataset.loading",
        arg=before,
    )


def settled(page):
    """Wait until nothing is on its way to the picture."""
    page.evaluate("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")
    page.wait_for_function("() => document.querySelector('#canvas').ariaBusy === 'false'")


def looked_at(page):
    """The stage as it is seen, RGB, without what lies over the picture."""
    page.evaluate("document.querySelector('#overlay').style.visibility = 'hidden'")
    page.evaluate("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")
    settled(page)
    shot = page.locator("#canvas canvas").screenshot()
    page.evaluate("document.querySelector('#overlay').style.visibility = ''")
    with Image.open(io.BytesIO(shot)) as image:
        return np.asarray(image.convert("RGB")).astype(int)


def at(page, x, y):
    """A place of the picture, in pixels of the window; the picture fits the stage."""
    box, facts = page.locator("#canvas").bounding_box(), state(page)
    scale = min(box["width"] / facts["width"], box["height"] / facts["height"])
    return (
        box["x"] + box["width"] / 2 + (x - 0.5) * facts["width"] * scale,
        box["y"] + box["height"] / 2 + (y - 0.5) * facts["height"] * scale,
    )


def put(page, x, y, number=1):
    """Click on the picture and take one of the likely colours; that colour."""
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
    changed(page, page.locator("#guesses button").nth(2).click)
    assert page.locator("#guesses [aria-checked=true]").get_attribute("data-guess") == "1"
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
def test_a_tray_of_many_survives_a_reload(visit, photograph, tmp_path, size):
    page = visit(size)
    paths = [photograph]
    for number in range(3):
        paths.append(tmp_path / f"{number}.png")
        Image.fromarray(np.roll(data.camera(), 100 * number, 1)).save(paths[-1])
    drop(page, *paths[:3])
    put(page, 0.5, 0.5)
    drop(page, paths[3])  # a second drop
    names = [path.name for path in paths]
    assert sorted(page.locator(".entry .open").evaluate_all("all => all.map(each => each.title)")) == sorted(names)
    first = page.locator(".entry .open").first
    first.click()
    seen = [first.get_attribute("title")]
    for _ in range(3):
        page.keyboard.press("ArrowRight")
        seen.append(page.locator("[aria-current=true]").get_attribute("title"))
    assert sorted(seen) == sorted(names)
    page.keyboard.press("ArrowLeft")
    before = [item["name"] for item in tray(page)], page.locator("[aria-current=true]").get_attribute("title")
    page.reload()
    page.locator("#canvas[data-revision]").wait_for()
    assert ([item["name"] for item in tray(page)], page.locator("[aria-current=true]").get_attribute("title")) == before
    assert sum(len(item["marks"]) for item in tray(page)) == 1
    page.screenshot(path=tmp_path / "tray.png")
    page.locator(".entry").first.hover()
    page.locator(".entry .remove").first.click()
    page.locator(".entry").nth(3).wait_for(state="detached")
    path = download(page, page.get_by_role("link", name="Download all 3").click, tmp_path)
    with zipfile.ZipFile(path) as archive:
        assert len(archive.namelist()) == 4
        assert "report.csv" in archive.namelist()


def tray(page):
    return page.evaluate("async () => (await (await fetch('/api/studio')).json()).items")


def test_a_folder_is_chosen_and_what_is_no_photograph_is_left_out(visit, photograph, tmp_path):
    folder = tmp_path / "shoebox" / "1931"
    folder.mkdir(parents=True)
    for name in ("a.png", "b.png"):
        shutil.copy(photograph, folder / name)
    (folder / "notes.txt").write_text("1931")
    (folder / "broken.jpg").write_bytes(b"\xff\xd8\xff")
    page = visit()
    page.set_input_files("#folder", tmp_path / "shoebox")
    page.get_by_text("broken.jpg: ").wait_for()
    page.get_by_text("1 other files were skipped").wait_for()
    page.get_by_text("2 of 3 added").wait_for()
    assert page.locator(".entry").count() == 2


def test_a_pasted_photograph_is_taken(visit):
    page = visit()
    page.evaluate(
        """bytes => {
            const transfer = new DataTransfer();
            transfer.items.add(new File([new Uint8Array(bytes)], "pasted.jpg", {type: "image/jpeg"}));
            document.dispatchEvent(new ClipboardEvent("paste", {clipboardData: transfer, bubbles: true}));
        }""",
        list(EXAMPLE.read_bytes()),
    )
    page.locator("#canvas[data-revision]").wait_for()
    assert np.ptp(looked_at(page), axis=2).mean() > 2


@SIZES
def test_zoomed_to_every_pixel_and_back(visit, tmp_path, size):
    """At 100 % each pixel of the photograph is one of the screen, in its own luma."""
    pixels = np.random.default_rng(0).integers(90, 160, (1500, 2500), np.uint8)
    Image.fromarray(pixels).save(tmp_path / "large.png")
    page = visit(size)
    drop(page, tmp_path / "large.png")
    fitted = looked_at(page)
    page.locator("[data-zoom=full]").click()
    settled(page)
    near = looked_at(page)
    height, width = near.shape[:2]
    top, left = (1500 - height) // 2, (2500 - width) // 2
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
    assert page.locator("button[data-tool=point]").get_attribute("aria-checked") == "true"
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
def test_where_it_is_unsure(visit, photograph, tmp_path, size):
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


def test_by_keyboard_alone(visit, photograph, tmp_path):
    """From the empty page to the download, by Tab, Space, Enter and arrows."""
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
    assert page.locator("button[data-tool=stroke]").get_attribute("aria-checked") == "true"
    tab_to("#guesses [data-guess='0']")
    changed(page, lambda: page.keyboard.press("Enter"))
    tab_to("#download", 100)
    with page.expect_download() as found:
        page.keyboard.press("Enter")
    assert found.value.suggested_filename == "old.color.png"


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
    page.locator("#result video").wait_for()
    page.wait_for_function("() => document.querySelector('video').readyState >= 1")
    assert page.evaluate("document.querySelector('video').duration") == pytest.approx(2, abs=0.1)
    page.screenshot(path=tmp_path / "film-2.png")
    assert page.locator("#stop").is_hidden()
    path = download(page, page.locator("#download").click, tmp_path)
    assert path.name == "old.color.mp4"
    assert page.evaluate("document.documentElement.scrollWidth") <= size["width"]


def test_two_visitors_do_not_meet(visit, photograph):
    one, other = visit(), visit()
    drop(one, photograph)
    assert other.locator(".entry").count() == 0
    assert tray(other) == []


def test_what_cannot_be_coloured_is_said(visit, tmp_path):
    Image.fromarray(np.zeros((5000, 5000), np.uint8)).save(tmp_path / "large.png")
    page = visit()
    page.set_input_files("#files", tmp_path / "large.png")
    page.get_by_text("large.png: is 5000 x 5000 pixels, more than 20 million: scale it down").wait_for()
    assert not page.locator("#stage").is_visible()


def test_it_speaks_the_language_of_the_browser_or_the_one_that_is_chosen(visit, photograph, tmp_path):
    page = visit(locale="de-AT")
    page.get_by_role("button", name="Dateien wählen").wait_for()
    assert page.locator("html").get_attribute("lang") == "de"
    drop(page, photograph)
    page.get_by_role("button", name="Herunterladen", exact=True).wait_for()
    page.locator("#language").select_option("ja")
    page.get_by_role("button", name="ダウンロード", exact=True).wait_for()
    page.screenshot(path=tmp_path / "japanese.png")
    page.reload()
    page.get_by_role("button", name="ダウンロード", exact=True).wait_for()


@SIZES
def test_axe_finds_nothing(visit, photograph, tmp_path, size):
    """With axe-core, which CI installs: npm install axe-core, and AXE_CORE names its axe.min.js."""
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


def accessibility(page, axe):
    page.evaluate(axe.read_text())
    result = page.evaluate("async () => (await axe.run()).violations")
    return [f"{each['id']} ({each['impact']}): {node['html'][:200]}" for each in result for node in each["nodes"]]
