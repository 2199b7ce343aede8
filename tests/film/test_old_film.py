"""Old film from the scanner: picture area, negatives, intertitles, pulldown, unusual rates, flicker."""

from fractions import Fraction

import cv2
import numpy as np
import pytest

from photochrom import Hint
from photochrom.errors import FilmError, OptionError
from photochrom.film import FilmOptions, colorize_film
from photochrom.film.frame_kinds.picture_area import parse_area, picture_area
from photochrom.film.hints import FilmHint
from photochrom.film.reader import FilmReader
from photochrom.film.shots import titles
from photochrom.film.source.negatives import is_surely_negative, score
from photochrom.film.source.pulldown import has_pulldown, note
from photochrom.film.span import Span
from tests.helpers.films import (
    colorizer,
    decoded,
    in_fields,
    other_shot,
    pan,
    plane,
    same_lumas,
    seconds,
    still_frame,
    with_chroma,
    write_film,
    write_frames,
)

LOSSLESS = {"codec": "ffv1"}


@pytest.fixture
def by_lightness(tmp_path):
    """Return orange for light pixels and blue for dark ones."""
    return colorizer(tmp_path, lambda lightness: (60 * (lightness - 0.5), 80 * (lightness - 0.5)))


@pytest.fixture
def orange(tmp_path):
    return colorizer(tmp_path, lambda _: (30, 40))


def made(source, output, options, model, **arguments):
    return colorize_film(source, output, options, colorizer=model, **arguments)


def title(text="Next morning", weave=0, ground=24, size=(180, 240)):
    luma = np.full(size, ground, np.uint8)
    for row, line in enumerate((text, "at the old mill", "by the river")):
        cv2.putText(luma, line, (28 + weave, 60 + 30 * row), cv2.FONT_HERSHEY_COMPLEX, 0.7, 220, 1, cv2.LINE_AA)
    noise = np.random.default_rng(weave).normal(0, 3, size)
    return np.clip(luma + noise, 0, 255).astype(np.uint8)


# The picture in the frame


@pytest.mark.parametrize("name", ["yuv420p", "gray", "yuv422p10le"])
def test_only_the_picture_is_coloured(name, tmp_path, orange):
    film = write_film(tmp_path / "a.mkv", pan(3), name=name, codec="ffv1")
    report = made(film, tmp_path / "b.mkv", FilmOptions(**LOSSLESS, frame=(17, 6, 61, 50)), orange)
    for frame in decoded(report.output):
        cb, cr = plane(frame, 1), plane(frame, 2)
        neutral = 1 << (frame.format.components[0].bits - 1)
        down = plane(frame).shape[0] // cb.shape[0]
        inside = np.zeros(cb.shape, bool)
        first = 8 if down == 2 else 6  # a sample of chroma of each field
        inside[first // down : 56 // down, 18 // 2 : 78 // 2] = True
        assert (cb[~inside] == neutral).all()
        assert (cr[~inside] == neutral).all()
        assert (cr[inside] > neutral).all()
    if name == "yuv420p":
        assert same_lumas(film, report.output)


def test_pixels_around_the_picture_are_ignored(tmp_path, by_lightness):
    """The same picture gets the same colours, whatever surrounds it."""
    lumas = pan(3, 96, 64)
    white, black = ([np.pad(luma, ((0, 0), (32, 0)), constant_values=v) for luma in lumas] for v in (255, 0))
    results = []
    for name, frames, area in (("w", white, (32, 0, 96, 64)), ("b", black, (32, 0, 96, 64)), ("p", lumas, None)):
        film = write_film(tmp_path / f"{name}.mkv", frames, codec="ffv1")
        report = made(film, tmp_path / f"{name}.color.mkv", FilmOptions(**LOSSLESS, frame=area), by_lightness)
        results.append([plane(frame, 2)[:, -48:] for frame in decoded(report.output)])
    assert np.array_equal(results[0], results[1])
    assert np.array_equal(results[0], results[2])


def test_hints_are_at_places_of_the_whole_frame(tmp_path):
    model = colorizer(tmp_path, lambda _: (0, 0))
    film = write_film(tmp_path / "a.mkv", pan(3, 128, 64), codec="ffv1")
    hints = [
        FilmHint(Fraction(0), Hint(0.75, 0.5, (200, 0, 0), 0.1)),
        FilmHint(Fraction(0), Hint(0.1, 0.5, (0, 0, 200))),
    ]
    report = made(film, tmp_path / "b.mkv", FilmOptions(**LOSSLESS, frame=(64, 0, 64, 64)), model, hints=hints)
    cr = plane(decoded(report.output)[0], 2).astype(int) - 128
    row, column = np.unravel_index(cr.argmax(), cr.shape)
    assert cr[row, column] > 30
    assert abs(row - 16) < 3
    assert abs(column - 48) < 3  # in the middle of the picture, which is the right half
    assert not cr[:, :32].any()


@pytest.mark.parametrize(
    ("turns", "box"), [(0, (0.5, 0.25, 1, 0.5)), (1, (0.5, 0.5, 0.75, 1)), (2, (0, 0.5, 0.5, 0.75))]
)
def test_the_upright_area_of_turned_film(turns, box):
    found = picture_area((25, 50, 25, 50), (100, 100), (1, 1), turns=turns).box
    assert (found.top, found.left, found.bottom, found.right) == box


@pytest.mark.parametrize("area", [(90, 0, 20, 64), (0, 0, 96, 65), (0, 0, 8, 64)])
def test_a_picture_that_is_not_in_the_frame(area, tmp_path, orange):
    film = write_film(tmp_path / "a.mkv", pan(2), codec="ffv1")
    with pytest.raises(FilmError, match=r"frames of 96 x 64: name a part of the frame"):
        made(film, tmp_path / "b.mkv", FilmOptions(frame=area), orange)


@pytest.mark.parametrize("text", ["1,2,3", "1,2,3,x", "-1,0,5,5", ""])
def test_invalid_places(text):
    with pytest.raises(OptionError, match="write X,Y,W,H"):
        parse_area(text)
    with pytest.raises(OptionError, match="give left, top, width and height"):
        FilmOptions(frame=(0, 0, 0, 4))


def left_third(_, index, shape, high=170, low=90):
    """Return chroma for two colours, one above the other, in the left third of the picture."""
    chroma = np.full(shape, 128.0)
    chroma[: shape[0] // 2, : shape[1] // 3] = high if index == 1 else low
    chroma[shape[0] // 2 :, : shape[1] // 3] = low if index == 1 else high
    return chroma


@pytest.mark.parametrize("name", ["yuv420p", "bgr0"])
def test_colours_around_the_picture_do_not_count(name, tmp_path, orange):
    frames = [frame.reformat(format=name) for frame in with_chroma(pan(16, top=130), left_third)]
    film = write_frames(tmp_path / "a.mkv", frames, name=name, codec="ffv1", options={"g": "1"})
    for recolor, notes in ((False, []), ("grey-shots", ["no shot is in colour: all of them were coloured"])):
        options = FilmOptions(**LOSSLESS, recolor=recolor, frame=(32, 0, 64, 64))
        report = made(film, tmp_path / f"{recolor}.mkv", options, orange)
        assert report.notes == notes
        assert plane(decoded(report.output)[0], 2)[20:, -16:].mean() > 130
    with pytest.raises(FilmError, match="in colour already"):
        made(film, tmp_path / "c.mkv", FilmOptions(**LOSSLESS, frame=(0, 0, 48, 64)), orange)


# Negatives


@pytest.mark.parametrize("name", ["yuv420p", "yuv444p", "gray10le"])
def test_a_negative_inverted_is_the_coloured_positive(name, tmp_path, by_lightness):
    lumas = pan(3)
    positive = write_film(tmp_path / "p.mkv", lumas, name=name, codec="ffv1", full=True)
    negative = write_film(tmp_path / "n.mkv", [255 - luma for luma in lumas], name=name, codec="ffv1", full=True)
    one = made(positive, tmp_path / "p.color.mkv", FilmOptions(**LOSSLESS, negative=False), by_lightness)
    other = made(negative, tmp_path / "n.color.mkv", FilmOptions(**LOSSLESS, negative=True), by_lightness)
    assert same_lumas(negative, other.output) or name != "yuv420p"
    for a, b in zip(decoded(one.output), decoded(other.output), strict=True):
        scale = 1 << (a.format.components[0].bits - 8)
        for index in (1, 2):
            sums = (plane(a, index).astype(int) + plane(b, index)) / scale
            assert abs(sums - 256).max() <= 3
            assert np.ptp(plane(a, index)) > 20 * scale


def scan_of_negative(count=24):
    """Return a mostly dark scene, inverted, with clear film around it."""
    rows, columns = np.mgrid[0:96, 0:128]
    texture = np.random.default_rng(4).normal(0, 1, (96, 128))
    scene = 150 * np.exp(-(((rows - 25) / 30) ** 2) - ((columns - 64) / 40) ** 2) + 25
    scene += texture * np.interp(scene, (25, 150), (12, 2))
    positive = np.clip(np.pad(scene, ((16, 16), (20, 20)), constant_values=16), 16, 235)
    return [255 - positive.astype(np.uint8) for _ in range(count)]


@pytest.mark.slow
def test_a_film_that_is_surely_a_negative_is_refused(tmp_path, orange):
    film = write_film(tmp_path / "n.mkv", scan_of_negative(), codec="ffv1", full=True, options={"g": "1"})
    with pytest.raises(FilmError, match=r"is a negative, since the film around its pictures is clear.*negative=True"):
        made(film, tmp_path / "b.mkv", FilmOptions(**LOSSLESS), orange)
    for negative in (True, False):
        made(film, tmp_path / f"{negative}.mkv", FilmOptions(**LOSSLESS, negative=negative), orange)
    positive = [255 - luma for luma in scan_of_negative()]
    film = write_film(tmp_path / "p.mkv", positive, codec="ffv1", full=True, options={"g": "1"})
    made(film, tmp_path / "p.color.mkv", FilmOptions(**LOSSLESS), orange)


def test_one_sign_of_a_negative_is_not_enough():
    negative = scan_of_negative(1)[0]
    assert is_surely_negative([negative] * 4)
    assert not is_surely_negative([negative] * 3)
    assert not is_surely_negative([negative[20:-20, 24:-24]] * 8)  # no clear film is seen
    positive_on_white = np.pad(255 - negative[20:-20, 24:-24], 16, constant_values=240)
    assert not is_surely_negative([positive_on_white] * 8)
    assert is_surely_negative([np.pad(negative, 40, constant_values=5)] * 4)  # the scanner's gate is black
    assert not is_surely_negative([np.pad(positive_on_white, 40, constant_values=5)] * 8)
    perforated = np.pad(negative, ((0, 0), (24, 0)), constant_values=int(negative[0, 0]))
    perforated.reshape(4, 32, -1)[:, 8:20, 6:18] = 255
    assert is_surely_negative([perforated] * 4)
    assert not is_surely_negative([255 - perforated] * 4)
    assert score(negative) == pytest.approx(-score(255 - negative), abs=0.05)


# Intertitles


def test_titles_are_distinguished_from_pictures():
    assert titles.letters(title()) is not None
    assert titles.letters(title(ground=60)) is not None
    for picture in (pan(1, 240, 180)[0], other_shot(1, 240, 180)[0], 255 - title()):
        assert titles.letters(picture) is None
    lamp = np.full((180, 240), 20, np.uint8)
    cv2.circle(lamp, (120, 90), 30, 230, -1)
    assert titles.letters(lamp) is None


@pytest.mark.parametrize("tint", [None, pytest.param((120, 150), marks=pytest.mark.slow)])
def test_titles_stay_as_they_are(tint, tmp_path, orange):
    cards = [title(weave=i % 2) for i in range(10)]
    frames = [*pan(10, 240, 180), *cards, *other_shot(10, 240, 180)]
    film = write_frames(tmp_path / "a.mkv", [still_frame(f, "yuv420p", tint) for f in frames], codec="ffv1", rate=18)
    options = FilmOptions(**LOSSLESS, recolor="all", keep_titles=True)
    report = made(film, tmp_path / "b.mkv", options, orange)
    assert "1 of 3 shots is a title, left unchanged" in report.notes
    kept = [(plane(frame, 1) == (tint or (128, 128))[0]).all() for frame in decoded(report.output)]
    assert kept == [10 <= i < 20 for i in range(30)]


def test_titles_of_a_film_without_chroma_stay_neutral(tmp_path, orange):
    film = write_film(tmp_path / "a.mkv", [title() for _ in range(8)], name="gray", codec="ffv1")
    frames = decoded(made(film, tmp_path / "b.mkv", FilmOptions(**LOSSLESS, keep_titles=True), orange).output)
    assert all((plane(frame, i) == 128).all() for frame in frames for i in (1, 2))


def test_letters_that_move_are_not_a_title():
    still = [titles.letters(title(weave=i % 2)) for i in range(6)]
    moving = [titles.letters(title(weave=7 * i)) for i in range(6)]
    assert titles._is_title(still)
    assert not titles._is_title(moving)
    assert not titles._is_title([still[0], None, None, None])
    assert not titles._is_title([])


# Pulldown and rates


def telecined(lumas, order=0):
    """Return four film frames in five video frames: AA, BB, BC, CD, DD."""
    frames = []
    for start in range(0, len(lumas) - 3, 4):
        a, b, c, d = lumas[start : start + 4]
        for first, second in ((a, a), (b, b), (b, c), (c, d), (d, d)):
            frame = first.copy()
            frame[1 - order :: 2] = second[1 - order :: 2]
            frames.append(frame)
    return frames


@pytest.mark.slow
@pytest.mark.parametrize("order", ["tff", "bff"])
def test_pulldown_is_detected_and_reported(order, tmp_path, orange):
    lumas = telecined(pan(32, step=2), order == "bff")
    frames = in_fields([still_frame(luma) for luma in lumas], order)
    film = write_frames(tmp_path / "a.mkv", frames, codec="ffv1", rate=Fraction(30000, 1001))
    report = made(film, tmp_path / "b.mkv", FilmOptions(**LOSSLESS), orange)
    assert any(note.startswith("3:2 pulldown: 23.976 frames of film per second in 29.970") for note in report.notes)
    assert same_lumas(film, report.output)


def test_pulldown_is_detected_through_grain_and_not_in_other_films():
    rng = np.random.default_rng(2)

    def seen(lumas):
        grain = (np.clip(luma + rng.normal(0, 1.5, luma.shape), 0, 255).astype(np.uint8) for luma in lumas)
        return has_pulldown(still_frame(luma) for luma in grain)

    assert seen(telecined(pan(64, step=2)))
    assert not seen(pan(64, step=2))
    assert not seen([luma for luma in pan(16, step=3) for _ in range(4)])
    assert not seen([luma for i, luma in enumerate(pan(48, step=2)) for _ in range(1 + (i % 4 == 3))])
    assert not seen([pan(1)[0]] * 64)


def test_the_search_for_pulldown_ends_after_four_seconds_of_moving_pictures():
    def seen(lumas):
        rest = map(still_frame, lumas)
        return has_pulldown(rest), sum(1 for _ in rest)

    moving, still = pan(150, step=1), [pan(1)[0]] * 120
    assert seen(moving) == (False, 29)
    assert seen([*moving[:90], *telecined(moving[90:], order=1)])[0]
    assert seen([*still, *telecined(moving)])[0]


@pytest.mark.parametrize(("codec", "options"), [("ffv1", {}), ("libx264", {"g": "60", "bf": "2"})])
def test_pulldown_that_begins_later_is_reported_with_its_place(codec, options, tmp_path):
    lumas = [*pan(180), *telecined(other_shot(240))]
    film = write_film(tmp_path / "a.mkv", lumas, codec=codec, options=options, rate=Fraction(30000, 1001))
    with FilmReader(film) as reader:
        at_4_seconds = reader.pts_at(Fraction(4))
        whole = note(reader, reader.first_pts, Span(Fraction(0), None, is_part=False), len(lumas))
        part = note(reader, at_4_seconds, Span(Fraction(4), Fraction(6), is_part=True), 60)
    assert whole.startswith("3:2 pulldown at 0:00:1")
    assert part == ""


def test_a_part_is_searched_for_pulldown_up_to_its_end(tmp_path):
    film = write_film(tmp_path / "a.mkv", [*pan(31), *telecined(other_shot(64))], codec="ffv1", rate=30)
    with FilmReader(film) as reader:
        assert note(reader, 0, Span(Fraction(0), None, is_part=False), 95)
        assert not note(reader, 0, Span(Fraction(0), Fraction(1), is_part=True), 30)


def test_a_rate_given_for_a_film_that_has_one_is_said_to_be_unused(tmp_path, orange):
    film = write_film(tmp_path / "a.mov", pan(8), rate=25)
    report = made(film, tmp_path / "b.mov", FilmOptions(rate=18), orange)
    assert report.notes == [
        "the film keeps its own 25 frames a second, since a rate is for numbered frames and raw streams without one"
    ]


@pytest.mark.parametrize("rate", [16, 18, Fraction(50, 3), 20])
def test_slow_film_keeps_its_times(rate, tmp_path, orange):
    film = write_film(tmp_path / "a.mov", pan(12), rate=rate)
    report = made(film, tmp_path / "b.mov", FilmOptions(), orange)
    assert seconds(report.output) == seconds(film)
