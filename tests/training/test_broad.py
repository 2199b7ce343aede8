"""Training on broad photographs: frozen features of all strides, repeats, equal class weights, colour queries."""

import errno
import os
import shutil
from collections import Counter
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from skimage import data

from photochrom import TrainingError
from photochrom.colorizer.vividness import DIAL_LAMBDA
from photochrom.training import reexport
from photochrom.training.config import TrainingConfig
from photochrom.training.data import feature_cache
from photochrom.training.data.batches import Sides
from photochrom.training.data.dataset import Photograph, fingerprint, square, views
from photochrom.training.data.feature_cache import DiskCache, FeatureCache, few_features
from photochrom.training.export import capabilities, export, load_mean, load_trained
from photochrom.training.initial_model import load_initial_model
from photochrom.training.networks.colorization import build_network, new_head, shift_class_weights
from photochrom.training.networks.decoder import ColorDecoder, count_parameters
from photochrom.training.networks.encoders import load_encoder
from photochrom.training.networks.losses import ColorBins, RebalancedCrossEntropy
from photochrom.training.processes import launch
from photochrom.training.published_weights import read_model
from photochrom.training.recipes import BROAD
from photochrom.training.schedule import Schedule
from photochrom.training.train import Trainer
from tests.helpers.fakes import CARD
from tests.helpers.training_runs import Tiny

SIDES = Sides(64, 8, 0)


@pytest.fixture(scope="module")
def photographs(tmp_path_factory):
    root = tmp_path_factory.mktemp("photographs")
    found = []
    for i, name in enumerate(("astronaut", "coffee", "chelsea", "rocket")):
        cv2.imwrite(str(path := root / f"{name}.png"), square(getattr(data, name)(), 96)[..., ::-1])
        found.append(Photograph(path, f"{i + 1:040x}", "", 40.0))
    return found


@pytest.fixture(scope="module")
def bins():
    rng = np.random.default_rng(0)
    return ColorBins.of(rng.normal(0, 25, (8, 2, 16, 16)).clip(-100, 100).astype(np.int8))


@pytest.fixture(scope="module")
def lite():
    return load_encoder("efficientnet-lite2")


def trainer_of(folder, encoder, bins, count=40, **numbers):
    recipe = replace(
        BROAD,
        **{"batch": 4, "epochs": 1, "grid": 16, "crop": 8, "perceptual_weight": 0.0, "perceptual_networks": 0}
        | numbers,
    )
    fabric = launch(TrainingConfig(str(folder), folder, resume=True, precision="fp32"))
    return Trainer(fabric, recipe, new_head(encoder, bins, recipe.color_queries), bins, count)


class TestViews:
    def test_the_central_square_may_be_left_out(self, photographs):
        assert [v.number for v in views(photographs, 2, 1)] == [1] * 4 + [2] * 4

    def test_none_or_all_are_aged(self, photographs):
        clean, aged = (views(photographs, 1, 1, share) for share in (0.0, 1.0))
        for one, other in zip(clean, aged, strict=True):
            (rgb, luma), (same, old) = one.load(64), other.load(64)
            np.testing.assert_array_equal(rgb, same)
            assert (luma != old).mean() > 0.5

    def test_how_many_are_aged_belongs_to_the_identity_of_random_views(self, photographs):
        assert fingerprint(views(photographs, 1, 1, 0.1)) != fingerprint(views(photographs, 1, 1))


def test_a_temporary_folder_that_cannot_be_written_is_named(monkeypatch, tmp_path):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "gone"))
    with pytest.raises(TrainingError, match=r"gone: cannot be written .*: make room, or set TMPDIR"):
        feature_cache.compile_backbone(Tiny().eval(), SIDES.picture)


class TestDiskCache:
    @pytest.fixture
    def counted(self):
        return Counter()

    @pytest.fixture
    def make(self, photographs, tmp_path, counted):
        encoder, shown = Tiny().eval(), views(photographs, 3)
        run = feature_cache.compile_backbone(encoder, SIDES.picture)

        def counting(lightness):
            counted["views"] += int((lightness != 0).any((1, 2, 3)).sum())
            return run(lightness)

        return lambda: DiskCache(encoder, shown, tmp_path / "cache", SIDES, counting), encoder, shown, run

    @pytest.mark.slow
    def test_each_view_is_computed_once_and_is_the_encoder_s(self, make, counted):
        cache, encoder, shown, run = make[0](), *make[1:]
        expected = few_features(encoder, run, shown, SIDES)
        for indices in (np.array([1, 5, 7]), np.array([5, 7, 11]), np.arange(12)):
            found = cache.batch(indices)
            np.testing.assert_allclose(found.inputs[0], expected.batch(indices).inputs[0], atol=1e-3)
            np.testing.assert_array_equal(found.chroma, expected.batch(indices).chroma)
        assert counted["views"] == 12

    @pytest.mark.slow
    def test_noted_views_are_there_after_a_restart(self, make, counted, monkeypatch):
        monkeypatch.setattr(feature_cache, "_CHUNK", 4)
        first = make[0]()
        batches = [first.batch(indices) for indices in (np.array([0, 1]), np.array([2, 3]), np.array([4]))]
        again = make[0]()
        np.testing.assert_array_equal(again.batch(np.array([0, 1])).inputs[0], batches[0].inputs[0])
        assert counted["views"] == 5
        again.batch(np.array([4]))  # came after the last note
        assert counted["views"] == 6

    @pytest.mark.slow
    def test_a_record_is_replaced_whole_and_a_damaged_one_counts_as_none(self, make, counted, tmp_path, monkeypatch):
        monkeypatch.setattr(feature_cache, "_CHUNK", 1)
        path = tmp_path / "cache" / "there.npy"
        first = make[0]()
        first.batch(np.array([0, 1]))
        recorded = path.read_bytes()

        def killed(file, array):
            file.write(b"half of it")
            raise KeyboardInterrupt

        with monkeypatch.context() as patch:
            patch.setattr(feature_cache.np, "save", killed)
            with pytest.raises(KeyboardInterrupt):
                first.batch(np.array([2]))
        assert path.read_bytes() == recorded
        path.write_bytes(recorded[:100])
        make[0]().batch(np.array([0, 1]))
        assert counted["views"] == 5

    @pytest.mark.slow
    def test_missing_views_are_computed_in_one_go(self, make, counted, monkeypatch):
        monkeypatch.setattr(feature_cache, "_CHUNK", 1)
        encoder, shown, run = make[1:]
        make[0]().batch(np.array([5, 7]))
        found = make[0]()
        found.fill("tiny")
        expected = few_features(encoder, run, shown, SIDES)
        np.testing.assert_allclose(found.features, expected.features, atol=1e-3)
        assert counted["views"] == 12

    def test_a_full_disk_is_an_error_and_does_not_kill_the_process(self, make, monkeypatch):
        cache = make[0]()

        def full(*_):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        monkeypatch.setattr(os, "posix_fallocate", full, raising=False)
        for compute in (lambda: cache.batch(np.array([1, 5])), lambda: cache.fill("tiny")):
            with pytest.raises(
                TrainingError, match=r"features\.npy: no room for the features .*: free some space, or give"
            ):
                compute()


class TestRepeats:
    @pytest.fixture
    def indices(self, monkeypatch, tmp_path, lite, bins):
        monkeypatch.setattr("photochrom.training.schedule.STRETCH", 3)

        def indices(step=0):
            trainer = trainer_of(tmp_path, lite, bins, count=40, repeats=2, epochs=2)
            trainer.step = step
            return [set(batch.tolist()) for batch in trainer.view_indices()]

        return indices

    @pytest.mark.slow
    def test_a_stretch_is_gone_through_twice_in_other_batches(self, indices):
        found = indices()
        assert len(found) == 20
        first, second, next_one = (found[i : i + 3] for i in (0, 3, 6))
        assert set.union(*first) == set.union(*second)
        assert len(set.union(*first)) == 12
        assert first != second
        assert not set.union(*first) & set.union(*next_one)

    @pytest.mark.slow
    def test_a_resumed_run_sees_the_same_views(self, indices):
        assert indices(7) == indices()[7:]


@pytest.mark.parametrize("count", [12_768, 1_000, 9_600, 44_800])
def test_a_run_of_as_many_epochs_as_repeats_shows_each_view_that_often(count):
    """Only views that do not fill a step of a stretch are left out, in favour of others."""
    schedule = Schedule(BROAD, count)
    assert BROAD.epochs % BROAD.repeats == 0
    shown = np.bincount(np.concatenate(list(schedule.view_indices(0, 0))), minlength=count)
    assert shown.sum() == schedule.steps * BROAD.batch
    assert (shown == BROAD.epochs).mean() > 0.95
    assert (shown > 0).mean() > 0.97


class TestFrozenStages:
    @pytest.mark.slow
    def test_maps_of_all_strides_are_cropped_alike(self, tmp_path, lite, bins):
        trainer = trainer_of(tmp_path, lite, bins)
        maps = [torch.arange(s).repeat_interleave(16 // s)[:: 16 // s].repeat(s, 1)[None] for s in (16, 8, 4)]
        crop = trainer.draw_crop()
        fine, middle, coarse = (crop(m)[0, 0] for m in maps)
        assert (len(fine), len(middle), len(coarse)) == (8, 4, 2)
        assert fine[0] == 2 * middle[0] == 4 * coarse[0]

    @pytest.mark.slow
    def test_features_computed_before_give_the_same_logits(self, lite, bins):
        head = new_head(lite, bins).eval()
        lightness, hints = torch.rand(2, 1, 64, 64), torch.zeros(2, 3, 8, 8)
        with torch.no_grad():
            torch.testing.assert_close(head(lite(lightness), hints), head(lite.backbone(lightness), hints))

    @pytest.mark.slow
    def test_only_the_decoder_learns(self, tmp_path, lite, bins):
        trainer = trainer_of(tmp_path, lite, bins, count=12)
        before = {k: v.clone() for k, v in trainer.head.state_dict().items()}
        rng = np.random.default_rng(0)
        shapes = ((48, 16, 16), (120, 8, 8), (352, 4, 4))
        rows = rng.normal(0, 0.3, (12, sum(int(np.prod(s)) for s in shapes))).astype(np.float16)
        cache = FeatureCache(rows, np.full((12, 2, 16, 16), 30, np.int8), shapes, np.empty((12, 0, 0), np.uint8))
        losses = [trainer.update(cache, batch) for batch in cache.stream(trainer.view_indices())]
        assert np.isfinite(losses).all()
        changed = {k.split(".")[0] for k, v in trainer.head.state_dict().items() if not torch.equal(v, before[k])}
        assert changed == {"decoder"}


@pytest.mark.slow
def test_biases_norms_and_queries_do_not_decay(tmp_path, lite, bins):
    trainer = trainer_of(tmp_path, lite, bins, weight_decay=1.0, stages_rate=0.5, color_queries=4)
    rates = {id(p): group["weight_decay"] for group in trainer.optimizer.param_groups for p in group["params"]}
    decays = {name: rates[id(p)] for name, p in trainer.head.named_parameters() if p.requires_grad}
    kept = {name for name, decay in decays.items() if not decay}
    assert {"decoder.classify.bias", "decoder.queries.embedding"} < kept < decays.keys()
    assert "decoder.classify.weight" not in kept
    assert all(trainer.head.get_parameter(name).ndim == 1 for name in kept - {"decoder.queries.embedding"})
    assert not [n for n in decays if trainer.head.get_parameter(n).ndim == 1 and n not in kept]


class TestClassWeights:
    @pytest.mark.slow
    def test_a_head_trained_plainly_is_read_as_one_with_the_dial_s_weights(self, lite, bins):
        plain = new_head(lite, bins)
        network = build_network(lite.backbone, plain, bins, 1.0)
        inputs = (torch.rand(1, 1, 64, 64), torch.tensor([0.0]), torch.zeros(1, 3, 64, 64))
        with torch.no_grad():
            logits = plain(lite.backbone(inputs[0]), torch.zeros(1, 3, 8, 8))
            _, confidence, _ = network(*inputs)
        torch.testing.assert_close(confidence, network.confidence(logits), atol=1e-4, rtol=1e-4)
        shifted = shift_class_weights(plain, bins, 1.0, DIAL_LAMBDA)
        same = build_network(lite.backbone, shifted, bins, DIAL_LAMBDA)
        with torch.no_grad():
            torch.testing.assert_close(same(*inputs)[1], confidence, atol=1e-4, rtol=1e-4)

    @pytest.mark.slow
    def test_an_earlier_run_continues_with_the_dial_s_weights(self, tmp_path, lite, bins):
        trainer = trainer_of(tmp_path, lite, bins)
        trainer.save_result(tmp_path / "best.safetensors")
        found = load_initial_model(str(tmp_path), None, None)
        expected = trainer.ema["decoder.classify.bias"] + bins.class_weights(DIAL_LAMBDA).log()
        torch.testing.assert_close(found.head.decoder.classify.bias.data, expected, atol=1e-5, rtol=1e-5)

    @pytest.mark.slow
    def test_decoded_colors_are_those_of_the_dial_whatever_the_weights(self, bins):
        logits = torch.randn(1, len(bins.centres), 4, 4)
        rows = logits.movedim(1, -1).flatten(0, 2)
        plain, usual = (RebalancedCrossEntropy(bins, share) for share in (1.0, DIAL_LAMBDA))
        truth = torch.zeros(1, 2, 4, 4)
        shifted = rows + bins.class_weights(DIAL_LAMBDA).log()
        torch.testing.assert_close(plain._decode(rows, truth), usual._decode(shifted, truth), atol=1e-3, rtol=1e-3)


@pytest.fixture(scope="module")
def model(tmp_path_factory, lite, bins):
    """Return a model file with queries, and the network that it holds."""
    folder = tmp_path_factory.mktemp("model")
    trainer = trainer_of(folder, lite, bins, color_queries=8)
    torch.nn.init.normal_(trainer.ema["decoder.queries.add.weight"], std=0.1)
    trainer.save_result(folder / "best.safetensors")
    trained = load_trained(folder / "best.safetensors")
    export(trained.network, replace(CARD, **capabilities(trained.network, 0.5)), folder / "model.onnx")
    return folder / "model.onnx", trained.network


class TestColorQueries:
    @pytest.mark.slow
    def test_color_queries_change_nothing_at_first_and_see_the_whole_picture(self, bins):
        torch.manual_seed(0)
        decoder = ColorDecoder((48, 120, 352), len(bins.centres)).eval()
        maps = [torch.randn(1, c, 16 // s, 24 // s) for c, s in ((48, 1), (120, 2), (352, 4))]
        hints = torch.zeros(1, 3, 16, 24)
        with torch.no_grad():
            before = decoder(maps, hints)
            decoder.add_queries(32)
            torch.testing.assert_close(decoder(maps, hints), before)
            torch.nn.init.normal_(decoder.queries.add.weight)
            after = decoder(maps, hints)
        assert after.shape == before.shape
        assert (after - before).abs().min(1).values.max() > 0
        assert count_parameters(decoder.queries) < 1_000_000

    @pytest.mark.slow
    @pytest.mark.parametrize("queries", [(8, 0), (0, 8), (4, 8)])
    def test_networks_with_different_queries_have_no_mean(self, queries, tmp_path, lite, bins):
        for count in queries:
            trainer_of(tmp_path, lite, bins, color_queries=count).save_result(tmp_path / f"{count}.safetensors")
        one, other = (tmp_path / f"{count}.safetensors" for count in queries)
        with pytest.raises(TrainingError, match=rf"{other.name}: has another network than .*{one.name}"):
            load_mean([one, other])

    @pytest.mark.slow
    def test_a_model_file_with_queries_is_read_again(self, model):
        path, network = model
        found = load_initial_model(str(path), None, None)
        expected = {k: v for k, v in network.head.state_dict().items() if "queries" in k}
        assert len(expected) > 20
        for name, value in expected.items():  # rounded to float16
            torch.testing.assert_close(found.head.state_dict()[name], value, atol=2e-3, rtol=2e-3)

    @pytest.mark.slow
    def test_training_can_start_from_a_file_written_anew_as_from_the_old(self, model, tmp_path, capsys):
        old, new = model[0], tmp_path / "new.onnx"
        assert reexport.run([str(old), str(new)]) == 0  # compares the colours of both
        assert "within 0.000 a*b*" in capsys.readouterr().out
        assert read_model(new)[0] == read_model(old)[0]
        found, expected = (load_initial_model(str(path), None, None).head.state_dict() for path in (new, old))
        for name, value in expected.items():
            torch.testing.assert_close(found[name], value, rtol=1e-6, atol=0)
        assert new.stat().st_size < old.stat().st_size + 10_000

    @pytest.mark.slow
    def test_a_model_stays_if_the_new_file_would_differ(self, model, tmp_path, monkeypatch):
        old = Path(shutil.copy(model[0], tmp_path / "old.onnx"))
        before = old.read_bytes()
        monkeypatch.setattr(reexport, "TOLERANCE", -1.0)
        with pytest.raises(TrainingError, match=r"old\.onnx: a new file would differ by"):
            reexport.reexport(old, old)
        assert old.read_bytes() == before
        assert list(tmp_path.iterdir()) == [old]

    @pytest.mark.slow
    def test_an_error_names_the_new_file_and_not_its_temporary_name(self, model, tmp_path, monkeypatch):
        def full(*_):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        monkeypatch.setattr("photochrom.training.export.onnx.save", full)
        with pytest.raises(TrainingError, match=r"/new\.onnx: cannot be written \(No space"):
            reexport.reexport(model[0], tmp_path / "new.onnx")
        assert not list(tmp_path.iterdir())
