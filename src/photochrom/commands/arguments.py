"""Arguments shared by several verbs."""

from __future__ import annotations

import argparse
from functools import cached_property
from typing import TYPE_CHECKING, Final

from ..colorizer.options import ColorOptions
from ..errors import PhotochromError
from .parser import Parser, Verbs

if TYPE_CHECKING:
    from ..colorizer.colorizer import Colorizer

DOCUMENTATION: Final = "https://photochrom.github.io/photochrom/"


def add_verb(
    verbs: Verbs, name: str, summary: str, description: str, *, examples: tuple[str, ...], page: str
) -> Parser:
    """Declare a verb and return its parser, whose help ends with examples and a link to the documentation.

    Args:
        verbs: The subparsers of the main parser.
        name: Name of the verb.
        summary: One line for the list of verbs.
        description: A few sentences for the verb's own help.
        examples: Commands, without the leading ``photochrom``.
        page: Page of the documentation, such as ``films``; empty for the front page.
    """
    lines = "\n".join(f"  photochrom {example}" for example in examples)
    epilog = f"examples:\n{lines}\n\ndocumentation: {DOCUMENTATION}{page and page + '/'}"
    return verbs.add_parser(
        name,
        help=summary,
        description=description,
        epilog=epilog,
        formatter_class=_HelpFormatter,
    )


def add_model(parser: argparse._ActionsContainer) -> None:
    """Declare ``--model`` and ``--device``."""
    parser.add_argument("--model", default="default", help="a name or an .onnx file (default: the embedded model)")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda (NVIDIA) or gpu (Intel) (default: auto)")


class ModelLoader:
    """Loads the model that the arguments name, at the first call.

    Loading takes most of a second. All that is wrong with the pictures and the outputs is reported before that.

    Args:
        args: Parsed arguments of the command.

    Raises:
        ModelError: There is no such model.
    """

    def __init__(self, args: argparse.Namespace) -> None:
        from ..models.registry import find_model

        find_model(args.model)  # a wrong name is reported even if nothing is to be coloured
        self._args = args
        self.error: PhotochromError | None = None
        """The reason why the model could not be loaded, which ends the command; None if there is none."""

    @cached_property
    def _colorizer(self) -> Colorizer:
        from ..colorizer.colorizer import Colorizer

        return Colorizer(self._args.model, self._args.device)

    def __call__(self) -> Colorizer:
        """Return the loaded model.

        Raises:
            ModelError, EngineError: The model cannot be loaded; the error is also recorded as ``error``.
        """
        try:
            return self._colorizer
        except PhotochromError as exc:
            self.error = exc
            raise


def add_dials(parser: argparse._ActionsContainer) -> None:
    """Declare ``--vividness``, ``--strength`` and ``--detail``."""
    parser.add_argument(
        "--vividness", type=float, metavar="0..1", help="0: cautious and muted, 1: bold (default: set by the model)"
    )
    parser.add_argument(
        "--strength", type=float, default=1.0, metavar="0..2", help="multiplies the chroma (default: 1)"
    )
    add_detail(parser)


def color_options(args: argparse.Namespace) -> ColorOptions:
    """Return the options that ``add_dials`` has declared.

    Raises:
        OptionError: A value is out of its range.
    """
    return ColorOptions(vividness=args.vividness, strength=args.strength, detail=args.detail)


def add_detail(parser: argparse._ActionsContainer) -> None:
    """Declare ``--detail``."""
    parser.add_argument(
        "--detail", type=float, default=1.0, metavar="1..2",
        help="2: also look at the picture at twice the size, for the colours of small things; slower (default: 1)",
    )  # fmt: skip


def add_overwrite(parser: argparse.ArgumentParser) -> None:
    """Declare ``--overwrite``."""
    parser.add_argument("--overwrite", action="store_true", help="replace existing outputs")


def add_verbosity(parser: argparse.ArgumentParser) -> None:
    """Declare ``--quiet`` and ``--verbose``."""
    verbosity = parser.add_mutually_exclusive_group()
    verbosity.add_argument("-q", "--quiet", action="store_true", help="print errors only")
    verbosity.add_argument("-v", "--verbose", action="store_true", help="print more about each step")


class _HelpFormatter(argparse.HelpFormatter):
    """A help formatter that wraps descriptions, but not the examples."""

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        if text.startswith("examples:"):
            return text
        return super()._fill_text(text, width, indent)
