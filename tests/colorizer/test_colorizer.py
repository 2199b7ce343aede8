"""The path of a picture through the colorizer, with a fake network."""

import re
from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from PIL import Image
from skimage.color import rgb2lab

from photochrom import Colorizer, ColorOptions, Hint, ModelError, OptionError, PhotoError
from photochrom.color.coding import Coding
from photochrom.color.luma_range import Sampling
from photochrom.color.spaces import luma_of_rgb
from tests.helpers.fakes import FakeEngine, card_metadata, constant_answer
from tests.helpers.suggesting import BINS, hinting_engine

CAUTIOUS = ColorOptions(vividness=0.1)


def test_colours_are_those_that_the_network_predicts(fake_colorizer):
    luma = np.tile(np.linspace(110, 140, 120).astype(np.uint8), (90, 1))  # a picture of one tone stays grey
    lab = rgb2lab(fake_colorizer.colorize(luma))
    np.testing.assert_allclose(lab[..., 1], 30, atol=1)
    np.testing.assert_allclose(lab[..., 2], 40, atol=1)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("shape", [(1, 1), (1, 300), (299, 2), (77, 93), (500, 400)])
def test_luma_is_untouched_at_any_size_and_depth(fake_colorizer, shape, dtype):
    luma = np.random.default_rng(0).integers(0, np.iinfo(dtype).max, shape, dtype, endpoint=True)
    rgb = fake_colorizer.colorize(luma)
    assert rgb.dtype == dtype
    assert rgb.shape == (*shape, 3)
    assert np.abs(luma_of_rgb(rgb).astype(int) - luma).max() <= 1


def test_results_have_the_type_of_the_input(fake_colorizer, photograph):
    of_array = fake_colorizer.colorize(photograph)
    of_image = fake_colorizer.colorize(Image.fromarray(photograph))
    assert isinstance(of_image, Image.Image)
    assert of_image.mode == "RGB"
    assert np.abs(np.asarray(of_image, int) - of_array).mean() < 1


def test_a_known_prediction_is_not_made_again(fake_colorizer, photograph, monkeypatch):
    luma = luma_of_rgb(photograph)
    expected, prediction = fake_colorizer.colorize(luma), fake_colorizer.predict(luma)
    monkeypatch.setattr(fake_colorizer, "predict", None)
    np.testing.assert_array_equal(fake_colorizer.colorize(luma, prediction=prediction), expected)
    colored = fake_colorizer.colorize(Image.fromarray(luma), prediction=prediction)
    np.testing.assert_array_equal(np.asarray(colored), expected)


def test_alpha_and_depth_of_pil_images(fake_colorizer, photograph):
    grey = Image.fromarray(photograph).convert("LA")
    grey.putalpha(Image.linear_gradient("L").resize(grey.size))
    colored = fake_colorizer.colorize(grey)
    assert colored.mode == "RGBA"
    assert colored.getchannel("A").tobytes() == grey.getchannel("A").tobytes()
    deep = Image.fromarray(luma_of_rgb(photograph).astype(np.uint16) * 257)
    colored = fake_colorizer.colorize(deep)
    assert np.abs(luma_of_rgb(np.asarray(colored)).astype(int) - luma_of_rgb(photograph)).max() <= 1


def test_the_network_sees_multiples_of_32_near_the_pictures_shape(tmp_path):
    seen = []

    def answer(inputs):
        seen.append(inputs["lightness"].shape[2:])
        assert 0 <= inputs["lightness"].min() <= inputs["lightness"].max() <= 1
        return constant_answer(0, 0)(inputs)

    colorizer = Colorizer(_file(tmp_path), engine=FakeEngine(answer, card_metadata()))
    for height, width in ((480, 640), (640, 480), (100, 5000), (31, 33)):
        colorizer.predict(np.zeros((height, width), np.uint8))
    assert seen == [(64, 96), (96, 64), (32, 256), (64, 64)]


def test_vividness_reaches_the_network_and_defaults_to_the_cards(tmp_path):
    seen = []

    def answer(inputs):
        seen.append(float(inputs["vividness"][0]))
        return constant_answer(0, 0)(inputs)

    colorizer = Colorizer(_file(tmp_path), engine=FakeEngine(answer, card_metadata()))
    luma = np.zeros((64, 64), np.uint8)
    colorizer.predict(luma)
    colorizer.predict(luma, CAUTIOUS)
    assert seen == pytest.approx([0.5, 0.1])


def test_a_dial_the_model_lacks_is_refused(tmp_path):
    colorizer = Colorizer(_file(tmp_path), engine=FakeEngine(constant_answer(0, 0), card_metadata(vividness=None)))
    colorizer.predict(np.zeros((64, 64), np.uint8))
    with pytest.raises(OptionError, match="has no vividness"):
        colorizer.predict(np.zeros((64, 64), np.uint8), CAUTIOUS)


@pytest.mark.parametrize(
    "picture", [np.zeros((4, 4)), np.zeros((4, 5, 3)), np.zeros((4, 4, 4), np.uint8), np.zeros(9, np.uint8)]
)
def test_an_array_that_is_not_a_picture_is_refused(fake_colorizer, picture):
    expected = f"[H, W] or [H, W, 3], not {picture.dtype} {list(picture.shape)}: convert it"
    with pytest.raises(PhotoError, match=re.escape(expected)):
        fake_colorizer.colorize(picture)


def test_an_array_that_is_not_a_luma_plane_is_refused(fake_colorizer):
    with pytest.raises(PhotoError, match=r"a luma plane is .* not uint8 \[4, 5, 3\]"):
        fake_colorizer.chroma(np.zeros((4, 5, 3), np.uint8))
    with pytest.raises(PhotoError, match="no pixels"):
        fake_colorizer.colorize(np.zeros((0, 7), np.uint8))


@pytest.mark.parametrize(
    "options",
    [
        {"vividness": -0.1}, {"vividness": float("nan")}, {"strength": 3}, {"detail": 0.9}, {"detail": 2.1},
        {"hints": None}, {"hints": "0.5,0.5,red"}, {"hints": Hint(0, 0, (0, 0, 0))}, {"hints": [(0.5, 0.5, "red")]},
    ],
)  # fmt: skip
def test_options_out_of_range_are_refused(options):
    with pytest.raises(OptionError, match=f"^{next(iter(options))} is"):
        ColorOptions(**options)


def test_a_list_of_hints_becomes_a_tuple():
    hint = Hint(0.5, 0.5, (200, 30, 40))
    assert ColorOptions(hints=[hint]) == ColorOptions(hints=(hint,))


@pytest.mark.parametrize("picture", [Image.new("F", (9, 9)), Image.new("I", (9, 9)), [1, 2], None, "old.jpg"])
def test_pixels_without_a_defined_luma_and_other_objects_are_refused(fake_colorizer, picture):
    with pytest.raises(PhotoError):
        fake_colorizer.colorize(picture)


def test_pil_images_are_turned_upright_as_files_are(fake_colorizer, photograph):
    image = Image.fromarray(photograph).convert("L")
    expected = np.asarray(fake_colorizer.colorize(image))
    turned = image.transpose(Image.Transpose.ROTATE_90)
    turned.getexif()[0x0112] = 6
    np.testing.assert_array_equal(np.asarray(fake_colorizer.colorize(turned)), expected)


def test_byte_order_and_strides_do_not_matter(fake_colorizer):
    luma = np.random.default_rng(0).integers(0, 65536, (80, 90), np.uint16)
    expected = fake_colorizer.colorize(luma)
    np.testing.assert_array_equal(fake_colorizer.colorize(luma.astype(">u2")), expected)
    np.testing.assert_array_equal(fake_colorizer.colorize(np.asfortranarray(luma)), expected)
    luma.setflags(write=False)
    np.testing.assert_array_equal(fake_colorizer.colorize(luma), expected)


def test_hints_reach_a_network_that_takes_them_as_planes(tmp_path):
    seen = []

    def answer(inputs):
        seen.append(inputs)
        return constant_answer(0, 0)(inputs)

    luma = np.zeros((480, 640), np.uint8)
    takes = Colorizer(_file(tmp_path), engine=FakeEngine(answer, card_metadata(hints=True)))
    takes.predict(luma)
    takes.predict(luma, ColorOptions(hints=(Hint(0.75, 0.25, (200, 30, 40)),)))
    # With hints the network runs twice: pixels beyond their influence take the prediction without them.
    assert [inputs["hints"].shape for inputs in seen] == [(1, 3, 64, 96)] * 3
    assert not seen[0]["hints"].any()
    known = seen[1]["hints"][0, :, 16, 72]
    np.testing.assert_allclose(known[1:], rgb2lab(np.array([[[200, 30, 40]]], np.uint8))[0, 0, 1:], atol=0.1)
    assert known[0] == 1
    seen.clear()
    takes_none = Colorizer(_file(tmp_path), engine=FakeEngine(answer, card_metadata()))
    takes_none.predict(luma, ColorOptions(hints=(Hint(0.75, 0.25, (200, 30, 40)),)))
    assert "hints" not in seen[0]


def test_a_hint_changes_only_near_and_similar_pixels(tmp_path):
    """The fake network answers any hint with another colour everywhere."""

    def answer(inputs):
        return constant_answer(40, 0)(inputs) if inputs["hints"].any() else constant_answer(0, 40)(inputs)

    luma = np.full((480, 640), 60, np.uint8)
    luma[:, 320:] = 200
    colorizer = Colorizer(_file(tmp_path), engine=FakeEngine(answer, card_metadata(hints=True)))
    ab = colorizer.predict(luma, ColorOptions(hints=(Hint(0.25, 0.5, (200, 30, 40)),))).ab
    np.testing.assert_allclose(ab[:, 4, 3], [40, 0], atol=2)
    np.testing.assert_allclose(ab[:, 4, 8], [0, 40], atol=1)  # across the edge
    assert ab[0, 0, 0] < ab[0, 4, 3] - 5  # alike, but farther


def test_a_prediction_holds_all_outputs_of_the_network(tmp_path):
    runs = []
    colorizer = Colorizer(_file(tmp_path), engine=hinting_engine(runs))
    luma = np.random.default_rng(0).integers(0, 256, (90, 120), np.uint8)
    prediction = colorizer.predict(luma, ColorOptions(hints=(Hint(0.2, 0.5, (30, 90, 120)),)))
    assert runs == [1, 1]  # with the hint, and without it for pixels beyond its influence
    assert prediction.ab.shape == (2, 8, 12)
    assert prediction.probability.shape == (len(BINS), 8, 12)
    assert prediction.confidence.shape == (8, 12)


@pytest.mark.parametrize("detail", [1.0, 1.5, 2.0])
def test_detail_averages_the_predictions_of_two_thumbnails(detail, tmp_path):
    """The fake network answers with the number of its input's rows as a*, and a gradient as b*."""
    seen = []

    def answer(inputs):
        outputs = constant_answer(len(inputs["lightness"][0, 0]), 0)(inputs)
        seen.append(outputs["ab"].shape[2:])
        outputs["ab"][:, 1] = (np.arange(seen[-1][1]) + 0.5) / seen[-1][1]
        return outputs

    colorizer = Colorizer(_file(tmp_path), engine=FakeEngine(answer, card_metadata()))
    luma = np.random.default_rng(0).integers(0, 256, (120, 160), np.uint8)
    prediction = colorizer.predict(luma, ColorOptions(detail=detail))
    assert seen == {1.0: [(8, 12)], 1.5: [(12, 16), (8, 12)], 2.0: [(16, 20), (8, 12)]}[detail]
    assert prediction.confidence.shape == prediction.ab.shape[1:] == seen[0]
    assert prediction.luma.shape == tuple(8 * side for side in seen[0])
    np.testing.assert_allclose(prediction.ab[0], 64 * (1 + detail) / 2, rtol=1e-6)
    gradient = (np.arange(seen[0][1]) + 0.5) / seen[0][1]
    np.testing.assert_allclose(prediction.ab[1, 0, 1:-1], gradient[1:-1], atol=1e-6)  # the ends are extrapolated


def test_small_pictures_are_enlarged_for_detail_and_the_usual_thumbnail_stays_sharp(tmp_path):
    luma = np.random.default_rng(0).integers(80, 176, (64, 96), np.uint8)
    colorizer = Colorizer(_file(tmp_path), engine=FakeEngine(constant_answer(0, 0), card_metadata()))
    enlarged = colorizer.thumbnail(luma, detail=2)
    assert enlarged.shape == (128, 192)
    assert np.abs(colorizer.thumbnail(enlarged).astype(int) - luma).max() <= 10  # with interpolation alone, 33


def test_detail_keeps_distributions_hints_and_margins(tmp_path):
    options = ColorOptions(hints=(Hint(0.5, 0.5, (30, 90, 120)),), detail=2)
    luma = np.full((240, 320), 255, np.uint8)
    luma[40:-40, 40:-40] = np.random.default_rng(0).integers(0, 200, (160, 240), np.uint8)
    colorizer = Colorizer(_file(tmp_path), engine=hinting_engine())
    prediction = colorizer.predict(luma, options)
    assert prediction.picture is not None
    assert prediction.ab.shape[1:] == prediction.probability.shape[1:] == prediction.confidence.shape
    np.testing.assert_allclose(prediction.probability.sum(0), 1, rtol=1e-5)
    ab = colorizer.ab(prediction, options.hints)
    height, width = ab.shape[1:]
    known = rgb2lab(np.uint8([[options.hints[0].color]]))[0, 0, 1:]
    np.testing.assert_allclose(ab[:, height // 2, width // 2], known, atol=1)
    np.testing.assert_allclose(ab[:, :3], 0, atol=1e-6)
    thumbnail = colorizer.thumbnail(luma, detail=2)
    assert thumbnail.shape == colorizer.thumbnail_size(*luma.shape, 2) == colorizer.thumbnail_size(*thumbnail.shape, 2)


@given(st.integers(1, 9999), st.integers(1, 9999), st.floats(1, 2), st.sampled_from([64, 224, 256]))
@example(4120, 9990, 1.2, 256)
@example(1762, 1429, 1.69, 256)
def test_a_thumbnail_keeps_its_size(height, width, detail, working_size):
    colorizer = Colorizer(engine=FakeEngine(constant_answer(0, 0), card_metadata(working_size=working_size)))
    size = colorizer.thumbnail_size(height, width, detail)
    assert colorizer.thumbnail_size(*size, detail) == size


@pytest.mark.parametrize(("detail", "square", "panorama"), [(1, (384, 384), (192, 1536)), (2, (768, 768), (192, 1536))])
def test_a_panorama_takes_no_more_memory_with_detail(detail, square, panorama):
    colorizer = Colorizer(engine=FakeEngine(constant_answer(0, 0), card_metadata(working_size=384)))
    assert colorizer.thumbnail_size(1000, 1000, detail) == square
    assert colorizer.thumbnail_size(1000, 8000, detail) == panorama


def test_outputs_that_a_model_lacks_are_none(fake_colorizer):
    prediction = fake_colorizer.predict(np.zeros((64, 64), np.uint8))
    assert prediction.probability is None
    assert prediction.confidence.shape == (8, 8)


def test_a_known_prediction_with_or_without_hints_is_not_computed_again(tmp_path):
    runs = []
    colorizer = Colorizer(_file(tmp_path), engine=hinting_engine(runs))
    luma = np.random.default_rng(0).integers(0, 256, (90, 120), np.uint8)
    hinted = ColorOptions(hints=(Hint(0.2, 0.5, (30, 90, 120)),))
    expected, chroma = colorizer.predict(luma, hinted), colorizer.chroma(luma, hinted)
    plain = colorizer.predict(luma)
    runs.clear()
    found = colorizer.predict(luma, hinted, plain=plain)
    assert runs == [1]
    np.testing.assert_array_equal(colorizer.chroma(luma, hinted, prediction=found), chroma)
    for name in ("luma", "ab", "confidence", "probability"):
        np.testing.assert_array_equal(getattr(found, name), getattr(expected, name))
    assert colorizer.predict(luma, plain=plain) is plain
    assert runs == [1]


@pytest.mark.slow
def test_one_colorizer_serves_many_threads():
    """Each thread gets the real network's answer to its own picture."""
    colorizer = Colorizer()
    rng = np.random.default_rng(0)
    lumas = [cv2.resize(rng.integers(0, 256, (8, 8), np.uint8), (96, 96)) for _ in range(24)]
    expected = [colorizer.predict(luma).ab for luma in lumas]
    with ThreadPoolExecutor(4) as pool:
        for ours, theirs in zip(pool.map(colorizer.predict, lumas), expected, strict=True):
            np.testing.assert_allclose(ours.ab, theirs, atol=1e-3)


def test_a_photograph_and_the_same_film_frame_give_the_same_thumbnail(fake_colorizer, photograph):
    luma = np.tile(luma_of_rgb(photograph), (4, 5))
    expected = fake_colorizer.thumbnail(luma)
    np.testing.assert_array_equal(fake_colorizer.thumbnail(luma, Coding(8, full_range=True)), expected)


@pytest.mark.parametrize("bits", [8, 10, 12, 16])
@pytest.mark.parametrize("full", [False, True])
def test_the_thumbnail_of_any_coding_is_the_photographs_to_one_value(bits, full, fake_colorizer, photograph):
    luma = np.tile(luma_of_rgb(photograph), (4, 5))
    coding = Coding(bits, full)
    coded = np.rint(luma * (coding.luma_span / 255) + coding.black).astype(np.uint8 if bits == 8 else np.uint16)
    found = fake_colorizer.thumbnail(coded, coding)
    assert np.abs(found.astype(int) - fake_colorizer.thumbnail(luma)).max() <= 1


@pytest.mark.parametrize("turns", [1, 2, 3])
def test_the_thumbnail_is_upright_and_knows_the_shape_of_pixels(turns, fake_colorizer, photograph):
    luma = luma_of_rgb(photograph)[:192, :128]
    expected = fake_colorizer.thumbnail(luma)
    stored = np.rot90(luma, -turns)
    np.testing.assert_array_equal(fake_colorizer.thumbnail(stored, turns=turns), expected)
    np.testing.assert_array_equal(fake_colorizer.thumbnail(expected), expected)
    assert fake_colorizer.thumbnail(luma[:, ::2], aspect=2).shape == expected.shape


def test_the_steps_one_by_one_give_the_same_as_chroma(tmp_path):
    colorizer = Colorizer(engine=hinting_engine())
    luma = np.random.default_rng(0).integers(0, 256, (90, 120), np.uint8)
    options = ColorOptions(strength=1.2, hints=(Hint(0.5, 0.5, (200, 30, 40)),))
    prediction = colorizer.predict(colorizer.thumbnail(luma), options)
    ab = colorizer.ab(prediction, options.hints)
    found = colorizer.render(luma, prediction.luma, ab, strength=1.2, sampling=Sampling((2, 2)))
    np.testing.assert_array_equal(found, colorizer.chroma(luma, options, subsampling=2))
    assert colorizer.ab(prediction, options.hints, prediction.luma[::2, ::2]).shape == (2, 32, 48)


def test_a_colorizer_of_an_engine_needs_no_file():
    colorizer = Colorizer(engine=FakeEngine(constant_answer(0, 0), card_metadata()))
    assert colorizer.path is None
    assert colorizer.label == "fake 0, no model file"
    with pytest.raises(ModelError, match=r"^the engine's network is not a model of Photochrom"):
        Colorizer(engine=FakeEngine(constant_answer(0, 0), {}))


def _file(tmp_path):
    path = tmp_path / "model.onnx"
    path.write_bytes(b"")
    return path
