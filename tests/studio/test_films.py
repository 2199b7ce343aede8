"""Films on the tray: shots, hints on single frames, and jobs that continue after their page is closed."""

from __future__ import annotations

import threading
import time
from dataclasses import replace
from fractions import Fraction
from types import SimpleNamespace

import av
import numpy as np
import pytest

from photochrom import ColorOptions, Hint
from photochrom.errors import FilmError, OptionError
from photochrom.film import colorize_film
from photochrom.film.frames import FrameColorizer
from photochrom.film.hints import FilmHint, read_film_hints
from photochrom.film.options import FilmOptions
from photochrom.film.reader import FilmReader
from photochrom.film.shots.options import ShotOptions
from photochrom.studio.films import Film, KeptParts
from photochrom.studio.jobs import Job, Jobs, StoppedError
from tests.helpers.films import (
    all_packets,
    documentary,
    halves,
    other_shot,
    pan,
    still_frame,
    with_chroma,
    write_film,
    write_frames,
)
from tests.helpers.interruptions import varied_model
from tests.helpers.studio_server import RefusedError, Visitor
from tests.studio.conftest import rgb

FRAMES = 106
FOLLOWED = "the hint at 0:00:00.000 was followed from 0:00:00.000 to 0:00:01.250, its whole shot"


@pytest.fixture(scope="module")
def film(tmp_path_factory):
    """Return a grey film of three shots."""
    path = tmp_path_factory.mktemp("film") / "old.mp4"
    return write_film(path, pan(31) + other_shot(20) + pan(55, top=150), rate=24)


@pytest.fixture
def short_segments(monkeypatch):
    """Use segments of half a second to one second."""
    monkeypatch.setattr("photochrom.film.coloring._SHORTEST", 0.5)
    monkeypatch.setattr("photochrom.film.coloring._LONGEST", 1)


def wait_for(visitor, item, name="job", until=("done", "failed", "stopped")):
    for _ in range(12_000):
        state = visitor.item(item)
        if state[name]["status"] in until:
            return state
        time.sleep(0.05)
    raise AssertionError(state[name])


def dropped(visitor, film):
    """Drop a film, and wait for its shots."""
    item = visitor.add("old.mp4", film.read_bytes())
    wait_for(visitor, item, "search")
    return item


def colored(visitor, item, **facts):
    visitor.post(f"/api/items/{item}/start", facts)
    return wait_for(visitor, item)


def test_shots_are_found_and_shown(visitor, film):
    item = dropped(visitor, film)
    state = visitor.item(item)
    assert [shot["frames"] for shot in state["shots"]] == [31, 20, 55]
    assert [shot["start"] for shot in state["shots"]] == pytest.approx([0, 31 / 24, 51 / 24], abs=1e-5)
    assert (state["width"], state["height"], state["kind"]) == (96, 64, "film")
    for number in range(3):
        assert np.ptp(rgb(visitor.fetch(f"/api/items/{item}/shots/{number}.jpg")), axis=2).mean() > 2
    with pytest.raises(RefusedError, match="400 there is no such shot"):
        visitor.fetch(f"/api/items/{item}/shots/3.jpg")


@pytest.mark.usefixtures("late_job_states")
def test_a_finished_search_is_shown_with_all_its_shots(visitor, film):
    state = visitor.send("/api/items", "old.mp4", film.read_bytes())
    assert (state["search"]["status"], len(state["shots"])) == ("done", 3)


@pytest.mark.slow
def test_a_film_is_hinted_frame_by_frame_and_coloured(visitor, film, tmp_path):
    item = dropped(visitor, film)
    state = visitor.edit(item, "go", time=1.3)
    assert state["time"] == pytest.approx(32 / 24, abs=1e-4)  # the first frame at that time or later
    before = rgb(visitor.fetch(f"/api/items/{item}/picture.jpg"))
    assert before.shape == (64, 96, 3)
    visitor.put(item, 0.5, 0.3)
    state = visitor.edit(item, "go", time=0)
    assert state["marks"] == []
    assert state["marked"] == pytest.approx([32 / 24], abs=1e-4)
    visitor.put(item, 0.2, 0.2, "#283cc8", "stroke", places=[[0.2, 0.2], [0.4, 0.2]], radius=0.05)
    assert [mark["color"] for mark in visitor.edit(item, "go", time=1.3)["marks"]] == ["#c81e28"]
    visitor.put(item, 0.7, 0.7)
    assert len(visitor.edit(item, "undo")["marks"]) == 1
    (tmp_path / "hints.json").write_bytes(visitor.fetch(f"/api/items/{item}/hints.json"))
    hints = read_film_hints(tmp_path / "hints.json")
    assert sorted({float(hint.time) for hint in hints}) == pytest.approx([0, 32 / 24], abs=1e-4)
    state = colored(visitor, item)
    assert state["job"]["status"] == "done"
    name, content = visitor.download(item)
    assert name == state["result"] == "old.color.mp4"
    (tmp_path / "studio.mp4").write_bytes(content)
    options = FilmOptions(keep_parts=True)
    report = colorize_film(film, tmp_path / "library.mp4", options, hints=hints, colorizer=studio_colorizer(tmp_path))
    assert all_packets(tmp_path / "studio.mp4") == all_packets(report.output)
    (followed,) = report.notes
    assert followed.startswith("4 of 9 hints were followed through only a part")
    assert state["job"]["message"] == f"106 frames, 3 shots\n{followed}"
    again = visitor.add("old.mp4", film.read_bytes())
    visitor.send(f"/api/items/{again}/hints", "hints.json", (tmp_path / "hints.json").read_bytes())
    assert visitor.item(again)["marked"] == pytest.approx([0, 32 / 24], abs=1e-4)


@pytest.mark.parametrize("end", ["mp4", "mkv"])
def test_a_time_after_the_last_frame_shows_that_frame(visitor, tmp_path, end):
    film = write_film(tmp_path / f"old.{end}", pan(20), rate=18)
    item = visitor.add(film.name, film.read_bytes())
    for late in (visitor.item(item)["duration"] - 0.001, 9_999):
        assert visitor.edit(item, "go", time=late)["time"] == pytest.approx(19 / 18, abs=1e-3)
    visitor.put(item, 0.5, 0.5)
    assert colored(visitor, item)["job"]["status"] == "done"


def test_marks_belong_to_the_frame_on_their_page(visitor, film):
    """Two windows with the same cookie share the displayed frame."""
    item = dropped(visitor, film)
    seen = visitor.edit(item, "go", time=1.5)["time"]
    visitor.edit(item, "go", time=3)  # in the other window
    mark = {"kind": "point", "places": [[0.5, 0.5]], "color": "#c81e28"}
    state = visitor.edit(item, "marks", marks=[mark], time=seen)
    assert (state["marked"], state["marks"]) == ([seen], [])
    with pytest.raises(RefusedError, match="400 the colours were changed in another window"):
        visitor.edit(item, "marks", marks=[], before=[], time=seen)
    before = visitor.edit(item, "go", time=seen)["marks"]
    visitor.edit(item, "go", time=3)
    assert visitor.edit(item, "marks", marks=[], before=before, time=seen)["marked"] == []
    with pytest.raises(RefusedError, match="400 the time is not a number of seconds"):
        visitor.edit(item, "marks", marks=[mark], time="soon")


def test_a_frame_that_cannot_be_read_leaves_the_displayed_one(visitor, film, monkeypatch):
    item = dropped(visitor, film)
    before = visitor.edit(item, "go", time=1.5)

    def fail(*_, **__):
        raise FilmError("cannot be read", path="old.mp4")

    monkeypatch.setattr(FilmReader, "pts_at", fail)
    with pytest.raises(RefusedError, match=r"400 old\.mp4: cannot be read"):
        visitor.edit(item, "go", time=3)
    assert visitor.item(item) == before


def studio_colorizer(folder):
    from photochrom import Colorizer
    from tests.helpers.suggesting import hinting_engine

    (folder / "same.onnx").write_bytes(b"fake")
    return Colorizer(folder / "same.onnx", engine=hinting_engine())


@pytest.mark.slow
def test_a_shot_has_dials_of_its_own(visitor, film, tmp_path):
    item = dropped(visitor, film)
    visitor.edit(item, "go", time=1.5)
    state = visitor.edit(item, "dial", dial="strength", value=0.5, shot=True)
    state = visitor.edit(item, "dial", dial="strength", value=0, shot=True)
    assert (state["strength"], state["isOwn"], state["own"]) == (0, True, pytest.approx([31 / 24], abs=1e-5))
    assert np.ptp(rgb(visitor.fetch(f"/api/items/{item}/picture.jpg")), axis=2).max() < 8
    state = visitor.edit(item, "go", time=0)
    assert (state["strength"], state["isOwn"]) == (1, False)
    assert visitor.edit(item, "undo")["own"] == []  # two turns of one dial are one step
    visitor.edit(item, "redo")
    assert colored(visitor, item)["job"]["message"] == "106 frames, 3 shots"
    (tmp_path / "new.mp4").write_bytes(visitor.download(item)[1])
    with av.open(str(tmp_path / "new.mp4")) as container:
        frames = [frame.to_ndarray(format="rgb24").astype(int) for frame in container.decode(video=0)]
    in_color = [np.ptp(frame, axis=2).mean() > 4 for frame in frames]
    assert in_color == [True] * 31 + [False] * 20 + [True] * 55
    visitor.edit(item, "go", time=1.5)
    assert visitor.edit(item, "like the film")["strength"] == 1


@pytest.mark.parametrize(
    "change", [{"do": "dial", "dial": "strength", "value": 0, "shot": True}, {"do": "like the film"}]
)
def test_shots_that_are_not_found_yet_have_no_dials(change, visitor, film, monkeypatch):
    monkeypatch.setattr(Film, "_find_shots", lambda _: "")
    item = dropped(visitor, film)
    with pytest.raises(RefusedError, match="the shots have not been found yet: wait until they are"):
        visitor.edit(item, **change)


@pytest.mark.slow
def test_the_result_is_played_in_parts(visitor, film):
    item = dropped(visitor, film)
    with pytest.raises(RefusedError, match="this film is not coloured yet: colour it first"):
        visitor.download(item)
    colored(visitor, item)
    whole = visitor.fetch(f"/api/items/{item}/download?play")
    part = visitor.client.get(f"/api/items/{item}/download?play", headers={"Range": "bytes=100-199"})
    assert (part.status_code, part.content) == (206, whole[100:200])
    assert part.headers["content-range"] == f"bytes 100-199/{len(whole)}"
    assert part.headers["content-type"] == "video/mp4"
    assert "attachment" not in part.headers.get("content-disposition", "")


@pytest.fixture
def gated(visitor, monkeypatch):
    """Hold the colouring of films back until the gate is open; return the gate, and the event of its beginning."""
    gate, begun = threading.Event(), threading.Event()
    color = Film._color

    def waiting(self, *arguments):
        begun.set()
        assert gate.wait(600)
        return color(self, *arguments)

    monkeypatch.setattr(Film, "_color", waiting)
    yield gate, begun
    gate.set()  # otherwise the end of the studio would wait for the job of a test that failed


@pytest.mark.slow
def test_one_film_at_a_time_and_the_next_one_waits(visitor, film, gated):
    gate, begun = gated
    first, second = (dropped(visitor, film) for _ in range(2))
    visitor.post(f"/api/items/{first}/start", {})
    assert begun.wait(600)
    visitor.post(f"/api/items/{second}/start", {})
    assert visitor.item(second)["job"]["status"] == "waiting"
    with pytest.raises(RefusedError, match="is already in progress: wait, or stop it"):
        visitor.post(f"/api/items/{first}/start", {})
    visitor.post(f"/api/items/{second}/stop")
    assert visitor.item(second)["job"]["status"] == "stopped"
    visitor.post(f"/api/items/{second}/start", {})
    gate.set()
    assert [wait_for(visitor, item)["job"]["status"] for item in (first, second)] == ["done", "done"]


@pytest.mark.slow
def test_a_job_survives_a_reload(visitor, film, gated):
    gate, begun = gated
    item = dropped(visitor, film)
    visitor.post(f"/api/items/{item}/start", {})
    assert begun.wait(600)
    again = Visitor(visitor.client)
    (state,) = again.studio["items"]
    assert (state["id"], state["job"]["status"]) == (item, "running")
    gate.set()
    assert wait_for(again, item)["result"] == "old.color.mp4"


class Stops:
    """Stops a job at a frame."""

    def __init__(self, monkeypatch, at):
        progress = Job.progress
        self.seen = []

        def told(job, done, total, **more):
            if total:
                self.seen.append(done)
                if done == at:
                    job.stop()
            progress(job, done, total, **more)

        monkeypatch.setattr(Job, "progress", told)


@pytest.mark.slow
def test_a_film_that_is_stopped_resumes(open_studio, film, short_segments, tmp_path, monkeypatch):
    colorizer = varied_model(tmp_path)
    whole = colorize_film(film, tmp_path / "whole.mp4", FilmOptions(keep_parts=True), colorizer=colorizer).output
    visitor = Visitor(open_studio(colorizer)())
    item = dropped(visitor, film)
    with monkeypatch.context() as patch:
        stops = Stops(patch, 60)
        assert colored(visitor, item)["job"]["status"] == "stopped"
        assert stops.seen[-1] == 60
    stops = Stops(monkeypatch, FRAMES + 1)
    state = colored(visitor, item)
    assert state["job"]["message"] == "106 frames, 3 shots"
    assert stops.seen[0] > 31  # the segments that were finished are
    (tmp_path / "new.mp4").write_bytes(visitor.download(item)[1])
    assert all_packets(tmp_path / "new.mp4") == all_packets(whole)


@pytest.mark.slow
@pytest.mark.parametrize("change", ["strength", "mark"])
def test_a_stopped_film_with_other_colours_starts_over(
    open_studio, film, short_segments, tmp_path, monkeypatch, change
):
    visitor = Visitor(open_studio(varied_model(tmp_path))())
    item = dropped(visitor, film)
    with monkeypatch.context() as patch:
        Stops(patch, 60)
        colored(visitor, item)
    if change == "mark":
        visitor.put(item, 0.5, 0.5)
    else:
        visitor.edit(item, "dial", dial="strength", value=0.5)
    stops = Stops(monkeypatch, FRAMES + 1)
    lines = ["106 frames, 3 shots", FOLLOWED] if change == "mark" else ["106 frames, 3 shots"]
    assert colored(visitor, item)["job"]["message"] == "\n".join(lines)
    assert next(done for done in stops.seen if done) == 1


@pytest.mark.parametrize("is_whole", [True, False])
def test_kept_parts_serve_the_same_job_and_those_of_a_finished_film_also_other_shots(is_whole):
    options, hints = FilmOptions(recolor=False), (FilmHint(Fraction(0), Hint(0.5, 0.5, (200, 30, 40))),)
    kept = KeptParts(options, hints, is_whole)
    assert kept.can_serve(options, hints)
    assert kept.can_serve(options, ()) == is_whole
    assert kept.can_serve(replace(options, shots=(ShotOptions(Fraction(1), strength=0.5),)), hints) == is_whole
    assert not kept.can_serve(replace(options, recolor=True), hints)
    assert not kept.can_serve(replace(options, color=ColorOptions(strength=0.5)), hints)


@pytest.mark.slow
def test_only_changed_shots_of_a_finished_film_are_recoloured(visitor, film, tmp_path, monkeypatch):
    rendered = []
    render = FrameColorizer.render
    monkeypatch.setattr(FrameColorizer, "render", lambda *args: (rendered.append(args[1].pts), render(*args))[1])
    item = dropped(visitor, film)
    assert not visitor.item(item)["isCurrent"]
    assert colored(visitor, item)["isCurrent"]
    assert len(rendered) == FRAMES
    rendered.clear()
    visitor.edit(item, "go", time=1.5)
    visitor.edit(item, "dial", dial="strength", value=0, shot=True)
    assert not visitor.item(item)["isCurrent"]
    assert colored(visitor, item)["job"]["message"] == "106 frames, 3 shots"
    assert 20 <= len(rendered) < 40  # some frames ahead are on their way when the shot ends
    rendered.clear()
    visitor.edit(item, "go", time=0.5)
    visitor.put(item, 0.5, 0.5)
    colored(visitor, item)
    assert 31 <= len(rendered) < 51
    rendered.clear()
    (tmp_path / "new.mp4").write_bytes(visitor.download(item)[1])
    with av.open(str(tmp_path / "new.mp4")) as container:
        frames = [frame.to_ndarray(format="rgb24").astype(int) for frame in container.decode(video=0)]
    assert [np.ptp(frame, axis=2).mean() > 4 for frame in frames] == [True] * 31 + [False] * 20 + [True] * 55
    visitor.edit(item, "dial", dial="strength", value=0.5)  # of the film: the second shot has its own
    assert colored(visitor, item)["isCurrent"]
    assert 86 <= len(rendered) < FRAMES


@pytest.mark.slow
def test_a_film_that_is_removed_while_it_is_coloured_leaves_nothing(visitor, film, gated, files):
    gate, begun = gated
    item = dropped(visitor, film)
    visitor.post(f"/api/items/{item}/start", {})
    assert begun.wait(600)
    visitor.remove(item)
    gate.set()
    other = dropped(visitor, film)
    assert colored(visitor, other)["job"]["status"] == "done"  # the queue is not stuck
    visitor.remove(other)
    assert files() == []


def test_a_film_in_colour_is_recoloured_only_if_wanted(visitor, tmp_path):
    path = tmp_path / "new.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("h264", rate=10)
        stream.width, stream.height, stream.pix_fmt = 96, 64, "yuv420p"
        for number in range(10):
            patches = np.random.default_rng(0).integers(0, 200, (4, 6, 3)) + 5 * number
            frame = np.kron(patches, np.ones((16, 16, 1))).astype(np.uint8)
            for packet in stream.encode(av.VideoFrame.from_ndarray(frame).reformat(format="yuv420p")):
                container.mux(packet)
        for packet in stream.encode():
            container.mux(packet)
    item = dropped(visitor, path)
    assert visitor.item(item)["coloredPart"] == "all"
    with pytest.raises(RefusedError, match="this film is in colour already: tick"):
        visitor.post(f"/api/items/{item}/start", {})
    assert colored(visitor, item, recolor=True)["job"]["message"].startswith("10 frames, 1 shot")


def test_a_film_whose_shots_are_all_in_colour_fails_in_the_words_of_the_page(visitor, tmp_path):
    """Some samples are grey, but most frames of the only shot are in colour."""
    frames = with_chroma(pan(48), lambda number, *p: halves(number, *p, step=40 if number < 40 else 0))
    item = visitor.add("new.mkv", write_frames(tmp_path / "new.mkv", frames, codec="ffv1").read_bytes())
    assert wait_for(visitor, item, "search")["coloredPart"] == "some"
    visitor.post(f"/api/items/{item}/start", {"recolor": False})
    job = wait_for(visitor, item)["job"]
    expected = ("failed", "this film is in colour already: tick the box to colour it anyway")
    assert (job["status"], job["message"]) == expected


def test_a_note_on_shots_in_colour_names_no_argument(visitor, tmp_path):
    item = visitor.add("documentary.mkv", documentary(tmp_path).read_bytes())
    message = colored(visitor, item)["job"]["message"]
    assert "1 of 3 shots is in colour and left unchanged" in message.split("\n")


def test_shots_in_colour_are_shown_as_the_film_leaves_them_unless_recoloured(visitor, tmp_path):
    item = visitor.add("documentary.mkv", documentary(tmp_path).read_bytes())
    state = wait_for(visitor, item, "search")
    assert (state["coloredPart"], state["isKept"]) == ("some", False)
    assert not is_blue_on_the_right(visitor.fetch(f"/api/items/{item}/picture.jpg"))
    assert visitor.edit(item, "go", time=1.5)["isKept"]
    for kind in ("picture", "small"):
        assert is_blue_on_the_right(visitor.fetch(f"/api/items/{item}/{kind}.jpg"))
    shots = [visitor.fetch(f"/api/items/{item}/shots/{number}.jpg") for number in range(3)]
    assert [is_blue_on_the_right(shot) for shot in shots] == [False, True, False]
    assert not visitor.edit(item, "recolor", recolor=True)["isKept"]
    assert not is_blue_on_the_right(visitor.fetch(f"/api/items/{item}/picture.jpg"))


def is_blue_on_the_right(jpeg):
    left, right = (half[..., 2].mean() - half[..., 0].mean() for half in np.hsplit(rgb(jpeg), 2))
    return right > left + 60


def test_a_file_that_is_not_a_film_gives_a_one_line_error(visitor, files, tmp_path):
    with pytest.raises(RefusedError, match=r"^400 old\.mp4") as caught:
        visitor.add("old.mp4", b"no film")
    assert str(tmp_path) not in str(caught.value)
    assert files() == []


def test_a_film_of_too_many_pixels_is_refused_before_it_is_decoded(open_studio, film, files, monkeypatch):
    def decode(_):
        raise AssertionError("a frame was decoded")

    monkeypatch.setattr(FilmReader, "_first_frame", decode)
    visitor = Visitor(open_studio(max_megapixels=0.006)())
    with pytest.raises(RefusedError, match=r"^400 old\.mp4: .*is 96 x 64 pixels, more than 0\.006 million"):
        visitor.add("old.mp4", film.read_bytes())
    assert files() == []


def test_a_raw_stream_of_jpegs_is_a_film(visitor, tmp_path):
    frames = [still_frame(luma, "yuvj420p") for luma in pan(6)]
    path = write_frames(tmp_path / "old.mjpeg", frames, name="yuvj420p", codec="mjpeg")
    item = visitor.add(path.name, path.read_bytes())
    assert [shot["frames"] for shot in wait_for(visitor, item, "search")["shots"]] == [6]


def test_photographs_are_not_films(visitor, film):
    item = dropped(visitor, film)
    for path in ("guesses", "tile/0/0.jpg"):
        with pytest.raises(RefusedError, match="400 this works with photographs only"):
            visitor.fetch(f"/api/items/{item}/{path}")
    for wrong in ("-1", '"soon"', "null", "1e9", "Infinity", "NaN"):
        answer = visitor.client.post(f"/api/items/{item}/edit", content=f'{{"do": "go", "time": {wrong}}}')
        assert (answer.status_code, answer.json()["error"]) == (400, "the time is not a number of seconds")


# Jobs by themselves ------------------------------------------------------------------------------------------------


@pytest.fixture
def jobs():
    found = Jobs()
    yield found
    found.end()


@pytest.fixture
def gate(jobs):
    """Return an event for which jobs wait; it is set after the test, before the queue ends."""
    found = threading.Event()
    yield found
    found.set()


def until(condition):
    for _ in range(60_000):
        if condition():
            return
        time.sleep(0.01)
    raise AssertionError


def test_a_job_stopped_while_queued_does_its_latest_work(jobs, gate):
    done = []
    jobs.add(Job(), lambda: str(gate.wait(600)))
    job = Job()
    for number in (1, 2):
        jobs.add(job, lambda number=number: done.append(number) or str(number))
        if number == 1:
            job.stop()
    with pytest.raises(OptionError, match="already in progress"):
        jobs.add(job, str)
    gate.set()
    until(lambda: job.status == "done")
    assert (done, job.message) == ([2], "2")


class WatchedLock:
    """A lock that sets an event when a thread has to wait for it."""

    def __init__(self):
        self._lock, self.awaited = threading.Lock(), threading.Event()

    def __enter__(self):
        if self._lock.locked():
            self.awaited.set()
        self._lock.acquire()

    def __exit__(self, *_):
        self._lock.release()


def test_a_job_that_two_requests_start_at_once_is_queued_once(jobs, gate, monkeypatch):
    lock, requests, refused = WatchedLock(), [], []
    jobs.add(Job(), lambda: str(gate.wait(600)))  # the next job stays queued
    job = Job(_lock=lock)

    def request():
        try:
            jobs.add(job, str)
        except OptionError as exc:
            refused.append(str(exc))
        lock.awaited.set()

    def is_busy(self):
        found = self.status == "waiting"
        if not requests:  # the second request comes between check and change
            requests.append(threading.Thread(target=request))
            requests[0].start()
            assert lock.awaited.wait(600)
        return found

    monkeypatch.setattr(Job, "busy", property(is_busy))
    jobs.add(job, str)
    requests[0].join()
    gate.set()
    assert refused == ["this is already in progress: wait, or stop it"]
    assert job.number == 1


def test_a_job_that_is_stopped_while_it_begins_does_not_run(jobs, gate):
    lock, begun, last = WatchedLock(), [], Job()

    class Switching(Job):
        def __setattr__(self, name, value):
            if value == "stopped":  # the queue comes to the job between check and change
                gate.set()
                assert lock.awaited.wait(600)
            super().__setattr__(name, value)

    def work():
        begun.append(True)
        lock.awaited.set()
        return ""

    jobs.add(Job(), lambda: str(gate.wait(600)))
    job = Switching(_lock=lock)
    jobs.add(job, work)
    job.stop()
    jobs.add(last, str)
    until(lambda: last.status == "done")
    assert (job.status, begun) == ("stopped", [])


def test_a_failed_job_says_why_and_can_be_repeated(jobs, caplog):
    def raises(error):
        def work():
            raise error

        return work

    job = Job()
    for error, message in [
        (FilmError("the disk is full"), "the disk is full"),
        (
            OSError(28, "No space left on device", "/secret/place"),
            "the studio cannot read or write its files (No space",
        ),
        (ZeroDivisionError("/secret"), "the studio failed to do this"),
    ]:
        jobs.add(job, raises(error))
        until(lambda: job.status == "failed")
        assert job.message.startswith(message)
        assert "/secret" not in job.message
    assert len(caplog.records) == 1


@pytest.mark.parametrize("is_estimate", [False, True])
def test_a_job_tells_whether_its_total_is_an_estimate(is_estimate):
    job = Job(status="running")
    job.progress(1, 100, is_estimate=is_estimate)
    assert job.describe()["isEstimate"] is is_estimate


def test_the_time_left_counts_from_where_the_job_went_on(monkeypatch):
    clock = iter([100.0, 110.0])
    monkeypatch.setattr("photochrom.studio.jobs.time", SimpleNamespace(monotonic=lambda: next(clock)))
    job = Job(status="running")
    job.progress(50, 100)
    assert "secondsLeft" not in job.describe()
    job.progress(60, 100)
    assert job.describe()["secondsLeft"] == 40
    job.stop()
    with pytest.raises(StoppedError):
        job.progress(61, 100)


def test_the_end_stops_the_running_job_and_waits_for_it():
    jobs, begun, left = Jobs(), threading.Event(), []

    def work():
        begun.set()
        try:
            for _ in range(60_000):
                job.progress(0, 1)
                time.sleep(0.01)
        finally:
            left.append(True)
        return ""

    job, waiting = Job(), Job()
    jobs.add(job, work)
    jobs.add(waiting, work)
    assert begun.wait(600)
    jobs.end()
    assert left == [True]
    assert job.status == "stopped"
