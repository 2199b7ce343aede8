"""``photochrom batch``: colours folders, buckets and lists of photographs, and reports on each item."""

from __future__ import annotations

import argparse
import os
import sys
from contextlib import ExitStack, closing
from pathlib import Path
from typing import TYPE_CHECKING, Final

from ..errors import OptionError, counted, first_of, one_line, system_errors
from ..signals import stopping
from . import INTERRUPTED
from .arguments import add_dials, add_model, add_verb, color_options
from .console import print_to_stderr
from .messages import note_text, unread_text
from .parser import Verbs, options_given
from .photo_arguments import add_photo_arguments, output_options

if TYPE_CHECKING:
    from ..batch.options import BatchOptions
    from ..batch.report import Row
    from ..batch.summary import BatchSummary

_OF_REPORT: Final = ("--parquet", "--premis")  # options after 'report'


def add(verbs: Verbs) -> None:
    """Declare ``photochrom batch`` and its arguments."""
    batch = add_verb(
        verbs,
        "batch",
        "colour folders, buckets and lists of photographs",
        "Colours every photograph of a source and reports on each. The same command resumes a stopped batch.",
        examples=(
            "batch scans/ -o coloured/             a folder and its subfolders",
            "batch scans/ -o coloured/ --dry-run   count, and estimate time and disk",
            "batch list.csv -o coloured/           a manifest: path, and output, hints, vividness",
            "batch s3://bucket/scans -o s3://bucket/coloured",
            "batch scans/ -o coloured/ --shard 3/8 one of eight machines",
            "batch report coloured/                totals, and a contact sheet",
        ),
        page="archives",
    )
    batch.set_defaults(verb=run, parser=batch)
    batch.add_argument(
        "source",
        help="a folder, a manifest (CSV, TSV, JSONL, Parquet), an address such as s3://bucket/scans, or an IIIF "
        "manifest; or the word 'report'",
    )
    batch.add_argument("folder", nargs="?", type=Path, help="after 'report': the target of the batch to report on")
    batch.add_argument("-o", "--output", metavar="TARGET", help="a folder or an address; subfolders are kept")
    _add_selection(batch)
    _add_coloring(batch)
    _add_running(batch)
    _add_reporting(batch)


def _add_selection(batch: argparse.ArgumentParser) -> None:
    group = batch.add_argument_group("which items, and their outputs")
    group.add_argument(
        "--include", action="append", default=[], metavar="GLOB",
        help="colour only matching files or rows of a list, as in '*.tif' or '1934/*'; may be repeated",
    )  # fmt: skip
    group.add_argument(
        "--exclude", action="append", default=[], metavar="GLOB",
        help="leave out matching files, folders or rows of a list; may be repeated",
    )  # fmt: skip
    group.add_argument("--name", metavar="TEMPLATE", help='name of each output (default: "{stem}.color{suffix}")')
    group.add_argument(
        "--retry-errors", action="store_true",
        help="retry the items that failed before, or whose outputs are smaller than when they were written",
    )  # fmt: skip


def _add_coloring(batch: argparse.ArgumentParser) -> None:
    group = batch.add_argument_group("colouring")
    add_dials(group)
    add_model(group)
    add_photo_arguments(group)


def _add_running(batch: argparse.ArgumentParser) -> None:
    group = batch.add_argument_group("running")
    group.add_argument(
        "--workers", type=int, metavar="N", help="number of processes (default: one per core, if memory allows)"
    )
    group.add_argument(
        "--shard", type=_shard, metavar="I/N", help="colour only the I-th of N parts; each machine colours another"
    )
    group.add_argument(
        "--ray", nargs="?", const="", metavar="ADDRESS", help="distribute with Ray; needs the extra 'ray'"
    )
    group.add_argument(
        "--max-errors",
        type=_error_limit,
        metavar="N|N%",
        help="end early after N errors, or if over N%% of the items finished so far have failed",
    )
    group.add_argument(
        "--dry-run",
        action="store_true",
        help="only count the items, and estimate time and disk space by colouring a few",
    )
    group.add_argument("--quiet", action="store_true", help="print only errors and the totals")


def _add_reporting(batch: argparse.ArgumentParser) -> None:
    group = batch.add_argument_group("report")
    group.add_argument(
        "--report",
        type=Path,
        metavar="FOLDER",
        help="folder of the report (default: the target; for an address, a cache folder that is copied to it)",
    )
    group.add_argument("--no-thumbnails", action="store_true", help="do not keep thumbnails for the contact sheet")
    group.add_argument("--parquet", action="store_true", help="also write report.parquet; needs the extra 'batch'")
    group.add_argument("--premis", action="store_true", help="also write premis.xml, with an event for each item")
    group.add_argument(
        "--bagit", action="store_true", help="turn the finished target into a BagIt bag; needs the extra 'batch'"
    )


def _shard(text: str) -> tuple[int, int]:
    number, _, count = text.partition("/")
    try:
        return int(number), int(count)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a shard: write 3/8 for the third of eight") from None


def _error_limit(text: str) -> int | float:
    try:
        return float(text[:-1]) / 100 if text.endswith("%") else int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is neither a number nor a percentage: write 100 or 5%") from None


def run(args: argparse.Namespace) -> int:
    """Run the batch and return the exit status: 0 if all is done, 1 if items failed, 2 if all failed, 130 after Ctrl+C.

    Raises:
        OptionError: The arguments contradict one another or do not suit the photographs, or there is no such source.
        ModelError, EngineError: The model cannot be loaded or run.
        PhotochromError: The report cannot be read or written, or a package of an extra is missing.
        OSError: The system's temporary folder cannot be written.
    """
    if args.source == "report" and args.folder is not None:
        return _report(args)
    if args.folder is not None:
        raise OptionError("a batch has one source", path=args.folder, remedy="name the target with --output")
    if args.source == "report" and not args.output:
        raise OptionError("no batch is named", remedy="name its target, as in 'photochrom batch report coloured/'")
    if not args.output:
        raise OptionError("a batch needs a target", remedy="name a folder or an address with --output")
    options = _options(args)
    _check_preservation(args)
    if args.dry_run:
        return _dry_run(args, options)
    return _color(args, options)


def _options(args: argparse.Namespace) -> BatchOptions:
    from ..batch.naming import DEFAULT_NAME
    from ..batch.options import BatchOptions

    return BatchOptions(
        color=color_options(args),
        output=output_options(args),
        negative=args.negative,
        recolor=args.recolor,
        model=args.model,
        device=args.device,
        name=args.name or DEFAULT_NAME,
        include=tuple(args.include),
        exclude=tuple(args.exclude),
        workers=args.workers,
        shard=args.shard,
        ray=args.ray is not None,
        ray_address=args.ray or None,
        retry_errors=args.retry_errors,
        max_errors=args.max_errors,
        thumbnails=not args.no_thumbnails,
        report=args.report,
    )


def _check_preservation(args: argparse.Namespace) -> None:
    """Check that the requested preservation files can be made of the target.

    Raises:
        OptionError: The target of a bag is remote or contains the source, or other shards are still to be coloured.
        PhotochromError: A package is missing.
    """
    from ..batch.archival import check_packages
    from ..batch.remote_files import is_remote

    if args.bagit and is_remote(args.output):
        raise OptionError("cannot become a bag", path=args.output, remedy="name a local folder, or leave out --bagit")
    if args.bagit and args.shard:
        raise OptionError("a bag holds all shards", remedy="run the command without --shard when they have ended")
    is_local = not is_remote(args.source)
    if args.bagit and is_local and Path(os.path.realpath(args.source)).is_relative_to(os.path.realpath(args.output)):
        raise OptionError(
            "is in the target, and would be moved into the bag", path=args.source, remedy="name another target"
        )
    check_packages(bag=args.bagit, parquet=args.parquet)


def _color(args: argparse.Namespace, options: BatchOptions) -> int:
    from ..batch.coordinator import color_batch

    interrupted = 0

    def conclude(summary: BatchSummary, folder: Path) -> None:
        nonlocal interrupted
        items.close()  # from now on, Ctrl+C stops at once, since checksums may take long
        interrupted = received()
        progress.close()
        _tell(args, summary)
        if not summary.ended_early:
            _preserve(args, folder, bag=args.bagit and not summary.cut_short)
        if not args.quiet:
            print(f"the report is in {folder}; for a contact sheet: photochrom batch report {folder}")

    with closing(_Progress(quiet=args.quiet)) as progress, ExitStack() as items:
        received = items.enter_context(stopping("SIGINT", told=_say_that_items_are_finished))
        summary = color_batch(
            args.source, args.output, options, progress=progress, stop=lambda: received() > 0, at_end=conclude
        )
    return INTERRUPTED if interrupted else summary.status


def _say_that_items_are_finished() -> None:
    print_to_stderr("photochrom: finishing the items in progress; press Ctrl+C again to stop at once")


def _tell(args: argparse.Namespace, summary: BatchSummary) -> None:
    """Print the counts, and what to do about items that were not coloured."""
    print(summary)
    if summary.in_color and not args.quiet:
        print("photographs in colour were skipped; --recolor colours them anyway")
    if summary.failed_before:
        names = one_line(first_of(summary.failed_before))
        print(f"not tried again, because they failed before: {names}; --retry-errors tries them")
    if summary.failures and (summary.failed or summary.failed_before):
        in_bag = args.bagit and not args.report  # in its folder data
        place = summary.failures.name if in_bag else summary.failures
        print(f"all items that failed are listed in {place}")
    if summary.cut_short and not args.quiet:
        print("outputs that are smaller than when they were written were left alone; --retry-errors colours them again")
        if args.bagit:
            print("no bag was made, because of these outputs")
    if summary.unread and not args.quiet:
        print(f"{unread_text(summary.unread)}; the report names them")


def _preserve(args: argparse.Namespace, folder: Path, *, bag: bool) -> None:
    """Write the requested preservation files; a bag comes last, because its checksums cover all other files."""
    from ..batch.archival import make_bag, write_parquet, write_premis
    from ..batch.contact_sheet import rows_of

    if args.parquet:
        write_parquet(folder, rows_of(folder))
    if args.premis:
        write_premis(folder, rows_of(folder))
    if bag:
        make_bag(Path(args.output))


class _Progress:
    """A progress bar with rate, failures and remaining time; errors are printed above it."""

    def __init__(self, *, quiet: bool) -> None:
        from tqdm import tqdm

        self._quiet = quiet
        hidden = quiet or sys.stderr is None or not sys.stderr.isatty()
        self._bar = tqdm(unit="item", disable=hidden, total=0)

    def close(self) -> None:
        """Remove the bar."""
        self._bar.close()

    def __call__(self, summary: BatchSummary, row: Row | None) -> None:
        if row is None:
            if not self._quiet:
                print_to_stderr(f"{counted(summary.listed, 'item')}, {summary.to_do:,} to do")
            for key in summary.cut_short:
                print_to_stderr(f"photochrom: {one_line(key)}: its output is smaller than when it was written")
            self._bar.reset(total=summary.to_do)
            return
        from ..batch.summary import two_digits

        self._bar.update()
        speed = summary.megapixels / summary.seconds if summary.seconds else 0.0
        self._bar.set_postfix_str(f"{two_digits(speed)} MP/s, {summary.failed} failed", refresh=False)
        if row.status == "error":
            print_to_stderr(f"photochrom: {note_text(row.error)}")


def _dry_run(args: argparse.Namespace, options: BatchOptions) -> int:
    from ..batch.estimate import estimate_batch

    estimate = estimate_batch(args.source, args.output, options)
    print(estimate)
    if estimate.has_color:
        print("photographs in colour are skipped; --recolor colours them anyway")
    if estimate.unread:
        print(unread_text(estimate.unread))
    return 0


def _report(args: argparse.Namespace) -> int:
    from ..batch.archival import write_parquet, write_premis
    from ..batch.contact_sheet import rows_of, sums_of, write_sheet

    if ignored := [option for option in options_given(args.parser, args) if option not in _OF_REPORT]:
        raise OptionError(f"a report takes only {' and '.join(_OF_REPORT)}", remedy=f"leave out {', '.join(ignored)}")
    with system_errors(OptionError, args.folder, "check the path and its permissions"):
        folder = args.folder / "data" if (args.folder / "bagit.txt").is_file() else args.folder
    rows = rows_of(folder)
    print("\n".join(map(note_text, sums_of(rows).splitlines())))
    pages = write_sheet(folder, rows, args.folder)
    print(f"contact sheet: {pages[0]}{f' and {len(pages) - 1} more pages' if len(pages) > 1 else ''}")
    if args.parquet:
        print(write_parquet(args.folder, rows))
    if args.premis:
        print(write_premis(args.folder, rows))
    return 0
