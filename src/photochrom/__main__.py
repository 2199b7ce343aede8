"""``python -m photochrom``."""

from .commands.main import run

run()
