"""The stateless REST API, and the examples of its documentation."""

from __future__ import annotations

import asyncio
import io
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from photochrom import Colorizer
from tests.helpers.studio_server import running_studio
from tests.helpers.suggesting import hinting_engine
from tests.studio.conftest import luma, picture, png, rgb

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(("method", "route", "status"), [("GET", "/api/nothing", 404), ("GET", "/api/colorize", 405)])
def test_requests_that_do_not_exist_are_refused_in_json(client, method, route, status):
    answer = client().request(method, route)
    assert answer.status_code == status
    assert f"{method} {route}" in answer.json()["error"]


def test_programs_colour_a_photograph_and_no_files_stay(client, files):
    program = client()
    query = {"name": "old.png", "vividness": "0.9", "strength": "0.8", "hint": ["0.5,0.5,#c81e28", "0.1,0.1,navy"]}
    answer = program.put("/api/colorize", params=query, content=png(picture(1)))
    assert answer.headers["content-disposition"].endswith('"old.color.png"')
    assert np.abs(luma(answer.content) - picture(1)).max() <= 1
    assert b"with 2 colours given by hand)" in answer.content
    grey = program.put("/api/colorize", params={"name": "old.png", "strength": "0"}, content=png(picture(1)))
    with Image.open(io.BytesIO(grey.content)) as image:
        assert np.ptp(np.asarray(image.convert("RGB"), int), axis=2).max() <= 1
    detailed = program.put("/api/colorize", params={"name": "old.png", "detail": "2"}, content=png(picture(1)))
    usual = program.put("/api/colorize", params={"name": "old.png"}, content=png(picture(1)))
    assert (rgb(detailed.content) != rgb(usual.content)).any()
    answer = program.put("/api/likely-colors", params={"name": "old.png", "x": 0.4}, content=png(picture(1)))
    assert len(answer.json()["colors"]) >= 2
    assert files() == []
    assert program.cookies == {}


def test_likely_colours_have_the_detail_of_the_studio(open_studio):
    """The network sees two thumbnails."""
    runs = []
    program = open_studio(Colorizer(engine=hinting_engine(runs)), detail=2)()
    assert program.put("/api/likely-colors", params={"name": "old.png"}, content=png(picture(1))).json()["colors"]
    assert len(runs) == 2


def test_no_files_stay_if_the_connection_is_closed_before_the_response(client, files):
    body = png(picture(1))
    headers = [(b"host", b"localhost"), (b"content-length", str(len(body)).encode())]
    scope = {"type": "http", "asgi": {"spec_version": "2.4"}, "method": "PUT", "path": "/api/colorize"}
    scope |= {"headers": headers, "query_string": b"name=old.png", "root_path": "", "server": ("localhost", 1)}

    async def receive():
        return {"type": "http.request", "body": body}

    async def send(message):
        raise BrokenPipeError

    with pytest.raises(RuntimeError):  # Starlette cannot send an error any more
        asyncio.run(client().app(scope, receive, send))
    assert files() == []


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ({"vividness": "7"}, "vividness is 7"), ({"strength": "much"}, "strength is 'much', which is not a number"),
        ({"hint": "0.5,0.5"}, "hint"), ({"hint": "0.5,0.5,nocolour"}, "colour"), ({"strength": "-1"}, "strength"),
        ({"detail": "0.5"}, "detail is 0.5"),
    ],
)  # fmt: skip
def test_programs_are_refused_in_words(client, files, query, message):
    answer = client().put("/api/colorize", params={"name": "old.png"} | query, content=png(picture(1)))
    assert answer.status_code == 400
    assert message in answer.json()["error"]
    assert files() == []


@pytest.mark.slow
def test_requests_of_programs_push_out_no_visitor(client, visitor):
    item = visitor.add("old.png", png(picture(1)))
    for _ in range(110):
        assert client().get("/api/studio").status_code == 200
    assert visitor.download(item)[0] == "old.color.png"


@pytest.mark.slow
def test_the_examples_of_the_page_run(tmp_path, monkeypatch):
    shown = re.findall(r"```(\w+)\n(.*?)```", (ROOT / "docs" / "studio.md").read_text(), re.S)
    shell = "".join(text for kind, text in shown if kind == "sh" and "curl" in text)
    (python,) = (text for kind, text in shown if kind == "python")
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    (tmp_path / "studio").mkdir()
    monkeypatch.chdir(tmp_path)
    with running_studio(tmp_path / "studio") as studio:
        shell, python = (text.replace("http://127.0.0.1:7860", studio.url) for text in (shell, python))
        subprocess.run(["bash", "-euo", "pipefail", "-c", shell], check=True)
        printed = subprocess.run([sys.executable, "-c", python], capture_output=True, text=True, check=True).stdout
    assert int(printed.splitlines()[-1]) > 40  # a picture lends itself nearly all of its colours
    for name in ("house.color.jpg", "house.sky.jpg", "house.marked.jpg", "house.hinted.jpg"):
        with Image.open(name) as image, Image.open("examples/dust-bowl-home.jpg") as source:
            assert image.size == source.size
            assert np.ptp(np.asarray(image.convert("RGB"), int), axis=2).mean() > 5
    for name in ("house.sky.jpg", "house.hinted.jpg"):
        assert b"with 1 colour given by hand)" in Path(name).read_bytes()
    assert b"colours given by hand)" in Path("house.marked.jpg").read_bytes()
