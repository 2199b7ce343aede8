"""Luma planes stay the same and chroma planes have the right colour, in every pixel format of films."""

import itertools
import re
from fractions import Fraction

import av
import av.filter
import av.logging
import numpy as np
import pytest
from skimage.color import rgb2lab

from photochrom import ColorOptions
from photochrom.color import spaces
from photochrom.color.upsample import apply_to_luma
from photochrom.errors import FilmError
from photochrom.film import FilmOptions, colorize_film
from photochrom.film.frame_buffers import view
from photochrom.film.frame_kinds.interlaced import render_fields
from tests.helpers.films import (
    RATE,
    colorizer,
    decoded,
    in_fields,
    pan,
    plane,
    same_lumas,
    still_frame,
    write_film,
    write_frames,
)

LOSSLESS = FilmOptions(codec="ffv1")
BT601, BT709, BT2020, UNSPECIFIED = (6, 6, 6), (1, 1, 1), (9, 9, 14), (2, 2, 2)
BOTH_WAYS = np.concatenate([np.arange(0, 256, 3), np.arange(255, -1, -3)]).astype(np.uint8)


@pytest.fixture
def split_colorizer(tmp_path):
    """Return a colorizer that makes the left half orange and the right half blue."""

    def ab(lightness):
        left = np.arange(lightness.shape[1]) < lightness.shape[1] / 2
        return np.where(left, 25, -5) + 0 * lightness, np.where(left, 30, -30) + 0 * lightness

    return colorizer(tmp_path, ab)


def ramp(height, width):
    """Return every value of luma, including those outside limited range."""
    return np.resize(BOTH_WAYS, (height, width))


def colored(source, colorizer, options=LOSSLESS, output=None):
    return colorize_film(source, output, options, colorizer=colorizer).output


def rgb(frame):
    """Convert a frame with FFmpeg's swscale, by the matrix and range in its tags."""
    matrix = {1: "ITU709", 5: "ITU601", 6: "ITU601", 9: 9}[frame.colorspace]
    shown = frame.reformat(format="rgb24", src_colorspace=matrix, dst_colorspace=matrix, interpolation="BICUBIC")
    return shown.to_ndarray()


def stripes(height, width):
    """Return a luma around 120 that is not flat, since blank frames stay neutral."""
    return np.tile(np.repeat(np.array([112, 128], np.uint8), 16), (height, width // 32 + 1))[:, :width].copy()


def lab(frame):
    return rgb2lab(rgb(frame)[8:-8, 8:-8]).reshape(-1, 3)


@pytest.mark.parametrize("full", [False, True], ids=["limited", "full"])
@pytest.mark.parametrize(
    ("name", "height", "width", "new"),
    [
        ("yuv420p", 64, 96, "yuv420p"),
        ("yuv420p", 49, 65, "yuv420p"),
        ("yuv422p", 48, 66, "yuv422p"),
        ("yuv444p", 49, 65, "yuv444p"),
        ("gray", 48, 64, "yuv420p"),
        ("gray", 49, 65, "yuv420p"),
        ("yuv420p10le", 48, 64, "yuv420p10le"),
        ("yuv422p10le", 49, 65, "yuv422p10le"),
        ("gray10le", 49, 65, "yuv420p10le"),
        ("yuv444p12le", 48, 64, "yuv444p12le"),
    ],
)
def test_luma_stays_bit_for_bit(name, height, width, new, full, tmp_path, fake_colorizer):
    frames = [np.roll(ramp(height, width), i, axis=1) for i in range(4)]
    source = write_film(tmp_path / "a.mkv", frames, name=name, codec="ffv1", full=full)
    output = colored(source, fake_colorizer)
    assert same_lumas(source, output)
    frame = decoded(output)[0]
    assert (frame.format.name, frame.width, frame.height, frame.color_range) == (new, width, height, 1 + full)
    neutral = 1 << (frame.format.components[1].bits - 1)
    assert plane(frame, 1).mean() < neutral < plane(frame, 2).mean()  # orange


@pytest.mark.parametrize(
    ("name", "full"),
    [*itertools.product(["nv12", "yuv411p", "yuva420p", "yuv440p", "gray12le"], [False, True]), ("yuvj420p", True)],
)
def test_luma_stays_where_planes_must_be_repacked(name, full, tmp_path, fake_colorizer):
    frames = [still_frame(np.roll(ramp(48, 64), i, axis=1), name) for i in range(3)]
    source = write_frames(tmp_path / "a.nut", frames, name=name, codec="rawvideo", full=full)
    output = colored(source, fake_colorizer, output=tmp_path / "b.mkv")
    ours, theirs = ([plane(frame) for frame in decoded(path)] for path in (output, source))
    assert np.array_equal(ours, theirs)


@pytest.mark.parametrize("full", [False, True], ids=["limited", "full"])
@pytest.mark.parametrize("name", ["yuv420p14le", "yuv422p16le", "yuv444p16be", "yuva444p16le", "gray16le"])
@pytest.mark.parametrize("kept", [None, 12, 8])
def test_all_bits_are_kept_unless_fewer_are_requested(kept, name, full, tmp_path, fake_colorizer):
    """Fewer bits are not dithered: equal luma stays equal."""
    frames = [still_frame(luma, name) for luma in pan(3)]
    source = write_frames(tmp_path / "a.nut", frames, name=name, codec="rawvideo", full=full)
    options = FilmOptions(codec="ffv1", bits=kept)
    report = colorize_film(source, tmp_path / "b.mkv", options, colorizer=fake_colorizer)
    bits = frames[0].format.components[0].bits
    lost = bits - (kept or bits)
    theirs = [view(frame, 0) >> lost for frame in decoded(source)]
    assert np.array_equal([plane(frame) for frame in decoded(report.output)], theirs)
    notes = ["not kept: the alpha channel (transparency)"] if name.startswith("yuva") else []
    assert report.notes == notes + ([f"not kept: the last {lost} of {bits} bits of luma"] if lost else [])


@pytest.mark.parametrize("full", [False, True], ids=["limited", "full"])
@pytest.mark.parametrize("tags", [BT601, BT709, BT2020])
@pytest.mark.parametrize("name", ["yuv420p", "yuv444p10le"])
def test_colours_are_right_by_the_tagged_matrix(name, tags, full, tmp_path, fake_colorizer):
    frames = [stripes(64, 96)] * 3
    source = write_film(tmp_path / "a.mkv", frames, name=name, codec="ffv1", tags=tags, full=full)
    frame = decoded(colored(source, fake_colorizer))[1]
    assert (frame.colorspace, frame.color_primaries, frame.color_trc) == tags
    _, a, b = lab(frame).mean(axis=0)
    assert a == pytest.approx(30, abs=2)
    assert b == pytest.approx(40, abs=2)


@pytest.mark.parametrize(("height", "width", "matrix"), [(64, 96, 6), (96, 1040, 1)])
def test_an_untagged_film_has_the_matrix_that_players_assume(height, width, matrix, tmp_path, fake_colorizer):
    frames = [stripes(height, width)] * 2
    source = write_film(tmp_path / "a.mkv", frames, codec="ffv1", tags=UNSPECIFIED)
    frame = decoded(colored(source, fake_colorizer))[0]
    assert frame.colorspace == 2
    frame.colorspace = matrix
    _, a, b = lab(frame).mean(axis=0)
    assert (a, b) == (pytest.approx(30, abs=2), pytest.approx(40, abs=2))


@pytest.mark.parametrize("matrix", [spaces.BT601, spaces.BT709, spaces.BT2020], ids=str)
def test_the_table_of_chroma_agrees_with_the_formula(matrix):
    """The two agree at every luma, up to the most colourful a* and b*."""
    rng = np.random.default_rng(2)
    luma = np.repeat(np.arange(256, dtype=np.uint8)[:, None], 80, axis=1)
    ab = rng.uniform(-108, 99, (2, 256, 80)).astype(np.float32)
    off = np.abs(
        spaces.quick_ab_to_cbcr(luma, ab, matrix) - spaces.ab_to_cbcr(luma.astype(np.float32) / 255, ab, matrix)
    )
    assert off.mean() < 0.002
    assert np.percentile(off, 99) < 0.02


@pytest.mark.parametrize("name", ["bgr0", "gbrp10le"])
def test_grey_rgb_is_coloured_by_the_matrix_that_it_is_stored_with(name, tmp_path, fake_colorizer):
    frames = [still_frame(pan(1)[0], "gray") for _ in range(3)]
    frames = [frame.reformat(format=name) for frame in frames]
    source = write_frames(tmp_path / "a.mkv", frames, name=name, codec="ffv1", tags=(0, 2, 2), full=True)
    frame = decoded(colored(source, fake_colorizer))[1]
    assert frame.colorspace in (1, 5, 6)
    before, after = rgb2lab(decoded(source)[1].to_ndarray(format="rgb24")), rgb2lab(rgb(frame))
    assert np.abs(before[..., 0] - after[..., 0]).mean() < 3  # of the same lightness
    middle = (before[..., 0] > 40) & (before[..., 0] < 60)
    assert np.median(after[middle][:, 1]) == pytest.approx(30, abs=4)
    assert np.median(after[middle][:, 2]) == pytest.approx(40, abs=4)


@pytest.mark.parametrize("codec", ["libx264", "ffv1"])
def test_grey_png_in_a_film_is_not_tagged_as_rgb(codec, tmp_path, fake_colorizer):
    """Decoders of PNG state the matrix of RGB, with which players would show the new chroma in wrong colours."""
    frames = [still_frame(stripes(64, 96), "gray") for _ in range(3)]
    source = write_frames(tmp_path / "a.mov", frames, name="gray", codec="png")
    assert decoded(source)[0].colorspace == 0
    frame = decoded(colored(source, fake_colorizer, FilmOptions(codec=codec), tmp_path / "b.mkv"))[1]
    assert frame.colorspace == 6
    _, a, b = lab(frame).mean(axis=0)
    assert (a, b) == (pytest.approx(30, abs=2), pytest.approx(40, abs=2))


@pytest.mark.parametrize("matrix", [8, 14], ids=["YCgCo", "ICtCp"])
def test_an_unusual_matrix_is_refused(matrix, tmp_path, fake_colorizer):
    source = write_film(tmp_path / "a.mkv", pan(2), name="yuv444p", codec="ffv1", tags=(matrix, 1, 1))
    with pytest.raises(FilmError, match=rf"unusual matrix \(code {matrix} .*convert it"):
        colored(source, fake_colorizer)


def test_odd_sizes_in_h264_get_chroma_at_full_size(tmp_path, fake_colorizer):
    frames = pan(5, 65, 49)
    source = write_film(tmp_path / "a.mkv", frames, codec="ffv1")
    output = colored(source, fake_colorizer, FilmOptions(crf=1, preset="ultrafast"))
    frame = decoded(output)[2]
    assert (frame.format.name, frame.width, frame.height) == ("yuv444p", 65, 49)
    assert np.abs(plane(frame).astype(int) - frames[2]).max() <= 4


@pytest.mark.parametrize("codec", ["libx264", "libx265"])
@pytest.mark.parametrize("name", ["yuv420p", "yuv420p10le"])
def test_lossy_codecs_keep_format_tags_and_shape_of_pixels(codec, name, tmp_path, fake_colorizer):
    source = write_film(
        tmp_path / "a.mkv", pan(6), name=name, tags=BT709, aspect=Fraction(16, 15), options={"crf": "1"}
    )
    options = FilmOptions(codec=codec, crf=1, preset="ultrafast")
    output = colored(source, fake_colorizer, options, tmp_path / "b.mp4")
    for before, after in zip(decoded(source), decoded(output), strict=True):
        assert after.format.name == name
        assert (after.colorspace, after.color_primaries, after.color_trc, after.color_range) == (*BT709, 1)
        assert np.abs(plane(before).astype(int) - plane(after)).mean() < 2 ** (before.format.components[0].bits - 8)
    assert aspect(output) == Fraction(16, 15)


def aspect(path):
    with av.open(str(path)) as container:
        return container.streams.video[0].sample_aspect_ratio


def test_lossless_pictures_know_the_shape_of_their_pixels(tmp_path, fake_colorizer):
    """PyAV cannot write it to Matroska, so FFV1's own headers must state it."""
    source = write_film(tmp_path / "a.mp4", pan(3), aspect=Fraction(8, 9))
    assert aspect(source) == Fraction(8, 9)
    assert shape_of_pixels(decoded(colored(source, fake_colorizer))[1]) == "8/9"


@pytest.mark.parametrize("end", ["mp4", "m4v", "nut"])
def test_full_range_is_refused_where_the_container_cannot_state_it(end, tmp_path, fake_colorizer):
    source = write_film(tmp_path / "a.mkv", pan(2), codec="ffv1", full=True)
    with pytest.raises(FilmError, match=r"cannot state full range: write to a \.mkv file"):
        colored(source, fake_colorizer, output=tmp_path / f"b.{end}")
    output = colored(source, fake_colorizer, FilmOptions(crf=1), tmp_path / f"b.{end}")
    assert decoded(output)[0].color_range == 2


def shape_of_pixels(frame):
    return shown_info(frame, "sar")


def shown_info(frame, key):
    """Return the output of FFmpeg's filter showinfo for a frame."""
    graph = av.filter.Graph()
    buffer = graph.add_buffer(
        width=frame.width, height=frame.height, format=frame.format.name, time_base=frame.time_base
    )
    graph.link_nodes(buffer, graph.add("showinfo"), graph.add("buffersink")).configure()
    level = av.logging.get_level()
    av.logging.set_level(av.logging.INFO)
    try:
        with av.logging.Capture(True) as lines:
            graph.push(frame)
            graph.pull()
    finally:
        av.logging.set_level(level)
    return re.search(rf"\b{key}:(\S+)", "".join(line for _, _, line in lines))[1]


@pytest.mark.parametrize("rotation", [90, 180, -90])
def test_a_film_that_is_to_be_turned_gets_the_colours_of_the_upright_one(rotation, tmp_path, split_colorizer):
    upright = pan(3, 96, 64)
    turned = [np.ascontiguousarray(np.rot90(luma, -rotation // 90)) for luma in upright]
    plain = write_film(tmp_path / "a.mp4", upright, options={"qp": "0"})
    source = write_film(tmp_path / "b.mp4", turned, options={"qp": "0"}, rotation=rotation)
    lossless = FilmOptions(crf=0, preset="ultrafast")
    expected = decoded(colored(plain, split_colorizer, lossless))[1]
    found = decoded(colored(source, split_colorizer, lossless))[1]
    assert decoded(source)[1].rotation == found.rotation
    assert found.rotation % 360 == rotation % 360
    for index in (1, 2):
        back = np.rot90(plane(found, index), rotation // 90)
        assert np.abs(back.astype(int) - plane(expected, index)).mean() < 2
    assert np.ptp(plane(expected, 1).mean(axis=0)) > 20  # one side is blue, so that a wrong turn shows


@pytest.mark.parametrize("name", ["yuv420p", "yuv422p"])
def test_strength_zero_is_grey(name, tmp_path, fake_colorizer):
    source = write_film(tmp_path / "a.mkv", pan(3), name=name, codec="ffv1")
    options = FilmOptions(ColorOptions(strength=0), codec="ffv1")
    frame = decoded(colored(source, fake_colorizer, options))[1]
    assert np.all(plane(frame, 1) == 128)
    assert np.all(plane(frame, 2) == 128)


@pytest.mark.parametrize("transfer", [16, 18], ids=["PQ", "HLG"])
def test_hdr_is_refused(transfer, tmp_path, fake_colorizer):
    source = write_film(tmp_path / "a.mkv", pan(2), name="yuv420p10le", codec="ffv1", tags=(9, 9, transfer))
    with pytest.raises(FilmError, match=r"HDR.*convert it"):
        colored(source, fake_colorizer)


@pytest.mark.parametrize("order", ["tff", "bff"])
@pytest.mark.parametrize("codec", ["libx264", "ffv1"])
@pytest.mark.parametrize(
    ("source_codec", "settings"),
    [("libx264", {"qp": "0"}), ("mpeg2video", {"flags": "+ildct"}), ("ffv1", {})],
)
def test_fields_have_chroma_of_their_own_and_stay_in_their_order(
    source_codec, settings, codec, order, tmp_path, fake_colorizer
):
    """Even rows are bright and odd rows dark: if chroma mixed the fields, it would be equal in both."""
    luma = np.full((64, 96), 60, np.uint8)
    luma[::2] = np.linspace(150, 200, 96)
    frames = in_fields([still_frame(luma) for _ in range(4)], order)
    if source_codec == "libx264":
        settings = settings | {"x264-params": f"{order}=1"}
    source = write_frames(tmp_path / "a.mkv", frames, codec=source_codec, options=settings)
    first = {"tff": "T", "bff": "B"}[order]
    assert [shown_info(frame, "i") for frame in decoded(source)] == [first] * 4
    output = colored(source, fake_colorizer, FilmOptions(codec=codec, crf=1), tmp_path / "b.mkv")
    frames = decoded(output)
    assert [shown_info(frame, "i") for frame in frames] == [first] * 4
    even, odd = plane(frames[1], 2)[::2].astype(int), plane(frames[1], 2)[1::2].astype(int)
    assert abs(even.mean() - odd.mean()) > 4


@pytest.mark.parametrize("height", [50, 62, 486])
def test_fields_of_any_height(height, tmp_path, fake_colorizer):
    """One field may have a row of luma more than its chroma has rows for."""
    frames = in_fields([still_frame(np.resize(pan(1)[0], (height, 96)) // 4 + 100) for _ in range(2)], "bff")
    source = write_frames(tmp_path / "a.mkv", frames, codec="ffv1")
    output = colored(source, fake_colorizer)
    assert same_lumas(source, output)
    cr = plane(decoded(output)[0], 2)
    assert len(cr) == height // 2
    assert cr.min() > 128  # orange, down to the last row


def test_the_range_that_only_frames_state_is_kept(tmp_path):
    """The decoder of MagicYUV gives limited range to frames, and none to the stream."""
    source = write_film(tmp_path / "a.avi", pan(2), name="gray", codec="magicyuv")
    report = colorize_film(source, None, LOSSLESS, colorizer=colorizer(tmp_path, lambda _: (0, 0)))
    for old, new in zip(decoded(source), decoded(report.output), strict=True):
        assert (old.color_range, new.color_range) == (1, 1)
        assert np.array_equal(plane(old), plane(new))


def test_one_bit_is_named_in_the_singular(tmp_path):
    frames = [still_frame(luma, "gray").reformat(format="monob") for luma in pan(2)]
    source = write_frames(tmp_path / "a.nut", frames, name="monob", codec="rawvideo")
    report = colorize_film(source, None, LOSSLESS, colorizer=colorizer(tmp_path, lambda _: (0, 0)))
    assert "luma of 1 bit becomes luma of 8 bits, exactly scaled" in report.notes


@pytest.mark.parametrize("name", ["gray", "gray10le", "gray10be", "gray12le", "gray14le", "gray16le", "ya8"])
def test_untagged_grey_is_shown_as_before(name, tmp_path):
    """FFmpeg assumes full range for it, so the coloured film must state that; no bit may change."""
    grey = av.VideoFormat(name)
    bits = grey.components[0].bits
    frame = still_frame(pan(1)[0], "gray").reformat(format="gray16le" if bits > 8 else name)
    if bits > 8:
        deep = plane(frame) >> (16 - bits)
        frame = av.VideoFrame(frame.width, frame.height, name)
        frame.planes[0].update(deep.astype(">u2" if grey.is_big_endian else "<u2").tobytes())
    frame.color_range = 0
    with av.open(str(tmp_path / "a.nut"), "w") as out:
        video = out.add_stream("rawvideo", rate=24)
        video.width, video.height, video.pix_fmt = frame.width, frame.height, name
        frame.pts, frame.time_base = 0, 1 / RATE
        out.mux(video.encode(frame))
        out.mux(video.encode(None))
    (read,) = decoded(tmp_path / "a.nut")
    assert read.color_range == 0
    report = colorize_film(tmp_path / "a.nut", None, LOSSLESS, colorizer=colorizer(tmp_path, lambda _: (0, 0)))
    assert report.output.suffix == ".mkv"
    (found,) = decoded(report.output)
    assert found.color_range == 2
    if name != "ya8":
        before = np.frombuffer(read.planes[0], ("u1", ">u2" if grey.is_big_endian else "<u2")[bits > 8])
        assert np.array_equal(plane(found), before.reshape(64, -1)[:, :96])
        assert report.notes == []
    as_before, as_now = (f.reformat(format="gray").to_ndarray().astype(int) for f in (read, found))
    assert np.abs(as_before - as_now).max() <= 1


@pytest.mark.parametrize("order", ["", "tff"])
def test_chroma_is_sited_where_players_expect_it(order):
    """It is on the left of two columns, and between two rows: half-way, or in fields a quarter or three quarters."""
    rng = np.random.default_rng(1)
    luma = rng.integers(60, 190, (64, 96)).astype(np.uint8)
    y = luma.astype(np.float32)
    across = y.copy()
    across[:, 1:-1] = (y[:, :-2] + 2 * y[:, 1:-1] + y[:, 2:]) / 4
    across = across[:, 0::2]
    wanted = (across[0::2] + across[1::2]) / 2
    if order:
        wanted[0::2] = 0.75 * across[0::4] + 0.25 * across[2::4]
        wanted[1::2] = 0.25 * across[1::4] + 0.75 * across[3::4]
    out = np.empty((2, 32, 48), np.uint8)

    def render(part, *, sampling, out):
        coefficients = np.zeros((4, 8, 8), np.float32)
        coefficients[0], coefficients[1] = 0.5, -0.25
        apply_to_luma(coefficients, part, strength=1, sampling=sampling, out=out)

    render_fields(render, luma, (out[0], out[1]), interlaced=bool(order), subsampling=(2, 2))
    found = 2 * (out[0].astype(float) - 128) + 127.5
    assert np.abs(found - wanted)[:, 1:].max() < 3.1
