"""The luma scans of a grey JPEG are kept byte for byte, and scans of chroma follow them."""

import io
import re
import struct
import warnings

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from photochrom.photo.formats.splice import CannotSplice, luma_scans, splice

JFIF = b"\xff\xd8\xff\xe0\x00\x10JFIF\x00\x01\x01\x00\x00\x01\x00\x01\x00\x00"
SIZES = [(1, 1), (7, 9), (8, 8), (16, 16), (17, 33), (61, 75), (130, 96), (255, 64)]


def picture(height, width, seed=0):
    noise = np.random.default_rng(seed).integers(0, 30, (height, width))
    return (np.add.outer(np.arange(height) // 3, np.arange(width) // 2) % 200 + noise).astype(np.uint8)


def grey_jpeg(height=61, width=75, **options):
    stream = io.BytesIO()
    Image.fromarray(picture(height, width)).save(stream, "JPEG", **({"quality": 90} | options))
    return stream.getvalue()


def chroma(height, width, seed=1, step=2):
    shape = -(-height // step), -(-width // step)
    random = np.random.default_rng(seed)
    return [cv2.GaussianBlur(random.integers(60, 200, shape).astype(np.uint8), (0, 0), 2) for _ in range(2)]


def spliced(data, quality=90):
    scans = luma_scans(data)
    return JFIF + b"".join(splice(scans, *chroma(scans.height, scans.width, step=scans.subsampling[0]), quality))


def scans_of(data):
    """Return the entropy-coded bytes of each scan, found without Photochrom's code."""
    found = []
    for match in re.finditer(rb"\xff\xda", data):
        start = match.end() + int.from_bytes(data[match.end() : match.end() + 2], "big")
        end = start
        while not (data[end] == 0xFF and data[end + 1] not in (0, 0xFF, *range(0xD0, 0xD8))):
            end += 1
        found.append(data[start:end])
    return found


def ycbcr(data):
    image = Image.open(io.BytesIO(data))
    image.draft("YCbCr", image.size)
    assert image.mode == "YCbCr"
    return np.asarray(image)


@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"optimize": True},
        {"progressive": True},
        {"restart_marker_blocks": 1},
        {"restart_marker_rows": 1},
        {"progressive": True, "restart_marker_blocks": 5},
        {"quality": 5},
        {"quality": 100},
    ],
    ids=str,
)
def test_luma_is_kept_and_chroma_is_added(size, options):
    data = grey_jpeg(*size, **options)
    result = spliced(data)
    luma_scans_kept = scans_of(result)[: len(scans_of(data))]
    assert luma_scans_kept == scans_of(data)
    planes = ycbcr(result)
    np.testing.assert_array_equal(planes[..., 0], np.asarray(Image.open(io.BytesIO(data))))
    # OpenCV brings a libjpeg of its own.
    np.testing.assert_array_equal(cv2.imdecode(np.frombuffer(result, np.uint8), cv2.IMREAD_GRAYSCALE), planes[..., 0])


@pytest.mark.parametrize("progressive", [False, True])
def test_coefficients_are_equal_by_an_independent_reader(tmp_path, progressive):
    jpeglib = pytest.importorskip("jpeglib")
    data = grey_jpeg(61, 75, progressive=progressive, optimize=True)
    (tmp_path / "grey.jpg").write_bytes(data)
    (tmp_path / "color.jpg").write_bytes(spliced(data, quality=80))
    with jpeglib.version("turbo210"):
        grey, color = (jpeglib.read_dct(str(tmp_path / name)) for name in ("grey.jpg", "color.jpg"))
    blocks = -(-61 // 8), -(-75 // 8)
    np.testing.assert_array_equal(color.Y[: blocks[0], : blocks[1]], grey.Y[: blocks[0], : blocks[1]])
    np.testing.assert_array_equal(color.qt[0], grey.qt[0])
    assert color.Cb.shape[:2] == color.Cr.shape[:2] == (-(-31 // 8), -(-38 // 8))
    assert np.count_nonzero(color.Cb) > 100


@pytest.mark.parametrize("progressive", [False, True])
def test_chroma_is_the_given_chroma(progressive):
    """Decoded without interpolation, each sample of chroma is within what its quantisation loses."""
    data = grey_jpeg(61, 76, progressive=progressive)
    cb, cr = chroma(61, 76)
    planes = ycbcr(spliced(data, quality=97)).astype(int)
    for plane, given_plane in ((planes[..., 1], cb), (planes[..., 2], cr)):
        small = plane[:60].reshape(30, 2, 38, 2).mean((1, 3))
        assert np.abs(small - given_plane[:30]).mean() < 2
    assert np.abs(planes[..., 1] - planes[..., 2]).mean() > 5  # they are not the same plane twice


def test_quality_is_of_the_chroma_alone():
    data = grey_jpeg()
    low, high = spliced(data, quality=30), spliced(data, quality=95)
    assert len(low) < len(high)
    np.testing.assert_array_equal(ycbcr(low)[..., 0], ycbcr(high)[..., 0])


def test_the_quantisation_of_chroma_is_libjpegs_of_that_quality():
    stream = io.BytesIO()
    Image.new("RGB", (8, 8)).save(stream, "JPEG", quality=80)
    expected = Image.open(stream).quantization[1]
    assert Image.open(io.BytesIO(spliced(grey_jpeg(), quality=80))).quantization[1] == expected


def test_no_decoder_warns():
    for options in ({}, {"progressive": True}, {"restart_marker_blocks": 2}):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            Image.open(io.BytesIO(spliced(grey_jpeg(**options)))).load()


def test_files_with_restarts_get_chroma_of_full_size():
    """Go's decoder refuses them otherwise, see ``LumaScans.subsampling``."""
    for options, step in (({}, 2), ({"restart_marker_blocks": 2}, 1)):
        data = grey_jpeg(**options)
        assert luma_scans(data).subsampling == (step, step)
        layers = Image.open(io.BytesIO(spliced(data))).layer
        assert [layer[1:3] for layer in layers] == [(step, step), (1, 1), (1, 1)]


# --- grey files as other programs write them


def with_segments(data, change):
    """Return the file with ``change(marker, payload)`` applied to each segment before the first scan."""
    out, position = data[:2], 2
    while data[position + 1] != 0xDA:
        size = int.from_bytes(data[position + 2 : position + 4], "big")
        marker, payload = data[position + 1], data[position + 4 : position + 2 + size]
        for new in change(marker, payload):
            out += struct.pack(">BBH", 0xFF, new[0], len(new[1]) + 2) + new[1]
        position += 2 + size
    return out + data[position:]


def frame_changed(data, marker=0xC0, **fields):
    def change(found, payload):
        if not 0xC0 <= found <= 0xC2:
            return [(found, payload)]
        names = ("precision", "height", "width", "components", "number", "sampling", "table")
        values = dict(zip(names, struct.unpack(">BHHBBBB", payload), strict=True)) | fields
        return [(marker, struct.pack(">BHHBBBB", *values.values()))]

    return with_segments(data, change)


def assert_kept(data):
    result = spliced(data)
    np.testing.assert_array_equal(ycbcr(result)[..., 0], np.asarray(Image.open(io.BytesIO(data)).convert("L")))


def test_sampling_factors_of_a_single_component_are_ignored():
    assert_kept(frame_changed(grey_jpeg(), sampling=0x22))


def test_extended_frames():
    result = spliced(frame_changed(grey_jpeg(), marker=0xC1))
    assert b"\xff\xc1" in result
    assert_kept(frame_changed(grey_jpeg(), marker=0xC1))


def test_another_component_number():
    data = frame_changed(grey_jpeg(), number=ord("Y"))
    scan = data.index(b"\xff\xda")
    assert_kept(data[: scan + 5] + b"Y" + data[scan + 6 :])


def test_a_luma_table_numbered_as_the_chroma_s_is_here():
    """Table 1 is the luma's in the source and the chroma's in the result; other tables are unused."""
    data = with_segments(
        frame_changed(grey_jpeg(), table=1),
        lambda marker, payload: (
            [(0xDB, bytes([0]) + bytes([7] * 64)), (0xDB, bytes([1]) + payload[1:])]
            if marker == 0xDB
            else [(marker, payload)]
        ),
    )
    assert_kept(data)


def test_tables_of_16_bits_in_extended_frames():
    def wide(marker, payload):
        if marker != 0xDB:
            return [(marker, payload)]
        return [(0xDB, bytes([0x10]) + b"".join(bytes([0, value]) for value in payload[1:]))]

    assert_kept(frame_changed(with_segments(grey_jpeg(), wide), marker=0xC1))


def test_fill_bytes_before_markers():
    data = grey_jpeg()
    assert_kept(data.replace(b"\xff\xda", b"\xff\xff\xff\xda").replace(b"\xff\xc4", b"\xff\xff\xc4"))


def test_bytes_after_the_end_are_left_out():
    assert spliced(grey_jpeg() + b"trailing" * 100) == spliced(grey_jpeg())


def test_a_restart_interval_does_not_reach_the_chroma():
    """Otherwise decoders look for restart markers in scans that have none."""
    result = spliced(grey_jpeg(130, 96, restart_marker_blocks=2))
    last = result.rindex(b"\xff\xdd")
    assert result[last : last + 6] == b"\xff\xdd\x00\x04\x00\x00"
    assert last > result.index(b"\xff\xda")


# --- files whose scans cannot be kept


def cut(data):
    return data[:-2]


REFUSED = {
    "interleaved": (lambda: color_jpeg(), "interleaved with chroma"),
    "12 bits": (lambda: frame_changed(grey_jpeg(), marker=0xC1, precision=12), "12 bits"),
    "lossless": (lambda: frame_changed(grey_jpeg(), marker=0xC3), "lossless"),
    "arithmetic": (lambda: frame_changed(grey_jpeg(), marker=0xC9), "arithmetic"),
    "no height": (lambda: frame_changed(grey_jpeg(), height=0), "DNL"),
    "cut": (lambda: cut(grey_jpeg()), "does not end"),
    "cut header": (lambda: grey_jpeg()[:40], "damaged"),
    "no scan": (lambda: grey_jpeg()[: grey_jpeg().index(b"\xff\xda")] + b"\xff\xd9", "damaged"),
    "no table": (lambda: frame_changed(grey_jpeg(), table=3), "quantisation table is missing"),
    "two frames": (lambda: with_segments(grey_jpeg(), lambda m, p: [(m, p)] * (1 + (m == 0xC0))), "several frames"),
    "no picture": (lambda: b"\xff\xd8hello", "damaged"),
    "empty": (lambda: b"", "damaged"),
}


def color_jpeg():
    stream = io.BytesIO()
    Image.fromarray(picture(16, 16)).convert("RGB").save(stream, "JPEG")
    return stream.getvalue()


@pytest.mark.parametrize("kind", REFUSED)
def test_other_files_are_refused_with_the_reason(kind):
    make, reason = REFUSED[kind]
    with pytest.raises(CannotSplice, match=reason):
        luma_scans(make())


@settings(max_examples=300)
@given(st.data())
@pytest.mark.slow
def test_damaged_files_are_refused_or_stay_as_sound_as_they_were(data):
    """If any byte is changed, the file is refused, or the result is as sound as the source."""
    source = bytearray(grey_jpeg(progressive=data.draw(st.booleans()), restart_marker_blocks=3))
    for _ in range(data.draw(st.integers(1, 3))):
        source[data.draw(st.integers(2, len(source) - 1))] = data.draw(st.integers(0, 255))
    try:
        scans = luma_scans(bytes(source))
    except CannotSplice:
        return
    if scans.height * scans.width > 10**6:
        return
    planes = chroma(scans.height, scans.width, step=scans.subsampling[0])
    assert splice(scans, *planes, 90)[-1] == b"\xff\xd9"
