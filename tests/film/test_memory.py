"""Memory does not grow with a film's length, and only a few large frames are held at once."""

import ctypes
import os
import subprocess
import sys
import textwrap
import weakref
from fractions import Fraction
from types import SimpleNamespace

import av
import numpy as np
import pytest

from photochrom.color.coding import Coding
from photochrom.film import FilmOptions, coloring, colorize_film, frame_buffers, frames, planes, propagation
from photochrom.film.coloring import _PREDICTED_QUEUE, _RENDERED_QUEUE
from photochrom.film.damage_log import Damage
from photochrom.film.frame_buffers import FramePool, frame_bytes, frames_within
from photochrom.film.frames import FrameColorizer
from photochrom.film.plan import make_plan
from photochrom.film.planes import PlaneFormat
from photochrom.film.sequences import reader as sequence_reader
from photochrom.film.sequences import writer as sequence_writer
from photochrom.film.shots import detection
from tests.helpers.films import pan, write_film
from tests.helpers.sequences import write_dpx


def painter_of(width, height, bits, subsampling, colorizer):
    reel = SimpleNamespace(width=width, height=height, aspect=Fraction(1), turns=0)
    planes = PlaneFormat("", subsampling, Coding(bits, full_range=False), 1, converted=False)
    return FrameColorizer(colorizer, reel, planes, FilmOptions())


@pytest.mark.parametrize(
    ("width", "height", "bits", "subsampling", "ahead"),
    [
        (720, 576, 8, (2, 2), propagation.AHEAD),
        (1920, 1080, 8, (2, 2), propagation.AHEAD),
        (1920, 1080, 10, (1, 1), 1),
        (3840, 2160, 10, (2, 2), 1),
        (8192, 4320, 12, (1, 1), 1),
    ],
)
def test_the_larger_the_frames_the_fewer_wait(width, height, bits, subsampling, ahead, fake_colorizer):
    painter = painter_of(width, height, bits, subsampling, fake_colorizer)
    assert painter._ahead() == ahead


@pytest.mark.slow
def test_frames_are_released_once_written(tmp_path, fake_colorizer, monkeypatch):
    """This holds for long shots, too."""
    alive, most = set(), 0
    see = FrameColorizer.prepare

    def watched(self, frame):
        nonlocal most
        seen = see(self, frame)
        number = seen.pts
        alive.add(number)
        weakref.finalize(seen, alive.discard, number)
        most = max(most, len(alive))
        return seen

    monkeypatch.setattr(FrameColorizer, "prepare", watched)
    source = write_film(tmp_path / "a.mkv", pan(200), codec="ffv1")
    colorize_film(source, None, FilmOptions(preset="ultrafast"), colorizer=fake_colorizer)
    assert most <= propagation.reach(propagation.AHEAD) + detection.REACH + _PREDICTED_QUEUE + _RENDERED_QUEUE + 4
    assert len(alive) <= 1


@pytest.mark.slow
def test_packets_of_a_segment_are_written_at_once(tmp_path, fake_colorizer):
    """Lossless packets of half a minute would fill the memory."""
    noise = np.random.default_rng(0).integers(0, 255, (60, 120, 160), np.uint8)
    source = write_film(tmp_path / "a.mkv", noise, codec="ffv1")
    sizes = []

    def progress(_):
        (segment,) = (tmp_path / "a.color.mkv.photochrom").glob("*.nut")
        sizes.append(segment.stat().st_size)

    colorize_film(source, None, FilmOptions(codec="ffv1"), colorizer=fake_colorizer, progress=progress)
    assert 0 < sizes[30] < sizes[59] / 1.5


def test_at_least_one_frame_is_in_work():
    assert frames_within(100, 30, 8) == 3
    assert frames_within(100, 10, 8) == 8
    assert frames_within(100, 1000, 8) == 1


@pytest.mark.parametrize(("memory", "reading", "writing"), [(1e9, 64, 64), (3.5e6, 5, 3), (1e3, 1, 1)])
def test_scans_are_in_work_by_their_bytes(memory, reading, writing, tmp_path, monkeypatch):
    """One per core would be gigabytes of scans on a large machine."""
    monkeypatch.setattr(os, "cpu_count", lambda: 64)
    monkeypatch.setattr(sequence_reader, "_READ_BYTES", memory)
    monkeypatch.setattr(sequence_writer, "_WRITE_BYTES", memory)
    write_dpx(tmp_path / "scans", pan(6, 320, 200))  # 0.6 MB each to read, 1.2 MB to write
    options = FilmOptions(codec="dpx")
    with sequence_reader.open_film(tmp_path / "scans", options) as reader:
        asked = []
        read = reader._read
        monkeypatch.setattr(reader, "_read", lambda path: asked.append(path) or read(path))
        frames = reader.frames(0, damage=Damage())
        next(frames)
        assert len(asked) <= min(6, reading)
        assert reader.at_once == reading
        plan = make_plan(reader, None, options)
        writer = sequence_writer.SequenceWriter(plan.frames, 0, reader, plan.planes, "")
        assert writer.at_once == writing
        writer.abandon()


def test_large_frames_wait_in_small_numbers_between_threads(tmp_path, fake_colorizer, monkeypatch):
    counts = []
    prefetched = coloring.prefetched
    monkeypatch.setattr(coloring, "prefetched", lambda items, count: counts.append(count) or prefetched(items, count))
    monkeypatch.setattr(coloring, "_QUEUE_BYTES", 64_000)
    source = write_film(tmp_path / "a.mkv", pan(9, 160, 120), codec="ffv1")  # 19,200 bytes of luma each
    colorize_film(source, None, FilmOptions(preset="ultrafast"), colorizer=fake_colorizer)
    assert counts == [3, 1]


def test_frames_are_used_again_within_limits():
    pool = FramePool(memory=2.5 * frame_bytes(av.VideoFrame(64, 32, "gray")))
    frames = [pool.take(64, 32, "gray") for _ in range(4)]
    assert len({frame.planes[0].buffer_ptr for frame in frames}) == 4
    frames[3].pts, frames[3].duration = 7, 2
    for frame in frames:
        pool.give_back(frame)
    again = [pool.take(64, 32, "gray") for _ in range(3)]
    assert again[0] is frames[3]
    assert again[1] is frames[2]
    assert again[2] not in frames
    assert (again[0].pts, again[0].duration) == (None, 0)
    pool.give_back(again[0])
    assert pool.take(32, 64, "gray") is not again[0]
    assert pool.take(64, 32, "gray") is again[0]


@pytest.fixture
def allocations(monkeypatch):
    """Return an empty frame pool, used everywhere, and the pixel formats of the frames that it allocates."""
    made = []
    pool = FramePool()
    new = av.VideoFrame
    monkeypatch.setattr(frame_buffers, "av", SimpleNamespace(VideoFrame=lambda *a: made.append(a[2]) or new(*a)))
    for module in (coloring, frames, planes, sequence_writer):
        monkeypatch.setattr(module, "pool", pool)
    return pool, made


@pytest.mark.slow
def test_luma_of_a_long_shot_takes_no_new_memory(tmp_path, fake_colorizer, allocations):
    """Freeing and allocating frames of scans in several threads would fragment the memory."""
    pool, made = allocations
    source = write_dpx(tmp_path / "scans", pan(120, 96, 64))
    colorize_film(source, None, FilmOptions(), colorizer=fake_colorizer)
    waiting = propagation.reach(propagation.AHEAD) + detection.REACH + _PREDICTED_QUEUE + _RENDERED_QUEUE + 8
    assert made.count("gray10le") <= waiting
    assert made.count("yuv444p10le") <= 2 * (os.cpu_count() or 1) + 4
    assert not pool._frames


@pytest.mark.slow
def test_encoded_frames_take_no_new_memory(tmp_path, fake_colorizer, allocations):
    """Without reuse, each frame of a film would be allocated anew, and leave a hole in the memory."""
    pool, made = allocations
    source = write_film(tmp_path / "a.mkv", pan(60, 96, 64), codec="ffv1")
    colorize_film(source, None, FilmOptions(preset="ultrafast"), colorizer=fake_colorizer)
    assert made.count("yuv420p") <= _RENDERED_QUEUE + 3
    assert not pool._frames


@pytest.mark.skipif(sys.platform != "linux" or not hasattr(ctypes.CDLL(None), "malloc_trim"), reason="needs glibc")
def test_memory_of_an_encoder_is_returned_although_small_arrays_lie_between():
    code = """
        import numpy as np
        from photochrom.machine import LARGEST_REUSED_IN_FILMS, reuse_freed_memory

        def resident():
            (line,) = (line for line in open("/proc/self/status") if line.startswith("VmRSS"))
            return int(line.split()[1]) / 1024

        reuse_freed_memory(LARGEST_REUSED_IN_FILMS)
        before = resident()
        large, small = zip(*((np.ones(9_000_000, np.uint8), np.ones(1000, np.uint8)) for _ in range(20)))
        assert resident() > before + 150
        del large
        assert resident() < before + 20, resident() - before
    """
    subprocess.run([sys.executable, "-c", textwrap.dedent(code)], check=True)
