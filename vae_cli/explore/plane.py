"""A plane through latent space: codes as points, and points as codes."""

from dataclasses import dataclass

import numpy as np

from vae_cli.evaluation.principal import principal_components


@dataclass(frozen=True)
class Plane:
    """An affine map between codes and the two coordinates of a scatter plot.

    Attributes:
        origin: code of the point (0, 0), float32 [latent_dim].
        axes: orthonormal rows, float32 [2, latent_dim], or [1, latent_dim] if there is
            one dimension; the other coordinate is then not part of the code.
        names: of the two coordinates.
        flat: whether the plane contains every code.
    """

    origin: np.ndarray
    axes: np.ndarray
    names: tuple[str, str]
    flat: bool

    def points(self, mean: np.ndarray, log_var: np.ndarray) -> np.ndarray:
        """Return the coordinates of codes, float32 [N, 2]."""
        points = (mean - self.origin) @ self.axes.T
        if len(self.axes) == 1:
            points = np.concatenate([points, log_var], axis=1)
        return points.astype(np.float32)

    def code(self, x: float, y: float) -> np.ndarray:
        """Return the code of a point, float32 [latent_dim]."""
        point = np.array([x, y], np.float32)[: len(self.axes)]
        return self.origin + point @ self.axes


def plane_of(mean: np.ndarray) -> Plane:
    """Return the plane in which codes are shown.

    One dimension is shown against its log-variance, two are shown directly, more as
    their first two principal components, with the mean code as the origin.

    Args:
        mean: posterior means, float32 [N, latent_dim].
    """
    latent_dim = mean.shape[1]
    zero = np.zeros(latent_dim, np.float32)
    if latent_dim == 1:
        names = ("z[0]", "log-variance of z[0]")
        return Plane(zero, np.eye(1, dtype=np.float32), names, True)
    if latent_dim == 2:
        return Plane(zero, np.eye(2, dtype=np.float32), ("z[0]", "z[1]"), True)
    return Plane(*principal_components(mean), False)


def ranges(mean: np.ndarray, span: float = 3.0) -> np.ndarray:
    """Return the limits of each dimension's slider, float32 [d, 2].

    They include [-span, span] and the codes of all images: a learned prior may lie
    anywhere.
    """
    low = np.minimum(mean.min(axis=0), -span)
    high = np.maximum(mean.max(axis=0), span)
    return np.stack([np.floor(low * 10), np.ceil(high * 10)], axis=1) / 10
