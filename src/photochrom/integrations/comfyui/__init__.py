"""Photochrom as nodes for ComfyUI.

Make a folder ``photochrom`` in ComfyUI's ``custom_nodes`` with this ``__init__.py``::

    from photochrom.integrations.comfyui import NODE_CLASS_MAPPINGS, NODE_DISPLAY_NAME_MAPPINGS
"""

from .nodes import Frames, Hints, Photograph

NODE_CLASS_MAPPINGS = {"PhotochromPhotograph": Photograph, "PhotochromFrames": Frames, "PhotochromHints": Hints}
NODE_DISPLAY_NAME_MAPPINGS = {
    "PhotochromPhotograph": "Colour a photograph (Photochrom)",
    "PhotochromFrames": "Colour the frames of a film (Photochrom)",
    "PhotochromHints": "Known colour from a mask (Photochrom)",
}

__all__ = ["NODE_CLASS_MAPPINGS", "NODE_DISPLAY_NAME_MAPPINGS"]
