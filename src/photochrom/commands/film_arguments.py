"""Arguments of ``photochrom film`` on single shots and scans of old film; ``print_shots`` prints the shots."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import OptionError

if TYPE_CHECKING:
    from ..film.frames import FrameColorizer
    from ..film.options import FilmOptions
    from ..film.plan import Plan
    from ..film.shots.options import ShotOptions


def add_shots(film: argparse.ArgumentParser) -> None:
    """Declare ``--json``, ``--csv``, ``--edl``, ``--shots``, ``--only-shots`` and ``--keep-parts``."""
    form = film.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="with --list-shots: print JSON, which --shots can read")
    form.add_argument("--csv", action="store_true", help="with --list-shots: print CSV, which --shots can read")
    form.add_argument("--edl", action="store_true", help="with --list-shots: print an edit decision list (CMX 3600)")
    film.add_argument(
        "--shots",
        metavar="FILE",
        help="list of shots, with the vividness, strength and hints of each: a JSON, CSV or .edl file",
    )
    film.add_argument("--only-shots", metavar="3,7-9", help="colour these shots and leave the others as they are")
    film.add_argument(
        "--keep-parts",
        action="store_true",
        help="keep the working folder, so that the next run colours only the shots that have changed",
    )


def add_old_film(film: argparse.ArgumentParser) -> None:
    """Declare ``--frame``, ``--negative`` and ``--keep-titles``."""
    film.add_argument(
        "--frame",
        metavar="X,Y,W,H",
        help="the area of the picture in pixels; everything around it, such as sprocket holes, is left grey",
    )
    film.add_argument(
        "--negative",
        action=argparse.BooleanOptionalAction,
        help="the film is a negative: predict from the positive, and write complementary colours; the luma is not "
        "changed (default: refuse a film that is certainly a negative)",
    )
    film.add_argument("--keep-titles", action="store_true", help="leave intertitles (still text on black) as they are")


def shots_of(args: argparse.Namespace, options: FilmOptions) -> tuple[ShotOptions, ...]:
    """Read the list of shots that ``--shots`` names; return an empty tuple without it.

    An edit decision list is read with the film's frame rate and time code.

    Args:
        args: The arguments of ``photochrom film``.
        options: Options with which the film is opened, if the list is an edit decision list.

    Raises:
        FilmError: The film of an edit decision list cannot be read.
        OptionError: The list cannot be read, or there are several films.
    """
    from ..film.shots.options import read_shots

    if args.shots is None:
        return ()
    if len(set(args.inputs)) > 1:
        raise OptionError("a list of shots belongs to one film", remedy="name one film, or leave it out")
    if Path(args.shots).suffix.lower() != ".edl":
        return read_shots(args.shots)
    from ..film.sequences.reader import open_film
    from ..film.shots.edl import clock_of, read_edl

    with open_film(args.inputs[0], options) as reader:
        return read_edl(args.shots, clock_of(reader))


def numbers_of(text: str | None) -> tuple[int, ...]:
    """Parse numbers of shots: ``3,7-9`` becomes ``(3, 7, 8, 9)``, None becomes ``()``.

    Raises:
        OptionError: The text is not such a list.
    """
    numbers: list[int] = []
    for part in text.split(",") if text is not None else ():
        first, _, last = part.strip().partition("-")
        if not (first.isdecimal() and (last or first).isdecimal() and 0 < int(first) <= int(last or first) < 1_000_000):
            raise OptionError(f"{text!r:.60} is not a list of shots", remedy="write numbers from 1 up, as in 3,7-9")
        numbers += range(int(first), int(last or first) + 1)
    return tuple(dict.fromkeys(numbers))


def print_shots(args: argparse.Namespace, frame_colorizer: FrameColorizer, plan: Plan) -> None:
    """Print the shots of a film as a table, or in the format that ``--json``, ``--csv`` or ``--edl`` requests.

    Args:
        args: The arguments of ``photochrom film``.
        frame_colorizer: Prepares the frames of the film.
        plan: The part of the film to examine.

    Raises:
        FilmError: The film cannot be read.
    """
    from ..film.preview import list_shots
    from ..film.shots.edl import clock_of, write_edl
    from ..film.shots.options import shots_csv, shots_json, with_settings
    from ..film.times import time_text

    found = list_shots(frame_colorizer, plan)
    settings = frame_colorizer.options.shots
    if args.json:
        print(shots_json(with_settings(found, settings)).removesuffix("\n"))
    elif args.csv:
        print(shots_csv(with_settings(found, settings)).removesuffix("\n"))
    elif args.edl:
        reader = frame_colorizer.reader
        print(write_edl(found, clock_of(reader), reader.stem).removesuffix("\n"))
    else:
        for number, shot in enumerate(found, 1):
            print(f"{number:5}  {time_text(shot.start)}  {time_text(shot.end)}  {shot.frames:6} frames")
