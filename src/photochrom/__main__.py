"""``python -m photochrom``."""

from .cli import run

run()
