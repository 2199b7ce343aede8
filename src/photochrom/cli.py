"""The command line: ``photochrom photo``, ``photochrom models``. Heavy imports stay inside the verbs."""

from __future__ import annotations

import argparse
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from . import __version__
from .errors import OptionError, PhotochromError, TrainingError
from .hints import Hint, read_hints
from .options import DEFAULT_QUALITY, ColorOptions

if TYPE_CHECKING:
    from .colorizer import Colorizer
    from .files import Extras

_OK, _FAILED, _USAGE, _INTERRUPTED, _TERMINATED = 0, 1, 2, 130, 143


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a verb; the exit status: 0 all done, 1 something failed, 2 wrong usage, 130 interrupted."""
    args = _parser().parse_args(arguments)
    try:
        return int(args.verb(args))
    except PhotochromError as exc:
        _complain(str(exc))
        return _USAGE if isinstance(exc, OptionError) else _FAILED
    except KeyboardInterrupt:
        _complain("interrupted; finished files are kept")
        return _INTERRUPTED


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="photochrom", description="Colours black-and-white photographs.")
    parser.add_argument("--version", action="version", version=f"photochrom {__version__}")
    verbs = parser.add_subparsers(required=True, metavar="VERB")
    _add_photo(verbs)
    _add_models(verbs)
    _add_evaluate(verbs)
    return parser


def _add_photo(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    photo = verbs.add_parser(
        "photo",
        help="colour photographs",
        description="Colours photographs (JPEG, PNG, TIFF, WebP; HEIC and AVIF where installed). "
        "The luma stays as it is, and so do orientation, resolution, profile and metadata.",
    )
    photo.set_defaults(verb=_photo)
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


def _add_models(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    models = verbs.add_parser("models", help="list models, get the reference model")
    actions = models.add_subparsers(required=True, metavar="ACTION")
    show = actions.add_parser("list", help="list the models and where they are")
    show.set_defaults(verb=_models_list)
    get = actions.add_parser("get", help="put a model together from public weights")
    get.set_defaults(verb=_models_get)
    get.add_argument("name", choices=["reference"])
    get.add_argument("--encoder-weights", type=Path, metavar="FILE", help="VGG16's weights, if you have them already")


def _add_evaluate(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    evaluate = verbs.add_parser(
        "evaluate",
        help="measure models on colour photographs",
        description="Turns colour photographs grey, colours them, and compares, beside the grey and the true pictures: "
        "PSNR, SSIM, CIEDE2000, colourfulness, what a classifier recognises; LPIPS and FID where they are installed.",
    )
    evaluate.set_defaults(verb=_evaluate)
    evaluate.add_argument("photographs", type=Path, metavar="FOLDER")
    evaluate.add_argument("--model", action="append", help="a name or a file; may be repeated (default: the embedded)")
    evaluate.add_argument("--held-out", action="store_true", help="only photographs that no training run sees")
    evaluate.add_argument("--limit", type=int, default=2000, metavar="N", help="at most so many (default: 2000)")
    evaluate.add_argument("--vividness", type=float, metavar="0..1")
    evaluate.add_argument("--full", action="store_true", help="also aged pictures, hints and confidence; takes longer")
    evaluate.add_argument("--json", type=Path, metavar="FILE", help="write the figures there as well")
    evaluate.add_argument("--sheet", type=Path, metavar="PNG", help="write a sheet of pictures: grey, coloured, truth")
    evaluate.add_argument("--sheet-size", type=int, default=64, metavar="N", help="pictures on the sheet (default: 64)")
    evaluate.add_argument("--html", type=Path, metavar="FILE", help="write a page: figures, best and worst pictures")
    evaluate.add_argument("--html-size", type=int, default=12, metavar="N", help="pictures a section (default: 12)")


def _photo(args: argparse.Namespace) -> int:
    # Of hints at one place the last counts: what is typed comes after what is kept in files.
    hints = [hint for path in args.hints for hint in read_hints(path)] + [Hint.parse(text) for text in args.hint]
    options = ColorOptions(vividness=args.vividness, strength=args.strength, hints=tuple(hints))
    if not 1 <= args.quality <= 100:
        raise OptionError(f"quality is {args.quality}: give a number from 1 to 100")
    from .colorizer import Colorizer
    from .files import Extras, plan

    extras = Extras(args.alternatives, args.confidence)
    jobs = plan(args.inputs, args.output, extras, kept=args.hints)
    if hints and len(jobs) > 1:
        raise OptionError("hints belong to one picture: name one photograph, or leave them out")
    colorizer = Colorizer(args.model, args.device)
    return _color_all(colorizer, jobs, options, extras, args)


def _color_all(
    colorizer: Colorizer,
    jobs: Sequence[tuple[str, str]],
    options: ColorOptions,
    extras: Extras,
    args: argparse.Namespace,
) -> int:
    from tqdm import tqdm

    from .files import colorize_job

    failed = 0
    settings = {"quality": args.quality, "overwrite": args.overwrite}
    quiet = len(jobs) < 2 or sys.stderr is None or not sys.stderr.isatty()
    for source, destination in tqdm(jobs, unit="photo", disable=quiet):
        try:
            colorize_job(colorizer, source, destination, options, extras=extras, **settings)
        except OptionError:
            raise  # of the whole call, not of this photograph
        except PhotochromError as exc:
            failed += 1
            tqdm.write(f"photochrom: {exc}", file=sys.stderr)
    return _FAILED if failed else _OK


def _models_list(_: argparse.Namespace) -> int:
    from .engines import open_engine
    from .models import NAMES, ModelCard, find_model

    for name in NAMES:
        try:
            path = find_model(name)
        except PhotochromError as exc:
            print(f"{name:10} -  {exc}")
            continue
        card = ModelCard.of(open_engine(path).metadata, path)
        print(f"{name:10} {card.name} {card.version}, {card.licence}: {card.description}\n{'':10} {path}")
    return _OK


def _models_get(args: argparse.Namespace) -> int:
    from .models import get_reference

    print(get_reference(args.encoder_weights))
    return _OK


def _evaluate(args: argparse.Namespace) -> int:
    options = ColorOptions(vividness=args.vividness)
    for path in filter(None, (args.json, args.sheet, args.html)):
        if not path.parent.is_dir():  # said now, not after the work
            raise OptionError(f"{path} cannot be written: there is no folder {path.parent}")
    if min(args.sheet_size, args.html_size) < 1:
        raise OptionError("--sheet-size and --html-size are numbers of pictures: give at least 1")
    from .colorizer import Colorizer

    try:
        from .training import evaluate as evaluation
        from .training import page, report
    except ImportError as exc:
        raise TrainingError(f"evaluating needs {exc.name}: pip install 'photochrom[train]'") from exc
    photographs = evaluation.chosen(args.photographs, held_out=args.held_out, limit=args.limit)
    colorizers = {name: Colorizer(name) for name in args.model or ["default"]}
    thumbnails = args.sheet_size if args.sheet else 0
    found = evaluation.evaluate(colorizers, photographs, options, full=args.full, thumbnails=thumbnails)
    print(f"{len(photographs)} photographs\n\n{report.markdown(found)}")
    protocol = {name: getattr(args, name) for name in ("held_out", "limit", "vividness", "full")}
    if args.json:
        report.write_json(found, args.json, protocol)
    if args.sheet:
        report.write_sheet(found, args.sheet)
    if args.html:
        page.write_page(found, args.html, protocol, args.html_size)
    return _OK


def _complain(message: str) -> None:
    print(f"photochrom: {message}", file=sys.stderr)


def run() -> None:
    """Entry point of the command."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(_TERMINATED))  # so that unfinished files are removed
    try:
        status = main()
        if sys.stdout is not None:
            sys.stdout.flush()
    except KeyboardInterrupt:  # before main could catch it, while modules were loaded
        status = _INTERRUPTED
    except BrokenPipeError:  # whoever read our output wanted no more
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        status = _FAILED
    except OSError as exc:
        _complain(f"cannot write the standard output ({exc.strerror})")
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        status = _FAILED
    sys.exit(status)
