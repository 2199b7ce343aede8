"""JPEG frames: their coded luma is kept, metadata as in photographs, and what JPEG cannot keep is named or refused."""

from fractions import Fraction

import av
import numpy as np
import pytest
from PIL import Image, ImageCms
from simplejpeg import decode_jpeg, decode_jpeg_header

from photochrom.errors import FilmError
from photochrom.film import FilmOptions, colorize_film
from photochrom.film.sequences.reader import open_film
from tests.film.test_sequences import files
from tests.helpers.films import decoded, pan, plane
from tests.helpers.sequences import luma_of, write_dpx

PROFILE = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
RATE = FilmOptions(rate=24)


def write_scans(folder, mode="L", count=3, *, suffix=".jpg", orientation=1, dpi=(2400, 2400), **how):
    folder.mkdir()
    block = Image.Exif()
    block[0x010E], block[0x0112] = "On the beach", orientation
    for i, luma in enumerate(pan(count, 98, 65)):
        picture = Image.fromarray(luma).convert("RGB").convert(mode)
        picture.save(folder / f"scan{i:04}{suffix}", quality=90, dpi=dpi, exif=block, **how)
    return folder


def coded_luma(path):
    return decode_jpeg(path.read_bytes(), "GRAY")[..., 0]


@pytest.mark.parametrize(
    ("mode", "how", "sampling"),
    [
        ("L", {}, "420"),
        ("L", {"progressive": True}, "420"),
        ("RGB", {}, "420"),
        ("RGB", {"subsampling": "4:2:2"}, "422"),
        ("RGB", {"subsampling": "4:4:4"}, "444"),
        ("L", {"restart_marker_blocks": 4}, "444"),
    ],
)
def test_the_coded_luma_is_kept(mode, how, sampling, tmp_path, red):
    if mode == "RGB":
        pytest.importorskip("jpeglib")
    folder = write_scans(tmp_path / "reel", mode, icc_profile=PROFILE if mode == "RGB" else None, **how)
    report = colorize_film(folder, None, RATE, colorizer=red)
    assert report.notes == []
    assert [path.name for path in files(report)] == [f"scan{i:04}.jpg" for i in range(3)]
    for path in files(report):
        assert np.array_equal(coded_luma(path), coded_luma(folder / path.name))
        assert decode_jpeg_header(path.read_bytes())[2:] == ("YCbCr", sampling)
        with Image.open(path) as picture:
            assert picture.info["dpi"] == (2400, 2400)
            assert picture.getexif()[0x010E] == "On the beach"
            assert picture.info.get("icc_profile") == (PROFILE if mode == "RGB" else None)
            assert b"Photochrom" in picture.info["xmp"]
            pixels = np.asarray(picture.convert("RGB")).astype(float)
        assert pixels[..., 0].mean() > 1.1 * pixels[..., 2].mean()
        off = pixels @ [0.299, 0.587, 0.114] - coded_luma(path)
        assert np.abs(off).max() < 6
        assert np.abs(off).mean() < 0.5  # chroma is in gamut between its samples, too


def test_other_outputs_get_the_luma_that_photographs_have(tmp_path, red):
    folder = write_scans(tmp_path / "reel", "RGB", suffix=".jpeg")
    film = colorize_film(folder, tmp_path / "a.mkv", FilmOptions(codec="ffv1", rate=24), colorizer=red)
    frames = colorize_film(folder, None, FilmOptions(codec="png", rate=24), colorizer=red)
    for path, found, frame in zip(sorted(folder.iterdir()), files(frames), decoded(film.output), strict=True):
        assert np.array_equal(luma_of(found), coded_luma(path))
        assert np.array_equal(plane(frame), coded_luma(path))
        with Image.open(found) as picture:
            assert picture.getexif()[0x010E] == "On the beach"
    assert frames.notes == []
    assert film.notes == ["not kept: metadata of the frames (EXIF)"]


def test_turned_frames_are_written_upright(tmp_path, red):
    folder = write_scans(tmp_path / "reel", orientation=6)
    found = files(colorize_film(folder, None, FilmOptions(codec="png", rate=24), colorizer=red))
    assert np.array_equal(luma_of(found[1]), np.rot90(coded_luma(folder / "scan0001.jpg"), -1))
    report = colorize_film(folder, tmp_path / "out", RATE, colorizer=red)
    with Image.open(files(report)[1]) as picture:
        assert picture.size == (65, 98)
        assert picture.getexif().get(0x0112, 1) == 1


def test_luma_that_must_be_encoded_again_is_named(tmp_path, red):
    folder = tmp_path / "reel"
    folder.mkdir()
    Image.fromarray(pan(1)[0]).convert("RGB").save(folder / "1.jpg", quality=90, keep_rgb=True)
    report = colorize_film(folder, None, RATE, colorizer=red)
    assert report.notes == ["the luma is re-encoded: its colour space is RGB"]
    assert np.abs(coded_luma(files(report)[0]).astype(int) - coded_luma(folder / "1.jpg")).mean() < 1


def test_cmyk_is_refused(tmp_path, red):
    with pytest.raises(FilmError, match=r"scan0000.jpg: is a CMYK picture: convert the frames to RGB"):
        colorize_film(write_scans(tmp_path / "reel", "CMYK"), None, RATE, colorizer=red)


@pytest.mark.parametrize(
    ("first", "other", "problem"),
    [
        ({"mode": "RGB"}, {}, "has 1 sample of 8 bits a pixel, and the first frame has 3 samples of 8 bits a pixel"),
        ({"mode": "RGB"}, {"mode": "RGB", "subsampling": "4:4:4"}, r".* \(YCbCr 444\), and .* \(YCbCr 420\)"),
        ({"mode": "RGB"}, {"mode": "RGB", "keep_rgb": True, "dpi": (0, 0)}, r".* \(RGB 444\), and .* \(YCbCr 420\)"),
        ({}, {"orientation": 3}, "has orientation 3 in EXIF's numbers, and the first frame has 1"),
        ({"suffix": ".png"}, {"orientation": 3}, "has orientation 3 in EXIF's numbers, and the first frame has 1"),
        ({"suffix": ".tif"}, {"orientation": 3}, "has orientation 3 in EXIF's numbers, and the first frame has 1"),
    ],
)
def test_a_frame_of_another_kind_is_named_before_any_work(first, other, problem, tmp_path):
    folder = write_scans(tmp_path / "reel", **first)
    suffix = first.get("suffix", ".jpg")
    odd = write_scans(tmp_path / "others", **{"suffix": suffix, **other}) / f"scan0001{suffix}"
    odd.replace(folder / odd.name)
    with pytest.raises(FilmError, match=f"{odd.name}: {problem}.*: move frames of each kind to a folder of their own"):
        open_film(folder, RATE)


def test_frames_that_differ_only_in_their_coding_keep_their_luma(tmp_path, red):
    folder = write_scans(tmp_path / "reel")
    for number, how in ((1, {"progressive": True}), (2, {"restart_marker_blocks": 4})):
        other = write_scans(tmp_path / f"others{number}", **how) / f"scan{number:04}.jpg"
        other.replace(folder / other.name)
    report = colorize_film(folder, None, RATE, colorizer=red)
    assert report.notes == []
    for path in files(report):
        assert np.array_equal(coded_luma(path), coded_luma(folder / path.name))


def test_lossless_jpeg_is_refused(tmp_path, red):
    """FFmpeg decodes it, and libjpeg does not."""
    encoder = av.CodecContext.create("ljpeg", "w")
    encoder.width, encoder.height, encoder.pix_fmt, encoder.time_base = 96, 64, "yuvj444p", Fraction(1, 24)
    frame = av.VideoFrame.from_ndarray(np.stack([pan(1, 96, 64)[0]] * 3), "yuvj444p")
    (tmp_path / "1.jpg").write_bytes(bytes([*encoder.encode(frame), *encoder.encode(None)][0]))
    with pytest.raises(FilmError, match=r"1.jpg: cannot be decoded \(.*\): convert the frames to PNG"):
        colorize_film(tmp_path, None, RATE, colorizer=red)


@pytest.mark.parametrize("damage", [lambda d: d[: len(d) // 2], lambda d: d[: len(d) // 2] + b"\xff\xd9"])
def test_a_damaged_frame_is_refused(damage, tmp_path, red):
    """FFmpeg decodes such a frame without an error."""
    path = write_scans(tmp_path / "reel") / "scan0001.jpg"
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(FilmError, match=r"scan0001.jpg: is damaged: replace the file"):
        colorize_film(tmp_path / "reel", None, RATE, colorizer=red)


def test_bytes_behind_the_pixels_are_no_damage(tmp_path, red):
    folder = write_scans(tmp_path / "reel")
    for path in folder.iterdir():
        path.write_bytes(path.read_bytes()[:-2] + b"\x12\x34\x56\xff\xd9")
    assert colorize_film(folder, None, RATE, colorizer=red).frames == 3


@pytest.mark.parametrize("name", ["out", "out/f.%04d.jpg"])
def test_other_frames_do_not_become_jpeg(name, tmp_path, red):
    reel = write_dpx(tmp_path / "reel", pan(2), 8)
    with pytest.raises(FilmError, match="does not consist of JPEG files, whose luma a JPEG could keep: choose codec="):
        colorize_film(reel, tmp_path / name, FilmOptions(codec="jpeg", rate=24), colorizer=red)


def test_ffmpeg_states_the_shape_of_pixels_the_other_way_round(tmp_path):
    """It writes the pixel aspect ratio 4:3 as a resolution of 4:3, which denotes pixels of 3:4 (ITU-T T.871)."""
    encoder = av.CodecContext.create("mjpeg", "w")
    encoder.width, encoder.height, encoder.pix_fmt, encoder.time_base = 64, 48, "yuvj420p", Fraction(1, 24)
    encoder.sample_aspect_ratio = Fraction(4, 3)
    frame = av.VideoFrame.from_ndarray(np.full((72, 64), 128, np.uint8), "yuvj420p")
    frame.pts = 0
    (tmp_path / "1.jpg").write_bytes(bytes([*encoder.encode(frame), *encoder.encode(None)][0]))
    with open_film(tmp_path, FilmOptions()) as reader:
        assert reader.aspect == Fraction(4, 3)
