"""Fréchet distance between two sets of feature vectors, each modelled as a Gaussian (Heusel et al. 2017, "FID").

The distance between two samples of the same population is not 0, but decreases with their size. Therefore, only
compare distances of equal numbers of pictures, and in features of the same network: other networks, and even other
ports of the same network, have other scales.
"""

from __future__ import annotations

import numpy as np


class Gaussian:
    """Mean and covariance of vectors, accumulated batch by batch in float64 (Chan, Golub and LeVeque 1979).

    Args:
        size: Length of the vectors.
    """

    def __init__(self, size: int) -> None:
        self.count = 0
        self.mean = np.zeros(size)
        self._scatter = np.zeros((size, size))  # sum of outer products of the deviations from the mean

    def add(self, vectors: np.ndarray) -> None:
        """Add at least one vector; the vectors are ``[n, size]``, of any real type."""
        batch = np.asarray(vectors, np.float64)
        batch_mean = batch.mean(axis=0)
        deviations, shift = batch - batch_mean, batch_mean - self.mean
        total = self.count + len(batch)
        self._scatter += deviations.T @ deviations + np.outer(shift, shift) * (self.count * len(batch) / total)
        self.mean += shift * (len(batch) / total)
        self.count = total

    @property
    def covariance(self) -> np.ndarray:
        """Unbiased covariance ``[size, size]``; zeros after a single vector, and singular after ``size`` or fewer."""
        return self._scatter / max(1, self.count - 1)

    def root(self) -> np.ndarray:
        """Return a matrix R ``[rank, size]`` such that ``R.T @ R`` is the covariance.

        With a few hundred pictures, most of 1280 dimensions have no variance. Their eigenvalues are only rounding
        errors, some of them negative with complex square roots, so they are dropped.
        """
        values, vectors = np.linalg.eigh(self.covariance)
        kept = values > len(values) * np.finfo(np.float64).eps * max(values[-1], 0)
        root: np.ndarray = np.sqrt(values[kept])[:, None] * vectors[:, kept].T
        return root


def distance(a: Gaussian, b: Gaussian) -> float:
    """Return the Fréchet distance |mean a - mean b|^2 + trace(A + B - 2 (A B)^(1/2)), with A and B the covariances.

    The trace of the square root is computed as the sum of the singular values of ``R_a @ R_b.T``. Unlike the usual
    square root of the product A B, which need not be symmetric, this also works for singular covariances.
    """
    roots = a.root(), b.root()
    shared = np.linalg.svd(roots[0] @ roots[1].T, compute_uv=False).sum() if all(map(len, roots)) else 0.0
    variances = sum(float(np.sum(root**2)) for root in roots)
    return max(0.0, float(np.sum((a.mean - b.mean) ** 2) + variances - 2 * shared))
