"""The studio as a server: owners of photographs, simultaneous changes and downloads, and removed items."""

from __future__ import annotations

import shutil
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from starlette.responses import FileResponse

from photochrom.studio.photographs import Photograph
from tests.helpers.folders import files_below
from tests.helpers.studio_server import RefusedError, Visitor
from tests.studio.conftest import luma, picture, png

ROUTES = (
    "", "/picture.jpg", "/original.jpg", "/small.jpg", "/tile/0/0.jpg", "/guesses", "/guesses/1/0.jpg", "/likely",
    "/unsure", "/hints.json", "/download", "/shots/0.jpg",
)  # fmt: skip


@pytest.mark.slow
def test_ten_at_once_get_their_own_photographs(client):
    def work(seed):
        visitor = Visitor(client())
        item = visitor.add(f"{seed}.png", png(picture(seed)))
        visitor.put(item, 0.1, 0.1)
        return visitor.download(item)

    with ThreadPoolExecutor(10) as pool:
        found = list(pool.map(work, range(10)))
    for seed, (name, file) in enumerate(found):
        assert name == f"{seed}.color.png"
        assert np.abs(luma(file) - picture(seed)).max() <= 1
        assert b"with 1 colour given by hand)" in file


def test_simultaneous_changes_are_all_applied(visitor):
    item = visitor.add("old.png", png(picture(1)))
    with ThreadPoolExecutor(10) as pool:
        list(pool.map(lambda n: visitor.edit(item, "dial", dial="strength", value=n / 10), range(10)))
    assert visitor.item(item)["revision"] == 10


@pytest.mark.parametrize("route", ROUTES)
def test_another_visitor_gets_nothing(client, visitor, route):
    item = visitor.add("mine.png", png(picture(1)))
    stranger, nobody = Visitor(client()), client()
    with pytest.raises(RefusedError, match="404 this file is no longer here: drop it again"):
        stranger.fetch(f"/api/items/{item}{route}")
    answer = nobody.get(f"/api/items/{item}{route}")
    assert (answer.status_code, answer.json()) == (
        404, {"error": "the session of this page has ended: load it again"},
    )  # fmt: skip


@pytest.mark.parametrize("route", ["edit", "start", "stop", "hints?name=a.json", "reference?name=a.png"])
def test_nor_changes_anything(client, visitor, route):
    item = visitor.add("mine.png", png(picture(1)))
    stranger = Visitor(client())
    assert stranger.client.post(f"/api/items/{item}/{route}", json={"do": "undo"}).status_code == 404
    assert stranger.client.delete(f"/api/items/{item}").status_code == 404
    assert visitor.item(item)["revision"] == 0


def test_the_cookie_is_out_of_reach_of_scripts_and_other_sites(client):
    page = client()
    (cookie,) = page.get("/api/studio").headers.get_list("set-cookie")
    name, _, rest = cookie.partition("=")
    assert name == "photochrom-80"  # browsers send cookies to all ports: every studio has its own
    assert {"httponly", "samesite=strict", "path=/"} <= set(rest.lower().split("; "))
    assert page.get("/api/studio").headers.get_list("set-cookie") == [cookie]  # renewed, since it expires


def test_the_tray_is_listed_for_its_visitor_only(client, visitor):
    item = visitor.add("old.png", png(picture(1)))
    assert [each["id"] for each in visitor.get("/api/items")["items"]] == [item]
    answer = client().get("/api/items")
    assert (answer.status_code, answer.json()["error"]) == (404, "the session of this page has ended: load it again")


def test_removed_items_are_gone(visitor, files):
    item = visitor.add("old.png", png(picture(1)))
    visitor.download(item)
    visitor.get(f"/api/items/{item}/guesses")
    assert "old.color.png" in files()
    visitor.remove(item)
    assert files() == []
    with pytest.raises(RefusedError, match="no longer here"):
        visitor.item(item)


@pytest.mark.slow
def test_downloads_during_changes_are_whole(visitor):
    item = visitor.add("old.png", png(picture(1)))

    def change():
        for step in range(40):
            visitor.edit(item, "dial", dial="strength", value=step % 20 / 10)

    def download(_):
        answer = visitor.client.get(f"/api/items/{item}/download")
        return answer.status_code, len(answer.content) == int(answer.headers["content-length"])

    with ThreadPoolExecutor(5) as pool:
        changed = pool.submit(change)
        found = list(pool.map(download, range(40)))
        changed.result()
    assert set(found) == {(200, True)}


def test_a_file_that_is_removed_before_it_is_sent_is_sent(visitor, monkeypatch, files):
    item = visitor.add("old.png", png(picture(1)))
    send = FileResponse.__call__

    async def removed_first(self, *args):
        for folder in folders:
            shutil.rmtree(folder)
        await send(self, *args)

    visitor.download(item)
    folders = {path.parent for path in files_below(Path(tempfile.gettempdir())) if path.name == "old.color.png"}
    assert len(folders) == 1  # no part of the file stays
    monkeypatch.setattr(FileResponse, "__call__", removed_first)
    _, file = visitor.download(item)
    assert np.abs(luma(file) - picture(1)).max() <= 1


@pytest.mark.parametrize("route", ["download", "picture.jpg", "small.jpg", "tile/0/0.jpg"])
def test_an_item_that_is_removed_meanwhile_is_reported_as_gone(visitor, route, monkeypatch):
    item = visitor.add("old.png", png(picture(1)))

    def removed_first(photograph):
        monkeypatch.undo()
        visitor.remove(item)
        raise FileNotFoundError(2, "No such file or directory", str(photograph.folder))

    monkeypatch.setattr(Photograph, "options", removed_first)
    answer = visitor.client.get(f"/api/items/{item}/{route}")
    assert answer.status_code == 404
    assert answer.json() == {"error": "this file is no longer here: drop it again"}


def test_a_photograph_that_is_changed_while_it_is_described_has_the_number_of_its_earlier_state(visitor, monkeypatch):
    item = visitor.add("old.png", png(picture(1)))
    options = Photograph.options

    def changed_meanwhile(photograph):
        monkeypatch.undo()
        visitor.put(item, 0.5, 0.5)
        return options(photograph)

    monkeypatch.setattr(Photograph, "options", changed_meanwhile)
    assert visitor.item(item)["revision"] == 0
    assert visitor.item(item)["revision"] == 1
