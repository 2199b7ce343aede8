"""Colours items one at a time, and returns errors as results; see ``distribute``."""

from __future__ import annotations

import errno
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, Final

from ..atomic import temporary_folder
from ..color.bands import limit_threads
from ..errors import PhotochromError, PhotoError, renaming, system_errors
from ..label import has_label
from ..machine import reuse_freed_memory
from ..models.download import digest
from ..photo.options import OutputOptions
from ..version import __version__
from .items import Item
from .naming import output_name
from .options import BatchOptions
from .remote_files import is_remote, naming_errors, open_address
from .report import Row, utc_now

if TYPE_CHECKING:
    import numpy as np
    from fsspec import AbstractFileSystem

    from ..colorizer.colorizer import Colorizer

IN_COLOR: Final = "is in colour already"
"""Reason for skipping an item, as in the report."""
UNREAD: Final = "is in a format that Photochrom does not read"
"""Reason for leaving out an item, as in the report."""
_AGAIN: Final = "start the batch again"
_THUMBNAIL: Final = 192  # long side in pixels

_FULL: Final = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)
_ATOMIC: Final = ("s3", "s3a", "gs", "gcs", "az", "abfs")  # protocols that write files atomically


@dataclass(frozen=True)
class BatchJob:
    """Everything that determines how items are coloured, apart from the items; sent to other processes and machines."""

    target: str
    """Folder of the outputs, or its address."""
    options: BatchOptions
    """How to colour, name and write the items."""

    @property
    def output(self) -> OutputOptions:
        """How to write the outputs; the coordinator has checked that they replace only those of earlier runs."""
        return replace(self.options.output, overwrite=True, preview=self.options.thumbnails)

    def recorded(self, item: Item) -> str:
        """Return all options on which an item's output depends, as stored in the report."""
        negative = " negative" if self.options.negative else ""
        output = replace(self.options.output, overwrite=False, preview=False)
        own = {"vividness": item.vividness, "strength": item.strength, "hints": _version_of_hints(item.hints)}
        texts = [f" {name}={value}" for name, value in own.items() if value not in (None, "")]
        return f"{self.options.color!r} {output!r}{negative}{''.join(texts)}"


def _version_of_hints(address: str) -> str:
    """Return the SHA-256 of a local file of hints; its address if it is remote, or cannot be read (reported later)."""
    if not address or is_remote(address):
        return address
    try:
        return digest(Path(address))
    except OSError:
        return address


def unread_row(item: Item) -> Row:
    """Return the row of an item in a format that Photochrom does not read."""
    return Row(
        item.key, "unread", item.source, "", item.size, item.version,
        warnings=(UNREAD,), photochrom=__version__, finished=utc_now(),
    )  # fmt: skip


@dataclass(frozen=True)
class Colored:
    """Outcome of an item, for the process that writes the report."""

    row: Row
    """The item's row of the report."""
    before: bytes = b""
    """Thumbnail of the source, a small JPEG; empty if not requested, or if the item was not coloured."""
    after: bytes = b""
    """Thumbnail of the output, a small JPEG; empty if ``before`` is."""
    ends: str = ""
    """Reason why no other item can be coloured either, such as a full disk; empty otherwise. If there is a reason, the
    batch ends, and the row is not written."""


def prepare(job: BatchJob) -> Callable[[Item], Colored]:
    """Load the model of a job, and return a function that colours one item.

    This whole process is limited to one thread.

    Raises:
        ModelError, EngineError: The model cannot be loaded.
    """
    from ..colorizer.colorizer import Colorizer

    limit_threads(1)
    reuse_freed_memory()
    return coloring(job, Colorizer(job.options.model, job.options.device))


def coloring(job: BatchJob, colorizer: Colorizer) -> Callable[[Item], Colored]:
    """Return a function that colours one item with a loaded model, and returns errors as outcomes.

    Raises:
        ModelError: The model file can no longer be read.
    """
    label = colorizer.label

    def color(item: Item) -> Colored:
        started = time.perf_counter()
        known = Row(
            item.key, "error", item.source, "", item.size, item.version,
            model=label, options=job.recorded(item), photochrom=__version__,
        )  # fmt: skip
        try:
            colored = _color(item, job, colorizer, known)
        except PhotochromError as exc:
            text = str(exc) if exc.path else f"{item.source}: {exc}"
            colored = Colored(replace(known, error=text, remedy=exc.remedy), ends=_ends(exc))
        except MemoryError:
            colored = Colored(replace(known, error=f"{item.source}: there is not enough memory for it"))
        except Exception as exc:  # one bad file must not stop a batch, whatever exception it causes
            text = " ".join(str(exc).split()) or "no message"
            colored = Colored(replace(known, error=f"{item.source}: unexpected {type(exc).__name__}: {text}"))
        row = replace(colored.row, seconds=round(time.perf_counter() - started, 4), finished=utc_now())
        return replace(colored, row=row)

    return color


def _color(item: Item, job: BatchJob, colorizer: Colorizer, known: Row) -> Colored:
    """Colour an item unless it is in colour already; the row of the outcome is completed from ``known``.

    Raises:
        PhotochromError: The item cannot be read or coloured, or its output cannot be written.
    """
    name = output_name(item, job.options.name)
    own: dict[str, Any] = {"vividness": item.vividness, "strength": item.strength}
    options = replace(job.options.color, **{dial: value for dial, value in own.items() if value is not None})
    with local_copy(item) as source, _target(job.target, name) as (path, publish):
        from ..photo.inspection import is_in_color

        if not job.options.recolor and is_in_color(source):
            return Colored(replace(known, status="skipped", warnings=(IN_COLOR,)))
        if item.hints:
            options = options.with_hints((*options.hints, *_hints(item.hints)))
        from ..photo.job import colorize_photo
        from ..photo.pages import OR_ONE_PAGE

        negative = job.options.negative
        with _unchanged(source), renaming(OR_ONE_PAGE, ""):
            report = colorize_photo(source, path, options, colorizer=colorizer, output=job.output, negative=negative)
            with system_errors(PhotoError, source, _AGAIN):
                sha256 = digest(source)
        left = publish(report.outputs)
        row = replace(
            known,
            status="ok",
            output=name,
            source_sha256=sha256,
            output_sha256=digest(path),
            output_size=path.stat().st_size,
            width=report.width,
            height=report.height,
            colorfulness=round(report.colorfulness, 2),
            confidence=None if report.confidence is None else round(report.confidence, 4),
            warnings=(*report.warnings, *left),
            luma_coding=report.luma_coding,
        )
    return Colored(row, *_thumbnails(*report.preview)) if report.preview else Colored(row)


@contextmanager
def _unchanged(source: Path) -> Iterator[None]:
    """Check that a file has not changed during the block, so that an output and a checksum are of the same source.

    Raises:
        PhotoError: The file has changed or disappeared.
    """
    before = _state(source)
    yield
    if _state(source) != before:
        raise PhotoError("changed while it was being coloured", path=source, remedy=_AGAIN)


def _state(path: Path) -> tuple[int, ...] | None:
    """Return numbers that change with the content of a file; None if there is no file."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_ino, status.st_size, status.st_mtime_ns


def _ends(error: PhotochromError) -> str:
    """Return the message of an error that makes the whole target unwritable; empty for other errors."""
    if isinstance(error, TargetError):
        return str(error)
    cause = error.__cause__
    return str(error) if isinstance(cause, OSError) and cause.errno in _FULL else ""


class TargetError(PhotochromError):
    """Raised if nothing can be written to the target, which ends the batch."""


def _hints(address: str) -> tuple[Any, ...]:
    from ..colorizer.hints import read_hints

    with local_copy(Item(PurePosixPath(address).name, address)) as path:
        return read_hints(path)


@contextmanager
def local_copy(item: Item) -> Iterator[Path]:
    """Yield a local path of an item's source; a remote source and its sidecar are downloaded for the block.

    Errors in the block name the source, not the downloaded file.

    Raises:
        OptionError: A remote source cannot be read; local ones are not checked.
        PhotochromError: fsspec or the package for the protocol is missing.
        OSError: The system's temporary folder cannot be written.
    """
    if not is_remote(item.source):
        yield Path(item.source)
        return
    system, path = open_address(item.source)
    with temporary_folder("photochrom-batch") as folder:
        local = Path(folder, PurePosixPath(item.key).name)
        with naming_errors(item.source):
            system.get_file(path, str(local))
            for sidecar in _sidecars(item, system, path):
                system.get_file(sidecar, str(local.with_name(PurePosixPath(sidecar).name)))
        with renaming(str(local), item.source):
            yield local


def _sidecars(item: Item, system: AbstractFileSystem, path: str) -> Iterator[str]:
    """Yield the paths of a remote source's XMP sidecars in its file system, if there are any.

    Web servers are not queried.
    """
    if item.sidecar:
        yield open_address(item.sidecar)[1]
    elif item.sidecar is None and not item.source.startswith(("http://", "https://")):
        names = (f"{path}.xmp", str(PurePosixPath(path).with_suffix(".xmp")))
        yield from (name for name in names if system.exists(name))


@contextmanager
def _target(target: str, name: str) -> Iterator[tuple[Path, Callable[[tuple[Path, ...]], tuple[str, ...]]]]:
    """Yield a local path for an output, and a function that then copies the written files to a remote target.

    The function also removes what is outdated there, and returns warnings. In a local target, the folder of the path is
    created, and the function does nothing.

    Raises:
        TargetError: The whole target cannot be written; the function may raise it, too.
        PhotoError: The folder of the output cannot be created.
        OptionError: A remote target cannot be opened or written.
        PhotochromError: fsspec or the package for the protocol is missing.
        OSError: The system's temporary folder cannot be written.
    """
    if not is_remote(target):
        path = Path(target, name)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as exc:
            kind = TargetError if exc.errno in (*_FULL, errno.EACCES) else PhotoError
            raise kind(f"cannot be created ({exc.strerror})", path=path.parent, remedy="name another target") from exc
        yield path, lambda _: ()
        return
    from ..photo.sidecars import former_sidecars

    system, root = open_address(target)
    protocol = target.partition("://")[0]
    with temporary_folder("photochrom-batch") as folder:
        local = Path(folder, PurePosixPath(name).name)

        def place_of(output: Path) -> str:
            return f"{root.rstrip('/')}/{PurePosixPath(name).with_name(output.name)}"

        def publish(outputs: tuple[Path, ...]) -> tuple[str, ...]:
            with _writing(target):
                for output in reversed(outputs):  # the picture last: its presence means that all files are there
                    place = place_of(output)
                    if protocol in _ATOMIC:
                        system.put_file(str(output), place)
                    else:
                        system.makedirs(str(PurePosixPath(place).parent), exist_ok=True)
                        system.put_file(str(output), f"{place}.part")
                        system.mv(f"{place}.part", place)
                return tuple(_outdated(system, [place_of(sidecar) for sidecar in former_sidecars(outputs)]))

        yield local, publish


def _outdated(system: AbstractFileSystem, sidecars: Iterable[str]) -> Iterator[str]:
    """Remove sidecars of earlier outputs from a remote target; yield warnings about those that were edited since."""
    from ..photo.sidecars import is_own, outdated

    for sidecar in sidecars:
        try:
            data = system.cat_file(sidecar)
        except FileNotFoundError:
            continue
        if is_own(data):
            system.rm_file(sidecar)
        elif has_label(data):
            yield outdated(PurePosixPath(sidecar).name)


@contextmanager
def _writing(target: str) -> Iterator[None]:
    """Translate errors of a remote target in the block.

    Raises:
        TargetError: The whole target is missing or forbidden.
        OptionError: The block failed otherwise.
    """
    try:
        with naming_errors(target, "written"):
            yield
    except PhotochromError as exc:
        if isinstance(exc.__cause__, FileNotFoundError | PermissionError):
            raise TargetError(str(exc)) from exc
        raise


def _thumbnails(before: np.ndarray, after: np.ndarray) -> tuple[bytes, bytes]:
    """Encode pictures of a source and of its output, sRGB uint8 ``[H, W, 3]`` of one size, as small JPEGs."""
    import cv2

    scale = _THUMBNAIL / max(before.shape[:2])
    size = max(1, round(before.shape[1] * scale)), max(1, round(before.shape[0] * scale))
    small = [cv2.resize(picture, size, interpolation=cv2.INTER_AREA) for picture in (before, after)]
    coded = [cv2.imencode(".jpg", picture[..., ::-1], (cv2.IMWRITE_JPEG_QUALITY, 75))[1] for picture in small]
    return coded[0].tobytes(), coded[1].tobytes()
