"""Parts of the training, against values computed by hand, and a whole small run."""

import logging
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
import torch
from skimage import data
from skimage.color import deltaE_ciede94

from photochrom import TrainingError
from photochrom.color.spaces import lightness_of_luma, luma_of_rgb, rgb_to_lab
from photochrom.training import checkpoint
from photochrom.training.data import dataset
from photochrom.training.data import feature_cache as features
from photochrom.training.data.curation import inspect
from photochrom.training.data.feature_cache import DiskCache, Sides, cached_views
from photochrom.training.data.simulated_hints import simulate_hints
from photochrom.training.networks import losses
from photochrom.training.networks.colorization import DistributionNetwork, downsample_hints, new_head
from photochrom.training.networks.decoder import Attention, ColorDecoder
from photochrom.training.networks.encoders import VGG16, SameConv, load_encoder
from photochrom.training.networks.imagenet_classifier import LiteClassifier
from photochrom.training.networks.onnx_export import to_onnx
from photochrom.training.run_folder import RunLog
from tests.helpers.training_runs import Tiny

SIDES = Sides(picture=64, grid=16, thumbnail=32)
UNSEEN = torch.zeros(1, 1, 0, 0)  # thumbnails for a loss without the perceptual loss

NAMES = ("astronaut", "coffee", "chelsea", "rocket", "retina", "immunohistochemistry")


@pytest.fixture(scope="module")
def photographs(tmp_path_factory):
    """Return a folder of 24 small colour photographs, a grey one and another file."""
    folder = tmp_path_factory.mktemp("photographs")
    for name in NAMES:
        rgb = getattr(data, name)()
        for i in range(4):
            crop = np.roll(rgb, 60 * i, axis=1)[:300, :400]
            cv2.imwrite(str(folder / f"{name}{i}.png"), cv2.resize(crop, (96, 64))[..., ::-1])
    cv2.imwrite(str(folder / "grey.png"), data.moon()[:64, :96])
    (folder / "notes.txt").write_text("not a photograph")
    return folder


def test_no_source_rules_and_the_draw_is_fixed():
    found = [dataset.Photograph(None, str(i), "many" if i else "one", 20.0) for i in range(50)]
    drawn = dataset.sample(found, 20, 10)
    assert drawn == dataset.sample(found, 20, 10)
    assert sum(p.source == "many" for p in drawn) == 10
    assert len(drawn) == 11


def test_the_first_view_is_the_central_square_and_its_luma(photographs):
    photograph = inspect(photographs).photographs[0]
    rgb, luma = dataset.View(photograph).load(64)
    np.testing.assert_array_equal(
        rgb, dataset.square(dataset.decode(photograph.path.read_bytes(), photograph.path), 64)
    )
    np.testing.assert_array_equal(luma, luma_of_rgb(rgb))


def test_other_views_are_the_same_every_time_and_unlike_one_another(photographs):
    views = dataset.views(inspect(photographs).photographs[:1], 4)
    loaded = [view.load(64) for view in views]
    for view, (rgb, luma) in zip(views, loaded, strict=True):
        again = view.load(64)
        np.testing.assert_array_equal(again[0], rgb)
        np.testing.assert_array_equal(again[1], luma)
    for i in range(4):
        for j in range(i):
            assert (loaded[i][0] != loaded[j][0]).mean() > 0.1
    aged = [np.abs(luma.astype(int) - luma_of_rgb(rgb)).mean() > 1 for rgb, luma in loaded[1:]]
    assert any(aged), "none of three views was aged: the chance of that is 1 in 64, and the views are fixed"


def test_true_chroma_is_the_mean_colour_of_each_cell():
    rgb = dataset.square(data.astronaut(), 64)
    whole = cv2.resize(rgb_to_lab(rgb.astype(np.float32) / 255), (16, 16), interpolation=cv2.INTER_AREA)
    chroma = dataset.true_chroma(rgb, 16)
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


@pytest.fixture(scope="module")
def bins():
    """Return the bins of pictures that are nearly all grey, with one orange pixel in twenty."""
    rng = np.random.default_rng(0)
    common, rare = rng.integers(-10, 11, (95, 2, 8, 8)), rng.integers(40, 61, (5, 2, 8, 8))
    return losses.ColorBins.of(np.concatenate([common, rare]).astype(np.int8))


class TestColorBins:
    def test_frequencies_are_those_of_the_pixels(self, bins):
        assert bins.frequency.sum() == pytest.approx(1, abs=1e-3)
        near_grey = bins.frequency[bins.centres.abs().amax(1) <= 20].sum()
        assert near_grey == pytest.approx(0.95, abs=0.01)

    def test_rarity_weights_average_to_one_over_pixels_and_favour_the_rare(self, bins):
        weights = bins.class_weights(0.5)
        assert (weights * bins.frequency).sum() == pytest.approx(1, abs=1e-5)
        grey, rare = (torch.cdist(torch.tensor([c]), bins.centres).argmin() for c in ([0.0, 0.0], [50.0, 50.0]))
        assert weights[rare] > 2 * weights[grey]

    def test_the_loss_is_least_at_the_true_colour(self, bins):
        loss = losses.RebalancedCrossEntropy(bins, 0.5)
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
                    UNSEEN,
                )[0]
                for i in range(len(bins.centres))
            ]
        )
        assert bins.centres[by_bin.argmin()].tolist() == [50.0, 50.0]

    def test_the_best_prediction_of_a_coin_toss_is_the_coin_toss(self, bins):
        """Weighted cross-entropy is minimised by the weighted distribution; removing the weights gives the true one."""
        uniform = 0.5
        loss = losses.RebalancedCrossEntropy(bins, uniform)
        chroma = torch.zeros(1, 2, 10, 10)
        chroma[:, :, :, :2] = 50.0  # a fifth of the pixels
        logits = torch.zeros(1, len(bins.centres), 1, 1, requires_grad=True)
        optimizer = torch.optim.LBFGS([logits], max_iter=200)

        def closure():
            optimizer.zero_grad()
            (value,), _ = loss(logits.expand(-1, -1, 10, 10), chroma, UNSEEN)
            value.backward()
            return value

        optimizer.step(closure)
        network = DistributionNetwork(torch.nn.Identity(), torch.nn.Identity(), bins, uniform)
        p = (logits.detach() - network.log_class_weights).softmax(1)[0, :, 0, 0]
        far = bins.centres.amin(1) > 25
        assert p[far].sum() == pytest.approx(0.2, abs=0.02)


class TestDecodedColors:
    @pytest.mark.parametrize("colors", [((30, 0), (0, 30)), ((-20, 15), (15, -20)), ((70, 0), (0, 70))])
    def test_a_difference_of_hue_is_that_of_cie94(self, colors):
        """For two colours of equal chroma, CIE94 is symmetric: the result equals scikit-image's, with the corner
        rounded."""
        ab, truth = (torch.tensor(c, dtype=torch.float32).view(1, 2, 1, 1) for c in colors)
        known = deltaE_ciede94(*(np.array([50.0, *c]) for c in colors))
        assert losses.color_difference(ab, truth).item() == pytest.approx(np.sqrt(known**2 + 1) - 1, rel=1e-3)

    def test_a_difference_of_chroma_counts_less_between_strong_colors(self):
        at = torch.tensor([0.0, 20, 60, 80]).view(4, 1, 1, 1) * torch.tensor([1.0, 0]).view(1, 2, 1, 1)
        weak, strong = (losses.color_difference(at[i : i + 1], at[i + 1 : i + 2]).item() for i in (0, 2))
        assert strong < weak / 2

    def test_equal_colors_have_a_gradient(self):
        ab = torch.zeros(1, 2, 2, 2, requires_grad=True)
        losses.color_difference(ab, torch.zeros(1, 2, 2, 2)).sum().backward()
        assert torch.isfinite(ab.grad).all()

    def test_colorfulness_is_spread_and_distance_from_grey(self):
        ab = torch.zeros(1, 2, 2, 2)
        ab[0, 0] = torch.tensor([[10.0, 30.0], [10.0, 30.0]])
        assert losses.colorfulness(ab).item() == pytest.approx(10 / 1.45 + 0.37 * 20, rel=1e-4)

    @pytest.mark.parametrize("dull", [0.6, 0.75])
    def test_a_loud_corner_does_not_make_up_for_a_dull_picture(self, dull):
        """The standard deviation as a measure of colourfulness did this, and models produced garish corners."""
        truth = 15 * torch.randn(1, 2, 32, 32, generator=torch.Generator().manual_seed(0))
        found = dull * truth
        loud = found.clone()
        loud[..., -2:, -2:] = torch.tensor([60.0, 90.0]).view(2, 1, 1)
        assert losses.decoded_loss(loud, truth) > losses.decoded_loss(found, truth)

    def test_the_loss_is_least_for_the_true_picture_and_greater_for_a_dull_one(self, bins):
        loss = losses.RebalancedCrossEntropy(bins, 0.5, decoded_weight=1.0)
        chroma = torch.full((1, 2, 4, 8), 10.0)
        chroma[..., 4:] = 40.0
        distance = ((chroma[:, None] - bins.centres[None, :, :, None, None]) ** 2).sum(2)
        right, dull, wrong = (loss(-d / 50, chroma, UNSEEN)[0][1] for d in (distance, distance / 30, distance.flip(-1)))
        assert right < dull < wrong


class Saying(torch.nn.Module):
    """Returns what it was given, whatever the hints."""

    def forward(self, maps, hints):
        return maps


NO_HINTS = torch.zeros(1, 3, 8, 8)


class TestDistributionNetwork:
    @pytest.fixture
    def network(self):
        bins = losses.ColorBins(torch.tensor([[0.0, 0.0], [60.0, 0.0]]), torch.tensor([0.9, 0.1]))
        return DistributionNetwork(torch.nn.Identity(), Saying(), bins, 0.5)

    def test_vividness_moves_from_the_mean_to_the_rarer_mode(self, network):
        logits = torch.log(torch.tensor([0.6, 0.4])).view(1, 2, 1, 1) + network.log_class_weights
        ab = [network(logits, torch.tensor([v]), NO_HINTS)[0][0, 0].item() for v in (0.0, 0.25, 0.5, 1.0)]
        sharp = 0.4 ** np.exp(0.5) / (0.4 ** np.exp(0.5) + 0.6 ** np.exp(0.5))
        assert ab[0] == pytest.approx(sharp * 60, abs=1e-3)
        assert ab == sorted(ab)
        assert ab[-1] > 1.5 * 50

    def test_confidence_is_1_where_sure_and_0_where_anything_goes(self, network):
        sure = network(torch.tensor([30.0, 0.0]).view(1, 2, 1, 1), torch.tensor([0.5]), NO_HINTS)[1]
        unsure = network(torch.zeros(1, 2, 1, 1) + network.log_class_weights, torch.tensor([0.5]), NO_HINTS)[1]
        assert sure.item() == pytest.approx(1, abs=1e-3)
        assert unsure.item() == pytest.approx(0, abs=1e-5)

    def test_the_colour_is_the_raised_mean_of_the_probabilities(self, network):
        ab, _, probability = network(torch.zeros(1, 2, 1, 1), torch.tensor([0.3]), NO_HINTS)
        assert probability.sum().item() == pytest.approx(1, abs=1e-6)
        assert ab[0, 0].item() == pytest.approx(1.15 * 60 * probability[0, 1].item(), abs=1e-3)


def test_hints_shrink_to_cells_of_their_mean_colour():
    hints = torch.zeros(1, 3, 16, 24)
    hints[0, :, 3, 17] = torch.tensor([1.0, 55, -22])
    hints[0, :, 4, 18] = torch.tensor([1.0, 11, 0])
    small = downsample_hints(hints)
    assert small.shape == (1, 3, 2, 3)
    np.testing.assert_allclose(small[0, :, 0, 2], [1, 33 / 110, -11 / 110], rtol=1e-5)
    small[0, :, 0, 2] = 0
    assert not small.any()


def test_simulated_hints_are_true_and_half_the_pictures_have_none():
    rng = np.random.default_rng(0)
    chroma = torch.from_numpy(rng.uniform(-100, 100, (400, 2, 8, 8))).float()
    seeds = [[1, i] for i in range(len(chroma))]
    hints = simulate_hints(chroma, seeds, 0.5)
    torch.testing.assert_close(hints[7:], simulate_hints(chroma[7:], seeds[7:], 0.5))
    none = (hints[:, 0].sum((1, 2)) == 0).float().mean().item()
    assert 0.4 < none < 0.6
    single = hints[:, 0].sum((1, 2)) == 1  # a hint of one cell has that cell's own colour
    assert single.sum() > 5
    torch.testing.assert_close(110 * hints[single, 1:], chroma[single] * hints[single, :1])


@pytest.mark.parametrize("side", [5, 6, 7, 8])
@pytest.mark.parametrize(("kernel_size", "stride"), [(3, 1), (5, 1), (3, 2), (5, 2)])
def test_a_frozen_depthwise_convolution_has_the_gradients_of_an_ordinary_one(kernel_size, stride, side):
    torch.manual_seed(0)
    conv = SameConv(6, 6, kernel_size, stride, groups=6)
    x = torch.randn(2, 6, side + 4, side)
    outcomes = []
    for frozen in (True, False):
        conv.weight.requires_grad_(not frozen)
        conv.bias.grad = None
        entered = x.clone().requires_grad_(True)
        y = conv(entered)
        (y**2).sum().backward()
        outcomes.append((y.detach(), entered.grad, conv.bias.grad.clone()))
    for ours, autograds in zip(*outcomes, strict=True):
        torch.testing.assert_close(ours, autograds, rtol=1e-4, atol=1e-4)


class TestColorDecoder:
    @pytest.fixture
    def decoder(self):
        torch.manual_seed(0)
        decoder = ColorDecoder((4, 5, 6), 7)
        for name, parameter in decoder.named_parameters():
            if name.endswith("weight") and not parameter.any():  # it starts as the identity, so its weights are set
                torch.nn.init.normal_(parameter, std=0.05)
        return decoder.eval()

    def maps(self, height, width):
        torch.manual_seed(1)
        return [torch.randn(1, c, height // s, width // s) for c, s in ((4, 1), (5, 2), (6, 4))]

    @pytest.mark.parametrize("size", [(4, 4), (8, 12), (16, 8)])
    def test_any_size_is_taken(self, decoder, size):
        assert decoder(self.maps(*size), torch.zeros(1, 3, *size)).shape == (1, 7, *size)

    @pytest.mark.parametrize(("size", "coarse"), [((48, 64), (8, 11)), ((48, 100), (8, 17)), ((8, 8), (1, 1))])
    def test_the_coarser_levels_have_two_thirds_of_the_grid_and_fit_one_another(self, decoder, size, coarse):
        seen = []
        for level in decoder.refine:
            level.register_forward_hook(lambda _, inputs, __: seen.append(tuple(inputs[0].shape[2:])))
        decoder(self.maps(*size), torch.zeros(1, 3, *size))
        assert seen == [coarse, (2 * coarse[0], 2 * coarse[1]), size]

    @pytest.mark.slow
    def test_a_hint_has_influence_far_away(self, decoder):
        """Only attention can do this: no convolution here reaches from one corner to the other."""
        maps, hints = self.maps(64, 64), torch.zeros(1, 3, 64, 64)
        without = decoder(maps, hints)
        hints[0, :, 2, 2] = 1
        seen = (decoder(maps, hints) - without)[..., -1, -1].abs().max()
        for module in decoder.modules():
            if isinstance(module, Attention):
                module.forward = lambda x: x
        blind = decoder(maps, 0 * hints)
        normed = (decoder(maps, hints) - blind)[..., -1, -1].abs().max()  # norms are taken over the whole map
        assert seen > 3 * normed


def test_vgg16_preprocesses_as_keras_does():
    """Grey 128 enters as 128 minus each channel's mean, blue first, which a convolution with unit weights shows."""
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


@pytest.mark.parametrize("variant", [0, 1, 2])
def test_lite_still_classifies_with_its_own_head(variant):
    """Folding, padding and stages are right: with these features the classifier recognises a cat and a rocket."""
    classifier = LiteClassifier(variant).eval()
    for name, classes in (("chelsea", range(281, 286)), ("rocket", (657, 744, 812))):
        rgb = dataset.square(getattr(data, name)(), 256).astype(np.float32)
        with torch.no_grad():
            verdict = classifier(torch.from_numpy(rgb).permute(2, 0, 1)[None])[0].argmax().item()
        assert verdict in classes


def cached(encoder, views, folder):
    cache = DiskCache(encoder, views, folder, SIDES, features.compile_backbone(encoder, SIDES.picture))
    cache.fill("tiny")
    return cache


@pytest.mark.slow
def test_features_are_computed_once_and_resume(photographs, tmp_path):
    training = dataset.views(dataset.split(inspect(photographs).photographs)[0], 1)
    first = cached(Tiny().eval(), training, tmp_path)
    expected = np.array(first.features)
    assert expected.shape == (len(training), 512 * 4)
    assert np.abs(expected).max() > 0
    first.features[:] = 7  # a complete cache is trusted
    first.features.flush()
    again = cached(Tiny().eval(), training, tmp_path)
    assert (again.features == 7).all()
    fewer = cached(Tiny().eval(), training[1:], tmp_path)  # other photographs
    np.testing.assert_array_equal(fewer.features, expected[1:])


@pytest.mark.slow
def test_the_sign_of_a_zero_weight_does_not_change_the_key_of_a_cache(photographs, tmp_path):
    """A moving average of a frozen weight of -0 is 0, which is the same network."""
    views = dataset.views(dataset.split(inspect(photographs).photographs)[0], 1)
    negative, positive = (Tiny().eval() for _ in range(2))
    negative.register_buffer("weight", torch.tensor([-0.0]))
    positive.register_buffer("weight", torch.tensor([0.0]))
    cached(negative, views, tmp_path)
    assert cached_views(positive, views, tmp_path, SIDES) == len(views)


class TestDamagedCache:
    @pytest.fixture
    def views(self, photographs):
        return dataset.views(dataset.split(inspect(photographs).photographs)[0], 1)

    @pytest.mark.slow
    @pytest.mark.parametrize("name", ["cache.json", "there.npy", "features.npy", "chroma.npy"])
    @pytest.mark.parametrize("damage", [lambda path: path.write_bytes(b"\xff"), lambda path: path.unlink()])
    def test_the_cache_is_rebuilt(self, name, damage, views, tmp_path):
        expected = np.array(cached(Tiny().eval(), views, tmp_path).features)
        damage(tmp_path / name)
        again = cached(Tiny().eval(), views, tmp_path)
        np.testing.assert_array_equal(again.features, expected)

    @pytest.mark.slow
    def test_views_reach_the_disk_before_they_count(self, views, tmp_path, monkeypatch):
        done, save = [], np.save
        monkeypatch.setattr(np.memmap, "flush", lambda array: done.append("flushed"))
        monkeypatch.setattr(np, "save", lambda *given: done.append("recorded") or save(*given))
        cached(Tiny().eval(), views, tmp_path)
        assert done == ["flushed"] * 3 + ["recorded"]

    def test_a_folder_that_cannot_be_made_is_named(self, views, tmp_path):
        (tmp_path / "file").write_text("in the way")
        with pytest.raises(TrainingError, match=r"tiny: cannot be written \(Not a directory\)"):
            cached(Tiny().eval(), views, tmp_path / "file" / "tiny")


def test_a_log_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "run").write_text("in the way")
    run = SimpleNamespace(config=SimpleNamespace(run_folder=tmp_path / "run"))
    with pytest.raises(TrainingError, match=r"tensorboard: cannot be written \(Not a directory\)"):
        RunLog(run, SimpleNamespace(step=0))


@pytest.mark.slow
def test_cached_features_are_the_encoders(photographs, tmp_path):
    views = dataset.views(dataset.split(inspect(photographs).photographs)[0][:2], 2)
    cache = cached(Tiny().eval(), views, tmp_path)
    for row, view in enumerate(views):
        rgb, luma = view.load(64)
        lightness = torch.from_numpy(lightness_of_luma(luma) / 100)
        (maps,), truth, small = cache.batch(np.array([row]))
        np.testing.assert_allclose(maps[0], Tiny()(lightness[None, None])[0][0], atol=1e-2)
        np.testing.assert_allclose(truth[0], np.rint(dataset.true_chroma(rgb, 16)), atol=1e-6)
        means = torch.nn.functional.avg_pool2d(lightness[None], 2)
        np.testing.assert_allclose(small[0], means, atol=0.51 / 255)


@pytest.mark.slow
def test_the_cache_key_depends_on_the_views(photographs, tmp_path):
    training = dataset.split(inspect(photographs).photographs)[0][:2]
    plain = np.array(cached(Tiny().eval(), dataset.views(training, 1), tmp_path).features)
    aged = [dataset.View(photograph, 1) for photograph in training]
    other = cached(Tiny().eval(), aged, tmp_path)
    assert np.abs(other.features - plain).max() > 0.05


def test_the_encoders_early_part_and_depthwise_kernels_stay_frozen():
    encoder = load_encoder("efficientnet-lite2")
    bins = losses.ColorBins(torch.zeros(3, 2), torch.ones(3) / 3)
    head = new_head(encoder, bins)
    assert not any(p.requires_grad for p in encoder.backbone.parameters())
    trained = {name for name, p in head.named_parameters() if p.requires_grad}
    assert any(name.startswith("stages.") for name in trained)
    assert not any("depthwise.weight" in name for name in trained)


def test_a_checkpoint_survives_a_full_disk(tmp_path, monkeypatch):
    path = tmp_path / "checkpoint.safetensors"
    checkpoint.save(path, {"a": torch.ones(3)}, {"step": 1})

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(checkpoint, "serialize", full)
    with pytest.raises(TrainingError, match="the previous checkpoint is kept"):
        checkpoint.save(path, {"a": torch.zeros(3)}, {"step": 2})
    tensors, facts = checkpoint.load(path)
    assert facts == {"step": 1}
    assert tensors["a"].tolist() == [1, 1, 1]
    assert list(tmp_path.iterdir()) == [path]


def test_a_checkpoint_can_be_read_by_those_who_can_read_other_new_files(tmp_path):
    path = tmp_path / "checkpoint.safetensors"
    checkpoint.save(path, {"a": torch.ones(3)}, {"step": 1})
    (tmp_path / "other").touch()
    assert path.stat().st_mode == (tmp_path / "other").stat().st_mode


def test_a_file_that_is_not_a_checkpoint_is_named(tmp_path):
    (tmp_path / "x.safetensors").write_bytes(b"nothing")
    with pytest.raises(TrainingError, match=r"is not a checkpoint .*: give a checkpoint that a training run wrote"):
        checkpoint.load(tmp_path / "x.safetensors")
    with pytest.raises(TrainingError, match=r": is a folder: give a checkpoint that a training run wrote"):
        checkpoint.load(tmp_path)


@pytest.mark.parametrize("name", ["torch.onnx._internal", "onnxscript.optimizer._constant_folding"])
def test_warnings_of_the_exporter_are_not_printed(name, monkeypatch, caplog):
    def export(*_, **__):
        logging.getLogger(name).warning("skipping constant folding")
        return "program"

    monkeypatch.setattr(torch.onnx, "export", export)
    assert to_onnx(torch.nn.Identity(), [torch.zeros(1)]) == "program"
    assert caplog.records == []
    assert logging.getLogger(name).isEnabledFor(logging.WARNING)  # restored
