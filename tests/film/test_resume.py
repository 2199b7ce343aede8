"""A stopped job resumes, and gives the same film as an uninterrupted one."""

import errno
import itertools
import subprocess
import sys
import textwrap
from fractions import Fraction
from pathlib import Path

import pytest
from filelock import FileLock, Timeout

from photochrom import ColorOptions, Hint
from photochrom.errors import FilmError
from photochrom.film import FilmOptions, Progress, colorize_film
from photochrom.film.hints import FilmHint
from photochrom.film.output import resume
from photochrom.film.output.resume import work_folder
from tests.film.test_damage import put_ahead, spoil
from tests.helpers.films import all_packets, decoded, other_shot, pan, write_film
from tests.helpers.interruptions import Stop, stop_at, varied_model

FAST = FilmOptions(preset="superfast")
ROOT = Path(__file__).parents[2]
PUT_TOGETHER = Progress(106, 106)
"""All that is told of a job of which nothing is left but this."""

# Killed or cut short in the middle of its work, in a process of its own; segments last half a second to one.
DRIVER = textwrap.dedent(
    """
    import os, resource, signal, sys
    sys.path.insert(0, {tests!r})
    from fractions import Fraction
    from pathlib import Path
    from tests.helpers.interruptions import varied_model
    from photochrom import ColorOptions, FilmError, FilmOptions, ShotOptions, colorize_film
    import photochrom.film.coloring as module

    module._SHORTEST, module._LONGEST = 0.5, 1
    source, output, kill_at, file_size, options = sys.argv[1:]
    if int(file_size):
        resource.setrlimit(resource.RLIMIT_FSIZE, (int(file_size), int(file_size)))

    told = 0

    def progress(state):
        global told
        told += state.done > 0
        if told == int(kill_at):
            os.kill(os.getpid(), signal.SIGKILL)

    try:
        model = varied_model(Path(source).parent)
        colorize_film(source, output, eval(options), colorizer=model, progress=progress, overwrite=True)
    except FilmError as exc:
        sys.exit(str(exc))
    """
)


@pytest.fixture
def film(tmp_path):
    """Return a film of three shots, the last of which takes several segments."""
    return write_reel(tmp_path)


def write_reel(folder):
    return write_film(folder / "a.mp4", pan(31) + other_shot(20) + pan(55, top=150), rate=24, sound="aac")


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """Return the report of an uninterrupted job."""
    folder = tmp_path_factory.mktemp("whole")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("photochrom.film.coloring._SHORTEST", 0.5)
        patch.setattr("photochrom.film.coloring._LONGEST", 1)
        return colorize_film(write_reel(folder), None, FAST, colorizer=varied_model(folder))


def unfinished(film):
    return film.with_name("a.color.mp4.photochrom")


def run_in_a_process(film, output, options=FAST, *, kill_at=-1, file_size=0):
    arguments = [str(a) for a in (film, output, kill_at, file_size, options)]
    code = DRIVER.format(tests=str(ROOT))
    return subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, timeout=600)


@pytest.mark.parametrize("kill_at", [10, 45, 95])
@pytest.mark.slow
def test_a_killed_job_resumes_and_gives_the_same_film(kill_at, film, whole, tmp_path, short_segments):
    """It is killed in the first segment, in a later one, and in the middle of a shot of several segments."""
    output = tmp_path / "a.color.mp4"
    assert run_in_a_process(film, output, kill_at=kill_at).returncode == -9
    assert not output.exists()
    done = len(list(unfinished(film).glob("[0-9]*.json")))
    assert (done > 0) == (kill_at > 30)
    reported = []
    report = colorize_film(film, output, FAST, colorizer=varied_model(tmp_path), progress=reported.append)
    assert (reported[0].done > 1) == (done > 0)
    assert (reported[-1].done, reported[-1].total) == (106, 106)
    assert report.shots == whole.shots == [0, Fraction(31, 24), Fraction(51, 24)]
    assert report.frames == whole.frames == 106
    assert all_packets(output) == all_packets(whole.output)
    assert not unfinished(film).exists()


@pytest.mark.parametrize("rate", [24, 1])
@pytest.mark.slow
def test_every_place_to_stop_at_gives_the_same_film(rate, tmp_path, short_segments, monkeypatch):
    """The job is stopped twice in a row, also where a segment is shorter than the reach of shot detection."""
    monkeypatch.setattr("photochrom.film.coloring._LONGEST", 12 / rate)
    film = write_film(tmp_path / "a.mkv", pan(26) + other_shot(40), rate=rate, options={"g": "10"})
    whole = colorize_film(film, tmp_path / "whole.mkv", FAST, colorizer=varied_model(tmp_path)).output
    for first, second in ((14, 31), (27, 40), (39, 52), (50, 65)):
        output = tmp_path / f"{first}.mkv"
        for stop in (first, second):
            with pytest.raises(Stop):
                colorize_film(film, output, FAST, colorizer=varied_model(tmp_path), progress=stop_at(stop))
        colorize_film(film, output, FAST, colorizer=varied_model(tmp_path))
        assert all_packets(output) == all_packets(whole), (first, second)


@pytest.mark.slow
def test_ctrl_c_keeps_finished_work(film, tmp_path, short_segments):
    def interrupt(state):
        if state.done == 60:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        colorize_film(film, None, FAST, colorizer=varied_model(tmp_path), progress=interrupt)
    assert not (tmp_path / "a.color.mp4").exists()
    reported = []
    colorize_film(film, None, FAST, colorizer=varied_model(tmp_path), progress=reported.append)
    assert reported[0].done > 20
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.color.mp4", "a.mp4", "fake.onnx"]


def test_a_job_stopped_before_anything_is_done_leaves_nothing(film, tmp_path):
    with pytest.raises(Stop):
        colorize_film(film, None, FAST, colorizer=varied_model(tmp_path), progress=stop_at(5))
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.mp4", "fake.onnx"]


@pytest.mark.slow
def test_a_job_killed_before_any_work_can_be_repeated_with_other_options(film, tmp_path):
    assert run_in_a_process(film, tmp_path / "a.color.mp4", kill_at=5).returncode == -9
    assert unfinished(film).is_dir()
    other = FilmOptions(crf=30, preset="ultrafast")
    assert colorize_film(film, None, other, colorizer=varied_model(tmp_path)).frames == 106


@pytest.mark.slow
def test_stopped_while_the_film_is_put_together(film, whole, tmp_path, short_segments):
    def stop(progress):
        told.append(progress)
        if told.count(PUT_TOGETHER) == 20:
            assert list(unfinished(film).glob("film.*"))
            raise Stop

    told = []
    with pytest.raises(Stop):
        colorize_film(film, None, FAST, colorizer=varied_model(tmp_path), progress=stop)
    assert not list(unfinished(film).glob("film.*"))
    assert not (tmp_path / "a.color.mp4").exists()
    reported = []
    output = colorize_film(film, None, FAST, colorizer=varied_model(tmp_path), progress=reported.append).output
    assert set(reported) == {PUT_TOGETHER}
    assert all_packets(output) == all_packets(whole.output)


@pytest.mark.slow
def test_killed_after_the_film_has_its_name(film, whole, tmp_path, short_segments):
    output = tmp_path / "a.color.mp4"
    with pytest.raises(Stop):
        colorize_film(film, None, FAST, colorizer=varied_model(tmp_path), progress=stop_at(106))
    (unfinished(film) / "film.mp4").write_bytes(b"the whole film")
    output.hardlink_to(unfinished(film) / "film.mp4")  # as ``publish`` does
    assert colorize_film(film, None, FAST, colorizer=varied_model(tmp_path)).frames == 106
    assert all_packets(output) == all_packets(whole.output)
    assert not unfinished(film).exists()


@pytest.mark.slow
def test_other_settings_do_not_resume_the_work(film, tmp_path, short_segments):
    with pytest.raises(Stop):
        colorize_film(film, None, FAST, colorizer=varied_model(tmp_path), progress=stop_at(60))
    for options, hints, what in (
        (FilmOptions(preset="superfast", crf=20), (), "options"),
        (FilmOptions(ColorOptions(strength=0.5), preset="superfast"), (), "options"),
        (FAST, (FilmHint(Fraction(0), Hint(0.5, 0.5, (200, 0, 0))),), "hints"),
    ):
        with pytest.raises(FilmError, match=rf"unfinished work with other settings \({what}\).*restart=True"):
            colorize_film(film, None, options, hints=hints, colorizer=varied_model(tmp_path))
    reported = []
    other = FilmOptions(preset="superfast", crf=20)
    report = colorize_film(film, None, other, colorizer=varied_model(tmp_path), restart=True, progress=reported.append)
    assert (reported[0].done, report.frames) == (1, 106)


@pytest.mark.slow
def test_a_film_that_was_changed_meanwhile_does_not_resume(film, tmp_path, short_segments):
    with pytest.raises(Stop):
        colorize_film(film, None, FAST, colorizer=varied_model(tmp_path), progress=stop_at(60))
    write_film(film, pan(50))
    with pytest.raises(FilmError, match=r"other settings \(film\)"):
        colorize_film(film, None, FAST, colorizer=varied_model(tmp_path))


@pytest.mark.slow
def test_two_jobs_on_one_output_are_refused(film, tmp_path):
    unfinished(film).mkdir()
    with FileLock(unfinished(film) / "lock"), pytest.raises(FilmError, match="another process is at work"):
        colorize_film(film, None, FAST, colorizer=varied_model(tmp_path))
    assert unfinished(film).is_dir()
    assert colorize_film(film, None, FAST, colorizer=varied_model(tmp_path)).frames == 106


@pytest.mark.skipif(sys.platform == "win32", reason="a folder with an open file cannot be renamed there")
def test_the_working_folder_is_locked_until_it_is_removed(tmp_path, monkeypatch):
    remove, removed = resume.remove_folder, []

    def watched(folder):
        with pytest.raises(Timeout), FileLock(folder / "lock", blocking=False):
            pass
        remove(folder)
        removed.append(folder)

    monkeypatch.setattr(resume, "remove_folder", watched)
    with resume.ResumeFolder(tmp_path / "a.mkv", {}) as folder:
        pass
    assert removed == [folder.folder]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_a_file_in_place_of_the_working_folder_is_not_called_a_full_disk(film, tmp_path):
    (tmp_path / "b.mp4.photochrom").write_text("mine")
    with pytest.raises(FilmError, match=r"b.mp4.photochrom: is a file, .*: move it away, or choose another output$"):
        colorize_film(film, tmp_path / "b.mp4", FAST, colorizer=varied_model(tmp_path))
    assert (tmp_path / "b.mp4.photochrom").read_text() == "mine"


@pytest.mark.slow
def test_segments_outlive_a_damaged_record_of_the_settings(film, whole, tmp_path, short_segments):
    with pytest.raises(Stop):
        colorize_film(film, None, FAST, colorizer=varied_model(tmp_path), progress=stop_at(60))
    settings = unfinished(film) / "job.json"
    before = settings.read_bytes()
    for content in (b"{", b"\xff", b"7"):
        settings.write_bytes(content)
        with pytest.raises(FilmError, match=r"job.json: is damaged, .*restart=True, which colours .* again$"):
            colorize_film(film, None, FilmOptions(preset="medium"), colorizer=varied_model(tmp_path))
    settings.unlink()
    reported = []
    with pytest.raises(Stop):
        colorize_film(film, None, FAST, colorizer=varied_model(tmp_path), progress=stop_at(70))
    assert settings.read_bytes() == before
    settings.write_bytes(before.replace(b"preset", b"prexet"))
    report = colorize_film(film, None, FAST, colorizer=varied_model(tmp_path), progress=reported.append)
    assert next(state.done for state in reported if state.done) > 1
    assert report.notes == ["job.json damaged in a.color.mp4.photochrom, and written again"]
    assert all_packets(report.output) == all_packets(whole.output)


@pytest.mark.slow
def test_settings_that_no_segment_names_need_a_restart(film, tmp_path, short_segments):
    with pytest.raises(Stop):
        colorize_film(film, None, FAST, colorizer=varied_model(tmp_path), progress=stop_at(60))
    for name in ("job.json", *(path.name for path in unfinished(film).glob("[0-9]*.json"))):
        (unfinished(film) / name).write_bytes(b"{")
    with pytest.raises(FilmError, match=r"job.json: is damaged"):
        colorize_film(film, None, FAST, colorizer=varied_model(tmp_path))
    assert colorize_film(film, None, FAST, colorizer=varied_model(tmp_path), restart=True).frames == 106


def with_a_flipped_bit(content):
    return content[:-40] + bytes([content[-40] ^ 1]) + content[-39:]


DAMAGES = [lambda content: content[:100], lambda _: b"", with_a_flipped_bit, None]
KINDS = [
    *itertools.product(["00000.nut", "00001.nut", "00002.npz", "00001.json"], DAMAGES),
    ("00001.json", lambda content: content.replace(b"packets", b"qackets")),
]


@pytest.mark.parametrize(("name", "damage"), KINDS)
@pytest.mark.slow
def test_a_damaged_segment_is_coloured_again(name, damage, film, whole, tmp_path, short_segments):
    """A missing record is that of an unfinished segment; its file is then silently written anew."""
    with pytest.raises(Stop):
        colorize_film(film, None, FAST, colorizer=varied_model(tmp_path), progress=stop_at(95))
    path = unfinished(film) / name
    if damage is None:
        path.unlink()
    else:
        path.write_bytes(damage(path.read_bytes()))
    report = colorize_film(film, None, FAST, colorizer=varied_model(tmp_path))
    note = f"segments damaged in a.color.mp4.photochrom, and coloured again: {path.stem}"
    assert report.notes == ([] if damage is None and path.suffix == ".json" else [note])
    assert all_packets(report.output) == all_packets(whole.output)


def test_a_percent_sign_in_a_name_is_not_a_pattern(tmp_path):
    assert work_folder(tmp_path / "50%.mp4") == tmp_path / "50%.mp4.photochrom"
    assert work_folder(tmp_path / "a" / "x.%04d.png") == tmp_path / "a.photochrom"


def test_the_output_does_not_exist_before_it_is_complete(film, tmp_path, short_segments):
    output = tmp_path / "a.color.mp4"
    seen = set()
    colorize_film(film, output, FAST, colorizer=varied_model(tmp_path), progress=lambda _: seen.add(output.exists()))
    assert seen == {False}
    assert len(decoded(output)) == 106


@pytest.mark.slow
def test_a_film_that_appears_meanwhile_stays(film, tmp_path):
    output = tmp_path / "a.color.mp4"

    def progress(state):
        if state.done == 100:
            output.write_bytes(b"another's")

    with pytest.raises(FilmError, match=r"appeared meanwhile.*overwrite=True"):
        colorize_film(film, output, FAST, colorizer=varied_model(tmp_path), progress=progress)
    assert output.read_bytes() == b"another's"
    reported = []
    colorize_film(film, output, FAST, colorizer=varied_model(tmp_path), overwrite=True, progress=reported.append)
    assert set(reported) == {PUT_TOGETHER}
    assert len(decoded(output)) == 106


@pytest.mark.parametrize("codec", ["ffv1", "libx264"])
@pytest.mark.slow
def test_a_full_disk_gives_a_one_line_error_and_the_job_resumes(codec, film, tmp_path, short_segments):
    """A limit on the size of files stands in for a full disk: writing fails in the same way."""
    output = tmp_path / "b.mkv"
    options = FilmOptions(codec=codec, preset="superfast")
    whole = colorize_film(film, tmp_path / "whole.mkv", options, colorizer=varied_model(tmp_path)).output
    result = run_in_a_process(film, output, options, file_size=whole.stat().st_size // 2)
    assert result.returncode == 1
    assert len(result.stderr.strip().splitlines()) == 1
    assert "b.mkv: cannot be written (File too large)" in result.stderr
    assert not output.exists()
    reported = []
    colorize_film(film, output, options, colorizer=varied_model(tmp_path), progress=reported.append)
    assert set(reported) == {PUT_TOGETHER}  # only the whole film was too large
    assert all_packets(output) == all_packets(whole)
    tiny = run_in_a_process(film, tmp_path / "c.mkv", options, file_size=4000)
    assert (tiny.returncode, len(tiny.stderr.strip().splitlines())) == (1, 1)


@pytest.mark.slow
def test_a_full_disk_in_a_segment_loses_only_that(film, tmp_path, short_segments, monkeypatch):
    from photochrom.film.output.segments import SegmentEncoder

    write, count = SegmentEncoder.write, 0

    def full(self, frame, pts):
        nonlocal count
        count += 1
        if count == 70:
            raise OSError(errno.ENOSPC, "No space left on device")
        write(self, frame, pts)

    with monkeypatch.context() as patch:
        patch.setattr(SegmentEncoder, "write", full)
        with pytest.raises(FilmError, match=r"cannot be written \(No space left on device\).*start again"):
            colorize_film(film, None, FAST, colorizer=varied_model(tmp_path))
    reported = []
    colorize_film(film, None, FAST, colorizer=varied_model(tmp_path), progress=reported.append)
    assert reported[0].done > 20


def test_a_folder_that_must_not_be_written_is_not_called_a_full_disk(film, tmp_path, monkeypatch):
    def forbidden(*_, **__):
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr("photochrom.film.job.ResumeFolder", forbidden)
    with pytest.raises(FilmError, match=r"cannot be written \(Permission denied\): ask for permission, or choose"):
        colorize_film(film, None, FAST, colorizer=varied_model(tmp_path))


@pytest.mark.slow
@pytest.mark.parametrize(("codec", "damage"), [("libx264", lambda film: spoil(film, [20])), ("ffv1", put_ahead)])
def test_damage_is_reported_also_by_the_job_that_resumes(codec, damage, tmp_path, short_segments):
    film = write_film(tmp_path / "a.mkv", pan(120), rate=Fraction(24000, 1001), codec=codec, options={"g": "12"})
    damage(film)
    whole = colorize_film(film, tmp_path / "whole.mkv", FAST, colorizer=varied_model(tmp_path))
    with pytest.raises(Stop):
        colorize_film(film, None, FAST, colorizer=varied_model(tmp_path), progress=stop_at(118))
    report = colorize_film(film, None, FAST, colorizer=varied_model(tmp_path))
    assert report.notes == whole.notes
    assert len(report.notes) == 1
    assert all_packets(report.output) == all_packets(whole.output)
