#!/usr/bin/env python3
"""Plug-in for GIMP 3: Colors > Colorize with Photochrom.

Copy this file to a folder ``photochrom`` in GIMP's folder of plug-ins, and make it executable. The command
``photochrom`` must be installed. If it is not on the search path, set the environment variable PHOTOCHROM_COMMAND to
its path.

A greyscale image is converted to RGB. The colours are added as a layer above the existing ones, in the mode "LCh
Color", so that they can be erased or weakened by hand.
"""

import os
import shlex
import subprocess
import sys
import tempfile

import gi

gi.require_version("Gimp", "3.0")
from gi.repository import Gimp, Gio, GLib  # noqa: E402

PROCEDURE = "plug-in-photochrom"


class Photochrom(Gimp.PlugIn):
    """The plug-in class that GIMP loads."""

    def do_query_procedures(self):
        """Return the names of the plug-in's procedures."""
        return [PROCEDURE]

    def do_set_i18n(self, name):
        """Declare that the plug-in has no translations."""
        return False

    def do_create_procedure(self, name):
        """Declare the procedure: its place in the menu and its arguments."""
        procedure = Gimp.ImageProcedure.new(self, name, Gimp.PDBProcType.PLUGIN, self.color, None)
        procedure.set_image_types("*")
        procedure.set_sensitivity_mask(Gimp.ProcedureSensitivityMask.DRAWABLE)
        procedure.set_menu_label("Colorize with _Photochrom")
        procedure.add_menu_path("<Image>/Colors")
        procedure.set_documentation("Colour a black-and-white photograph", "Adds a layer of colours above it.", name)
        procedure.set_attribution("The Photochrom authors", "The Photochrom authors", "2026")
        return procedure

    def color(self, procedure, mode, image, drawables, config, data):
        """Colour the visible image, and add the result as a layer of colours; return GIMP's status of the procedure."""
        Gimp.context_push()
        image.undo_group_start()
        try:
            add_colors(image)
        except (subprocess.CalledProcessError, OSError, ValueError, GLib.Error) as exc:
            message = (getattr(exc, "stderr", "") or str(exc)).strip()
            error = GLib.Error.new_literal(Gimp.PlugIn.error_quark(), message, 0)
            return procedure.new_return_values(Gimp.PDBStatusType.EXECUTION_ERROR, error)
        finally:
            image.undo_group_end()
            Gimp.context_pop()
        Gimp.displays_flush()
        return procedure.new_return_values(Gimp.PDBStatusType.SUCCESS, None)


def add_colors(image):
    """Run ``photochrom photo`` on a copy of the image, and add the result as a layer; a grey image becomes RGB.

    Raises:
        subprocess.CalledProcessError: ``photochrom`` failed; its message is in ``stderr``.
        OSError: ``photochrom`` is not installed, or a temporary file cannot be written.
        ValueError: PHOTOCHROM_COMMAND has a quotation mark without a second one.
        GLib.Error: GIMP cannot write the copy or read the result.
    """
    with tempfile.TemporaryDirectory() as folder:
        grey, colored = (Gio.File.new_for_path(f"{folder}{os.sep}{name}") for name in ("old.png", "old.color.png"))
        copy = image.duplicate()
        copy.flatten()
        Gimp.file_save(Gimp.RunMode.NONINTERACTIVE, copy, grey, None)
        copy.delete()
        command = shlex.split(os.environ.get("PHOTOCHROM_COMMAND", "photochrom"))
        arguments = ["photo", grey.get_path(), "-o", colored.get_path(), "--recolor", "--quiet"]
        subprocess.run([*command, *arguments], check=True, capture_output=True, text=True)
        if image.get_base_type() == Gimp.ImageBaseType.GRAY:
            image.convert_rgb()  # otherwise the loaded layer would become grey, too
        layer = Gimp.file_load_layer(Gimp.RunMode.NONINTERACTIVE, image, colored)
    layer.set_name("Photochrom")
    layer.set_mode(Gimp.LayerMode.LCH_COLOR)
    image.insert_layer(layer, None, 0)


if __name__ == "__main__":
    Gimp.main(Photochrom.__gtype__, sys.argv)
