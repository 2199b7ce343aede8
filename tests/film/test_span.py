"""A part of a film has its own subtitles and time code."""

from fractions import Fraction

import av
import pytest
from hypothesis import given
from hypothesis import strategies as st

from photochrom.film import FilmOptions, colorize_film
from photochrom.film.source.time_code import add_frames
from tests.film.test_time_code import stated
from tests.helpers.films import decoded, pan, write_film

NTSC = Fraction(30000, 1001)


@pytest.mark.parametrize(
    ("timecode", "frames", "rate", "expected"),
    [
        ("01:00:00:00", 0, Fraction(24), "01:00:00:00"),
        ("01:00:00:00", 25 * 90 + 3, Fraction(25), "01:01:30:03"),
        ("00:00:59:23", 1, Fraction(24000, 1001), "00:01:00:00"),
        ("23:59:59:23", 1, Fraction(24), "00:00:00:00"),
        ("00:00:59:29", 1, NTSC, "00:01:00:00"),
        ("00:00:59;29", 1, NTSC, "00:01:00;02"),
        ("00:09:59;29", 1, NTSC, "00:10:00;00"),
        ("00:00:00;00", 107892, NTSC, "01:00:00;00"),
        ("00:00:59;59", 1, Fraction(60000, 1001), "00:01:00;04"),
        ("whenever", 1, NTSC, None),
    ],
)
def test_later_time_codes(timecode, frames, rate, expected):
    assert add_frames(timecode, frames, rate) == expected


@given(st.integers(0, 20 * 107892), st.integers(0, 4 * 107892), st.sampled_from(":;"))
def test_time_codes_add_up(first, second, mark):
    zero = f"00:00:00{mark}00"
    there = add_frames(add_frames(zero, first, NTSC), second, NTSC)
    assert there == add_frames(zero, first + second, NTSC)


@given(st.integers(0, 23 * 107892))
def test_time_code_with_numbers_left_out_keeps_to_the_clock(frames):
    hours, minutes, rest = add_frames("00:00:00;00", frames, NTSC).split(":")
    seconds, frame = rest.split(";")
    shown = 3600 * int(hours) + 60 * int(minutes) + int(seconds) + int(frame) / 30
    assert abs(shown - float(frames / NTSC)) < 0.2  # it is off most at the end of a tenth minute, and late in the day


@pytest.mark.slow
@pytest.mark.parametrize("end", ["mp4", "mov", "mkv"])
def test_a_part_has_its_own_time_code(end, tmp_path, fake_colorizer):
    source = write_film(tmp_path / f"a.{end}", pan(60), video_metadata={"timecode": "01:00:00:00"})
    options = FilmOptions(preset="ultrafast", start=Fraction(3, 2))
    part = colorize_film(source, tmp_path / f"b.{end}", options, colorizer=fake_colorizer).output
    assert len(decoded(part)) == 24
    assert stated(part)[0] == {"01:00:01:12"}


@pytest.mark.parametrize(("end", "codec"), [("mp4", "mov_text"), ("mkv", "subrip")])
def test_a_title_that_is_on_the_screen_is_cut_to_the_part(end, codec, tmp_path, fake_colorizer):
    """The titles last from 0.1 to 0.4 and from 0.5 to 0.8 seconds."""
    source = write_film(tmp_path / f"a.{end}", pan(36), titles=codec)
    options = FilmOptions(preset="ultrafast", start=Fraction(1, 4), end=Fraction(3, 4))
    part = colorize_film(source, tmp_path / f"b.{end}", options, colorizer=fake_colorizer).output
    with av.open(str(part)) as film:
        found = [packet for packet in film.demux(subtitles=0) if packet.size > 2]
        shown = [(packet.pts * packet.time_base, packet.duration * packet.time_base) for packet in found]
    assert all(bytes(p).endswith(text) for p, text in zip(found, (b"Who goes there?", b"A friend."), strict=True))
    assert shown == [(0, Fraction(15, 100)), (Fraction(1, 4), Fraction(1, 4))]
