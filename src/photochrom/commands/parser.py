"""An argument parser that suggests corrections for misspelled options and values."""

from __future__ import annotations

import argparse
import difflib
import re
import sys
from collections.abc import Iterable, Sequence
from typing import Any, NoReturn, TypeAlias

from .console import say


class Parser(argparse.ArgumentParser):
    """Reports wrong usage in one line, with the nearest valid option or value if there is one."""

    def parse_known_args(self, args=None, namespace=None):  # type: ignore[no-untyped-def]
        """Parse, and report unknown options here, where the verb's own options are known."""
        found, rest = super().parse_known_args(args, namespace)
        if rest:
            self.error(f"unrecognized arguments: {' '.join(rest)}")
        return found, rest

    def error(self, message: str) -> NoReturn:
        """Print the message with a suggestion, and exit with status 2."""
        say(f"{self.prog}: {self._improved(message)}")
        self.exit(2)

    def _print_message(self, message: str, file: Any = None) -> None:
        """Print help or the version. Unlike argparse, this does not ignore write errors, such as a full disk."""
        stream = file or sys.stderr
        if message and stream is not None:
            stream.write(message)

    def _improved(self, message: str) -> str:
        see = f"see '{self.prog} --help'"
        if found := re.fullmatch(r"unrecognized arguments: (.*)", message, re.S):
            wrong = found[1].split(" ")[0]
            what = "unknown option" if wrong.startswith("-") else "unexpected argument"
            return f"{what} {wrong}{did_you_mean(wrong.partition('=')[0], self._option_string_actions) or f': {see}'}"
        if found := re.fullmatch(r"argument (.+?): invalid choice: '(.*)' \(choose from (.+)\)", message, re.S):
            name, wrong, choices = found.groups()
            options = [choice.strip("'") for choice in choices.split(", ")]
            return f"{name}: unknown value {wrong!r}{did_you_mean(wrong, options) or f': choose from {choices}'}"
        return f"{message}: {see}"


Verbs: TypeAlias = "argparse._SubParsersAction[Parser]"


def did_you_mean(wrong: str, known: Iterable[str]) -> str:
    """Return ``: did you mean X?`` for the nearest known word, or an empty string."""
    near = difflib.get_close_matches(wrong, list(known), n=1)
    return f": did you mean {near[0]}?" if near else ""


def options_of(parser: argparse.ArgumentParser) -> Sequence[argparse.Action]:
    """Return the actions of a parser, which argparse has no public way to list."""
    return parser._actions
