"""``photochrom evaluate``: measures models on colour photographs."""

from __future__ import annotations

import argparse
from pathlib import Path

from ..colorizer.options import ColorOptions
from ..errors import OptionError, TrainingError, counted, needed_for
from ..output_folders import check_folder
from .arguments import add_detail, add_overwrite, add_verb
from .console import print_to_stderr
from .messages import error_text
from .parser import Verbs

_SHEET_SIZE, _HTML_SIZE = 64, 12  # default numbers of photographs


def add(verbs: Verbs) -> None:
    """Declare ``photochrom evaluate`` and its arguments."""
    evaluate = add_verb(
        verbs,
        "evaluate",
        "measure models on colour photographs",
        "Turns colour photographs grey, colours them, and compares the result with the original: PSNR, SSIM, "
        "CIEDE2000, colourfulness, agreement of a classifier; LPIPS and FID where they are installed.",
        examples=(
            "evaluate photographs/ --limit 500",
            "evaluate photographs/ --model mine.onnx --html report.html",
            "evaluate photographs/ --model default --model mine.onnx --frontier   compares two models",
        ),
        page="training",
    )
    evaluate.set_defaults(verb=run)
    evaluate.add_argument("photographs", type=Path, metavar="FOLDER", help="folder of colour photographs")
    evaluate.add_argument(
        "--model", action="append", help="a name or a file; may be repeated (default: the embedded model)"
    )
    evaluate.add_argument("--held-out", action="store_true", help="use only the photographs that 'train' holds out")
    evaluate.add_argument(
        "--limit", type=int, default=2000, metavar="N", help="use at most N photographs (default: 2000)"
    )
    evaluate.add_argument(
        "--vividness", type=float, metavar="0..1", help="0: cautious and muted, 1: bold (default: each model's own)"
    )
    add_detail(evaluate)
    evaluate.add_argument(
        "--full", action="store_true", help="also measure aged pictures, hints and confidence; takes longer"
    )
    evaluate.add_argument(
        "--frontier",
        action="store_true",
        help="also measure along the vividness dial, and at equal colourfulness; takes longer",
    )
    evaluate.add_argument("--json", type=Path, metavar="FILE", help="also write the figures to a JSON file")
    evaluate.add_argument(
        "--sheet", type=Path, metavar="PNG", help="also write a sheet of pictures: grey, coloured and true"
    )
    evaluate.add_argument(
        "--sheet-size", type=int, metavar="N", help=f"photographs on the sheet (default: {_SHEET_SIZE})"
    )
    evaluate.add_argument(
        "--html", type=Path, metavar="FILE", help="also write a page: figures, best and worst pictures"
    )
    evaluate.add_argument(
        "--html-size", type=int, metavar="N", help=f"photographs in each section of the page (default: {_HTML_SIZE})"
    )
    add_overwrite(evaluate)


def run(args: argparse.Namespace) -> int:
    """Measure the models and return the exit status: 1 if a photograph was skipped, otherwise 0.

    Raises:
        TrainingError: A package or weights of ``photochrom[train]`` are missing, no photographs can be measured, or a
            file cannot be written.
        OptionError: The vividness, the detail or a number is out of range, a size is given without its file, or a
            requested file exists or cannot be written.
        ModelError, EngineError: A model cannot be loaded or run.
    """
    options = ColorOptions(vividness=args.vividness, detail=args.detail)
    _check(args)

    from ..colorizer.colorizer import Colorizer
    from ..models.registry import find_model

    with needed_for("evaluating", "train", TrainingError):
        from ..training.evaluation import evaluate as evaluation
        from ..training.evaluation import html_report as page
        from ..training.evaluation import report
    skipped: list[TrainingError] = []

    def skip(exc: TrainingError) -> None:
        skipped.append(exc)
        print_to_stderr(f"photochrom: {error_text(exc)}")

    models = args.model or ["default"]
    for model in models:
        find_model(model)  # a wrong name is reported before the photographs are read
    photographs = evaluation.chosen(
        args.photographs, held_out=args.held_out, limit=args.limit, skip=skip, note=print_to_stderr
    )
    colorizers = {name: Colorizer(name) for name in models}
    thumbnails = (args.sheet_size or _SHEET_SIZE) if args.sheet else 0
    found = evaluation.evaluate(
        colorizers,
        photographs,
        options,
        full=args.full,
        frontier=args.frontier,
        thumbnails=thumbnails,
        skip=skip,
    )
    print(f"{counted(len(found.photographs), 'photograph')}\n\n{report.markdown(found)}")
    protocol = {"folder": args.photographs.resolve().name}
    protocol |= {name: getattr(args, name) for name in ("held_out", "limit", "vividness", "detail", "full", "frontier")}
    if args.json:
        report.write_json(found, args.json, protocol)
    if args.sheet:
        report.write_sheet(found.thumbnails, args.sheet, columns=3)
    if args.html:
        page.write_page(found, args.html, protocol, args.html_size or _HTML_SIZE)
    return 1 if skipped else 0


def _check(args: argparse.Namespace) -> None:
    """Check that the requested files can be written, before the photographs are measured.

    Raises:
        OptionError: A file cannot be written, exists, is a device or a pipe, has the name of another or might replace a
            photograph; or a number of photographs is below 1, or is given without its file.
    """
    from ..photo.names import PHOTOGRAPHS

    outputs = [path for path in (args.json, args.sheet, args.html) if path]
    if len({path.resolve() for path in outputs}) < len(outputs):
        raise OptionError("two of --json, --sheet and --html name the same file", remedy="give each another name")
    for path in outputs:
        if path.is_dir():
            raise OptionError("is a folder", path=path, remedy="give the name of a file in it")
        if path.exists() and not path.is_file():  # it would be replaced instead of written to
            raise OptionError("is a device or a pipe", path=path, remedy="name a file")
        check_folder(path, OptionError)
        if path.suffix.lower() in PHOTOGRAPHS and path.resolve().is_relative_to(args.photographs.resolve()):
            raise OptionError("is in the folder of the photographs", path=path, remedy="choose another output")
        if path.exists() and not args.overwrite:
            raise OptionError("exists", path=path, remedy="choose another output, or overwrite=True")
    if args.sheet and args.sheet.suffix.lower() != ".png":
        raise OptionError("a sheet is a PNG file", path=args.sheet, remedy="give a name that ends in .png")
    for name in ("sheet", "html"):
        size = getattr(args, f"{name}_size")
        if size is not None and size < 1:
            raise OptionError(f"--{name}-size is a number of photographs", remedy="give at least 1")
        if size is not None and not getattr(args, name):
            raise OptionError(
                f"--{name}-size belongs to --{name}", remedy=f"name a file with --{name}, or leave it out"
            )
