"""Distributions that a flow makes of a simple one: posteriors, and priors."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from keras import ops

from vae_cli.models.distributions import Distribution, Gaussian, StandardNormal
from vae_cli.models.flows import Flow

DIMENSIONS_AT_A_TIME = 32
"""Of a code, in `Transformed.gaussian`, which computes two codes for each."""


@dataclass(frozen=True)
class Transformed(Distribution):
    """The distribution of z = f(e), e ~ base.

    log q(z) = log base(e) - log |det df/de|

    is known where z was drawn, with its e: `draw`.
    """

    base: Gaussian  # [..., d]
    flow: Flow  # f
    condition: Any  # of f, [..., k]

    def draw(self, noise: Any) -> tuple[Any, "Drawn"]:
        """Return codes [..., d], and the distribution that knows their density."""
        e = self.base.sample(noise)
        z, log_det = self.flow.forward(e, self.condition)
        return z, Drawn(self, z, self.base.log_prob(e) - log_det)

    def sample(self, noise: Any, choice: Any = None) -> Any:
        """Transform a sample of the base, [..., d]."""
        return self.draw(noise)[0]

    def gaussian(self) -> Gaussian:
        """Return a Gaussian around the image of the base's mean.

            variance_i = sum_j ((f_i(m + s_j u_j) - f_i(m - s_j u_j)) / 2)^2

        m and s are the base's mean and scale, u_j the j-th unit vector. This is the
        variance to first order, sum_j (df_i/de_j s_j)^2, by central differences as
        wide as the base, and exact where f is affine.

        Source: Norgaard et al., "New developments in state estimation for nonlinear
        systems", 2000, the divided-difference filter DD1.
        """
        m, s = self.base.mean, ops.exp(0.5 * self.base.log_var)
        mean, _ = self.flow.forward(m, self.condition)
        condition = self.condition[..., None, :]
        unit = np.eye(m.shape[-1], dtype=np.float32)
        variance = 0.0
        for first in range(0, len(unit), DIMENSIONS_AT_A_TIME):
            # [..., dimensions, d]
            apart = s[..., None, :] * unit[first : first + DIMENSIONS_AT_A_TIME]
            above, _ = self.flow.forward(m[..., None, :] + apart, condition)
            below, _ = self.flow.forward(m[..., None, :] - apart, condition)
            variance = variance + ops.sum((0.5 * (above - below)) ** 2, axis=-2)
        return Gaussian(mean, ops.log(ops.maximum(variance, 1e-30)))


@dataclass(frozen=True)
class Drawn(Distribution):
    """A distribution that knows its density at the codes that were drawn from it."""

    source: Transformed
    z: Any  # float32 [..., d]
    log_density: Any  # log q(z) in nats, [...]

    def log_prob(self, z: Any) -> Any:
        """Return log q(z), [...]; z is the very array that was drawn."""
        if z is not self.z:
            raise TypeError("a flow knows its density only where it was sampled")
        return self.log_density

    def gaussian(self) -> Gaussian:
        """Return that of the distribution."""
        return self.source.gaussian()


@dataclass(frozen=True)
class Normalized(Distribution):
    """The distribution of z of which u = f(z) is standard normal.

    log p(z) = log N(u; 0, I) + log |det du/dz|
    """

    flow: Flow  # f
    condition: Any = None  # of f, [..., k]

    def log_prob(self, z: Any) -> Any:
        """Return the log-density in nats: float32 [..., d] -> [...]."""
        u, log_det = self.flow.forward(z, self.condition)
        return StandardNormal().log_prob(u) + log_det

    def sample(self, noise: Any, choice: Any = None) -> Any:
        """Return the codes that f turns into the noise, [..., d]."""
        return self.flow.inverse(noise, self.condition)
