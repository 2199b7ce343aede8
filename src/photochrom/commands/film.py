"""``photochrom film``: colours films."""

from __future__ import annotations

import argparse
import functools
import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from ..errors import FilmError, OptionError, PhotochromError, clock, counted
from ..machine import LARGEST_REUSED_IN_FILMS, available_cores, limit_blas_threads, reuse_freed_memory
from ..output_folders import needed_folder
from . import INTERRUPTED, c2pa
from .arguments import ModelLoader, add_dials, add_model, add_overwrite, add_verb, add_verbosity, color_options
from .console import Console
from .file_kinds import kind_of
from .film_arguments import add_old_film, add_shots, numbers_of, shots_of
from .film_preview import Request, show_without_coloring
from .messages import OWN_OUTPUT, note_text
from .parser import Verbs

if TYPE_CHECKING:
    from ..film.colored_stills import Still
    from ..film.options import FilmOptions


_FEW: Final = 4  # up to this number of cores, all are busy if each stage of a film runs in one thread


def add(verbs: Verbs) -> None:
    """Declare ``photochrom film`` and its arguments."""
    film = add_verb(
        verbs,
        "film",
        "colour films",
        "Colours films, with steady colours within each shot. Time stamps, sound, subtitles and chapters are kept. If "
        "a job is stopped, the same command resumes it.",
        examples=(
            "film reel.mp4                       writes reel.color.mp4",
            "film reel.mp4 --preview             only writes a sheet of its shots",
            "film reel.mp4 --start 1:30 --end 2:00",
            "film reels/*.mkv -o coloured/",
        ),
        page="films",
    )
    film.set_defaults(verb=run)
    film.add_argument(
        "inputs",
        nargs="*",
        metavar="IN",
        help="films, or folders or patterns of numbered frames, such as reel.%%04d.dpx",
    )
    film.add_argument(
        "-o",
        "--output",
        metavar="OUT",
        help="a file, an existing folder, or a new folder, whose name ends in a slash (default: NAME.color.EXT beside "
        "IN; NAME.preview.png for a preview)",
    )
    add_overwrite(film)
    film.add_argument("--restart", action="store_true", help="discard the work of an earlier, unfinished job")
    only = film.add_mutually_exclusive_group()
    only.add_argument("--list-shots", action="store_true", help="only print the shots")
    only.add_argument(
        "--preview",
        action="store_true",
        help="only write NAME.preview.png, a sheet with some frames of each shot, coloured one by one; or, with "
        "-o NAME.mp4, a short film with the middle of each shot, as steady as the whole film",
    )
    only.add_argument("--dry-run", action="store_true", help="only print the plan, and an estimate of the time")
    add_shots(film)
    add_old_film(film)
    _add_coloring(film)
    _add_encoding(film)
    add_model(film)
    add_verbosity(film)


def _add_coloring(film: argparse.ArgumentParser) -> None:
    film.add_argument("--start", metavar="TIME", help="start at this time: seconds, or 0:01:30.5")
    film.add_argument("--end", metavar="TIME", help="end at this time")
    film.add_argument(
        "--hints",
        action="append",
        default=[],
        metavar="FILE",
        help="a JSON file of known colours with their places and times; may be repeated",
    )
    film.add_argument(
        "--still",
        action="append",
        default=[],
        metavar="TIME=FILE",
        help="a coloured version of the frame at TIME; its colours spread through its shot; may be repeated",
    )
    film.add_argument(
        "--recolor",
        nargs="?",
        const="all",
        default=False,
        metavar="{all,grey-shots}",
        help="colour a film that is in colour already: all of it from its luma, or only its grey shots. By default, a "
        "film that is entirely in colour is refused, and of a film with some grey shots only these are coloured",
    )
    add_dials(film)


def _add_encoding(film: argparse.ArgumentParser) -> None:
    film.add_argument(
        "--codec",
        default="auto",
        help="libx264, libx265, ffv1 (lossless), prores, dnxhr, v210, or frames: dpx, tiff, png, jpeg, jp2, exr "
        "(default: libx264; for a sequence of frames, its own format)",
    )
    film.add_argument(
        "--profile", help="for prores: hq, standard, lt, proxy, 4444, 4444xq; for dnxhr: hqx, hq, sq, lb, 444"
    )
    film.add_argument(
        "--bits",
        type=int,
        metavar="8..16",
        help="bits per sample (default: as in the film, or more if the codec requires it)",
    )
    film.add_argument("--crf", type=int, default=18, metavar="0..51", help="quality, lower is better (default: 18)")
    film.add_argument(
        "--preset", default="veryfast", help="speed of the codec: ultrafast to veryslow (default: veryfast)"
    )
    c2pa.add_signing(film)
    film.add_argument(
        "--rate",
        metavar="FPS",
        help="frames per second of a sequence (default: from its headers, or 24), or of a raw stream that states none",
    )
    film.add_argument(
        "--fill-gaps", action="store_true", help="replace each missing frame of a sequence by the frame before it"
    )


def run(args: argparse.Namespace) -> int:
    """Colour the films and return the exit status: 0 if all succeeded, 1 if one failed, 130 after Ctrl+C.

    The error of one film is printed, and the next film is coloured.

    Raises:
        OptionError: The arguments contradict one another or do not suit the films.
        FilmError: A film of which a still is given cannot be read.
        ModelError, EngineError: The model cannot be loaded.
        PhotochromError: The packages of ``photochrom[c2pa]`` are missing.
        OSError: The system's temporary folder cannot be written.
    """
    limit_blas_threads()
    reuse_freed_memory(LARGEST_REUSED_IN_FILMS)
    from ..film.hints import read_film_hints

    films = args.inputs = _films(args)
    options = _options(args)
    if (args.hints or args.still) and len(films) > 1:
        raise OptionError("hints and stills belong to one film", remedy="name one film, or leave them out")
    hints = [hint for path in args.hints for hint in read_film_hints(path)]
    stills = _read_stills(args, films[0], options)
    with _output(args.output, several=len(films) > 1) as output, _shared_cores(args):
        return _process_all(films, Request(args, output, options, hints, stills))


def _films(args: argparse.Namespace) -> list[str]:
    """Return the films to colour; if ``--recolor`` has taken the first one as its value, both are corrected.

    Raises:
        OptionError: No film is named, or a flag does not suit the others.
    """
    from ..film.options import RECOLOR

    if args.recolor not in (False, *RECOLOR):  # a film's name was parsed as the flag's value
        if not Path(args.recolor).exists():
            raise OptionError(f"--recolor is {args.recolor!r}", remedy=f"choose from {', '.join(RECOLOR)}")
        args.inputs.insert(0, args.recolor)
        args.recolor = "all"
    if not args.list_shots and (form := next((f for f in ("json", "csv", "edl") if getattr(args, f)), None)):
        raise OptionError(f"--{form} is a format of the list of shots", remedy="add --list-shots")
    if not args.inputs:
        raise OptionError("no film is named", remedy="name one, as in 'photochrom film reel.mp4'")
    return _distinct(args.inputs)


def _options(args: argparse.Namespace) -> FilmOptions:
    from ..film.frame_kinds.picture_area import parse_area
    from ..film.options import FilmOptions
    from ..film.times import parse_time

    options = FilmOptions(
        color_options(args),
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
    return replace(options, shots=shots_of(args, options))


def _shared_cores(args: argparse.Namespace) -> AbstractContextManager[None]:
    """Return a context that limits the network and OpenCV to one thread each, if the stages of a film use all cores."""
    from ..color.bands import limited_threads

    is_colored = not (args.list_shots or args.preview or args.dry_run)
    return limited_threads(1) if is_colored and available_cores() <= _FEW else nullcontext()


def _process_all(films: list[str], request: Request) -> int:
    """Colour or preview films one after the other, even if some of them fail, and return the exit status.

    Raises:
        OptionError: An option is wrong for all films, or for the only one.
        ModelError, EngineError: The model cannot be loaded.
        OSError: The system's temporary folder cannot be written.
    """
    args, claimed = request.args, dict[Path, str]()
    console = Console(quiet=args.quiet, verbose=args.verbose)
    load = ModelLoader(args)
    status = 0
    if not (args.recolor or args.list_shots or args.preview):
        films = _without_own(films, console)
    for film in films:
        try:
            check_kind(film)
            claim = functools.partial(_claim, film=film, films=films, claimed=claimed)
            if args.list_shots or args.preview or args.dry_run:
                show_without_coloring(film, request, load, claim)
            else:
                status = max(status, _color(film, request, load, console, claim))
        except PhotochromError as exc:
            if exc is load.error:
                raise
            console.error_of(film, exc, alone=len(request.args.inputs) == 1)
            status = 1
        if status == INTERRUPTED:
            break
    return status


def _without_own(films: list[str], console: Console) -> list[str]:
    """Return the films that Photochrom has not made itself, and print which others are skipped."""
    from ..film.output.metadata import is_own_output

    own = {film: None for film in films if is_own_output(Path(film))}
    for film in own:
        console.note(f"{film}: {OWN_OUTPUT}")
    return [film for film in films if film not in own]


def _distinct(inputs: list[str]) -> list[str]:
    """Return each film once; frames of one sequence, to which a shell expands ``*.dpx``, count as one film."""
    from ..film.sequences.names import family_of

    found: dict[object, str] = {}
    for text in inputs:
        found.setdefault(family_of(Path(text)) or text, text)
    return list(found.values())


def _claim(output: Path, film: str, films: Sequence[str], claimed: dict[Path, str]) -> None:
    """Record the output of a film in ``claimed``, so that no film of this command replaces another.

    Raises:
        FilmError: Another film has the same output, or is this output.
    """
    from ..film.sequences.names import is_pattern
    from ..photo.names import is_same_file

    named = output.parent if is_pattern(output) else output
    if any(is_same_file(named, other) for other in films if other != film):
        raise FilmError("is itself to be coloured", path=named, remedy="choose another output, or leave it out")
    if (other := claimed.setdefault(output.absolute(), film)) != film:
        raise FilmError(
            f"would be written to {named}, like {other}", path=film, remedy="colour it alone, into another folder"
        )


def check_kind(film: str) -> None:
    """Check that a path is neither a photograph nor ``-``, which stands for standard input.

    Raises:
        FilmError: The path is a photograph or ``-``.
    """
    if film == "-":
        raise FilmError("a film cannot be read from the standard input", remedy="name a file")
    if kind_of(Path(film)) == "photo":
        raise FilmError("is a photograph", path=film, remedy="colour it with 'photochrom photo'")


@contextmanager
def _output(text: str | None, *, several: bool) -> Iterator[Path | None]:
    """Yield the output's path; create it as a folder if there are several films, or if its name ends in a slash.

    The path is None if none is given. After the block, a created folder that is empty is removed.

    Raises:
        OptionError: The output is ``-``; or a folder is needed, but the output is a file, has a file's suffix, or
            cannot be created.
    """
    if text == "-":
        raise OptionError("a film cannot be written to the standard output", remedy="name a file")
    output = None if text is None else Path(text)
    if output is None or not (several or str(text).endswith((os.sep, "/"))):
        yield output
        return
    if several and output.suffix and not str(text).endswith((os.sep, "/")) and not output.is_dir():
        raise OptionError("is not a folder, which several films need as output", path=output, remedy="name a folder")
    with needed_folder(output, OptionError):
        yield output


def _read_stills(args: argparse.Namespace, film: str, options: FilmOptions) -> list[Still]:
    from ..film.colored_stills import distinct_stills, read_still
    from ..film.times import parse_time

    found = []
    for text in args.still:
        at, equals, path = text.partition("=")
        if not equals:
            raise OptionError(f"{text!r:.60} is not a still", remedy="write TIME=FILE, as in 12.5=coat.png")
        time = parse_time(at)
        check_kind(film)
        found.append(read_still(film, time, path, options))
    return distinct_stills(found)


def _color(film: str, request: Request, load: ModelLoader, console: Console, claim: Callable[[Path], None]) -> int:
    """Colour one film, report on it, and return the exit status."""
    from ..film import Progress, colorize_film

    begun = time.monotonic()
    with console.progress("frame") as bar:
        resumed = False

        def show(progress: Progress) -> None:
            nonlocal resumed
            if progress.done > 1 and not resumed:
                whole = f" of {'about ' if progress.is_estimate else ''}{progress.total}" if progress.total else ""
                console.result(f"{film}: continuing at frame {progress.done}{whole}")
            resumed = resumed or progress.done > 0
            if progress.done:
                bar.show(progress.done, progress.total or None, is_estimate=progress.is_estimate)

        try:
            report = colorize_film(
                film,
                request.output,
                request.options,
                hints=request.hints,
                stills=request.stills,
                colorizer=load,
                overwrite=request.args.overwrite,
                restart=request.args.restart,
                progress=show,
                on_output=claim,
            )
            bar.finish()
        except KeyboardInterrupt:
            console.error("stopped: the same command continues it; at most ten seconds of film are coloured again")
            return INTERRUPTED
    frames, shots = counted(report.frames, "frame"), counted(len(report.shots), "shot")
    seconds = clock(time.monotonic() - begun)
    console.result(f"{film} -> {report.output}: {frames}, {shots}, in {seconds}")
    for span in report.hint_spans:
        console.detail(f"{film}: the {'still' if span.hint is None else 'hint'} {span.text('was followed ')}")
    for note in report.notes:
        console.note(f"{film}: {note_text(note)}")
    return 0
