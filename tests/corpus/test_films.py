"""Every film of the corpus is coloured frame for frame, or refused in one line; none crashes, hangs or tracebacks."""

import itertools
import os
import re
import sys
import tempfile
from pathlib import Path

import av
import numpy as np
import pytest

from photochrom.batch.workers import Died, WorkerPool
from tests.corpus import films
from tests.corpus.films import Film, corpus
from tests.helpers.limits import outcome

pytest.importorskip("onnx")
pytestmark = [
    pytest.mark.skipif(sys.platform == "win32", reason="alarms and resource limits are POSIX"),
    pytest.mark.slow,
]
SEEN = 3.0  # mean difference of luma as shown, 8-bit steps, where a picture has no luma plane that could be kept
MOST_FAILURES = 1000  # consecutive packets; some demuxers fail for ever
MILLISECOND = 0.001  # Matroska counts in these


def prepare(model, parent):
    """Return what a worker calls with each film: it colours the film and compares it with its source."""
    from photochrom import Colorizer

    return coloring(Colorizer(model, "cpu"), parent)


def coloring(colorizer, parent):
    """Return the same function for a loaded model; it makes a folder in ``parent`` for each film."""
    from photochrom.film import FilmOptions, colorize_film

    def color(film: Film):
        with tempfile.TemporaryDirectory(dir=parent) as name:
            folder, output = Path(name), Path(name) / "coloured.mkv"
            source = folder / film.name
            source.write_bytes(film.data)
            (folder / "neighbour.mkv").write_bytes(NEIGHBOUR)
            reports = []

            def color_film():
                options = FilmOptions(codec="ffv1", **film.options)
                reports.append(colorize_film(source, output, options, colorizer=colorizer))

            kind, text = outcome(color_film, folder)
            left = {path.name for path in folder.iterdir()} - {film.name, "neighbour.mkv"}
            if kind == "refused" and left:
                return f"bad refusal, leaves {left}", text
            if kind != "done":
                return kind, text
            notes = [] if film.refused == "" else reports[0].notes
            return "coloured", [*differences(source, output), *notes]

    return color


NEIGHBOUR = b"a file of somebody else"


def frames_in(path):
    """Yield seconds and frame of each picture, by the simplest possible loop."""
    with av.open(str(path), metadata_errors="replace") as container:
        stream = next(s for s in container.streams.video if not s.disposition & av.stream.Disposition.attached_pic)
        stream.thread_type = "AUTO"
        packets, failures = container.demux(stream), 0
        while True:
            try:
                frames = next(packets).decode()
            except (StopIteration, av.error.EOFError):
                return
            except av.error.FFmpegError:
                if (failures := failures + 1) > MOST_FAILURES:
                    return
                continue
            for frame in frames:
                yield (None if frame.pts is None else float(frame.pts * frame.time_base)), frame


def beginning(source):
    """Return the time, in seconds, at which the first track begins if the clock of the film has no 0; else 0."""
    with av.open(str(source)) as container:
        if container.format.name == "mpegvideo":  # a raw stream, whose beginning FFmpeg does not state
            return next(frames_in(source))[0]
        return container.start_time / av.time_base if container.format.name in ("mpegts", "mpeg") else 0.0


def differences(source, output):
    """Return a phrase for each difference between a coloured film and its source."""
    wrong = []
    start = beginning(source)
    pairs = itertools.zip_longest(frames_in(source), frames_in(output))
    for number, (before, after) in enumerate(pairs):
        if before is None or after is None:
            wrong.append(f"frame {number} is {'too many' if before is None else 'missing'}")
            continue
        if before[0] is not None and abs(before[0] - start - after[0]) > MILLISECOND:
            wrong.append(f"frame {number} is shown at {after[0]} instead of {before[0] - start}")
        wrong += [f"luma of frame {number}: {what}" for what in luma_difference(before[1], after[1])]
    return wrong


def luma_difference(before, after):
    """Return at most one phrase about the difference between the lumas of two frames."""
    exact = luma_of(before, after.format.components[0].bits)
    if exact is not None:
        found = luma_of(after, after.format.components[0].bits)
        return [] if np.array_equal(exact, found) else [f"{np.abs(exact.astype(int) - found).max()} at most"]
    shown = [frame.to_ndarray(format="rgb24") @ [0.299, 0.587, 0.114] for frame in (before, after)]
    mean = np.abs(shown[0] - shown[1]).mean()
    return [] if mean <= SEEN else [f"{mean:.1f} on average"]


def luma_of(frame, bits):
    """Return the luma plane of a frame at a depth; None for frames without a luma plane."""
    kind = frame.format
    packed = {"yuyv422": 0, "uyvy422": 1}
    rows = np.frombuffer(frame.planes[0], np.uint8).reshape(frame.height, -1)
    if kind.name in packed:
        return rows[:, packed[kind.name] : 2 * frame.width : 2]
    planar = kind.name.startswith(("yuv", "gray1", "nv12")) or kind.name == "gray"
    if not planar:
        return None
    own = kind.components[0].bits
    if own > 8:
        rows = rows.view(">u2" if kind.is_big_endian else "<u2")
    luma = rows[:, : frame.width].astype(np.uint16)
    return luma << (bits - own) if bits >= own else luma >> (own - bits)


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    from tests.helpers.fakes import tiny_model

    model = tiny_model(tmp_path_factory.mktemp("model") / "tiny.onnx")
    films = corpus()
    assert len(films) > 200
    assert len({film.name for film in films}) == len(films)
    assert sum(len(film.data) for film in films) < 20_000_000
    with WorkerPool(prepare, (str(model), tmp_path_factory.mktemp("work")), 2) as pool:
        return list(pool.map(films))


def test_nothing_crashes_hangs_or_shows_a_traceback(results):
    kinds = ("coloured", "refused")
    assert not [(film.name, result) for film, result in results if isinstance(result, Died) or result[0] not in kinds]


def test_intact_films_keep_every_frame_time_and_luma(results):
    assert not [(film.name, result) for film, result in results if film.refused == "" and result != ("coloured", [])]


def test_films_that_must_not_be_coloured_are_refused_with_the_reason(results):
    wrong = []
    for film, result in results:
        if film.refused and (isinstance(result, Died) or not re.search(film.refused, str(result[1]))):
            wrong.append((film.name, result))
    assert not wrong


def test_damaged_films_lose_nothing_that_can_be_decoded(results):
    coloured = [(film.name, result[1]) for film, result in results if film.refused is None and result[0] == "coloured"]
    assert len(coloured) > 50
    lost = [
        (name, notes)
        for name, notes in coloured
        if any("is missing" in what for what in notes) and not any("ends early" in what for what in notes)
    ]
    assert not lost


def test_the_corpus_is_the_same_every_time(results):
    first, second = ({one.name: one.data for one in made} for made in ((film for film, _ in results), corpus()))
    assert first.keys() == second.keys()
    assert [name for name, data in first.items() if data != second[name]] == []


@pytest.mark.skipif(not hasattr(os, "sched_getscheduler"), reason="Linux only")
@pytest.mark.skipif("libsvtav1" not in av.codecs_available, reason="PyAV without SVT-AV1")
def test_making_the_corpus_takes_no_real_time_priority():
    films.film("webm", codec="libsvtav1")
    assert os.sched_getscheduler(0) == os.SCHED_OTHER
