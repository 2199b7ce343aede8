"""Commands for those who make models: ``python -m photochrom.training distillation``, ``export`` or ``reexport``."""

from __future__ import annotations

import argparse
import importlib
import sys
from typing import Final

from ..commands.messages import error_text
from ..errors import OptionError, PhotochromError, TrainingError, needed_for
from .stop_signals import Stopped

_COMMANDS: Final = {
    "distillation": "train an encoder to recognise in grey pictures what it recognises in colour ones",
    "export": "write a checkpoint as a model file",
    "reexport": "re-export a model file with the current exporter",
}


def main(arguments: list[str] | None = None) -> int:
    """Run the command line, and return its exit status."""
    given = sys.argv[1:] if arguments is None else arguments
    command = _parser().parse_args(given[:1]).command
    try:
        with needed_for("training", "train", TrainingError):
            module = importlib.import_module(f".{command}", __package__)
        return int(module.run(given[1:]))
    except (PhotochromError, Stopped) as exc:
        print(f"photochrom: {error_text(exc)}", file=sys.stderr)
        return exc.status if isinstance(exc, Stopped) else 2 if isinstance(exc, OptionError) else 1
    except KeyboardInterrupt:
        print("photochrom: interrupted; finished files are kept", file=sys.stderr)
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m photochrom.training", description="Commands for those who make models."
    )
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for name, purpose in _COMMANDS.items():
        commands.add_parser(name, help=purpose)
    return parser


if __name__ == "__main__":
    sys.exit(main())
