"""Photochrom inside other programs: VapourSynth, ComfyUI, GIMP and darktable.

Each integration is thin: it hands luma to the ``Colorizer`` or a file to the command line, and gives back what comes.
"""
