"""The studio from its start to its end: settings, address, browser, and the files that it leaves."""

from __future__ import annotations

import queue
import re
import signal
import socket
import subprocess
import sys
import time
from types import SimpleNamespace

import httpx
import pytest

from photochrom import OptionError, StudioError
from photochrom.commands.main import main
from photochrom.studio import app as server
from photochrom.studio.app import Settings, listening, url
from tests.helpers.films import write_film
from tests.helpers.studio_server import PATIENCE, running_studio
from tests.studio.conftest import picture, png


@pytest.mark.slow
def test_everything_temporary_goes(tmp_path):
    with running_studio(tmp_path) as studio:
        visitor = studio.visitor()
        visitor.download(visitor.add("old.png", png(picture(1))))
        assert len(studio.files()) >= 2  # the upload and the result; a copy that was just sent may still be there
        studio.process.send_signal(signal.SIGTERM)
        assert studio.process.wait(timeout=PATIENCE) == 143
        assert list(tmp_path.iterdir()) == []


# Half of a film's 100 frames are coloured; the others wait until a job is stopped.
HALF = """
import itertools, threading
from photochrom.film.frames import FrameColorizer
from photochrom.studio.jobs import Job
render, stop, count, stopped = FrameColorizer.render, Job.stop, itertools.count(), threading.Event()
FrameColorizer.render = lambda *arguments: (next(count) < 50 or stopped.wait(), render(*arguments))[1]
Job.stop = lambda job: (stop(job), stopped.set())[0]
"""


@pytest.mark.slow
def test_ctrl_c_ends_the_studio_during_uploads_and_films(tmp_path, capfd):
    film = write_film(tmp_path / "long.mkv", [picture(0)] * 100)
    (tmp_path / "studio").mkdir()
    with running_studio(tmp_path / "studio", before=HALF) as studio:
        visitor = studio.visitor()
        item = visitor.add("long.mkv", film.read_bytes())
        visitor.post(f"/api/items/{item}/start", {})
        while not any(path.suffix == ".nut" for path in studio.files()):
            assert studio.process.poll() is None
            time.sleep(0.1)
        address = httpx.URL(studio.url)
        with socket.create_connection((address.host, address.port)) as half:
            half.sendall(b"POST /api/colorize?name=a.png HTTP/1.1\r\nHost: localhost\r\nContent-Length: 999\r\n\r\nabc")
            studio.process.send_signal(signal.SIGINT)
            assert studio.process.wait(timeout=PATIENCE) == 130
    assert capfd.readouterr().err == "photochrom: the studio has ended, and its tray is gone\n"
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
    address = opened.get(timeout=PATIENCE)
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
def test_a_name_must_be_a_host_name(name):
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
def test_without_its_packages_the_error_says_what_to_install(package):
    code = f"import sys; sys.modules['{package}'] = None; "
    code += "from photochrom.commands.main import main; sys.exit(main(['studio']))"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert result.returncode == 1
    assert re.fullmatch(
        rf"photochrom: the studio needs {package}[\w.]*: pip install 'photochrom\[studio\]'\n", result.stderr
    )
