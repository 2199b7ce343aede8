"""The entry point: finds and runs the verb, and turns errors into one-line messages and exit statuses."""

from __future__ import annotations

import argparse
import io
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

from ..errors import OptionError, PhotochromError
from ..machine import lacks_memory
from ..version import __version__
from . import INTERRUPTED, batch, c2pa, doctor, evaluate, film, models, photo, studio, train
from .arguments import DOCUMENTATION
from .console import discard_unwritable, print_to_stderr
from .file_kinds import kind_of
from .messages import error_text
from .parser import Parser, did_you_mean, is_option
from .settings import apply_settings
from .shutdown import Shutdown
from .silence import silence_libraries

_FAILED, _USAGE = 1, 2
_VERBS = (photo, batch, film, studio, models, doctor, c2pa, evaluate, train)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line ``photochrom ARGUMENTS`` and return its exit status.

    Args:
        arguments: Arguments without the program's name; None for those of the process.

    Returns:
        0 if everything was done, 1 if something failed, 2 for wrong usage or a batch in which all items failed, 130
        after Ctrl+C, and 128 + N if signal N stopped a training run.

    Raises:
        SystemExit: ``--help``, ``--version`` or ``--print-completion`` is given, or an argument cannot be parsed.
    """
    parser, verbs = _parsers()
    try:
        calls = _with_verbs(list(sys.argv[1:] if arguments is None else arguments), list(verbs))
        return max(_run(parser, verbs, call) for call in calls)
    except PhotochromError as exc:
        _complain(error_text(exc))
        return _USAGE if isinstance(exc, OptionError) else _FAILED
    except KeyboardInterrupt:
        _complain("interrupted; finished files are kept")
        return INTERRUPTED


def _run(parser: Parser, verbs: dict[str, Parser], call: list[str]) -> int:
    # --help and doctor must work even if the settings are invalid, so they do not read them.
    if call and call[0] in verbs and call[0] != "doctor" and not {"-h", "--help"} & set(call):
        apply_settings(call[0], verbs)
    args = parser.parse_args(call)
    return int(args.verb(args))


def _parsers() -> tuple[Parser, dict[str, Parser]]:
    parser = Parser(
        prog="photochrom",
        usage="photochrom VERB ...  or  photochrom FILE ...",
        description="Colours black-and-white photographs and films. Without a verb, each file is coloured as the "
        "photograph or film that it is.",
        epilog=f"'photochrom VERB --help' explains a verb. Documentation: {DOCUMENTATION}",
    )
    parser.add_argument("--version", action="version", version=f"photochrom {__version__}")
    parser.add_argument(
        "--print-completion", action=_PrintCompletion, metavar="SHELL", default=argparse.SUPPRESS,
        help="print a script that completes verbs and options: bash, zsh or tcsh",
    )  # fmt: skip
    verbs = parser.add_subparsers(required=True, metavar="VERB", title="verbs", prog="photochrom")
    for verb in _VERBS:
        verb.add(verbs)
    return parser, dict(verbs.choices)


class _PrintCompletion(argparse.Action):
    def __call__(self, parser: argparse.ArgumentParser, _: Any, values: Any, option: str | None = None) -> NoReturn:
        try:
            import shtab
        except ImportError:
            parser.error("completion needs shtab: pip install 'photochrom[completion]'")
        if values not in shtab.SUPPORTED_SHELLS:
            parser.error(f"{option}: unknown shell {values!r}: choose from {', '.join(shtab.SUPPORTED_SHELLS)}")
        print(shtab.complete(parser, values))
        parser.exit()


def _with_verbs(arguments: list[str], verbs: Sequence[str]) -> list[list[str]]:
    """Return the arguments of each verb to run; if no verb is given, insert ``photo`` or ``film`` before the files.

    Raises:
        OptionError: The first argument is neither a verb nor a file, or photographs, films and options are given
            together.
    """
    if not arguments or arguments[0] in verbs or is_option(arguments[0]):
        return [arguments]
    count = next((i for i, text in enumerate(arguments) if is_option(text)), len(arguments))
    files, options = arguments[:count], arguments[count:]
    is_file = os.path.exists(files[0])  # noqa: PTH110
    if not (is_file or Path(files[0]).suffix or os.sep in files[0] or files[0] == "-"):
        raise OptionError(
            f"{files[0]!r} is neither a verb nor a file",
            remedy=did_you_mean(files[0], verbs).removeprefix(": ") or f"the verbs are {', '.join(verbs)}",
        )
    films = [file for file in files if kind_of(Path(file)) == "film"]
    photos = [file for file in files if file not in films]
    if films and photos and options:
        raise OptionError(
            "photographs and films together take no options", remedy="use 'photochrom photo' and 'photochrom film'"
        )
    return [[verb, *named, *options] for verb, named in (("photo", photos), ("film", films)) if named]


def _complain(message: str) -> None:
    print_to_stderr(f"photochrom: {message}")


def _allow_invalid_names() -> None:
    """Let standard output print names that are not valid Unicode: unchanged if its encoding is UTF-8, else escaped."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="surrogateescape" if sys.stdout.encoding == "utf-8" else "backslashreplace")


def run() -> None:
    """Run the command line of the process and exit; this is the entry point of ``photochrom``."""
    shutdown = Shutdown()
    shutdown.handle_signals()
    _allow_invalid_names()
    if sys.argv[1:2] != ["train"]:  # the processes of a training run share one standard error, and all need it
        silence_libraries()
    try:
        status = _status_of_main()
        if sys.stdout is not None:
            sys.stdout.flush()
    except KeyboardInterrupt:  # raised while modules were loading, before main could catch it
        status = INTERRUPTED
    except BrokenPipeError:  # the program that reads the output, such as head, has ended
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        status = _FAILED
    except OSError as exc:
        _complain(f"{exc.filename}: {exc.strerror}" if exc.filename else f"cannot write ({exc.strerror})")
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        status = _FAILED
    shutdown.close()
    discard_unwritable()
    shutdown.exit(status)


def _status_of_main() -> int:
    """Call ``main`` and return the exit status, also if argparse exits or memory runs out while modules are loaded."""
    try:
        return main()
    except SystemExit as exc:
        return exc.code if isinstance(exc.code, int) else _FAILED
    except Exception as exc:
        if not lacks_memory(exc):
            raise
        _complain("there is not enough memory: close other programs, or raise the limit (ulimit -v)")
        return _FAILED
