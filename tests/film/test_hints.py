"""Hints of a film: given on one frame, tracked through its shot, and not beyond."""

import json
import re
import tempfile
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from skimage.color import deltaE_ciede2000, rgb2lab

from photochrom import Hint, OptionError
from photochrom.color.spaces import luma_of_rgb
from photochrom.commands.main import main
from photochrom.errors import FilmError
from photochrom.film import FilmOptions, colorize_film
from photochrom.film.colored_stills import frame_at, hints_of_still, read_still
from photochrom.film.frames import FrameColorizer
from photochrom.film.hints import FilmHint, film_hints_json, read_film_hints
from photochrom.film.plan import make_plan
from photochrom.film.reader import FilmReader
from photochrom.film.sequences.reader import open_film
from photochrom.film.times import parse_time, time_text
from photochrom.photo.formats import icc
from photochrom.photo.formats.image import at_most
from tests.helpers.films import colorizer, decoded, other_shot, pan, plane, write_film
from tests.helpers.profiles import PROFILES, gamma, grey_profile, in_srgb

LOSSLESS = FilmOptions(codec="ffv1")
RED = (200, 40, 40)
WIDTH, HEIGHT, SIDE = 160, 96, 28


def scene(count=40):
    """Return a checked square that moves over a still background, two pixels a frame, and its positions."""
    ground = pan(1, WIDTH, HEIGHT)[0] // 4 + 20
    lumas, places = [], []
    y, x = np.mgrid[:SIDE, :SIDE]
    checks = (140 + 40 * ((y // 7 + x // 7) % 2)).astype(np.uint8)
    for i in range(count):
        luma, left = ground.copy(), 8 + 2 * i
        luma[34 : 34 + SIDE, left : left + SIDE] = checks
        lumas.append(luma)
        places.append(left)
    return lumas, places


def hint_at(time, left, color=RED):
    place = (left + SIDE / 2) / WIDTH, (34 + SIDE / 2) / HEIGHT
    return FilmHint(Fraction(time), Hint(*place, color, radius=0.06))


def redness(frame, left):
    """Return Cr above neutral in the middle of the square."""
    cr = plane(frame, 2).astype(float) - 128
    return cr[20:27, (left + 8) // 2 : (left + SIDE - 8) // 2].mean()


@pytest.mark.slow
@pytest.mark.parametrize("at", [0, 20, 39])
def test_a_hint_follows_its_object(at, tmp_path, grey_colorizer):
    """It is tracked forward and backward, and not into the next shot."""
    lumas, places = scene()
    source = write_film(tmp_path / "a.mkv", lumas + other_shot(20, WIDTH, HEIGHT), codec="ffv1")
    hints = [hint_at(Fraction(at, 24), places[at])]
    report = colorize_film(source, None, LOSSLESS, hints=hints, colorizer=grey_colorizer)
    assert len(report.shots) == 2
    frames = decoded(report.output)
    for i in range(0, 40, 3):
        assert redness(frames[i], places[i]) > 12, i
    behind = plane(frames[39], 2).astype(float) - 128
    assert abs(behind[20:27, 5:15].mean()) < 5  # where it was first
    for frame in frames[40:]:
        assert np.all(plane(frame, 1) == 128)
        assert np.all(plane(frame, 2) == 128)


@pytest.mark.slow
@pytest.mark.parametrize("length", [26, 27, 28])
def test_a_time_that_is_copied_from_a_list_of_shots_is_in_that_shot(length, tmp_path, grey_colorizer):
    """Times are printed to the millisecond, and these frames begin between two milliseconds."""
    rate = Fraction(24000, 1001)
    lumas = pan(length, WIDTH, HEIGHT) + other_shot(12, WIDTH, HEIGHT)
    source = write_film(tmp_path / "a.nut", lumas, codec="ffv1", rate=rate)
    told = parse_time(time_text(length / rate))
    hints = [FilmHint(told, Hint(0.5, 0.5, RED, radius=0.2))]
    frames = decoded(colorize_film(source, None, LOSSLESS, hints=hints, colorizer=grey_colorizer).output)
    assert plane(frames[length - 1], 2).max() == 128
    assert plane(frames[length], 2).max() > 150
    part = FilmOptions(codec="ffv1", start=told)
    assert len(decoded(colorize_film(source, tmp_path / "b.nut", part, colorizer=grey_colorizer).output)) == 12
    part = FilmOptions(codec="ffv1", end=told)
    assert len(decoded(colorize_film(source, tmp_path / "c.nut", part, colorizer=grey_colorizer).output)) == length


def test_the_colour_is_the_given_one(tmp_path, grey_colorizer):
    lumas = [np.full((HEIGHT, WIDTH), 110, np.uint8)] * 6
    source = write_film(tmp_path / "a.mkv", lumas, codec="ffv1", tags=(6, 6, 6))
    hint = FilmHint(Fraction(0), Hint(0.5, 0.5, (150, 90, 60), radius=0.25))
    output = colorize_film(source, None, LOSSLESS, hints=[hint], colorizer=grey_colorizer).output
    rgb = decoded(output)[3].to_ndarray(format="rgb24")[HEIGHT // 2, WIDTH // 2]
    found, wanted = rgb2lab(rgb[None, None])[0, 0], rgb2lab(np.uint8([[[150, 90, 60]]]))[0, 0]
    assert np.abs(found[1:] - wanted[1:]).max() < 4


def test_only_photochroms_own_limit_of_pixels_applies_to_a_still(tmp_path, monkeypatch):
    Image.fromarray(np.full((64, 64, 3), 99, np.uint8)).save(tmp_path / "still.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)  # Pillow's
    assert hints_of_still(Fraction(0), tmp_path / "still.png")
    problem = r"still\.png: the still is 64 x 64 pixels, more than 0\.001"
    with at_most(1000), pytest.raises(OptionError, match=problem) as raised:
        hints_of_still(Fraction(0), tmp_path / "still.png")
    assert raised.value.remedy == "scale it down or cut it into parts"


@pytest.mark.slow
def test_a_coloured_still_colours_its_shot(tmp_path, grey_colorizer):
    lumas = pan(30, WIDTH, HEIGHT)
    source = write_film(tmp_path / "a.mkv", lumas + other_shot(20, WIDTH, HEIGHT), codec="ffv1")
    still = np.dstack([lumas[10]] * 3).astype(int)
    still[:, : WIDTH // 2] += (30, -10, -30)
    still[:, WIDTH // 2 :] += (-30, 0, 30)
    Image.fromarray(np.clip(still, 0, 255).astype(np.uint8)).save(tmp_path / "still.png")
    hints = hints_of_still(Fraction(10, 24), tmp_path / "still.png")
    report = colorize_film(source, None, LOSSLESS, hints=hints, colorizer=grey_colorizer)
    frames = decoded(report.output)
    for i in (0, 10, 29):
        cr = plane(frames[i], 2).astype(float) - 128
        assert cr[8:-8, 8:28].mean() > 4
        assert cr[8:-8, -28:-8].mean() < -4
    assert np.all(plane(frames[40], 2) == 128)


@pytest.mark.slow
@pytest.mark.parametrize("turned", [False, True])
def test_a_frame_has_just_the_colours_of_its_still(turned, tmp_path, grey_colorizer):
    """In a small film, too, a red bow tie of six pixels stays red. Nearby frames follow, but no other shot."""
    lumas = pan(18, 176, 144)
    still = np.dstack([lumas[10] // 2 + 60] * 3).astype(int)
    lumas = [luma // 2 + 60 for luma in lumas]
    still[:, :90] += (18, 0, -40)
    still[:, 90:] += (-30, 8, 30)
    still[70:76, 101:107] += (90, -40, -30)
    still = np.clip(still, 0, 255).astype(np.uint8)
    lumas[10] = luma_of_rgb(still)
    Image.fromarray(np.rot90(still) if turned else still).save(tmp_path / "still.png")
    how = {"codec": "ffv1", "tags": (6, 6, 6), "full": True, "rotation": 90 if turned else 0}
    source = write_film(tmp_path / "a.mkv", lumas + other_shot(8, 176, 144), **how)
    known = read_still(source, Fraction(10, 24), tmp_path / "still.png")
    report = colorize_film(source, None, LOSSLESS, stills=[known], colorizer=grey_colorizer)
    frames = decoded(report.output)
    wanted = rgb2lab(still)
    away = [deltaE_ciede2000(wanted, rgb2lab(frame.to_ndarray(format="rgb24"))) for frame in frames[9:12]]
    assert away[1].mean() < 1
    assert away[1][71:75, 102:106].mean() < 5
    assert plane(frames[10], 2)[36:37, 51:53].min() > 165
    assert np.abs(plane(frames[2], 1).astype(int) - 128).mean() > 4
    assert np.all(plane(frames[22], 2) == 128)


def test_a_still_is_not_mixed_with_the_prediction(tmp_path):
    lumas = [luma // 2 + 60 for luma in pan(12, WIDTH, HEIGHT)]
    source = write_film(tmp_path / "a.mkv", lumas, codec="ffv1", tags=(6, 6, 6))
    Image.fromarray(np.dstack([lumas[4]] * 3)).save(tmp_path / "still.png")  # grey
    known = read_still(source, Fraction(4, 24), tmp_path / "still.png")
    orange = colorizer(tmp_path, lambda _: (30, 40))
    frames = decoded(colorize_film(source, None, LOSSLESS, stills=[known], colorizer=orange).output)
    assert np.abs(plane(frames[4], 2).astype(int) - 128).max() <= 1


def test_a_still_of_a_negative_shows_the_positive(tmp_path, grey_colorizer):
    lumas = [luma // 2 + 60 for luma in pan(8, WIDTH, HEIGHT)]
    still = np.dstack([lumas[4]] * 3).astype(int)
    still += (30, -10, -30)
    still = np.clip(still, 0, 255).astype(np.uint8)
    lumas[4] = luma_of_rgb(still)
    Image.fromarray(still).save(tmp_path / "still.png")
    how = {"codec": "ffv1", "tags": (6, 6, 6), "full": True}
    source = write_film(tmp_path / "a.mkv", [255 - luma for luma in lumas], **how)
    options = replace(LOSSLESS, negative=True)
    with pytest.raises(OptionError, match="is not a picture of the frame"):
        read_still(source, Fraction(4, 24), tmp_path / "still.png")
    known = read_still(source, Fraction(4, 24), tmp_path / "still.png", options)
    frame = decoded(colorize_film(source, None, options, stills=[known], colorizer=grey_colorizer).output)[4]
    positive = 255 - frame.to_ndarray(format="rgb24")
    assert deltaE_ciede2000(rgb2lab(still), rgb2lab(positive)).mean() < 1


@pytest.mark.parametrize("turned", [False, True])
def test_a_still_of_a_frame_of_which_only_a_part_is_coloured(turned, tmp_path, grey_colorizer):
    lumas = [luma // 2 + 60 for luma in pan(8, 176, 144)]
    still = np.dstack([lumas[4]] * 3).astype(int)
    still[:, :90] += (18, 0, -40)
    still[:, 90:] += (-30, 8, 30)
    still = np.clip(still, 0, 255).astype(np.uint8)
    lumas[4] = luma_of_rgb(still)
    Image.fromarray(np.rot90(still) if turned else still).save(tmp_path / "still.png")
    how = {"codec": "ffv1", "tags": (6, 6, 6), "full": True, "rotation": 90 if turned else 0}
    source = write_film(tmp_path / "a.mkv", lumas, **how)
    known = read_still(source, Fraction(4, 24), tmp_path / "still.png")
    options = replace(LOSSLESS, frame=(40, 16, 128, 112))
    frame = decoded(colorize_film(source, None, options, stills=[known], colorizer=grey_colorizer).output)[4]
    inside = slice(18, 126), slice(42, 166)
    found = frame.to_ndarray(format="rgb24")
    assert deltaE_ciede2000(rgb2lab(still[inside]), rgb2lab(found[inside])).mean() < 1
    assert np.all(plane(frame, 2)[:, :20] == 128)


def test_a_hint_keeps_its_size_in_a_part_of_frames_with_wide_pixels(tmp_path, grey_colorizer):
    """The frame is shown with 192 x 64 pixels, and its part with 48 x 64."""
    source = write_film(tmp_path / "a.mkv", pan(2, 96, 64), aspect=Fraction(2))
    options = replace(LOSSLESS, frame=(0, 0, 24, 64))
    hints = [FilmHint(Fraction(0), Hint(0.125, 0.5, RED, radius=0.15))]
    with FilmReader(source) as reader:
        of_film = FrameColorizer(grey_colorizer, reader, make_plan(reader, None, options).planes, options)
        (found,) = of_film.hints_in_area(hints)
    assert (found.hint.x, found.hint.y, found.hint.radius) == pytest.approx((0.5, 0.5, 0.2))


def test_hints_outside_the_picture_are_not_in_the_label(tmp_path, grey_colorizer):
    source = write_film(tmp_path / "a.mkv", pan(2, WIDTH, HEIGHT), codec="ffv1")
    hints = [FilmHint(Fraction(0), Hint(x, 0.5, RED)) for x in (0.05, 0.5, 0.6)]
    options = replace(LOSSLESS, frame=(WIDTH // 4, 0, WIDTH // 2, HEIGHT))
    report = colorize_film(source, None, options, hints=hints, colorizer=grey_colorizer)
    assert "with 2 colours given by hand);" in comment_of(report.output)
    assert "1 hint was not used, because nothing is coloured there (0:00:00.000)" in report.notes


def comment_of(path):
    with av.open(str(path)) as container:
        return next(text for key, text in container.metadata.items() if key.lower() == "comment")


NAMED = "not used, because nothing is coloured there"


def grey_still(film, time, path):
    """Return a still that is the grey frame at a time."""
    Image.fromarray(np.dstack([frame_at(film, Fraction(time))[1]] * 3)).save(path)
    return read_still(film, Fraction(time), path)


@pytest.fixture
def two_shots(tmp_path):
    """Return a film of two shots of a second each."""
    return write_film(tmp_path / "a.mkv", pan(24, WIDTH, HEIGHT) + other_shot(24, WIDTH, HEIGHT), codec="ffv1")


def test_the_label_counts_only_the_hints_that_are_used(two_shots, grey_colorizer):
    """The second hint is tracked into the part; the others are of the other shot."""
    times = (Fraction(1, 4), Fraction(5, 4), Fraction(1, 2), Fraction(1, 2))
    hints = [FilmHint(time, Hint(0.5, 0.5, RED)) for time in times]
    options = replace(LOSSLESS, start=Fraction(3, 2), end=Fraction(2))
    report = colorize_film(two_shots, None, options, hints=hints, colorizer=grey_colorizer)
    assert "with 1 colour given by hand);" in comment_of(report.output)
    assert f"3 hints were {NAMED} (0:00:00.250, 0:00:00.500)" in report.notes


def test_a_hint_of_a_shot_that_is_left_out_is_not_used(two_shots, grey_colorizer):
    hints = [FilmHint(Fraction(time), Hint(0.5, 0.5, RED)) for time in (0, 1)]
    options = replace(LOSSLESS, only_shots=(1,))
    report = colorize_film(two_shots, None, options, hints=hints, colorizer=grey_colorizer)
    assert "with 1 colour given by hand);" in comment_of(report.output)
    assert f"1 hint was {NAMED} (0:00:01.000)" in report.notes


def test_hints_of_a_shot_that_is_finished_already_are_in_the_label(two_shots, grey_colorizer):
    first, second, changed = (
        FilmHint(Fraction(t), Hint(0.5, 0.5, c)) for t, c in ((0, RED), (1, RED), (1, (0, 0, 200)))
    )
    options = replace(LOSSLESS, keep_parts=True)
    colorize_film(two_shots, None, options, hints=[first, second], colorizer=grey_colorizer)
    report = colorize_film(two_shots, None, options, hints=[first, changed], colorizer=grey_colorizer, overwrite=True)
    assert "with 2 colours given by hand);" in comment_of(report.output)
    assert not any(NAMED in note for note in report.notes)


@pytest.mark.parametrize(
    ("times", "words"), [([1], "colours of a still"), ([0, Fraction(1, 24)], "colours of 2 stills")]
)
def test_a_still_is_not_counted_as_hints(times, words, two_shots, grey_colorizer, tmp_path):
    stills = [grey_still(two_shots, time, tmp_path / f"{number}.png") for number, time in enumerate(times)]
    hints = [FilmHint(Fraction(0), Hint(0.5, 0.5, RED))]
    report = colorize_film(two_shots, None, LOSSLESS, hints=hints, stills=stills, colorizer=grey_colorizer)
    assert f"with 1 colour given by hand and {words});" in comment_of(report.output)


@pytest.mark.parametrize("name", ["a.mkv", "a.ts"])
def test_a_still_is_of_the_frame_that_is_shown_however_long(name, tmp_path):
    """The first frame is shown for two seconds, the others for 1/25 of a second each."""
    pts = [0, *range(50, 62)]
    source = write_film(tmp_path / name, pan(13, WIDTH, HEIGHT), rate=25, pts=pts)
    with FilmReader(source) as reader:
        known = [frame.pts for frame in reader.frames()]
    for time, number in ((0, 0), (1, 0), (1.99, 0), (2, 1), (2.05, 2), (2.47, 12)):
        found, luma, _ = frame_at(source, Fraction(time).limit_denominator(1000))
        assert (found, luma.shape) == (known[number], (HEIGHT, WIDTH))
    with pytest.raises(FilmError, match=r"has no frame at 0:00:50.000: give a time up to 0:00:02.440"):
        frame_at(source, Fraction(50))


def test_a_still_that_is_given_twice_counts_once(two_shots, grey_colorizer, tmp_path):
    """The second time is that of the same frame."""
    stills = [grey_still(two_shots, time, tmp_path / "still.png") for time in (0, Fraction(1, 50))]
    report = colorize_film(two_shots, None, LOSSLESS, stills=stills, colorizer=grey_colorizer)
    assert "with colours of a still);" in comment_of(report.output)
    assert len(report.hint_spans) == 1


def test_two_different_stills_of_a_frame_are_named(two_shots, grey_colorizer, tmp_path):
    frame = np.dstack([frame_at(two_shots, Fraction(0))[1]] * 3)
    paths = [tmp_path / "grey.png", tmp_path / "red.png"]
    for path, red in zip(paths, (0, 40), strict=True):
        Image.fromarray(np.clip(frame + np.array([red, 0, 0]), 0, 255).astype(np.uint8)).save(path)
    stills = [read_still(two_shots, Fraction(0), path) for path in paths]
    told = f"{paths[0]} and {paths[1]} are of the same frame, with different colours: leave one of them out"
    with pytest.raises(OptionError, match=re.escape(told)):
        colorize_film(two_shots, None, LOSSLESS, stills=stills, colorizer=grey_colorizer)
    unnamed = [replace(still, path=None) for still in stills]
    with pytest.raises(OptionError, match=r"^two stills are of the same frame"):
        colorize_film(two_shots, None, LOSSLESS, stills=unnamed, colorizer=grey_colorizer)
    arguments = [f"--still={time}={path}" for time, path in zip((0, 0.02), paths, strict=True)]
    assert main(["film", str(two_shots), *arguments, "--preview"]) == 2
    assert not two_shots.with_suffix(".preview.png").exists()


def test_a_still_outside_the_part_is_not_used(two_shots, grey_colorizer, tmp_path):
    still = grey_still(two_shots, 0, tmp_path / "still.png")
    options = replace(LOSSLESS, start=Fraction(3, 2))
    report = colorize_film(two_shots, None, options, stills=[still], colorizer=grey_colorizer)
    assert "with " not in comment_of(report.output)
    assert f"1 still was {NAMED} (0:00:00.000)" in report.notes


def test_a_still_may_be_of_a_numbered_frame(tmp_path):
    (tmp_path / "reel").mkdir()
    lumas = pan(6, WIDTH, HEIGHT)
    for number, luma in enumerate(lumas, 86_400):
        Image.fromarray(luma).save(tmp_path / "reel" / f"r.{number}.png")
    Image.fromarray(np.dstack([lumas[2]] * 3)).save(tmp_path / "still.png")
    known = read_still(tmp_path / "reel", Fraction(2, 12), tmp_path / "still.png", FilmOptions(rate="12"))
    with open_film(tmp_path / "reel", FilmOptions(rate="12")) as reader:
        assert known.pts == [frame.pts for frame in reader.frames()][2]


@pytest.mark.parametrize("name", sorted(PROFILES))
@pytest.mark.parametrize("frames_have_it", [False, True])
def test_the_colours_of_a_still_are_those_of_its_profile(frames_have_it, name, tmp_path):
    """If the frames have the same profile, the coloured frames will have it, too, and the numbers are kept."""
    luma, profile = pan(1, WIDTH, HEIGHT)[0], PROFILES[name]
    still = np.clip(np.dstack([luma] * 3).astype(int) // 2 + (90, 60, 40), 0, 255).astype(np.uint8)
    Image.fromarray(still).save(tmp_path / "still.png", icc_profile=profile)
    (tmp_path / "reel").mkdir()
    Image.fromarray(luma).convert("RGB").save(
        tmp_path / "reel" / "r.1.png", icc_profile=profile if frames_have_it else None
    )
    known = read_still(tmp_path / "reel", Fraction(0), tmp_path / "still.png")
    wanted = rgb2lab((still if frames_have_it else in_srgb(still, name)) / 255)
    assert np.abs(np.moveaxis(known.ab, 0, -1) - wanted[..., 1:]).max() < 2
    assert np.abs(rgb2lab(still)[..., 1:] - rgb2lab(in_srgb(still, name) / 255)[..., 1:]).mean() > 2


def test_a_still_may_have_the_grey_profile_of_the_frames_as_rgb(tmp_path):
    """``photochrom photo`` gives a frame such a profile; its numbers are those of the coloured frames."""
    luma, grey = pan(1, WIDTH, HEIGHT)[0], grey_profile({b"kTRC": gamma(1.8)})
    still = np.clip(np.dstack([luma] * 3).astype(int) // 2 + (90, 60, 40), 0, 255).astype(np.uint8)
    Image.fromarray(still).save(tmp_path / "still.png", icc_profile=icc.for_rgb(grey))
    (tmp_path / "reel").mkdir()
    Image.fromarray(luma).save(tmp_path / "reel" / "r.1.png", icc_profile=grey)
    known = read_still(tmp_path / "reel", Fraction(0), tmp_path / "still.png")
    assert np.abs(np.moveaxis(known.ab, 0, -1) - rgb2lab(still)[..., 1:]).max() < 0.1


def test_a_still_of_another_frame_is_refused(tmp_path):
    lumas = pan(12, WIDTH, HEIGHT) + other_shot(12, WIDTH, HEIGHT)
    source = write_film(tmp_path / "a.mkv", lumas, codec="ffv1")
    still = tmp_path / "still.png"
    Image.fromarray(np.dstack([np.clip(lumas[18] * 0.8 + 30, 0, 255).astype(np.uint8)] * 3)).save(still)  # brightened
    assert hints_of_still(Fraction(18, 24), still, frame_at(source, Fraction(18, 24))[1])
    with pytest.raises(OptionError, match=r"still\.png: is not a picture of the frame at 0\.25 s: check the time"):
        hints_of_still(Fraction(6, 24), still, frame_at(source, Fraction(6, 24))[1])


def test_a_still_that_is_a_narrow_strip_gets_no_more_hints_than_its_grid(tmp_path):
    noise = np.random.default_rng(1).integers(0, 256, (24, 159, 3)).astype(np.uint8)
    Image.fromarray(noise).save(tmp_path / "strip.png")
    assert len(hints_of_still(Fraction(0), tmp_path / "strip.png")) == 8 * 53


def test_small_things_of_a_still_get_hints_of_their_own(tmp_path):
    still = np.full((144, 176, 3), 110, np.uint8)
    still[60:68, 101:109] = (170, 40, 40)  # a bow tie between the places of the coarse grid
    Image.fromarray(still).save(tmp_path / "still.png")
    hints = [hint.hint for hint in hints_of_still(Fraction(0), tmp_path / "still.png")]
    assert any(hint.color[0] > hint.color[1] + 60 for hint in hints)
    assert len(hints) < 120  # the plain background needs no more


def test_a_still_is_read_upright(tmp_path):
    """Cameras and scanners may store it rotated."""
    still = Image.fromarray(np.repeat(np.uint8([[RED, (40, 40, 200)]]), 30, axis=1).repeat(90, axis=0))
    lying = Image.Exif()
    lying[0x0112] = 6
    still.rotate(90, expand=True).save(tmp_path / "lying.png", exif=lying)
    still.save(tmp_path / "upright.png")
    lying, upright = (hints_of_still(Fraction(0), tmp_path / name) for name in ("lying.png", "upright.png"))
    assert lying == upright
    assert {hint.hint.color == RED for hint in upright if hint.hint.x < 0.5} == {True}


@pytest.mark.parametrize("damage", [b"", b"IDAT", b"\0\1\2\3"])
def test_a_still_that_is_damaged_is_named(damage, tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, (300, 300, 3), np.uint8)
    Image.fromarray(noise).save(tmp_path / "still.png")
    whole = (tmp_path / "still.png").read_bytes()
    second = whole.index(b"IDAT", whole.index(b"IDAT") + 4)
    (tmp_path / "still.png").write_bytes(whole[:second] + damage + whole[second + 4 :] if damage else whole[:second])
    if damage == b"IDAT":
        assert hints_of_still(Fraction(0), tmp_path / "still.png")
        return
    with pytest.raises(OptionError, match=r"still\.png: the still cannot be read"):
        hints_of_still(Fraction(0), tmp_path / "still.png")


@pytest.mark.slow
def test_a_hint_between_two_frames_belongs_to_the_one_still_shown(tmp_path, grey_colorizer):
    """The last frame of the first shot is shown for two seconds, and a hint during them belongs to that shot."""
    lumas = pan(20, WIDTH, HEIGHT) + other_shot(20, WIDTH, HEIGHT)
    pts = [*range(20), *range(67, 87)]
    source = write_film(tmp_path / "a.mkv", lumas, codec="ffv1", pts=pts)
    hint = FilmHint(Fraction(2), Hint(0.5, 0.5, RED, radius=0.2))
    report = colorize_film(source, None, LOSSLESS, hints=[hint], colorizer=grey_colorizer)
    assert len(report.shots) == 2
    frames = decoded(report.output)
    assert plane(frames[19], 2).max() > 140
    assert all(np.all(plane(frame, 2) == 128) for frame in frames[20:])


def test_hints_reach_a_part_of_the_film_too(tmp_path, grey_colorizer):
    """Times count from the film's beginning even if only a part is coloured, and a hint before the part counts."""
    lumas, places = scene()
    source = write_film(tmp_path / "a.mkv", lumas, codec="ffv1")
    options = FilmOptions(codec="ffv1", start=Fraction(1), end=Fraction(3, 2))
    hints = [hint_at(Fraction(1, 4), places[6])]
    output = colorize_film(source, None, options, hints=hints, colorizer=grey_colorizer).output
    frames = decoded(output)
    assert len(frames) == 12
    assert redness(frames[5], places[29]) > 12


@pytest.mark.slow
def test_a_hint_behind_the_end_is_an_error(tmp_path, grey_colorizer):
    source = write_film(tmp_path / "a.mkv", pan(24, WIDTH, HEIGHT), codec="ffv1")
    with pytest.raises(FilmError, match=r"no frame at 0:00:05.000, the time of a hint"):
        colorize_film(source, None, LOSSLESS, hints=[hint_at(5, 20)], colorizer=grey_colorizer)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.mkv", "fake.onnx"]
    colorize_film(source, None, LOSSLESS, hints=[hint_at(Fraction(23, 24), 20)], colorizer=grey_colorizer)


def test_the_label_counts_the_hints(tmp_path, grey_colorizer):
    source = write_film(tmp_path / "a.mp4", pan(6, WIDTH, HEIGHT))
    suggested = FilmHint(Fraction(0), Hint(0.2, 0.2, RED, suggested=True))
    hints = [hint_at(0, 20), hint_at(0, 60), suggested]
    output = colorize_film(source, None, FilmOptions(), hints=hints, colorizer=grey_colorizer).output
    assert "with 2 colours given by hand and 1 colour suggested by the model" in comment_of(output)


def hints_file(folder, facts):
    path = folder / "hints.json"
    path.write_text(facts if isinstance(facts, str) else json.dumps(facts))
    return path


def entries(*changes):
    entry = {"time": 12.5, "x": 0.42, "y": 0.31, "color": "#7a2b22"}
    return {"photochrom": "film hints", "version": 1, "hints": [entry | change for change in changes]}


def test_a_file_of_hints_is_read(tmp_path):
    path = hints_file(tmp_path, entries({}, {"time": 3, "radius": 0.05, "suggested": True}))
    assert read_film_hints(path) == (
        FilmHint(Fraction(25, 2), Hint(0.42, 0.31, (122, 43, 34))),
        FilmHint(Fraction(3), Hint(0.42, 0.31, (122, 43, 34), 0.05, True)),
    )


def test_times_of_a_file_are_exact(tmp_path):
    """A float cannot equal a twenty-fourth of a second, so times are rounded to millionths."""
    path = hints_file(tmp_path, entries({"time": 1001 / 24000}, {"time": 0.1}))
    first, second = (hint.time for hint in read_film_hints(path))
    assert first == Fraction(1001, 24000)
    assert second == Fraction(1, 10)


@pytest.mark.slow
@given(
    st.lists(
        st.builds(
            FilmHint,
            st.builds(Fraction, st.integers(0, 10**6), st.sampled_from([1, 25, 1000, 24000, 90000])),
            st.builds(
                Hint,
                st.floats(0, 1),
                st.floats(0, 1),
                st.tuples(*[st.integers(0, 255)] * 3),
                st.floats(0.01, 0.25),
                st.booleans(),
            ),
        ),
        max_size=5,
    )
)
def test_a_file_that_was_written_is_read_as_it_was(hints):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "hints.json"
        path.write_text(film_hints_json(hints))
        assert read_film_hints(path) == tuple(hints)


@pytest.mark.parametrize(
    ("facts", "match"),
    [
        ("", "is not a file of hints"),
        ("[" * 100_000, "is not a file of hints"),
        ([], "write .photochrom."),
        ({"photochrom": "hints", "version": 1, "hints": []}, "holds the hints of a photograph"),
        ({"photochrom": "film hints", "version": 2, "hints": []}, "write .photochrom."),
        ({"photochrom": "film hints", "version": 1}, "has no list"),
        (entries({"time": None}), "hint 1: the time is None"),
        (entries({}, {"time": "0:10"}), "hint 2: the time is '0:10'"),
        (entries({"time": True}), "hint 1: the time is True"),
        (entries({"time": -1}), "time is -1"),
        (entries({"x": 2}), "hint 1: a hint's x is 2"),
        (json.dumps(entries({"time": 7})).replace("7,", "1" + "0" * 400 + ","), "the time is inf"),
        (json.dumps(entries({"time": 7})).replace("7,", "NaN,"), "the time is nan"),
        ('{"photochrom": "film hints", "version": 1, "hints": [{"x": 0, "y": 0, "color": "#000000"}]}', "time is None"),
    ],
)
def test_errors_in_a_file_of_hints_are_reported(facts, match, tmp_path):
    path = hints_file(tmp_path, facts)
    with pytest.raises(OptionError, match=match) as caught:
        read_film_hints(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_files_that_are_not_there(tmp_path):
    with pytest.raises(OptionError, match=r"cannot be read.*check the path"):
        read_film_hints(tmp_path / "none.json")
    with pytest.raises(OptionError, match="the still cannot be read"):
        hints_of_still(Fraction(0), tmp_path / "none.png")
    (tmp_path / "text.png").write_text("no picture")
    with pytest.raises(OptionError, match="the still cannot be read"):
        hints_of_still(Fraction(0), tmp_path / "text.png")


def test_a_still_becomes_a_grid_of_hints(tmp_path):
    Image.new("RGB", (160, 80), (10, 200, 30)).save(tmp_path / "a.png")
    hints = hints_of_still(Fraction(3), tmp_path / "a.png")
    assert len(hints) == 16 * 8
    assert {hint.hint.color for hint in hints} == {(10, 200, 30)}
    assert {hint.time for hint in hints} == {3}
    assert (hints[0].hint.x, hints[0].hint.y) == (1 / 32, 1 / 16)
