"""Negatives, linear scans and halftones: the network sees the scene, and the luma does not change."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
import tifffile
from PIL import Image, ImageCms
from skimage import data

from photochrom import Colorizer, photo
from photochrom.commands.main import main
from photochrom.errors import OptionError, PhotoError
from photochrom.photo.negatives import LOOKS_NEGATIVE
from photochrom.photo.read import is_halftone, read_photo
from photochrom.photo.sidecars import outdated
from tests.helpers.fakes import FakeEngine, card_metadata, constant_answer
from tests.helpers.photographs import bt601, linear_dng, opened, saved, smooth

PICTURE = np.asarray(Image.fromarray(data.astronaut()).convert("L").resize((240, 240)))
SIDECAR = (
    '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
    '<rdf:Description rdf:about="" xmlns:dc="http://purl.org/dc/elements/1.1/" '
    'xmlns:photoshop="http://ns.adobe.com/photoshop/1.0/" photoshop:City="Leeds" '
    'xmlns:darktable="http://darktable.sf.net/" darktable:history_end="3"><dc:title><rdf:Alt>'
    '<rdf:li xml:lang="x-default">Market, 1911</rdf:li></rdf:Alt></dc:title></rdf:Description></rdf:RDF></x:xmpmeta>'
)


@pytest.fixture(scope="module")
def colorizer() -> Colorizer:
    return Colorizer()


@pytest.mark.slow
def test_a_negative_gets_complementary_colours(colorizer: Colorizer, tmp_path: Path) -> None:
    """Inverted, the output is the coloured positive; its luma is the negative's."""
    path, plain = tmp_path / "negative.png", tmp_path / "positive.png"
    photo.colorize_photo(saved(255 - PICTURE, "PNG"), path, colorizer=colorizer, negative=True)
    photo.colorize_photo(saved(PICTURE, "PNG"), plain, colorizer=colorizer)
    negative, positive = (np.asarray(Image.open(file)).astype(int) for file in (path, plain))
    assert np.abs(bt601(negative.astype(np.uint8)).astype(int) - (255 - PICTURE)).max() <= 1
    assert np.abs(255 - negative - positive).max() <= 3
    assert np.ptp(positive, axis=-1).mean() > 5


@pytest.mark.parametrize("kind", ["negative", "linear"])
def test_blank_margins_stay_neutral(kind: Literal["negative", "linear"]) -> None:
    colorizer = Colorizer(engine=FakeEngine(constant_answer(30, 30), card_metadata()))
    page = np.pad(PICTURE, ((37, 61), (70, 25)), constant_values=90)
    scan = replace(read_photo(saved(page, "PNG")), kind=kind)
    planes = colorizer.chroma(scan.luma, tones=scan.tones)
    for plane in planes:
        assert np.ptp(plane[37:-61, 70:-25]) > 9
        plane[37:-61, 70:-25] = 128
        assert (plane == 128).all()


@pytest.mark.slow
def test_a_linear_dng_becomes_a_tiff_of_16_bits(colorizer: Colorizer, tmp_path: Path) -> None:
    source = tmp_path / "plustek.dng"
    source.write_bytes(linear_dng(PICTURE))
    assert main(["photo", str(source)]) == 0
    output = tmp_path / "plustek.color.tif"
    stored = tifffile.imread(output)
    assert stored.dtype == np.uint16
    assert np.abs(bt601(stored).astype(int) - tifffile.imread(source).astype(int)).max() <= 1
    with tifffile.TiffFile(output) as file:
        tags = file.pages[0].tags
        assert 50706 not in tags
        profile = ImageCms.ImageCmsProfile(BytesIO(tags[34675].value))
    grey = Image.fromarray(np.full((1, 1, 3), 55, np.uint8))
    shown = ImageCms.profileToProfile(grey, profile, ImageCms.createProfile("sRGB"))
    assert shown is not None
    assert np.abs(np.asarray(shown).astype(int) - 128).max() <= 1  # 55/255 of the light is sRGB's 128
    # The colours are those of the scan with its tones as a person sees them. Places that the model is unsure of may
    # differ: half a step of luma can decide which of two colours a coat gets.
    photo.colorize_photo(saved(PICTURE, "PNG"), tmp_path / "seen.png", colorizer=colorizer)
    expected = np.asarray(Image.open(tmp_path / "seen.png")) / 255.0
    assert np.median(np.abs((stored / 65535.0) ** (1 / 2.2) - expected)) < 0.01


def test_camera_raw_stays_refused() -> None:
    with pytest.raises(PhotoError, match=r"camera's raw file: develop it"):
        photo.read_photo(linear_dng(PICTURE, samples=3))


def test_the_network_sees_the_tones_behind_a_halftone(colorizer: Colorizer, tmp_path: Path) -> None:
    image = Image.fromarray(PICTURE).convert("1")
    path = tmp_path / "news.color.png"
    report = photo.colorize_photo(saved(image, "PNG"), path, colorizer=colorizer)
    luma = np.asarray(image.convert("L"))
    assert is_halftone(luma)
    assert not is_halftone(PICTURE)
    assert not is_halftone(np.zeros((3, 3), np.uint8))
    assert [line for line in report.warnings if "scan it in grey" in line and "8 bits" in line]
    assert np.array_equal(np.asarray(opened(path.read_bytes()).convert("L")), luma)
    assert np.corrcoef(read_photo(saved(image, "PNG")).scene.ravel(), PICTURE.ravel())[0, 1] > 0.9


@pytest.mark.slow
@pytest.mark.parametrize("name", ["market.jpg.xmp", "market.xmp"])
def test_a_sidecars_captions_are_carried_over(colorizer: Colorizer, tmp_path: Path, name: str) -> None:
    """Its settings for developing the old pixels are not."""
    source = tmp_path / "market.jpg"
    source.write_bytes(saved(smooth(60, 80), "JPEG"))
    (tmp_path / name).write_text(SIDECAR)
    report = photo.colorize_photo(source, tmp_path / "out.jpg", colorizer=colorizer)
    packet = opened((tmp_path / "out.jpg").read_bytes()).info["xmp"]
    assert b"Market, 1911" in packet
    assert b"Leeds" in packet
    assert b"history_end" not in packet
    assert report.warnings == ()


@pytest.mark.parametrize("link", ["nowhere.xmp", "market.jpg.xmp"])
def test_a_sidecar_that_is_a_link_to_nowhere_is_an_error(tmp_path: Path, link: str) -> None:
    source = tmp_path / "market.jpg"
    source.write_bytes(saved(smooth(60, 80), "JPEG"))
    (tmp_path / "market.jpg.xmp").symlink_to(link)
    with pytest.raises(PhotoError, match=r"market\.jpg\.xmp: is a link that leads"):
        read_photo(source)


@pytest.mark.slow
def test_the_label_in_a_sidecar(colorizer: Colorizer, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = tmp_path / "market.jpg"
    source.write_bytes(saved(smooth(60, 80), "JPEG"))
    (tmp_path / "market.xmp").write_text("no XMP")
    assert main(["photo", str(source), "--sidecar"]) == 0
    assert "market.jpg: its sidecar market.xmp is not kept" in capsys.readouterr().err
    label = (tmp_path / "market.color.jpg.xmp").read_bytes()
    assert b"compositeWithTrainedAlgorithmicMedia" in label
    assert b"compositeWithTrainedAlgorithmicMedia" not in (tmp_path / "market.color.jpg").read_bytes()
    output = photo.OutputOptions(sidecar=True)
    with pytest.raises(PhotoError, match="exists already"):
        photo.colorize_photo(source, tmp_path / "market.color.jpg", colorizer=colorizer, output=output)


def test_the_sidecar_of_a_replaced_photograph_is_removed(tmp_path: Path) -> None:
    colorizer = Colorizer(engine=FakeEngine(constant_answer(30, 40), card_metadata()))
    target = tmp_path / "out.png"
    sidecar = tmp_path / "out.png.xmp"

    def color(*, beside: bool, overwrite: bool) -> tuple[str, ...]:
        output = photo.OutputOptions(sidecar=beside, overwrite=overwrite)
        source = saved(smooth(60, 80), "PNG")
        return photo.colorize_photo(source, target, colorizer=colorizer, output=output).warnings

    assert color(beside=True, overwrite=False) == ()
    target.unlink()
    assert color(beside=False, overwrite=False) == (outdated(sidecar.name),)
    assert sidecar.exists()
    assert color(beside=False, overwrite=True) == ()
    assert not sidecar.exists()


def colorizer_surest_of(lightness: float) -> Colorizer:
    """Return a colorizer whose confidence falls with the difference of a picture's mean lightness from this one."""

    def answer(inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        small = inputs["lightness"][:, :, ::8, ::8]
        return {"ab": np.repeat(small, 2, 1), "confidence": 1 - np.abs(small.mean() - lightness) + 0 * small}

    return Colorizer(engine=FakeEngine(answer, card_metadata()))


def test_the_pages_that_are_likely_negatives_are_named(tmp_path: Path) -> None:
    with tifffile.TiffWriter(tmp_path / "film.tif") as file:
        for level in (60, 190):
            file.write((level + PICTURE // 8).astype(np.uint8), metadata=None)
    report = photo.colorize_photo(tmp_path / "film.tif", tmp_path / "out.tif", colorizer=colorizer_surest_of(0.0))
    assert report.warnings == (f"page 2: {LOOKS_NEGATIVE}",)


@pytest.mark.parametrize(
    ("level", "surest", "negative", "noticed"),
    [(190, 0.0, False, True), (190, 0.0, True, False), (60, 0.0, False, False), (190, 1.0, False, False)],
)
def test_a_likely_negative_is_reported(
    level: int, surest: float, negative: bool, noticed: bool, tmp_path: Path
) -> None:
    """The picture is bright or dark, and the fake network is most confident of dark or of bright pictures."""

    colorizer = colorizer_surest_of(surest)
    source = saved((level + PICTURE // 8).astype(np.uint8), "PNG")
    report = photo.colorize_photo(source, tmp_path / "out.png", colorizer=colorizer, negative=negative)
    assert report.warnings == ((LOOKS_NEGATIVE,) if noticed else ())
    stream = BytesIO()
    assert photo.colorize_photo(source, stream, colorizer=colorizer, negative=negative).warnings == report.warnings
    assert stream.getvalue() == (tmp_path / "out.png").read_bytes()
    with pytest.raises(OptionError, match="files beside the output"):
        photo.colorize_photo(source, stream, colorizer=colorizer, output=photo.OutputOptions(sidecar=True))
