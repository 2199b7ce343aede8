"""Models found by name and by file."""

import dataclasses
import hashlib
import json
import math
import shutil

import h5py
import numpy as np
import pytest
from skimage import data

from photochrom import Colorizer, ColorOptions, ModelCard, ModelError
from photochrom.color.spaces import luma_of_rgb
from photochrom.colorizer.network import run_network
from photochrom.models import registry, vgg16
from photochrom.models.engines import OnnxRuntimeEngine
from photochrom.models.registry import CARD_KEY
from tests.helpers.fakes import CARD, card_metadata


@pytest.fixture(scope="module")
def unchanged_vgg16_file(tmp_path_factory):
    """Write a file laid out as Keras' own, with random weights that keep the activations in range."""
    rng = np.random.default_rng(0)
    path = tmp_path_factory.mktemp("vgg16") / "vgg16.h5"
    with h5py.File(path, "w") as file:
        for name, (out, width) in vgg16.SHAPES.items():
            group = file.create_group(name)
            kernel = rng.normal(0, (2 / (9 * width)) ** 0.5, (3, 3, width, out)).astype(np.float32)
            group[f"{name}_W_1:0"] = kernel
            group[f"{name}_b_1:0"] = np.zeros(out, np.float32)
    return path


@pytest.fixture
def vgg16_file(unchanged_vgg16_file, tmp_path):
    """Return a copy of the file, which the test may change."""
    return shutil.copy(unchanged_vgg16_file, tmp_path)


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("PHOTOCHROM_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def test_the_embedded_model_is_whole_and_small():
    path = registry.find_model("default")
    assert hashlib.sha256(path.read_bytes()).hexdigest() == path.with_suffix(".sha256").read_text().split()[0]
    assert path.stat().st_size <= 20e6


@pytest.mark.parametrize("name", ["astronaut", "coffee", "chelsea", "rocket"])
@pytest.mark.slow
def test_the_embedded_model_gives_the_lower_corners_no_loud_colours(name):
    """A faulty loss once made their a*b* differ by 44 to 112 from the cells beside them."""
    colorizer = Colorizer()
    thumbnail = colorizer.thumbnail(luma_of_rgb(getattr(data, name)()))
    ab = run_network(colorizer.engine, colorizer.card, thumbnail, ColorOptions()).ab  # the network's own decoding
    for corner, beside in ((ab[:, -1, -1], ab[:, -4, -4]), (ab[:, -1, 0], ab[:, -4, 3])):
        assert np.linalg.norm(corner - beside) < 40


def test_a_damaged_embedded_model_is_refused(tmp_path, monkeypatch):
    shutil.copytree(registry.WEIGHTS, tmp_path / "weights")
    monkeypatch.setattr(registry, "WEIGHTS", tmp_path / "weights")
    whole = (tmp_path / "weights" / "default.onnx").read_bytes()
    (tmp_path / "weights" / "default.onnx").write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    with pytest.raises(ModelError, match="damaged: reinstall"):
        registry.find_model("default")
    (tmp_path / "weights" / "default.onnx").unlink()
    with pytest.raises(ModelError, match="cannot be read"):
        registry.find_model("default")


def test_for_the_folder_of_a_run_its_model_is_named(tmp_path):
    (tmp_path / "run").mkdir()
    with pytest.raises(ModelError, match=r"give an \.onnx file"):
        registry.find_model(tmp_path / "run")
    (tmp_path / "run" / "model.onnx").touch()
    with pytest.raises(ModelError) as caught:
        registry.find_model(tmp_path / "run")
    assert str(caught.value).endswith(f"give the file in this folder, {tmp_path / 'run' / 'model.onnx'}")


@pytest.mark.parametrize("content", [None, b"", b"\xff"])
def test_a_damaged_file_of_the_package_is_reported(tmp_path, monkeypatch, content):
    shutil.copytree(registry.WEIGHTS, tmp_path / "weights")
    monkeypatch.setattr(registry, "WEIGHTS", tmp_path / "weights")
    for name in ("default.sha256", "reference-decoder.onnx"):
        path = tmp_path / "weights" / name
        path.unlink()
        if content is not None:
            path.write_bytes(content)
    with pytest.raises(ModelError, match="reinstall Photochrom"):
        registry.find_model("default")
    if content is None:
        with pytest.raises(ModelError, match=r"decoder\.onnx: cannot be read .* reinstall Photochrom"):
            registry.find_model("reference")


def test_a_damaged_decoder_of_the_reference_is_reported(vgg16_file, home, tmp_path, monkeypatch):
    (tmp_path / "reference-decoder.onnx").write_bytes(b"\xff")
    monkeypatch.setattr(registry, "WEIGHTS", tmp_path)
    with pytest.raises(ModelError, match=r"decoder\.onnx: the file is damaged: reinstall Photochrom"):
        registry.get_reference(vgg16_file)


def test_a_model_that_can_no_longer_be_read_is_named(tmp_path):
    colorizer = Colorizer()
    colorizer.path = tmp_path
    with pytest.raises(ModelError, match="cannot be read"):
        _ = colorizer.label


def test_unknown_names_list_the_known(tmp_path):
    with pytest.raises(ModelError, match="default, reference"):
        registry.find_model("artistic")
    with pytest.raises(ModelError, match="no model"):
        registry.find_model(tmp_path)
    with pytest.raises(ModelError, match=r"cannot be read \(File name too long\): give an \.onnx file"):
        registry.find_model("x" * 300)


@pytest.mark.slow
def test_the_reference_is_put_together_from_vgg16_and_our_decoder(vgg16_file, home):
    with pytest.raises(ModelError, match="photochrom models get reference"):
        registry.find_model("reference")
    path = registry.get_reference(vgg16_file)
    assert registry.find_model("reference") == path
    colorizer = Colorizer("reference")
    assert colorizer.card.name == "reference"
    assert colorizer.card.vividness is None
    prediction = colorizer.predict(data.camera())
    assert prediction.ab.shape == (2, 224, 224)
    assert np.ptp(prediction.ab) > 0


@pytest.mark.slow
def test_the_reference_runs_the_weights_it_was_given(vgg16_file, home):
    """If all kernels are zero the embedding is the last bias, so another bias must give other colours."""
    found = []
    for bias in (0.0, 3.0):
        with h5py.File(vgg16_file, "a") as file:
            for name, group in file.items():
                group[f"{name}_W_1:0"][...] = 0
                group[f"{name}_b_1:0"][...] = bias
        engine = OnnxRuntimeEngine(registry.get_reference(vgg16_file))
        found.append(engine.run({"lightness": np.full((1, 1, 224, 224), 0.5, np.float32)})["ab"])
        assert np.isfinite(found[-1]).all()
    assert np.abs(found[0] - found[1]).max() > 0.1


@pytest.mark.slow
def test_the_encoder_in_the_model_file_is_the_encoder_trained_with(vgg16_file, home):
    import onnx
    import torch

    from photochrom.training.networks.encoders import load_encoder

    encoder = load_encoder("vgg16", vgg16_file)
    model = onnx.load(registry.get_reference(vgg16_file))
    embedding = next(n.output[0] for n in model.graph.node if n.op_type == "MaxPool" and _is_last_pool(model, n))
    model.graph.output.append(onnx.helper.make_empty_tensor_value_info(embedding))
    probe = home / "probe.onnx"
    onnx.save(model, probe)
    lightness = np.random.default_rng(1).random((1, 1, 64, 96), np.float32)
    with torch.no_grad():
        (expected,) = encoder(torch.from_numpy(lightness))
    found = OnnxRuntimeEngine(probe).run({"lightness": lightness})[embedding]
    np.testing.assert_allclose(found, expected.numpy(), rtol=1e-3, atol=1e-2)


def _is_last_pool(model, node):
    return not any(n.op_type == "MaxPool" for n in model.graph.node[list(model.graph.node).index(node) + 1 :])


@pytest.mark.parametrize("content", [b"", b"not hdf5"])
def test_a_wrong_encoder_file_is_named(content, tmp_path):
    (tmp_path / "vgg.h5").write_bytes(content)
    with pytest.raises(ModelError, match=r"vgg\.h5: not a VGG16 weight file"):
        registry.get_reference(tmp_path / "vgg.h5")


def test_a_missing_encoder_file_is_named(tmp_path):
    with pytest.raises(ModelError, match=r"vgg\.h5: does not exist: check the path, or get https://"):
        vgg16.read_vgg16(tmp_path / "vgg.h5")


def test_a_vgg16_file_with_other_shapes_is_named(vgg16_file):
    with h5py.File(vgg16_file, "a") as file:
        del file["block5_conv3"]
    with pytest.raises(ModelError, match="block5_conv3"):
        vgg16.read_vgg16(vgg16_file)


def test_cards_survive_the_file_and_later_formats_are_refused(tmp_path):
    assert ModelCard.of(card_metadata(), tmp_path) == CARD
    with pytest.raises(ModelError, match="update Photochrom"):
        ModelCard.of(card_metadata(format=2), tmp_path)
    with pytest.raises(ModelError, match="not a model of Photochrom"):
        ModelCard.of({}, tmp_path)


def test_a_card_of_a_later_format_may_have_other_fields(tmp_path):
    with pytest.raises(ModelError, match="update Photochrom"):
        ModelCard.of({CARD_KEY: json.dumps({"format": 2, "title": "of the future", "bins": "none"})}, tmp_path)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        *[("working_size", value) for value in ("big", 0, -32, 1.5, True, None, 10**9)],
        *[("vividness", value) for value in ("0.5", -0.1, 1.1, math.nan, True, [])],
        *[("name", value) for value in (None, 3, [])],
        ("hints", "no"),
        ("bins", [[math.inf, 0]]),
        *[("format", value) for value in (0, "1", 1.0, None)],
    ],
)
def test_an_invalid_field_of_a_card_is_named(tmp_path, field, value):
    with pytest.raises(ModelError, match=f"not a model of Photochrom, since its {field} is") as error:
        ModelCard.of(card_metadata(**{field: value}), tmp_path)
    assert error.value.remedy == "choose another model"


def test_cards_with_bins_survive_the_file(tmp_path):
    card = dataclasses.replace(CARD, hints=True, bins=((0.0, 1.5), (-20.0, 30.0)))
    found = ModelCard.of({CARD_KEY: card.to_json()}, tmp_path)
    assert found == card
    assert hash(found) == hash(card)  # immutable at every level


def test_cards_of_older_models_have_neither_hints_nor_bins(tmp_path):
    facts = json.loads(CARD.to_json())
    del facts["hints"], facts["bins"]
    assert ModelCard.of({CARD_KEY: json.dumps(facts)}, tmp_path) == CARD


@pytest.mark.parametrize("bins", [5, "ab", [1, 2], [[1, 2, 3]], [["a", "b"]], None, {"a": 1}])
def test_cards_with_other_bins_are_refused(tmp_path, bins):
    with pytest.raises(ModelError, match="not a model of Photochrom"):
        ModelCard.of(card_metadata(bins=bins), tmp_path)


@pytest.mark.parametrize("text", ["[]", "3", "null", '"card"', "{", ""])
def test_invalid_cards_are_refused(tmp_path, text):
    with pytest.raises(ModelError, match="not a model of Photochrom"):
        ModelCard.of({CARD_KEY: text}, tmp_path)
