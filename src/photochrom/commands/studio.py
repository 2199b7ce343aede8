"""``photochrom studio``: serves a local web page to colour photographs and films interactively."""

from __future__ import annotations

import argparse
import sys

from ..errors import StudioError
from ..machine import reuse_freed_memory
from . import INTERRUPTED, c2pa
from .arguments import ModelLoader, add_detail, add_model, add_verb
from .parser import Verbs


def add(verbs: Verbs) -> None:
    """Declare ``photochrom studio`` and its arguments."""
    studio = add_verb(
        verbs,
        "studio",
        "colour photographs and films in a browser",
        "Opens a page in the browser, served by this machine: drop a photograph, see it in colour, and click "
        "to correct it.",
        examples=("studio", "studio --no-open --port 8000"),
        page="studio",
    )
    studio.set_defaults(verb=run)
    studio.add_argument(
        "--host",
        default="127.0.0.1",
        help="address to serve at; 0.0.0.0 for access from other machines (default: %(default)s)",
    )
    studio.add_argument(
        "--port", type=int, default=7860, help="port to serve at; 0 for any free one (default: %(default)s)"
    )
    studio.add_argument(
        "--name", action="append", default=[], metavar="HOST",
        help="host name under which a proxy serves the page to other machines; may be repeated",
    )  # fmt: skip
    studio.add_argument(
        "--open", action=argparse.BooleanOptionalAction, default=True, help="open the browser (default: yes)"
    )
    studio.add_argument(
        "--max-megapixels",
        type=float,
        default=200,
        metavar="N",
        help="refuse larger photographs and film frames (default: 200)",
    )
    studio.add_argument(
        "--max-upload-mb", type=float, default=200, metavar="N", help="refuse larger uploads (default: 200)"
    )
    studio.add_argument(
        "--max-disk-mb",
        type=float,
        default=4000,
        metavar="N",
        help="limit for all temporary files together (default: 4000)",
    )
    add_detail(studio)
    c2pa.add_signing(studio)
    add_model(studio)


def run(args: argparse.Namespace) -> int:
    """Serve the page until it is interrupted, and return the exit status.

    Raises:
        StudioError: A package of ``photochrom[studio]`` is missing, or the address is not available.
        OptionError: The port, a limit or a host name is invalid, or the signing identity cannot be read.
        ModelError, EngineError: The model cannot be loaded or run.
        PhotochromError: The packages of ``photochrom[c2pa]`` are missing.
        OSError: The system's temporary folder cannot be written.
    """
    try:
        from ..studio import app as server

        limits = args.max_megapixels, args.max_upload_mb, args.max_disk_mb
        settings = server.Settings(
            args.host, args.port, *limits, names=tuple(args.name), detail=args.detail, identity=c2pa.identity_of(args)
        )
        reuse_freed_memory()  # the studio may run for months
        server.serve(ModelLoader(args), settings, open_browser=args.open)
    except KeyboardInterrupt:
        print("photochrom: the studio has ended, and its tray is gone", file=sys.stderr)
        return INTERRUPTED
    except ImportError as exc:
        raise StudioError(f"the studio needs {exc.name}", remedy="pip install 'photochrom[studio]'") from exc
    return 0
