"""The folder of an unfinished job, beside the film that it makes: what is done stays done, whatever happens.

``reel.color.mp4.photochrom/`` holds a NUT file for each finished segment, a JSON file that says what is in it, and
where the next one begins inside a shot, the colours carried so far. A segment counts once its JSON file is there,
which is written last. The folder goes when the film is whole.
"""

from __future__ import annotations

import contextlib
import json
import shutil
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock, Timeout

from ..errors import FilmError
from ..steady import Carried

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
    damaged: list[float]
    """Seconds, of what could not be decoded so far."""
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
        self._lock.release()

    def _check_key(self) -> None:
        file = self.folder / "job.json"
        known = json.loads(file.read_text()) if file.is_file() else None
        if known == self._key and not self._restart:
            return
        if known is not None and not self._restart:
            changed = sorted(k for k in known.keys() | self._key.keys() if known.get(k) != self._key.get(k))
            raise FilmError(
                f"{self.folder} holds unfinished work with other settings ({', '.join(changed)}): "
                "use those, or start anew with --restart"
            )
        for path in self.folder.glob("[0-9]*"):
            path.unlink()
        write_whole(file, json.dumps(self._key))

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
        if carried is not None:
            with write_beside(self._state(number)) as side:
                np.savez(side, luma=carried.luma, colors=carried.colors)
        write_whole(self._note(number), json.dumps(asdict(done)))

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


@contextlib.contextmanager
def write_beside(path: Path) -> Iterator[Path]:
    """A name to write a file under, which takes its own name when the block ends well."""
    side = path.with_name(f"part-{path.name}")
    try:
        yield side
        side.replace(path)
    finally:
        side.unlink(missing_ok=True)


def write_whole(path: Path, text: str) -> None:
    """Write a small file that is there whole or not at all."""
    with write_beside(path) as side:
        side.write_text(text)
