"""Photochrom inside other programs: VapourSynth, ComfyUI, GIMP and darktable.

Each integration is thin: it passes luma to the ``Colorizer``, or a file to the command line, and returns the result.
"""
