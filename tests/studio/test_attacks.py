"""Attacks on the studio that ``docs/security.md`` lists, over HTTP to a studio in a separate process."""

from __future__ import annotations

import io
import os
import signal
import socket
import struct
import zlib
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, suppress
from pathlib import Path

import httpx
import numpy as np
import pytest
from PIL import Image

from tests.corpus.make import chunk
from tests.helpers.folders import files_below
from tests.helpers.studio_server import PATIENCE, RefusedError, RunningStudio, Visitor, running_studio

pytestmark = pytest.mark.slow
SECRET = "known to the server alone"
MEGABYTES = 1500  # most that the studio may use, whatever the attack
HERE = ("../../../../{0}", "{0}", "file://{0}", "..\\..\\{0}", "%2e%2e/%2e%2e{0}", "{0}\0.jpg", "//{0}")


@pytest.fixture(scope="module")
def studio(tmp_path_factory):
    with running_studio(tmp_path_factory.mktemp("studio"), "--max-upload-mb", "20", "--max-megapixels", "30") as found:
        yield found


@pytest.fixture
def visit(studio):
    """Return a function that makes visitors, whose connections are closed at the end of the test."""
    with ExitStack() as stack:

        def new():
            visitor = studio.visitor()
            stack.enter_context(closing(visitor.client))
            return visitor

        yield new


@pytest.fixture(scope="module")
def photograph():
    return jpeg(120, 90)


@pytest.fixture(scope="module")
def secret(tmp_path_factory):
    """Return a file of the server that no visitor may read."""
    path = tmp_path_factory.mktemp("private") / "secret.txt"
    path.write_text(SECRET)
    return path


def jpeg(width: int, height: int) -> bytes:
    stream = io.BytesIO()
    values = np.add.outer(np.arange(height), np.arange(width)) % 200 + 20
    Image.fromarray(values.astype(np.uint8)).save(stream, "JPEG")
    return stream.getvalue()


def most_memory(studio) -> float:
    """Return the peak memory of the studio's process, in megabytes."""
    status = Path(f"/proc/{studio.process.pid}/status")
    if not status.is_file():
        return 0.0  # not Linux
    return next(int(line.split()[1]) / 1000 for line in status.read_text().splitlines() if line.startswith("VmHWM"))


def routes_of(item: str) -> list[str]:
    base = f"/api/items/{item}"
    pictures = [f"{base}/{name}.jpg" for name in ("picture", "original", "small", "tile/0/0", "guesses/1/0", "shots/0")]
    return [base, *pictures, f"{base}/hints.json", f"{base}/download", f"{base}/guesses", f"{base}/unsure"]


# --- files of the server, and of others


def test_no_route_gives_a_file_of_the_server(studio, visit, photograph, secret):
    visitor = visit()
    item = visitor.add("old.jpg", photograph)
    for form in HERE:
        path = form.format(secret)
        wanted = [f"/{path}", f"/static/{path}", *routes_of(path), f"/api/strings/{path}"]
        wanted += [f"/api/items/{item}/{path}", f"/api/items/{item}/tile/{path}/0.jpg"]
        for address in wanted:
            answer = raw(studio, "GET", address.replace("\0", "%00"))
            assert SECRET.encode() not in answer, address


def raw(studio, method: str, target: str, headers: str = "", body: bytes = b"") -> bytes:
    """Return the answer to a request that no client library has corrected."""
    host, port = studio.url.removeprefix("http://").rstrip("/").split(":")
    own = "" if "host:" in headers.lower() else f"Host: {host}:{port}\r\n"
    request = f"{method} {target} HTTP/1.1\r\n{own}Connection: close\r\n{headers}\r\n".encode()
    answer = b""
    with socket.create_connection((host, int(port)), timeout=600) as connection, suppress(ConnectionError):
        connection.sendall(request + body)
        while part := connection.recv(65536):
            answer += part
    return answer


def test_no_field_is_taken_for_a_path(studio, visit, photograph, secret):
    visitor = visit()
    item = visitor.add("old.jpg", photograph)
    outside = set(studio.folder.parent.iterdir())
    for form in HERE:
        path = form.format(secret)
        fields = ("do", "vividness", "strength", "name", "language", "frame", "color", "marks", "hints", "reference")
        for field in fields:
            answer = visitor.client.post(f"/api/items/{item}/edit", json={"do": "dials", field: path})
            assert SECRET not in answer.text, field
        for route in ("/api/colorize", "/api/likely-colors"):
            for field in ("hint", "vividness", "x", "name"):
                query = {"name": "old.jpg", field: path}
                answer = visitor.client.post(route, params=query, content=photograph)
                assert SECRET.encode() not in answer.content, (route, field)
    assert not [path for path in set(studio.folder.parent.iterdir()) - outside if path.suffix in (".jpg", ".json")]


def test_nobody_guesses_the_file_of_another(visit, photograph):
    owner, stranger = visit(), visit()
    item = owner.add("mine.jpg", photograph)
    guesses = [item, item[:-1], item.upper(), item + "0", "0", "1", "*", "", "..", f"{item}/../{item}"]
    for guess in guesses:
        for route in routes_of(guess):
            answer = stranger.client.get(route)
            assert 300 <= answer.status_code < 500, route
            assert b"mine" not in answer.content
    for method, path, facts in (
        ("POST", "edit", {"do": "undo"}), ("POST", "hints", {}), ("POST", "start", {}), ("DELETE", "", None),
    ):  # fmt: skip
        address = f"/api/items/{item}/{path}".rstrip("/")
        assert stranger.client.request(method, address, json=facts).status_code in (400, 404, 405)
    assert owner.item(item)
    assert dict(owner.client.cookies) != dict(stranger.client.cookies)
    assert len(item) >= 16  # too many to try


# --- requests from elsewhere


@pytest.mark.parametrize(
    "headers",
    [
        "Host: evil.example\r\n",
        "Host: evil.example:7860\r\n",
        "Host: localhost.evil.example\r\n",
        "Host: 127.0.0.1.evil.example\r\n",
        "Host: \r\n",
        "Origin: http://evil.example\r\n",
        "Origin: null\r\n",
        "Origin: http://127.0.0.1:1\r\n",
        "Sec-Fetch-Site: cross-site\r\n",
        "Sec-Fetch-Site: same-site\r\n",
    ],
)
def test_other_sites_are_refused(studio, headers):
    for method, target in (("GET", "/api/studio"), ("POST", "/api/items?name=a.jpg"), ("POST", "/api/colorize")):
        status = raw(studio, method, target, headers + "Content-Length: 0\r\n").split(b" ", 2)[1]
        assert status in (b"400", b"403"), (headers, target, status)


def test_playlists_open_no_connection(visit, secret):
    """FFmpeg opens the addresses and the server's files that a playlist names."""
    visitor = visit()
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0)
        address = f"http://127.0.0.1:{server.getsockname()[1]}/a.ts"
        for target in (address, str(secret)):
            for name, text in {
                "a.m3u8": f"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\n{target}\n#EXT-X-ENDLIST\n",
                "a.mp4": f"ffconcat version 1.0\nfile {target}\n",
                "a.mkv": f'#EXTM3U\n#EXT-X-MAP:URI="{target}"\n#EXTINF:9,\n{target}\n',
                "a.sdp": "v=0\no=- 0 0 IN IP4 127.0.0.1\nc=IN IP4 127.0.0.1\nm=video 5004 RTP/AVP 96\n",
                "a.svg": f'<svg xmlns="http://www.w3.org/2000/svg"><image href="{target}"/></svg>',
            }.items():
                with pytest.raises(RefusedError, match=r"^400 ") as caught:
                    visitor.add(name, text.encode())
                assert SECRET not in str(caught.value)
        with pytest.raises(BlockingIOError):
            server.accept()


# --- too much


def test_an_upload_of_500_megabytes_is_refused(studio, visit):
    before = set(studio.files())

    def much():
        for _ in range(500):
            yield bytes(1_000_000)

    answer = httpx.post(
        f"{studio.url}/api/items", params={"name": "a.jpg"}, content=much(), timeout=600,
        headers={"Content-Length": str(500_000_000)}, cookies=visit().client.cookies,
    )  # fmt: skip
    assert answer.status_code == 400
    assert "larger than 20 MB" in answer.text
    assert set(studio.files()) <= before
    assert most_memory(studio) < MEGABYTES


def bombs():
    """Return small files of huge pictures."""
    side = 60_000
    header = struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
    rows = zlib.compress(bytes(20_000_000), 9)
    yield "bomb.png", b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")
    text = chunk(b"zTXt", b"Comment\0\0" + zlib.compress(bytes(100_000_000), 9))
    small = struct.pack(">IIBBBBB", 8, 8, 8, 0, 0, 0, 0)
    data = chunk(b"IDAT", zlib.compress(bytes(72)))
    yield "text.png", b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", small) + text + data + chunk(b"IEND", b"")
    yield "bomb.jpg", jpeg(64, 64).replace(b"\0\x40\0\x40", b"\xff\xdc\xff\xdc", 1)
    entries = [(256, 4, 1, 100_000), (257, 4, 1, 100_000), (258, 3, 1, 8), (259, 3, 1, 8), (262, 3, 1, 1),
               (273, 4, 1, 8), (277, 3, 1, 1), (278, 4, 1, 100_000), (279, 4, 1, 10)]  # fmt: skip
    rows_of_tags = b"".join(struct.pack("<HHII", *entry) for entry in entries)
    yield "bomb.tif", b"II*\0\x08\0\0\0" + struct.pack("<H", len(entries)) + rows_of_tags + bytes(4)


def test_decompression_bombs_are_refused(studio, visit):
    visitor = visit()
    for name, data in bombs():
        with pytest.raises(RefusedError, match=r"^400 "):
            visitor.add(name, data)
    assert most_memory(studio) < MEGABYTES


def test_a_hundred_visitors_at_once_are_answered_within_bounds(studio, photograph):
    def visit(number: int) -> str:
        try:
            visitor = studio.visitor()
            with closing(visitor.client):
                item = visitor.add(f"{number}.jpg", photograph)
                assert visitor.fetch(f"/api/items/{item}/picture.jpg")
                visitor.remove(item)
            return "served"
        except RefusedError as exc:
            return str(exc)[:3]

    with ThreadPoolExecutor(100) as pool:
        answers = list(pool.map(visit, range(100)))
    # 503: too many visitors are active; 404: a newcomer without a photograph has made way for another
    assert set(answers) <= {"served", "503", "404"}, answers
    # How many meet depends on the machine; whoever was refused in the crowd is served when it has gone.
    assert {visit(number) for number, answer in enumerate(answers) if answer != "served"} <= {"served"}
    assert most_memory(studio) < MEGABYTES


def test_a_visitor_has_a_connection_of_its_own(monkeypatch):
    """Closing one visitor's connection once closed another's, made in another thread at the same time."""

    class Crowd(list):
        def append(self, client):
            self.extend([client, None])

    monkeypatch.setattr(Visitor, "get", lambda *_: {})
    found = RunningStudio("http://127.0.0.1:1", Path(), None, Crowd())
    visitor = found.visitor()
    with visitor.client:
        assert visitor.client is found.clients[0]


def test_silent_connections_keep_nobody_out(studio, visit):
    host, port = studio.url.removeprefix("http://").rstrip("/").split(":")
    with ExitStack() as stack:
        for _ in range(200):
            connection = stack.enter_context(socket.create_connection((host, int(port))))
            connection.sendall(
                b"POST /api/items?name=a.jpg HTTP/1.1\r\nHost: localhost\r\nContent-Length: 900\r\n\r\nx"
            )
        assert visit().studio


def test_headers_without_end_are_cut_off(studio, visit):
    answer = raw(studio, "GET", "/api/studio", f"X-Long: {'a' * 300_000}\r\n")
    assert not answer or answer.split(b" ", 2)[1] in (b"400", b"431")
    assert visit().studio


# --- what stays


def test_files_left_by_kill_9_are_removed_at_the_next_start(tmp_path, photograph):
    with running_studio(tmp_path) as studio:
        visitor = studio.visitor()
        with closing(visitor.client):
            visitor.add("old.jpg", photograph)
        assert studio.files()
        os.kill(studio.process.pid, signal.SIGKILL)
        studio.process.wait(PATIENCE)
    left = files_below(tmp_path)
    with running_studio(tmp_path) as studio:
        assert not set(left) & set(studio.files())


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="needs /proc")
def test_memory_stays_level(studio, visit):
    """Fifty photographs are coloured here, and five hundred in ``benchmarks/steady_memory.py``."""
    visitor = visit()

    def color(number: int) -> int:
        item = visitor.add("old.jpg", jpeg(300 + number % 7, 200))
        visitor.download(item)
        visitor.remove(item)
        return int(Path(f"/proc/{studio.process.pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    sizes = [color(number) for number in range(50)]
    assert (sizes[-1] - sizes[20]) / 1e6 < 60
    assert len(list(Path(f"/proc/{studio.process.pid}/fd").iterdir())) < 60
