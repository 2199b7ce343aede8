"""Metrics of pictures and of sets of pictures, against known values."""

import importlib.machinery
import sys
import types
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from scipy.linalg import sqrtm
from skimage import data

from photochrom import TrainingError
from photochrom.training.data import dataset
from photochrom.training.evaluation import frechet, metrics
from photochrom.training.evaluation import lpips_fid as perceptual
from photochrom.training.networks import imagenet_classifier as classifier
from tests.helpers.evaluation import grey_of, scores


class TestFidelity:
    def test_psnr_does_not_wrap_around_as_uint8_does(self):
        dark, bright = np.full((16, 16, 3), 40, np.uint8), np.full((16, 16, 3), 240, np.uint8)
        for pair in ((dark, bright), (bright, dark)):
            assert metrics.psnr(*pair) == pytest.approx(10 * np.log10(255**2 / 200**2))

    def test_ciede2000_of_black_and_white_is_100(self):
        black, white = np.zeros((4, 4, 3), np.uint8), np.full((4, 4, 3), 255, np.uint8)
        assert metrics.ciede2000(black, white) == pytest.approx(100, abs=0.01)

    def test_ssim_of_equal_and_of_flat_pictures(self, truth):
        assert metrics.ssim(truth, truth) == pytest.approx(1)
        a, b, c1 = 100, 150, (0.01 * 255) ** 2
        flat_a, flat_b = (np.full((32, 32, 3), v, np.uint8) for v in (a, b))
        assert metrics.ssim(flat_a, flat_b) == pytest.approx((2 * a * b + c1) / (a**2 + b**2 + c1))

    def test_pictures_of_another_size_or_depth_are_refused_and_not_stretched(self, truth):
        for other in (truth[:1], truth[:64], truth.astype(np.uint16), grey_of(truth)[..., 0]):
            for figure in (metrics.psnr, metrics.ssim, metrics.ciede2000):
                with pytest.raises(TrainingError, match="only RGB uint8 pictures of the same size"):
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


class TestPairedDifference:
    def test_the_mean_difference_and_its_standard_error(self):
        first = [scores(ciede2000=v) for v in (10.0, 14.0, 5.0, 9.0)]
        better = [scores(ciede2000=v) for v in (9.0, 12.0, 4.0, 7.0)]
        found = metrics.paired_difference(better, first)
        assert found.ciede2000 == -1.5
        assert found.standard_error == pytest.approx(np.sqrt(1 / 3) / 2)
        assert found.is_clear
        assert str(found) == "-1.50 ± 0.29"

    @pytest.mark.parametrize(
        ("values", "text"),
        [
            ((9.0, 15.0, 5.0, 8.5), "-0.12 ± 0.43, no clear difference"),
            ((10.0, 14.0, 5.0, 9.0), "+0.00 ± 0.00, no clear difference"),
            ((12.0,), "+2.00, no clear difference"),
        ],
    )
    def test_a_difference_within_two_standard_errors_is_not_clear(self, values, text):
        first = [scores(ciede2000=v) for v in (10.0, 14.0, 5.0, 9.0)[: len(values)]]
        found = metrics.paired_difference([scores(ciede2000=v) for v in values], first)
        assert not found.is_clear
        assert str(found) == text


class TestSummary:
    def test_the_recovered_share_of_the_lost_agreement(self):
        grey = [scores(agreement=a) for a in (1, 0, 0, 0, 0)]  # 4 of 5 are lost
        model = [scores(agreement=a) for a in (1, 1, 0, 0, 0)]  # 1 of them is recovered
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

    def test_the_frechet_distance_is_the_published_formula(self, vectors):
        other = np.random.default_rng(2).normal(size=(300, 6)) ** 3
        a, b = np.cov(vectors.T), np.cov(other.T)
        shift = vectors.mean(axis=0) - other.mean(axis=0)
        expected = shift @ shift + np.trace(a + b - 2 * sqrtm(a @ b).real)
        assert frechet.distance(gaussian(vectors), gaussian(other)) == pytest.approx(expected)

    def test_variances_of_sets_that_vary_in_different_directions_add_up(self):
        rng = np.random.default_rng(3)
        a, b = np.zeros((20, 8)), np.zeros((20, 8))
        a[:, :3], b[:, 5:] = rng.normal(size=(20, 3)), rng.normal(size=(20, 3))
        expected = ((a.mean(0) - b.mean(0)) ** 2).sum() + np.trace(np.cov(a.T)) + np.trace(np.cov(b.T))
        assert frechet.distance(gaussian(a), gaussian(b)) == pytest.approx(expected)

    def test_the_distance_of_single_pictures_is_that_of_their_features(self):
        assert frechet.distance(gaussian(np.array([[1.0, 2.0]])), gaussian(np.array([[4.0, 6.0]]))) == pytest.approx(25)


@pytest.mark.slow
def test_one_run_gives_the_class_and_the_features():
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
        """Use an empty folder of weights, and no torch-fidelity."""
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

    def test_the_error_says_what_is_missing_and_what_to_do(self, weights):
        found = perceptual.open_perceptual()
        assert found.lpips is found.inception is None
        for why, file in (("LPIPS", "weights-vgg16-lpips.pth"), ("LPIPS", "vgg16-397923af.pth"), ("FID", "inception")):
            assert "pip install torch-fidelity" in found.not_measured[why]
            assert file in found.not_measured[why]
            assert str(weights) in found.not_measured[why]

    def test_the_library_alone_downloads_nothing(self, weights, monkeypatch):
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

    def test_installed_networks_are_called_as_documented(self, weights, monkeypatch, truth):
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
