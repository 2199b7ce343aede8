import multiprocessing
import os
import signal
import sys

import pytest

from photochrom.batch.workers import Died, WorkerPool, _serve
from tests.helpers.worker_tasks import blas_threads, blocked_signals, deadly, dying, failing, prepare


@pytest.mark.slow
def test_every_task_is_answered_once():
    with WorkerPool(prepare, (100,), 2) as pool:
        assert dict(pool.map(range(20))) == {task: 100 + task for task in range(20)}
        assert dict(pool.map(range(3))) == {0: 100, 1: 101, 2: 102}  # it can be used again


@pytest.mark.slow
@pytest.mark.parametrize("count", [1, 2])
def test_a_process_that_dies_before_its_first_task_ends_the_work_instead_of_failing_each_task(count):
    message = "a worker process ended with status 3 before its first task"
    with WorkerPool(dying, (), count) as pool, pytest.raises(RuntimeError, match=message):
        list(pool.map(range(100)))


@pytest.mark.slow
@pytest.mark.parametrize("count", [1, 2, 3])
def test_a_death_is_the_result_of_its_task(count):
    with WorkerPool(deadly, (), count) as pool:
        found = dict(pool.map(range(8)))
    if sys.platform != "win32":
        assert found.pop(2) == Died("ended with signal 9 (SIGKILL)")
    assert found.pop(5) == Died("ended with status 3")
    assert all(found[task] == task for task in found if task != 2)
    assert len(found) == 6 + (sys.platform == "win32")


@pytest.mark.slow
def test_a_stop_finishes_the_tasks_in_progress():
    done = []
    with WorkerPool(prepare, (0,), 2) as pool:
        for task, _ in pool.map(range(1000), stop=lambda: len(done) >= 5):
            done.append(task)
    assert 5 <= len(done) <= 8
    assert sorted(done) == list(range(len(done)))


@pytest.mark.slow
def test_tasks_are_taken_as_they_are_needed():
    """A listing of millions of items is never held in memory."""
    taken = []

    def tasks():
        for task in range(1000):
            taken.append(task)
            yield task

    with WorkerPool(prepare, (0,), 2) as pool:
        for number, _ in enumerate(pool.map(tasks())):
            assert len(taken) <= number + 4
            if number == 10:
                break


@pytest.mark.slow
def test_a_task_that_cannot_be_prepared_is_reported():
    with WorkerPool(failing, (), 2) as pool, pytest.raises(RuntimeError, match="no model"):
        list(pool.map([1, 2]))


@pytest.mark.slow
@pytest.mark.parametrize("chosen", [None, "4"])
def test_products_of_matrices_take_one_thread_of_a_worker(chosen, monkeypatch):
    if chosen is None:
        monkeypatch.delenv("OPENBLAS_NUM_THREADS", raising=False)
    else:
        monkeypatch.setenv("OPENBLAS_NUM_THREADS", chosen)
    with WorkerPool(blas_threads, (), 1) as pool:
        assert list(pool.map([0])) == [(0, chosen or "1")]
    assert os.environ.get("OPENBLAS_NUM_THREADS") == chosen


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="has no signal masks")
def test_ctrl_c_does_not_end_a_process_that_is_just_starting():
    with WorkerPool(blocked_signals, (), 1) as pool:
        assert signal.SIGINT in dict(pool.map([0]))[0]
    assert signal.SIGINT not in signal.pthread_sigmask(signal.SIG_BLOCK, ())


def test_a_process_that_fails_after_the_pool_has_ended_says_nothing(monkeypatch):
    """Another process has failed for the same reason, such as an unreadable model."""
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    parent, child = multiprocessing.Pipe()
    parent.send("task")
    parent.close()
    _serve(child, failing, ())
