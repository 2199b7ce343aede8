"""The folder of an unfinished job, beside the film that it makes: what is done stays done, whatever happens.

``reel.color.mp4.photochrom/`` holds a NUT file for each finished segment, a JSON file that says what is in it, and
where the next one begins inside a shot, the colours carried so far. A segment counts once its JSON file is there,
which is written last. The folder goes when the film is whole, and where nothing is done that one could go on with.
"""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock, Timeout

from ..atomic import new_file
from ..errors import FilmError
from .propagation import Carried

_SUFFIX = ".photochrom"


@dataclass(frozen=True)
class Done:
    """A finished segment."""

    pts: list[int]
    """Of its frames, in the source's time base, rising."""
    shots: list[int]
    """pts of the frames with which shots begin."""
    delay: int
    """Frames that the codec held back at most, to put others before them."""
    end: int
    """Where its last frame ends, in the same time base."""
    damaged: list[str]
    """Seconds, as fractions, of what could not be decoded so far."""
    ends_early: str
    """Why reading stopped before the film's end; empty if it did not."""
    other_fields: str
    """When the first frame so far is shown that is not interlaced as the film's first is; empty if there is none."""
    next: int | None
    """pts of the frame that comes next; None at the end of the film."""
    warm_up: int | None
    """pts from which reading must start again, so that shots are found as before."""


class Job:
    """The folder of one job, locked for this process. A context manager.

    Args:
        output: the film that is to be made.
        key: all that its frames depend on. Work of another key is not gone on with.
        restart: throw unfinished work away.

    Raises:
        FilmError: another process is at it, or there is unfinished work of other settings.
    """

    def __init__(self, output: Path, key: dict[str, Any], *, restart: bool = False) -> None:
        self.folder = output.with_name(output.name + _SUFFIX)
        self._key, self._restart = key, restart

    def __enter__(self) -> Job:
        self.folder.mkdir(exist_ok=True)
        self._lock = FileLock(self.folder / "lock")
        try:
            self._lock.acquire(blocking=False)
        except Timeout as exc:
            raise FilmError(f"another process is at work in {self.folder}: wait for it, or stop it") from exc
        try:
            self._check_key()
        except BaseException:
            self._lock.release()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        if self._lock.is_locked and not self._note(0).is_file():
            self.discard()
        self._lock.release()

    def _check_key(self) -> None:
        file = self.folder / "job.json"
        if self._note(0).is_file() and not self._restart:
            known = json.loads(file.read_text())
            if changed := sorted(k for k in known.keys() | self._key.keys() if known.get(k) != self._key.get(k)):
                raise FilmError(
                    f"{self.folder} holds unfinished work with other settings ({', '.join(changed)}): "
                    "use those, or start anew with --restart"
                )
            return
        for path in self.folder.iterdir():
            if path != Path(self._lock.lock_file):
                path.unlink()
        _write(file, self._key)

    def segment_path(self, number: int) -> Path:
        """Where a segment's film goes."""
        return self.folder / f"{number:05}.nut"

    def finished(self) -> list[Done]:
        """The segments done so far, from the film's beginning."""
        found: list[Done] = []
        while (note := self._note(len(found))).is_file():
            found.append(Done(**json.loads(note.read_text())))
        return found

    def finish(self, number: int, done: Done, carried: Carried | None) -> None:
        """Note that a segment is written, and what its successor begins with."""
        sync(self.segment_path(number))
        if carried is not None:
            with new_file(self._state(number), overwrite=True) as stream:
                np.savez(stream, luma=carried.luma, colors=carried.colors)
        _write(self._note(number), asdict(done))

    def carried(self, number: int) -> Carried | None:
        """What the successor of a finished segment begins with, if that is inside a shot."""
        path = self._state(number)
        if not path.is_file():
            return None
        with np.load(path) as state:
            return Carried(state["luma"], state["colors"])

    def discard(self) -> None:
        """Remove the folder: the film is whole."""
        self._lock.release()
        shutil.rmtree(self.folder)

    def _note(self, number: int) -> Path:
        return self.folder / f"{number:05}.json"

    def _state(self, number: int) -> Path:
        return self.folder / f"{number:05}.npz"


def sync(path: Path) -> None:
    """Have a file on the disk, whatever happens to the power."""
    with path.open("rb+") as stream:
        os.fsync(stream.fileno())


def _write(path: Path, facts: dict[str, Any]) -> None:
    with new_file(path, overwrite=True) as stream:
        stream.write(json.dumps(facts).encode())
