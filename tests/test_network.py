"""Photochrom works without a network, and does not try to reach one."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

# Python's audit hooks report every connection and look-up by Python code, also in forked children.
LISTEN = """
import os, sys
def listen(event, arguments):
    if event in ("socket.connect", "socket.getaddrinfo", "socket.gethostbyname", "socket.sendto"):
        address = arguments[0] if event != "socket.connect" else arguments[1]
        if isinstance(address, tuple):
            address = address[0]
        if isinstance(address, str) and not address.startswith(("127.", "/", "::1", "localhost")):
            with open(os.environ["HEARD"], "a") as file:
                file.write(f"{event} {address}\\n")
sys.addaudithook(listen)
"""
COMMANDS = {
    "photo": "from photochrom.commands.main import run; run()",
    "import": "import photochrom; photochrom.Colorizer()",
}


def test_the_listener_hears(tmp_path):
    code = LISTEN + "import socket\ntry: socket.getaddrinfo('example.invalid', 80)\nexcept OSError: pass"
    subprocess.run([sys.executable, "-c", code], env=os.environ | {"HEARD": str(tmp_path / "heard")}, check=True)
    assert (tmp_path / "heard").read_text() == "socket.getaddrinfo example.invalid\n"


@pytest.fixture
def photograph(tmp_path):
    Image.effect_noise((64, 48), 60).save(tmp_path / "old.png")
    return tmp_path / "old.png"


@pytest.mark.slow
@pytest.mark.parametrize("name", COMMANDS)
def test_no_connection_is_opened(tmp_path, photograph, name):
    arguments = ["photo", str(photograph)] if name == "photo" else []
    environment = os.environ | {"HEARD": str(tmp_path / "heard"), "HOME": str(tmp_path / "home")}
    (tmp_path / "home").mkdir()
    subprocess.run([sys.executable, "-c", LISTEN + COMMANDS[name], *arguments], env=environment, check=True)
    assert not (tmp_path / "heard").exists(), (tmp_path / "heard").read_text()
    assert not (tmp_path / "home" / "intel").exists()  # where OpenVINO's telemetry keeps its identity of the user


@pytest.mark.slow
def test_the_studio_opens_no_connection(tmp_path, photograph, monkeypatch):
    pytest.importorskip("starlette", reason="needs the studio extra")
    from tests.helpers.studio_server import running_studio

    monkeypatch.setenv("HEARD", str(tmp_path / "heard"))
    (tmp_path / "studio").mkdir()
    with running_studio(tmp_path / "studio", before=LISTEN) as studio:
        visitor = studio.visitor()
        visitor.fetch("/")
        visitor.download(visitor.add("old.png", photograph.read_bytes()))
    assert not (tmp_path / "heard").exists(), (tmp_path / "heard").read_text()


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("strace") is None, reason="needs strace")
def test_the_system_sees_no_connection_either(tmp_path, photograph):
    """Connections of C libraries are detected, too."""
    log = tmp_path / "calls"
    command = ["strace", "-f", "-qq", "-e", "trace=connect,sendto", "-o", str(log), sys.executable]
    done = subprocess.run([*command, "-c", COMMANDS["photo"], "photo", str(photograph)], capture_output=True, text=True)
    if done.returncode and "PTRACE" in done.stderr.upper():
        pytest.skip("this system does not let processes be traced")
    assert done.returncode == 0, done.stderr
    assert [line for line in log.read_text().splitlines() if "AF_INET" in line] == []


def test_openvino_is_imported_in_one_place():
    """Any other import of OpenVINO would load its telemetry as well."""
    root = Path(__file__).parents[1] / "src" / "photochrom"
    imported = re.compile(r"^\s*(import|from) openvino\b", re.MULTILINE)
    importers = [path.name for path in root.rglob("*.py") if imported.search(path.read_text())]
    assert importers == ["engines.py"]
