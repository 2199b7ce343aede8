"""``photochrom photo``: colours photographs."""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Final, TextIO

from ..colorizer.hints import Hint, credit, page_of, read_hints
from ..colorizer.options import ColorOptions
from ..errors import OptionError, PhotochromError, PhotoError, clock
from ..machine import limit_blas_threads, reuse_freed_memory
from ..photo.names import STREAM, file_key
from .arguments import ModelLoader, add_dials, add_model, add_overwrite, add_verb, add_verbosity, color_options
from .console import Console, Progress
from .file_kinds import kind_of
from .messages import OWN_OUTPUT, error_text, note_text, unread_text
from .parser import Verbs
from .photo_arguments import add_photo_arguments, output_options

if TYPE_CHECKING:
    from ..photo.options import OutputOptions
    from ..photo.report import PhotoReport
    from .photo_jobs import PhotoJob

_FRAMES = (".dpx", ".exr")  # suffixes of formats that Photochrom reads as frames of films only

# Reasons for skipping photographs of a folder, printed once for all of them.
_OWN: Final = "made by Photochrom: {}; -v names them, --recolor colours them anyway"
_OUTPUTS: Final = "outputs of other photographs: {}; -v names them"
_EXISTING: Final = "coloured already: {}; -v names them, --overwrite colours them again"
_IN_COLOR: Final = "in colour already: {}; -v names them, --recolor colours them anyway"


def add(verbs: Verbs) -> None:
    """Declare ``photochrom photo`` and its arguments."""
    photo = add_verb(
        verbs,
        "photo",
        "colour photographs",
        "Colours photographs and folders of photographs (JPEG, PNG, TIFF, WebP, AVIF; HEIC with the extra 'heif'). "
        "Luma, orientation, resolution, profile and metadata are kept. Existing outputs are skipped.",
        examples=(
            "photo old.jpg                         writes old.color.jpg",
            "photo scans/ -o coloured/             a folder and its subfolders",
            "photo old.jpg --hint 42%,31%,maroon   a colour that you know",
        ),
        page="photographs",
    )
    photo.set_defaults(verb=run)
    photo.add_argument(
        "inputs", nargs="+", metavar="IN", help="photographs or folders; - reads one photograph from standard input"
    )
    photo.add_argument(
        "-o",
        "--output",
        metavar="OUT",
        help="a file, a folder (created if missing), or - for standard output (default: NAME.color.EXT beside IN)",
    )
    photo.add_argument(
        "--recursive", action=argparse.BooleanOptionalAction, default=True, help="descend into subfolders (default)"
    )
    add_overwrite(photo)
    _add_hints(photo)
    add_dials(photo)
    _add_companions(photo)
    add_photo_arguments(photo)
    photo.add_argument(
        "--page", type=int, metavar="N", help="colour one page of a multi-page TIFF (default: all, into one TIFF)"
    )
    add_model(photo)
    add_verbosity(photo)


def _add_hints(photo: argparse.ArgumentParser) -> None:
    photo.add_argument(
        "--hint",
        action="append",
        default=[],
        metavar="X,Y,COLOR",
        help="a colour that you know, and where in the upright picture: 0.42,0.31,#7a2b22 or 42%%,31%%,maroon or "
        "812px,440px,#732, and 2:42%%,31%%,maroon on page 2; may be repeated",
    )
    photo.add_argument(
        "--hints", action="append", default=[], metavar="FILE", help="a JSON file of such hints; may be repeated"
    )


def _add_companions(photo: argparse.ArgumentParser) -> None:
    photo.add_argument(
        "--alternatives",
        type=int,
        default=0,
        metavar="1..5",
        help="also write this many other plausible pictures as NAME.color.1.EXT, and the hints that produce each as "
        "NAME.color.1.json",
    )
    photo.add_argument(
        "--sheet",
        metavar="FILE",
        help="also write a contact sheet (PNG, JPEG, WebP) that shows each photograph before and after, and its named "
        "alternatives",
    )
    photo.add_argument(
        "--confidence",
        action="store_true",
        help="also write NAME.confidence.png, a map of the model's confidence, and print the places where it is least "
        "sure",
    )
    photo.add_argument(
        "--confidence-raw",
        action="store_true",
        help="like --confidence, but with a plain grey map: black is 0, white is 1",
    )


def run(args: argparse.Namespace) -> int:
    """Colour the photographs and return the exit status: 1 if one failed, otherwise 0.

    Raises:
        OptionError: The arguments contradict one another or do not suit the photographs.
        PhotoError: No photograph can be coloured: there is none, outputs collide, a folder cannot be listed or written,
            or the inputs are frames of a film; or the contact sheet cannot be written.
        ModelError, EngineError: The model cannot be loaded or run.
        PhotochromError: The packages of ``photochrom[c2pa]`` are missing.
    """
    limit_blas_threads()
    # If several hints share a place, the last one counts, so typed hints come after those in files.
    from_files = [hint for path in args.hints for hint in read_hints(path)]
    options = color_options(args)
    from .photo_jobs import find_jobs

    output = replace(
        output_options(args),
        overwrite=args.overwrite,
        alternatives=args.alternatives,
        confidence=args.confidence or args.confidence_raw,
        confidence_raw=args.confidence_raw,
        preview=args.sheet is not None,
    )
    console = Console(quiet=args.quiet, verbose=args.verbose, to_stderr=args.output == "-" or "-" in args.inputs)
    jobs, own, clashes = find_jobs(
        args.inputs, args.output, output, recursive=args.recursive, recolor=args.recolor, other_inputs=args.hints
    )
    if not (jobs or own or clashes):
        raise _nothing_found(args)
    if (args.hints or args.hint) and len(jobs) > 1:
        raise OptionError("hints belong to one picture", remedy="name one photograph, or leave them out")
    typed = [Hint.parse(text, size=_size_for_hint(jobs, text, args.page)) for text in args.hint]
    options = options.with_hints((*from_files, *typed))
    sheet = None if args.sheet is None else _check_sheet(Path(args.sheet), jobs, own, output, args.hints)
    if clashes and not jobs:
        raise clashes[0]
    for clash in clashes:
        console.error(error_text(clash))
    reuse_freed_memory()
    work = _Work(ModelLoader(args), options, output, console, args.recolor, args.negative, args.page, sheet)
    for job in own:
        reason = ("is the output of another photograph: skipped", _OUTPUTS) if args.recolor else (OWN_OUTPUT, _OWN)
        work.skip(job, *reason)
    status = work.color_all(jobs, failed=len(clashes))
    _note_unread(args, console)
    return status


def _note_unread(args: argparse.Namespace, console: Console) -> None:
    """Print which pictures were left out because Photochrom does not read their formats."""
    from .photo_jobs import unread_pictures

    unread = unread_pictures(args.inputs, recursive=args.recursive)
    for path in unread:
        console.detail(f"{path}: is in a format that Photochrom does not read")
    if unread:
        console.note(unread_text(Counter(path.suffix.lower() for path in unread)))


def _check_sheet(
    path: Path, jobs: Sequence[PhotoJob], own: Sequence[PhotoJob], output: OutputOptions, hints: Sequence[str]
) -> Path:
    """Check that the contact sheet can be written, before any work begins, and return its path.

    Raises:
        OptionError: The path has a wrong extension, or is that of an input or another output; or there are too many
            photographs.
        PhotoError: The file exists and must not be overwritten, or its folder does not exist.
    """
    from ..photo.contact_sheet import MAX_PHOTOGRAPHS, format_of_sheet
    from ..photo.names import check_destination, companion_paths, is_same_file

    format_of_sheet(path)
    if len(jobs) + len(own) > MAX_PHOTOGRAPHS:
        raise OptionError(
            f"a sheet cannot show {len(jobs) + len(own)} photographs",
            remedy=f"give at most {MAX_PHOTOGRAPHS}, or use 'photochrom batch'",
        )
    files: list[str | Path] = [*hints, *(job.source for job in (*jobs, *own) if not job.is_stream)]
    for destination in (Path(job.destination) for job in (*jobs, *own) if job.destination != STREAM):
        files += [destination, *companion_paths(destination, output)]
    if any(is_same_file(path, file) for file in files):
        raise OptionError("is read or written already", path=path, remedy="choose another name for the sheet")
    if not all(job.keeps_existing(overwrite=output.overwrite) for job in jobs):  # otherwise no sheet is written
        check_destination(path, overwrite=output.overwrite)
    return path


def _size_for_hint(jobs: Sequence[PhotoJob], hint: str, page: int | None) -> tuple[int, int] | None:
    """Return width and height of the upright photograph or page; None if the hint is not in pixels, or without jobs."""
    if "px" not in hint or not jobs:
        return None
    from ..photo.inspection import check_source, upright_size

    source = Path(jobs[0].source)
    if not jobs[0].is_stream:
        check_source(source)
    try:
        return upright_size(source, page_of(hint) or page)
    except PhotoError as exc:
        raise PhotoError(exc.problem, path=exc.path, remedy="give the place of the hint in percent") from exc


def _nothing_found(args: argparse.Namespace) -> PhotoError:
    """Return the error for inputs that are all folders without photographs."""
    from .photo_jobs import unread_pictures

    for folder in map(Path, args.inputs):
        if any(path.suffix.lower() in _FRAMES for path in folder.iterdir()):
            return PhotoError("holds frames of a film", path=folder, remedy="colour it with 'photochrom film'")
    others = ", and neither do the other folders" if len(set(args.inputs)) > 1 else ""
    remedy = f"name another folder{'' if args.recursive else ', or add recursive=True'}"
    if unread := {path.suffix.lower() for path in unread_pictures(args.inputs, recursive=args.recursive)}:
        remedy = f"convert those in other formats ({' '.join(sorted(unread))}) to PNG or TIFF"
    return PhotoError(f"holds no photographs that can be coloured{others}", path=args.inputs[0], remedy=remedy)


@dataclass
class _Work:
    """Colours photographs one after the other, and counts how many are coloured, skipped and failed."""

    load: ModelLoader
    options: ColorOptions
    output: OutputOptions
    console: Console
    recolor: bool
    negative: bool
    page: int | None
    sheet: Path | None = None
    reports: list[tuple[str, PhotoReport]] = field(default_factory=list)
    written: dict[object, str] = field(default_factory=dict)
    """Source of each output, by the output's ``file_key``."""
    skipped_counts: Counter[str] = field(default_factory=Counter)
    colored: int = 0
    failed: int = 0
    skipped: int = 0

    def color_all(self, jobs: Sequence[PhotoJob], *, failed: int) -> int:
        """Colour all photographs and return the exit status; ``failed`` counts those that have failed before.

        Raises:
            OptionError: The options do not suit the only photograph, or the model.
        """
        begun, self.failed = time.monotonic(), failed
        several = len(jobs) + failed + self.skipped > 1
        with self.console.progress("photo", len(jobs)) as bar:
            for number, job in enumerate(jobs, 1):
                self._color_or_skip(job, bar, alone=not several)
                if several:
                    bar.show(number, len(jobs))
        self._write_sheet()
        if several:
            self.console.result(self._summary(time.monotonic() - begun))
        for reason, count in self.skipped_counts.items():  # photographs of a folder are not reported one by one
            self.console.note(reason.format(count))
        return 1 if self.failed else 0

    def skip(self, job: PhotoJob, reason: str, summary: str) -> None:
        """Count a skipped photograph and print why: at once if the user named it, otherwise in a summary at the end."""
        self.skipped += 1
        if job.is_named:
            self.console.note(f"{job.source}: {reason}")
        else:
            self.console.detail(f"{job.source}: {reason}")
            self.skipped_counts[summary] += 1

    def _color_or_skip(self, job: PhotoJob, bar: Progress, *, alone: bool) -> None:
        try:
            if reasons := self._reasons_to_skip(job):
                self.skip(job, *reasons)
            else:
                self._color(job, bar)
        except PhotochromError as exc:
            if exc is self.load.error:
                raise
            if job.was_written_meanwhile(exc):
                self.skip(job, f"{job.destination} has just been written by another program: skipped", _EXISTING)
            else:
                self.failed += 1
                self.console.error_of(job.source, exc, alone=alone)

    def _reasons_to_skip(self, job: PhotoJob) -> tuple[str, str] | None:
        """Return why a photograph is skipped, and a message that counts all such photographs; None to colour it.

        Raises:
            PhotoError: The photograph is a film, or cannot be read; its output is empty, or that of another photograph;
                or the user named it, and it is in colour already.
        """
        from ..photo.inspection import is_in_color

        if not job.is_stream and kind_of(Path(job.source)) == "film":
            raise PhotoError("is a film", path=job.source, remedy="colour it with 'photochrom film'")
        if other := self.written.get(file_key(job.destination)):
            raise PhotoError(
                f"would replace the output of {other} on this disk, which ignores case",
                path=job.destination,
                remedy="rename one of the photographs, or choose another output for it",
            )
        if job.keeps_existing(overwrite=self.output.overwrite):
            if not Path(job.destination).stat().st_size:
                raise PhotoError("is empty", path=job.destination, remedy="overwrite=True replaces it")
            return f"{job.destination} exists already: skipped; --overwrite replaces it", _EXISTING
        if self.recolor or job.is_stream:
            return None
        if is_in_color(Path(job.source), self.page):
            if job.is_named:
                raise PhotoError("is in colour already", path=job.source, remedy="--recolor colours it anyway")
            return "is in colour already: skipped; --recolor colours it anyway", _IN_COLOR
        return None

    def _color(self, job: PhotoJob, bar: Progress) -> None:
        from ..photo.job import colorize_photo

        begun = time.monotonic()
        with job.needed_folder():
            report = colorize_photo(
                _binary(sys.stdin, "input") if job.is_stream else job.source,
                _binary(sys.stdout, "output") if job.destination == STREAM else job.destination,
                self.options,
                colorizer=self.load,
                output=self.output,
                negative=self.negative,
                page=self.page,
                on_page=bar.show_page,
            )
        self.colored += 1
        if self.sheet is not None:
            self.reports.append((job.source, report))
        pages = f" ({report.pages} pages)" if report.pages > 1 else ""
        if job.destination != STREAM:
            self.written[file_key(job.destination)] = job.source
            self.console.result(f"{job.source} -> {job.destination}{pages}")
        self.console.detail(
            f"  {report.width} x {report.height} pixels, colourfulness {report.colorfulness:.0f}, "
            f"{time.monotonic() - begun:.2f} s"
        )
        if report.luma_coding:
            self.console.detail(f"  {report.luma_coding}")
        for number, name in enumerate(report.alternatives, 1):
            self.console.result(f"  alternative {number}: {name}")
        for x, y, confidence in report.least_sure:
            self.console.result(f"  least sure at {100 * x:.0f}%,{100 * y:.0f}% (confidence {confidence:.2f})")
        for warning in report.warnings:
            self.console.note(f"{job.source}: {note_text(warning)}")

    def _write_sheet(self) -> None:
        """Write the contact sheet of all coloured photographs, if requested."""
        if self.sheet is None:
            return
        if not self.reports:
            self.console.note("no contact sheet was written, because no photograph was coloured")
            return
        from ..photo.contact_sheet import contact_sheet, write_sheet

        label = credit(self.load().label, self.options.hints)
        try:
            write_sheet(contact_sheet(self.reports), self.sheet, credit=label, overwrite=self.output.overwrite)
        except PhotochromError as exc:
            self.failed += 1
            self.console.error(error_text(exc))
        else:
            self.console.result(f"contact sheet -> {self.sheet}")

    def _summary(self, seconds: float) -> str:
        return f"{self.colored} coloured, {self.skipped} skipped, {self.failed} failed, in {clock(seconds)}"


def _binary(stream: TextIO | None, name: str) -> BinaryIO:
    if stream is None:
        raise PhotoError(f"the standard {name} is closed", remedy="name a file")
    return stream.buffer
