"""Training: the recipe's parts against hand-made truths, and a whole run small enough to repeat."""

from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch
from skimage import data

from photochrom import TrainingError
from photochrom.chroma import luma_of_rgb, rgb_to_lab
from photochrom.training import checkpoint, dataset, losses, metrics, train
from photochrom.training.classifier import LiteClassifier
from photochrom.training.encoders import VGG16, load_encoder
from photochrom.training.features import FeatureCache, cache_features
from photochrom.training.network import DistributionNetwork
from photochrom.training.recipes import DEFAULT, REFERENCE

NAMES = ("astronaut", "coffee", "chelsea", "rocket", "retina", "immunohistochemistry")


@pytest.fixture(scope="module")
def photographs(tmp_path_factory):
    """A folder of 24 small colour photographs, one grey one and something else."""
    folder = tmp_path_factory.mktemp("photographs")
    for name in NAMES:
        rgb = getattr(data, name)()
        for i in range(4):
            crop = np.roll(rgb, 60 * i, axis=1)[:300, :400]
            cv2.imwrite(str(folder / f"{name}{i}.png"), cv2.resize(crop, (96, 64))[..., ::-1])
    cv2.imwrite(str(folder / "grey.png"), data.moon()[:64, :96])
    (folder / "notes.txt").write_text("not a photograph")
    return folder


def test_photographs_are_found_and_grey_ones_dropped(photographs):
    found = dataset.find_photographs(photographs)
    assert len(found) == 25
    training, held_out = dataset.split(found)
    assert {p.path.name for p in found} - {p.path.name for p in training + held_out} == {"grey.png"}
    assert not {p.sha1 for p in training} & {p.sha1 for p in held_out}


def test_an_empty_folder_and_a_broken_file_are_named(tmp_path):
    with pytest.raises(TrainingError, match="no photographs in"):
        dataset.find_photographs(tmp_path)
    (tmp_path / "broken.jpg").write_bytes(b"\xff\xd8 nothing")
    with pytest.raises(TrainingError, match=r"broken\.jpg cannot be decoded"):
        dataset.find_photographs(tmp_path)


def test_no_source_rules_and_the_draw_is_fixed():
    found = [dataset.Photograph(None, str(i), "many" if i else "one", 20.0) for i in range(50)]
    drawn = dataset.sample(found, 20, 10)
    assert drawn == dataset.sample(found, 20, 10)
    assert sum(p.source == "many" for p in drawn) == 10
    assert len(drawn) == 11


def test_a_training_pair_is_the_luma_of_the_picture_and_its_true_colour():
    rgb = dataset.square(data.astronaut(), 64)
    lightness, chroma = dataset.training_pair(rgb, 16)
    grey = np.repeat(luma_of_rgb(rgb)[..., None], 3, axis=2).astype(np.float32) / 255
    np.testing.assert_allclose(lightness, rgb_to_lab(grey)[..., 0] / 100, atol=1e-4)
    whole = cv2.resize(rgb_to_lab(rgb.astype(np.float32) / 255), (16, 16), interpolation=cv2.INTER_AREA)
    assert np.abs(chroma - whole[..., 1:].transpose(2, 0, 1)).mean() < 2  # mean of colours against colour of the mean


def test_colorfulness_is_hasler_and_suesstruenks():
    assert dataset.colorfulness(np.full((8, 8, 3), 77, np.uint8)) == 0
    red = np.zeros((8, 8, 3), np.uint8)
    red[..., 0] = 255
    assert dataset.colorfulness(red) == pytest.approx(0.3 * np.hypot(255, 127.5))
    halves = np.zeros((8, 8, 3), np.uint8)
    halves[:4, :, 0] = halves[4:, :, 1] = 255  # red and green: rg is +-255, yb is 127.5 everywhere
    assert dataset.colorfulness(halves) == pytest.approx(255 + 0.3 * 127.5)
    assert dataset.colorfulness(halves, absolute=True) == pytest.approx(0.3 * np.hypot(255, 127.5))


def test_ciede2000_and_psnr_of_known_pairs():
    black, white = np.zeros((4, 4, 3), np.uint8), np.full((4, 4, 3), 255, np.uint8)
    assert metrics.ciede2000(black, white) == pytest.approx(100, abs=0.01)
    assert metrics.psnr(black, white) == pytest.approx(0)
    assert metrics.psnr(np.full_like(black, 16), black) == pytest.approx(10 * np.log10(255**2 / 256))


@pytest.fixture(scope="module")
def bins():
    """Of pictures nearly all grey, one pixel in twenty orange."""
    rng = np.random.default_rng(0)
    common, rare = rng.integers(-10, 11, (95, 2, 8, 8)), rng.integers(40, 61, (5, 2, 8, 8))
    return losses.ColorBins.of(np.concatenate([common, rare]).astype(np.int8))


class TestColorBins:
    def test_frequencies_are_those_of_the_pixels(self, bins):
        assert bins.frequency.sum() == pytest.approx(1, abs=1e-3)
        near_grey = bins.frequency[bins.centres.abs().amax(1) <= 20].sum()
        assert near_grey == pytest.approx(0.95, abs=0.01)

    def test_rarity_weights_average_to_one_over_pixels_and_favour_the_rare(self, bins):
        weights = bins.rarity(0.5)
        assert (weights * bins.frequency).sum() == pytest.approx(1, abs=1e-5)
        grey, rare = (torch.cdist(torch.tensor([c]), bins.centres).argmin() for c in ([0.0, 0.0], [50.0, 50.0]))
        assert weights[rare] > 2 * weights[grey]

    def test_the_loss_is_least_at_the_true_colour(self, bins):
        loss = losses.RareColorCrossEntropy(bins, 0.5)
        chroma = torch.full((1, 2, 4, 4), 50.0)
        by_bin = torch.stack(
            [
                loss(
                    10
                    * torch.nn.functional.one_hot(torch.tensor(i), len(bins.centres))
                    .float()
                    .view(1, -1, 1, 1)
                    .expand(1, -1, 4, 4),
                    chroma,
                )
                for i in range(len(bins.centres))
            ]
        )
        assert bins.centres[by_bin.argmin()].tolist() == [50.0, 50.0]

    def test_the_best_prediction_of_a_coin_toss_is_the_coin_toss(self, bins):
        """Cross-entropy with weights is minimised by the weighted distribution; untilting gives the true one back."""
        uniform = 0.5
        loss = losses.RareColorCrossEntropy(bins, uniform)
        chroma = torch.zeros(1, 2, 10, 10)
        chroma[:, :, :, :2] = 50.0  # a fifth of the pixels
        logits = torch.zeros(1, len(bins.centres), 1, 1, requires_grad=True)
        optimizer = torch.optim.LBFGS([logits], max_iter=200)

        def closure():
            optimizer.zero_grad()
            value = loss(logits.expand(-1, -1, 10, 10), chroma)
            value.backward()
            return value

        optimizer.step(closure)
        network = DistributionNetwork(torch.nn.Identity(), torch.nn.Identity(), bins, uniform)
        p = network.anneal(logits.detach() - network.tilt, torch.tensor([0.0]))[0, :, 0, 0]
        far = bins.centres.amin(1) > 25
        assert p[far].sum() == pytest.approx(0.2, abs=0.02)


class TestDistributionNetwork:
    @pytest.fixture
    def network(self):
        bins = losses.ColorBins(torch.tensor([[0.0, 0.0], [60.0, 0.0]]), torch.tensor([0.9, 0.1]))
        return DistributionNetwork(torch.nn.Identity(), torch.nn.Identity(), bins, 0.5)

    def test_vividness_moves_from_the_mean_to_the_rarer_mode(self, network):
        logits = torch.log(torch.tensor([0.6, 0.4])).view(1, 2, 1, 1) + network.tilt
        ab = [network(logits, torch.tensor([v]))[0][0, 0].item() for v in (0.0, 0.25, 0.5, 1.0)]
        assert ab[0] == pytest.approx(0.4 * 60, abs=1e-3)
        assert ab == sorted(ab)
        assert ab[-1] > 55

    def test_confidence_is_1_where_sure_and_0_where_anything_goes(self, network):
        sure = network(torch.tensor([30.0, 0.0]).view(1, 2, 1, 1), torch.tensor([0.5]))[1]
        unsure = network(torch.zeros(1, 2, 1, 1) + network.tilt, torch.tensor([0.5]))[1]
        assert sure.item() == pytest.approx(1, abs=1e-3)
        assert unsure.item() == pytest.approx(0, abs=1e-5)


def test_vgg16_preprocesses_as_keras_does():
    """Grey 128 enters as 128 minus each channel's mean, blue first: what one unit convolution then shows."""
    encoder = VGG16()
    first = encoder.layers[0]
    with torch.no_grad():
        first.weight.zero_()
        first.bias.zero_()
        for i in range(3):
            first.weight[i, i, 1, 1] = 1
    seen = first(255 * torch.full((1, 1, 4, 4), 128 / 255) - encoder.mean)[0, :3, 0, 0]
    np.testing.assert_allclose(seen.detach(), [128 - 103.939, 128 - 116.779, 128 - 123.68], rtol=1e-5)
    maps = encoder(torch.zeros(1, 1, 64, 96))
    assert [tuple(m.shape) for m in maps] == [(1, 512, 2, 3)]


@pytest.mark.parametrize("variant", [1, 2])
def test_lite_still_classifies_with_its_own_head(variant):
    """Folding, padding and stages are right: the classifier on our features knows a cat and a rocket."""
    classifier = LiteClassifier(variant).eval()
    for name, classes in (("chelsea", range(281, 286)), ("rocket", (657, 744, 812))):
        rgb = dataset.square(getattr(data, name)(), 256).astype(np.float32)
        with torch.no_grad():
            verdict = classifier(torch.from_numpy(rgb).permute(2, 0, 1)[None]).argmax().item()
        assert verdict in classes


def test_an_unknown_encoder_is_named():
    with pytest.raises(TrainingError, match="choose one of vgg16"):
        load_encoder("resnet")


class Tiny(torch.nn.Module):
    """Stands in for VGG16: the same strides and an embedding of 512 channels, without the cost."""

    strides, channels = (32,), (512,)

    def forward(self, lightness):
        pooled = torch.nn.functional.avg_pool2d(lightness, 8)
        return [torch.nn.functional.pixel_unshuffle(pooled, 4).repeat(1, 32, 1, 1)]


def test_features_are_computed_once_and_resume(photographs, tmp_path):
    training, _ = dataset.split(dataset.find_photographs(photographs))
    first = cache_features(Tiny().eval(), "tiny", training, tmp_path, size=64, grid=16)
    expected = np.array(first.features)
    assert expected.shape == (len(training), 512 * 4)
    assert np.abs(expected).max() > 0
    first.features[:] = 7  # a complete cache is believed
    first.features.flush()
    again = cache_features(Tiny().eval(), "tiny", training, tmp_path, size=64, grid=16)
    assert (again.features == 7).all()
    fewer = cache_features(Tiny().eval(), "tiny", training[1:], tmp_path, size=64, grid=16)  # other photographs
    np.testing.assert_array_equal(fewer.features, expected[1:])


def test_cached_features_are_the_encoders(photographs, tmp_path):
    training, _ = dataset.split(dataset.find_photographs(photographs))
    cache = cache_features(Tiny().eval(), "tiny", training[:3], tmp_path, size=64, grid=16)
    rgb = dataset.square(dataset.decode(training[1].path.read_bytes(), training[1].path), 64)
    lightness, chroma = dataset.training_pair(rgb, 16)
    (maps,), truth = cache.batch(np.array([1]))
    np.testing.assert_allclose(maps[0], Tiny()(torch.from_numpy(lightness)[None, None])[0][0], atol=1e-2)
    np.testing.assert_allclose(truth[0], np.rint(chroma), atol=1e-6)


@pytest.fixture
def cache():
    """Twenty rows of features from which the colours can be told."""
    rng = np.random.default_rng(0)
    colors = rng.integers(-60, 60, (20, 2, 1, 1)).astype(np.int8)
    features = rng.normal(size=(20, 512, 2, 2)) * 0.1
    features[:, :2] += colors / 20
    return FeatureCache(features.reshape(20, -1).astype(np.float16), np.tile(colors, (1, 1, 16, 16)), ((512, 2, 2),))


@pytest.mark.parametrize("recipe", [REFERENCE, replace(DEFAULT, encoder="vgg16")], ids=["reference", "default"])
def test_training_learns_and_resumes_to_the_same_losses(recipe, cache, tmp_path, monkeypatch):
    recipe = replace(recipe, epochs=24, batch=4)
    monkeypatch.setattr(train, "ROUND", 40)
    monkeypatch.setattr(train, "WARM_UP", 5)
    if recipe.uniform is not None:
        monkeypatch.setattr(train, "build_decoder", _small_decoder)
    whole = train.train(recipe, cache, cache, tmp_path / "whole")
    assert whole.step == 120
    assert whole.history[-1]["training"] < 0.9 * whole.history[0]["training"]
    assert (tmp_path / "whole" / "curves.png").stat().st_size > 1000

    class PowerCutError(Exception):
        pass

    def cut(trainer, path):
        save(trainer, path)
        if trainer.step == 50:
            raise PowerCutError

    save = train.Trainer.save
    monkeypatch.setattr(train.Trainer, "save", cut)
    with pytest.raises(PowerCutError):
        train.train(recipe, cache, cache, tmp_path / "cut")
    monkeypatch.setattr(train.Trainer, "save", save)
    resumed = train.train(recipe, cache, cache, tmp_path / "cut")
    for ours, theirs in zip(resumed.history, whole.history, strict=True):
        assert ours["training"] == theirs["training"]
        assert ours["validation"] == theirs["validation"]


def _small_decoder(channels, bins):
    torch.manual_seed(0)
    return torch.nn.Sequential(_Only(), torch.nn.Conv2d(channels[0], len(bins.centres), 1))


class _Only(torch.nn.Module):
    def forward(self, maps):
        return maps[0]


def test_a_checkpoint_survives_a_full_disk(tmp_path, monkeypatch):
    path = tmp_path / "checkpoint.safetensors"
    checkpoint.save(path, {"a": torch.ones(3)}, {"step": 1})

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(checkpoint, "save_file", full)
    with pytest.raises(TrainingError, match="the one before it is still there"):
        checkpoint.save(path, {"a": torch.zeros(3)}, {"step": 2})
    tensors, facts = checkpoint.load(path)
    assert facts == {"step": 1}
    assert tensors["a"].tolist() == [1, 1, 1]
    assert list(tmp_path.iterdir()) == [path]


def test_what_is_no_checkpoint_is_named(tmp_path):
    (tmp_path / "x.safetensors").write_bytes(b"nothing")
    with pytest.raises(TrainingError, match="is not a checkpoint"):
        checkpoint.load(tmp_path / "x.safetensors")
