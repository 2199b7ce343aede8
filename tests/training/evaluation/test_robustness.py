"""Robustness: aged pictures, hints, confidence and alternatives."""

import itertools

import cv2
import numpy as np
import pytest

from photochrom import Colorizer, ColorOptions, alternatives
from photochrom.color.gamut import rgb_of_luma
from photochrom.color.spaces import luma_of_rgb, rgb_to_lab
from photochrom.training.data.aging import age
from photochrom.training.evaluation import metrics, robustness
from tests.helpers.evaluation import SHA1, Painter, chroma_of, flat, grey_of
from tests.helpers.suggesting import hinting_engine


def tried(colorizer, truth, options=None, sha1=SHA1):
    options = options or ColorOptions()
    return robustness.measure_robustness(
        colorizer, sha1, truth, colorizer.colorize(luma_of_rgb(truth), options), options
    )


class TestAged:
    def test_colours_that_age_does_not_change_score_as_on_the_clean_picture(self, truth):
        """The damaged luma is not part of the score."""
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

    def test_the_network_sees_the_same_aged_luma_each_time(self, truth):
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

    def test_a_followed_hint_has_no_error_and_changes_elsewhere_are_measured(self):
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

    def test_without_an_edge_every_place_is_near_the_hint(self, truth):
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
    """A wall of luma separates a point on the left from the pixels on the right."""

    @staticmethod
    def picture(step, gap=0, size=128):
        luma = np.full((size, size), 90, np.uint8)
        luma[:, 60:68] = 90 + step
        luma[100 : 100 + gap, 60:68] = 90
        return luma

    def test_pixels_beyond_a_wall_are_separated(self):
        found = robustness.separated(self.picture(80), 20, 64)
        assert found[:, 72:].all()
        assert not found[:, :56].any()
        assert not found[64, 58:61].any()  # the edge itself

    def test_a_soft_step_is_not_a_wall(self):
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

    def test_an_uninformative_confidence_gives_1(self):
        errors = np.random.default_rng(0).exponential(8, (64, 64)).astype(np.float32)
        for value in (0, 0.37, 1):
            confidence = np.full((8, 8), value, np.float32)
            assert robustness.surer_half_ratio(robustness.sureness(confidence, errors)) == pytest.approx(1)

    def test_halves_are_halves_where_more_pixels_are_sure(self):
        confidence = np.full((64, 64), 0.9, np.float32)
        confidence[:16] = 0.1  # a quarter; the other quarter of the less sure half is taken from the sure ones
        errors = np.where(confidence < 0.5, 8, 2).astype(np.float32)
        assert robustness.surer_half_ratio(robustness.sureness(confidence, errors)) == pytest.approx(2 / 5)

    def test_pooled_confidence_may_only_distinguish_pictures(self, truth):
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
    def test_alternatives_differ_and_one_may_be_nearer_to_the_truth(self, truth):
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
