"""An argument parser that suggests corrections for misspelled options and values."""

from __future__ import annotations

import argparse
import difflib
import itertools
import os
import re
import sys
from collections.abc import Iterable, Sequence
from typing import Any, Final, NoReturn, TypeAlias

from .console import print_to_stderr

_NEGATIVE: Final = re.compile(r"-\.?\d")


class Parser(argparse.ArgumentParser):
    """An argument parser that reports wrong usage in one line, and suggests the nearest valid option or value.

    A value or a file name may begin with a minus sign and a digit, as in ``--hint -1,5,red``, since no option does.
    """

    def __init__(self, *args: Any, **settings: Any) -> None:
        super().__init__(*args, **settings)
        self._negative_number_matcher = _NEGATIVE
        self._given: list[str] = []

    def parse_known_args(self, args=None, namespace=None):  # type: ignore[no-untyped-def]
        """Parse arguments, and exit if one is unknown."""
        # ``argparse`` would leave this to the main parser, which cannot suggest an option of the verb.
        self._given = sys.argv[1:] if args is None else list(args)
        if "" in self._given:
            self.error("an argument is empty, perhaps because a variable is not set")
        if self._subparsers is None and (file := self._file_like_an_option()):
            self.error(f"unrecognized arguments: {file}")
        found, rest = super().parse_known_args(args, namespace)
        if rest:
            self.error(f"unrecognized arguments: {' '.join(rest)}")
        return found, rest

    def _file_like_an_option(self) -> str | None:
        """Return the first file among the arguments that would be taken for an option, as ``-old.jpg`` for ``-o``."""
        for text in itertools.takewhile(lambda text: text != "--", self._given):
            is_known = text.partition("=")[0] in self._option_string_actions
            if is_option(text) and not is_known and os.path.lexists(text):
                return text
        return None

    def error(self, message: str) -> NoReturn:
        """Print a message with a suggestion, and exit with status 2."""
        print_to_stderr(f"{self.prog}: {self._improved(message)}")
        self.exit(2)

    def _print_message(self, message: str, file: Any = None) -> None:
        """Print help or the version. Unlike argparse, this does not ignore write errors, such as a full disk."""
        stream = file or sys.stderr
        if message and stream is not None:
            stream.write(message)

    def _improved(self, message: str) -> str:
        see = f"see '{self.prog} --help'"
        if file := self._file_like_an_option():
            return f"{file} is taken for an option: write ./{file}"
        if found := re.fullmatch(r"unrecognized arguments: (.*)", message, re.S):
            wrong = found[1].split(" ")[0]
            what = "unknown option" if wrong.startswith("-") else "unexpected argument"
            return f"{what} {wrong}{did_you_mean(wrong.partition('=')[0], self._option_string_actions) or f': {see}'}"
        if found := re.fullmatch(r"argument (.+?): expected (?:one|at least one) argument", message, re.S):
            option = found[1].rpartition("/")[2]
            return f"{option} lacks its value; if that begins with a minus sign, write {option}=VALUE: {see}"
        if found := re.fullmatch(r"argument (.+?): invalid choice: '(.*)' \(choose from (.+)\)", message, re.S):
            name, wrong, choices = found.groups()
            options = [choice.strip("'") for choice in choices.split(", ")]
            return f"{name}: unknown value {wrong!r}{did_you_mean(wrong, options) or f': choose from {choices}'}"
        return f"{message}: {see}"


Verbs: TypeAlias = "argparse._SubParsersAction[Parser]"


def is_option(text: str) -> bool:
    """Return whether an argument is an option: neither a file name, nor ``-``, nor a number."""
    return text.startswith("-") and text != "-" and not _NEGATIVE.match(text)


def did_you_mean(wrong: str, known: Iterable[str]) -> str:
    """Return ``: did you mean X?``, where X is the known word most similar to a wrong one; empty if none is similar."""
    names = {word.lstrip("-"): word for word in known}  # the dashes of options do not make them similar
    near = difflib.get_close_matches(wrong.lstrip("-"), list(names), n=1)
    return f": did you mean {names[near[0]]}?" if near else ""


def options_of(parser: argparse.ArgumentParser) -> Sequence[argparse.Action]:
    """Return the arguments that a parser declares, as argparse's actions."""
    return parser._actions  # argparse has no public way to list them


def options_given(parser: argparse.ArgumentParser, args: argparse.Namespace) -> list[str]:
    """Return the options whose values are not the defaults, in their longest spelling."""
    actions = [action for action in options_of(parser) if action.option_strings and action.dest in args]
    return [max(a.option_strings, key=len) for a in actions if getattr(args, a.dest) != parser.get_default(a.dest)]
