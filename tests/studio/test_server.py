"""The studio as a server: what it lets in, what it gives out, whom it serves, and what it leaves behind."""

from __future__ import annotations

import asyncio
import io
import json
import queue
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace

import httpx
import numpy as np
import pytest
from PIL import Image
from starlette.responses import FileResponse

from photochrom import OptionError, StudioError
from photochrom.commands.main import main
from photochrom.studio import app as server
from photochrom.studio.app import Settings, listening, url
from photochrom.studio.guard import Guard, is_local
from photochrom.studio.photographs import Photograph
from photochrom.studio.uploads import file_name
from tests.helpers.films import write_film
from tests.helpers.studio_server import PATIENCE, RefusedError, Visitor, running_studio
from tests.studio.conftest import MEGABYTES, luma, picture, png

ROOT = Path(__file__).parents[2]
ROUTES = (
    "", "/picture.jpg", "/original.jpg", "/small.jpg", "/tile/0/0.jpg", "/guesses", "/guesses/0.jpg", "/likely",
    "/unsure", "/hints.json", "/download", "/shots/0.jpg",
)  # fmt: skip


# Who gets what -----------------------------------------------------------------------------------------------------


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


def test_of_changes_at_once_none_is_lost(visitor):
    item = visitor.add("old.png", png(picture(1)))
    with ThreadPoolExecutor(10) as pool:
        states = list(pool.map(lambda n: visitor.edit(item, "dial", dial="strength", value=n / 10), range(10)))
    assert visitor.item(item)["revision"] == 10
    assert len({state["revision"] for state in states}) >= 1


@pytest.mark.parametrize("route", ROUTES)
def test_a_stranger_gets_nothing_of_it(client, visitor, route):
    item = visitor.add("mine.png", png(picture(1)))
    stranger, nobody = Visitor(client()), client()
    with pytest.raises(RefusedError, match="404 it is no longer here: drop it again"):
        stranger.fetch(f"/api/items/{item}{route}")
    answer = nobody.get(f"/api/items/{item}{route}")
    assert (answer.status_code, answer.json()) == (
        404, {"error": "the studio does not know this page any more: load it again"},
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
    assert "set-cookie" not in page.get("/api/studio").headers


def test_what_is_removed_is_gone(visitor, files):
    item = visitor.add("old.png", png(picture(1)))
    visitor.download(item)
    visitor.get(f"/api/items/{item}/guesses")
    assert "old.color.png" in files()
    visitor.remove(item)
    assert files() == []
    with pytest.raises(RefusedError, match="no longer here"):
        visitor.item(item)


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
    folders = {path.parent for path in Path(tempfile.gettempdir()).rglob("old.color.png")}
    assert len(folders) == 1  # nothing stays of what was sent
    monkeypatch.setattr(FileResponse, "__call__", removed_first)
    _, file = visitor.download(item)
    assert np.abs(luma(file) - picture(1)).max() <= 1


@pytest.mark.parametrize("route", ["download", "picture.jpg", "small.jpg", "tile/0/0.jpg"])
def test_what_is_removed_meanwhile_is_said_to_be_gone(visitor, route, monkeypatch):
    item = visitor.add("old.png", png(picture(1)))

    def removed_first(photograph):
        monkeypatch.undo()
        visitor.remove(item)
        raise FileNotFoundError(2, "No such file or directory", str(photograph.folder))

    monkeypatch.setattr(Photograph, "options", removed_first)
    answer = visitor.client.get(f"/api/items/{item}/{route}")
    assert answer.status_code == 404
    assert answer.json() == {"error": "it is no longer here: drop it again"}


# What is refused ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "path",
    ["/etc/passwd", "../../../../etc/passwd", "%2e%2e/%2e%2e/%2e%2e/etc/passwd", "..%2f..%2fapp.py", "../app.py"],
)
@pytest.mark.parametrize("route", ["/static/", "/", "/api/items/", "/api/strings/", "/static/../../"])
def test_no_file_of_the_server_is_read(visitor, route, path):
    answer = visitor.client.get(route + path)
    assert answer.status_code in (307, 400, 404)
    assert "root:" not in answer.text
    assert "Starts and stops" not in answer.text


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        ("old.jpg", "old.jpg"), ("../../../evil.jpg", "evil.jpg"), (r"C:\photos\evil.jpg", "evil.jpg"),
        ("/etc/evil.jpg", "evil.jpg"), ("a\x00b\n<c>|?*.jpg", "a_b__c____.jpg"), (".hidden.jpg", "hidden.jpg"),
        ("日本の写真.jpg", "日本の写真.jpg"), ("x" * 300 + ".jpg", "x" * 176 + ".jpg"),
    ],
)  # fmt: skip
def test_an_upload_has_no_say_in_where_it_lies(name, kept):
    assert file_name(name) == kept


@pytest.mark.parametrize("name", ["", "/", "..", "a/", "." + "x" * 300])
def test_an_upload_has_a_name(name):
    with pytest.raises(OptionError, match="the file has no name"):
        file_name(name)


def test_an_upload_lies_in_a_folder_of_its_own(visitor, tmp_path):
    visitor.add("../../../evil.png", png(picture(1)))
    (path,) = tmp_path.rglob("evil.png")
    assert path.parents[2] == tmp_path / "studio"


@pytest.mark.parametrize(
    "route", ["/docs", "/openapi.json", "/gradio_api/upload", "/login", "/api", "/api/items/a/b", "/static/", "/static"]
)
def test_what_the_page_does_not_need_is_not_there(visitor, route):
    for method in ("GET", "POST", "PUT", "DELETE", "OPTIONS"):
        assert visitor.client.request(method, route, follow_redirects=True).status_code in (404, 405)


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:7860", "127.0.0.1.evil.example", "localhost.evil.example", ""]
)
def test_a_name_that_points_here_from_elsewhere_is_refused(client, host):
    assert client().get("/", headers={"Host": host}).status_code == 403


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


def test_the_page_may_load_nothing_from_elsewhere_nor_run_what_is_not_a_file_of_it(client):
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
def test_requests_that_are_none_are_refused(visitor, body):
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


def test_a_large_file_is_refused_and_nothing_of_it_stays(visitor, files):
    with pytest.raises(RefusedError, match=f"400 the file is larger than {MEGABYTES} MB"):
        visitor.add("old.jpg", b"\xff" * (10**6 + 1))
    assert files() == []


def test_a_file_whose_size_is_not_said_is_refused(visitor, files):
    answer = visitor.client.post("/api/items?name=old.png", content=iter([b"abc"]))
    assert answer.status_code == 400
    assert answer.json()["error"] == "the request does not say how large the file is: send Content-Length"
    assert files() == []


def test_a_file_of_another_size_than_was_said_is_refused(visitor, files):
    for said, message in ((3, "larger than the request says"), (99, "cut short: send it again")):
        answer = visitor.client.post("/api/items?name=a.png", content=b"abcdef", headers={"Content-Length": str(said)})
        assert answer.status_code == 400
        assert message in answer.json()["error"]
    assert files() == []


def test_a_full_disk_is_said(open_studio, files, tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, (600, 600), np.uint8)
    visitor = Visitor(open_studio(max_disk_mb=1)())
    item = visitor.add("old.png", png(noise))
    full = r"507 the studio has no room for more files \(1 MB\): remove .*max_disk_mb"
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
    assert sum(path.stat().st_size for path in (tmp_path / "studio").rglob("*") if path.is_file()) < 1e6


def test_uploads_under_way_count(open_studio):
    """They must not all pass because none of them is there yet; nor are those refused that came in time."""
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
        await asyncio.sleep(0.05)
        second = await send(600, wait=False)
        gate.set()
        return [second, await first, await send(600, wait=False)]

    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "there").write_bytes(bytes(300))
        state = SimpleNamespace(
            max_upload_bytes=1000, disk=Disk(Path(folder), 1000), new_folder=lambda: Path(tempfile.mkdtemp(dir=folder))
        )
        assert asyncio.run(all_of_them(state)) == ["full", "taken", "taken"]


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


def test_errors_that_nobody_thought_of_tell_nothing(visitor, monkeypatch):
    item = visitor.add("old.png", png(picture(0)))

    def fail(*_):
        raise RuntimeError("/secret/place")

    monkeypatch.setattr("photochrom.studio.server.jpeg", fail)
    answer = visitor.client.get(f"/api/items/{item}/picture.jpg")
    assert (answer.status_code, answer.text) == (500, "Internal Server Error")


# The guard by itself -----------------------------------------------------------------------------------------------


def status(guard, path="/", *, host="127.0.0.1", origin=None):
    """What a guard before an application that says 200 to everything answers."""
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


def test_bound_to_all_addresses_it_answers_to_the_machines_own_name_too():
    assert status(Guard(everything, "127.0.0.1"), host=socket.gethostname()) == 403
    assert status(Guard(everything, "0.0.0.0"), host=f"{socket.gethostname()}:7860") == 200
    assert status(Guard(everything, "studio.lan"), host="Studio.lan:80") == 200
    assert status(Guard(everything, "0.0.0.0"), host="192.168.1.7:7860") == 200
    assert status(Guard(everything, "0.0.0.0"), host="evil.example") == 403


def test_behind_a_proxy_it_answers_to_the_names_that_it_was_given():
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
def test_which_addresses_others_cannot_reach(host, local):
    assert is_local(host) is local


# For programs ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("method", "route", "status"), [("GET", "/api/nothing", 404), ("GET", "/api/colorize", 405)])
def test_requests_that_do_not_exist_are_refused_in_json(client, method, route, status):
    answer = client().request(method, route)
    assert answer.status_code == status
    assert f"{method} {route}" in answer.json()["error"]


def test_programs_colour_a_photograph_and_nothing_stays(client, files):
    program = client()
    query = {"name": "old.png", "vividness": "0.9", "strength": "0.8", "hint": ["0.5,0.5,#c81e28", "0.1,0.1,navy"]}
    answer = program.put("/api/colorize", params=query, content=png(picture(1)))
    assert answer.headers["content-disposition"].endswith('"old.color.png"')
    assert np.abs(luma(answer.content) - picture(1)).max() <= 1
    assert b"with 2 colours given by hand)" in answer.content
    grey = program.put("/api/colorize", params={"name": "old.png", "strength": "0"}, content=png(picture(1)))
    with Image.open(io.BytesIO(grey.content)) as image:
        assert np.ptp(np.asarray(image.convert("RGB"), int), axis=2).max() <= 1
    answer = program.put("/api/likely-colors", params={"name": "old.png", "x": 0.4}, content=png(picture(1)))
    assert len(answer.json()["colors"]) >= 2
    assert files() == []
    assert program.cookies == {}


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ({"vividness": "7"}, "vividness is 7"), ({"strength": "much"}, "strength is 'much', which is not a number"),
        ({"hint": "0.5,0.5"}, "hint"), ({"hint": "0.5,0.5,nocolour"}, "colour"), ({"strength": "-1"}, "strength"),
    ],
)  # fmt: skip
def test_programs_are_refused_in_words(client, files, query, message):
    answer = client().put("/api/colorize", params={"name": "old.png"} | query, content=png(picture(1)))
    assert answer.status_code == 400
    assert message in answer.json()["error"]
    assert files() == []


def test_programs_that_call_push_nobody_out(client, visitor):
    item = visitor.add("old.png", png(picture(1)))
    for _ in range(110):
        assert client().get("/api/studio").status_code == 200
    assert visitor.download(item)[0] == "old.color.png"


@pytest.mark.slow
def test_the_examples_of_the_page_run(tmp_path, monkeypatch):
    shown = re.findall(r"```(\w+)\n(.*?)```", (ROOT / "docs" / "studio.md").read_text(), re.S)
    (shell,) = (text for kind, text in shown if kind == "sh" and "curl" in text)
    (python,) = (text for kind, text in shown if kind == "python")
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    (tmp_path / "studio").mkdir()
    monkeypatch.chdir(tmp_path)
    with running_studio(tmp_path / "studio") as studio:
        shell, python = (text.replace("http://127.0.0.1:7860", studio.url) for text in (shell, python))
        subprocess.run(["bash", "-euo", "pipefail", "-c", shell], check=True)
        printed = subprocess.run([sys.executable, "-c", python], capture_output=True, text=True, check=True).stdout
    assert int(printed.splitlines()[-1]) > 40  # a picture lends itself nearly all of its colours
    for name in ("house.color.jpg", "house.hinted.jpg"):
        with Image.open(name) as image, Image.open("examples/dust-bowl-home.jpg") as source:
            assert image.size == source.size
            assert np.ptp(np.asarray(image.convert("RGB"), int), axis=2).mean() > 5
    assert b"with 1 colour given by hand)" in Path("house.hinted.jpg").read_bytes()


# Beginning and end -------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_everything_temporary_goes(tmp_path):
    with running_studio(tmp_path) as studio:
        visitor = studio.visitor()
        visitor.download(visitor.add("old.png", png(picture(1))))
        assert len(studio.files()) >= 2  # the upload and the result; a copy that was just sent may still be there
        studio.process.send_signal(signal.SIGTERM)
        assert studio.process.wait(timeout=30) == 143
        assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_ctrl_c_ends_it_while_uploads_come_and_films_are_coloured(tmp_path, capfd):
    slowly = (
        "import time; from photochrom.film.frames import FrameColorizer as P; render = P.render; "
        "P.render = lambda *arguments: (time.sleep(0.2), render(*arguments))[1]"
    )
    film = write_film(tmp_path / "long.mkv", [picture(0)] * 300)
    (tmp_path / "studio").mkdir()
    with running_studio(tmp_path / "studio", before=slowly) as studio:
        visitor = studio.visitor()
        item = visitor.add("long.mkv", film.read_bytes())
        visitor.post(f"/api/items/{item}/start", {})
        for _ in range(600):
            if begun := [path for path in studio.files() if path.suffix == ".nut"]:
                break
            time.sleep(0.1)
        assert begun
        address = httpx.URL(studio.url)
        with socket.create_connection((address.host, address.port)) as half:
            half.sendall(b"POST /api/colorize?name=a.png HTTP/1.1\r\nHost: localhost\r\nContent-Length: 999\r\n\r\nabc")
            studio.process.send_signal(signal.SIGINT)
            assert studio.process.wait(timeout=PATIENCE) == 130
    assert capfd.readouterr().err == "photochrom: interrupted; finished files are kept\n"
    assert list((tmp_path / "studio").iterdir()) == []


@pytest.mark.slow
def test_the_browser_is_opened_if_wanted(monkeypatch, capsys):
    opened, served = queue.Queue(), []
    monkeypatch.setattr("webbrowser.open", opened.put)
    monkeypatch.setattr(
        server, "server", lambda app, ready: SimpleNamespace(run=lambda sockets: (ready(), served.append(app)))
    )
    for flag in ("--no-open", "--open"):
        assert main(["studio", flag, "--port", "0", "--host", "0.0.0.0"]) == 0
    assert len(served) == 2
    address = opened.get(timeout=30)
    assert opened.empty()
    said = capsys.readouterr()
    assert f"The studio is at {address} (" in said.out
    assert said.err.count("Anyone who can reach this machine can use it") == 2


@pytest.mark.slow
def test_a_port_that_is_taken_is_named(capsys):
    with listening(Settings(port=0)) as taken:
        port = taken.getsockname()[1]
        assert main(["studio", "--no-open", "--port", str(port)]) == 1
    error = capsys.readouterr().err
    assert (
        error
        == f"photochrom: cannot listen at 127.0.0.1:{port} (Address already in use): choose another port or host\n"
    )


def test_an_address_of_another_machine_is_named():
    with pytest.raises(StudioError, match="choose another port or host"), listening(Settings(host="192.0.2.1")):
        pass


@pytest.mark.parametrize(
    "wrong",
    [{"port": -1}, {"port": 65536}, {"max_megapixels": 0}, {"max_upload_mb": float("nan")}, {"max_disk_mb": -1}],
)
def test_settings_out_of_range_are_refused(wrong):
    with pytest.raises(OptionError, match="give a number"):
        Settings(**wrong)


@pytest.mark.parametrize("name", ["https://photos.example.org", "photos.example.org:443", "a/b", "*", ""])
def test_a_name_is_that_of_a_host_alone(name):
    with pytest.raises(OptionError, match=r"give a host name alone, like photos\.example\.org"):
        Settings(names=("localhost", "a-b.c_d.example", name))


@pytest.mark.parametrize(
    ("host", "expected"),
    [("127.0.0.1", "http://127.0.0.1:80"), ("0.0.0.0", "http://127.0.0.1:80"), ("::1", "http://[::1]:80")],
)
def test_the_address_to_type(host, expected):
    assert url(host, 80) == expected


@pytest.mark.slow
@pytest.mark.parametrize("package", ["starlette", "uvicorn"])
def test_without_its_packages_it_says_what_to_install(package):
    code = f"import sys; sys.modules['{package}'] = None; "
    code += "from photochrom.commands.main import main; sys.exit(main(['studio']))"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert result.returncode == 1
    assert re.fullmatch(
        rf"photochrom: the studio needs {package}[\w.]*: pip install 'photochrom\[studio\]'\n", result.stderr
    )
