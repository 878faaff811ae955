"""Two sets of features compared without a Gaussian: KID, precision and recall.

Unlike the Frechet distance, KID is unbiased: its expectation is the same for any number
of images. Precision and recall tell samples that look wrong from kinds of images that
are missing.
"""

from typing import NamedTuple

import numpy as np

from vae_cli.randomness import Stream, generator

SUBSETS, SUBSET_SIZE = 100, 1000
"""Of KID, as the source's code and others have them."""
NEIGHBOURS = 3
"""Of precision and recall, as the source has them."""
CHUNK_VALUES = 2**23
"""Distances held at a time, float64: 64 MiB."""


class KernelDistance(NamedTuple):
    """KID: mean and standard deviation over subsets."""

    mean: float
    deviation: float


def kernel_distance(
    a: np.ndarray,
    b: np.ndarray,
    subsets: int = SUBSETS,
    size: int = SUBSET_SIZE,
    seed: int = 0,
) -> KernelDistance | None:
    """Return the unbiased squared MMD of two sets of features; None for single ones.

    Mean and deviation over random subsets of `size`, or of the smaller set.

    Source: Binkowski et al., "Demystifying MMD GANs", 2018, section 4.

    Args:
        a: float [N, F].
        b: float [M, F].
        subsets: how many are drawn.
        size: features of each.
        seed: fixes the subsets.
    """
    size = min(size, len(a), len(b))
    if size < 2:
        return None
    rng = generator(seed, Stream.SUBSETS)
    distances = [
        squared_mmd(
            a[rng.choice(len(a), size, replace=False)],
            b[rng.choice(len(b), size, replace=False)],
        )
        for _ in range(subsets)
    ]
    return KernelDistance(float(np.mean(distances)), float(np.std(distances, ddof=1)))


def squared_mmd(a: np.ndarray, b: np.ndarray) -> float:
    """Return the unbiased squared MMD under k(x, y) = (x . y / F + 1)^3.

    1 / (n (n - 1)) sum_{i != j} k(a_i, a_j) + the same of b
        - 2 / (n m) sum_{i, j} k(a_i, b_j)

    Source: Binkowski et al. 2018, eq. 4; Gretton et al., "A kernel two-sample test",
    2012, eq. 3.

    Args:
        a: float [n, F].
        b: float [m, F].
    """
    a, b = a.astype(np.float64), b.astype(np.float64)
    return _mean_off_diagonal(a) + _mean_off_diagonal(b) - 2 * _kernel(a, b).mean()


def _kernel(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return (a @ b.T / a.shape[1] + 1) ** 3


def _mean_off_diagonal(a: np.ndarray) -> float:
    kernel, count = _kernel(a, a), len(a)
    return (kernel.sum() - np.trace(kernel)) / (count * (count - 1))


def precision_recall(
    samples: np.ndarray, real: np.ndarray, neighbours: int = NEIGHBOURS
) -> tuple[float, float] | None:
    """Return improved precision and recall; None where there are too few images.

    The manifold of a set is the union of balls around its features, each as large as
    the distance to the k-th nearest other one. Precision is the fraction of samples on
    the manifold of real images, recall that of real images on the samples' manifold.

    Source: Kynkaanniemi et al., "Improved precision and recall metric for assessing
    generative models", 2019, eq. 1 and 2.

    Args:
        samples: float [N, F].
        real: float [M, F].
        neighbours: k.
    """
    if min(len(samples), len(real)) <= neighbours:
        return None
    samples, real = samples.astype(np.float64), real.astype(np.float64)
    return (
        _covered(samples, real, _squared_radii(real, neighbours)),
        _covered(real, samples, _squared_radii(samples, neighbours)),
    )


def _squared_radii(points: np.ndarray, neighbours: int) -> np.ndarray:
    """Return the squared distance to the k-th nearest other point, [N]."""
    radii = np.empty(len(points))
    for rows in _chunks(len(points), len(points)):
        distances = _squared_distances(points[rows], points)
        # the nearest is the point itself
        radii[rows] = np.partition(distances, neighbours, axis=1)[:, neighbours]
    return radii


def _covered(points: np.ndarray, centres: np.ndarray, radii: np.ndarray) -> float:
    """Return the fraction of points within any ball."""
    inside = 0
    # equal features are 0 apart but for rounding
    rounding = 1e-12 * (centres**2).sum(axis=1)
    for rows in _chunks(len(points), len(centres)):
        near = _squared_distances(points[rows], centres) <= radii + rounding
        inside += int(near.any(axis=1).sum())
    return inside / len(points)


def _squared_distances(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    squares = (a**2).sum(axis=1)[:, None] + (b**2).sum(axis=1)
    return np.maximum(squares - 2 * a @ b.T, 0)


def _chunks(count: int, others: int) -> list[slice]:
    size = max(1, CHUNK_VALUES // others)
    return [slice(start, start + size) for start in range(0, count, size)]
