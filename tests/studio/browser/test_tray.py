"""Many files on the page: dropped, chosen, pasted, removed, shown in the overview, downloaded as one ZIP file."""

from __future__ import annotations

import base64
import re
import shutil
import zipfile

import numpy as np
from PIL import Image
from skimage import data

from tests.studio.browser.page import (
    EXAMPLE,
    SIZES,
    download,
    drop,
    looked_at,
    put,
    tray,
)


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
    assert page.locator(".entry .open").evaluate_all("all => all.map(each => each.title)") == names
    first = page.locator(".entry .open").first
    first.click()
    seen = [first.get_attribute("title")]
    for _ in range(3):
        page.keyboard.press("ArrowRight")
        seen.append(page.locator("[aria-current=true]").get_attribute("title"))
    assert seen == names
    page.keyboard.press("ArrowLeft")
    before = [item["name"] for item in tray(page)], page.locator("[aria-current=true]").get_attribute("title")
    page.reload()
    page.locator("#canvas[data-revision]").wait_for()
    assert ([item["name"] for item in tray(page)], page.locator("[aria-current=true]").get_attribute("title")) == before
    assert sum(len(item["marks"]) for item in tray(page)) == 1
    page.screenshot(path=tmp_path / "tray.png")
    page.locator(".entry .open").first.click()
    page.locator(".entry").first.hover()
    page.locator(".entry .remove").first.click()
    page.locator(".entry").nth(3).wait_for(state="detached")
    page.locator("#messages").get_by_role("button", name="Undo").click()
    page.locator(".entry").nth(3).wait_for()
    assert [item["name"] for item in tray(page)] == before[0]
    page.locator(".entry .open").first.click()
    page.locator(".entry .remove").first.click()
    page.locator("#guesses[aria-busy=false]").wait_for()
    page.locator("#overview-button").click()
    path = download(page, page.get_by_role("button", name="Download all 3").click, tmp_path)
    with zipfile.ZipFile(path) as archive:
        assert len([name for name in archive.namelist() if name.endswith(".color.png")]) == 3
        assert "report.csv" in archive.namelist()
    page.screenshot(path=tmp_path / "overview.png")
    assert page.evaluate("document.documentElement.scrollWidth") <= size["width"]


def drop_folder(page, folder):
    """Drag a folder from the disk to the page and drop it, through the browser's own protocol."""
    session = page.context.new_cdp_session(page)
    dragged = {"items": [], "files": [str(folder)], "dragOperationsMask": 1}
    for kind in ("dragEnter", "dragOver", "drop"):
        session.send("Input.dispatchDragEvent", {"type": kind, "x": 300, "y": 300, "data": dragged})


def test_a_dropped_folder_is_corrected_and_put_back(visit, tmp_path):
    folder = tmp_path / "shoebox"
    for number, name in enumerate(("1931/a.png", "1931/b.png", "1932/deep/c.png", "1932/.hidden/d.png")):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.roll(data.camera()[::2, ::2], 40 * number, 1)).save(folder / name)
    (folder / "1931" / "broken.png").write_bytes(b"\x89PNG")
    page = visit()
    held = []
    page.route("**/api/items?name=a.png*", lambda route: held.append(route))
    drop_folder(page, folder)
    page.locator(".entry").nth(1).wait_for()
    held[0].continue_()  # the first file comes last
    page.get_by_text("3 of 4 added").wait_for()
    page.keyboard.press("g")
    page.locator(".refused li").wait_for()
    assert page.locator("#folders h3").all_inner_texts() == ["shoebox/1931", "shoebox/1932/deep", "Not read"]
    assert page.locator(".refused li").inner_text().startswith("shoebox/1931/broken.png: ")
    path = download(page, page.get_by_role("button", name="Download all 3").click, tmp_path)
    with zipfile.ZipFile(path) as archive:
        first = {name: archive.read(name) for name in archive.namelist() if name.endswith(".png")}
        assert "shoebox/1931/broken.png" in archive.read("report.csv").decode()
    assert sorted(first) == [
        "shoebox/1931/a.color.png", "shoebox/1931/b.color.png", "shoebox/1932/deep/c.color.png",
    ]  # fmt: skip
    page.locator(".tile").filter(has_text="b.png").click()
    page.locator("#canvas[data-revision]").wait_for()
    assert page.locator("#name").inner_text() == "b.png"
    put(page, 0.5, 0.5)
    page.keyboard.press("g")
    states = page.locator(".tile .state").evaluate_all("all => all.map(each => each.dataset.text)")
    assert states == ["✓", "1", "✓"]
    path = download(page, page.get_by_role("button", name="Download all 3").click, tmp_path)
    with zipfile.ZipFile(path) as archive:
        changes = [name for name in first if archive.read(name) != first[name]]
    assert changes == ["shoebox/1931/b.color.png"]
    page.screenshot(path=tmp_path / "folder.png")
    page.keyboard.press("Escape")
    assert page.locator("#canvas").is_visible()


def test_files_and_subfolders_of_a_dropped_folder_that_cannot_be_read_are_reported(visit, photograph):
    page = visit()
    page.evaluate(
        """content => {
            const bytes = Uint8Array.from(atob(content), byte => byte.charCodeAt(0));
            const file = (name, file) => ({name, fullPath: `/shoebox/${name}`, isFile: true, file});
            const closed = {readEntries: (done, failed) => failed(new DOMException("no", "NotReadableError"))};
            const entries = [
                {name: "closed", fullPath: "/shoebox/closed", createReader: () => closed},
                file("gone.png", (done, failed) => failed(new DOMException("gone", "NotFoundError"))),
                file("old.png", done => done(new File([bytes], "old.png"))),
            ];
            const createReader = () => ({readEntries: done => done(entries.splice(0))});
            const item = {webkitGetAsEntry: () => ({name: "shoebox", isDirectory: true, createReader})};
            const event = new Event("drop", {cancelable: true});
            Object.defineProperty(event, "dataTransfer", {value: {items: [item], files: []}});
            dispatchEvent(event);
        }""",
        base64.b64encode(photograph.read_bytes()).decode(),
    )
    for name in ("closed", "gone.png"):
        page.get_by_text(f"shoebox/{name} cannot be read").wait_for()
    page.locator(".entry .open[title='old.png']").wait_for()


def test_a_folder_is_chosen_and_other_files_are_left_out(visit, photograph, tmp_path):
    folder = tmp_path / "shoebox" / "1931"
    folder.mkdir(parents=True)
    for name in ("a.png", "b.png"):
        shutil.copy(photograph, folder / name)
    (folder / "notes.txt").write_text("1931")
    (folder / "broken.jpg").write_bytes(b"\xff\xd8\xff")
    page = visit()
    page.set_input_files("#folder", tmp_path / "shoebox")
    page.get_by_text("broken.jpg: ").wait_for()
    page.get_by_text("Neither photographs nor films, so left out: 1").wait_for()
    page.get_by_text("2 of 3 added").wait_for()
    assert page.locator(".entry").count() == 2


def test_a_pasted_photograph_is_taken(visit):
    page = visit()
    page.evaluate(
        """text => {
            const bytes = Uint8Array.from(atob(text), byte => byte.charCodeAt(0));
            const transfer = new DataTransfer();
            transfer.items.add(new File([bytes], "pasted.jpg", {type: "image/jpeg"}));
            document.dispatchEvent(new ClipboardEvent("paste", {clipboardData: transfer, bubbles: true}));
        }""",
        base64.b64encode(EXAMPLE.read_bytes()).decode(),
    )
    page.locator("#canvas[data-revision]").wait_for()
    assert np.ptp(looked_at(page), axis=2).mean() > 2


def test_two_visitors_do_not_meet(visit, photograph):
    one, other = visit(), visit()
    drop(one, photograph)
    assert other.locator(".entry").count() == 0
    assert tray(other) == []


def test_a_file_that_cannot_be_coloured_is_reported(visit, tmp_path):
    Image.fromarray(np.zeros((5000, 5000), np.uint8)).save(tmp_path / "large.png")
    page = visit()
    page.set_input_files("#files", tmp_path / "large.png")
    page.get_by_text("large.png: is 5000 x 5000 pixels, more than 20 million: scale it down").wait_for()
    assert not page.locator("#stage").is_visible()
    page = visit(locale="de-AT")
    page.set_input_files("#files", tmp_path / "large.png")
    page.get_by_text(re.compile(r"large\.png: hat 5000 . 5000 Pixel, mehr als 20 Millionen: bitte verkl")).wait_for()
