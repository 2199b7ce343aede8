"""Products of matrices in parts that are too small for OpenBLAS to share between threads."""

import numpy as np
import pytest

from photochrom.color import bands


@pytest.mark.parametrize("shape", [(1, 1, 1), (3, 4, 5), (24, 6, 2000), (226, 18, 1408), (600, 700, 3)], ids=str)
def test_a_product_is_numpys_and_no_part_of_it_is_shared_between_threads(shape, monkeypatch):
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
