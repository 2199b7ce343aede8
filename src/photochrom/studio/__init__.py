"""The studio: a page, served on the user's own machine, where photographs and films are coloured interactively.

``app``: starts the server and stops it, together with its folder of temporary files.
``page`` and ``tabs``: the user interface. ``api``: the same functions for programs.
``sessions``: the work of each visitor. ``editing``: its undo history and cached predictions.
``state``: what all visitors share. ``render``: the pictures that are shown.
``gradio_guard``: everything that restrains Gradio.
"""
