"""A grey JPEG that becomes a coloured JPEG keeps its coded luma on every path through the package."""

import io
import re

import numpy as np
import pytest
from PIL import Image

from photochrom import photo
from photochrom.commands.main import main
from photochrom.label import is_labelled
from photochrom.photo import OutputOptions, colorize_photo
from photochrom.photo.formats import jpeg_coefficients as coefficients
from tests.corpus.make import exif, grey, saved, toned
from tests.photo.test_splice import scans_of


def jpeg(path, image=None, **options):
    path.write_bytes(saved(image or Image.fromarray(grey(61, 75)), "JPEG", **({"quality": 90} | options)))
    return path


@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"restart_marker_blocks": 3}], ids=str)
def test_luma_scans_are_kept_byte_for_byte(tmp_path, fake_colorizer, options):
    source = jpeg(tmp_path / "old.jpg", dpi=(300, 300), comment=b"a comment", **options)
    output = tmp_path / "old.color.jpg"
    report = colorize_photo(source, output, colorizer=fake_colorizer)
    assert report.luma_coding == "its coded luma is kept byte for byte"
    kept = scans_of(source.read_bytes())
    assert scans_of(output.read_bytes())[: len(kept)] == kept
    image = Image.open(output)
    assert image.info["dpi"] == (300, 300)
    assert image.info["comment"] == b"a comment"
    assert is_labelled(output)
    image.draft("YCbCr", None)
    planes = np.asarray(image)
    np.testing.assert_array_equal(planes[..., 0], np.asarray(Image.open(source)))
    assert planes[..., 2].mean() > 140  # it is orange


@pytest.mark.parametrize(
    ("image", "options", "reason"),
    [
        (Image.fromarray(toned(61, 75)), {}, "it is interleaved with chroma (pip install"),
        (None, {"exif": exif(6)}, "it is turned upright"),
    ],
    ids=["toned", "turned"],
)
def test_the_report_says_why_the_coded_luma_cannot_be_kept(
    tmp_path, fake_colorizer, image, options, reason, capsys, monkeypatch
):
    monkeypatch.setattr(coefficients, "has_jpeglib", lambda: False)
    source = jpeg(tmp_path / "old.jpg", image, **options)
    report = colorize_photo(source, tmp_path / "out.jpg", colorizer=fake_colorizer)
    assert report.luma_coding.startswith(f"its luma is re-encoded: {reason}")
    monkeypatch.setattr("photochrom.colorizer.colorizer.Colorizer", lambda *_: fake_colorizer)
    assert main(["photo", "-v", "--recolor", str(source)]) == 0
    said = capsys.readouterr()
    assert reason in said.out + said.err


def test_damaged_scans_are_not_kept(tmp_path, fake_colorizer):
    source = jpeg(tmp_path / "old.jpg")
    data = source.read_bytes()
    source.write_bytes(data[: 3 * len(data) // 4] + b"\xff\xd3" + data[3 * len(data) // 4 :])
    report = colorize_photo(source, tmp_path / "out.jpg", colorizer=fake_colorizer)
    assert report.luma_coding.startswith("its luma is re-encoded: its coded data is damaged (")
    Image.open(tmp_path / "out.jpg").load()


def test_an_orientation_of_one_changes_nothing(tmp_path, fake_colorizer):
    source = jpeg(tmp_path / "old.jpg", exif=exif(1))
    report = colorize_photo(source, tmp_path / "out.jpg", colorizer=fake_colorizer)
    assert report.luma_coding == "its coded luma is kept byte for byte"


def test_reports_of_other_formats_omit_the_luma_coding(tmp_path, fake_colorizer):
    source = jpeg(tmp_path / "old.jpg")
    assert colorize_photo(source, tmp_path / "out.png", colorizer=fake_colorizer).luma_coding == ""


def test_quality_is_of_the_chroma_alone(tmp_path, fake_colorizer):
    source = jpeg(tmp_path / "old.jpg")
    sizes = []
    for quality in (20, 95):
        output = tmp_path / f"{quality}.jpg"
        colorize_photo(source, output, colorizer=fake_colorizer, output=OutputOptions(quality=quality))
        assert scans_of(output.read_bytes())[0] == scans_of(source.read_bytes())[0]
        sizes.append(output.stat().st_size)
    assert sizes[0] <= sizes[1]


def test_there_is_one_jfif_segment_and_no_adobe_segment(tmp_path, fake_colorizer):
    source = jpeg(tmp_path / "old.jpg")
    data = source.read_bytes()
    source.write_bytes(data[:2] + b"\xff\xee\x00\x0eAdobe\x00\x64\0\0\0\0\x00" + data[2:])
    colorize_photo(source, tmp_path / "out.jpg", colorizer=fake_colorizer)
    out = (tmp_path / "out.jpg").read_bytes()
    assert b"Adobe\x00" not in out[:200]
    assert len(re.findall(rb"JFIF\0", out)) == 1


def test_encoding_from_memory_keeps_the_scans_too():
    data = saved(Image.fromarray(grey(61, 75)), "JPEG", quality=90)
    picture = photo.read_photo(data)
    planes = [np.full((31, 38), value, np.uint8) for value in (120, 140)]
    out = photo.encode_photo(picture, *planes, format="JPEG", credit="fake")
    assert scans_of(out)[0] == scans_of(data)[0]
    assert Image.open(io.BytesIO(out)).size == (75, 61)


def test_the_scan_is_kept_without_a_copy_of_the_file():
    """The copy once took as much memory as the file, and a tenth of the time to decode a large picture."""
    data = saved(Image.fromarray(grey(61, 75)), "JPEG", exif=exif(1)) + b"a film, behind the picture"
    file = photo.read_photo(data)
    assert all(coded.obj is data for *_, coded in file.coded_luma.parts)
    assert bytes(file.coded_luma.trailer) == b"a film, behind the picture"
