"""A studio in a separate process, and visitors that send the requests of its page."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from tests.helpers.folders import files_below

PATIENCE = 600  # seconds, which only a hanging studio exceeds


@dataclass
class RunningStudio:
    url: str
    folder: Path
    """All temporary files of the process lie in here."""
    process: subprocess.Popen[str]
    clients: list[httpx.Client] = field(default_factory=list)

    def files(self) -> list[Path]:
        return files_below(self.folder)

    def visitor(self) -> Visitor:
        client = httpx.Client(base_url=self.url, timeout=PATIENCE)
        self.clients.append(client)  # the last one may belong to another thread by now
        return Visitor(client)


@contextmanager
def running_studio(folder: Path, *arguments: str, before: str = "") -> Iterator[RunningStudio]:
    """Run a studio with the embedded model at a free port.

    Args:
        folder: Folder for the temporary files of the process.
        arguments: Further arguments of ``photochrom studio``.
        before: Python code that runs in the process first.
    """
    code = f"{before}\nfrom photochrom.commands.main import run\nrun()"
    command = [sys.executable, "-c", code, "studio", "--no-open", "--port", "0", *arguments]
    environment = os.environ | {"TMPDIR": str(folder)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
        try:
            line = process.stdout.readline()
            studio = RunningStudio(line.split("at ")[1].split(" ")[0], folder, process)
            try:
                yield studio
            finally:  # an open connection would fail another test later
                for client in studio.clients:
                    client.close()
        finally:
            process.send_signal(signal.SIGINT)
            try:
                process.communicate(timeout=PATIENCE)
            finally:
                process.kill()  # one that hangs would keep the tests from ending


class RefusedError(Exception):
    """The studio refused a request; the message is the studio's."""


class Visitor:
    """Sends the requests of a page, and keeps its cookies.

    Args:
        client: Sends requests to a studio, over the network or within the process.
    """

    def __init__(self, client: httpx.Client) -> None:
        self.client = client
        self.studio = self.get("/api/studio")

    def get(self, path: str) -> Any:
        return self._checked(self.client.get(path)).json()

    def fetch(self, path: str) -> bytes:
        return self._checked(self.client.get(path)).content

    def post(self, path: str, facts: Any = None) -> Any:
        return self._checked(self.client.post(path, json=facts)).json()

    def send(self, path: str, name: str, content: bytes) -> Any:
        return self._checked(self.client.post(path, params={"name": name}, content=content)).json()

    def add(self, name: str, content: bytes) -> str:
        """Drop a file, and return the id of its item."""
        return str(self.send("/api/items", name, content)["id"])

    def remove(self, item: str) -> None:
        self._checked(self.client.delete(f"/api/items/{item}"))

    def item(self, item: str) -> Any:
        return self.get(f"/api/items/{item}")

    def edit(self, item: str, do: str, **change: Any) -> Any:
        return self.post(f"/api/items/{item}/edit", {"do": do, **change})

    def put(self, item: str, x: float, y: float, color: str = "#c81e28", kind: str = "point", **more: Any) -> Any:
        """Add a mark to those of an item, and return the answer."""
        mark = {"kind": kind, "places": [[x, y]], "color": color} | more
        return self.edit(item, "marks", marks=[*self.item(item)["marks"], mark])

    def download(self, item: str) -> tuple[str, bytes]:
        """Return the name and the content of an item's result."""
        answer = self._checked(self.client.get(f"/api/items/{item}/download"))
        return answer.headers["content-disposition"].split('filename="')[1].rstrip('"'), answer.content

    @staticmethod
    def _checked(answer: httpx.Response) -> httpx.Response:
        if answer.status_code >= 400:
            is_json = answer.headers.get("content-type") == "application/json"
            raise RefusedError(f"{answer.status_code} {answer.json()['error'] if is_json else answer.text}")
        return answer
