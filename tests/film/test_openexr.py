"""Frames in OpenEXR: exact luminance in half and float, other channels and headers kept, errors for wrong files."""

from fractions import Fraction

import av
import numpy as np
import pytest

from photochrom.color.coding import Coding
from photochrom.color.spaces import BT601, linear_to_srgb, srgb_to_linear
from photochrom.errors import FilmError
from photochrom.film import FilmOptions, colorize_film
from photochrom.film.sequences import exr
from tests.helpers.films import pan
from tests.helpers.sequences import write_dpx

OpenEXR = pytest.importorskip("OpenEXR", reason="needs OpenEXR: pip install 'photochrom[exr]'")

REC709 = (0.2126, 0.7152, 0.0722)
NOTE = "the frames are scene-linear; the network sees them through the sRGB curve"


def light(number=0, dtype=np.float16):
    """Return the linear light of a frame, up to eight times a display's white."""
    found = srgb_to_linear(pan(number + 1, 96, 64)[number].astype(np.float32) / 255)
    found[:8] *= 8
    return found.astype(dtype)


def write(folder, channels, header=None, number=1):
    folder.mkdir(exist_ok=True)
    head = {"compression": OpenEXR.ZIP_COMPRESSION, "type": OpenEXR.scanlineimage} | (header or {})
    OpenEXR.File(head, channels).write(str(folder / f"reel.{number:07}.exr"))
    return folder


def read(report, number=1):
    path = report.output.parent / f"reel.{number:07}.exr"
    return OpenEXR.File(str(path), separate_channels=True)


def planes(file):
    return {name: channel.pixels for name, channel in file.channels().items()}


def luminance(found, weights=REC709):
    return sum(weight * found[name].astype(np.float64) for weight, name in zip(weights, "RGB", strict=True))


@pytest.mark.parametrize("dtype", [np.float16, np.float32])
@pytest.mark.parametrize("names", ["RGB", "Y"])
def test_the_luminance_is_the_sources_own(names, dtype, tmp_path, red):
    folder = tmp_path / "reel"
    for number in range(2):
        write(folder, {name: light(number, dtype) for name in names}, number=number + 1)
    report = colorize_film(folder, None, FilmOptions(rate=18), colorizer=red)
    for number in range(2):
        found = planes(read(report, number + 1))
        assert set(found) == set("RGB")
        assert found["R"].dtype == dtype
        assert np.array_equal(luminance(found).astype(dtype), light(number, dtype))
    middle = {name: plane[20:50].mean(dtype=float) for name, plane in found.items()}
    assert middle["R"] > 1.3 * middle["B"]
    assert report.notes == [NOTE]


def test_random_colours_keep_random_luminance(tmp_path):
    rng = np.random.default_rng(1)
    source = np.exp(rng.normal(-2, 3, (64, 64))).astype(np.float16)
    folder = write(tmp_path / "reel", {"Y": source})
    y = rng.integers(0, 65536, (3, 64, 64)).astype(np.uint16)
    data = exr.colored(folder / "reel.0000001.exr", tuple(y), Coding(16, True, BT601), "label")
    (tmp_path / "new.exr").write_bytes(data)
    found = planes(OpenEXR.File(str(tmp_path / "new.exr"), separate_channels=True))
    assert np.array_equal(luminance(found).astype(np.float16), source)
    assert min(plane.min() for plane in found.values()) >= 0
    grey = (found["R"] == found["G"]) & (found["G"] == found["B"])
    assert grey.mean() < 0.2  # most of these colours are beyond any display, and still few of them lose their chroma


def test_values_outside_the_range_of_light_stay(tmp_path, red):
    odd = light()
    odd[30, 10:15] = (np.nan, np.inf, -np.inf, -0.25, 0)
    folder = write(tmp_path / "reel", dict.fromkeys("RGB", odd))
    found = planes(read(colorize_film(folder, None, colorizer=red)))
    for plane in found.values():
        assert np.array_equal(plane[30, 10:15], odd[30, 10:15], equal_nan=True)
    assert np.array_equal(luminance(found).astype(np.float16)[31:], odd[31:])


def test_other_channels_and_the_header_are_kept(tmp_path, red):
    matte, depth = light() > 0.5, light(dtype=np.float32)
    channels = dict.fromkeys("RGB", light()) | {
        "A": matte.astype(np.float16),
        "Z": depth,
        "id": matte.astype(np.uint32),
    }
    header = {
        "dataWindow": (np.array([10, 20], np.int32), np.array([105, 83], np.int32)),
        "displayWindow": (np.array([0, 0], np.int32), np.array([127, 99], np.int32)),
        "framesPerSecond": Fraction(18), "reelName": "reel 3", "owner": "archive", "comments": "scanned",
        "timeCode": OpenEXR.TimeCode(1, 2, 3, 4, *[0] * 14), "exposure": 2.5, "compression": OpenEXR.PIZ_COMPRESSION,
    }  # fmt: skip
    report = colorize_film(write(tmp_path / "reel", channels, header), None, colorizer=red)
    new = read(report)
    for name, plane in (("A", matte), ("Z", depth), ("id", matte)):
        assert np.array_equal(planes(new)[name], plane)
    ours, theirs = new.header(), read_source(tmp_path).header()
    assert ours.pop("comments").startswith("scanned Colours added by software (photochrom")
    theirs.pop("comments")
    assert str(ours) == str(theirs)
    assert report.notes == [NOTE]


def read_source(tmp_path):
    return OpenEXR.File(str(tmp_path / "reel" / "reel.0000001.exr"), separate_channels=True)


def test_chroma_that_is_replaced_is_named(tmp_path, red):
    report = colorize_film(
        write(tmp_path / "reel", {"Y": light(), "RY": 0 * light(), "BY": 0 * light()}), colorizer=red
    )
    assert report.notes[2:] == [f"not kept: the channel {name}, which the new colours replace" for name in ("RY", "BY")]
    assert set(planes(read(report))) == set("RGB")


def test_time_code_and_rate_reach_a_film_of_the_picture_as_shown(tmp_path, red):
    folder = tmp_path / "reel"
    for number in (1, 2, 4):
        code = OpenEXR.TimeCode(1, 0, 0, number, *[0] * 14)
        write(folder, {"Y": light()}, {"framesPerSecond": Fraction(24), "timeCode": code}, number)
    options = FilmOptions(codec="prores", bits=10, fill_gaps=True)
    report = colorize_film(folder, tmp_path / "a.mov", options, colorizer=red)
    with av.open(str(report.output)) as film:
        assert film.streams.video[0].metadata["timecode"] == "01:00:00:01"
        assert film.streams.video[0].average_rate == 24
        shown = next(film.decode(video=0)).to_ndarray(format="gray")
    wanted = pan(1, 96, 64)[0]
    assert np.abs(shown[20:40, :90].astype(float) - wanted[20:40, :90]).mean() < 3
    frames = colorize_film(folder, None, FilmOptions(fill_gaps=True), colorizer=red)
    code = read(frames, 3).header()["timeCode"]
    assert (code.hours, code.minutes, code.seconds, code.frame) == (1, 0, 0, 3)  # of the frame that was filled in


def windows(left, top, width, height):
    """Return header fields: a display window of 80 x 72 pixels at 0,0, and a data window."""
    last = np.array([left + width - 1, top + height - 1], np.int32)
    return {
        "dataWindow": (np.array([left, top], np.int32), last),
        "displayWindow": (np.array([0, 0], np.int32), np.array([79, 71], np.int32)),
    }


def test_frames_are_read_at_their_display_window(tmp_path, red):
    """One data window is partly outside it, one lies inside it, and one has no pixel in it."""
    shown = np.zeros((3, 72, 80), np.float32)
    for number, window in enumerate([(-8, 4, 96, 64), (10, 20, 30, 40), (200, 0, 5, 5)]):
        left, top, width, height = window
        plane = np.ascontiguousarray(light(number, np.float32)[:height, :width])
        folder = write(tmp_path / "reel", {"Y": plane}, windows(*window), number + 1)
        canvas = np.zeros((300, 400), np.float32)
        canvas[100 + top : 100 + top + height, 100 + left : 100 + left + width] = plane
        shown[number] = canvas[100:172, 100:180]
    report = colorize_film(folder, tmp_path / "a.mkv", FilmOptions(codec="ffv1"), colorizer=red)
    assert "not kept: the pixels outside the display window" in report.notes
    with av.open(str(report.output)) as film:
        frames = [np.frombuffer(f.planes[0], np.uint16).reshape(f.height, -1)[:, :80] for f in film.decode(video=0)]
    wanted = np.rint(linear_to_srgb(np.clip(shown, 0, 1)) * 65535)
    assert np.array_equal(frames, wanted)


def test_pixels_outside_the_display_window_are_coloured_in_openexr(tmp_path, red):
    source = light(dtype=np.float32)
    folder = write(tmp_path / "reel", {"Y": source}, windows(-8, 4, 96, 64))
    report = colorize_film(folder, None, colorizer=red)
    said = "pixels outside the display window get the colours of the nearest pixel inside it"
    assert report.notes[1:] == [NOTE, said]
    found = planes(read(report))
    assert np.array_equal(luminance(found).astype(np.float32), source)
    red, blue = (found[name][10:50] for name in "RB")
    assert red[:, 3] * blue[:, 8] == pytest.approx(red[:, 8] * blue[:, 3], rel=1e-3)
    assert (red[:, :8] > 1.1 * blue[:, :8]).mean() > 0.9


def test_a_display_window_that_is_too_large_is_an_error(tmp_path, red):
    huge = {"displayWindow": (np.array([0, 0], np.int32), np.array([99_999, 99_999], np.int32))}
    folder = write(tmp_path / "reel", {"Y": light()}, windows(0, 0, 96, 64) | huge)
    with pytest.raises(FilmError, match=r"reel.0000001.exr: shows 100000 x 100000 pixels, more than FFmpeg supports"):
        colorize_film(folder, None, colorizer=red)


@pytest.mark.parametrize(("name", "codec"), [(None, "exr"), ("f.%04d.exr", "auto")])
def test_films_that_are_not_linear_do_not_become_openexr(name, codec, tmp_path, red):
    folder = write_dpx(tmp_path / "scan", pan(1), 10)
    with pytest.raises(FilmError, match=r"is not scene-linear, which OpenEXR stores: choose codec=\"tiff\""):
        colorize_film(folder, name and tmp_path / name, FilmOptions(codec=codec), colorizer=red)


@pytest.mark.parametrize(
    ("channels", "said"),
    [
        ({"Z": light()}, "has no channels R, G and B, nor Y, in its first part: convert it to DPX or TIFF"),
        ({"Y": light()[:, :90]}, "has 90 x 64 pixels, and the first frame has 96 x 64: move frames of each kind to"),
        ({"Y": light(), "A": light()}, "has the channels A, Y, and the first frame has the channels Y"),
    ],
)
def test_frames_that_do_not_fit_are_named_before_any_work(channels, said, tmp_path, red):
    folder = write(tmp_path / "reel", {"Y": light()})
    write(folder, channels, number=2)
    with pytest.raises(FilmError, match=rf"reel.0000002.exr: {said}"):
        colorize_film(folder, None, colorizer=red)
    assert not (tmp_path / "reel.color").exists()


def test_damaged_files_are_named(tmp_path, red):
    folder = write(tmp_path / "reel", {"Y": light()})
    whole = (folder / "reel.0000001.exr").read_bytes()
    (folder / "reel.0000002.exr").write_bytes(whole[: len(whole) // 2])
    (folder / "reel.0000003.exr").write_bytes(whole)
    with pytest.raises(FilmError, match=r"reel.0000002.exr: cannot be decoded \(.*\): replace the file"):
        colorize_film(folder, None, colorizer=red)


def test_without_the_library_the_error_names_it(tmp_path, red, monkeypatch):
    folder = write(tmp_path / "reel", {"Y": light()})
    monkeypatch.setitem(__import__("sys").modules, "OpenEXR", None)
    with pytest.raises(FilmError, match=r"needs OpenEXR: pip install 'photochrom\[exr\]'"):
        colorize_film(folder, None, colorizer=red)


def test_attributes_and_channels_that_another_format_cannot_hold_are_named(tmp_path, red):
    channels = {**dict.fromkeys("RGB", light()), "A": light(), "depth.Z": light(dtype=np.float32)}
    folder = write(tmp_path / "reel", channels, {"owner": "archive", "framesPerSecond": Fraction(24)})
    report = colorize_film(folder, tmp_path / "a.mkv", FilmOptions(codec="ffv1"), colorizer=red)
    note = "not kept: metadata of the frames (attribute owner, channel A, channel depth.Z)"
    assert [line for line in report.notes if line.startswith("not kept")] == [note]


AP0 = (0.7347, 0.2653, 0.0, 1.0, 0.0001, -0.077, 0.32168, 0.33767)  # ACES 2065-1
OF_AP0 = (0.3439664498, 0.7281660966, -0.0721325464)  # as the ACES standard states its luminance
AP0_FROM_REC709 = np.array(  # with Bradford adaptation, as in the ACES reference implementation's sRGB transform
    [[0.4396, 0.3830, 0.1774], [0.0898, 0.8134, 0.0968], [0.0175, 0.1116, 0.8709]]
)


@pytest.mark.parametrize("dtype", [np.float16, np.float32])
def test_colours_are_in_the_primaries_of_the_file(dtype, tmp_path, red):
    plain = write(tmp_path / "plain", dict.fromkeys("RGB", light(dtype=dtype)))
    aces = write(tmp_path / "aces", dict.fromkeys("RGB", light(dtype=dtype)), {"chromaticities": AP0})
    old = planes(read(colorize_film(plain, colorizer=red)))
    found = read(colorize_film(aces, colorizer=red))
    assert found.header()["chromaticities"] == pytest.approx(AP0)
    new = planes(found)
    assert np.array_equal(luminance(new, OF_AP0).astype(dtype), light(dtype=dtype))
    wanted = np.tensordot(AP0_FROM_REC709, np.stack([old[name][20:].astype(float) for name in "RGB"]), 1)
    found = np.stack([new[name][20:].astype(float) for name in "RGB"])
    assert np.abs(found / found[1] - wanted / wanted[1]).max() < 0.02  # half rounds red, so that the luminance is exact
    whole = colorize_film(aces, tmp_path / "again", FilmOptions(recolor="all"), colorizer=red)
    assert np.array_equal(luminance(planes(read(whole)), OF_AP0).astype(dtype), light(dtype=dtype))


def test_a_frame_in_other_primaries_is_displayed_in_those_of_srgb(tmp_path):
    rgb = np.random.default_rng(1).uniform(0.05, 0.9, (3, 32, 32))
    rgb[:, :16] = rgb[0, :16]
    stored = np.tensordot(AP0_FROM_REC709, rgb, 1).astype(np.float32)
    stored[:, :16] = rgb[0, :16]
    folder = write(tmp_path / "aces", dict(zip("RGB", stored, strict=True)), {"chromaticities": AP0})
    shown = exr.read_displayed(folder / "reel.0000001.exr").to_ndarray() / 65535
    assert np.abs(srgb_to_linear(shown) - np.moveaxis(rgb, 0, -1)).max() < 0.002
    assert np.array_equal(shown[:16, :, 0], shown[:16, :, 1])


def test_chromaticities_that_are_not_colours_are_refused(tmp_path, red):
    folder = write(tmp_path / "reel", dict.fromkeys("RGB", light()), {"chromaticities": (0.0,) * 8})
    with pytest.raises(FilmError, match=r"reel.0000001.exr: states chromaticities that are not those of three colours"):
        colorize_film(folder, colorizer=red)


@pytest.mark.parametrize("names", ["RGB", "Y"])
def test_whole_numbers_are_refused_instead_of_staying_grey(names, tmp_path, red):
    folder = write(tmp_path / "reel", dict.fromkeys(names, (light(dtype=np.float32) * 65535).astype(np.uint32)))
    with pytest.raises(FilmError, match=r"reel.0000001.exr: holds whole numbers \(UINT\), not half or float"):
        colorize_film(folder, colorizer=red)


@pytest.mark.parametrize("name", ["PXR24", "B44", "B44A", "DWAA", "DWAB"])
@pytest.mark.parametrize("dtype", [np.float16, np.float32])
def test_lossy_compression_becomes_lossless_so_that_the_luminance_is_kept(name, dtype, tmp_path, red):
    lossy = getattr(OpenEXR, f"{name}_COMPRESSION")
    parts = [
        OpenEXR.Part({"compression": lossy}, dict.fromkeys("RGB", light(dtype=dtype)), "beauty"),
        OpenEXR.Part({"compression": lossy}, {"Z": light(dtype=dtype)}, "depth"),
    ]
    (tmp_path / "reel").mkdir()
    OpenEXR.File(parts).write(str(tmp_path / "reel" / "reel.0000001.exr"))
    source = read_source(tmp_path)
    report = colorize_film(tmp_path / "reel", colorizer=red)
    found = read(report)
    wanted = source.channels()["G"].pixels
    assert np.array_equal(luminance(planes(found)).astype(dtype), wanted)
    assert [part.name() if callable(part.name) else part.name for part in found.parts] == ["beauty", "depth"]
    assert np.array_equal(found.channels(1)["Z"].pixels, source.channels(1)["Z"].pixels)
    assert report.notes[2:] == [f"lossy compression ({name}) becomes PIZ, which keeps the luma"]


def test_the_shape_of_pixels_reaches_a_film(tmp_path, red):
    folder = write(tmp_path / "reel", {"Y": light()}, {"pixelAspectRatio": 1.3333334})
    report = colorize_film(folder, tmp_path / "a.mov", FilmOptions(codec="prores", bits=10), colorizer=red)
    with av.open(str(report.output)) as film:
        assert film.streams.video[0].sample_aspect_ratio == Fraction(4, 3)
