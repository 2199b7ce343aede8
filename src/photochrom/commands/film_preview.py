"""Runs ``photochrom film`` without colouring: prints the plan or the shots of a film, or writes its preview."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import FilmError, OptionError, counted
from ..output_folders import check_folder
from .arguments import ModelLoader
from .console import Console
from .film_arguments import print_shots
from .messages import note_text

if TYPE_CHECKING:
    from ..film.colored_stills import Still
    from ..film.frames import FrameColorizer
    from ..film.hints import FilmHint
    from ..film.options import FilmOptions
    from ..film.plan import Plan
    from ..film.reader import FilmReader


@dataclass(frozen=True)
class Request:
    """Arguments, options and hints of one ``photochrom film`` command, which apply to each of its films."""

    args: argparse.Namespace
    output: Path | None
    """Output file or folder; None for an output beside each film."""
    options: FilmOptions
    hints: list[FilmHint]
    stills: list[Still]


def show_without_coloring(film: str, request: Request, load: ModelLoader, claim: Callable[[Path], None]) -> None:
    """Print the plan or the shots of a film, or write its preview, whichever the arguments request.

    ``claim`` is called with the path of the preview, and raises an error if that belongs to another film.

    Raises:
        FilmError: The film cannot be read or coloured, or the preview cannot be written.
        OptionError: The options do not suit the film.
        PhotoError: A PNG, TIFF or JPEG frame of a sequence cannot be read or written.
        ModelError, EngineError: The model cannot be loaded or run.
        OSError: The system's temporary folder cannot be written.
    """
    from ..film.frames import FrameColorizer
    from ..film.plan import check, check_pictures, make_plan, resolved
    from ..film.sequences.reader import open_film
    from ..film.shots.already_in_color import leaving_colored_shots
    from ..film.shots.planning import make_shot_plan
    from ..film.shots.titles import keeping_titles

    args = request.args
    output = None if args.preview else request.output
    with open_film(film, request.options) as reader:
        options = resolved(request.options, reader, request.output)
        plan = make_plan(reader, output, options)
        if args.dry_run:
            options = check(reader, plan, options, overwrite=args.overwrite)
        elif args.preview:
            path = _preview_path(reader, request.output)
            stills = [Path(still.partition("=")[2]) for still in args.still]
            _check_preview(path, reader, stills, overwrite=args.overwrite)
            claim(path)
            options = check_pictures(reader, plan, options)
        is_explicit = bool(request.options.recolor)
        frame_colorizer = FrameColorizer(load(), reader, plan.planes, options)
        frame_colorizer = frame_colorizer.with_shots(make_shot_plan(frame_colorizer, plan))
        if args.dry_run:
            if options.recolor and not is_explicit:
                plan.notes.append('shots in colour are left unchanged: recolor="all" colours them, too')
            _print_plan(reader, plan, frame_colorizer)
        elif args.list_shots:
            print_shots(args, frame_colorizer, plan)
        else:
            plan.notes.clear()  # they are on what the coloured film will keep
            frame_colorizer = leaving_colored_shots(frame_colorizer, plan, is_explicit=is_explicit)
            _write_preview(keeping_titles(frame_colorizer, plan), plan, request, path)
            print(path)
            for note in plan.notes:
                Console(quiet=args.quiet).note(f"{film}: {note_text(note)}")


def _write_preview(frame_colorizer: FrameColorizer, plan: Plan, request: Request, path: Path) -> None:
    """Write a sheet or a short film of the shots, with the colours of all hints and stills."""
    import av

    from ..atomic import new_path
    from ..film.preview import preview, preview_film

    hints = [*request.hints, *(hint for shot in frame_colorizer.options.shots for hint in shot.hints)]
    frame_colorizer = frame_colorizer.with_stills({still.pts: still.ab for still in request.stills})
    is_sheet = path.suffix.lower() == ".png"
    sheet = preview(frame_colorizer, plan, hints, request.stills) if is_sheet else None
    try:
        with new_path(path, overwrite=request.args.overwrite, suffix=path.suffix) as part:
            if sheet is not None:
                sheet.save(part, "PNG")
            else:
                preview_film(frame_colorizer, plan, part, hints, request.stills)
    except (OSError, av.error.FFmpegError) as exc:
        remedy = "make room, or choose another output"
        raise FilmError(f"cannot be written ({exc.strerror})", path=path, remedy=remedy) from exc


def _preview_path(reader: FilmReader, output: Path | None) -> Path:
    from ..film.sequences.reader import SequenceReader

    folder = reader.path.parent
    if isinstance(reader, SequenceReader):  # beside the folder of the frames
        folder = Path(os.path.normpath(reader.pattern.folder / os.pardir))
    path = output or folder
    return path / f"{reader.stem}.preview.png" if path.is_dir() else path


def _check_preview(path: Path, reader: FilmReader, stills: list[Path], *, overwrite: bool) -> None:
    """Check that a preview can be written, and replaces neither its film nor one of the coloured stills."""
    from ..film.output.codecs import FORMATS
    from ..film.sequences.reader import SequenceReader
    from ..photo.names import is_same_file

    if path.suffix.lower() not in (".png", *FORMATS):
        raise OptionError(
            "a preview is a PNG file or a short film", path=path, remedy="give a name such as preview.png or .mp4"
        )
    frames = map(reader.pattern.file, reader.numbers) if isinstance(reader, SequenceReader) else (reader.path,)
    if any(is_same_file(source, path) for source in (*frames, *stills) if source.suffix.lower() == path.suffix.lower()):
        raise FilmError("would be replaced, but the preview is made from it", path=path, remedy="choose another output")
    if path.exists() and not overwrite:
        raise FilmError("exists", path=path, remedy="choose another output, or overwrite=True")
    check_folder(path, FilmError)


def _print_plan(reader: FilmReader, plan: Plan, frame_colorizer: FrameColorizer) -> None:
    from ..film.preview import frames_per_second
    from ..film.times import time_text

    speed = frames_per_second(frame_colorizer, plan)
    size = f"{reader.width}x{reader.height}"
    length = ("about " if plan.is_estimate else "") + counted(plan.total, "frame") if plan.total else "length unknown"
    print(f"{reader.path}: {length}, {size}, {float(reader.rate):.3f} frames/s")
    stored = dict.fromkeys((plan.container, frame_colorizer.options.codec, plan.planes.name))
    print(f"{plan.output}: {', '.join(stored)}")
    for note in plan.notes:
        print(note_text(note))
    whole = f": {time_text(plan.total / speed)[:-4]} in all" if plan.total else ""
    print(f"about {speed:.1f} frames/s here{whole}")
