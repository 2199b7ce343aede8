"""``photochrom film``: colours films."""

from __future__ import annotations

import argparse
import os
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from ..colorizer.options import ColorOptions
from ..errors import FilmError, ModelError, OptionError
from ..machine import reuse_freed_memory
from . import INTERRUPTED, c2pa
from .arguments import add_dials, add_model, add_overwrite, add_talk, add_verb, create_folder
from .console import Console, duration
from .film_scans import add_old_film
from .film_shots import add_shots, numbers_of, print_shots, shots_of
from .kinds import kind_of
from .messages import error_text, note_text
from .parser import Verbs

if TYPE_CHECKING:
    from PIL import Image

    from ..colorizer.colorizer import Colorizer
    from ..film.frames import FrameColorizer
    from ..film.hints import FilmHint
    from ..film.options import FilmOptions
    from ..film.plan import Plan
    from ..film.reader import FilmReader
    from ..film.stills import Still


RECOLOR: Final = ("all", "grey-shots")


def add(verbs: Verbs) -> None:
    """Declare the verb."""
    film = add_verb(
        verbs,
        "film",
        "colour films",
        "Colours films, steady within each shot. Times, sound, subtitles and chapters are kept. A job that was stopped "
        "is resumed when the same command is given again.",
        examples=(
            "film reel.mp4                       writes reel.color.mp4",
            "film reel.mp4 --preview             writes a sheet of its shots first",
            "film reel.mp4 --start 1:30 --end 2:00",
            "film reels/*.mkv -o coloured/",
        ),
        page="films",
    )
    film.set_defaults(verb=run)
    film.add_argument("inputs", nargs="*", metavar="IN", help="films")
    film.add_argument(
        "-o",
        "--output",
        metavar="OUT",
        help="a file, or a folder: one that exists, or a name that ends in a slash (default: NAME.color.EXT beside IN; "
        "NAME.preview.png for a preview)",
    )
    add_overwrite(film)
    film.add_argument("--restart", action="store_true", help="discard the work of an earlier, unfinished job")
    only = film.add_mutually_exclusive_group()
    only.add_argument("--list-shots", action="store_true", help="print the shots and do nothing else")
    only.add_argument(
        "--preview",
        action="store_true",
        help="write a sheet of frames of each shot, coloured one by one, NAME.preview.png; with -o NAME.mp4 a short "
        "film of each shot, as steady as the whole",
    )
    only.add_argument("--dry-run", action="store_true", help="print the plan, and how long it will take")
    add_shots(film)
    add_old_film(film)
    film.add_argument("--start", metavar="TIME", help="start at this time: seconds, or 0:01:30.5")
    film.add_argument("--end", metavar="TIME", help="end at this time")
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
        help="a coloured picture of the frame at a time; its shot takes on these colours; may be repeated",
    )
    film.add_argument(
        "--recolor",
        nargs="?",
        const="all",
        default=False,
        metavar="{all,grey-shots}",
        help="what to colour of a film with shots in colour: all of it (without it, such a film is refused), or its "
        "grey shots (the default if only some shots are in colour)",
    )
    add_dials(film)
    film.add_argument(
        "--codec",
        default="auto",
        help="libx264, libx265, ffv1 (lossless), prores, dnxhr, v210, or frames: dpx, tiff, png, jp2, exr "
        "(default: libx264; for frames their own format)",
    )
    film.add_argument(
        "--profile", help="of prores: hq, standard, lt, proxy, 4444, 4444xq; of dnxhr: hqx, hq, sq, lb, 444"
    )
    film.add_argument(
        "--bits",
        type=int,
        metavar="8..16",
        help="bits of a sample (default: as in the film, or more if the codec asks)",
    )
    film.add_argument("--crf", type=int, default=18, metavar="0..51", help="quality, lower is better (default: 18)")
    film.add_argument(
        "--preset", default="veryfast", help="speed of the codec: ultrafast to veryslow (default: veryfast)"
    )
    c2pa.add_signing(film)
    film.add_argument(
        "--rate", metavar="FPS", help="frames per second of a sequence (default: as its headers say, or 24)"
    )
    film.add_argument(
        "--fill-gaps", action="store_true", help="repeat the frame before where one of a sequence is missing"
    )
    add_model(film)
    add_talk(film)


def run(args: argparse.Namespace) -> int:
    """Colour the films and return the exit status."""
    # Before NumPy is loaded: the threads of its library would only wait for one another.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    reuse_freed_memory()
    from ..film.options import FilmOptions
    from ..film.times import parse_time
    from ..film.views.picture_area import parse_area

    if args.recolor not in (False, *RECOLOR):  # a film that stands behind the flag
        if not Path(args.recolor).exists():
            raise OptionError(f"--recolor is {args.recolor!r}", remedy=f"choose from {', '.join(RECOLOR)}")
        args.inputs.insert(0, args.recolor)
        args.recolor = "all"
    if not args.list_shots and (form := next((f for f in ("json", "csv", "edl") if getattr(args, f)), None)):
        raise OptionError(f"--{form} is the form of a list of shots", remedy="add --list-shots")
    if not args.inputs:
        raise OptionError("no film is named", remedy="name one, as in 'photochrom film reel.mp4'")
    films = args.inputs = _distinct(args.inputs)
    options = FilmOptions(
        ColorOptions(vividness=args.vividness, strength=args.strength),
        codec=args.codec,
        crf=args.crf,
        preset=args.preset,
        start=args.start and parse_time(args.start),
        end=args.end and parse_time(args.end),
        recolor=args.recolor,
        profile=args.profile,
        bits=args.bits,
        rate=args.rate,
        fill_gaps=args.fill_gaps,
        c2pa=c2pa.identity_of(args),
        only_shots=numbers_of(args.only_shots),
        keep_parts=args.keep_parts,
        frame=args.frame and parse_area(args.frame),
        negative=args.negative,
        keep_titles=args.keep_titles,
    )
    options = replace(options, shots=shots_of(args, options))
    if (args.hints or args.still) and len(films) > 1:
        raise OptionError("hints and stills belong to one film", remedy="name one film, or leave them out")
    hints, stills = _hints(args), _stills(args, films[0], options)
    output = _output(args.output, several=len(films) > 1)
    claimed: dict[Path, str] = {}
    console = Console(quiet=args.quiet, verbose=args.verbose)
    colorizer = None
    status = 0
    for film in films:
        try:
            check_kind(film)
            if colorizer is None:
                from ..colorizer.colorizer import Colorizer

                colorizer = Colorizer(args.model, args.device)
            looks = args.list_shots or args.preview or args.dry_run
            if len(films) > 1 and not looks:
                _claim(film, output, options, claimed)
            work = _look if looks else _color
            status = max(status, work(film, output, args, options, hints, stills, colorizer, console))
        except (FilmError, ModelError) as exc:
            if len(films) == 1:
                raise
            console.error(error_text(exc))
            status = 1
        if status == INTERRUPTED:
            break
    return status


def _distinct(inputs: list[str]) -> list[str]:
    """Return the films that were named, each once; frames of one sequence, such as ``*.dpx`` names, are one film."""
    from ..film.sequences.names import family_of

    found: dict[object, str] = {}
    for text in inputs:
        found.setdefault(family_of(Path(text)) or text, text)
    return list(found.values())


def _claim(film: str, output: Path | None, options: FilmOptions, claimed: dict[Path, str]) -> None:
    """Note where a film goes, so that no film of this command replaces another.

    Raises:
        FilmError: Another film went there.
    """
    from ..film.plan import make_plan
    from ..film.sequences.reader import open_film

    with open_film(film, options) as reader:
        place = make_plan(reader, output, options).output
    if (other := claimed.setdefault(place.absolute(), film)) != film:
        raise FilmError(
            f"is to be written to {place}, as {other} is", path=film, remedy="colour it alone, into another folder"
        )


def check_kind(film: str) -> None:
    """Refuse photographs.

    Raises:
        FilmError: The path is a photograph.
    """
    if kind_of(Path(film)) == "photo":
        raise FilmError("is a photograph", path=film, remedy="colour it with 'photochrom photo'")


def _output(text: str | None, *, several: bool) -> Path | None:
    """Return the output; for several films, or where its name ends in a slash, it is a folder, which is created.

    Raises:
        OptionError: A folder is needed, and the output is a file or cannot be created.
    """
    if text is None:
        return None
    output = Path(text)
    if not text.endswith((os.sep, "/")):
        if not several:
            return output
        if output.suffix and not output.is_dir():
            raise OptionError(f"several films need a folder as output, and {output} is not one", remedy="name a folder")
    create_folder(output, OptionError)
    return output


def _hints(args: argparse.Namespace) -> list[FilmHint]:
    from ..film.hints import read_film_hints

    return [hint for path in args.hints for hint in read_film_hints(path)]


def _stills(args: argparse.Namespace, film: str, options: FilmOptions) -> list[Still]:
    from ..film.stills import read_still
    from ..film.times import parse_time

    found = []
    for text in args.still:
        at, equals, path = text.partition("=")
        if not equals:
            raise OptionError(f"{text!r:.60} is not a still: write TIME=FILE, as in 12.5=coat.png")
        time = parse_time(at)
        check_kind(film)
        found.append(read_still(film, time, path, options))
    return found


def _color(
    film: str,
    output: Path | None,
    args: argparse.Namespace,
    options: FilmOptions,
    hints: list[FilmHint],
    stills: list[Still],
    colorizer: Colorizer,
    console: Console,
) -> int:
    from ..film import Progress, colorize_film

    begun = time.monotonic()
    with console.progress("frame") as bar:
        resumed = False

        def show(progress: Progress) -> None:
            nonlocal resumed
            if progress.done > 1 and not resumed:
                console.result(f"{film}: continuing at frame {progress.done} of {progress.total}")
            resumed = resumed or progress.done > 0
            if progress.done:
                bar.show(progress.done, progress.total)

        try:
            report = colorize_film(
                film,
                output,
                options,
                hints=hints,
                stills=stills,
                colorizer=colorizer,
                overwrite=args.overwrite,
                restart=args.restart,
                progress=show,
            )
            bar.finish()
        except KeyboardInterrupt:
            console.error("stopped: the same command continues it; at most the last ten seconds are done again")
            return INTERRUPTED
    frames, shots = _counted(report.frames, "frame"), _counted(len(report.shots), "shot")
    seconds = duration(time.monotonic() - begun)
    console.result(f"{film} -> {report.output}: {frames}, {shots}, in {seconds}")
    for note in report.notes:
        console.note(f"{film}: {note_text(note)}")
    return 0


def _counted(number: int, thing: str) -> str:
    return f"{number} {thing}{'' if number == 1 else 's'}"


def _look(
    film: str,
    output: Path | None,
    args: argparse.Namespace,
    options: FilmOptions,
    hints: list[FilmHint],
    stills: list[Still],
    colorizer: Colorizer,
    _: Console,
) -> int:
    """Print the shots or the plan, or write a sheet, instead of colouring."""
    from ..film.frames import FrameColorizer
    from ..film.plan import check, make_plan, resolved
    from ..film.preview import preview
    from ..film.sequences.reader import open_film
    from ..film.shots.planning import make_shot_plan
    from ..film.shots.titles import keeping_titles

    with open_film(film, options) as reader:
        options = resolved(options, reader, None if args.preview else output)
        plan = make_plan(reader, None if args.preview else output, options)
        frame_colorizer = FrameColorizer(colorizer, reader, plan.planes, options)
        frame_colorizer = frame_colorizer.with_shots(make_shot_plan(frame_colorizer, plan))
        if args.dry_run:
            check(reader, plan, options, overwrite=args.overwrite)
            _print_plan(reader, plan, frame_colorizer)
            return 0
        if args.list_shots:
            print_shots(args, frame_colorizer, plan)
            return 0
        folder = reader.path.parent
        path = output or (Path(os.path.normpath(folder / os.pardir)) if reader.is_sequence else folder)
        path = path / f"{reader.stem}.preview.png" if path.is_dir() else path
        _check_preview(path, overwrite=args.overwrite)
        frame_colorizer = keeping_titles(frame_colorizer, plan)
        hints = [*hints, *(hint for shot in options.shots for hint in shot.hints)]
        hints += [hint for still in stills for hint in still.hints]
        frame_colorizer = frame_colorizer.with_stills({still.pts: still.ab for still in stills})
        if path.suffix.lower() == ".png":
            _save(preview(frame_colorizer, plan, hints), path, overwrite=args.overwrite)
        else:
            _save_film(frame_colorizer, plan, hints, path, overwrite=args.overwrite)
        print(path)
    return 0


def _check_preview(path: Path, *, overwrite: bool) -> None:
    from ..film.output.codecs import FORMATS

    if path.suffix.lower() not in (".png", *FORMATS):
        raise OptionError(f"{path}: a preview is a PNG file, or a short film such as preview.mp4: name it so")
    if path.exists() and not overwrite:
        raise FilmError(f"{path} exists: choose another output, or --overwrite")


def _save(sheet: Image.Image, path: Path, *, overwrite: bool) -> None:
    from ..atomic import new_file

    try:
        with new_file(path, overwrite=overwrite) as stream:
            sheet.save(stream, "PNG")
    except OSError as exc:
        raise FilmError(f"{path} cannot be written ({exc.strerror})") from exc


def _save_film(
    frame_colorizer: FrameColorizer, plan: Plan, hints: list[FilmHint], path: Path, *, overwrite: bool
) -> None:
    import av

    from ..atomic import new_path
    from ..film.preview import preview_film

    try:
        with new_path(path, overwrite=overwrite, suffix=path.suffix) as part:
            preview_film(frame_colorizer, plan, part, hints)
    except (OSError, av.error.FFmpegError) as exc:
        raise FilmError(f"{path} cannot be written ({exc.strerror})") from exc


def _print_plan(reader: FilmReader, plan: Plan, frame_colorizer: FrameColorizer) -> None:
    from ..film.preview import frames_per_second
    from ..film.times import time_text

    speed = frames_per_second(frame_colorizer, plan)
    size = f"{reader.width}x{reader.height}"
    print(f"{reader.path}: {_counted(plan.total, 'frame')}, {size}, {float(reader.rate):.3f} frames/s")
    stored = dict.fromkeys((plan.container, frame_colorizer.options.codec, plan.planes.name))
    print(f"{plan.output}: {', '.join(stored)}")
    for note in plan.notes:
        print(note_text(note))
    print(f"about {speed:.1f} frames/s here: {time_text(plan.total / speed)[:-4]} in all")
