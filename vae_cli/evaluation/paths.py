"""Codes worth decoding: planes, lines and paths through latent space."""

from statistics import NormalDist

import numpy as np


def steps(count: int, spacing: str, span: float) -> np.ndarray:
    """Return positions along a latent axis, ascending.

    Args:
        count: how many; one alone is 0.
        spacing: `quantiles`: equal probabilities of N(0, 1) between 5 % and 95 %;
            `linspace`: equal distances over [-span, span].
        span: used by `linspace`.
    """
    if count == 1:
        return np.zeros(1)
    if spacing == "linspace":
        return np.linspace(-span, span, count)
    normal = NormalDist()
    return np.array([normal.inv_cdf(p) for p in np.linspace(0.05, 0.95, count)])


def plane(
    latent_dim: int,
    dims: tuple[int, int],
    rows: int,
    columns: int,
    spacing: str,
    span: float,
) -> np.ndarray:
    """Return codes of a grid over two dimensions, the others at 0.

    The first of `dims` runs to the right, the second upwards, as in a plot.

    Returns:
        float32 [rows * columns, latent_dim], row by row from the top.
    """
    z = np.zeros((rows, columns, latent_dim), np.float32)
    z[..., dims[0]] = steps(columns, spacing, span)[None, :]
    z[..., dims[1]] = steps(rows, spacing, span)[::-1, None]
    return z.reshape(-1, latent_dim)


def traversals(
    order: np.ndarray, latent_dim: int, count: int, span: float
) -> np.ndarray:
    """Return codes that move along one dimension at a time, the others at 0.

    Args:
        order: the dimensions, one per row.
        latent_dim: dimensions of z.
        count: codes a row, over [-span, span].
        span: how far from 0.

    Returns:
        float32 [len(order) * count, latent_dim].
    """
    z = np.zeros((len(order), count, latent_dim), np.float32)
    for row, dim in enumerate(order):
        z[row, :, dim] = steps(count, "linspace", span)
    return z.reshape(-1, latent_dim)


def interpolate(start: np.ndarray, end: np.ndarray, count: int, how: str) -> np.ndarray:
    """Return codes from `start` to `end`, both included.

    Args:
        start: float32 [latent_dim].
        end: float32 [latent_dim].
        count: how many codes; at least 2.
        how: `linear`, or `spherical`: along the great circle for the direction, and
            linearly in length (Shoemake 1985), which keeps to lengths that the prior
            makes likely.

    Returns:
        float32 [count, latent_dim].
    """
    start, end = start.astype(np.float64), end.astype(np.float64)
    t = np.linspace(0, 1, count)[:, None]
    straight = (1 - t) * start + t * end
    lengths = np.linalg.norm(start), np.linalg.norm(end)
    if how == "linear" or min(lengths) == 0:
        return straight.astype(np.float32)
    a, b = start / lengths[0], end / lengths[1]
    # accurate for small and for nearly opposite directions, unlike arccos
    angle = 2 * np.arctan2(np.linalg.norm(a - b), np.linalg.norm(a + b))
    if np.sin(angle) < 1e-6:  # same or opposite directions: no one great circle
        return straight.astype(np.float32)
    direction = (np.sin((1 - t) * angle) * a + np.sin(t * angle) * b) / np.sin(angle)
    length = (1 - t) * lengths[0] + t * lengths[1]
    return (length * direction).astype(np.float32)
