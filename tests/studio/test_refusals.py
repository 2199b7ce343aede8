"""Requests that the studio refuses: from other sites, to other names, broken, too large or empty."""

from __future__ import annotations

import asyncio
import errno
import json
import os
import re
import socket
import tempfile
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from photochrom import OptionError, StudioError
from photochrom.studio import app as server
from photochrom.studio.cross_site_guard import Guard, is_local
from photochrom.studio.uploads import file_name
from tests.helpers.folders import files_below
from tests.helpers.studio_server import RefusedError, Visitor
from tests.studio.conftest import MEGABYTES, picture, png


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        ("old.jpg", "old.jpg"), ("../../../evil.jpg", "evil.jpg"), (r"C:\photos\evil.jpg", "evil.jpg"),
        ("/etc/evil.jpg", "evil.jpg"), ("a\x00b\n<c>|?*.jpg", "a_b__c____.jpg"), (".hidden.jpg", "hidden.jpg"),
        ("日本の写真.jpg", "日本の写真.jpg"), ("x" * 300 + ".jpg", "x" * 176 + ".jpg"),
        ("." + "x" * 300, "x" * 180),
    ],
)  # fmt: skip
def test_an_upload_does_not_decide_where_it_is_stored(name, kept):
    assert file_name(name) == kept


@pytest.mark.parametrize("name", ["", "/", "..", "a/", "a." + "x" * 300])
def test_an_upload_has_a_name(name):
    with pytest.raises(OptionError, match="the file has no name"):
        file_name(name)


def test_an_upload_has_a_folder_of_its_own(visitor, tmp_path):
    visitor.add("../../../evil.png", png(picture(1)))
    (path,) = tmp_path.rglob("evil.png")
    assert path.parents[2] == tmp_path / "studio"


@pytest.mark.parametrize(
    "route", ["/docs", "/openapi.json", "/gradio_api/upload", "/login", "/api", "/api/items/a/b", "/static/", "/static"]
)
def test_unneeded_routes_do_not_exist(visitor, route):
    for method in ("GET", "POST", "PUT", "DELETE", "OPTIONS"):
        assert visitor.client.request(method, route, follow_redirects=True).status_code in (404, 405)


def test_the_studio_answers_to_its_addresses(client):
    for host in ("localhost", "LOCALHOST:1", "127.0.0.1", "[::1]:7860"):
        assert client().get("/", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://evil.example"}, {"Origin": "null"}, {"Origin": "http://127.0.0.1:1"},
        {"Origin": "https://localhost"}, {"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "same-site"},
    ],
)  # fmt: skip
def test_another_site_is_refused(visitor, files, headers):
    for method, route in (
        ("POST", "/api/items?name=a.png"),
        ("PUT", "/api/colorize?name=a.png"),
        ("GET", "/api/studio"),
    ):
        answer = visitor.client.request(method, route, content=png(picture(1)), headers=headers)
        assert (answer.status_code, answer.text) == (403, "the studio answers its own page only\n")
    assert files() == []


def test_a_link_from_another_site_opens_the_page_and_nothing_else(client):
    link = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}
    page = client()
    assert page.get("/", headers=link).status_code == 200
    assert page.get("/api/studio", headers=link).status_code == 403
    assert page.post("/", headers=link).status_code == 403
    assert page.get("/", headers=link | {"Sec-Fetch-Dest": "iframe"}).status_code == 403


def test_the_page_may_only_load_and_run_its_own_files(client):
    page = client()
    for route in ("/", "/static/main.js", "/api/studio", "/nothing"):
        headers = page.get(route).headers
        policy = dict(part.strip().partition(" ")[::2] for part in headers["content-security-policy"].split(";"))
        assert policy["default-src"] == "'none'"
        assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == "'self'"
        assert policy["frame-ancestors"] == policy["base-uri"] == policy["form-action"] == "'none'"
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"
        assert headers["cross-origin-resource-policy"] == "same-origin"
    assert page.get("/api/studio").headers["cache-control"] == "no-store"


def test_the_page_is_small_and_names_only_its_own_files(client):
    page = client()
    text = page.get("/").text
    assert not re.search(r"<script(?![^>]*src=)|\son\w+=|style=|<style", text)
    static = Path(server.__file__).parent / "static"
    for path in static.iterdir():
        assert page.get(f"/static/{path.name}").status_code == 200
        content = path.read_text()
        assert re.findall(r"https?://(?!www\.w3\.org/2000/svg)[\w.]+", content) == [], path.name
        assert "innerHTML" not in content
        assert "eval(" not in content
        assert len(content.splitlines()) <= 400
    assert sum(path.stat().st_size for path in static.iterdir()) < 120_000


@pytest.mark.parametrize(
    "body", [b"[" * 100_000, b"{", b"\xff\xfe", b'"' + b"a" * (1 << 20) + b'"', b"[]", b"null", b"", b"NaN"]
)
def test_invalid_requests_are_refused(visitor, body):
    item = visitor.add("old.png", png(picture(0)))
    answer = visitor.client.post(f"/api/items/{item}/edit", content=body)
    assert answer.status_code == 400
    assert answer.json()["error"].startswith("the request is")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({}, "the studio cannot do None"),
        ({"do": "x" * 1000}, "the studio cannot do 'xxx"),
        ({"do": "dial", "dial": "strength", "value": 3}, "out of range"),
        ({"do": "dial", "dial": "strength", "value": None}, "out of range"),
        ({"do": "dial", "dial": "__class__", "value": 1}, "there is no such dial"),
        ({"do": "dial", "dial": ["a"], "value": 1}, "there is no such dial"),
        ({"do": "guess", "guess": 0}, "this guess is gone: choose another"),
        ({"do": "guess", "guess": -1}, "this guess is gone"),
        ({"do": "guess", "guess": "0"}, "this guess is gone"),
        ({"do": "marks", "marks": [{"kind": "point", "color": "red; }", "places": [[0, 0]]}]}, "is not a colour"),
        ({"do": "go", "time": 1}, "the studio cannot do 'go'"),
    ],
)
def test_wrong_requests_are_answered_in_words(visitor, change, message):
    item = visitor.add("old.png", png(picture(0)))
    answer = visitor.client.post(f"/api/items/{item}/edit", content=json.dumps(change))
    assert answer.status_code == 400
    assert message in answer.json()["error"]
    assert visitor.item(item)["revision"] == 0


@pytest.mark.parametrize("place", ["x=2&y=0", "x=nan&y=0", "x=a&y=0", "x=0&y=-1"])
def test_places_outside_the_picture_are_refused(visitor, place):
    item = visitor.add("old.png", png(picture(0)))
    with pytest.raises(RefusedError, match="400"):
        visitor.get(f"/api/items/{item}/likely?{place}")


def test_a_large_file_is_refused_and_removed(visitor, files):
    with pytest.raises(RefusedError, match=f"400 the file is larger than {MEGABYTES} MB"):
        visitor.add("old.jpg", b"\xff" * (10**6 + 1))
    assert files() == []


def test_a_file_of_unknown_size_is_refused(visitor, files):
    answer = visitor.client.post("/api/items?name=old.png", content=iter([b"abc"]))
    assert answer.status_code == 400
    assert answer.json()["error"] == "the request does not state the size of the file: send Content-Length"
    assert files() == []


def test_a_file_of_another_size_than_announced_is_refused(visitor, files):
    for said, message in ((3, "larger than the request states"), (99, "cut short: send it again")):
        answer = visitor.client.post("/api/items?name=a.png", content=b"abcdef", headers={"Content-Length": str(said)})
        assert answer.status_code == 400
        assert message in answer.json()["error"]
    assert files() == []


def test_a_full_disk_is_reported(open_studio, files, tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, (600, 600), np.uint8)
    visitor = Visitor(open_studio(max_disk_mb=1)())
    item = visitor.add("old.png", png(noise))
    full = r"507 the studio has no space for more files \(1 MB\): remove .*max_disk_mb"
    for act in (
        lambda: visitor.add("other.png", png(noise)[:-100_000] + bytes(400_000)),
        lambda: visitor.send("/api/colorize", "other.png", png(noise) + bytes(400_000)),
        lambda: visitor.send(f"/api/items/{item}/reference", "other.png", png(noise) + bytes(400_000)),
    ):
        with pytest.raises(RefusedError, match=full):
            act()
    assert files() == ["old.png"]
    for number in range(4):
        visitor.send("/api/items", f"{number}.png", png(noise[:250, :350]))
    for path in (f"/api/items/{item}/download", "/api/items/archive"):
        with pytest.raises(RefusedError, match=full):
            visitor.fetch(path)
    assert sum(path.stat().st_size for path in files_below(tmp_path / "studio")) < 1e6


def test_a_studio_full_of_visitors_asks_to_try_again(client, monkeypatch):
    monkeypatch.setattr("photochrom.studio.visitors.MOST_VISITORS", 1)
    Visitor(client()).add("old.png", png(picture()))
    answer = client().get("/api/studio")
    assert answer.status_code == 503
    assert answer.json() == {"error": "the studio is full: try again in some minutes"}
    assert int(answer.headers["retry-after"]) > 0


def test_a_disk_that_is_really_full_is_reported_without_a_path(visitor, monkeypatch):
    def full(*_, **__):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "/secret/place")

    item = visitor.add("old.png", png(picture()))
    monkeypatch.setattr("photochrom.photo.write.new_file", full)
    found = []
    for path in (f"/api/items/{item}/download", "/api/items/archive"):
        with pytest.raises(RefusedError, match=r"507 .*the disk is full: make room") as refusal:
            visitor.fetch(path)
        found.append(str(refusal.value))
    visitor.post("/api/archive/start")
    while (job := visitor.get("/api/archive")["job"])["status"] in ("waiting", "running"):
        pass
    found.append(job["message"])
    monkeypatch.setattr("photochrom.studio.state.tempfile.mkdtemp", full)
    with pytest.raises(RefusedError, match="507 the studio cannot read or write its files") as refusal:
        visitor.add("other.png", png(picture()))
    assert "/" not in "".join(found) + str(refusal.value)


def test_uploads_under_way_count(open_studio):
    """Uploads in progress count towards the limit, and those that came in time are not refused."""
    from photochrom.studio.state import Disk
    from photochrom.studio.uploads import Uploads

    async def all_of_them(state):
        uploads = Uploads(state)
        gate = asyncio.Event()

        async def send(size, wait):
            async def stream():
                if wait:
                    await gate.wait()
                yield bytes(size)

            request = SimpleNamespace(
                query_params={"name": "a"}, headers={"content-length": str(size)}, stream=lambda: stream()
            )
            try:
                async with uploads.received(request) as path:
                    path.unlink()
                    return "taken"
            except StudioError:
                return "full"

        first = asyncio.create_task(send(600, wait=True))
        await asyncio.sleep(0)  # the first one runs until it waits
        second = await send(600, wait=False)
        gate.set()
        return [second, await first, await send(600, wait=False)]

    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "there").write_bytes(bytes(300))
        state = SimpleNamespace(
            max_upload_bytes=1000, disk=Disk(Path(folder), 1000), new_folder=lambda: Path(tempfile.mkdtemp(dir=folder))
        )
        assert asyncio.run(all_of_them(state)) == ["full", "taken", "taken"]


@pytest.mark.slow
def test_a_decompression_bomb_is_refused(visitor, files):
    bomb = png(np.zeros((20000, 20000), np.uint8))
    assert len(bomb) < 10**6
    with pytest.raises(
        RefusedError, match=r"400 bomb\.png: is 20000 x 20000 pixels, more than 2 million: scale it down"
    ):
        visitor.add("bomb.png", bomb)
    item = visitor.add("old.png", png(picture(0)))
    with pytest.raises(RefusedError, match=r"400 bomb\.png: "):
        visitor.send(f"/api/items/{item}/reference", "bomb.png", bomb)
    for route in ("/api/colorize", "/api/likely-colors"):
        with pytest.raises(RefusedError, match=r"400 bomb\.png: "):
            visitor.send(route, "bomb.png", bomb)
    assert files() == ["old.png"]


def test_errors_do_not_tell_where_files_lie(visitor, tmp_path):
    with pytest.raises(RefusedError) as caught:
        visitor.add("broken.png", png(picture(0))[:5000])
    assert str(caught.value).startswith("400 broken.png: ")
    assert str(tmp_path) not in str(caught.value)
    item = visitor.add("old.png", png(picture(0)))
    next((tmp_path / "studio").rglob("old.png")).unlink()
    with pytest.raises(RefusedError) as caught:
        visitor.download(item)
    assert str(tmp_path) not in str(caught.value)


def test_unexpected_errors_reveal_nothing(visitor, monkeypatch):
    item = visitor.add("old.png", png(picture(0)))

    def fail(*_):
        raise RuntimeError("/secret/place")

    monkeypatch.setattr("photochrom.studio.server.jpeg", fail)
    answer = visitor.client.get(f"/api/items/{item}/picture.jpg")
    assert (answer.status_code, answer.text) == (500, "Internal Server Error")


def status(guard, path="/", *, host="127.0.0.1", origin=None):
    """Return the status of a request to a guarded application that answers 200 to everything."""
    sent = []

    async def receive():
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message):
        sent.append(message)

    headers = [(b"host", host.encode())] + ([] if origin is None else [(b"origin", origin.encode())])
    asyncio.run(guard({"type": "http", "method": "GET", "path": path, "headers": headers}, receive, send))
    return sent[0]["status"]


async def everything(scope, receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b""})


def test_bound_to_all_addresses_the_studio_answers_to_the_machines_name_too():
    assert status(Guard(everything, "127.0.0.1"), host=socket.gethostname()) == 403
    assert status(Guard(everything, "0.0.0.0"), host=f"{socket.gethostname()}:7860") == 200
    assert status(Guard(everything, "studio.lan"), host="Studio.lan:80") == 200
    assert status(Guard(everything, "0.0.0.0"), host="192.168.1.7:7860") == 200
    assert status(Guard(everything, "0.0.0.0"), host="evil.example") == 403


def test_behind_a_proxy_the_studio_answers_to_the_given_names():
    guard = Guard(everything, "127.0.0.1", ["photos.example.org", "Other.example"])
    for host in ("photos.example.org", "PHOTOS.example.org:8443", "other.example"):
        assert status(guard, host=host, origin=f"https://{host}") == 200
    for host in ("evil.example", "photos.example.org.evil.example", "evil.photos.example.org", "example.org"):
        assert status(guard, host=host) == 403
    for origin in ("https://evil.example", "https://photos.example.org.evil.example", "https://photos.example.org:1"):
        assert status(guard, host="photos.example.org", origin=origin) == 403


@pytest.mark.parametrize(
    ("host", "local"), [("127.0.0.1", True), ("::1", True), ("Localhost", True), ("0.0.0.0", False)]
)
def test_local_addresses_are_recognised(host, local):
    assert is_local(host) is local


@pytest.mark.parametrize("place", ["tile/{}/0.jpg", "tile/0/{}.jpg", "guesses/1/{}.jpg", "shots/{}.jpg"])
@pytest.mark.parametrize("digits", [20, 300, 5000])
def test_a_number_of_many_digits_is_refused(place, digits, visitor):
    identity = visitor.add("a.png", png(picture(1)))
    answer = visitor.client.get(f"/api/items/{identity}/{place.format('9' * digits)}")
    assert answer.status_code == 404
    assert answer.json()["error"].startswith("the studio does not answer GET /api/items/")
