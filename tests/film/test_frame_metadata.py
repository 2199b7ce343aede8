"""Metadata, orientation and transparency of numbered frames: kept in other frames, or named where lost."""

import struct
from fractions import Fraction

import av
import numpy as np
import pytest
import tifffile
from PIL import Image, ImageCms
from PIL.PngImagePlugin import PngInfo

from photochrom.errors import FilmError
from photochrom.film import FilmOptions, colorize_film
from photochrom.film.reader import FilmReader
from photochrom.film.sequences.reader import open_film
from tests.film.test_sequences import files, header_of
from tests.helpers.films import colorizer, decoded, pan, plane, write_film
from tests.helpers.sequences import codes, dpx, field, luma_of, pixels, write_dpx

PROFILE = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def write_scans(folder, suffix, *, orientation=1, alpha=False):
    """Write two frames with a colour profile and a caption, and perhaps with an orientation or transparency."""
    folder.mkdir()
    block = Image.Exif()
    block[0x010E], block[0x0112] = "On the beach", orientation
    for i, luma in enumerate(pan(2)):
        plane = Image.fromarray(luma)
        picture = Image.merge("LA", (plane, plane)) if alpha else plane
        picture.save(folder / f"{i}{suffix}", icc_profile=PROFILE, exif=block)
    return folder


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("codec", ["png", "tiff"])
@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_metadata_goes_from_pictures_to_pictures_of_another_format_or_depth(suffix, codec, bits, tmp_path, red):
    options = FilmOptions(codec=codec, bits=bits, rate=24)
    report = colorize_film(write_scans(tmp_path / "scans", suffix), None, options, colorizer=red)
    assert not any(note.startswith("not kept") for note in report.notes)
    with Image.open(files(report)[1]) as picture:
        assert picture.info["icc_profile"] == PROFILE
        assert picture.getexif()[0x010E] == "On the beach"


@pytest.mark.parametrize("codec", ["dpx", "jp2", "ffv1"])
@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_metadata_of_pictures_that_is_lost_is_named(suffix, codec, tmp_path, red):
    options = FilmOptions(codec=codec, rate=24)
    report = colorize_film(write_scans(tmp_path / "scans", suffix), None, options, colorizer=red)
    assert report.notes == ["not kept: metadata of the frames (colour profile (ICC), EXIF)"]


@pytest.mark.parametrize("codec", ["jp2", "ffv1"])
def test_the_profile_of_a_jpeg_2000_is_named(codec, tmp_path, red):
    folder = tmp_path / "scans"
    folder.mkdir()
    Image.fromarray(pan(1)[0]).save(folder / "1.jp2")
    data = (folder / "1.jp2").read_bytes()
    (folder / "1.jp2").write_bytes(data.replace(b"colr\1", b"colr\2"))
    report = colorize_film(folder / "%d.jp2", None, FilmOptions(codec=codec, rate=24), colorizer=red)
    assert report.notes == ["not kept: metadata of the frames (colour profile (ICC))"]


def test_fields_of_dpx_headers_that_are_lost_are_named(tmp_path, red):
    folder = write_dpx(tmp_path / "reel", pan(2), 10, fields=header_of, user=b"scanner's own" + bytes(3))
    report = colorize_film(folder, tmp_path / "a.mkv", FilmOptions(codec="ffv1"), colorizer=red)
    named = "creator, project, source file, film edge code, film format, frame identifier, user data"
    assert report.notes == [f"not kept: metadata of the frames ({named})"]
    frames = colorize_film(folder, tmp_path / "out", FilmOptions(codec="png"), colorizer=red)
    assert "not kept: the name of the reel, REEL 3, which png does not state" in frames.notes


STORED = {  # how an upright plane is stored in each EXIF orientation, by where its row 0 and column 0 are
    2: lambda plane: plane[:, ::-1],  # top, right
    3: lambda plane: plane[::-1, ::-1],  # bottom, right
    4: lambda plane: plane[::-1],  # bottom, left
    5: lambda plane: plane.T,  # left, top
    6: lambda plane: plane[:, ::-1].T,  # right, top
    7: lambda plane: plane[::-1, ::-1].T,  # right, bottom
    8: lambda plane: plane[::-1].T,  # left, bottom
}
DPX_CODES = {2: 1, 3: 3, 4: 2, 5: 4, 6: 5, 7: 7, 8: 6}
"""The codes of SMPTE ST 268 for the directions of line and frame, such as 2: left to right and bottom to top."""


def check_upright_film(folder, lumas, bits, tmp_path, red):
    report = colorize_film(folder, tmp_path / "a.mkv", FilmOptions(codec="ffv1", rate=24), colorizer=red)
    for frame, luma in zip(decoded(report.output), lumas, strict=True):
        assert np.array_equal(plane(frame), codes(luma, bits))
    with FilmReader(report.output) as film:
        assert (film.turns, film.aspect) == (0, 1)


@pytest.mark.parametrize("orientation", STORED)
@pytest.mark.parametrize("suffix", [".png", ".tif"])
@pytest.mark.parametrize("bits", [8, 16])
def test_turned_and_mirrored_frames_become_upright(bits, suffix, orientation, tmp_path, red):
    (tmp_path / "scans").mkdir()
    for i, luma in enumerate(pan(2)):
        block = Image.Exif()
        block[0x0112] = orientation
        stored = Image.fromarray(np.ascontiguousarray(STORED[orientation](codes(luma, bits))))
        stored.save(tmp_path / "scans" / f"{i}{suffix}", exif=block)
    check_upright_film(tmp_path / "scans", pan(2), bits, tmp_path, red)
    frames = colorize_film(tmp_path / "scans", None, FilmOptions(rate=24), colorizer=red)
    assert frames.notes == []
    for path, luma in zip(files(frames), pan(2), strict=True):
        assert np.array_equal(luma_of(path), codes(luma, bits))
        with Image.open(path) as picture:
            assert picture.getexif()[0x0112] == 1


def write_turned(folder, places):
    """Write PNG frames that are stored from bottom to top, with EXIF before or behind the pixels, or without it."""
    folder.mkdir()
    block = Image.Exif()
    block[0x0112] = 4
    for number, (luma, place) in enumerate(zip(pan(len(places)), places, strict=True)):
        Image.fromarray(np.ascontiguousarray(STORED[4](luma))).save(path := folder / f"{number}.png", exif=block)
        data = path.read_bytes()
        start = data.index(b"eXIf") - 4
        chunk = data[start : start + 12 + int.from_bytes(data[start : start + 4], "big")]
        if place != "before":
            data = data.replace(chunk, b"")
        path.write_bytes(data[:-12] + chunk + data[-12:] if place == "behind" else data)
    return folder


@pytest.mark.parametrize("places", [("behind", "before"), ("before", "behind")])
def test_png_frames_may_state_their_orientation_behind_the_pixels(places, tmp_path, red):
    """ExifTool writes EXIF there."""
    check_upright_film(write_turned(tmp_path / "scans", places), pan(2), 8, tmp_path, red)


@pytest.mark.parametrize(
    ("places", "other", "first"),
    [(("behind", ""), 1, 4), (("before", ""), 1, 4), (("", "behind"), 4, 1), (("", "before"), 4, 1)],
)
def test_png_frames_of_two_orientations_are_refused_wherever_they_state_them(places, other, first, tmp_path, red):
    folder = write_turned(tmp_path / "scans", places)
    problem = f"1.png: has orientation {other} in EXIF's numbers, and the first frame has {first}"
    with pytest.raises(FilmError, match=problem):
        colorize_film(folder, None, FilmOptions(rate=24), colorizer=red)


@pytest.mark.parametrize("orientation", STORED)
@pytest.mark.parametrize(("bits", "rgb", "order"), [(8, True, ">"), (10, True, "<"), (10, False, ">"), (16, True, ">")])
def test_the_orientation_of_dpx_frames_is_read_and_kept(bits, rgb, order, orientation, tmp_path, red):
    """A turned film is upright; turned DPX files stay as their headers state, and their colours fit."""
    fields = {768: ("H", DPX_CODES[orientation]), 1628: ("II", 1, 1)}
    lumas = [STORED[orientation](codes(luma, bits)) for luma in pan(2)]
    (tmp_path / "reel").mkdir()
    for i, luma in enumerate(lumas):
        (tmp_path / "reel" / f"{i}.dpx").write_bytes(dpx(luma, bits, rgb=rgb, order=order, fields=fields))
    check_upright_film(tmp_path / "reel", pan(2), bits, tmp_path, red)
    frames = colorize_film(tmp_path / "reel", None, FilmOptions(rate=24), colorizer=red)
    assert frames.notes == []
    for path, luma in zip(files(frames), lumas, strict=True):
        assert np.array_equal(luma_of(path), luma)
        assert field(path, "H", 768) == DPX_CODES[orientation]


def test_the_network_sees_turned_dpx_frames_upright_and_colours_fit_them(tmp_path):
    """The left half is bright and becomes red; the files are stored from bottom to top and from right to left."""
    halves = colorizer(tmp_path, lambda lightness: (60 * (lightness > 0.5), 0 * lightness))
    luma = np.full((64, 96), 40, np.uint8)
    luma[:, :48] = 200 + np.arange(64)[:, None] % 3
    (tmp_path / "reel").mkdir()
    for i in range(2):
        (tmp_path / "reel" / f"{i}.dpx").write_bytes(dpx(codes(luma[:, ::-1], 10), 10, fields={768: ("H", 3)}))
    frames = colorize_film(tmp_path / "reel", None, FilmOptions(rate=24), colorizer=halves)
    rgb = pixels(files(frames)[0])[0].astype(int)
    assert (rgb[:, 52:, 0] > rgb[:, 52:, 2] + 100).all()
    assert (np.abs(rgb[:, :44, 0] - rgb[:, :44, 2]) < 30).all()


def test_dpx_frames_of_two_orientations_are_refused(tmp_path, red):
    folder = write_dpx(tmp_path / "reel", pan(2), fields=lambda i: {768: ("H", 2 * i)})
    with pytest.raises(FilmError, match="has orientation 4 in EXIF's numbers, and the first frame has 1"):
        colorize_film(folder, None, colorizer=red)


def test_the_shape_of_pixels_is_that_of_the_upright_frames(tmp_path, red):
    folder = write_dpx(tmp_path / "reel", pan(2), fields=lambda _: {768: ("H", 5), 1628: ("II", 2, 1)})
    assert shape_of_film(folder, tmp_path, red) == Fraction(1, 2)
    tiff = colorize_film(folder, None, FilmOptions(codec="tiff"), colorizer=red)
    with tifffile.TiffFile(files(tiff)[0]) as file:
        assert [file.pages[0].tags[name].value for name in ("XResolution", "YResolution")] == [(2, 1), (1, 1)]
    dpx = colorize_film(folder, tmp_path / "again", colorizer=red)
    assert field(files(dpx)[0], "II", 1628) == (2, 1)


@pytest.mark.parametrize(("bits", "notes"), [(8, []), (16, ["not kept: the alpha channel (transparency)"])])
def test_transparency_is_kept_or_named(bits, notes, tmp_path, red):
    folder = write_scans(tmp_path / "scans", ".png", alpha=True)
    report = colorize_film(folder, None, FilmOptions(rate=24, bits=bits), colorizer=red)
    assert [note for note in report.notes if note.startswith("not kept")] == notes
    assert (pixels(files(report)[0])[0].shape[2] == 4) == (bits == 8)


def shape_in(path):
    """Return the numbers of the chunk pHYs in a PNG: pixels per unit along x and y, and the unit."""
    data = path.read_bytes()
    return struct.unpack_from(">IIB", data, data.index(b"pHYs") + 4)


def shape_of_film(folder, tmp_path, red):
    """Return the pixel aspect ratio of a film made from frames."""
    report = colorize_film(folder, tmp_path / "a.mov", FilmOptions(codec="libx264", rate=24), colorizer=red)
    with FilmReader(report.output) as film:
        return film.aspect


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_the_shape_of_pixels_follows_from_the_resolution_of_the_frames(suffix, tmp_path, red):
    (tmp_path / "scans").mkdir()
    for i, luma in enumerate(pan(2)):
        Image.fromarray(luma).save(tmp_path / "scans" / f"{i}{suffix}", dpi=(600, 450))
    assert shape_of_film(tmp_path / "scans", tmp_path, red) == Fraction(3, 4)  # a pixel is 1/600 inch wide, 1/450 high
    (tmp_path / "other").mkdir()
    frames = colorize_film(tmp_path / "scans", tmp_path / "other" / "%d.dpx", colorizer=red)
    assert field(files(frames)[0], "II", 1628) == (3, 4)


def test_the_shape_of_pixels_in_png_frames_of_ffmpeg_is_that_of_its_film(tmp_path, red):
    """FFmpeg writes the numbers of pHYs in the wrong order."""
    (tmp_path / "scans").mkdir()
    for i, luma in enumerate(pan(2)):
        frame = av.VideoFrame.from_ndarray(luma, "gray")
        encoder = av.CodecContext.create("png", "w")
        encoder.width, encoder.height, encoder.pix_fmt, encoder.time_base = 96, 64, "gray", Fraction(1, 24)
        encoder.sample_aspect_ratio = Fraction(16, 15)
        (tmp_path / "scans" / f"{i}.png").write_bytes(bytes(encoder.encode(frame)[0]))
    assert shape_in(tmp_path / "scans" / "0.png") == (16, 15, 0)
    assert shape_of_film(tmp_path / "scans", tmp_path, red) == Fraction(16, 15)
    frames = colorize_film(tmp_path / "scans", None, FilmOptions(rate=24), colorizer=red)
    assert shape_in(files(frames)[0]) == (15, 16, 0)
    with open_film(frames.output.parent, FilmOptions()) as reader:
        assert reader.aspect == Fraction(16, 15)


@pytest.mark.parametrize("kind", ["dpx", "mov"])
def test_frames_state_the_shape_of_pixels(kind, tmp_path, red):
    if kind == "dpx":
        source = write_dpx(tmp_path / "reel", pan(2), fields=lambda _: {1628: ("II", 2, 1)})
    else:
        source = write_film(tmp_path / "reel.mov", pan(2), aspect=Fraction(2))
    png, tiff, dpx = (
        colorize_film(source, tmp_path / codec, FilmOptions(codec=codec), colorizer=red)
        for codec in ("png", "tiff", "dpx")
    )
    assert shape_in(files(png)[0]) == (1, 2, 0)
    with tifffile.TiffFile(files(tiff)[0]) as file:
        tags = file.pages[0].tags
        assert [tags[name].value for name in ("XResolution", "YResolution", "ResolutionUnit")] == [(1, 1), (2, 1), 1]
    assert field(files(dpx)[0], "II", 1628) == (2, 1)
    assert not any("aspect" in note for report in (png, tiff, dpx) for note in report.notes)


def test_metadata_and_chapters_of_a_film_that_becomes_frames_are_named(tmp_path, red):
    chapters = [(0, 1 / 24, "one"), (1 / 24, 2 / 24, "two")]
    film = write_film(tmp_path / "a.mkv", pan(2), metadata={"title": "Reel 3"}, chapters=chapters)
    report = colorize_film(film, None, FilmOptions(codec="png"), colorizer=red)
    assert "not kept: metadata of the film (title), which frames cannot hold" in report.notes
    assert "not kept: 2 chapters, which frames cannot hold" in report.notes


@pytest.mark.parametrize(("codec", "is_named"), [("png", False), ("tiff", True), ("ffv1", True)])
def test_the_gamma_of_png_frames_is_named_where_it_is_lost(codec, is_named, tmp_path, red):
    (tmp_path / "scans").mkdir()
    chunk = PngInfo()
    chunk.add(b"gAMA", (100_000).to_bytes(4, "big"))
    for i, luma in enumerate(pan(2)):
        Image.fromarray(luma).save(tmp_path / "scans" / f"{i}.png", pnginfo=chunk)
    report = colorize_film(tmp_path / "scans", None, FilmOptions(codec=codec, rate=24), colorizer=red)
    assert report.notes == (["not kept: metadata of the frames (gAMA)"] if is_named else [])
