"""The plug-ins of GIMP and darktable, tested in the programs if they are installed, otherwise by their protocol."""

from __future__ import annotations

import runpy
import shutil
import subprocess
import sys
from importlib.resources import files
from unittest.mock import MagicMock

import numpy as np
import pytest
from PIL import Image

HOSTS = files("photochrom.integrations")

# The part of darktable's interface that the script uses. Calls are recorded in `events`.
DARKTABLE = """
events = {}
local function note(...) events[#events + 1] = table.concat({...}, " ") end
local registered
package.preload.darktable = function() return {
  preferences = {register = function() end, read = function() return COMMAND end},
  new_format = function(kind) return {write_image = function(self, image, path)
    note("export", kind, self.bpp, image.filename)
    local from, to = io.open(image.path .. "/" .. image.filename, "rb"), io.open(path, "wb")
    to:write(from:read("a")); from:close(); to:close()
  end} end,
  database = {import = function(path)
    note("import", path)
    return {group_with = function(_, leader) note("group with", leader) end}
  end},
  gui = {create_job = function() return {} end, libs = {image = {
    register_action = function(_, label, action) note("register", label); registered = action end,
    destroy_action = function() note("destroy") end}}},
  print = function(text) note("print", text) end,
} end
local script = dofile(SCRIPT)
registered("shortcut", {{path = FOLDER, filename = "it's old.tif", group_leader = "leader"}})
script.destroy()
print(table.concat(events, "\\n"))
"""


@pytest.fixture
def lua():
    path = shutil.which("lua") or shutil.which("lua5.4")
    return path or pytest.skip("needs Lua: apt install lua5.4")


def darktable(lua, folder, command):
    variables = {"COMMAND": command, "FOLDER": str(folder), "SCRIPT": str(HOSTS / "darktable" / "photochrom.lua")}
    code = "".join(f"{name} = [[{value}]]\n" for name, value in variables.items()) + DARKTABLE
    done = subprocess.run([lua, "-"], input=code, capture_output=True, text=True, check=True, timeout=600)
    return done.stdout.splitlines()


@pytest.fixture
def old(tmp_path):
    grey = np.tile(np.linspace(20, 230, 96).astype(np.uint8), (64, 1))
    Image.fromarray(grey).save(tmp_path / "it's old.tif")
    return tmp_path


@pytest.mark.slow
def test_darktable_exports_colours_imports_and_groups(lua, old):
    command = f"{sys.executable} -m photochrom"
    result = old / "it's old.color.tif"
    assert darktable(lua, old, command) == [
        "register Colorize with Photochrom", "export tiff 16 it's old.tif", f"import {result}", "group with leader",
        "destroy",
    ]  # fmt: skip
    with Image.open(result) as image:
        assert (image.size, image.mode) == ((96, 64), "RGB")
    again = old / "it's old.color-2.tif"
    assert f"import {again}" in darktable(lua, old, command)


def test_darktable_shows_the_message_of_photochrom(lua, old):
    events = darktable(lua, old, "sh -c 'echo no such thing >&2; exit 1'")
    assert "print it's old.tif: no such thing" in [event.strip() for event in events]
    assert not any(event.startswith("import") for event in events)


GIMP = """
image = Gimp.file_load(Gimp.RunMode.NONINTERACTIVE, Gio.File.new_for_path({source!r}))
procedure = Gimp.get_pdb().lookup_procedure("plug-in-photochrom")
config = procedure.create_config()
config.set_property("image", image)
config.set_property("run-mode", Gimp.RunMode.NONINTERACTIVE)
config.set_core_object_array("drawables", image.get_layers())
print("STATUS", int(procedure.run(config).index(0)))
print("LAYERS", [layer.get_name() + " " + layer.get_mode().value_nick for layer in image.get_layers()])
image.flatten()
Gimp.file_save(Gimp.RunMode.NONINTERACTIVE, image, Gio.File.new_for_path({target!r}), None)
"""


def gimp_3():
    """Return GIMP's console program, if it is of version 3."""
    path = shutil.which("gimp-console-3.0") or shutil.which("gimp-console")
    said = subprocess.run([path, "--version"], capture_output=True, text=True).stdout if path else ""
    return path if " 3." in said else None


@pytest.mark.slow
def test_gimp_adds_a_layer_of_colours_and_keeps_the_other(tmp_path, monkeypatch):
    program = gimp_3() or pytest.skip("needs GIMP 3: apt install gimp")
    plugin = tmp_path / "config" / "plug-ins" / "photochrom" / "photochrom.py"
    plugin.parent.mkdir(parents=True)
    plugin.write_bytes((HOSTS / "gimp" / "photochrom.py").read_bytes())
    plugin.chmod(0o755)
    source, target = tmp_path / "old.png", tmp_path / "colored.png"
    grey = np.tile(np.linspace(20, 230, 160).astype(np.uint8), (120, 1))
    Image.fromarray(grey).save(source)
    monkeypatch.setenv("GIMP3_DIRECTORY", str(tmp_path / "config"))
    monkeypatch.setenv("PHOTOCHROM_COMMAND", f"{sys.executable} -m photochrom")
    command = [program, "-idf", "--batch-interpreter", "python-fu-eval", "--quit"]
    code = GIMP.format(source=str(source), target=str(target))
    done = subprocess.run([*command, "-b", code], capture_output=True, text=True, timeout=600)
    assert "STATUS 3" in done.stdout, done.stdout + done.stderr
    assert "LAYERS ['Photochrom lch-color', " in done.stdout
    with Image.open(target) as image:
        assert image.mode == "RGB"


class Error(Exception):
    """Stands for GLib.Error."""

    @staticmethod
    def new_literal(quark, message, code):
        return message


@pytest.mark.parametrize(
    ("command", "fault"),
    [("photochrom", "disk full"), ("photochrom '", "No closing quotation"), ("false", "non-zero"), ("gone", "gone")],
)
def test_gimp_shows_every_failure(monkeypatch, command, fault):
    modules = MagicMock()
    modules.Gimp.PlugIn = MagicMock  # the base class of the plug-in
    modules.GLib.Error = Error
    monkeypatch.setitem(sys.modules, "gi", modules)
    monkeypatch.setitem(sys.modules, "gi.repository", modules)
    monkeypatch.setenv("PHOTOCHROM_COMMAND", command)
    if fault == "disk full":
        modules.Gimp.file_save.side_effect = Error(fault)
    plugin = runpy.run_path(str(HOSTS / "gimp" / "photochrom.py"))
    monkeypatch.setattr(modules.Gimp.PlugIn, "error_quark", lambda: 1, raising=False)
    procedure = MagicMock()
    plugin["Photochrom"]().color(procedure, None, MagicMock(), [], None, None)
    status, message = procedure.new_return_values.call_args.args
    assert status is modules.Gimp.PDBStatusType.EXECUTION_ERROR
    assert fault in message
