"""Files of shots: JSON, CSV and edit decision lists, written and read."""

import itertools
from fractions import Fraction

import pytest

from photochrom import ColorOptions, FilmHint, Hint, OptionError, ShotOptions, read_shots
from photochrom.film.shots.detection import Shot
from photochrom.film.shots.edl import Clock, read_edl, write_edl
from photochrom.film.shots.options import shots_csv, shots_json, with_settings

RATE = Fraction(24000, 1001)
FACTS = '{"photochrom": "film shots", "version": 1, "shots": [%s]}'
BOUNDS = (0, 100, 250, 1000)
SHOTS = [Shot(a / RATE, b / RATE, b - a) for a, b in itertools.pairwise(BOUNDS)]
OWN = (
    ShotOptions(0),
    ShotOptions(100 / RATE, 0.25, 1.5, (FilmHint(Fraction(5), Hint(0.25, 0.5, (1, 2, 3))),)),
    ShotOptions(
        250 / RATE,
        strength=0,
        hints=(
            FilmHint(Fraction(12), Hint(0.1, 0.2, (4, 5, 6), 0.125)),
            FilmHint(Fraction(13), Hint(0.3, 0.4, (7, 8, 9), suggested=True)),
            FilmHint(Fraction(14), Hint(0.5, 0.6, (10, 11, 12), 0.25, suggested=True)),
        ),
    ),
)


@pytest.mark.parametrize(("write", "suffix"), [(shots_json, ".json"), (shots_csv, ".csv")])
def test_written_lists_can_be_read(write, suffix, tmp_path):
    (tmp_path / f"shots{suffix}").write_text(write(with_settings(SHOTS, OWN)))
    found = read_shots(tmp_path / f"shots{suffix}")
    assert [(s.vividness, s.strength, s.hints) for s in found] == [(s.vividness, s.strength, s.hints) for s in OWN]
    assert all(abs(a.start - b.start) < Fraction(1, 1999) for a, b in zip(found, OWN, strict=True))


def test_csv_of_a_spreadsheet_that_writes_commas_in_numbers(tmp_path):
    (tmp_path / "a.csv").write_text("\ufeffstart;strength;vividness\r\n0;0,5;\r\n0:01:30.5;;0,25\r\n", encoding="utf-8")
    assert read_shots(tmp_path / "a.csv") == (ShotOptions(0, strength=0.5), ShotOptions(Fraction(181, 2), 0.25))


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("a.json", "{}", '"film shots"'),
        ("a.json", FACTS % "", "holds no shot"),
        ("a.json", FACTS % "{}", "shot 1 has no start"),
        ("a.json", FACTS % '{"start": 1}, {"start": 1}', "shot 2 begins"),
        ("a.json", FACTS % '{"start": 0, "strength": 3}', "shot 1: strength"),
        ("a.json", FACTS % '{"start": "x"}', "shot 1: a shot's start is 'x'"),
        ("a.csv", "number,end\n1,2\n", "no column named start"),
        ("a.csv", 'start,hints\n0,"0:09@0.5,0.5,red"\n5,\n', "shot 1 has a hint at 9 s, which lies in shot 2: list it"),
        ("a.csv", 'start,hints\n0,"0:05@0.5,0.5,red"\n5,\n', "shot 1 has a hint at 5 s, which lies in shot 2: list it"),
        ("a.csv", 'start,hints\n0,\n5,"0:04.9@0.5,0.5,red"\n', "shot 2 has a hint at 4.9 s, which lies in shot 1"),
        ("a.csv", "start,strength\n0,much\n", "shot 1: strength is 'much': give a number such as 0.8"),
        ("a.csv", "start,strength\n0,0,5\n", "shot 1 has more cells than there are columns"),
        ("a.csv", "start,Strength\n0,0.5\n", "has 'Strength', which would not be read: write strength"),
        ("a.json", FACTS % '{"start": 0, "strenght": 0.5}', "has 'strenght', which would not be read: write strength"),
        ("a.json", FACTS % '{"start": 0, "strength": true}', "shot 1: strength is True"),
        ("a.csv", "start,hints\n0,red\n", "'red' is not a hint"),
        ("a.csv", "number,start\n1\n", "shot 1: '' is not a time"),
        ("a.csv", "start\n" + "9" * 5000, "shot 1: '999"),
        ("a.csv", "start,hints\n0,1@\n", "shot 1: '' is not a hint"),
        ("a.csv", 'start,hints\n0,"0@0.5,0.5,red,big"\n', "shot 1: a hint's radius is 'big': give a number"),
        ("a.csv", 'start,hints\n0,"0@0.5,0.5,red,0.1,0.2"\n', "is not a hint: write TIME@X,Y,COLOR"),
        ("a.json", "{", "is not a list of shots"),
        ("a.csv", "", "no column named start"),
        ("a.csv", "start\n", "holds no shot"),
        ("none.csv", None, "cannot be read"),
        ("none.json", None, "the list of shots cannot be read"),
    ],
)
def test_bad_input_is_named(name, text, said, tmp_path):
    if text is not None:
        (tmp_path / name).write_text(text)
    with pytest.raises(OptionError) as error:
        read_shots(tmp_path / name)
    assert said in str(error.value)
    assert str(error.value).startswith(f"{tmp_path / name}: ")


def test_a_listed_shot_keeps_the_settings_of_the_entry_that_begins_in_its_first_frame():
    """Frames are 1/24 s apart; the last entry that begins in a frame counts."""
    entries = [ShotOptions(Fraction(start), strength=i / 10) for i, start in enumerate(("0", "1.002", "1.03", "2"), 1)]
    found = [Shot(Fraction(a, 24), Fraction(b, 24), b - a) for a, b in ((0, 25), (25, 48), (48, 60))]
    assert [own.strength for _, own in with_settings(found, entries)] == [0.1, 0.3, 0.4]
    assert [own.strength for _, own in with_settings(found[1:], entries)] == [0.3, 0.4]
    assert [own for _, own in with_settings(found[1:2], ())] == [ShotOptions(Fraction(25, 24))]


@pytest.mark.parametrize("time", [float("nan"), float("inf"), 10**400, -1, True, "1", None])
def test_a_time_that_is_not_a_number_of_seconds_is_refused(time):
    with pytest.raises(OptionError, match=r"a shot's start is .*: give seconds"):
        ShotOptions(time)
    with pytest.raises(OptionError, match=r"a hint's time is .*: give seconds"):
        FilmHint(time, Hint(0.5, 0.5, (1, 2, 3)))


def test_emptied_rows_and_columns_of_ones_own_are_passed_over(tmp_path):
    (tmp_path / "a.csv").write_text("start,strength,remarks\n0,,\n,,\n2,0.5,too red\n")
    assert [(shot.start, shot.strength) for shot in read_shots(tmp_path / "a.csv")] == [(0, None), (2, 0.5)]


def test_a_shot_without_settings_looks_like_the_film():
    film = ColorOptions(vividness=0.75, strength=0.5)
    assert ShotOptions(0).color(film) == film
    assert ShotOptions(0, strength=2).color(film) == ColorOptions(vividness=0.75, strength=2)


@pytest.mark.parametrize("first", [None, "01:00:00:00", "00:59:58;12", "00:00:58;12"])  # the last drops two numbers
def test_an_edl_is_read_as_it_was_written(first, tmp_path):
    clock = Clock(Fraction(30000, 1001) if first and ";" in first else RATE, first)
    shots = [Shot(a / clock.rate, b / clock.rate, b - a) for a, b in itertools.pairwise(BOUNDS)]
    text = write_edl(shots, clock, "Reel no. 1")
    (tmp_path / "a.edl").write_text(text)
    assert [shot.start for shot in read_edl(tmp_path / "a.edl", clock)] == [
        pytest.approx(s.start, abs=1e-6) for s in shots
    ]
    assert text.startswith("TITLE: Reel no. 1\nFCM: " + ("DROP FRAME" if first and ";" in first else "NON-DROP FRAME"))


@pytest.mark.parametrize("hours", [1, 2.5])
def test_an_edl_of_a_part_is_read_as_it_was_written(hours, tmp_path):
    """A film without time code does not begin at the full hour before the part."""
    clock = Clock(Fraction(25), None)
    begins = round(hours * 3600)
    text = write_edl([Shot(Fraction(begins + i), Fraction(begins + i + 1), 25) for i in range(3)], clock, "Reel")
    (tmp_path / "a.edl").write_text(text)
    assert [shot.start for shot in read_edl(tmp_path / "a.edl", clock)] == [begins, begins + 1, begins + 2]
    # A copy of the film with a time code decides for itself.
    assert read_edl(tmp_path / "a.edl", Clock(clock.rate, "01:00:00:00"))[0].start == begins - 3600


@pytest.mark.parametrize(("rate", "first"), [(Fraction(25), "23:59:59:00"), (Fraction(30000, 1001), "23:59:59;00")])
def test_an_edl_is_read_as_it_was_written_when_time_codes_start_over_at_midnight(rate, first, tmp_path):
    clock = Clock(rate, first)
    shots = [Shot(begins / rate, (begins + 10) / rate, 10) for begins in (0, 10, 30, 100_000)]
    (tmp_path / "a.edl").write_text(write_edl(shots, clock, "Reel"))
    assert [shot.start for shot in read_edl(tmp_path / "a.edl", clock)] == [shot.start for shot in shots]


@pytest.mark.parametrize(("first", "hour"), [(None, "01"), (None, "00"), ("01:00:00;00", "01")])
@pytest.mark.parametrize("sign", [":", ";"])
def test_a_drop_frame_list_counts_so_even_if_it_writes_colons(sign, first, hour, tmp_path):
    """Frame 1800 is 00:01:00;02 and frame 17982 is 00:10:00;00 (SMPTE ST 12-1)."""
    codes = [f"{hour}:{code[:5]}{sign}{code[5:]}" for code in ("00:0000", "01:0002", "10:0000", "10:0400")]
    events = [f"{n:03}  AX  V  C  {a} {b} {a} {b}" for n, (a, b) in enumerate(itertools.pairwise(codes), 1)]
    (tmp_path / "a.edl").write_text("\n".join(["TITLE: a", "FCM: DROP FRAME", *events]))
    rate = Fraction(30000, 1001)
    found = [shot.start * rate for shot in read_edl(tmp_path / "a.edl", Clock(rate, first))]
    assert found == [0, 1800, 17982]
    text = (tmp_path / "a.edl").read_text().replace("FCM: DROP", "FCM: NON-DROP").replace(";", ":")
    (tmp_path / "a.edl").write_text(text)
    plain = f"{hour}:00:00:00" if first else None
    assert [shot.start * rate for shot in read_edl(tmp_path / "a.edl", Clock(rate, plain))] == [0, 1802, 18000]


def test_colons_are_those_of_a_film_that_drops_no_frames(tmp_path):
    (tmp_path / "a.edl").write_text("FCM: DROP FRAME\n001  AX  V  C  00:00:00:00 00:00:01:00 01:01:00:02 01:01:01:02\n")
    found = read_edl(tmp_path / "a.edl", Clock(Fraction(30000, 1001), "01:00:00:00"))
    assert found[0].start * Fraction(30000, 1001) == 1802


def test_an_edl_of_an_editing_system(tmp_path):
    """It has sound, comments, a dissolve, and a timeline that begins at one hour."""
    (tmp_path / "a.edl").write_text(
        "TITLE: CUT 3\r\nFCM: NON-DROP FRAME\r\n\r\n"
        "001  TAPE1    V     C        10:00:00:00 10:00:02:00 01:00:00:00 01:00:02:00\r\n"
        "* FROM CLIP NAME: A.MOV\r\n"
        "002  TAPE1    AA    C        10:00:00:00 10:00:09:00 01:00:00:00 01:00:09:00\r\n"
        "003  TAPE2    V     C        11:00:00:00 11:00:00:00 01:00:02:00 01:00:02:00\r\n"
        "003  TAPE3    V     D    012 12:00:00:00 12:00:03:00 01:00:02:00 01:00:05:00\r\n"
        "004  BL       B     C        00:00:00:00 00:00:01:12 01:00:05:00 01:00:06:12\r\n"
    )
    found = read_edl(tmp_path / "a.edl", Clock(Fraction(24), None))
    assert [shot.start for shot in found] == [0, 2, 5]
    with pytest.raises(OptionError, match="begins before the film"):
        read_edl(tmp_path / "a.edl", Clock(Fraction(24), "02:00:00:00"))
    (tmp_path / "a.edl").write_text("nothing")
    with pytest.raises(OptionError, match="has no event with a picture"):
        read_edl(tmp_path / "a.edl", Clock(Fraction(24), None))
