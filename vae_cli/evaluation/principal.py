"""Principal components of codes."""

from typing import NamedTuple

import numpy as np


class PrincipalComponents(NamedTuple):
    """The plane in which codes vary most.

    Attributes:
        origin: the mean code, float32 [latent_dim].
        axes: orthonormal rows, float32 [2, latent_dim].
        names: of the axes, with the share of the variance of each.
    """

    origin: np.ndarray
    axes: np.ndarray
    names: tuple[str, str]


def principal_components(mean: np.ndarray) -> PrincipalComponents:
    """Return the first two principal components of codes.

    The largest weight of each axis is positive, so that all plots of the same codes
    have the same signs.

    Args:
        mean: float32 [N, latent_dim], of two dimensions or more.
    """
    origin = mean.mean(axis=0, dtype=np.float64)
    centred = mean - origin
    variances, vectors = np.linalg.eigh(centred.T @ centred)  # ascending
    axes = vectors.T[:-3:-1]
    largest = np.abs(axes).argmax(axis=1)
    axes = axes * np.sign(axes[[0, 1], largest])[:, None]
    # collapsed codes have no variance to explain
    shares = variances.clip(0)[:-3:-1] / max(float(variances.sum()), 1e-12)
    names = f"PC 1 ({shares[0]:.0%} of variance)", f"PC 2 ({shares[1]:.0%})"
    return PrincipalComponents(
        origin.astype(np.float32), axes.astype(np.float32), names
    )
