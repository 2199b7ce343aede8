"""Background jobs: each queue (``Jobs``) runs one job at a time, in its own thread."""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

from ..errors import OptionError, PhotochromError

_LOG = logging.getLogger(__name__)
Status = Literal["none", "waiting", "running", "stopped", "failed", "done"]


class StoppedError(Exception):
    """The visitor stopped the job, or the studio is shutting down."""


@dataclass
class Job:
    """Status, progress and outcome of work that a queue runs in the background."""

    status: Status = "none"
    done: int = 0
    """Number of units done, such as frames."""
    total: int = 0
    """Number of units in all; 0 if unknown."""
    is_estimate: bool = False
    """Whether ``total`` is an estimate."""
    message: str = ""
    """Outcome or error message for the visitor."""
    began: float = 0.0
    """Time of the first call of ``progress``, by ``time.monotonic``, to estimate the remaining time."""
    before: int = 0
    """Value of ``done`` at the first call of ``progress``; above 0 if an earlier run is resumed."""
    number: int = 0
    """Number of times that the job was queued."""
    _stop: threading.Event = field(default_factory=threading.Event)
    _work: Callable[[], str] | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)
    """Held while the status is checked and changed; not while the work runs."""

    @property
    def busy(self) -> bool:
        """Whether the job is queued or running."""
        return self.status in ("waiting", "running")

    def stop(self) -> None:
        """Stop the job: at once if it is queued, at its next call of ``progress`` if it is running."""
        with self._lock:
            self._stop.set()
            if self.status == "waiting":
                self.status = "stopped"

    def _queue(self, work: Callable[[], str]) -> None:
        """Make the job wait for its work to be done.

        Raises:
            OptionError: The job is queued or running already.
        """
        with self._lock:
            if self.busy:
                raise OptionError("this is already in progress", remedy="wait, or stop it")
            self.status, self.message, self.began, self.done = "waiting", "", 0.0, 0
            self.number += 1
            self._stop.clear()
            self._work = work  # replaces the old work of a job that was stopped while queued, and is still in the queue

    def _begin(self) -> Callable[[], str] | None:
        """Return the work to do now; None if the job was stopped or has been done since it was queued."""
        with self._lock:
            if self.status != "waiting":
                return None
            self.status = "running"
            return self._work

    @property
    def is_stopping(self) -> bool:
        """Whether ``stop`` was called since the job was queued."""
        return self._stop.is_set()

    def progress(self, done: int, total: int, *, is_estimate: bool = False) -> None:
        """Report the progress of the work; ``is_estimate`` tells whether the total is one.

        Raises:
            StoppedError: ``stop`` was called.
        """
        if self._stop.is_set():
            raise StoppedError
        if not self.began:
            self.began, self.before = time.monotonic(), done
        self.done, self.total, self.is_estimate = done, total, is_estimate

    def describe(self) -> dict[str, Any]:
        """Return the job's state as JSON for the page."""
        facts: dict[str, Any] = {
            "status": self.status, "done": self.done, "total": self.total, "isEstimate": self.is_estimate,
            "number": self.number,
        }  # fmt: skip
        new = self.done - self.before
        if self.status == "running" and new > 0 and self.total:
            facts["secondsLeft"] = round((self.total - self.done) * (time.monotonic() - self.began) / new)
        return facts | {"message": self.message}


class Jobs:
    """A queue of jobs, and the thread that runs them."""

    def __init__(self) -> None:
        self._ending = False
        self._current = Job()
        self._waiting: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._work, name="photochrom-jobs", daemon=True)
        self._thread.start()

    def add(self, job: Job, work: Callable[[], str]) -> None:
        """Queue a job.

        Args:
            job: The job, whose status is updated.
            work: Function that does the work and returns the message for the visitor. It must call ``job.progress``
                often.

        Raises:
            OptionError: The job is queued or running already.
        """
        job._queue(work)
        self._waiting.put(job)

    def end(self) -> None:
        """Stop the running job, discard the queued ones, and wait until the thread has ended."""
        self._ending = True
        self._current.stop()
        self._waiting.put(None)
        self._thread.join()

    def _work(self) -> None:
        while (job := self._waiting.get()) is not None and not self._ending:
            if (work := job._begin()) is not None:
                self._run(job, work)

    def _run(self, job: Job, work: Callable[[], str]) -> None:
        self._current = job
        if self._ending:
            job.stop()
        try:
            job.message = work()
            job.status = "done"
        except StoppedError:
            job.status = "stopped"
        except PhotochromError as exc:
            job.message, job.status = str(exc), "failed"
        except OSError as exc:  # its own message would reveal a path on the server
            job.message, job.status = f"the studio cannot read or write its files ({exc.strerror})", "failed"
        except Exception:
            _LOG.exception("a job failed")
            job.message, job.status = (
                "the studio failed to do this: report it to the person who runs the studio",
                "failed",
            )
