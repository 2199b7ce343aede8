"""The lock of a run's folder, and the events in it."""

from __future__ import annotations

import sys
from contextlib import ExitStack, suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

pytest.importorskip("torch")

from photochrom.errors import TrainingError
from photochrom.training.run_folder import RunLog, locked

pytestmark = pytest.mark.training


@pytest.mark.skipif(sys.platform == "win32", reason="a locked file cannot be removed there")
def test_a_lock_file_that_another_process_has_removed_is_no_lock(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second run has opened the lock file, but not yet locked it, when the first one removes it and ends."""
    import fcntl

    folder, first, flock = tmp_path / "run", ExitStack(), fcntl.flock
    first.enter_context(locked(folder))
    (folder / "losses.csv").touch()  # so that the folder remains

    def ending(descriptor: int, operation: int) -> None:
        if operation & fcntl.LOCK_EX:
            first.close()
        flock(descriptor, operation)

    monkeypatch.setattr(fcntl, "flock", ending)
    with ExitStack() as second, suppress(TrainingError):  # it may be refused; otherwise it excludes a third
        second.enter_context(locked(folder))
        with pytest.raises(TrainingError, match="another process is training"):
            second.enter_context(locked(folder))
    with locked(folder):
        pass


def test_a_resumed_run_shows_the_events_up_to_its_checkpoint_and_its_own(tmp_path: Path) -> None:
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    run: Any = SimpleNamespace(config=SimpleNamespace(run_folder=tmp_path))
    for begun_at, rounds in ((0, (3, 6, 9)), (6, (9,))):  # killed after step 9, whose checkpoint is not there
        trainer: Any = SimpleNamespace(step=begun_at)
        board = RunLog(run, trainer).board
        for step in rounds:
            board.add_scalar("validation", begun_at, step)
        board.close()
        # The files are read in the order of their names, which begin with the second in which a process opened them.
        (written,) = (tmp_path / "tensorboard").glob("events.out.tfevents.*.*")
        written.rename(written.with_name(f"events.out.tfevents.{begun_at}"))
    events = accumulator.EventAccumulator(str(tmp_path / "tensorboard"))
    events.Reload()
    assert [(event.step, event.value) for event in events.Scalars("validation")] == [(3, 0), (6, 0), (9, 6)]
