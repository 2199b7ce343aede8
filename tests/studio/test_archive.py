"""All photographs of a tray as files: folders, report, repeated colouring after corrections, unreadable files."""

from __future__ import annotations

import csv
import io
import json
import sys
import time
import unicodedata
import zipfile
from collections.abc import Callable

import numpy as np
import pytest

from photochrom.batch import coordinator as engine
from photochrom.batch.coloring import coloring
from photochrom.errors import OptionError
from photochrom.studio.archive import Archive
from photochrom.studio.state import Disk
from photochrom.studio.uploads import folder_name
from tests.helpers.studio_server import RefusedError
from tests.studio.conftest import Visitor, luma, picture, png


def drop(visitor, folder, name, content, **params):
    """Drop a file of a folder, and return the id of its item."""
    params = {"name": name, "folder": folder, **params}
    return visitor._checked(visitor.client.post("/api/items", params=params, content=content)).json()["id"]


def packed(visitor) -> zipfile.ZipFile:
    return zipfile.ZipFile(io.BytesIO(visitor.fetch("/api/items/archive")))


def table(archive):
    return list(csv.DictReader(io.StringIO(archive.read("report.csv").decode())))


@pytest.fixture
def done(monkeypatch) -> list[str]:
    """Record the keys of the photographs that the batch colours."""
    keys: list[str] = []

    def noting(*arguments) -> Callable:
        color = coloring(*arguments)
        return lambda item: (keys.append(item.key), color(item))[1]

    monkeypatch.setattr(engine, "coloring", noting)
    return keys


def finished(visitor):
    """Colour all photographs, and return the outcomes."""
    visitor.post("/api/archive/start")
    while (facts := visitor.get("/api/archive"))["job"]["status"] in ("waiting", "running"):
        time.sleep(0.01)
    return facts


def test_the_tray_is_sorted_by_the_order_that_requests_state(visitor):
    for order in (2, 1, 1.5):
        drop(visitor, "box", f"{order}.png", png(picture()), order=order)
    drop(visitor, "box", "now.png", png(picture()))
    assert [item["name"] for item in visitor.get("/api/studio")["items"]] == ["1.png", "1.5.png", "2.png", "now.png"]
    for wrong in ("nan", "first"):
        with pytest.raises(RefusedError, match=r"400 order is .*, which is not a "):
            drop(visitor, "box", "a.png", png(picture()), order=wrong)


@pytest.mark.slow
def test_all_photographs_of_a_tray_become_one_zip_with_a_report(visitor, files):
    first, *_ = [visitor.add(*each) for each in [("a.png", png(picture(1))), ("a.png", png(picture(2)))]]
    visitor.add("A.png", png(picture(3)))
    visitor.put(first, 0.5, 0.5)
    visitor.edit(first, "dial", dial="strength", value=0.7)
    with packed(visitor) as archive:
        assert archive.namelist()[:5] == ["a.color.png", "a.color-2.png", "A.color-3.png", "report.csv", "report.jsonl"]
        for number, name in enumerate(archive.namelist()[:3], 1):
            assert np.abs(luma(archive.read(name)) - picture(number)).max() <= 1
        assert archive.read("a.color.png") == visitor.download(first)[1]
        rows = table(archive)
    assert [(row["source"], row["output"], row["colours by hand"], row["error"]) for row in rows] == [
        ("a.png", "a.color.png", "1", ""), ("a.png", "a.color-2.png", "0", ""), ("A.png", "A.color-3.png", "0", ""),
    ]  # fmt: skip
    assert "photochrom.zip" not in files()


@pytest.mark.slow
def test_the_files_of_a_tray_have_the_detail_of_the_studio(open_studio):
    visitor = Visitor(open_studio(detail=2)())
    item = visitor.add("a.png", png(picture()))
    with packed(visitor) as archive:
        assert archive.read("a.color.png") == visitor.download(item)[1]
        assert "detail=2" in json.loads(archive.read("report.jsonl"))["options"]


def test_a_photograph_that_fails_is_in_the_report_and_the_others_are_in_the_archive(visitor, tmp_path):
    lost, kept = [visitor.add(name, png(picture(1))) for name in ("a.png", "b.png")]
    next((tmp_path / "studio").rglob("a.png")).write_bytes(b"overwritten")
    with packed(visitor) as archive:
        assert "a.color.png" not in archive.namelist()
        assert "b.color.png" in archive.namelist()
        for name in ("report.csv", "report.jsonl"):
            assert "a.png: is not a" in archive.read(name).decode()
            assert str(tmp_path) not in archive.read(name).decode()
    items = visitor.get("/api/archive")["items"]
    assert items[lost]["error"].startswith("a.png: is not a")
    assert items[kept]["isCurrent"]


def test_the_contact_sheet_is_left_out_without_jinja(visitor, monkeypatch):
    visitor.add("a.png", png(picture(1)))
    with packed(visitor) as archive:
        assert "report.html" in archive.namelist()
    monkeypatch.setitem(sys.modules, "jinja2", None)
    with packed(visitor) as archive:
        assert archive.namelist() == ["a.color.png", "report.csv", "report.jsonl"]


def test_a_dropped_folder_keeps_its_tree(visitor):
    for folder, name in (("shoebox/1931", "a.png"), ("shoebox/1932", "a.png"), ("", "a.png")):
        drop(visitor, folder, name, png(picture(1)))
    assert [item["folder"] for item in visitor.get("/api/studio")["items"]] == ["shoebox/1931", "shoebox/1932", ""]
    with packed(visitor) as archive:
        pictures = [name for name in archive.namelist() if name.endswith(".png")]
        assert pictures == ["shoebox/1931/a.color.png", "shoebox/1932/a.color.png", "a.color.png"]
        rows = [json.loads(line) for line in archive.read("report.jsonl").splitlines()]
    assert [row["key"] for row in rows] == ["shoebox/1931/a.png", "shoebox/1932/a.png", "a.png"]
    assert {row["status"] for row in rows} == {"ok"}
    assert all(row["output_sha256"] and row["width"] == picture(1).shape[1] for row in rows)


def test_names_that_differ_in_the_form_of_their_accents_are_numbered(visitor):
    for form in ("NFC", "NFD"):
        visitor.add(unicodedata.normalize(form, "\u00e9t\u00e9.png"), png(picture(1)))
    with packed(visitor) as archive:
        names = [name for name in archive.namelist() if name.endswith(".png")]
    assert [name.endswith("-2.png") for name in names] == [False, True]


@pytest.mark.slow
def test_only_corrected_photographs_are_coloured_again(visitor, done):
    items = [drop(visitor, "box", f"{number}.png", png(picture(number))) for number in range(3)]
    facts = finished(visitor)
    assert done == ["box/0.png", "box/1.png", "box/2.png"]
    assert all(facts["items"][item]["isCurrent"] for item in items)
    visitor.put(items[1], 0.5, 0.5)
    assert [visitor.get("/api/archive")["items"][item]["isCurrent"] for item in items] == [True, False, True]
    with packed(visitor) as archive:
        assert b"with 1 colour given by hand)" in archive.read("box/1.color.png")
        assert archive.read("box/1.color.png") == visitor.download(items[1])[1]
    assert done[3:] == ["box/1.png"]
    packed(visitor).close()
    assert len(done) == 4


def test_photographs_removed_from_the_tray_leave_the_folder(visitor, files, done):
    one, _ = [drop(visitor, "box", name, png(picture(1))) for name in ("a.png", "b.png")]
    packed(visitor).close()
    visitor.remove(one)
    with packed(visitor) as archive:
        assert [name for name in archive.namelist() if name.endswith(".png")] == ["box/b.color.png"]
    assert "a.color.png" not in files()
    assert done == ["box/a.png", "box/b.png"]


def test_a_photograph_that_is_removed_before_its_turn_is_left_out(visitor, monkeypatch):
    one, _ = [visitor.add(name, png(picture(1))) for name in ("a.png", "b.png")]
    color = Archive._color

    def removed_first(self, *arguments):
        monkeypatch.undo()
        visitor.remove(one)
        return color(self, *arguments)

    monkeypatch.setattr(Archive, "_color", removed_first)
    with packed(visitor) as archive:
        assert [row["source"] for row in table(archive)] == ["b.png"]


@pytest.mark.usefixtures("late_job_states")
def test_a_finished_job_is_shown_with_all_its_outcomes(visitor):
    item = visitor.add("a.png", png(picture(1)))
    facts = visitor.post("/api/archive/start")
    assert (facts["job"]["status"], facts["items"][item]["isCurrent"]) == ("done", True)


def test_a_photograph_that_is_changed_while_it_is_described_is_not_called_current(visitor, monkeypatch):
    item = visitor.add("a.png", png(picture(1)))
    finished(visitor)
    is_current = Archive._is_current

    def changed_afterwards(self, photograph):
        found = is_current(self, photograph)
        monkeypatch.undo()
        visitor.put(item, 0.5, 0.5)
        return found

    monkeypatch.setattr(Archive, "_is_current", changed_afterwards)
    facts = visitor.get("/api/archive")["items"][item]
    assert (facts["isCurrent"], facts["revision"]) == (True, 0)


def test_the_files_of_removed_photographs_make_room_for_others(visitor, files, monkeypatch):
    one, _ = [drop(visitor, "box", name, png(picture(1))) for name in ("a.png", "b.png")]
    packed(visitor).close()
    visitor.remove(one)
    is_there = []
    monkeypatch.setattr(Disk, "check", lambda *_, **__: is_there.append("a.color.png" in files()))
    packed(visitor).close()
    assert is_there
    assert not any(is_there)


def test_work_that_is_stopped_resumes(visitor, monkeypatch, done):
    for number in range(3):
        visitor.add(f"{number}.png", png(picture(number)))
    seen = list(done)
    noting = engine.coloring

    def stopping(*arguments):
        color = noting(*arguments)
        return lambda item: (color(item), visitor.post("/api/archive/stop"))[0]

    monkeypatch.setattr(engine, "coloring", stopping)
    assert finished(visitor)["job"]["status"] == "stopped"
    monkeypatch.setattr(engine, "coloring", noting)
    assert finished(visitor)["job"]["status"] == "done"
    assert sorted(done[len(seen) :]) == ["0.png", "1.png", "2.png"]


def test_unreadable_files_are_reported_until_they_can_be_read(visitor):
    with pytest.raises(RefusedError):
        drop(visitor, "box", "broken.png", png(picture(0))[:5000])
    drop(visitor, "box", "whole.png", png(picture(0)))
    (refused,) = visitor.get("/api/archive")["refused"]
    assert (refused["folder"], refused["name"]) == ("box", "broken.png")
    with packed(visitor) as archive:
        assert [(row["source"], row["error"]) for row in table(archive)] == [
            ("box/whole.png", ""),
            ("box/broken.png", refused["message"]),
        ]
    drop(visitor, "box", "broken.png", png(picture(0)))
    assert visitor.get("/api/archive")["refused"] == []
    with pytest.raises(RefusedError):
        drop(visitor, "box", "other.png", b"\x89PNG")
    assert visitor.post("/api/archive/forget")["refused"] == []


def test_the_files_of_a_tray_are_those_of_its_visitor(client, visitor):
    visitor.add("mine.png", png(picture(1)))
    for method, route in (("GET", ""), ("POST", "/start"), ("POST", "/stop"), ("POST", "/forget")):
        assert client().request(method, f"/api/archive{route}").status_code == 404


@pytest.mark.parametrize(
    ("path", "kept"),
    [
        ("", ""), ("shoebox/1931", "shoebox/1931"), ("../../etc", "etc"), ("/a//b/", "a/b"), (r"C:\x\..\y", "C_/x/y"),
        ("./.", ""), ("a/.git/b", "a/git/b"), ("a\x00b", "a_b"),
    ],
)  # fmt: skip
def test_a_folder_does_not_decide_where_it_is_stored(path, kept):
    assert folder_name(path) == kept


def test_folders_are_not_nested_without_end():
    with pytest.raises(OptionError, match="nested too deeply: drop an inner folder"):
        folder_name("a/" * 1000)
