"""An iterator in a separate thread: all items in order, errors when an item is taken, and a thread that always ends."""

import itertools
import signal
import sys
import threading

import pytest

from photochrom.film.prefetch import prefetched


def is_at_work():
    return any(thread.name == "photochrom-prefetch" for thread in threading.enumerate())


@pytest.mark.parametrize(("length", "count"), [(50, 1), (50, 4), (50, 100), (0, 3)])
def test_all_items_in_order(length, count):
    with prefetched(iter(range(length)), count) as items:
        assert list(items) == list(range(length))
    assert not is_at_work()


def test_no_more_than_the_given_number_of_items_is_computed_ahead():
    computed = [threading.Event() for _ in range(10)]

    def counted():
        for event in computed:
            event.set()
            yield event

    with prefetched(counted(), 3) as items:
        assert computed[2].wait(600)
        assert not computed[3].wait(0.05)
        next(items)
        assert computed[3].wait(600)
        assert not computed[4].wait(0.05)
    assert not is_at_work()


def test_errors_are_raised_where_items_are_taken():
    def failing():
        yield 1
        raise KeyError("two")

    with prefetched(failing(), 3) as items:
        assert next(items) == 1
        with pytest.raises(KeyError, match="two"):
            next(items)
    assert not is_at_work()


def test_an_error_of_the_one_who_takes_ends_the_work():
    def take(items):
        with prefetched(items, 3) as taken:
            for item in taken:
                if item == 20:
                    raise RuntimeError("enough")

    with pytest.raises(RuntimeError, match="enough"):
        take(itertools.count())
    assert not is_at_work()


def test_a_block_that_takes_no_items_ends():
    with prefetched(itertools.count(), 3):
        pass
    assert not is_at_work()


def test_a_signal_while_the_thread_starts_leaves_no_thread(monkeypatch):
    start = threading.Thread.start

    def interrupted(thread):
        start(thread)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", interrupted)
        with pytest.raises(KeyboardInterrupt), prefetched(itertools.count(), 3):
            pass
    assert not is_at_work()


@pytest.mark.skipif(sys.platform == "win32", reason="needs signals to threads")
def test_a_signal_while_the_block_waits_for_the_thread_is_raised_once_that_has_ended():
    """Otherwise a second Ctrl+C would let the thread outlive the main one, and abort the process in C++."""
    leaving, heard, left = (threading.Event() for _ in range(3))
    outlived = []

    def interrupt(*_):
        heard.set()
        raise KeyboardInterrupt

    def computed():
        yield 1
        leaving.wait(600)
        while (
            not heard.is_set()
        ):  # a signal that arrives just before the main thread waits is only handled after the wait
            signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)
            heard.wait(0.1)
        outlived.append(left.wait(0.1))
        yield 2

    before = signal.signal(signal.SIGINT, interrupt)
    try:
        with pytest.raises(KeyboardInterrupt), prefetched(computed(), 3):
            leaving.set()
        left.set()
    finally:
        signal.signal(signal.SIGINT, before)
    assert outlived == [False]
    assert not is_at_work()
