"""Kept parts: only a changed shot is coloured again, and the film equals one coloured in a single run."""

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from photochrom import Hint, ShotOptions
from photochrom.errors import FilmError, OptionError
from photochrom.film import FilmOptions, colorize_film
from photochrom.film.frames import FrameColorizer
from photochrom.film.hints import FilmHint
from photochrom.film.plan import make_plan
from photochrom.film.reader import FilmReader
from photochrom.film.shots.planning import make_shot_plan
from tests.film.test_resume import PUT_TOGETHER, run_in_a_process, write_reel
from tests.helpers.films import all_packets, decoded, other_shot, pan, plane, still_frame, write_film, write_frames
from tests.helpers.interruptions import Stop, stop_at, varied_model
from tests.helpers.sequences import write_dpx

STARTS = (Fraction(0), Fraction(31, 24), Fraction(51, 24))
RED = FilmHint(Fraction(40, 24), Hint(0.5, 0.5, (200, 0, 0)))


def options(**changes):
    return FilmOptions(codec="ffv1", keep_parts=True, **changes)


def shots(*changed, **settings):
    """Return the film's three shots, some of which have settings of their own."""
    return tuple(ShotOptions(start, **(settings if i in changed else {})) for i, start in enumerate(STARTS))


@pytest.fixture
def color(tmp_path, short_segments):
    """Return a function that colours the film with options, and returns the output and the count of coloured frames."""
    film = write_reel(tmp_path)
    model = varied_model(tmp_path)

    def work(changed, output="a.mkv", **arguments):
        told = []
        progress = arguments.pop("progress", lambda state: told.append(state))
        arguments |= {"colorizer": model, "overwrite": True, "progress": progress}
        report = colorize_film(film, tmp_path / output, changed, **arguments)
        return report.output, sum(state.done > 0 and state != PUT_TOGETHER for state in told)

    return work


def same_as_in_one_go(color, made, changed, **arguments):
    fresh, _ = color(changed, "fresh.mkv", restart=True, **arguments)
    return all_packets(made) == all_packets(fresh)


def test_a_list_of_a_longer_film_is_refused(color, tmp_path):
    longer = options(shots=(*shots(), ShotOptions(500, strength=0.3)))
    problem = r"\.mp4: shot 4 of the list: has no frame at 0:08:20.000: give a time up to"
    with pytest.raises(FilmError, match=problem) as raised:
        color(longer)
    assert raised.value.path is not None
    assert raised.value.remedy.startswith("give a time up to")
    assert not (tmp_path / "a.mkv").exists()


@pytest.mark.slow
def test_an_unchanged_film_is_not_coloured_again(color):
    first, count = color(options())
    packets = all_packets(first)
    again, count = color(options())
    assert count == 0
    assert all_packets(again) == packets


@pytest.mark.parametrize(("number", "frames"), [(0, 31), (1, 20), (2, 55)])
@pytest.mark.slow
def test_a_changed_shot_alone_is_recoloured(number, frames, color):
    color(options())
    changed = options(shots=shots(number, strength=0.3))
    made, count = color(changed)
    assert count in (frames - 1, frames)  # the film's last frame is given as the end
    assert same_as_in_one_go(color, made, changed)


@pytest.mark.slow
def test_a_new_hint_colours_its_shot(color):
    color(options())
    made, count = color(options(), hints=[RED])
    assert count <= 21
    assert same_as_in_one_go(color, made, options(), hints=[RED])
    back, count = color(options())
    assert count <= 21
    assert same_as_in_one_go(color, back, options())


@pytest.mark.slow
def test_a_hint_in_the_list_of_shots_is_the_same_as_one_beside_it(color):
    color(options(), hints=[RED])
    _, count = color(options(shots=shots(1, hints=(RED,))))
    assert count == 0


@pytest.mark.slow
def test_a_shot_that_is_cut_in_two_is_recoloured_from_there(color):
    color(options(shots=shots()))
    split = options(shots=(*shots(), ShotOptions(Fraction(70, 24))))
    made, count = color(split)
    assert count <= 56
    assert same_as_in_one_go(color, made, split)


@pytest.mark.slow
def test_stopped_while_shots_are_recoloured(color):
    color(options())
    changed = options(shots=shots(0, 2, strength=0.3))
    with pytest.raises(Stop):
        color(changed, progress=stop_at(80))
    made, count = color(changed)
    assert 0 < count < 60
    assert same_as_in_one_go(color, made, changed)


@pytest.mark.slow
def test_an_unfinished_film_resumes_with_the_same_shots_only(color):
    with pytest.raises(Stop):
        color(options(), progress=stop_at(60))
    with pytest.raises(FilmError, match=r"with other shots or hints.*restart=True"):
        color(options(shots=shots(0, strength=0.5)))
    color(options())


@pytest.mark.slow
def test_kept_parts_are_not_used_for_a_film_that_is_to_be_another(color):
    color(options())
    for other in (options(start=1), FilmOptions(codec="ffv1")):
        with pytest.raises(FilmError, match=r"kept parts with other settings .*keep_parts=True, or.*restart=True"):
            color(other)


@pytest.mark.slow
def test_a_shots_own_settings(color):
    made, _ = color(options(shots=shots(1, strength=0)))
    grey = [abs(plane(frame, 1).astype(int) - 128).max() <= 1 for frame in decoded(made)]
    assert grey == [31 <= i < 51 for i in range(106)]


@pytest.mark.slow
def test_only_some_shots_are_coloured(color):
    made, _ = color(options(only_shots=(1, 3)))
    neutral = [(plane(frame, 1) == 128).all() and (plane(frame, 2) == 128).all() for frame in decoded(made)]
    assert neutral == [31 <= i < 51 for i in range(106)]
    made, count = color(options(only_shots=(1, 2, 3)))
    assert count <= 21
    assert same_as_in_one_go(color, made, options())


def test_shots_that_the_film_does_not_have_are_reported(color):
    with pytest.raises(FilmError, match="has 3 shots, and not 9"):
        color(options(only_shots=(2, 9)))


def test_the_last_of_several_shots_that_begin_in_one_frame_counts(tmp_path):
    """The time base is one frame. Numbers of shots are those of the list, in a repeated run, too."""
    film = write_film(tmp_path / "a.avi", pan(60), codec="ffv1")
    entries = tuple(
        ShotOptions(Fraction(start), strength=i / 10) for i, start in enumerate(("0", "1.002", "1.03", "2"), 1)
    )
    listed = FilmOptions(shots=entries, only_shots=(3,))
    with FilmReader(film) as reader:
        plan = make_plan(reader, tmp_path / "b.mkv", listed)
        frames = FrameColorizer(varied_model(tmp_path), reader, plan.planes, listed)
        for known in ([], [0, 25, 48]):
            shots = make_shot_plan(frames, plan, known)
            assert [shots.options_at(pts).strength for pts in (0, 24, 25, 47, 48)] == [0.1, 0.1, 0.3, 0.3, 0.4]
            assert [pts for pts in range(60) if not shots.is_left_out(pts)] == list(range(25, 48))


def test_frames_before_the_first_shot_of_a_list_belong_to_it_in_a_repeated_run(tmp_path):
    film = write_film(tmp_path / "a.mkv", pan(30), codec="ffv1")
    listed = FilmOptions(shots=(ShotOptions(1, strength=0.5),))
    with FilmReader(film) as reader:
        plan = make_plan(reader, tmp_path / "b.mkv", listed)
        frames = FrameColorizer(varied_model(tmp_path), reader, plan.planes, listed)
        assert [make_shot_plan(frames, plan, known).options_at(0).strength for known in ([], [0])] == [0.5, 0.5]


@pytest.mark.slow
def test_shots_begin_where_the_list_says(tmp_path):
    one = FilmOptions(codec="ffv1", shots=(ShotOptions(Fraction(0)),))
    assert colorize_film(write_reel(tmp_path), tmp_path / "a.mkv", one, colorizer=varied_model(tmp_path)).shots == [0]
    again = FilmOptions(recolor="all", codec="ffv1", shots=shots())
    report = colorize_film(write_reel(tmp_path), tmp_path / "b.mkv", again, colorizer=varied_model(tmp_path))
    assert [round(float(start), 3) for start in report.shots] == [round(float(start), 3) for start in STARTS]
    with pytest.raises(OptionError, match="shot 2 begins at 1 s, not after"):
        FilmOptions(shots=(ShotOptions(Fraction(2)), ShotOptions(Fraction(1))))


@pytest.fixture
def sequence(tmp_path, short_segments):
    """Return a function that colours a sequence, and returns its frames and the number of coloured ones."""
    source = write_dpx(tmp_path / "reel", pan(31) + other_shot(20) + pan(30, top=150))
    model = varied_model(tmp_path)

    def work(changed, output="out", progress=None):
        told = []
        arguments = {"colorizer": model, "overwrite": True, "progress": progress or told.append}
        colorize_film(source, tmp_path / output, replace(changed, codec="dpx"), **arguments)
        frames = [path.read_bytes() for path in sorted((tmp_path / output).glob("*.dpx"))]
        return frames, sum(state.done > 0 for state in told)

    return work


@pytest.mark.slow
def test_frames_of_a_sequence_are_their_own_parts(sequence, tmp_path):
    """Changed and missing frames are written again, and frames left by an interrupted run are not used."""
    sequence(options())
    with pytest.raises(Stop):
        sequence(options(shots=shots(1, strength=0.5)), progress=stop_at(45))
    changed = options(shots=shots(1, strength=0))
    made, count = sequence(changed)
    assert count == 20
    assert made == sequence(changed, "fresh")[0]
    (tmp_path / "out" / "reel.0000060.dpx").unlink()
    again, count = sequence(changed)
    assert 0 < count <= 30
    assert again == made
    assert sequence(changed) == (made, 0)


@pytest.mark.parametrize("kill_at", [1, 20, 50, 90, 150])
@pytest.mark.slow
def test_killed_while_shots_are_recoloured(kill_at, color, tmp_path):
    """It is killed in the first changed shot, in the second, and while the film is muxed again."""
    before, _ = color(options())
    packets = all_packets(before)
    changed = options(shots=shots(0, 2, strength=0.3))
    done = run_in_a_process(tmp_path / "a.mp4", before, changed, kill_at=kill_at)
    assert done.returncode == -9, done.stderr
    assert all_packets(before) == packets  # the finished film stays until the new one is whole
    made, count = color(changed)
    assert count < 87
    assert same_as_in_one_go(color, made, changed)


@pytest.mark.parametrize("name", ["gray", "gray10le", "yuv420p", "rgb24", "nv12"])
def test_shots_that_are_left_out_of_a_grey_film_are_neutral(name, tmp_path):
    codec = "rawvideo" if name == "nv12" else "ffv1"
    path = tmp_path / "a.mkv"
    grey = [still_frame(luma).reformat(format=name) for luma in pan(12) + other_shot(12)]
    film = write_frames(path, grey, name="bgr0" if name == "rgb24" else name, codec=codec)
    changed = FilmOptions(codec="ffv1", only_shots=(1,), shots=(ShotOptions(0), ShotOptions(Fraction(1, 2))))
    made = colorize_film(film, None, changed, colorizer=varied_model(tmp_path)).output
    deviations = [max(np.ptp(plane(frame, i)) for i in (1, 2)) for frame in decoded(made)]
    middle = 128 if name != "gray10le" else 512
    assert min(deviations[:12]) > 2
    assert max(deviations[12:]) <= 1
    assert abs(int(plane(decoded(made)[20], 1)[0, 0]) - middle) <= 1
    if name != "rgb24":
        assert all(np.array_equal(plane(a), plane(b)) for a, b in zip(decoded(film), decoded(made), strict=True))


@pytest.mark.parametrize("recolor", ["all", "grey-shots"])
def test_shots_that_are_left_out_keep_their_colours(recolor, tmp_path):
    colours = [still_frame(luma, chroma=(90, 170)) for luma in pan(12) + other_shot(12)]
    film = write_frames(tmp_path / "a.mkv", colours, codec="ffv1")
    shots = (ShotOptions(0), ShotOptions(Fraction(1, 2)))
    changed = FilmOptions(codec="ffv1", only_shots=(1,), recolor=recolor, shots=shots)
    made = decoded(colorize_film(film, None, changed, colorizer=varied_model(tmp_path)).output)
    assert [bool((plane(frame, 1) == 90).all()) for frame in made] == [False] * 12 + [True] * 12
