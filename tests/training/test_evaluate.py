"""The evaluator: its figures against known values, what it says of what it cannot measure, and what it writes."""

import base64
import dataclasses
import importlib.machinery
import itertools
import json
import re
import shutil
import sys
import types
from concurrent.futures import ThreadPoolExecutor
from html.parser import HTMLParser
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from scipy.linalg import sqrtm
from skimage import data

from photochrom import Colorizer, ColorOptions, TrainingError, alternatives
from photochrom.color.gamut import rgb_of_luma
from photochrom.color.spaces import BT601, luma_of_rgb, rgb_to_lab
from photochrom.colorizer.colorizer import Prediction
from photochrom.colorizer.hints import Hint
from photochrom.commands.main import main
from photochrom.training.data import dataset
from photochrom.training.data.aging import age
from photochrom.training.evaluation import evaluate, frechet, metrics, report, robustness
from photochrom.training.evaluation import html_report as page
from photochrom.training.evaluation import lpips_fid as perceptual
from photochrom.training.networks import classifier
from tests.helpers.fakes import CARD
from tests.helpers.suggesting import hinting_engine

SHA1 = "0123456789abcdef0123456789abcdef01234567"


def chroma_of(rgb):
    """Cb and Cr of RGB uint8, around 128."""
    r, _, b = np.moveaxis(rgb.astype(np.float32), -1, 0)
    y = luma_of_rgb(rgb).astype(np.float32)
    return tuple(
        np.rint(128 + c).clip(0, 255).astype(np.uint8) for c in ((b - y) / BT601.cb_to_b, (r - y) / BT601.cr_to_r)
    )


def grey_of(rgb):
    return np.repeat(luma_of_rgb(rgb)[..., None], 3, axis=2)


class Painter:
    """A colorizer whose answer is known: ``paint(luma, options)`` gives Cb and Cr."""

    label, card = "painter 1, sha256 0", dataclasses.replace(CARD, bins=())

    def __init__(self, paint, confidence=None):
        self.paint, self.confidence, self.calls = paint, confidence, 0

    def chroma(self, luma, options=None):
        return self.paint(luma, options)

    def colorize(self, luma, options=None):
        self.calls += 1
        return rgb_of_luma(luma, *self.paint(luma, options))

    def predict(self, luma, options=None):
        return Prediction(luma, np.zeros((2, 1, 1), np.float32), self.confidence)


def flat(value):
    """A painter's brush of one Cb and Cr."""
    return lambda luma, _: (np.full_like(luma, value[0]), np.full_like(luma, value[1]))


@pytest.fixture(scope="module")
def truth():
    return dataset.square(data.astronaut(), 128)


class TestFidelity:
    def test_psnr_does_not_wrap_around_as_uint8_does(self):
        dark, bright = np.full((16, 16, 3), 40, np.uint8), np.full((16, 16, 3), 240, np.uint8)
        for pair in ((dark, bright), (bright, dark)):
            assert metrics.psnr(*pair) == pytest.approx(10 * np.log10(255**2 / 200**2))

    def test_ssim_of_equal_and_of_flat_pictures(self, truth):
        assert metrics.ssim(truth, truth) == pytest.approx(1)
        a, b, c1 = 100, 150, (0.01 * 255) ** 2
        flat_a, flat_b = (np.full((32, 32, 3), v, np.uint8) for v in (a, b))
        assert metrics.ssim(flat_a, flat_b) == pytest.approx((2 * a * b + c1) / (a**2 + b**2 + c1))

    def test_pictures_of_another_size_or_depth_are_refused_and_not_stretched(self, truth):
        for other in (truth[:1], truth[:64], truth.astype(np.uint16), grey_of(truth)[..., 0]):
            for figure in (metrics.psnr, metrics.ssim, metrics.ciede2000):
                with pytest.raises(TrainingError, match="only RGB uint8 pictures of one size"):
                    figure(other, truth)

    def test_another_luma_shows(self, truth):
        assert metrics.score(grey_of(truth), truth, agrees=False).luma_kept == 1
        brighter = truth.copy()
        brighter[:32] = np.minimum(brighter[:32].astype(int) + 40, 255)
        assert 0.74 < metrics.score(brighter, truth, agrees=False).luma_kept < 0.8  # white stays white

    def test_a_map_of_ciede2000_has_the_mean_and_the_pixels(self, truth):
        difference = metrics.ciede2000_map(grey_of(truth), truth)
        assert difference.shape == truth.shape[:2]
        assert metrics.ciede2000(grey_of(truth), truth) == pytest.approx(difference.mean(), rel=1e-5)
        few = np.zeros(truth.shape[:2], bool)
        few[5, 7:9] = True
        np.testing.assert_allclose(metrics.ciede2000_map(grey_of(truth)[few], truth[few]), difference[few], rtol=1e-5)


def scores(**changes):
    usual = {"psnr": 20.0, "ssim": 0.9, "ciede2000": 10.0, "luma_kept": 1.0}
    return metrics.Scores(**usual | {"colorfulness": 0.0, "colorfulness_absolute": 0.0, "agreement": 0.0} | changes)


class TestSummary:
    def test_what_is_won_back_of_the_lost_agreement(self):
        grey = [scores(agreement=a) for a in (1, 0, 0, 0, 0)]  # 4 of 5 are lost
        model = [scores(agreement=a) for a in (1, 1, 0, 0, 0)]  # 1 of them is won back
        truth = [scores(agreement=1)] * 5
        assert metrics.summary(model, grey, truth).recovered == pytest.approx((0.4 - 0.2) / (1 - 0.2))
        assert metrics.summary(grey, grey, truth).recovered == 0
        assert metrics.summary(truth, grey, truth).recovered == 1
        assert metrics.summary(truth, truth, truth).recovered is None  # nothing was lost

    def test_colourfulness_that_evens_out_over_the_set_does_not_per_picture(self):
        truth = [scores(colorfulness=40.0)] * 2
        found = metrics.summary([scores(colorfulness=30.0), scores(colorfulness=50.0)], [scores()] * 2, truth)
        assert found.colorfulness_delta == 0
        assert found.colorfulness_delta_each == 10
        assert found.colorfulness_ratio == 1

    def test_gain_and_ratio_are_beside_grey(self):
        model = [scores(psnr=23.0, ciede2000=8.0), scores(psnr=22.0, ciede2000=4.0)]
        found = metrics.summary(model, [scores()] * 2, [scores(psnr=float("inf"), ciede2000=0.0)] * 2)
        assert found.psnr_gain == pytest.approx(2.5)
        assert found.ciede2000_ratio == pytest.approx(0.6)

    def test_one_perfect_picture_does_not_make_the_mean_infinite(self):
        found = metrics.summary([scores(psnr=float("inf")), scores(psnr=24.0)], [scores()] * 2, [scores()] * 2)
        assert found.psnr == 24
        assert metrics.mean([float("inf"), None]) is None


def gaussian(vectors, batch=7):
    found = frechet.Gaussian(vectors.shape[1])
    for start in range(0, len(vectors), batch):
        found.add(vectors[start : start + batch])
    return found


class TestFrechet:
    @pytest.fixture
    def vectors(self):
        rng = np.random.default_rng(0)
        return rng.normal(size=(200, 6)) @ rng.normal(size=(6, 6)) + 5

    def test_batches_give_the_mean_and_covariance_of_the_whole(self, vectors):
        found = gaussian(vectors)
        np.testing.assert_allclose(found.mean, vectors.mean(axis=0))
        np.testing.assert_allclose(found.covariance, np.cov(vectors.T))
        np.testing.assert_allclose(found.root().T @ found.root(), np.cov(vectors.T), atol=1e-9)

    def test_equal_sets_are_at_0_also_where_the_covariance_is_singular(self, vectors):
        assert frechet.distance(gaussian(vectors), gaussian(vectors, batch=200)) == pytest.approx(0, abs=1e-9)
        few = np.random.default_rng(1).normal(size=(5, 60))
        assert len(gaussian(few).root()) == 4
        assert frechet.distance(gaussian(few), gaussian(few)) == pytest.approx(0, abs=1e-9)

    def test_a_shift_counts_squared_and_a_factor_by_the_standard_deviations(self, vectors):
        shift = np.arange(6.0)
        assert frechet.distance(gaussian(vectors), gaussian(vectors + shift)) == pytest.approx((shift**2).sum())
        centred = vectors - vectors.mean(axis=0)
        expected = (3 - 1) ** 2 * np.trace(np.cov(vectors.T))
        assert frechet.distance(gaussian(centred), gaussian(3 * centred)) == pytest.approx(expected)

    def test_it_is_the_published_formula(self, vectors):
        other = np.random.default_rng(2).normal(size=(300, 6)) ** 3
        a, b = np.cov(vectors.T), np.cov(other.T)
        shift = vectors.mean(axis=0) - other.mean(axis=0)
        expected = shift @ shift + np.trace(a + b - 2 * sqrtm(a @ b).real)
        assert frechet.distance(gaussian(vectors), gaussian(other)) == pytest.approx(expected)

    def test_of_sets_that_vary_in_different_directions_the_variances_add_up(self):
        rng = np.random.default_rng(3)
        a, b = np.zeros((20, 8)), np.zeros((20, 8))
        a[:, :3], b[:, 5:] = rng.normal(size=(20, 3)), rng.normal(size=(20, 3))
        expected = ((a.mean(0) - b.mean(0)) ** 2).sum() + np.trace(np.cov(a.T)) + np.trace(np.cov(b.T))
        assert frechet.distance(gaussian(a), gaussian(b)) == pytest.approx(expected)

    def test_single_pictures_are_as_far_apart_as_they_are(self):
        assert frechet.distance(gaussian(np.array([[1.0, 2.0]])), gaussian(np.array([[4.0, 6.0]]))) == pytest.approx(25)


def test_one_run_gives_the_verdict_and_what_it_was_decided_by():
    judge = classifier.ImageClassifier()
    cat = dataset.square(data.chelsea(), 256)
    with ThreadPoolExecutor(4) as pool:
        verdicts = list(pool.map(judge, [cat] * 8))
    assert {v.label for v in verdicts} <= set(range(281, 286))
    small = cv2.resize(cat, (classifier.SIZE, classifier.SIZE), interpolation=cv2.INTER_AREA).astype(np.float32)
    with torch.inference_mode():
        own = classifier.LiteClassifier(1).eval()(torch.from_numpy(small).permute(2, 0, 1)[None])
    pooled = own[1][0].numpy()
    for verdict in verdicts:
        assert verdict.features.shape == (classifier.FEATURES,)
        assert np.abs(verdict.features - pooled).mean() < 0.05 * pooled.mean()  # bfloat16 on some processors


class TestPerceptual:
    @pytest.fixture(autouse=True)
    def weights(self, tmp_path, monkeypatch):
        """An empty folder of weights, and no torch-fidelity."""
        monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
        monkeypatch.delitem(sys.modules, "torch_fidelity", raising=False)
        find_spec = importlib.util.find_spec
        monkeypatch.setattr(
            importlib.util, "find_spec", lambda name: None if name == "torch_fidelity" else find_spec(name)
        )
        folder = tmp_path / "checkpoints"
        folder.mkdir()
        return folder

    @staticmethod
    def download(weights):
        for url in (*perceptual._LPIPS, perceptual._INCEPTION):
            (weights / url.rsplit("/", 1)[1]).write_bytes(b"weights")

    def test_what_is_missing_is_said_with_what_to_do(self, weights):
        found = perceptual.open_perceptual()
        assert found.lpips is found.inception is None
        for why, file in (("LPIPS", "weights-vgg16-lpips.pth"), ("LPIPS", "vgg16-397923af.pth"), ("FID", "inception")):
            assert "pip install torch-fidelity" in found.not_measured[why]
            assert file in found.not_measured[why]
            assert str(weights) in found.not_measured[why]

    def test_the_library_alone_does_not_make_it_download(self, weights, monkeypatch):
        monkeypatch.setattr(importlib.util, "find_spec", lambda _: object())
        monkeypatch.setitem(sys.modules, "torch_fidelity", types.ModuleType("torch_fidelity"))
        (weights / "weights-vgg16-lpips.pth").write_bytes(b"weights")
        found = perceptual.open_perceptual()
        assert found.not_measured["LPIPS"].startswith("no weights on this disk: download https")
        assert "weights-vgg16-lpips" not in found.not_measured["LPIPS"]
        assert "pip install" not in found.not_measured["FID"]

    def test_a_library_that_cannot_be_imported_is_named(self, weights, monkeypatch, tmp_path):
        self.download(weights)
        monkeypatch.setattr(importlib.util, "find_spec", lambda name: importlib.machinery.ModuleSpec(name, None))
        (tmp_path / "torch_fidelity.py").write_text("raise RuntimeError('operator nms does not exist\\nat all')")
        monkeypatch.syspath_prepend(tmp_path)
        for why in perceptual.open_perceptual().not_measured.values():
            assert "cannot be imported (operator nms does not exist): install the torchvision" in why

    def test_what_is_there_is_called_as_its_documentation_says(self, weights, monkeypatch, truth):
        self.download(weights)

        class SampleSimilarityLPIPS:
            def __init__(self, name):
                assert isinstance(name, str)

            def __call__(self, in0, in1):
                assert in0.dtype == in1.dtype == torch.uint8
                assert in0.shape == in1.shape == (1, 3, 128, 128)
                return (in0.float() - in1.float()).abs().mean((1, 2, 3)) / 255

        class FeatureExtractorInceptionV3:
            def __init__(self, name, features_list, feature_extractor_weights_path):
                assert features_list == ["2048"]
                assert Path(feature_extractor_weights_path).read_bytes() == b"weights"

            def __call__(self, x):
                assert x.dtype == torch.uint8
                return (x.float().mean((2, 3)).repeat(1, 683)[:, :2048],)

        stub = types.ModuleType("torch_fidelity")
        stub.SampleSimilarityLPIPS = SampleSimilarityLPIPS
        stub.FeatureExtractorInceptionV3 = FeatureExtractorInceptionV3
        monkeypatch.setitem(sys.modules, "torch_fidelity", stub)
        monkeypatch.setattr(importlib.util, "find_spec", lambda _: object())
        found = perceptual.open_perceptual()
        assert found.not_measured == {}
        assert found.lpips(truth, truth) == 0
        assert found.lpips(grey_of(truth), truth) == pytest.approx(
            np.abs(grey_of(truth) - truth.astype(float)).mean() / 255
        )
        np.testing.assert_allclose(found.inception(truth)[:3], truth.mean((0, 1)), rtol=1e-4)
        assert found.inception(truth).shape == (2048,)


def tried(colorizer, truth, options=None, sha1=SHA1):
    options = options or ColorOptions()
    return robustness.trial(colorizer, sha1, truth, colorizer.colorize(luma_of_rgb(truth), options), options)


class TestAged:
    def test_colours_that_age_does_not_change_score_as_on_the_clean_picture(self, truth):
        """Though the luma is damaged: it is not what is judged."""
        oracle = Painter(lambda *_: chroma_of(truth))
        found = tried(oracle, truth)
        assert found.aged_ciede2000 == pytest.approx(found.ciede2000)
        assert found.aged_ciede2000 < 1
        assert found.aged_psnr_gain > 10

    def test_a_colorizer_that_knows_only_clean_pictures_is_found_out(self, truth):
        luma = luma_of_rgb(truth)

        def paint(seen, _):
            return chroma_of(truth) if (seen == luma).all() else flat((128, 128))(seen, _)

        found = tried(Painter(paint), truth)
        assert found.aged_psnr_gain == 0
        assert found.aged_ciede2000 == pytest.approx(metrics.ciede2000(grey_of(truth), truth))
        summary = robustness.summary([found])
        assert summary.aged_ciede2000_ratio == pytest.approx(found.aged_ciede2000 / found.ciede2000)
        assert summary.aged_ciede2000_ratio > 5

    def test_it_is_the_aged_luma_that_is_seen_and_the_same_each_time(self, truth):
        seen = []

        def paint(luma, options):
            seen.append(luma)
            return flat((120, 140))(luma, options)

        for _ in range(2):
            tried(Painter(paint), truth)
        clean = luma_of_rgb(truth)
        aged = [luma for luma in seen if (luma != clean).any()]
        assert len(aged) == 2
        np.testing.assert_array_equal(aged[0], aged[1])
        np.testing.assert_array_equal(aged[0], age(truth, robustness._rng(SHA1, robustness._AGED)))


class TestHints:
    def test_ten_hints_are_true_colours_in_their_places_and_their_gain_is_in_decibels(self, truth):
        given = []

        def paint(luma, options):
            given.append(options)
            return chroma_of(truth) if len(options.hints) == 10 else flat((128, 128))(luma, options)

        found = tried(Painter(paint), truth, ColorOptions(vividness=0.3))
        (ten,) = (options for options in given if len(options.hints) == 10)
        assert ten.vividness == 0.3
        assert len(set(ten.hints)) == 10
        for hint in ten.hints:
            assert hint.color == tuple(truth[int(hint.y * 128), int(hint.x * 128)])
        colored = rgb_of_luma(luma_of_rgb(truth), *chroma_of(truth))
        gain = metrics.psnr(colored, truth) - metrics.psnr(grey_of(truth), truth)
        assert found.ten_hints_psnr_gain == pytest.approx(gain)

    def test_other_photographs_get_other_hints(self, truth):
        rng = [robustness._rng(sha1, 1) for sha1 in (SHA1, SHA1, "f" + SHA1[1:])]
        one, same, other = (robustness.hints(truth, 3, r) for r in rng)
        assert one == same != other

    def test_a_hint_that_is_followed_has_no_error_and_what_it_changes_everywhere_shows(self):
        truth = np.full((128, 128, 3), 128, np.uint8)
        truth[:, 64:] = 40  # a strong edge
        truth[..., 0] += 30
        luma = luma_of_rgb(truth)

        def follow(luma, options):
            hinted = robustness.at_luma(options.hints[0].color, luma) if options.hints else grey_of(truth)
            return chroma_of(hinted)

        found = tried(Painter(follow), truth)
        assert found.hint_error < 1
        assert found.hint_error_without > 5
        (hint,) = robustness.hints(truth, 1, robustness._rng(SHA1, robustness._ONE))
        beyond = luma < 60 if hint.x < 0.5 else luma > 60
        assert found.elsewhere == pytest.approx(
            metrics.ciede2000(robustness.at_luma(hint.color, luma)[beyond], grey_of(truth)[beyond]), abs=1
        )

    def test_a_hint_that_stays_where_it_is_changes_nothing_elsewhere(self):
        truth = np.full((128, 128, 3), 128, np.uint8)
        truth[:, 64:] = 40
        truth[..., 0] += 30

        def local(luma, options):
            cb, cr = flat((128, 128))(luma, options)
            for hint in options.hints:
                x, y = int(hint.x * 128), int(hint.y * 128)
                cv2.circle(cr, (x, y), 20, 160, -1)
            return cb, cr

        found = tried(Painter(local), truth)
        assert found.elsewhere == 0
        assert robustness.summary([found]).elsewhere_photographs == 1

    def test_without_an_edge_there_is_no_elsewhere(self, truth):
        even = np.full_like(truth, 90)
        even[..., 2] += 30
        found = tried(Painter(flat((128, 128))), even)
        assert found.elsewhere is None
        assert robustness.summary([found]).elsewhere is None
        assert robustness.summary([found]).elsewhere_photographs == 0

    def test_a_colour_at_another_luma_keeps_its_hue_and_takes_the_luma(self):
        luma = np.array([[40, 90, 140, 250]], np.uint8)
        rgb = robustness.at_luma((150, 80, 60), luma)
        assert np.abs(luma_of_rgb(rgb).astype(int) - luma).max() <= 1
        _, a, b = np.moveaxis(rgb_to_lab(rgb.astype(np.float32) / 255), -1, 0)
        np.testing.assert_allclose(
            np.arctan2(b, a)[0, 1:3], np.arctan2(*rgb_to_lab(np.array([150, 80, 60]) / 255)[:0:-1]), atol=0.05
        )
        assert np.hypot(a, b)[0, 3] < 10  # there is no brick as bright as paper
        assert (robustness.at_luma((77, 77, 77), luma) == luma[..., None]).all()


class TestSeparated:
    """A wall of luma between a point on the left and the pixels on the right."""

    @staticmethod
    def picture(step, gap=0, size=128):
        luma = np.full((size, size), 90, np.uint8)
        luma[:, 60:68] = 90 + step
        luma[100 : 100 + gap, 60:68] = 90
        return luma

    def test_what_lies_beyond_a_wall_is(self):
        found = robustness.separated(self.picture(80), 20, 64)
        assert found[:, 72:].all()
        assert not found[:, :56].any()
        assert not found[64, 58:61].any()  # the edge itself

    def test_a_soft_step_is_no_wall(self):
        assert not robustness.separated(self.picture(15), 20, 64).any()

    def test_a_wall_with_an_opening_does_not_separate(self):
        assert not robustness.separated(self.picture(80, gap=30), 20, 64)[:, 72:].any()

    def test_near_pixels_do_not_count(self):
        found = robustness.separated(self.picture(80), 56, 64)
        rows, columns = np.nonzero(found)
        assert np.hypot(rows - 64, columns - 56).min() > 0.25 * 128
        assert found.any()

    def test_a_point_on_an_edge_or_at_the_border_has_a_region_too(self):
        assert robustness.separated(self.picture(80), 60, 64).any()
        assert robustness.separated(self.picture(80), 0, 0).any()


class TestConfidence:
    def test_the_surer_half_is_compared_with_the_other(self):
        confidence = np.zeros((64, 64), np.float32)
        confidence[:, :32] = 0.9
        errors = np.where(confidence > 0, 1, 4).astype(np.float32)
        assert robustness.surer_half_ratio(robustness.sureness(confidence, errors)) == pytest.approx(0.25)
        assert robustness.surer_half_ratio(robustness.sureness(1 - confidence, errors)) == pytest.approx(4)

    def test_a_confidence_that_tells_nothing_gives_1(self):
        errors = np.random.default_rng(0).exponential(8, (64, 64)).astype(np.float32)
        for value in (0, 0.37, 1):
            confidence = np.full((8, 8), value, np.float32)
            assert robustness.surer_half_ratio(robustness.sureness(confidence, errors)) == pytest.approx(1)

    def test_halves_are_halves_where_more_pixels_are_sure(self):
        confidence = np.full((64, 64), 0.9, np.float32)
        confidence[:16] = 0.1  # a quarter; the other quarter of the less sure half is taken from the sure ones
        errors = np.where(confidence < 0.5, 8, 2).astype(np.float32)
        assert robustness.surer_half_ratio(robustness.sureness(confidence, errors)) == pytest.approx(2 / 5)

    def test_pooled_it_tells_pictures_apart_and_within_each_it_need_not(self, truth):
        oracle = Painter(lambda *_: chroma_of(truth), np.full((4, 4), 0.9, np.float32))
        blind = Painter(flat((128, 128)), np.full((4, 4), 0.1, np.float32))
        found = robustness.summary([tried(oracle, truth), tried(blind, truth)])
        assert found.confidence_ratio < 0.1
        assert found.confidence_ratio_each == pytest.approx(1)

    def test_a_model_without_confidence_has_none(self, truth):
        found = robustness.summary([tried(Painter(flat((128, 128))), truth)])
        assert found.confidence_ratio is found.confidence_ratio_each is None

    def test_a_small_map_is_carried_to_the_picture_s_size(self):
        confidence = np.array([[0.1, 0.9]], np.float32)
        errors = np.ones((64, 64), np.float32)
        errors[:, :32] = 3
        assert robustness.surer_half_ratio(robustness.sureness(confidence, errors)) == pytest.approx(1 / 3)


class TestAlternatives:
    def test_they_differ_and_one_may_be_nearer_to_the_truth(self, truth):
        colorizer = Colorizer(engine=hinting_engine())
        luma = luma_of_rgb(truth)
        pictures = [colorizer.colorize(luma, o) for o in (None, *alternatives(colorizer, luma, robustness.OTHERS))]
        right = tried(colorizer, pictures[2])
        assert right.best == pytest.approx(0, abs=0.5)
        assert right.ciede2000 > 2
        assert right.apart == pytest.approx(
            np.mean([metrics.ciede2000(a, b) for a, b in itertools.combinations(pictures, 2)])
        )
        summary = robustness.summary([right])
        assert summary.alternatives_best_ratio < 0.25
        assert summary.alternatives_apart == right.apart

    def test_a_model_without_a_distribution_has_none(self, truth):
        found = robustness.summary([tried(Painter(flat((128, 128))), truth)])
        assert found.alternatives_apart is found.alternatives_best_ratio is None


HOSTILE = '<b>"a&b\'s"'


class FakeClassifier:
    """Takes a picture for colourful or not; its features are the mean colour."""

    def __call__(self, rgb):
        return classifier.Classification(int(dataset.colorfulness(rgb) > 5), rgb.mean((0, 1)))


@pytest.fixture
def judge(monkeypatch):
    """A classifier that costs nothing, and none of the figures that need a download."""
    monkeypatch.setattr(evaluate, "ImageClassifier", FakeClassifier)
    monkeypatch.setattr(evaluate, "FEATURES", 3)
    nothing = perceptual.Perceptual(None, None, {"LPIPS": "no <weights>: get them", "FID": "no weights either"})
    monkeypatch.setattr(evaluate, "open_perceptual", lambda: nothing)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Four photographs of two sources, one with a hostile name."""
    root = tmp_path_factory.mktemp("photographs")
    for source, name in ((HOSTILE, "astronaut"), (HOSTILE, "coffee"), ("cats", "chelsea"), ("cats", "rocket")):
        (root / source).mkdir(exist_ok=True)
        cv2.imwrite(str(root / source / f"{name}.png"), dataset.square(getattr(data, name)(), 64)[..., ::-1])
    return root


@pytest.fixture
def photographs(folder, judge, monkeypatch):
    monkeypatch.setattr(evaluate, "SIZE", 64)
    monkeypatch.setattr(evaluate, "_BATCH", 3)
    return evaluate.chosen(folder, held_out=False, limit=10)


@pytest.fixture
def known(photographs):
    """The truth of each photograph by its luma, for colorizers that cheat."""
    truths = [evaluate.load(p) for p in photographs]
    return {luma_of_rgb(truth).tobytes(): truth for truth in truths}


@pytest.fixture
def painters(known):
    """One that knows the truth, one that makes everything orange."""

    def oracle(luma, options):
        found = known.get(luma.tobytes())
        return flat((128, 128))(luma, options) if found is None else chroma_of(found)

    return {"oracle": Painter(oracle, np.full((8, 8), 0.5, np.float32)), "<i>orange|": Painter(flat((100, 160)))}


class TestEvaluate:
    def test_every_figure_belongs_to_its_photograph_and_kind(self, painters, photographs):
        found = evaluate.evaluate(painters, photographs)
        assert list(found.scores) == ["grey", *painters, "truth"]
        for i, photograph in enumerate(photographs):
            truth = evaluate.load(photograph)
            assert found.scores["truth"][i] == metrics.score(truth, truth, agrees=True)
            assert found.scores["grey"][i] == metrics.score(grey_of(truth), truth, agrees=False)
        oracle, grey = found.summary("oracle"), found.summary("grey")
        assert oracle.ciede2000_ratio < 0.15
        assert oracle.ssim > grey.ssim
        assert (grey.agreement, grey.recovered) == (0, 0)
        assert (oracle.agreement, oracle.recovered) == (1, 1)
        assert found.frechet["truth"] == pytest.approx(0, abs=1e-6)
        assert found.frechet["oracle"] < 1 < 1000 < found.frechet["grey"]
        assert found.fid == {}
        assert found.trials == {"oracle": [], "<i>orange|": []}

    def test_frechet_distances_do_not_depend_on_the_batches(self, painters, photographs, monkeypatch):
        by_three = evaluate.evaluate(painters, photographs).frechet
        monkeypatch.setattr(evaluate, "_BATCH", 1)
        assert evaluate.evaluate(painters, photographs).frechet == pytest.approx(by_three, abs=1e-6)

    def test_what_is_installed_is_measured(self, painters, photographs, monkeypatch):
        def lpips(picture, truth):
            return float(np.abs(picture.astype(int) - truth).mean())

        present = perceptual.Perceptual(lpips, lambda rgb: rgb.mean((0, 1)), {})
        monkeypatch.setattr(evaluate, "open_perceptual", lambda: present)
        monkeypatch.setattr(evaluate, "INCEPTION_FEATURES", 3)
        found = evaluate.evaluate(painters, photographs)
        assert found.summary("truth").lpips == 0
        assert found.summary("oracle").lpips < found.summary("grey").lpips
        assert found.fid == pytest.approx(found.frechet)
        assert "not measured" not in report.markdown(found)

    def test_each_photograph_is_coloured_once_and_those_shown_once_more(self, painters, photographs, tmp_path):
        found = evaluate.evaluate(painters, photographs, thumbnails=2)
        report.write_sheet(found.thumbnails, tmp_path / "sheet.png", columns=3)
        assert [p.calls for p in painters.values()] == [4, 4]
        assert cv2.imread(str(tmp_path / "sheet.png")).shape == (164, 3 * (4 * 160 + 12), 3)
        page.write_page(found, tmp_path / "page.html", {}, count=4)
        assert [p.calls for p in painters.values()] == [8, 8]

    def test_what_cannot_be_read_is_told_and_left_out(self, painters, photographs, tmp_path):
        gone = dataclasses.replace(photographs[0], path=tmp_path / "gone.png")
        told = []
        found = evaluate.evaluate(painters, [gone, *photographs[1:]], skip=told.append)
        assert found.photographs == photographs[1:]
        assert {len(scores) for scores in found.scores.values()} == {3}
        assert ["gone.png cannot be read" in str(exc) for exc in told] == [True]
        with pytest.raises(TrainingError, match="nothing was measured"):
            evaluate.evaluate(painters, [gone], skip=told.append)

    def test_a_limit_of_none_is_refused(self, folder, capsys):
        assert main(["evaluate", str(folder), "--limit", "0"]) == 2
        assert "the limit is 0" in capsys.readouterr().err


def strict(text):
    """JSON that a strict reader takes: no NaN, no infinities."""
    return json.loads(text, parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))


class TestReport:
    @pytest.fixture
    def found(self, painters, photographs):
        return evaluate.evaluate(painters, photographs, full=True)

    def test_tables_have_a_row_for_each_kind_and_say_what_is_not_measured(self, found):
        text = report.markdown(found)
        assert re.findall(r"^### (.*)", text, re.M) == ["Fidelity", "Colour and meaning", "Robustness"]
        for table in report.tables(found):
            assert [row[0] for row in table.rows] in (["grey", *found.colorizers, "truth"], list(found.colorizers))
            assert {len(row) for row in table.rows} == {len(table.columns)}
        assert "LPIPS: not measured (no <weights>: get them)" in text
        assert "FID: not measured (no weights either)" in text
        assert "compare only those of 4 photographs" in text
        assert "nan" not in text
        assert "inf" not in text
        assert r"| <i>orange\| |" in text

    def test_without_the_trials_there_is_no_table_of_them(self, painters, photographs):
        quick = evaluate.evaluate(painters, photographs)
        assert [table.title for table in report.tables(quick)] == ["Fidelity", "Colour and meaning"]
        assert report.facts(quick, {})["robustness"] == {}

    def test_the_frontier_has_every_setting_and_the_colourfulness_to_compare_at(self, known, photographs, tmp_path):
        def paint(luma, options):  # half the true chroma at vividness 0, all of it at 1
            share = 0.5 + options.vividness / 2
            return tuple(np.rint(128 + share * (c - 128.0)).astype(np.uint8) for c in chroma_of(known[luma.tobytes()]))

        found = evaluate.evaluate({"dialled": Painter(paint)}, photographs, ColorOptions(vividness=1.0), frontier=True)
        (table,) = (table for table in report.tables(found) if table.title == "Frontier")
        assert [row[1] for row in table.rows[:6]] == [f"vividness {v / 5:.2f}" for v in range(6)]
        assert table.rows[5][2] == "1.00"
        assert float(table.rows[5][3]) < 0.1
        assert [row[1][:10] for row in table.rows[6:]] == ["at CF 0.72", "at CF 0.91"]
        assert [row[2] for row in table.rows[6:]] == ["0.72", "0.91"]
        assert float(table.rows[7][3]) < float(table.rows[6][3])
        facts = report.facts(found, {})["frontier"]["dialled"]
        assert facts["dial"] == "vividness"
        assert len(facts["points"]) == 6
        assert facts["at"]["0.91"]["colorfulness_ratio"] == pytest.approx(0.91)
        page.write_page(found, tmp_path / "page.html", {}, 1)
        assert "<h2>Frontier</h2>" in (tmp_path / "page.html").read_text()

    def test_a_dial_that_does_not_reach_leaves_dashes(self, painters, photographs):
        found = evaluate.evaluate(painters, photographs, frontier=True)
        (table,) = (table for table in report.tables(found) if table.title == "Frontier")
        assert table.rows[-1][1:] == ["at CF 0.91", "0.91", "-", "-"]
        assert report.facts(found, {})["frontier"]["<i>orange|"]["at"] == {"0.72": None, "0.91": None}

    def test_a_model_without_confidence_has_dashes(self, found):
        (table,) = (table for table in report.tables(found) if table.title == "Robustness")
        by_name = {row[0]: row[-4:-2] for row in table.rows}
        assert by_name["<i>orange|"] == ["-", "-"]
        assert by_name["oracle"] == ["1.000", "1.000"]

    def test_json_holds_everything_and_no_nan(self, found, tmp_path):
        report.write_json(found, tmp_path / "figures.json", {"held_out": False})
        facts = strict((tmp_path / "figures.json").read_text())
        assert facts["protocol"]["held_out"] is False
        assert facts["protocol"]["least_colorfulness"] == 15
        assert facts["photographs"] == 4
        assert facts["models"]["oracle"] == "painter 1, sha256 0"
        assert facts["scores"]["truth"]["psnr"] is None
        assert facts["scores"]["oracle"]["frechet_lite1"] == found.frechet["oracle"]
        assert set(facts["robustness"]) == set(found.colorizers)
        assert facts["not_measured"]["LPIPS"] == "no <weights>: get them"

    def test_sources_have_their_own_ratios(self, found):
        sources = report.sources(found)
        assert {name: facts["photographs"] for name, facts in sources.items()} == {HOSTILE: 2, "cats": 2}
        rows = [i for i, p in enumerate(found.photographs) if p.source == "cats"]
        own, grey = (np.mean([found.scores[k][i].ciede2000 for i in rows]) for k in ("oracle", "grey"))
        assert sources["cats"]["ciede2000_ratio"]["oracle"] == pytest.approx(own / grey)

    def test_pictures_that_leave_everything_undefined_are_still_written(self, painters, photographs, tmp_path):
        grey = dataclasses.replace(photographs[0], path=tmp_path / "grey.png", sha1=SHA1)
        cv2.imwrite(str(grey.path), np.full((64, 64, 3), 99, np.uint8))
        found = evaluate.evaluate(painters, [grey], full=True)
        report.write_json(found, tmp_path / "figures.json", {})
        page.write_page(found, tmp_path / "page.html", {})
        facts = strict((tmp_path / "figures.json").read_text())
        assert facts["scores"]["oracle"]["ciede2000_ratio"] is None
        assert "nan" not in report.markdown(found)

    def test_a_disk_that_says_no_is_named(self, found, tmp_path):
        with pytest.raises(TrainingError, match=r"nothing.f\.json cannot be written \(No such file"):
            report.write_json(found, tmp_path / "nothing" / "f.json", {})


VOID = {"meta", "img", "link", "br"}


class Reader(HTMLParser):
    """Collects tags and attributes; fails where tags do not nest."""

    def __init__(self):
        super().__init__()
        self.open, self.tags, self.text = [], [], ""

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, text):
        self.text += text


class TestPage:
    @pytest.fixture
    def read(self, painters, photographs, tmp_path):
        found = evaluate.evaluate(painters, photographs, full=True)
        page.write_page(found, tmp_path / "page.html", {"held_out": True, "vividness": None}, count=2)
        reader = Reader()
        reader.feed((tmp_path / "page.html").read_text())
        assert reader.open == []
        return reader

    def test_names_are_text_and_not_markup(self, read):
        assert not {"i", "weights"} & {tag for tag, _ in read.tags}
        for name in (HOSTILE, "<i>orange|", "LPIPS: not measured (no <weights>: get them)", "held out"):
            assert name in read.text
        assert any(attrs.get("alt") == f"{HOSTILE}/coffee.png: <i>orange|" for _, attrs in read.tags)

    def test_names_that_are_no_text_are_shown_as_far_as_they_are(self, painters, photographs, tmp_path):
        found = evaluate.evaluate(painters, [dataclasses.replace(photographs[0], source="caf\udce9")])
        page.write_page(found, tmp_path / "page.html", {})
        assert "caf?/" in (tmp_path / "page.html").read_text()

    def test_it_needs_nothing_from_elsewhere(self, read):
        addresses = [a[k] for _, a in read.tags for k in ("src", "href", "srcset", "action") if k in a]
        assert addresses
        assert all(address.startswith(("data:image/jpeg;base64,", "#")) for address in addresses)
        assert not {"script", "link", "iframe", "object"} & {tag for tag, _ in read.tags}
        template = Path(page.__file__).with_name("report.html.j2").read_text()
        assert "url(" not in template
        assert "@import" not in template
        ids = {a["id"] for _, a in read.tags if "id" in a}
        assert {address[1:] for address in addresses if address.startswith("#")} <= ids

    def test_each_section_has_its_photographs_with_every_kind(self, read):
        images = [a for tag, a in read.tags if tag == "img"]
        assert len(images) == 5 * 2 * 4  # best and worst of two models, and random ones
        assert {a["loading"] for a in images} == {"lazy"}
        first = np.frombuffer(base64.b64decode(images[0]["src"].split(",")[1]), np.uint8)
        assert cv2.imdecode(first, cv2.IMREAD_COLOR).shape == (64, 64, 3)

    def test_the_best_come_first_and_the_worst_last(self):
        grey = [scores(ciede2000=10.0)] * 3 + [scores(ciede2000=0.0)]
        assert page._ranked([scores(ciede2000=c) for c in (9.0, 3.0, 12.0, 1.0)], grey) == [1, 0, 2]


class TestCommand:
    def test_it_writes_all_that_it_is_asked_for_with_the_model_of_the_package(
        self, photographs, folder, tmp_path, capsys
    ):
        outputs = [tmp_path / name for name in ("f.json", "s.png", "p.html")]
        flags = [f"--{kind}={path}" for kind, path in zip(("json", "sheet", "html"), outputs, strict=True)]
        flags += ["--limit", "2", "--full", "--frontier", "--html-size", "1"]
        assert main(["evaluate", str(folder), *flags]) == 0
        assert capsys.readouterr().out.startswith("2 photographs\n\n### Fidelity\n\n| picture | PSNR |")
        facts = strict(outputs[0].read_text())
        assert facts["protocol"] | {"held_out": False, "limit": 2, "vividness": None, "full": True} == facts["protocol"]
        assert re.fullmatch(r"default \S+, sha256 [0-9a-f]{64}", facts["models"]["default"])
        assert [point["setting"] for point in facts["frontier"]["default"]["points"]] == [0, 0.2, 0.4, 0.6, 0.8, 1]
        assert all(np.isfinite(v) for v in facts["robustness"]["default"].values() if v is not None)
        assert outputs[1].stat().st_size > 1000
        assert outputs[2].read_text().startswith("<!DOCTYPE html>")

    def test_an_output_without_a_folder_is_refused_before_the_work(self, folder, capsys):
        assert main(["evaluate", str(folder), "--html", str(folder / "no" / "page.html")]) == 2
        assert "there is no folder" in capsys.readouterr().err

    @pytest.mark.parametrize("kind", ["json", "sheet", "html"])
    def test_an_output_that_is_a_folder_is_refused_before_the_work(self, kind, folder, tmp_path, capsys):
        assert main(["evaluate", str(folder), f"--{kind}", str(tmp_path), "--overwrite"]) == 2
        assert f"{tmp_path} is a folder: give the name of a file in it" in capsys.readouterr().err

    def test_two_outputs_do_not_share_a_name(self, folder, tmp_path, capsys):
        outputs = ["--json", str(tmp_path / "x"), "--html", str(tmp_path / "a" / ".." / "x")]
        assert main(["evaluate", str(folder), *outputs]) == 2
        assert "two of --json, --sheet and --html name one file" in capsys.readouterr().err

    def test_equal_photographs_count_once(self, photographs, folder, tmp_path):
        shutil.copytree(folder, tmp_path / "set")
        shutil.copy(tmp_path / "set" / "cats" / "chelsea.png", tmp_path / "set" / "cats" / "again.png")
        assert len(evaluate.chosen(tmp_path / "set", held_out=False, limit=10)) == 4

    def test_an_unreadable_photograph_is_named_and_the_others_are_measured(self, photographs, folder, tmp_path, capsys):
        shutil.copytree(folder, tmp_path / "set")
        for name in ("bad", "worse"):
            (tmp_path / "set" / f"{name}.jpg").write_bytes(b"\xff\xd8 nothing")
        assert main(["evaluate", str(tmp_path / "set")]) == 1
        said = capsys.readouterr()
        assert said.out.startswith("4 photographs\n")
        lines = [line for line in said.err.splitlines() if line.startswith("photochrom: ")]
        assert [line.split("/")[-1].split()[0] for line in lines] == ["bad.jpg", "worse.jpg"]

    @pytest.mark.parametrize(("name", "kind"), [("f.json", "json"), ("s.png", "sheet"), ("p.html", "html")])
    def test_what_is_there_is_replaced_only_if_asked(self, name, kind, photographs, folder, tmp_path, capsys):
        (tmp_path / name).write_text("mine")
        arguments = ["evaluate", str(folder), "--limit", "1", f"--{kind}", str(tmp_path / name)]
        assert main(arguments) == 2
        assert f"{name} exists: choose another output, or --overwrite" in capsys.readouterr().err
        assert (tmp_path / name).read_text() == "mine"
        assert main([*arguments, "--overwrite"]) == 0
        assert (tmp_path / name).read_bytes() != b"mine"

    def test_a_sheet_is_a_png(self, folder, tmp_path, capsys):
        assert main(["evaluate", str(folder), "--sheet", str(tmp_path / "sheet.jpg")]) == 2
        assert "sheet.jpg: it is written as PNG" in capsys.readouterr().err

    def test_no_such_folder_and_no_such_model(self, tmp_path, capsys):
        assert main(["evaluate", str(tmp_path / "nothing")]) == 1
        assert "there is no" in capsys.readouterr().err
        (tmp_path / "broken.jpg").write_bytes(b"\xff\xd8 nothing")
        assert main(["evaluate", str(tmp_path), "--model", "nope"]) == 1
        said = capsys.readouterr().err
        assert "no model 'nope'" in said
        assert said.count("\n") == 1, "the model is looked for before the photographs are"

    def test_hints_are_the_package_s_own(self):
        assert robustness.Hint is Hint
