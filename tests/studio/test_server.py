"""The studio as a server: what it lets in, what it gives out, whom it serves, and what it leaves behind."""

from __future__ import annotations

import asyncio
import io
import json
import queue
import re
import signal
import socket
import subprocess
import sys
import time
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace

import av
import httpx
import numpy as np
import pytest
from PIL import Image
from skimage import data

from photochrom import OptionError, StudioError, read_hints
from photochrom.colorizer.hints import parse_color
from photochrom.commands.main import main
from photochrom.film.hints import read_film_hints
from photochrom.studio import app as server
from photochrom.studio.app import Settings, listening, url
from photochrom.studio.gradio_guard.requests import Guard, is_local
from photochrom.studio.state import Disk
from tests.helpers.films import write_film
from tests.helpers.photographs import bt601
from tests.helpers.studio_server import META, RefusedError, Visitor, running_studio

ROOT = Path(__file__).parents[2]
MEGAPIXELS, MEGABYTES = 2, 1


@pytest.fixture(scope="module")
def studio(tmp_path_factory):
    limits = ["--max-megapixels", str(MEGAPIXELS), "--max-upload-mb", str(MEGABYTES)]
    with running_studio(tmp_path_factory.mktemp("studio"), *limits) as running:
        yield running


@pytest.fixture
def visitor(studio):
    return Visitor(studio.url)


def png(pixels, **options):
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "PNG", **options)
    return stream.getvalue()


def picture(seed):
    """A grey photograph unlike those of other seeds."""
    return np.roll(data.camera()[: 200 + 8 * seed : 1, ::2], 20 * seed, axis=1)


def luma(file):
    with Image.open(io.BytesIO(file)) as image:
        return bt601(np.asarray(image.convert("RGB"))).astype(int)


def drop(visitor, name, file):
    return visitor.do("photograph", "change", [None, visitor.upload(name, file)])


# Who gets what -----------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_ten_at_once_get_their_own_photographs(studio):
    def work(seed):
        visitor = Visitor(studio.url)
        drop(visitor, f"{seed}.png", png(picture(seed)))
        visitor.do(
            "picture", "select", [None, "In colour", "puts the colour", "#c81e28"], {"index": [9, 9], "value": 0}
        )
        (file,) = visitor.do("full-size-make", "click", [None])
        return file["orig_name"], visitor.fetch(file)

    with ThreadPoolExecutor(10) as pool:
        found = list(pool.map(work, range(10)))
    for seed, (name, file) in enumerate(found):
        assert name == f"{seed}.color.png"
        assert np.abs(luma(file) - picture(seed)).max() <= 1
        assert b"with 1 colour given by hand)" in file


@pytest.mark.slow
def test_a_stranger_has_no_photograph(studio, visitor):
    drop(visitor, "mine.png", png(picture(1)))
    with pytest.raises(RefusedError, match="no longer here: drop it again"):
        Visitor(studio.url).do("full-size-make", "click", [None])


@pytest.mark.slow
def test_what_is_shown_is_not_guessed(studio, visitor):
    drop(visitor, "secret.png", png(picture(2)))
    (kept,) = (path for path in studio.files() if path.name == "secret.png" and "kept" in path.parts)
    assert httpx.get(f"{studio.url}/gradio_api/file={kept}").status_code == 403
    folder = kept.parents[2]
    for path in (folder, folder / "shown", folder / "shown" / ".." / "kept" / kept.parent.name / "secret.png"):
        assert httpx.get(f"{studio.url}/gradio_api/file={path}").status_code == 403


@pytest.mark.slow
def test_a_folder_becomes_one_zip(studio, visitor):
    files = [("a.png", png(picture(1))), ("a.png", png(picture(2))), ("A.png", png(picture(3))), ("b.jpg", b"nothing")]
    uploads = [visitor.upload(*file) for file in files]
    _, failures, archive = visitor.do("colour-all", "click", [uploads, 0.5, 1])
    assert failures["value"].splitlines()[3:-1] == [
        "b.jpg: is not a JPEG, PNG, TIFF, WebP, HEIF or AVIF: convert it to one of these"
    ]
    with zipfile.ZipFile(io.BytesIO(visitor.fetch(archive["value"]))) as opened:
        assert opened.namelist() == ["a.color.png", "a.color-2.png", "A.color-3.png"]
        for number, name in enumerate(opened.namelist(), 1):
            assert np.abs(luma(opened.read(name)) - picture(number)).max() <= 1
    with pytest.raises(RefusedError, match="drop some"):
        visitor.do("colour-all", "click", [None, 0.5, 1])


@pytest.mark.slow
def test_hints_of_the_studio_are_hints_of_the_command_line(studio, visitor, tmp_path):
    drop(visitor, "old.png", png(picture(3)))
    visitor.do_next("photograph", "change", [None])
    visitor.do("guesses", "select", [None, "In colour"], {"index": 1, "value": None})
    visitor.do("picture", "select", [None, "In colour", "puts the colour", "#c81e28"], {"index": [99, 50], "value": 0})
    (file,) = visitor.do("full-size-make", "click", [None])
    (hints,) = visitor.do("hints-make", "click", [None])
    assert hints["orig_name"] == "old.color.json"
    (tmp_path / "old.png").write_bytes(png(picture(3)))
    (tmp_path / "old.color.json").write_bytes(visitor.fetch(hints))
    assert read_hints(tmp_path / "old.color.json")[-1].color == (200, 30, 40)
    assert main(["photo", str(tmp_path / "old.png"), "--hints", str(tmp_path / "old.color.json")]) == 0
    assert (tmp_path / "old.color.png").read_bytes() == visitor.fetch(file)


@pytest.mark.slow
def test_hints_are_loaded_again(visitor):
    drop(visitor, "old.png", png(picture(3)))
    visitor.do_next("photograph", "change", [None])
    visitor.do("guesses", "select", [None, "In colour"], {"index": 1, "value": None})
    put_at(visitor, 99, 50)
    (hints,) = visitor.do("hints-make", "click", [None])
    (made,) = visitor.do("full-size-make", "click", [None])
    drop(visitor, "old.png", png(picture(3)))
    put_at(visitor, 20, 20)
    file = visitor.upload("old.color.json", visitor.fetch(hints))
    listed = visitor.do("hints-load", "upload", [None, "In colour", file])[3]
    assert [hint["color"] for hint in listed] == ["#c81e28"]  # what was put before is gone
    (again,) = visitor.do("full-size-make", "click", [None])
    assert visitor.fetch(again) == visitor.fetch(made)
    listed = visitor.do("undo", "click", [None, "In colour"])[3]
    assert [hint["place"] for hint in listed] == ["8 % across, 9 % down"]
    wrong = visitor.upload(
        "wrong.json", b'{"photochrom": "hints", "version": 1, "hints": [{"x": 7, "y": 0, "color": "a"}]}'
    )
    with pytest.raises(RefusedError, match=r"^wrong\.json: hint 1"):
        visitor.do("hints-load", "upload", [None, "In colour", wrong])
    assert visitor.do("redo", "click", [None, "In colour"])[3] == [
        {"color": "#c81e28", "place": "39 % across, 23 % down"}
    ]


def put_at(visitor, column, row):
    click = [None, "In colour", "puts the colour", "#c81e28"]
    return visitor.do("picture", "select", click, {"index": [column, row], "value": 0})


@pytest.fixture
def film(tmp_path):
    """Two seconds in grey: half a second, then another shot."""
    path = tmp_path / "old.mkv"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=10)
        stream.width, stream.height, stream.pix_fmt = 160, 120, "gray"
        for number in range(20):
            shot = data.camera() if number < 5 else data.moon()
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(shot[number : number + 360 : 3, 8:488:3]), "gray")
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def drop_film(visitor, file):
    return visitor.do("film", "change", [None, visitor.upload("old.mkv", file.read_bytes())])


@pytest.mark.slow
def test_a_film_is_looked_at_hinted_and_coloured(visitor, film, tmp_path):
    seen = [None, "In colour"]
    drop_film(visitor, film)
    _, frame, *_, second = visitor.do("show-frame", "click", [*seen, 0.31])
    assert second == pytest.approx(0.4)
    with Image.open(io.BytesIO(visitor.fetch(frame["value"]))) as image:
        assert image.size == (160, 120)
    visitor.do("show-shots", "click", [None])
    (sheet,) = visitor.do_next("show-shots", "click", [None])
    with Image.open(io.BytesIO(visitor.fetch(sheet["value"]))) as image:
        assert image.height > 4 * 200  # two shots, grey and in colour
    place = {"index": [80, 40], "value": None}
    for column in (80, 100):
        click = [*seen, "puts the colour", "#c81e28"]
        _, _, _, hints, *_ = visitor.do("film-picture", "select", click, {"index": [column, 40], "value": None})
    assert [hint["color"] for hint in hints] == ["#c81e28"] * 2
    assert hints[0]["place"] == "0.4 s: 50 % across, 34 % down"
    _, _, _, hints, *_ = visitor.do("film-given", "click", seen, {"number": "1"})
    assert len(hints) == 1
    likely = visitor.do("film-picture", "select", [*seen, "shows likely colours", "#c81e28"], place)[8]
    _, _, _, hints, *_ = visitor.do("film-likely", "click", seen, {"color": likely[0]})
    assert [hint["color"] for hint in hints] == [likely[0]]  # it replaced the one that was there
    _, _, _, hints, undo, redo, _, strength = visitor.do("film-undo", "click", seen)
    assert [hint["color"] for hint in hints] == ["#c81e28"]
    assert (undo["interactive"], redo["interactive"], strength) == (True, True, 1.0)
    _, _, _, hints, *_ = visitor.do("film-redo", "click", seen)
    assert [hint["color"] for hint in hints] == [likely[0]]
    (file,) = visitor.do("film-hints-make", "click", [None])
    assert file["orig_name"] == "old.hints.json"
    (tmp_path / "hints.json").write_bytes(visitor.fetch(file))
    (hint,) = read_film_hints(tmp_path / "hints.json")
    assert (float(hint.time), hint.hint.color) == (pytest.approx(0.4), parse_color(likely[0]))
    visitor.do("film-given", "click", seen, {"number": "0"})
    hints_file = visitor.upload("hints.json", (tmp_path / "hints.json").read_bytes())
    _, _, _, hints, *_ = visitor.do("film-hints-load", "upload", [*seen, hints_file])
    assert [hint["place"] for hint in hints] == ["0.4 s: 50 % across, 34 % down"]
    visitor.do("colour-film", "click", [None, False])
    file, status = visitor.do_next("colour-film", "click", [None])
    assert status == "20 frames in 2 shots."
    assert file["orig_name"] == "old.color.mkv"
    (tmp_path / "new.mkv").write_bytes(visitor.fetch(file))
    with av.open(str(tmp_path / "new.mkv")) as container:
        frames = [frame.to_ndarray(format="rgb24").astype(int) for frame in container.decode(video=0)]
    assert len(frames) == 20
    assert all(np.ptp(frame, axis=2).mean() > 2 for frame in frames)


@pytest.mark.slow
def test_a_film_that_is_stopped_can_be_coloured_again(visitor, film):
    drop_film(visitor, film)
    visitor.do("colour-film", "click", [None, False])
    (status,) = visitor.do("stop-film", "click", [None])  # while the job waits for its turn
    assert status == "Stopped. *Colour the film* goes on where it was."
    assert visitor.do_next("colour-film", "click", [None]) == [None, {"__type__": "update"}]
    visitor.do("colour-film", "click", [None, False])
    _, status = visitor.do_next("colour-film", "click", [None])
    assert status == "20 frames in 2 shots."


@pytest.mark.slow
def test_a_film_is_coloured_once_at_a_time(visitor, film):
    drop_film(visitor, film)
    visitor.do("colour-film", "click", [None, False])
    with pytest.raises(RefusedError, match="is being worked on already"):
        visitor.do("colour-film", "click", [None, False])
    visitor.do_next("colour-film", "click", [None])
    visitor.do("colour-film", "click", [None, False])


@pytest.mark.slow
def test_a_film_in_colour_is_coloured_anew_only_if_wanted(visitor, tmp_path):
    path = tmp_path / "old.mkv"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=10)
        stream.width, stream.height, stream.pix_fmt = 160, 120, "yuv420p"
        for number in range(10):
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(data.astronaut()[number : number + 120, 180:340]))
            container.mux(stream.encode(frame.reformat(format="yuv420p")))
        container.mux(stream.encode())
    *_, asked, _ = drop_film(visitor, path)
    assert (asked["visible"], asked["value"]) == (True, False)
    with pytest.raises(RefusedError, match="this film is in colour already: tick"):
        visitor.do("colour-film", "click", [None, False])
    visitor.do("colour-film", "click", [None, True])
    _, status = visitor.do_next("colour-film", "click", [None])
    assert status == "10 frames in 1 shot."


@pytest.mark.slow
def test_what_is_no_film_is_refused_in_one_line(studio, visitor):
    with pytest.raises(RefusedError, match=r"^old\.mp4") as caught:
        visitor.do("film", "change", [None, visitor.upload("old.mp4", b"no film")])
    assert str(studio.folder) not in str(caught.value)
    for _ in range(100):  # its copy goes, too
        if not (left := [path for path in studio.files() if path.name == "old.mp4" and "kept" in path.parts]):
            break
        time.sleep(0.1)
    assert left == []


@pytest.mark.slow
def test_a_film_of_too_many_pixels_is_refused(visitor, tmp_path):
    path = tmp_path / "large.mkv"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=10)
        stream.width, stream.height, stream.pix_fmt = 2000, 1001, "gray"
        container.mux(stream.encode(av.VideoFrame.from_ndarray(np.zeros((1001, 2000), np.uint8), "gray")))
        container.mux(stream.encode())
    with pytest.raises(RefusedError, match=r"^old\.mkv: .*is 2000 x 1001 pixels, more than 2 million$"):
        drop_film(visitor, path)


# What is refused ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "path", ["/etc/passwd", "../../../../etc/passwd", "%2e%2e/%2e%2e/etc/passwd", str(ROOT / "README.md")]
)
@pytest.mark.parametrize(
    "route", ["/gradio_api/file=", "/file=", "/gradio_api/file/", "/static/", "/assets/", "/svelte/"]
)
@pytest.mark.slow
def test_no_file_of_the_server_is_read(studio, route, path):
    answer = httpx.get(f"{studio.url}{route}{path}")
    assert answer.status_code in (403, 404)
    assert "root:" not in answer.text
    assert "Photochrom colours" not in answer.text


@pytest.mark.parametrize("function", ["colorize", "likely_colors", "borrow"])
@pytest.mark.parametrize("path", ["/etc/passwd", str(ROOT / "examples" / "dust-bowl-home.jpg"), "../etc/passwd"])
@pytest.mark.slow
def test_no_path_of_the_server_is_taken_for_an_upload(studio, function, path):
    photograph = {"path": path, "meta": META, "orig_name": "old.jpg"}
    body = {"photograph": photograph} | ({"reference": photograph} if function == "borrow" else {})
    answer = httpx.post(f"{studio.url}/gradio_api/call/v2/{function}", json=body)
    event = answer.json()["event_id"]
    result = httpx.get(f"{studio.url}/gradio_api/call/{function}/{event}", timeout=60).text
    assert "event: error" in result
    assert "event: complete" not in result


@pytest.mark.parametrize("path", ["/etc/passwd", str(ROOT / "examples" / "dust-bowl-home.jpg")])
@pytest.mark.slow
def test_nor_by_the_page(visitor, path):
    with pytest.raises(RefusedError):
        visitor.do("photograph", "change", [None, {"path": path, "meta": META}])


@pytest.mark.parametrize(
    "address", ["http://127.0.0.1:1/a.jpg", "https://huggingface.co/a.jpg", " HTTP://a.b/c.jpg", "ftp://a/b"]
)
@pytest.mark.slow
def test_no_address_is_fetched(studio, visitor, address):
    for arguments in ([{"path": address, "meta": META}], [[{"deep": {"path": address}}]]):
        with pytest.raises(RefusedError, match="403 the studio does not fetch URLs"):
            visitor.do("photograph", "change", arguments)
    body = {"photograph": {"path": address, "meta": META}}
    assert httpx.post(f"{studio.url}/gradio_api/call/v2/colorize", json=body).status_code == 403
    assert httpx.get(f"{studio.url}/gradio_api/file={address.strip()}").status_code == 403


@pytest.mark.slow
def test_an_upload_has_no_say_in_where_it_lies(studio, visitor):
    before = {path for path in studio.folder.rglob("*") if "shown" not in path.parts}
    path = Path(visitor.upload("../../../evil.jpg", b"evil")["path"])
    assert path.name == "evil.jpg"
    assert path.parents[1].name == "shown"
    assert {path for path in studio.folder.rglob("*") if "shown" not in path.parts} == before


@pytest.mark.parametrize(
    "route",
    ["/gradio_api/proxy=http://127.0.0.1/", "/gradio_api/component_server", "/gradio_api/vibe-edit/", "/login",
     "/gradio_api/deep_link", "/gradio_api/stream/a", "/gradio_api/mcp/", "/monitoring", "/docs", "/gradio_api/runs"],
)  # fmt: skip
@pytest.mark.slow
def test_what_the_page_does_not_need_is_not_there(studio, route):
    for method in ("GET", "POST", "PUT", "DELETE", "OPTIONS"):
        answer = httpx.request(method, studio.url + route)
        assert (answer.status_code, answer.text) == (404, "the studio has nothing there\n")


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:7860", "127.0.0.1.evil.example", "localhost.evil.example", ""]
)
@pytest.mark.slow
def test_a_name_that_points_here_from_elsewhere_is_refused(studio, host):
    assert httpx.get(studio.url, headers={"Host": host}).status_code == 403


@pytest.mark.slow
def test_the_studio_answers_to_its_addresses(studio):
    for host in ("localhost", "LOCALHOST:1", "127.0.0.1", "[::1]:7860"):
        assert httpx.get(studio.url, headers={"Host": host}).status_code == 200


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "http://127.0.0.1:1", "https://localhost"])
@pytest.mark.slow
def test_another_site_is_refused(studio, origin):
    answer = httpx.post(f"{studio.url}/gradio_api/upload", files={"files": ("a.jpg", b"a")}, headers={"Origin": origin})
    assert (answer.status_code, answer.text) == (403, "the studio answers its own page only\n")


@pytest.mark.parametrize(
    ("body", "status"), [(b"[" * 100_000, 400), (b"{", 400), (b"\xff\xfe", 400), (b'"' + b"a" * (1 << 20) + b'"', 413)]
)
@pytest.mark.slow
def test_requests_that_are_none_are_refused(studio, body, status):
    assert httpx.post(f"{studio.url}/gradio_api/queue/join", content=body).status_code == status


@pytest.mark.slow
def test_a_large_file_is_refused_and_nothing_of_it_stays(studio, visitor):
    before = studio.files()
    with pytest.raises(RefusedError, match=f"413 .*maximum allowed size of {MEGABYTES}000000 bytes"):
        visitor.upload("old.jpg", b"\xff" * (10**6 + 1))
    assert studio.files() == before


@pytest.mark.slow
def test_a_full_disk_is_said(tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, (600, 600), np.uint8)
    with running_studio(tmp_path, "--max-disk-mb", "1") as studio:
        visitor = Visitor(studio.url)
        drop(visitor, "old.png", png(noise))
        with pytest.raises(
            RefusedError, match=r"507 the studio has no room for more files \(1 MB\): .*larger max_disk_mb"
        ):
            visitor.upload("other.png", png(noise))
        with pytest.raises(RefusedError, match="no room for more files"):
            visitor.do("full-size-make", "click", [None])
        assert sum(path.stat().st_size for path in studio.files()) < 1.2e6


@pytest.mark.slow
def test_a_decompression_bomb_is_refused(visitor):
    bomb = png(np.zeros((20000, 20000), np.uint8))
    assert len(bomb) < 10**6
    with pytest.raises(RefusedError, match=r"bomb\.png: is 20000 x 20000 pixels, more than 2 million: scale it down"):
        drop(visitor, "bomb.png", bomb)
    drop(visitor, "old.png", png(picture(0)))
    lender = visitor.upload("bomb.png", bomb)
    with pytest.raises(RefusedError, match=r"bomb\.png: "):
        visitor.do("lender", "upload", [None, "In colour", lender])


@pytest.mark.slow
def test_errors_do_not_tell_where_files_lie(studio, visitor):
    with pytest.raises(RefusedError) as caught:
        drop(visitor, "broken.png", png(picture(0))[:5000])
    assert str(caught.value).startswith("broken.png: ")
    assert str(studio.folder) not in str(caught.value)
    alpha = io.BytesIO()
    Image.fromarray(np.dstack([picture(0), picture(0)])).save(alpha, "PNG")
    drop(visitor, "alpha.png", alpha.getvalue())
    (file,) = visitor.do("full-size-make", "click", [None])
    assert Image.open(io.BytesIO(visitor.fetch(file))).mode == "RGBA"


@pytest.mark.slow
def test_nor_do_errors_that_nobody_thought_of(studio, visitor):
    drop(visitor, "odd.png", png(picture(0)))
    for event_data in ({"index": ["/etc/passwd", 1], "value": 0}, {"nothing": 0}, None):
        with pytest.raises(RefusedError) as caught:
            visitor.do("picture", "select", [None, "In colour", "puts the colour", "#c81e28"], event_data)
        assert str(caught.value) == "None"
    (kept,) = (path for path in studio.files() if path.name == "odd.png" and "kept" in path.parts)
    assert kept.exists()


@pytest.mark.parametrize(
    ("element", "event", "arguments", "event_data", "message"),
    [
        ("likely", "click", [None, "In colour"], {"color": "red; }"}, "is not a colour"),
        ("given", "click", [None, "In colour"], {"number": "-1"}, "gone already"),
        ("given", "click", [None, "In colour"], {"number": "0"}, "gone already"),
        ("guesses", "select", [None, "In colour"], {"index": 9, "value": None}, "this guess is gone"),
        ("put", "click", [None, "In colour", "nothing", 1, 1], None, "is not a colour"),
        ("lent", "select", [None], {"index": [1, 1], "value": None}, "drop it again"),
    ],
)
@pytest.mark.slow
def test_wrong_requests_are_answered_in_words(visitor, element, event, arguments, event_data, message):
    drop(visitor, "old.png", png(picture(0)))
    with pytest.raises(RefusedError, match=message):
        visitor.do(element, event, arguments, event_data)


# The guard by itself -----------------------------------------------------------------------------------------------


def status(guard, path="/", *, host="127.0.0.1", origin=None, method="GET", body=b""):
    """What a guard before an application that says 200 to everything answers."""
    sent = []

    async def receive():
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message):
        sent.append(message)

    headers = [(b"host", host.encode())] + ([] if origin is None else [(b"origin", origin.encode())])
    scope = {"type": "http", "method": method, "path": path, "headers": headers}
    asyncio.run(guard(scope, receive, send))
    return sent[0]["status"]


async def everything(scope, receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b""})


@pytest.fixture
def roomy(tmp_path):
    return Disk(tmp_path, 10**12)


def test_bound_to_all_addresses_it_answers_to_the_machines_own_name_too(roomy):
    assert status(Guard(everything, "127.0.0.1", roomy), host=socket.gethostname()) == 403
    assert status(Guard(everything, "0.0.0.0", roomy), host=f"{socket.gethostname()}:7860") == 200
    assert status(Guard(everything, "studio.lan", roomy), host="Studio.lan:80") == 200
    assert status(Guard(everything, "0.0.0.0", roomy), host="192.168.1.7:7860") == 200
    assert status(Guard(everything, "0.0.0.0", roomy), host="evil.example") == 403


def test_behind_a_proxy_it_answers_to_the_names_that_it_was_given(roomy):
    guard = Guard(everything, "127.0.0.1", roomy, ["photos.example.org", "Other.example"])
    for host in ("photos.example.org", "PHOTOS.example.org:8443", "other.example"):
        assert status(guard, host=host, origin=f"https://{host}") == 200
    for host in ("evil.example", "photos.example.org.evil.example", "evil.photos.example.org", "example.org"):
        assert status(guard, host=host) == 403
    for origin in ("https://evil.example", "https://photos.example.org.evil.example", "https://photos.example.org:1"):
        assert status(guard, host="photos.example.org", origin=origin) == 403


def test_a_path_that_is_an_address_is_seen_however_it_is_written(roomy):
    guard = Guard(everything, "127.0.0.1", roomy)
    for path in ("http://a/b", "HTTPS://a/b", "\thttp://a", "http%3A//a", "file:///etc/passwd"):
        body = json.dumps({"data": [{"path": path}]}).encode()
        assert status(guard, "/gradio_api/queue/join", method="POST", body=body) == 403
    for path in ("/tmp/a b.jpg", r"C:\a.jpg", "C:/a.jpg", "a:b.jpg"):
        body = json.dumps({"data": [{"path": path}]}).encode()
        assert status(guard, "/gradio_api/queue/join", method="POST", body=body) == 200


@pytest.mark.parametrize(
    ("host", "local"), [("127.0.0.1", True), ("::1", True), ("Localhost", True), ("0.0.0.0", False)]
)
def test_which_addresses_others_cannot_reach(host, local):
    assert is_local(host) is local


async def upload(guard, size):
    """Send a file of a size, or of one that is not said; the status of the answer."""
    sent, headers = [], [(b"host", b"127.0.0.1")]
    if size is not None:
        headers.append((b"content-length", str(size).encode()))

    async def receive():
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message):
        sent.append(message)

    await guard({"type": "http", "method": "POST", "path": "/gradio_api/upload", "headers": headers}, receive, send)
    return sent[0]["status"]


@pytest.fixture
def nearly_full(tmp_path):
    """With room for 700 bytes."""
    (tmp_path / "there").write_bytes(bytes(300))
    return Disk(tmp_path, 1000)


def test_uploads_under_way_count(nearly_full):
    async def all_of_them():
        began, arrived = asyncio.Event(), asyncio.Event()

        async def slow(scope, receive, send):
            began.set()
            await arrived.wait()
            await everything(scope, receive, send)

        guard = Guard(slow, "127.0.0.1", nearly_full)
        first = asyncio.create_task(upload(guard, 600))
        await began.wait()
        answers = [await upload(guard, 600), await upload(guard, None)]
        arrived.set()
        return [*answers, await first, await upload(guard, 600)]

    assert asyncio.run(all_of_them()) == [507, 411, 200, 200]


def test_of_uploads_at_the_same_moment_those_pass_that_have_room_together(nearly_full):
    """They must not all pass because none of them is there yet; nor are those refused that came in time."""

    async def all_of_them():
        guard = Guard(everything, "127.0.0.1", nearly_full)
        at_once = await asyncio.gather(*(upload(guard, 300) for _ in range(10)))
        return at_once, await upload(guard, 600)  # what was kept for them is given back

    at_once, later = asyncio.run(all_of_them())
    assert at_once == [200, 200] + [507] * 8
    assert later == 200


# Beginning and end -------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_everything_temporary_goes(tmp_path):
    with running_studio(tmp_path) as studio:
        visitor = Visitor(studio.url)
        drop(visitor, "old.png", png(picture(1)))
        visitor.do("full-size-make", "click", [None])
        assert len(studio.files()) > 3
        studio.process.send_signal(signal.SIGTERM)
        assert studio.process.wait(timeout=30) == 143
        assert list(tmp_path.iterdir()) == []


def test_old_files_go_while_it_runs(tmp_path):
    soon = "from photochrom.studio import app; app._SWEEP_SECONDS, app._OLD_SECONDS = 1, 8"
    with running_studio(tmp_path, before=soon) as studio:
        visitor = Visitor(studio.url)
        drop(visitor, "old.png", png(picture(1)))
        for _ in range(300):
            if not (left := [path for path in studio.files() if "shown" in path.parts]):
                break
            time.sleep(0.2)
        assert left == []
        for _ in range(100):
            if not (folders := list(next(studio.folder.rglob("shown")).iterdir())):
                break
            time.sleep(0.2)
        assert folders == []
        (file,) = visitor.do("full-size-make", "click", [None])  # what is worked on stays
        assert file["orig_name"] == "old.color.png"


@pytest.mark.slow
def test_a_photograph_goes_when_its_page_was_closed(tmp_path, monkeypatch):
    monkeypatch.setenv("GRADIO_IS_E2E_TEST", "1")  # a second later instead of an hour
    with running_studio(tmp_path) as studio:
        stays, goes = Visitor(studio.url), Visitor(studio.url)

        def kept():
            return {path.name for path in studio.files() if "kept" in path.parts}

        drop(stays, "stays.png", png(picture(1)))
        with httpx.stream("GET", f"{studio.url}/gradio_api/heartbeat/{goes.session}") as open_page:
            lines = open_page.iter_lines()
            next(lines)
            drop(goes, "goes.png", png(picture(2)))
            time.sleep(3)
            assert kept() == {"stays.png", "goes.png"}
        for _ in range(300):
            if kept() == {"stays.png"}:
                break
            time.sleep(0.1)
        assert kept() == {"stays.png"}
        with pytest.raises(RefusedError, match="no longer here: drop it again"):
            goes.do("full-size-make", "click", [None])


@pytest.mark.slow
def test_a_broken_connection_is_no_closed_page(tmp_path, monkeypatch):
    monkeypatch.setenv("GRADIO_IS_E2E_TEST", "1")
    with running_studio(tmp_path) as studio:
        visitor = Visitor(studio.url)
        heartbeat = f"{studio.url}/gradio_api/heartbeat/{visitor.session}"
        with httpx.stream("GET", heartbeat) as open_page:
            lines = open_page.iter_lines()  # to forget it would end the connection
            next(lines)
            drop(visitor, "old.png", png(picture(1)))
        with httpx.stream("GET", heartbeat) as again:
            lines = again.iter_lines()
            next(lines)
            time.sleep(4)
            assert [path.name for path in studio.files() if "kept" in path.parts] == ["old.png"]
            visitor.do("full-size-make", "click", [None])
        for _ in range(300):
            if not any("kept" in path.parts for path in studio.files()):
                break
            time.sleep(0.1)
        with pytest.raises(RefusedError, match="no longer here: drop it again"):
            visitor.do("full-size-make", "click", [None])


@pytest.mark.slow
def test_programs_that_call_push_nobody_out(studio, visitor):
    drop(visitor, "old.png", png(picture(1)))
    for number in range(110):
        other = f"{studio.url}/gradio_api/queue/join"
        body = {"data": [None], "fn_index": visitor.number_of("stop-film", "click"), "session_hash": f"other{number}"}
        httpx.post(other, json=body, timeout=30).raise_for_status()
    (file,) = visitor.do("full-size-make", "click", [None])
    assert file["orig_name"] == "old.color.png"


@pytest.mark.slow
def test_the_browser_is_opened_if_wanted(monkeypatch, capsys):
    opened, served = queue.Queue(), []
    monkeypatch.setattr("webbrowser.open", opened.put)
    monkeypatch.setattr(server, "mounted_page", lambda state: None)
    monkeypatch.setattr(
        server, "server", lambda app, ready, ending: SimpleNamespace(run=lambda sockets: (ready(), served.append(app)))
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
def test_ctrl_c_ends_it(tmp_path):
    with running_studio(tmp_path) as studio:
        studio.process.send_signal(signal.SIGINT)
        assert studio.process.wait(timeout=30) == 130
        assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_ctrl_c_ends_it_while_pages_are_open_and_films_are_coloured(tmp_path, capfd):
    slowly = (
        "import time; from photochrom.film.frames import FrameColorizer as P; render = P.render; "
        "P.render = lambda *arguments: (time.sleep(0.2), render(*arguments))[1]"
    )
    film = write_film(tmp_path / "long.mkv", [picture(0)] * 300)
    (tmp_path / "studio").mkdir()
    with running_studio(tmp_path / "studio", before=slowly) as studio:
        visitor = Visitor(studio.url)
        with httpx.stream("GET", f"{studio.url}/gradio_api/heartbeat/{visitor.session}", timeout=60):
            drop_film(visitor, film)
            visitor.do("colour-film", "click", [None, False])
            visitor.ask_next("colour-film", "click", [None])
            for _ in range(300):
                if begun := [path for path in studio.files() if path.suffix == ".nut"]:
                    break
                time.sleep(0.1)
            assert begun
            studio.process.send_signal(signal.SIGINT)
            assert studio.process.wait(timeout=12) == 130
    assert capfd.readouterr().err == "photochrom: interrupted; finished files are kept\n"
    assert list((tmp_path / "studio").iterdir()) == []


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
def test_without_gradio_it_says_what_to_install():
    code = "import sys; sys.modules['gradio'] = None; "
    code += "from photochrom.commands.main import main; sys.exit(main(['studio']))"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert result.returncode == 1
    assert result.stderr == "photochrom: the studio needs gradio: pip install 'photochrom[studio]'\n"


# The page on the studio --------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_the_examples_of_the_page_run(studio, tmp_path, monkeypatch, capsys):
    shown = re.findall(r"```(\w+)\n(.*?)```", (ROOT / "docs" / "studio.md").read_text(), re.S)
    (shell,) = (text for kind, text in shown if kind == "sh" and "curl" in text)
    (python,) = (text for kind, text in shown if kind == "python")
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    monkeypatch.chdir(tmp_path)
    subprocess.run(["bash", "-euo", "pipefail", "-c", shell.replace("http://127.0.0.1:7860", studio.url)], check=True)
    code = python.replace("http://127.0.0.1:7860", studio.url)
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert int(printed.splitlines()[-1]) > 40  # a picture lends itself nearly all of its colours
    for name in ("house.color.jpg", "house.hinted.jpg"):
        with Image.open(name) as image, Image.open("examples/dust-bowl-home.jpg") as source:
            assert image.size == source.size
            assert np.ptp(np.asarray(image.convert("RGB"), int), axis=2).mean() > 5
    assert b"with 1 colour given by hand)" in Path("house.hinted.jpg").read_bytes()


@pytest.mark.slow
def test_programs_are_refused_in_words(studio):
    from gradio_client import Client, handle_file
    from gradio_client.exceptions import AppError

    client = Client(studio.url, verbose=False)
    house = handle_file(ROOT / "examples" / "dust-bowl-home.jpg")
    with pytest.raises(AppError, match="vividness is 7"):
        client.predict(house, vividness=7, api_name="/colorize")
    assert set(client.view_api(return_format="dict")["named_endpoints"]) == {
        "/colorize", "/likely_colors", "/borrow"
    }  # fmt: skip
