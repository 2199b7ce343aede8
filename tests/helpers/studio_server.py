"""A studio in a process of its own, and visitors that speak to it as its page does."""

from __future__ import annotations

import json
import os
import secrets
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

META = {"_type": "gradio.FileData"}
_PATIENCE = 120  # seconds


@dataclass
class RunningStudio:
    url: str
    folder: Path
    """All temporary files of the process lie in here."""
    process: subprocess.Popen[str]

    def files(self) -> list[Path]:
        return [path for path in self.folder.rglob("*") if path.is_file()]


@contextmanager
def running_studio(folder: Path, *arguments: str, before: str = "") -> Iterator[RunningStudio]:
    """A studio with the embedded model at a free port.

    Args:
        folder: for its temporary files.
        arguments: of the command line.
        before: Python that runs in the process first.
    """
    code = f"{before}\nfrom photochrom.commands.main import run\nrun()"
    command = [sys.executable, "-c", code, "studio", "--no-open", "--port", "0", *arguments]
    environment = os.environ | {"TMPDIR": str(folder)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
        try:
            line = process.stdout.readline()
            yield RunningStudio(line.split("at ")[1].split(" ")[0], folder, process)
        finally:
            process.send_signal(signal.SIGINT)
            process.communicate(timeout=30)


class RefusedError(Exception):
    """What the studio said instead of doing it."""


@dataclass
class Visitor:
    """One tab of a browser, without the browser."""

    url: str
    session: str = field(default_factory=lambda: secrets.token_hex(8))

    def __post_init__(self) -> None:
        self.config = httpx.get(f"{self.url}/config", timeout=_PATIENCE).json()

    def upload(self, name: str, data: bytes) -> dict[str, Any]:
        """A file as Gradio's components hold it."""
        answer = self._post("/gradio_api/upload", files={"files": (name, data)})
        return {"path": answer.json()[0], "orig_name": name, "meta": META}

    def do(self, element: str, event: str, data: list[Any], event_data: Any = None) -> list[Any]:
        """What the page does at an event of an element; the updates that it gets."""
        return self._answer_to(self.ask(self.number_of(element, event), data, event_data))

    def ask(self, number: int, data: list[Any], event_data: Any = None) -> str:
        """The same without waiting for the answer."""
        body = {"data": data, "fn_index": number, "session_hash": self.session, "event_data": event_data}
        return str(self._post("/gradio_api/queue/join", json=body).json()["event_id"])

    def do_next(self, element: str, event: str, data: list[Any]) -> list[Any]:
        """What the page does by itself when that is done."""
        return self._answer_to(self.ask_next(element, event, data))

    def ask_next(self, element: str, event: str, data: list[Any]) -> str:
        """The same without waiting for the answer."""
        former = self.number_of(element, event)
        (number,) = (
            d["id"]
            for d in self.config["dependencies"]
            if d["trigger_after"] == former and d["trigger_only_on_success"]
        )
        return self.ask(number, data)

    def fetch(self, file: dict[str, Any]) -> bytes:
        return httpx.get(f"{self.url}/gradio_api/file={file['path']}", timeout=_PATIENCE).raise_for_status().content

    def _post(self, route: str, **content: Any) -> httpx.Response:
        answer = httpx.post(self.url + route, timeout=_PATIENCE, **content)
        if answer.status_code != 200:
            raise RefusedError(f"{answer.status_code} {answer.text}")
        return answer

    def number_of(self, element: str, event: str) -> int:
        (component,) = (c["id"] for c in self.config["components"] if c["props"].get("elem_id") == element)
        (number,) = (d["id"] for d in self.config["dependencies"] if [component, event] in map(list, d["targets"]))
        return int(number)

    def _answer_to(self, event_id: str) -> list[Any]:
        address = f"{self.url}/gradio_api/queue/data?session_hash={self.session}"
        with httpx.stream("GET", address, timeout=_PATIENCE) as stream:
            for line in stream.iter_lines():
                message = json.loads(line.removeprefix("data:")) if line.startswith("data:") else {}
                if message.get("msg") == "process_completed" and message["event_id"] == event_id:
                    if not message["success"]:
                        raise RefusedError(message["output"]["error"])
                    return list(message["output"]["data"])
        raise RefusedError("the stream ended")
