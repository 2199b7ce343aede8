"""Initial models of a run: published models, earlier runs, and errors for missing ones."""

from dataclasses import asdict, replace
from types import SimpleNamespace

import cv2
import numpy as np
import onnx
import pytest
import torch
from skimage import data

from photochrom import ModelError, OptionError, TrainingError
from photochrom.color.spaces import lightness_of_luma, luma_of_rgb
from photochrom.colorizer.vividness import DIAL_LAMBDA
from photochrom.models.engines import OnnxRuntimeEngine
from photochrom.models.registry import WEIGHTS, find_model
from photochrom.training import checkpoint, export, initial_model, published_weights
from photochrom.training.config import BEST
from photochrom.training.initial_model import load_initial_model
from photochrom.training.networks import colorization, encoders
from photochrom.training.networks.colorization import new_head
from photochrom.training.networks.decoder import ColorDecoder
from photochrom.training.networks.encoders import VGG16
from photochrom.training.networks.losses import ColorBins
from photochrom.training.recipes import DEFAULT_CPU, REFERENCE, at_size, fit_to_photographs


@pytest.fixture
def untrained_vgg16(monkeypatch):
    """Replace VGG16 by one without its ImageNet weights, which are not distributed."""
    torch.manual_seed(0)
    encoder = VGG16().eval().requires_grad_(False)
    monkeypatch.setattr(initial_model, "load_encoder", lambda name, weights=None: encoder)
    monkeypatch.setattr(initial_model, "reference_path", lambda: WEIGHTS / "reference-decoder.onnx")
    return encoder


@pytest.mark.slow
def test_the_default_gives_the_same_in_pytorch_as_its_file():
    found = load_initial_model("default", None, None)
    network = colorization.build_network(found.encoder.backbone, found.head, found.bins, DIAL_LAMBDA)
    export.round_to_stored(network)  # as the file holds them
    engine = OnnxRuntimeEngine(find_model("default"))
    for size in ((224, 224), (256, 320)):
        inputs = export.example_inputs(network, *size)
        with torch.no_grad():
            expected = network(*inputs.values())
        outputs = engine.run({name: value.numpy() for name, value in inputs.items()})
        for name, value in zip(network.outputs, expected, strict=True):
            np.testing.assert_allclose(value.numpy(), outputs[name], atol=1e-3 if name == "ab" else 1e-5)
    assert np.ptp(outputs["ab"]) > 1


@pytest.mark.slow
def test_the_default_encoder_tells_pictures_apart_at_every_stride():
    """Stages of versions 5 to 8 had become blind at stride 32: their features were the same for all pictures."""
    found = load_initial_model("default", None, None)
    pictures = [data.astronaut(), data.coffee(), data.chelsea(), data.rocket()]
    luma = np.stack([cv2.resize(luma_of_rgb(picture), (256, 256)) for picture in pictures])
    lightness = torch.from_numpy(lightness_of_luma(luma)[:, None] / 100)  # [4, 1, 256, 256]
    with torch.no_grad():
        maps = found.head.features(found.encoder.backbone(lightness))
    assert [m.shape[2] for m in maps] == [32, 16, 8]
    assert encoders.constant_maps(maps) == []


@pytest.fixture(scope="module")
def taught(tmp_path_factory):
    """Return the weights of a changed backbone, and the folder of a run that holds them."""
    folder, initial = tmp_path_factory.mktemp("taught"), load_initial_model("default", None, None)
    with torch.no_grad():
        for value in initial.encoder.backbone.parameters():
            value.mul_(1.01)
    tensors = {f"ema.{name}": value for name, value in initial.head.state_dict().items()}
    tensors |= {"bins.centres": initial.bins.centres, "bins.frequency": initial.bins.frequency}
    recipe = replace(initial.recipe, rebalance_lambda=DIAL_LAMBDA)
    facts = {"recipe": asdict(recipe), "photographs": 1}
    checkpoint.save(folder / BEST, tensors | encoders.stored_weights(initial.encoder), facts)
    return initial.encoder.backbone.state_dict(), folder


class TestTaughtBackbone:
    """A backbone that was taught goes with its model: into the checkpoint, the model file, and the next run."""

    def test_the_next_run_and_the_model_file_have_it(self, taught):
        expected, folder = taught
        path = folder / "model.onnx"
        trained = export.load_trained(folder / BEST)
        card = published_weights.read_model(find_model("default"))[0]
        export.export(trained.network, card, path)
        for name, tolerance in ((str(folder), 0), (str(path), 5e-4)):  # the file holds float16
            found = load_initial_model(name, None, None).encoder.backbone.state_dict()
            assert found.keys() == expected.keys()
            for key, value in expected.items():
                torch.testing.assert_close(found[key], value, rtol=tolerance, atol=tolerance / 100)

    def test_the_identity_of_a_model_includes_its_backbone(self, taught):
        one, other = (load_initial_model(name, None, None) for name in ("default", str(taught[1])))
        one.head.load_state_dict(other.head.state_dict())
        assert one.identity.split("sha256")[1] != other.identity.split("sha256")[1]
        one.encoder.backbone.load_state_dict(other.encoder.backbone.state_dict())
        assert one.identity.split("sha256")[1] == other.identity.split("sha256")[1]

    def test_the_mean_of_checkpoints_has_the_mean_of_their_backbones(self, taught, tmp_path):
        tensors, facts = checkpoint.load(taught[1] / BEST)
        checkpoint.save(tmp_path / BEST, {k: v for k, v in tensors.items() if not k.startswith("backbone.")}, facts)
        paths = tmp_path / BEST, taught[1] / BEST
        one, other = (export.load_trained(path).network.backbone.stem.weight for path in paths)
        assert torch.equal(one, encoders.load_encoder("efficientnet-lite2").backbone.stem.weight)
        for order in (paths, paths[::-1]):
            torch.testing.assert_close(export.load_mean(order).network.backbone.stem.weight, (one + other) / 2)

    def test_weights_of_vgg16_are_refused(self, taught, tmp_path):
        with pytest.raises(OptionError, match="has weights for VGG16, but the encoder is efficientnet-lite2"):
            export.load_mean([taught[1] / BEST], tmp_path / "vgg16.h5")

    def test_a_backbone_of_another_network_is_reported(self, taught, tmp_path):
        tensors, facts = checkpoint.load(taught[1] / BEST)
        checkpoint.save(tmp_path / BEST, tensors | {"backbone.stem.bias": torch.zeros(3)}, facts)
        for load in (export.load_trained, lambda path: load_initial_model(str(path.parent), None, None)):
            with pytest.raises(TrainingError, match="another architecture than its recipe: train again"):
                load(tmp_path / BEST)


def test_the_reference_decoder_gives_the_same_in_pytorch_as_its_file(untrained_vgg16):
    found = load_initial_model("reference", None, None)
    weights = {
        t.name.removesuffix(".half"): onnx.numpy_helper.to_array(t)
        for t in onnx.load(WEIGHTS / "reference-decoder.onnx").graph.initializer
    }
    state = found.head.state_dict()
    assert len(state) == 10
    for name, value in state.items():
        np.testing.assert_array_equal(value, weights[f"decoder.{name}"].astype(np.float32))
    assert found.recipe.learning_rate < REFERENCE.learning_rate


def test_a_file_without_any_weight_of_a_part_is_reported(tmp_path):
    decoder = ColorDecoder((48, 120, 352), bins=2)
    with pytest.raises(TrainingError, match="another architecture"):
        published_weights.load_part(decoder, "head.", {}, tmp_path / "x.onnx")


def test_the_frequencies_of_colours_are_found_again():
    torch.manual_seed(0)
    bins = ColorBins(torch.rand(9, 2), torch.rand(9).softmax(0))
    card = replace(
        published_weights.read_model(find_model("default"))[0], bins=tuple(map(tuple, bins.centres.tolist()))
    )
    log_class_weights = bins.class_weights(0.85).log()[None, :, None, None]
    found = published_weights.read_bins(card, {"log_class_weights": log_class_weights}, 0.85)
    torch.testing.assert_close(found.frequency, bins.frequency)
    torch.testing.assert_close(found.centres, bins.centres)


class TestEarlierRun:
    @pytest.fixture
    def run(self, tmp_path):
        bins = ColorBins(torch.tensor([[0.0, 0.0], [60.0, 0.0]]), torch.tensor([0.9, 0.1]))
        encoder = encoders.load_encoder("efficientnet-lite2")
        head = new_head(encoder, bins)
        torch.nn.init.constant_(head.decoder.classify.bias, 0.5)
        average = {f"ema.{name}": value for name, value in head.state_dict().items()}
        colors = {"bins.centres": bins.centres, "bins.frequency": bins.frequency}
        recipe = replace(DEFAULT_CPU, rebalance_lambda=DIAL_LAMBDA)  # so that the class weights need no shift
        facts = {"recipe": asdict(fit_to_photographs(at_size(recipe, 128), 50, 1)), "photographs": 50}
        checkpoint.save(tmp_path / BEST, average | colors, facts)
        return tmp_path

    def test_training_can_start_from_an_earlier_run(self, run):
        found = load_initial_model(str(run), None, None)
        assert (found.label, found.recipe.size, found.compared) == (run.name, 128, "default")
        assert (found.head.decoder.classify.bias == 0.5).all()
        assert found.bins.centres.tolist() == [[0, 0], [60, 0]]

    def test_another_architecture_is_reported(self, run):
        tensors, facts = checkpoint.load(run / BEST)
        checkpoint.save(run / BEST, tensors | {"ema.decoder.classify.bias": torch.zeros(7)}, facts)
        with pytest.raises(TrainingError, match="another architecture"):
            load_initial_model(str(run), None, None)

    def test_a_recipe_of_another_version_is_reported(self, run):
        tensors, facts = checkpoint.load(run / BEST)
        checkpoint.save(run / BEST, tensors, facts | {"recipe": facts["recipe"] | {"unknown": 0}})
        with pytest.raises(TrainingError, match="another version"):
            load_initial_model(str(run), None, None)

    @pytest.mark.parametrize("missing", ["bins.centres", "photographs"])
    def test_a_checkpoint_that_lacks_something_is_reported(self, missing, run):
        tensors, facts = ({k: v for k, v in part.items() if k != missing} for part in checkpoint.load(run / BEST))
        checkpoint.save(run / BEST, tensors, facts)
        with pytest.raises(TrainingError, match=rf"best\.safetensors: is not a checkpoint .*{missing}"):
            export.load_trained(run / BEST)

    def test_an_earlier_run_without_bins_is_reported(self, run):
        tensors, facts = checkpoint.load(run / BEST)
        checkpoint.save(run / BEST, {name: value for name, value in tensors.items() if "bins" not in name}, facts)
        with pytest.raises(TrainingError, match=r"best\.safetensors: is not a checkpoint"):
            load_initial_model(str(run), None, None)

    def test_an_empty_folder_is_reported(self, tmp_path):
        with pytest.raises(
            TrainingError, match=r"best\.safetensors: does not exist: give a checkpoint that a training run wrote"
        ):
            load_initial_model(str(tmp_path), None, None)


def test_a_model_whose_encoder_is_omitted_is_published_once_and_without_it(tmp_path, monkeypatch):
    model, published = onnx.load(WEIGHTS / "reference-decoder.onnx"), []
    decoder = [tensor.name for tensor in model.graph.initializer]
    model.graph.initializer.append(onnx.numpy_helper.from_array(np.ones(9, np.float32), "encoder.layers.0.weight"))

    def publish(part, path, **_):
        published.append([tensor.name for tensor in onnx.load(part).graph.initializer])
        part.replace(path)

    monkeypatch.setattr("photochrom.atomic.publish", publish)
    monkeypatch.setattr(export, "load_mean", lambda *_: SimpleNamespace(recipe=REFERENCE, network=None, photographs=20))
    for name, result in (("capabilities", {"vividness": None}), ("model_of", model), ("difference", 0.0)):
        monkeypatch.setattr(export, name, lambda *_, result=result: result)
    assert export.run(["best.safetensors", str(tmp_path / "model.onnx"), "--strip-encoder"]) == 0
    assert published == [decoder]


class TestBadStarts:
    def test_an_unknown_name(self):
        with pytest.raises(OptionError, match="cannot start from 'mine': give default, reference, scratch"):
            load_initial_model("mine", None, None)

    def test_an_encoder_for_a_model_that_has_one(self):
        with pytest.raises(OptionError, match="default has its own encoder: leave out the encoder"):
            load_initial_model("default", "vgg16", None)

    @pytest.mark.parametrize(("name", "encoder"), [("default", None), ("scratch", "efficientnet-lite0")])
    def test_weights_of_vgg16_for_another_encoder(self, name, encoder, tmp_path):
        with pytest.raises(OptionError, match="has weights for VGG16, but the encoder is efficientnet-lite"):
            load_initial_model(name, encoder, tmp_path / "vgg16.h5")

    def test_a_file_whose_layers_differ_while_its_weights_fit(self, tmp_path):
        model = onnx.load(find_model("default"))
        modes = [a for node in model.graph.node if node.op_type == "Resize" for a in node.attribute if a.name == "mode"]
        assert modes
        for mode in modes:
            mode.s = b"nearest"
        onnx.save(model, tmp_path / "old.onnx")
        with pytest.raises(TrainingError, match=r"old\.onnx: contains a network of another architecture"):
            load_initial_model(str(tmp_path / "old.onnx"), None, None)

    def test_an_unknown_encoder(self):
        with pytest.raises(TrainingError, match="choose one of vgg16"):
            load_initial_model("scratch", "resnet", None)

    def test_a_file_that_is_not_a_model(self, tmp_path):
        for content in (b"nothing", find_model("default").read_bytes()[:5_000_000]):
            (tmp_path / "x.onnx").write_bytes(content)
            with pytest.raises(TrainingError, match="is not a whole ONNX file"):
                load_initial_model(str(tmp_path / "x.onnx"), None, None)

    def test_weights_with_missing_bytes(self, tmp_path):
        model = onnx.load(find_model("default"))
        tensor = model.graph.initializer[0]
        tensor.raw_data = tensor.raw_data[:-1]
        onnx.save(model, tmp_path / "x.onnx")
        with pytest.raises(ModelError, match="holds damaged weights: get a whole copy"):
            load_initial_model(str(tmp_path / "x.onnx"), None, None)

    def test_weights_in_another_file_that_is_missing(self, tmp_path):
        model = onnx.load(find_model("default"))
        onnx.external_data_helper.set_external_data(model.graph.initializer[0], "weights.bin")
        model.graph.initializer[0].ClearField("raw_data")
        onnx.save(model, tmp_path / "x.onnx")
        with pytest.raises(TrainingError, match="is not a whole ONNX file"):
            load_initial_model(str(tmp_path / "x.onnx"), None, None)

    def test_a_model_of_another_architecture(self, tmp_path):
        model = onnx.load(find_model("default"))
        for tensor in model.graph.initializer:
            if "decoder.classify.weight" in tensor.name:
                tensor.CopyFrom(onnx.numpy_helper.from_array(np.zeros((3, 3), np.float16), tensor.name))
        onnx.save(model, tmp_path / "x.onnx")
        with pytest.raises(TrainingError, match="another architecture"):
            load_initial_model(str(tmp_path / "x.onnx"), None, None)

    def test_encoder_weights_with_another_hash(self, tmp_path, monkeypatch):
        """A wrong file in the cache is neither used nor overwritten."""
        monkeypatch.setenv("PHOTOCHROM_HOME", str(tmp_path))
        path = tmp_path / "vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5"
        path.write_bytes(b"another file")
        with pytest.raises(ModelError, match="is damaged: delete it"):
            load_initial_model("scratch", "vgg16", None)
        assert path.read_bytes() == b"another file"

    def test_encoder_weights_of_another_kind(self, tmp_path):
        (tmp_path / "x.h5").write_bytes(b"nothing")
        with pytest.raises(ModelError, match="not a VGG16 weight file"):
            load_initial_model("scratch", "vgg16", tmp_path / "x.h5")

    def test_a_package_with_another_hash(self, monkeypatch):
        monkeypatch.setitem(encoders._LITE_SHA256, 1, encoders._LITE_SHA256[1][:8] + 56 * "0")
        with pytest.raises(TrainingError, match="is not the file expected"):
            load_initial_model("scratch", "efficientnet-lite1", None)

    def test_a_package_without_its_file(self, monkeypatch):
        monkeypatch.setitem(encoders._LITE_SHA256, 1, "another")
        with pytest.raises(TrainingError, match=r"cannot be read \(No such file .*\): reinstall efficientnet_lite1"):
            load_initial_model("scratch", "efficientnet-lite1", None)

    @pytest.mark.parametrize("folded", ["{", "[]", '{"head.weight": "nothing"}'])
    def test_weights_that_the_file_does_not_hold(self, folded, tmp_path):
        model = onnx.load(find_model("default"))
        next(entry for entry in model.metadata_props if entry.key == published_weights.FOLDED_KEY).value = folded
        onnx.save(model, tmp_path / "x.onnx")
        with pytest.raises(ModelError, match="lists weights that it does not hold: get a whole copy"):
            load_initial_model(str(tmp_path / "x.onnx"), None, None)


class TestRecipes:
    @pytest.mark.parametrize("size", [64, 96, 128, 224, 256, 512])
    def test_other_sizes_keep_the_strides(self, size):
        recipe = at_size(DEFAULT_CPU, size)
        assert recipe.grid * 8 == size
        assert recipe.crop % 4 == 0  # the coarsest features are at stride 32
        assert 0 < recipe.crop <= recipe.grid

    def test_few_photographs_get_more_views(self):
        few, many = (fit_to_photographs(DEFAULT_CPU, count, 1) for count in (100, 100_000))
        assert (few.views, many.views) == (8, DEFAULT_CPU.views)
        assert few.epochs > many.epochs
        assert fit_to_photographs(DEFAULT_CPU, 3, 4).batch * 4 <= 3 * 8
