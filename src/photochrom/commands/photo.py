"""``photochrom photo``: colours photographs."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ..colorizer.hints import Hint, read_hints
from ..colorizer.options import DEFAULT_QUALITY, ColorOptions
from ..errors import OptionError, PhotochromError
from .messages import error_text

if TYPE_CHECKING:
    from ..colorizer.colorizer import Colorizer
    from ..photo.options import OutputOptions


def add(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the verb."""
    photo = verbs.add_parser(
        "photo",
        help="colour photographs",
        description="Colours photographs (JPEG, PNG, TIFF, WebP, AVIF; HEIC where installed). "
        "The luma stays as it is, and so do orientation, resolution, profile and metadata.",
    )
    photo.set_defaults(verb=run)
    photo.add_argument("inputs", nargs="+", metavar="IN", help="photographs; - reads one from the standard input")
    photo.add_argument(
        "-o",
        "--output",
        metavar="OUT",
        help="a file, a folder, or - for the standard output (default: beside the source, as NAME.color.EXT)",
    )
    photo.add_argument(
        "--hint",
        action="append",
        default=[],
        metavar="X,Y,COLOR",
        help="a colour that you know, and where: 0.42,0.31,#7a2b22 is 42%% from the left and 31%% from the top of the "
        "upright picture; may be repeated",
    )
    photo.add_argument(
        "--hints", action="append", default=[], metavar="FILE", help="a file of such hints (JSON); may be repeated"
    )
    photo.add_argument(
        "--alternatives",
        type=int,
        default=0,
        metavar="1..5",
        help="also write so many other plausible pictures, as NAME.color.1.EXT, and the hints that make each, as "
        "NAME.color.1.json",
    )
    photo.add_argument(
        "--confidence", action="store_true", help="also write NAME.confidence.png: white where the model is sure"
    )
    photo.add_argument(
        "--negative",
        action="store_true",
        help="the photographs are negatives: look at them the right way round, and give them complementary colours; "
        "the luma stays as it is",
    )
    photo.add_argument(
        "--sidecar", action="store_true", help="write the label to NAME.color.EXT.xmp instead of into the photograph"
    )
    photo.add_argument("--overwrite", action="store_true", help="replace outputs that exist")
    photo.add_argument(
        "--vividness", type=float, metavar="0..1", help="0: cautious and muted, 1: bold (default: the model's own)"
    )
    photo.add_argument("--strength", type=float, default=1.0, metavar="0..2", help="factor of the chroma (default: 1)")
    photo.add_argument("--model", default="default", help="a name or an .onnx file (default: the embedded model)")
    photo.add_argument(
        "--quality", type=int, default=DEFAULT_QUALITY, metavar="1..100", help="of lossy outputs (default: %(default)s)"
    )
    photo.add_argument("--device", default="auto", help="auto, cpu, cuda (NVIDIA) or gpu (Intel) (default: auto)")


def run(args: argparse.Namespace) -> int:
    """Do it; the exit status."""
    # Of hints at one place the last counts: what is typed comes after what is kept in files.
    hints = [hint for path in args.hints for hint in read_hints(path)] + [Hint.parse(text) for text in args.hint]
    options = ColorOptions(vividness=args.vividness, strength=args.strength, hints=tuple(hints))
    from ..colorizer.colorizer import Colorizer
    from ..photo.names import plan
    from ..photo.options import OutputOptions

    output = OutputOptions(args.quality, args.overwrite, args.alternatives, args.confidence, args.sidecar)
    jobs = plan(args.inputs, args.output, output, kept=args.hints)
    if hints and len(jobs) > 1:
        raise OptionError("hints belong to one picture: name one photograph, or leave them out")
    colorizer = Colorizer(args.model, args.device)
    return _color_all(colorizer, jobs, options, output, negative=args.negative)


def _color_all(
    colorizer: Colorizer,
    jobs: Sequence[tuple[str, str]],
    options: ColorOptions,
    output: OutputOptions,
    *,
    negative: bool,
) -> int:
    from tqdm import tqdm

    from ..photo.job import colorize_job

    failed = 0
    quiet = len(jobs) < 2 or sys.stderr is None or not sys.stderr.isatty()
    for source, destination in tqdm(jobs, unit="photo", disable=quiet):
        try:
            report = colorize_job(colorizer, source, destination, options, output, negative=negative)
        except OptionError:
            raise  # of the whole call, not of this photograph
        except PhotochromError as exc:
            failed += 1
            tqdm.write(f"photochrom: {error_text(exc)}", file=sys.stderr)
            continue
        for warning in report.warnings:
            tqdm.write(f"photochrom: {source}: {warning}", file=sys.stderr)
    return 1 if failed else 0
