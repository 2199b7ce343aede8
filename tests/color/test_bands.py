"""Matrix products in parts that are too small for OpenBLAS to use several threads."""

import numpy as np
import pytest

from photochrom.color import bands, halos


@pytest.fixture(autouse=True)
def unlimited(monkeypatch):
    monkeypatch.delenv("OPENBLAS_NUM_THREADS", raising=False)


@pytest.mark.parametrize("shape", [(1, 1, 1), (3, 4, 5), (24, 6, 2000), (226, 18, 1408), (600, 700, 3)], ids=str)
def test_a_product_equals_numpys_and_no_part_is_shared_between_threads(shape, monkeypatch):
    rows, inner, columns = shape
    rng = np.random.default_rng(0)
    left, right = rng.random((rows, inner), np.float32), rng.random((inner, columns), np.float32)
    whole, matmul, sizes = left @ right, np.matmul, []

    def noted(one, other, out):
        sizes.append(one.size * other.shape[1])
        return matmul(one, other, out=out)

    monkeypatch.setattr(np, "matmul", noted)
    out = np.empty((rows, columns), np.float32)
    np.testing.assert_allclose(bands.product(left, right, out), whole, rtol=1e-5)
    np.testing.assert_allclose(bands.product(left, right), whole, rtol=1e-5)
    assert max(sizes) <= max(1 << 18, left.size)


def test_matrices_are_multiplied_whole_if_openblas_has_one_thread(monkeypatch):
    rng = np.random.default_rng(0)
    left, right = rng.random((313, 18), np.float32), rng.random((18, 1824), np.float32)
    in_parts, matmul, widths = bands.product(left, right), np.matmul, []
    monkeypatch.setattr(np, "matmul", lambda one, other, out: widths.append(other.shape[1]) or matmul(one, other, out))
    monkeypatch.setenv("OPENBLAS_NUM_THREADS", "1")
    np.testing.assert_allclose(bands.product(left, right), in_parts, rtol=1e-5)
    assert widths == [1824]


def test_a_stack_of_matrices_is_multiplied_by_one_on_either_side():
    rng = np.random.default_rng(0)
    stack, rows, columns = (rng.random(shape, np.float32) for shape in ((2, 3, 44, 176), (44, 44), (176, 176)))
    expected = rows @ (stack @ columns)
    np.testing.assert_allclose(bands.product(rows, bands.product(stack, columns)), expected, rtol=1e-5)


def test_even_areas_take_no_product_that_is_shared_between_threads(monkeypatch):
    matmul, sizes = np.matmul, []

    def noted(one, other, out):
        sizes.append(one.shape[-2] * other.shape[-2] * other.shape[-1])
        return matmul(one, other, out=out)

    monkeypatch.setattr(np, "matmul", noted)
    halos.color_of_flat_areas(np.zeros((2, 44, 176), np.float32), np.zeros((352, 1408), np.float32))
    assert sizes
    assert max(sizes) <= 1 << 18
