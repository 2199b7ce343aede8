"""``color_batch``: coordinates one batch, from listing its items to its report."""

from __future__ import annotations

import itertools
import multiprocessing
import os
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from functools import partial
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Final

from ..errors import OptionError, PhotochromError, counted, first_of, system_errors
from ..label import is_labelled
from ..models.download import digest
from ..models.registry import find_model
from ..output_folders import check_future_folder
from ..photo.names import is_own_output, sidecar_path
from .coloring import BatchJob, Colored, coloring, unread_row
from .distribute import by_processes, by_ray, worker_count
from .earlier_runs import pending_items, unreported
from .failures import FAILURES, write_failures
from .items import Item
from .listing import Filter, below, list_items, with_local_state
from .naming import Outputs, clash_error, possible_name
from .options import BatchOptions
from .remote_files import in_full, is_remote
from .remote_report import ReportCopy
from .report import Row, compact, date_back, read_rows, report_paths, report_writer, reported_items
from .report_folder import locked_report_folder, report_path
from .summary import BatchSummary
from .thumbnails import thumbnail_writer
from .workers import NAME

if TYPE_CHECKING:
    from ..colorizer.colorizer import Colorizer

_ENOUGH: Final = 20  # number of finished items from which on the share of errors may end a batch


def color_batch(
    source: str | os.PathLike[str] | Iterable[Item],
    target: str | os.PathLike[str],
    options: BatchOptions | None = None,
    *,
    colorizer: Colorizer | None = None,
    progress: Callable[[BatchSummary, Row | None], None] = lambda *_: None,
    stop: Callable[[], bool] = lambda: False,
    at_end: Callable[[BatchSummary, Path], None] = lambda *_: None,
) -> BatchSummary:
    """Colour all photographs of a source; a repeated call colours only the missing ones.

    The outcome of each item is written to the report, ``report.jsonl`` in the target.

    Args:
        source: Folder, manifest or address (see ``listing.list_items``), or items.
        target: Folder for the outputs, or its address. The outputs are in the same subfolders as their sources.
        options: How to colour; None for the defaults.
        colorizer: The loaded model of ``options.model``, to colour one item after the other in this process; None to
            start worker processes. They import the script that calls this function, so it must do so under
            ``if __name__ == "__main__":``.
        progress: Called with the counts so far: once with None when all items are listed, then with the row of each
            finished item.
        stop: Called before each item; once it returns True, items in progress are finished and no more are begun.
        at_end: Called at the end with the counts and the folder of the report, while no other batch can begin in it.

    Returns:
        The counts.

    Raises:
        OptionError: There is no such source, it holds no photographs, it or the target cannot be read, two inputs share
            an output or a key, an output would replace that of another photograph or a file of others, an earlier
            report is invalid, the target is a bag, another batch is running in it, or a worker process calls this
            function.
        PhotochromError: The model cannot be loaded, a package is missing, a worker process dies as it starts, or the
            report cannot be written.
        OSError: The target is remote, and the system's temporary folder cannot be written.
    """
    options, target = options or BatchOptions(), os.fspath(target)
    _check_processes(source, target)
    if colorizer is None and not options.ray:
        find_model(options.model)  # a wrong name is reported before a long listing
    job = BatchJob(in_full(target), options)  # processes elsewhere have other current folders
    started, summary = time.monotonic(), BatchSummary()
    with locked_report_folder(target, options) as folder:
        items, unread = listed_items(source, target, options)
        summary.listed, summary.unread = len(items), extensions(unread)
        date_back(folder)
        copy = ReportCopy(target, report_path(folder, options))
        copy.fetch()
        reported = reported_items(folder)
        pending = list(_missing(pending_items(items, reported, job), summary))
        unread = unreported(unread, reported)
        del reported  # it may have millions of rows
        _check_outputs(pending, items, job, folder)
        progress(summary, None)
        with _report_writer(folder, options) as write:
            for item in unread:
                write(Colored(unread_row(item)))
            for colored in _colored(pending, job, stop, colorizer):
                if colored.ends:
                    summary.ended_early = f"ended because {colored.ends}"
                    break
                write(colored)
                copy.send()
                summary.count(colored.row)
                summary.seconds = time.monotonic() - started
                progress(summary, colored.row)
                if reason := _too_many(summary, options.max_errors):
                    summary.ended_early = reason
                    break
        if options.shard is None and (summary.failed or summary.failed_before or (folder / FAILURES).exists()):
            summary.failures = write_failures(folder, items)
        try:
            copy.send(now=True)
        except OptionError as exc:
            summary.ended_early = summary.ended_early or f"the report stays in {folder}: {exc}"
        if not summary.ended_early and summary.finished < summary.to_do:
            summary.ended_early = f"stopped with {summary.to_do - summary.finished:,} to do"
        summary.seconds = time.monotonic() - started
        at_end(summary, folder)
    return summary


def _check_processes(source: object, target: str) -> None:
    """Check that this is not a worker process, and that worker processes can access the source and the target.

    Raises:
        OptionError: This is one, or they cannot.
    """
    if multiprocessing.current_process().name == NAME:
        raise OptionError(
            "this script calls color_batch again in a process that color_batch has started",
            remedy='call it under if __name__ == "__main__":',
        )
    for address in (source, target):
        if str(address).startswith("memory://"):
            raise OptionError(
                "is visible to one process only, and a batch has several", path=str(address), remedy="name a folder"
            )


def listed_items(
    source: str | os.PathLike[str] | Iterable[Item], target: str, options: BatchOptions
) -> tuple[list[Item], list[Item]]:
    """List the items of a source, or those of the shard in the options; a target inside the source is left out.

    Returns:
        The photographs, and the pictures in formats that Photochrom does not read.

    Raises:
        OptionError: There is no such source, it holds no photographs or cannot be listed, a manifest is invalid, or two
            inputs share an output or a key.
        PhotochromError: A package is missing, for the protocol or for Parquet.
    """
    items: Callable[[], Iterator[Item]]
    if isinstance(source, str | os.PathLike):
        place, target = in_full(os.fspath(source)), in_full(target)
        items = partial(list_items, place, Filter(options.include, options.exclude, below(place, target)))
    else:
        full = (replace(i, source=in_full(i.source), hints=in_full(i.hints) if i.hints else "") for i in source)
        items = partial(iter, list(full))
    outputs, (number, count) = Outputs(options.name), options.shard or (1, 1)
    listed = [with_local_state(item) for item in outputs.note(items()) if item.shard(count) == number - 1]
    if keys := outputs.repeated(items):
        raise OptionError(
            f"several items are called {first_of(keys)}, and the report has one row for each name",
            remedy="remove repeated rows, or put further versions of a photograph in a list and a target of their own",
        )
    if clashes := outputs.clashes(items):
        raise clash_error(clashes, options.name)
    if not listed and options.shard is None and isinstance(source, str | os.PathLike):
        raise OptionError(
            "holds no photographs that can be coloured", path=source, remedy="check the path and the patterns"
        )
    return [item for item in listed if not item.is_unread], [item for item in listed if item.is_unread]


def extensions(items: Iterable[Item]) -> Counter[str]:
    """Count items by extension: lower case, with its dot, or empty."""
    return Counter(PurePosixPath(item.key).suffix.lower() for item in items)


def _missing(states: Iterable[tuple[Item, str]], summary: BatchSummary) -> Iterator[Item]:
    """Yield the items that are to do, and count the others in ``summary``."""
    named = {"failed before": summary.failed_before, "cut short before": summary.cut_short}
    for item, state in states:
        summary.done_before += state == "done before"
        summary.skipped_before += state == "skipped before"
        if state in named:
            named[state].append(item.key)
        if state == "to do":
            yield item


def _check_outputs(pending: list[Item], items: list[Item], job: BatchJob, folder: Path) -> None:
    """Check that the target can be written, and that no output would replace a file that must be kept.

    Such a file is an input, the output of another photograph, or a file of others.

    Empty files may be replaced. Remote targets are not checked.

    Args:
        pending: Items whose outputs will be written.
        items: All items of the source.
        job: The target, and how the outputs are named.
        folder: Folder of the report.

    Raises:
        OptionError: The target cannot be written, such files exist, or a file in the target or a report cannot be read.
    """
    if is_remote(job.target):
        return
    _check_target(pending, job)
    own, unlabelled, foreign = dict[str, Item](), dict[str, Item](), list[Path]()
    for item in pending:
        name = possible_name(item, job.options.name)
        path = Path(job.target, name)
        with system_errors(OptionError, path, "name another target"):
            if not name:
                continue
            if job.options.output.sidecar and _is_filled(sidecar := sidecar_path(path)) and not is_labelled(sidecar):
                foreign.append(sidecar)
            if _is_filled(path):
                (own if is_own_output(path) else unlabelled)[name] = item
    sources, reports = dict[str, str](), report_paths(folder) if own or unlabelled else []
    for row in (row for report in reports for row in read_rows(report)):
        if row.output in unlabelled and _is_as_written(Path(job.target, row.output), row):
            own[row.output] = unlabelled.pop(row.output)
        if row.output in own:
            sources[row.output] = row.source
    _refuse([*foreign, *(Path(job.target, name) for name in unlabelled)], "was not made by Photochrom")
    paths = {name: Path(job.target, name) for name in own}
    inputs = {os.path.realpath(item.source) for item in items}
    _refuse([path for path in paths.values() if os.path.realpath(path) in inputs], "is itself to be coloured")
    others = [paths[name] for name, source in sources.items() if _is_another(source, own[name].source)]
    _refuse(others, "was coloured from another photograph, which still exists")


def _check_target(pending: list[Item], job: BatchJob) -> None:
    """Check that the target, or at least one of its subfolders for outputs, can be written.

    Raises:
        OptionError: Neither can be.
    """
    if not pending:
        return
    names = (possible_name(item, job.options.name) for item in pending)
    try:
        check_future_folder(Path(job.target), OptionError)
    except OptionError:
        for folder in {Path(job.target, name).parent for name in names if name}:
            with suppress(OptionError):
                check_future_folder(folder, OptionError)
                return
        raise


def _is_as_written(path: Path, row: Row) -> bool:
    """Return whether an output is the very file that a row of the report records.

    Raises:
        OptionError: The file cannot be read.
    """
    with system_errors(OptionError, path, "name another target"):
        return path.is_file() and path.stat().st_size == row.output_size and digest(path) == row.output_sha256


def _is_another(former: str, source: str) -> bool:
    """Return whether the former source of an output is another local file than the source, and still exists."""
    return os.path.exists(former) and os.path.realpath(former) != os.path.realpath(source)  # noqa: PTH110


def _is_filled(path: Path) -> bool:
    """Return whether a path exists and is not an empty file."""
    return path.exists() and (not path.is_file() or path.stat().st_size > 0)


def _refuse(paths: Sequence[Path], reason: str) -> None:
    if paths:
        others = f", like {first_of(paths[1:])}" if paths[1:] else ""
        raise OptionError(
            f"would be replaced{others}, but {reason}",
            path=paths[0],
            remedy="move what is in the way, or name another target",
        )


@contextmanager
def _report_writer(folder: Path, options: BatchOptions) -> Iterator[Callable[[Colored], None]]:
    """Yield a function that appends an outcome to the report, and its thumbnails to their file.

    At the end of the block, all rows of an item but the last are removed.

    Raises:
        PhotochromError: The report or the thumbnails cannot be written.
    """
    path = report_path(folder, options)
    writing = partial(system_errors, PhotochromError, path, "make room and start again to resume", "written")
    with writing(), ExitStack() as opened:
        append_row = opened.enter_context(report_writer(path))
        append_thumbnails = opened.enter_context(thumbnail_writer(path.with_suffix(".thumbnails")))
        files = opened.pop_all()  # closed here only if one of them cannot be opened

    def write(colored: Colored) -> None:
        with writing():
            if colored.before:
                append_thumbnails(colored.row.key, colored.before, colored.after)
            append_row(colored.row)

    try:
        yield write
    finally:
        with writing():
            files.close()
    with writing():
        compact(path)


def _colored(
    items: list[Item], job: BatchJob, stop: Callable[[], bool], colorizer: Colorizer | None
) -> Iterator[Colored]:
    """Colour the items with ``colorizer`` in this process, or else with Ray or worker processes; return the outcomes.

    Errors of Ray and of worker processes are raised while the outcomes are read; see ``by_ray`` and ``by_processes``.
    """
    if not items:
        return iter(())
    if colorizer is not None:
        return map(coloring(job, colorizer), itertools.takewhile(lambda _: not stop(), items))
    if job.options.ray:
        return by_ray(items, job, stop)
    return by_processes(items, job, min(worker_count(job.options.workers), len(items)), stop)


def _too_many(summary: BatchSummary, most: int | float | None) -> str:
    """Return the reason to end the batch if it has too many errors (``BatchOptions.max_errors``), else ``""``."""
    if most is None or not summary.failed:
        return ""
    if isinstance(most, int):
        return f"ended after {counted(summary.failed, 'error')}" if summary.failed >= max(1, most) else ""
    if summary.finished < _ENOUGH or summary.failed <= most * summary.finished:
        return ""
    return f"ended because {summary.failed / summary.finished:.0%} failed"
