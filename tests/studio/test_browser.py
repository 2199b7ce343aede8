"""The studio as its visitors meet it, in a real browser."""

from __future__ import annotations

import io
import os
import shutil
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from skimage import data

from photochrom import read_hints
from tests.helpers.photographs import bt601
from tests.helpers.studio_server import RunningStudio, running_studio

playwright_api = pytest.importorskip(
    "playwright.sync_api", reason="the browser tests need playwright: pip install playwright"
)

pytestmark = [pytest.mark.browser, pytest.mark.slow]

EXAMPLE = Path(__file__).parents[2] / "examples" / "dust-bowl-home.jpg"
DESK, PHONE = {"width": 1280, "height": 900}, {"width": 390, "height": 844}
RED = (200, 30, 40)


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
def visit(studio, browser, tmp_path) -> Iterator[Callable]:
    """Opens a page for a new visitor. Whatever it asks for, it asks of the studio."""
    contexts, strangers = [], []

    def open_page(size=DESK):
        context = browser.new_context(viewport=size, accept_downloads=True)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(60_000)
        page.on(
            "request", lambda r: None if r.url.startswith((studio.url, "data:", "blob:")) else strangers.append(r.url)
        )
        page.goto(studio.url)
        page.get_by_role("tab", name="Photo").wait_for()
        page.locator("#photograph input[type=file]").wait_for(state="attached")
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert strangers == []


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


def drop(page, path):
    """Drop a file, as a hand does it, and wait for the picture and the other guesses."""
    file = {"name": path.name, "content": list(path.read_bytes())}
    transfer = page.evaluate_handle(
        """({name, content}) => {
            const transfer = new DataTransfer();
            transfer.items.add(new File([new Uint8Array(content)], name));
            return transfer;
        }""",
        file,
    )
    page.dispatch_event("#photograph button", "drop", {"dataTransfer": transfer})
    page.locator("#guesses img").nth(3).wait_for()


def shown(page, element="#picture"):
    """The picture as the browser shows it, RGB."""
    source = page.locator(f"{element} img").first.get_attribute("src")
    with Image.open(io.BytesIO(page.request.get(source).body())) as image:
        return np.asarray(image.convert("RGB")).astype(int)


def changed(page, action, element="#picture"):
    """Do something, and wait until another picture is shown."""
    before = page.evaluate("element => document.querySelector(`${element} img`)?.src", element)
    action()
    page.wait_for_function(
        "([element, before]) => {"
        "const image = document.querySelector(`${element} img`);"
        "return image && image.src !== before && image.complete}",
        arg=[element, before],
    )
    return shown(page, element)


def click_at(page, x, y):
    image = page.locator("#picture img")
    box = image.bounding_box()
    image.click(position={"x": x * box["width"], "y": y * box["height"]})


def around(rgb, x, y, half=3):
    """The mean colour beside a place: on the place itself lies its mark."""
    row, column = int(y * rgb.shape[0]), int(x * rgb.shape[1])
    left = column - 40
    return rgb[row - half : row + half + 1, left - half : left + half + 1].mean((0, 1))


def redness(color):
    return color[0] - (color[1] + color[2]) / 2


def saved(page, name, tmp_path):
    """What a button gives to download."""
    with page.expect_download() as download:
        page.get_by_role("button", name=name).click()
    path = tmp_path / "saved" / download.value.suggested_filename
    download.value.save_as(path)
    return path


def test_drop_look_hint_choose_and_download(visit, photograph, tmp_path):
    page = visit()
    page.screenshot(path=tmp_path / "1-empty.png")
    drop(page, photograph)
    page.screenshot(path=tmp_path / "2-dropped.png", full_page=True)
    first = shown(page)
    assert np.ptp(first, axis=2).mean() > 5  # in colour at once

    assert page.locator("#guesses .thumbnail-item.selected").count() == 0

    changed(page, lambda: click_at(page, 0.6, 0.8))
    swatches = page.locator("#likely button")
    swatches.first.wait_for()
    assert swatches.count() >= 2
    page.screenshot(path=tmp_path / "3-likely.png", full_page=True)
    hinted = changed(page, swatches.nth(1).click)
    page.get_by_text("60 % across, 80 % down").wait_for()
    wanted = np.array([int(swatches.nth(1).get_attribute("data-color")[i : i + 2], 16) for i in (1, 3, 5)])
    page.screenshot(path=tmp_path / "4-hinted.png", full_page=True)
    before, after = around(first, 0.6, 0.8), around(hinted, 0.6, 0.8)
    hue = wanted - wanted.mean()
    assert (after - after.mean()) @ hue > (before - before.mean()) @ hue

    chosen = changed(page, page.locator("#guesses button").nth(2).click)
    page.screenshot(path=tmp_path / "5-chosen.png", full_page=True)
    assert np.abs(chosen - hinted).mean() > 2
    selected = page.locator("#guesses .thumbnail-item.selected")
    assert selected.get_attribute("aria-label") == "Thumbnail 3 of 4"
    undone = changed(page, page.get_by_role("button", name="Undo").click)
    np.testing.assert_array_equal(undone, hinted)
    selected.wait_for(state="detached")
    redone = changed(page, page.get_by_role("button", name="Redo").click)
    np.testing.assert_array_equal(redone, chosen)

    path = saved(page, "Download at full size", tmp_path)
    assert path.name == "old.color.png"
    with Image.open(photograph) as source, Image.open(path) as result:
        rgb = np.asarray(result.convert("RGB"))
        assert np.abs(bt601(rgb).astype(int) - np.asarray(source)).max() <= 1
        assert result.info["Author"] == "Dorothea Lange"
        assert result.getexif()[0x013B] == "Dorothea Lange"
        assert result.info["dpi"] == pytest.approx((300, 300), abs=0.1)
        small = np.asarray(result.convert("RGB").resize(chosen.shape[1::-1], Image.Resampling.BOX)).astype(int)
    assert np.median(np.abs(small - chosen)) <= 3  # what was shown is what was made
    assert b"with 1 colour given by hand and " in path.read_bytes()
    file = saved(page, "Save hints", tmp_path)
    hints = read_hints(file)
    assert hints[-1].color == tuple(wanted)
    assert not hints[-1].suggested
    assert all(hint.suggested for hint in hints[:-1])
    changed(page, page.get_by_role("button", name="Remove").click)
    with page.expect_file_chooser() as chooser:
        page.get_by_role("button", name="Load hints").click()
    loaded = changed(page, lambda: chooser.value.set_files(file))
    np.testing.assert_array_equal(loaded, chosen)


def test_views_and_dials(visit, photograph, tmp_path):
    page = visit()
    drop(page, photograph)
    colored = shown(page)
    grey = changed(page, page.locator("#view").get_by_label("As it was").check)
    assert np.ptp(grey, axis=2).max() < 8
    page.locator("#view").get_by_label("Compare").check()
    page.locator("#compare img").last.wait_for()
    page.screenshot(path=tmp_path / "compare.png", full_page=True)
    doubt = changed(page, page.locator("#view").get_by_label("Where it is unsure").check)
    assert redness((doubt - colored).mean((0, 1))) > 5
    page.screenshot(path=tmp_path / "unsure.png", full_page=True)
    changed(page, page.locator("#view").get_by_label("In colour").check)
    strength = page.get_by_label("number input for Strength of colour").first

    def to_nothing():
        strength.fill("0")
        strength.press("Tab")

    assert np.ptp(changed(page, to_nothing), axis=2).max() < 8
    back = changed(page, page.get_by_role("button", name="Undo").click)
    np.testing.assert_array_equal(back, colored)
    assert strength.input_value() == "1"


def test_a_colour_of_ones_own_and_the_eyedropper(visit, photograph):
    page = visit()
    drop(page, photograph)
    page.locator("#mode").get_by_label("picks up a colour").check()
    click_at(page, 0.3, 0.1)
    page.locator("#mode").get_by_label("puts the colour").and_(page.locator(":checked")).wait_for()
    sky = around(shown(page), 0.3, 0.1)
    changed(page, lambda: click_at(page, 0.2, 0.8))
    dot = page.locator("#given .dot").evaluate("e => getComputedStyle(e).backgroundColor")
    picked = np.array([int(part) for part in dot.removeprefix("rgb(").removesuffix(")").split(",")])
    assert np.abs(picked - sky).max() < 30
    changed(page, page.get_by_role("button", name="Remove").click)
    assert page.locator("#given .hint").count() == 0


def test_by_keyboard_alone(visit, photograph, tmp_path):
    """From the drop zone to the download, by Tab, Space, Enter and arrows."""
    page = visit()

    def tab_to(selector, most=60):
        for _ in range(most):
            page.keyboard.press("Tab")
            if page.evaluate("selector => !!document.activeElement?.closest(selector)", selector):
                return
        raise AssertionError(f"the Tab key does not come to {selector}")

    with page.expect_file_chooser() as chooser:
        tab_to("#photograph button")
        page.keyboard.press("Enter")
    chooser.value.set_files(photograph)
    page.locator("#guesses img").nth(3).wait_for()
    before = shown(page)

    tab_to("#view input[value='As it was']")
    grey = changed(page, lambda: page.keyboard.press("Space"))
    assert np.ptp(grey, axis=2).max() < 8
    page.keyboard.press("Shift+Tab")
    changed(page, lambda: page.keyboard.press("Space"))
    tab_to("#guesses button")
    changed(page, lambda: page.keyboard.press("Enter"))
    tab_to("#x")
    changed(page, lambda: page.keyboard.press("ArrowUp"))
    page.locator("#likely button").first.wait_for()
    assert page.locator("#x input").input_value() == "51"
    page.screenshot(path=tmp_path / "keyboard.png", full_page=True)
    tab_to("#put")
    hinted = changed(page, lambda: page.keyboard.press("Space"))
    page.get_by_text("51 % across, 50 % down").wait_for()
    assert np.abs(hinted - before).mean() > 0.5
    tab_to("#full-size-make")
    with page.expect_download() as download:
        page.keyboard.press("Enter")
    assert download.value.suggested_filename == "old.color.png"


def test_on_a_phone(visit, photograph, tmp_path):
    page = visit(PHONE)
    page.screenshot(path=tmp_path / "phone-1.png")
    drop(page, photograph)
    changed(page, lambda: click_at(page, 0.6, 0.8))
    page.locator("#likely button").first.wait_for()
    page.screenshot(path=tmp_path / "phone-2.png", full_page=True)
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    for element in ("#picture", "#likely button", "#view", "#guesses", ".known", "#full-size-make"):
        box = page.locator(element).first.bounding_box()
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= PHONE["width"]
    assert page.locator("#likely button").first.bounding_box()["height"] >= 44  # a finger's width


def test_a_pasted_photograph_is_taken(visit):
    page = visit()
    page.evaluate(
        """async bytes => {
            const transfer = new DataTransfer();
            transfer.items.add(new File([new Uint8Array(bytes)], "pasted.jpg", {type: "image/jpeg"}));
            document.dispatchEvent(new ClipboardEvent("paste", {clipboardData: transfer, bubbles: true}));
        }""",
        list(EXAMPLE.read_bytes()),
    )
    page.locator("#picture img").wait_for()
    assert np.ptp(shown(page), axis=2).mean() > 5


def test_two_visitors_do_not_meet(visit, photograph, tmp_path):
    other_photograph = tmp_path / "other.png"
    Image.fromarray(data.camera()).save(other_photograph)
    one, other = visit(), visit()
    drop(one, photograph)
    drop(other, other_photograph)
    before = shown(other)
    changed(one, lambda: click_at(one, 0.5, 0.5))
    np.testing.assert_array_equal(shown(other), before)
    assert saved(one, "Download at full size", tmp_path).name == "old.color.png"
    path = saved(other, "Download at full size", tmp_path)
    with Image.open(path) as image:
        assert path.name == "other.color.png"
        assert np.abs(bt601(np.asarray(image)).astype(int) - data.camera()).max() <= 1


def test_colours_are_borrowed_and_given_back(visit, tmp_path):
    left, right, _ = data.stereo_motorcycle()
    Image.fromarray(left).convert("L").save(tmp_path / "left.png")
    Image.fromarray(right).save(tmp_path / "right.jpg")
    page = visit()
    drop(page, tmp_path / "left.png")
    before = shown(page)
    page.get_by_text("Borrow colours from another photograph").click()
    with page.expect_file_chooser() as chooser:
        page.locator("#lender button").first.click()
    borrowed = changed(page, lambda: chooser.value.set_files(tmp_path / "right.jpg"))
    page.locator("#lent img").wait_for()
    page.screenshot(path=tmp_path / "borrowed.png", full_page=True)
    truth = np.asarray(Image.fromarray(left).resize(before.shape[1::-1])).astype(int)
    assert np.abs(borrowed - truth).mean() < np.abs(before - truth).mean()
    page.locator("#lent img").click()
    page.locator("#mode").get_by_label("puts the colour").and_(page.locator(":checked")).wait_for()
    back = changed(page, page.get_by_role("button", name="Give the colours back").click)
    np.testing.assert_array_equal(back, before)


def test_a_film(visit, tmp_path):
    film = tmp_path / "old.mkv"
    with av.open(str(film), "w") as container:
        stream = container.add_stream("ffv1", rate=10)
        stream.width, stream.height, stream.pix_fmt = 256, 192, "gray"
        for number in range(12):
            shot = data.camera() if number < 6 else data.astronaut()[..., 0]
            frame = np.ascontiguousarray(shot[number : number + 384 : 2, :512:2])
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, "gray")))
        container.mux(stream.encode())
    page = visit()
    page.get_by_role("tab", name="Film").click()
    page.set_input_files("#film input[type=file]", film)
    page.locator("#film-picture img").wait_for()
    changed(page, page.locator("#film-picture img").click, "#film-picture")
    likely = page.locator("#film-likely button").first
    changed(page, likely.click, "#film-picture")
    page.get_by_text("0 s: 50 % across, 50 % down").wait_for()
    page.get_by_role("button", name="Show all shots").click()
    page.locator("#sheet img").wait_for()
    with page.expect_download() as download:
        page.get_by_role("button", name="Colour the film").click()
    page.get_by_text("12 frames in 2 shots.").wait_for()
    page.screenshot(path=tmp_path / "film.png", full_page=True)
    assert download.value.suggested_filename == "old.color.mkv"
    download.value.save_as(tmp_path / "new.mkv")
    with av.open(str(tmp_path / "new.mkv")) as container:
        frames = [frame.to_ndarray(format="rgb24").astype(int) for frame in container.decode(video=0)]
    assert len(frames) == 12
    assert all(np.ptp(frame, axis=2).mean() > 2 for frame in frames)


def test_a_folder(visit, photograph, tmp_path):
    (tmp_path / "broken.jpg").write_bytes(b"\xff\xd8\xff")
    page = visit()
    page.get_by_role("tab", name="Folder").click()
    page.set_input_files("#photographs input[type=file]", [photograph, EXAMPLE, tmp_path / "broken.jpg"])
    page.get_by_text("broken").wait_for()
    page.get_by_role("button", name="Colour them all").click()
    page.get_by_text("broken.jpg: ").wait_for()
    page.locator("#zip").wait_for()
    page.screenshot(path=tmp_path / "folder.png", full_page=True)
    with zipfile.ZipFile(saved(page, "Download all as a ZIP", tmp_path)) as archive:
        assert archive.namelist() == ["old.color.png", "dust-bowl-home.color.jpg"]


def test_what_cannot_be_coloured_is_said(visit, tmp_path):
    Image.fromarray(np.zeros((5000, 5000), np.uint8)).save(tmp_path / "large.png")
    page = visit()
    page.set_input_files("#photograph input[type=file]", tmp_path / "large.png")
    page.get_by_text("large.png: is 5000 x 5000 pixels, more than 20 million: scale it down").wait_for()
    page.locator("#photograph button.upload-container").wait_for()  # it is not there as if it were open
    page.screenshot(path=tmp_path / "refused.png")
    assert not page.locator("#picture").is_visible()
