"""``photochrom film``: colours films."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from ..colorizer.options import ColorOptions
from ..errors import FilmError, OptionError
from . import INTERRUPTED

if TYPE_CHECKING:
    from PIL import Image

    from ..film.frames import FrameColorizer
    from ..film.hints import FilmHint
    from ..film.options import FilmOptions
    from ..film.plan import Plan
    from ..film.reader import FilmReader


def add(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the verb."""
    film = verbs.add_parser(
        "film",
        help="colour a film",
        description="Colours a film: steady within each shot, with its times, sound, subtitles and chapters as they "
        "are. A job that was stopped goes on when the same command is given again.",
    )
    film.set_defaults(verb=run)
    film.add_argument("input", metavar="IN", help="a film")
    film.add_argument(
        "-o",
        "--output",
        type=Path,
        metavar="OUT",
        help="a file or a folder (default: NAME.color.EXT beside it; of a preview NAME.preview.png)",
    )
    film.add_argument("--overwrite", action="store_true", help="replace an output that exists")
    film.add_argument("--restart", action="store_true", help="throw away what an earlier, unfinished job has done")
    only = film.add_mutually_exclusive_group()
    only.add_argument("--list-shots", action="store_true", help="print the shots and do nothing else")
    only.add_argument("--preview", action="store_true", help="write a sheet of frames of each shot, NAME.preview.png")
    only.add_argument("--dry-run", action="store_true", help="print the plan, and how long it will take")
    film.add_argument("--start", metavar="TIME", help="begin there: seconds, or 0:01:30.5")
    film.add_argument("--end", metavar="TIME", help="end there")
    film.add_argument(
        "--hints",
        action="append",
        default=[],
        metavar="FILE",
        help="known colours and their times (JSON)",
    )
    film.add_argument(
        "--still",
        action="append",
        default=[],
        metavar="TIME=FILE",
        help="a coloured picture of the frame at a time, whose colours its shot is to have; may be repeated",
    )
    film.add_argument(
        "--recolor",
        nargs="?",
        const="all",
        default=False,
        choices=("all", "grey-shots"),
        help="of a film that has colours already, colour all anew, or only the shots without colours",
    )
    film.add_argument("--vividness", type=float, metavar="0..1", help="0: cautious, 1: bold (default: the model's own)")
    film.add_argument("--strength", type=float, default=1.0, metavar="0..2", help="factor of the chroma (default: 1)")
    film.add_argument("--codec", default="libx264", help="libx264, libx265, or the lossless ffv1 (default: libx264)")
    film.add_argument("--crf", type=int, default=18, metavar="0..51", help="quality, lower is better (default: 18)")
    film.add_argument("--preset", default="veryfast", help="of the codec: ultrafast to veryslow (default: veryfast)")
    film.add_argument("--model", default="default", help="a name or an .onnx file (default: the embedded model)")
    film.add_argument("--device", default="auto", help="auto, cpu, cuda (NVIDIA) or gpu (Intel) (default: auto)")


def run(args: argparse.Namespace) -> int:
    """Do it; the exit status."""
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # before numpy is loaded: its threads only wait for one another
    from ..film.options import FilmOptions, parse_time

    options = FilmOptions(
        ColorOptions(vividness=args.vividness, strength=args.strength),
        args.codec,
        args.crf,
        args.preset,
        args.start and parse_time(args.start),
        args.end and parse_time(args.end),
        args.recolor,
    )
    hints = _hints(args)
    if args.list_shots or args.preview or args.dry_run:
        return _look(args, options, hints)
    return _color(args, options, hints)


def _hints(args: argparse.Namespace) -> list[FilmHint]:
    from ..film.hints import hints_of_still, read_film_hints
    from ..film.options import parse_time

    hints = [hint for path in args.hints for hint in read_film_hints(path)]
    for text in args.still:
        time, equals, path = text.partition("=")
        if not equals:
            raise OptionError(f"{text!r:.60} is no still: write TIME=FILE, as in 12.5=coat.png")
        hints += hints_of_still(parse_time(time), path)
    return hints


def _color(args: argparse.Namespace, options: FilmOptions, hints: list[FilmHint]) -> int:
    from tqdm import tqdm

    from ..colorizer.colorizer import Colorizer
    from ..film import Progress, colorize_film

    with tqdm(unit="frame", disable=sys.stderr is None or not sys.stderr.isatty()) as bar:

        def show(progress: Progress) -> None:
            if bar.total is None and progress.done:
                bar.total, bar.initial = progress.total, progress.done - 1  # what an earlier job has done
                bar.n = progress.done - 1
            bar.update(progress.done - bar.n)

        try:
            report = colorize_film(
                args.input,
                args.output,
                options,
                hints=hints,
                colorizer=Colorizer(args.model, args.device),
                overwrite=args.overwrite,
                restart=args.restart,
                progress=show,
            )
        except KeyboardInterrupt:
            bar.close()
            print(
                "photochrom: stopped: the same command goes on, all but its last ten seconds is kept", file=sys.stderr
            )
            return INTERRUPTED
    for note in report.notes:
        print(f"photochrom: {args.input}: {note}", file=sys.stderr)
    return 0


def _look(args: argparse.Namespace, options: FilmOptions, hints: list[FilmHint]) -> int:
    """The shots, a sheet, or a plan, instead of a film."""
    from ..colorizer.colorizer import Colorizer
    from ..film.frames import FrameColorizer
    from ..film.options import time_text
    from ..film.plan import check, make_plan
    from ..film.preview import list_shots, preview
    from ..film.reader import FilmReader

    with FilmReader(args.input) as reader:
        plan = make_plan(reader, None if args.preview else args.output, options)
        frame_colorizer = FrameColorizer(Colorizer(args.model, args.device), reader, plan.planes, options)
        if args.dry_run:
            check(reader, plan, options, overwrite=args.overwrite)
            _print_plan(reader, plan, frame_colorizer)
            return 0
        if args.list_shots:
            for number, shot in enumerate(list_shots(frame_colorizer, plan), 1):
                print(f"{number:5}  {time_text(shot.start)}  {time_text(shot.end)}  {shot.frames:6} frames")
            return 0
        path = args.output or reader.path.parent
        path = path / f"{reader.path.stem}.preview.png" if path.is_dir() else path
        _check_sheet(path, overwrite=args.overwrite)
        _save(preview(frame_colorizer, plan, hints), path, overwrite=args.overwrite)
        print(path)
    return 0


def _check_sheet(path: Path, *, overwrite: bool) -> None:
    if path.suffix.lower() != ".png":
        raise OptionError(f"{path}: a preview is a PNG file: name it so")
    if path.exists() and not overwrite:
        raise FilmError(f"{path} exists: choose another output, or --overwrite")


def _save(sheet: Image.Image, path: Path, *, overwrite: bool) -> None:
    from ..atomic import new_file

    try:
        with new_file(path, overwrite=overwrite) as stream:
            sheet.save(stream, "PNG")
    except OSError as exc:
        raise FilmError(f"{path} cannot be written ({exc.strerror})") from exc


def _print_plan(reader: FilmReader, plan: Plan, frame_colorizer: FrameColorizer) -> None:
    from ..film.options import time_text
    from ..film.preview import frames_per_second

    speed = frames_per_second(frame_colorizer, plan)
    size = f"{reader.width}x{reader.height}"
    print(f"{reader.path}: {plan.total} frames, {size}, {float(reader.rate):.3f} frames/s")
    print(f"{plan.output}: {plan.container}, {frame_colorizer.options.codec}, {plan.planes.name}")
    for note in plan.notes:
        print(note)
    print(f"about {speed:.1f} frames/s here: {time_text(plan.total / speed)[:-4]} in all")
