"""Scores by images that share a factor: those of FactorVAE and beta-VAE."""

from typing import NamedTuple

import numpy as np

ACTIVE_STD = 0.05
"""Dimensions whose means deviate less are inactive, as in Locatello et al. 2019."""
BATCH = 64
"""Images, or pairs, that share a factor."""
FITTED, SCORED = 10_000, 5_000
"""Batches that a classifier is fitted on, and others that it is scored on."""
AT_A_TIME = 500
"""Batches that are drawn together."""


class _Sharing:
    """Draws images that share the level of a factor.

    Args:
        codes: float [N, d].
        factors: int [N, K].
    """

    def __init__(self, codes: np.ndarray, factors: np.ndarray) -> None:
        self.codes = codes.astype(np.float64)
        self.factors = factors
        self._order = np.argsort(factors, axis=0, kind="stable")
        self._sizes = [np.bincount(v) for v in factors.T]
        self._starts = [np.cumsum(size) - size for size in self._sizes]

    def like(
        self, rows: np.ndarray, k: int, shape: tuple[int, ...], rng: np.random.Generator
    ) -> np.ndarray:
        """Return images that have factor `k` in common with others.

        Args:
            rows: those others, int, of a shape that `shape` begins with.
            k: the factor.
            shape: of the images returned.
            rng: draws them.
        """
        level = self.factors[rows, k].reshape(
            rows.shape + (1,) * (len(shape) - rows.ndim)
        )
        size, start = self._sizes[k][level], self._starts[k][level]
        return self._order[start + (rng.random(shape) * size).astype(np.int64), k]


class Votes(NamedTuple):
    """Which dimension varies least where a factor is the same.

    Attributes:
        dimension: int [M].
        factor: int [M].
    """

    dimension: np.ndarray
    factor: np.ndarray


def factor_vae_score(
    fitted: tuple[np.ndarray, np.ndarray],
    scored: tuple[np.ndarray, np.ndarray],
    generator: np.random.Generator,
) -> float:
    """Return how often the dimension of least variance tells which factor is fixed.

    A batch shares the level of a factor; its vote is the dimension whose variance in
    the batch, divided by that over all images, is smallest. The classifier says for
    each dimension the factor with most votes; its accuracy is that on other votes.
    Guessing reaches 1 / K.

    Source: Kim & Mnih, "Disentangling by factorising", 2018, section 4.

    Args:
        fitted: codes float [M, d] and factors int [M, K] for the first votes.
        scored: codes and factors of other images, for the votes that are scored.
        generator: draws the batches.
    """
    active = active_dimensions(fitted[0])
    if not active.any():
        return 0.0
    variance = fitted[0].var(axis=0, ddof=1, dtype=np.float64)
    own = _votes(*fitted, variance, active, FITTED, generator)
    table = np.zeros((fitted[0].shape[1], fitted[1].shape[1]), np.int64)
    np.add.at(table, own, 1)
    other = _votes(*scored, variance, active, SCORED, generator)
    return float(np.mean(table.argmax(axis=1)[other.dimension] == other.factor))


def active_dimensions(codes: np.ndarray) -> np.ndarray:
    """Return the dimensions whose posterior means vary, bool [d]."""
    return codes.std(axis=0, ddof=1, dtype=np.float64) >= ACTIVE_STD


def _votes(
    codes: np.ndarray,
    factors: np.ndarray,
    variance: np.ndarray,
    active: np.ndarray,
    count: int,
    rng: np.random.Generator,
) -> Votes:
    sharing, (images, num_factors) = _Sharing(codes, factors), factors.shape
    fixed = rng.integers(num_factors, size=count)
    scale = np.where(active, variance, 1.0)
    least = np.empty(count, np.int64)
    for k in range(num_factors):
        chosen = np.flatnonzero(fixed == k)
        for start in range(0, len(chosen), AT_A_TIME):
            part = chosen[start : start + AT_A_TIME]
            first = rng.integers(images, size=len(part))
            rows = sharing.like(first, k, (len(part), BATCH), rng)
            relative = sharing.codes[rows].var(axis=1, ddof=1) / scale
            least[part] = np.where(active, relative, np.inf).argmin(axis=1)
    return Votes(least, fixed)


def beta_vae_score(
    fitted: tuple[np.ndarray, np.ndarray],
    scored: tuple[np.ndarray, np.ndarray],
    generator: np.random.Generator,
) -> float:
    """Return how well differences of codes tell which factor two images share.

    A point is the mean of |z - z'| over pairs that share one factor, which a logistic
    regression names; the score is its accuracy on pairs of other images. It gets
    standardized differences of the active dimensions. Guessing reaches 1 / K.

    Source: Higgins et al., "beta-VAE", 2017, section 3.

    Args:
        fitted: codes float [M, d] and factors int [M, K] of the pairs it is fitted on.
        scored: codes and factors of other images.
        generator: draws the pairs.
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    active = active_dimensions(fitted[0])
    if not active.any():
        return 0.0
    points, fixed = _differences(fitted[0][:, active], fitted[1], FITTED, generator)
    other, answer = _differences(scored[0][:, active], scored[1], SCORED, generator)
    regression = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
    return float(regression.fit(points, fixed).score(other, answer))


def _differences(
    codes: np.ndarray, factors: np.ndarray, count: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Return mean differences of pairs, [count, d], and the factors they share."""
    sharing, (images, num_factors) = _Sharing(codes, factors), factors.shape
    fixed = rng.integers(num_factors, size=count)
    points = np.empty((count, codes.shape[1]))
    for k in range(num_factors):
        chosen = np.flatnonzero(fixed == k)
        for start in range(0, len(chosen), AT_A_TIME):
            part = chosen[start : start + AT_A_TIME]
            first = rng.integers(images, size=(len(part), BATCH))
            second = sharing.like(first, k, first.shape, rng)
            difference = np.abs(sharing.codes[first] - sharing.codes[second])
            points[part] = difference.mean(axis=1)
    return points, fixed
