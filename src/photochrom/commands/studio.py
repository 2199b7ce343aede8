"""``photochrom studio``: a page on one's own machine where photographs are coloured by looking."""

from __future__ import annotations

import argparse

from ..errors import StudioError


def add(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the verb."""
    studio = verbs.add_parser(
        "studio",
        help="colour photographs by looking, in a browser",
        description="Opens a page in the browser, served by this machine to itself alone: drop a photograph, see it in "
        "colour, and make it right by pointing.",
    )
    studio.set_defaults(verb=run)
    studio.add_argument(
        "--host", default="127.0.0.1", help="the address to serve; 0.0.0.0 lets others in (default: %(default)s)"
    )
    studio.add_argument("--port", type=int, default=7860, help="0 for any that is free (default: %(default)s)")
    studio.add_argument(
        "--name", action="append", default=[], metavar="HOST",
        help="under which others reach it through a proxy; may be given several times",
    )  # fmt: skip
    studio.add_argument(
        "--open", action=argparse.BooleanOptionalAction, default=True, help="open the browser (default: yes)"
    )
    studio.add_argument(
        "--max-megapixels", type=float, default=200, metavar="N", help="refuse larger photographs (default: 200)"
    )
    studio.add_argument(
        "--max-upload-mb", type=float, default=200, metavar="N", help="refuse larger files (default: 200)"
    )
    studio.add_argument(
        "--max-disk-mb", type=float, default=4000, metavar="N", help="for all temporary files together (default: 4000)"
    )
    studio.add_argument("--model", default="default", help="a name or an .onnx file (default: the embedded model)")
    studio.add_argument("--device", default="auto", help="auto, cpu, cuda (NVIDIA) or gpu (Intel) (default: auto)")


def run(args: argparse.Namespace) -> int:
    """Do it; the exit status."""
    from ..colorizer.colorizer import Colorizer

    try:
        from ..studio import app as server

        limits = args.max_megapixels, args.max_upload_mb, args.max_disk_mb
        settings = server.Settings(args.host, args.port, *limits, names=tuple(args.name))
        server.serve(Colorizer(args.model, args.device), settings, open_browser=args.open)
    except ImportError as exc:  # Gradio itself is imported once it is told where to write
        raise StudioError(f"the studio needs {exc.name}: pip install 'photochrom[studio]'") from exc
    return 0
