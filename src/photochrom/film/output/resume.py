"""``ResumeFolder``: keeps the finished segments of an unfinished film in a folder beside its output.

For each finished segment, ``reel.color.mp4.photochrom/`` holds a file of frames, a JSON record, and, if the next
segment begins inside a shot, the colours propagated so far. The record is written last: a segment without it is
unfinished. The record holds digests of the other files, so that a damaged segment is noticed, and coloured again, and a
digest of the settings, so that segments outlive a damaged ``job.json``, which has the settings themselves. If the
output is a sequence, ``frames/`` holds the finished frames, including those of an unfinished segment. The folder is
removed if it holds no finished work, or when the film is finished, unless ``FilmOptions.keep_parts`` is set.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock, Timeout

from ...atomic import new_file, remove_folder, sweep, sync
from ...errors import FilmError
from ...json_text import parse_json
from ...models.download import digest
from ..damage_log import Damage
from ..sequences.names import is_pattern

_SUFFIX = ".photochrom"
_PUBLISHING = "publishing"


@dataclass(frozen=True)
class FinishedSegment:
    """Record of a finished segment; the content of its JSON file."""

    pts: list[int]
    """Presentation time stamps of the frames, in the source's time base, strictly increasing."""
    shots: list[int]
    """pts of the frames that begin a shot."""
    delay: int
    """Greatest number of places by which a frame comes later in decoding order than in display order."""
    end: int
    """Time at which the last frame ends, in the source's time base."""
    damage: dict[str, Any]
    """Result of ``Damage.facts`` so far; ``ends_early`` is empty unless the segment is the last."""
    next: int | None
    """pts of the next segment's first frame; None at the end of the film."""
    warm_up: int | None
    """pts from which a resumed run must read to detect the same shots; None at the end of the film."""
    settings: str = ""
    """SHA-256 of the key of the ``ResumeFolder``, all of whose segments have the same; written by ``finish``."""
    digests: dict[str, str] = field(default_factory=dict)
    """SHA-256 of the segment's other files by suffix, as ``ResumeFolder.finish`` wrote them."""


def work_folder(output: Path) -> Path:
    """Return the working folder of an output: beside the file, or beside the folder of a sequence's frames.

    It is on the disk of the output, since finished frames can only be moved within a disk: inside the folder of the
    frames if a disk is mounted there, and beside the folder itself if the output names it by a symbolic link.
    """
    if not is_pattern(output):
        return output.with_name(f"{output.name}{_SUFFIX}")
    folder = output.parent.resolve()
    return (folder if os.path.ismount(folder) else folder.parent) / f"{folder.name}{_SUFFIX}"


def is_publishing(folder: Path) -> bool:
    """Return whether an interrupted run has begun to move the frames of a finished sequence to their final names."""
    return (folder / _PUBLISHING).exists()


def whole_film(output: Path) -> Path:
    """Return the path in the working folder at which the whole film is muxed."""
    return work_folder(output) / f"film{output.suffix}"


def is_published(output: Path) -> bool:
    """Return whether an interrupted run has given the film its final name, but has not removed the working folder."""
    try:
        return whole_film(output).samefile(output)  # a hard link of it; see ``publish``
    except (OSError, ValueError):  # ValueError: no file can have this name, as ``plan.check`` reports
        return False


class ResumeFolder:
    """Working folder of one unfinished film; a context manager that locks it for this process.

    Args:
        output: The coloured film.
        key: All settings that the coloured frames depend on; only work with an equal key is resumed.
        restart: Whether to discard unfinished work.

    Raises:
        FilmError: On entry: another process has locked the folder, it holds unfinished work with another key or damaged
            files, or a file has its name.
        OSError: On entry, and in methods: the folder cannot be read or written.
    """

    def __init__(self, output: Path, key: dict[str, Any], *, restart: bool = False) -> None:
        self.folder = work_folder(output)
        self.frames = self.folder / "frames"
        """Folder of finished frames, if the output is a sequence."""
        self._key, self._restart = key, restart
        self._settings = hashlib.sha256(json.dumps(key, sort_keys=True).encode()).hexdigest()
        self._notes: list[str] = []

    def __enter__(self) -> ResumeFolder:
        sweep(self.folder.parent)
        try:
            self.folder.mkdir(exist_ok=True)
        except FileExistsError as exc:
            raise FilmError(
                "is a file, and unfinished work would be kept in a folder of this name",
                path=self.folder,
                remedy="move it away, or choose another output",
            ) from exc
        self._lock = FileLock(self.folder / "lock")
        try:
            self._lock.acquire(blocking=False)
        except Timeout as exc:
            raise FilmError(
                "another process is at work in this folder", path=self.folder, remedy="wait for it, or stop it"
            ) from exc
        try:
            self._check_key()
        except BaseException:
            self._lock.release()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        if self._lock.is_locked and not self._has_work():
            self.discard()
        self._lock.release()

    def _check_key(self) -> None:
        """Raise an error if unfinished work has another key. Without work, or to restart, empty the folder."""
        file = self.folder / "job.json"
        if self._has_work() and not self._restart:
            if any(map(self._has_same_settings, self._records())):
                self._repair(file)
            elif changed := self._changed(_read(file)):
                whole = (self.folder / "appearance.json").exists()
                raise FilmError(
                    f"holds {'kept parts' if whole else 'unfinished work'} with other settings ({', '.join(changed)})",
                    path=self.folder,
                    remedy=f"use the earlier ones{' and keep_parts=True' if whole else ''}, "
                    "or start over with restart=True",
                )
            return
        for path in self.folder.iterdir():
            if path.is_dir():
                shutil.rmtree(path)
            elif path != Path(self._lock.lock_file):
                path.unlink()
        _write(file, self._key)

    def _changed(self, found: dict[str, Any]) -> list[str]:
        """Return the names of the settings in which two keys differ."""
        return sorted(k for k in found.keys() | self._key.keys() if found.get(k) != self._key.get(k))

    def _repair(self, file: Path) -> None:
        """Write the key's file again if it is damaged, given that the record of a segment names this run's key."""
        with contextlib.suppress(FilmError):
            if not self._changed(_read(file)):
                return
        _write(file, self._key)
        self._notes.append(f"{file.name} damaged in {self.folder.name}, and written again")

    def _has_same_settings(self, record: Path) -> bool:
        """Return whether the record of a segment can be read, and names the settings of this run."""
        try:
            return _segment(record).settings == self._settings
        except FilmError:
            return False

    def _has_work(self) -> bool:
        frames = self.frames.is_dir() and any(not path.name.startswith(".") for path in self.frames.iterdir())
        return bool(self._records()) or frames

    def start_publishing(self) -> None:
        """Record that the frames of a finished sequence are about to be moved to their final names."""
        (self.folder / _PUBLISHING).touch()

    def end_publishing(self) -> None:
        """Record that all frames of a sequence have their final names."""
        (self.folder / _PUBLISHING).unlink()

    def segment_path(self, number: int) -> Path:
        """Return the path of a segment's encoded frames."""
        return self.folder / f"{number:05}.nut"

    def finished(self) -> list[FinishedSegment]:
        """Return the finished segments from the film's beginning to the first gap.

        Raises:
            FilmError: A file of the folder is damaged.
        """
        found: list[FinishedSegment] = []
        while (segment := self.segment(len(found))) is not None:
            found.append(segment)
        return found

    def segment(self, number: int) -> FinishedSegment | None:
        """Return the record of a segment; None if it is not finished.

        Raises:
            FilmError: A file of the folder is damaged.
        """
        record = self._record(number)
        return _segment(record) if record.is_file() else None

    def segments(self) -> list[FinishedSegment]:
        """Return all finished segments in order, including those after gaps.

        Raises:
            FilmError: A file of the folder is damaged.
        """
        return [_segment(record) for record in self._records()]

    def remove(self, is_outdated: Callable[[FinishedSegment], bool]) -> None:
        """Remove the finished segments for whose record ``is_outdated`` is true.

        Raises:
            FilmError: A file of the folder is damaged.
        """
        for record in self._records():
            if is_outdated(_segment(record)):
                _remove(record)

    def remove_damaged(self) -> list[str]:
        """Remove the finished segments that have a missing or damaged file, so that they are coloured again.

        Returns:
            Notes for the user, also about a damaged ``job.json``; an empty list if all is whole.
        """
        damaged = [record for record in self._records() if not (self._has_same_settings(record) and _is_whole(record))]
        for record in damaged:
            _remove(record)
        names = ", ".join(record.stem for record in damaged)
        again = [f"segments damaged in {self.folder.name}, and coloured again: {names}"]
        return self._notes + (again if damaged else [])

    def _records(self) -> list[Path]:
        return sorted(self.folder.glob("[0-9]*.json"))

    def read(self, name: str) -> dict[str, Any] | None:
        """Read the JSON object that ``write`` stored under a name; None if there is none.

        Raises:
            FilmError: A file of the folder is damaged.
        """
        path = self.folder / f"{name}.json"
        return _read(path) if path.is_file() else None

    def write(self, name: str, facts: dict[str, Any]) -> None:
        """Store a JSON object under a name, beside the segments."""
        _write(self.folder / f"{name}.json", facts)

    def finish(self, number: int, segment: FinishedSegment, propagated: np.ndarray | None) -> None:
        """Record that a segment is finished.

        Args:
            number: Number of the segment, from 0.
            segment: Record of the segment; its ``settings`` and ``digests`` are computed here.
            propagated: ``Colors.before`` of the next segment's first frame, float32 ``[h, w, 4]``; None if a shot
                begins there.
        """
        if self.segment_path(number).exists():  # frames of a sequence have been synced one by one
            sync(self.segment_path(number))
        if propagated is not None:
            with new_file(self._state(number), overwrite=True) as stream:
                np.savez(stream, colors=propagated)
        record = self._record(number)
        _write(record, asdict(replace(segment, settings=self._settings, digests=_digests(record))))

    def propagated(self, number: int) -> np.ndarray | None:
        """Return the colours that ``finish`` stored with a segment, float32 ``[h, w, 4]`` (see ``Colors.before``).

        They are None if the next segment begins a new shot.
        """
        path = self._state(number)
        if not path.is_file():
            return None
        with np.load(path) as state:
            return np.asarray(state["colors"])

    def discard(self) -> None:
        """Remove the folder, and release the lock."""
        if sys.platform == "win32":  # a folder with an open file cannot be renamed there
            self._lock.release()
        try:
            remove_folder(self.folder)  # while it is locked, so that no other process begins in it meanwhile
        finally:
            self._lock.release()

    def _record(self, number: int) -> Path:
        return self.folder / f"{number:05}.json"

    def _state(self, number: int) -> Path:
        return self.folder / f"{number:05}.npz"


def _is_whole(record: Path) -> bool:
    """Return whether the other files of a segment are as ``finish`` noted in its record, which can be read."""
    return _segment(record).digests == _digests(record)


def _digests(record: Path) -> dict[str, str]:
    """Return the SHA-256 of a segment's frames and of its propagated colours, by suffix, as far as they exist."""
    files = (record.with_suffix(".nut"), record.with_suffix(".npz"))
    return {path.suffix: digest(path) for path in files if path.is_file()}


def _remove(record: Path) -> None:
    """Remove a segment's record, and the colours that it passes to the next one; its frames are overwritten later."""
    record.unlink()
    record.with_suffix(".npz").unlink(missing_ok=True)


def _segment(record: Path) -> FinishedSegment:
    facts = _read(record)
    try:
        segment = FinishedSegment(**facts)
        Damage().restore(segment.damage)
    except (TypeError, LookupError, ValueError, AttributeError, ArithmeticError) as exc:
        raise _damaged(record) from exc
    return segment


def _read(path: Path) -> dict[str, Any]:
    """Read a file written by ``_write``.

    Raises:
        FilmError: The file is missing or damaged.
        OSError: The file cannot be read.
    """
    try:
        return dict(parse_json(path.read_bytes()))
    except (FileNotFoundError, ValueError, TypeError) as exc:
        raise _damaged(path) from exc


def _damaged(path: Path) -> FilmError:
    remedy = "start over with restart=True, which colours the finished segments again"
    return FilmError("is damaged, so the work cannot be resumed", path=path, remedy=remedy)


def _write(path: Path, facts: dict[str, Any]) -> None:
    with new_file(path, overwrite=True) as stream:
        stream.write(json.dumps(facts).encode())
