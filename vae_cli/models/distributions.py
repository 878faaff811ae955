"""Distributions of codes, and the levels of codes that inference gives.

A distribution holds arrays, not weights: networks and priors make it, anew at every
step. Codes are float32 [..., d]; the leading axes are samples and images, and a
distribution's own arrays broadcast against them. Adding one: subclass `Distribution`,
and where its KL from another has a closed form, add the pair to `CLOSED_FORM`.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, NamedTuple

import tensorflow as tf
from keras import ops

LOG_2PI = math.log(2 * math.pi)


class Distribution:
    """Base: has a log-density, and samples."""

    has_components = False
    """Whether `sample` needs `choice`."""

    def log_prob(self, z: Any) -> Any:
        """Return the log-density in nats: float32 [..., d] -> [...]."""
        raise TypeError(f"{type(self).__name__} defines no density")

    def sample(self, noise: Any, choice: Any = None) -> Any:
        """Turn noise into codes, float32 [..., d].

        Args:
            noise: standard normal float32 [..., d].
            choice: uniform float32 [N] in [0, 1), for noise [N, d]; picks a component
                where there are several.
        """
        raise TypeError(f"{type(self).__name__} can't be sampled")

    def draw(self, noise: Any) -> tuple[Any, "Distribution"]:
        """Return codes, and a distribution that knows log q of exactly these codes.

        Args:
            noise: standard normal float32 [..., d].
        """
        return self.sample(noise), self

    def gaussian(self) -> "Gaussian":
        """Return a diagonal Gaussian of this mean and variance, or close to them."""
        raise TypeError(f"{type(self).__name__} is close to no Gaussian")

    def exact(self) -> "Distribution":
        """Return the same distribution with the precision that evaluation needs."""
        return self


@dataclass(frozen=True)
class StandardNormal(Distribution):
    """N(0, I)."""

    def log_prob(self, z: Any) -> Any:
        """Return the log-density in nats: float32 [..., d] -> [...]."""
        return -0.5 * ops.sum(z**2 + LOG_2PI, axis=-1)

    def sample(self, noise: Any, choice: Any = None) -> Any:
        """Return the noise itself."""
        return noise


@dataclass(frozen=True)
class Gaussian(Distribution):
    """N(mean, diag(exp(log_var)))."""

    mean: Any  # float32 [..., d]
    log_var: Any  # likewise

    def log_prob(self, z: Any) -> Any:
        """Return the log-density in nats: float32 [..., d] -> [...]."""
        return ops.sum(self.log_prob_per_dim(z), axis=-1)

    def log_prob_per_dim(self, z: Any) -> Any:
        """Return the log-density of each dimension in nats, [..., d]."""
        square = (z - self.mean) ** 2 * ops.exp(-self.log_var)
        return -0.5 * (square + self.log_var + LOG_2PI)

    def sample(self, noise: Any, choice: Any = None) -> Any:
        """Return mean + exp(log_var / 2) * noise, the reparameterisation trick.

        Source: Kingma & Welling, "Auto-encoding variational Bayes", 2014, section 2.4.
        """
        return self.mean + ops.exp(0.5 * self.log_var) * noise

    def gaussian(self) -> "Gaussian":
        """Return itself."""
        return self


@dataclass(frozen=True)
class Mixture(Distribution):
    """sum_c w_c N(mean_c, diag(exp(log_var_c)))."""

    has_components = True

    log_weights: Any  # [C]
    mean: Any  # [C, d]
    log_var: Any  # [C, d]

    def log_prob(self, z: Any) -> Any:
        """Return the log-density in nats: float32 [..., d] -> [...].

        The squared distances are differences of far larger products. With 500
        components in 40 dimensions, float32 is off by 5e-5 nats (root mean square) at
        a scale of 0.3, 5e-4 at 0.1 and 5e-3 at 0.03; GPUs with `tf32`, in training, by
        .05, 2 and 20. `exact` computes them in float64.
        """
        return ops.cast(ops.logsumexp(self._joint(z), axis=-1), "float32")

    def responsibilities(self, z: Any) -> Any:
        """Return p(c|z) of each component: float32 [..., d] -> [..., C]."""
        return ops.cast(ops.softmax(self._joint(z), axis=-1), "float32")

    def _joint(self, z: Any) -> Any:
        """Return log p(c, z) in nats, [..., C]."""
        dtype = self.mean.dtype
        x = ops.cast(z, dtype)
        precision = ops.exp(-self.log_var)
        # the squared distances to all components as two matrix products
        distance = (
            ops.matmul(x**2, ops.transpose(precision))
            - 2 * ops.matmul(x, ops.transpose(self.mean * precision))
            + ops.sum(self.mean**2 * precision + self.log_var + LOG_2PI, axis=-1)
        )
        return self.log_weights - 0.5 * distance

    def sample(self, noise: Any, choice: Any = None) -> Any:
        """Pick a component for each code, then draw from it: [N, d] -> [N, d]."""
        reached = ops.cumsum(ops.softmax(self.log_weights))
        choice = ops.cast(choice, "float32")
        passed = ops.cast(choice[:, None] >= reached[:-1], "int32")
        picked = ops.sum(passed, axis=1)
        scale = ops.exp(0.5 * self.log_var)
        return noise * ops.take(scale, picked, 0) + ops.take(self.mean, picked, 0)

    def exact(self) -> "Mixture":
        """Return the same mixture in float64; its log-density is still float32."""
        arrays = (self.log_weights, self.mean, self.log_var)
        return Mixture(*(ops.cast(array, "float64") for array in arrays))


def kl_to_standard(q: Gaussian) -> Any:
    """Return KL(q || N(0, 1)) of each dimension in nats, [..., d].

    KL_j = 1/2 (mean_j^2 + exp(log_var_j) - log_var_j - 1)

    Source: Kingma & Welling 2014, appendix B.
    """
    return 0.5 * (q.mean**2 + ops.exp(q.log_var) - q.log_var - 1)


def relative_to(p: Gaussian, q: Gaussian) -> Gaussian:
    """Return the distribution of (z - mean_p) / scale_p for z from q."""
    mean = (q.mean - p.mean) * ops.exp(-0.5 * p.log_var)
    return Gaussian(mean, q.log_var - p.log_var)


def _kl_of_gaussians(q: Gaussian, p: Gaussian) -> Any:
    """KL_j = KL(N((m - m_p) / s_p, s^2 / s_p^2) || N(0, 1))."""
    return kl_to_standard(relative_to(p, q))


CLOSED_FORM: dict[tuple[type, type], Callable[[Any, Any], Any]] = {
    (Gaussian, StandardNormal): lambda q, p: kl_to_standard(q),
    (Gaussian, Gaussian): _kl_of_gaussians,
}
"""(type of q, type of p) -> KL(q || p) of each dimension, [..., d]."""


def kl_per_dim(q: Distribution, p: Distribution) -> Any | None:
    """Return KL(q || p) of each dimension in nats, [..., d]; None without a formula."""
    formula = CLOSED_FORM.get((type(q), type(p)))
    return None if formula is None else formula(q, p)


def kl_divergence(q: Distribution, p: Distribution, z: Any) -> Any:
    """Return KL(q || p) in nats, [...]: its closed form, or an estimate by one sample.

    Args:
        q: the distribution that z was drawn from.
        p: another.
        z: float32 [S, B, d].

    Returns:
        float32 [S, B], or [1, B] where it doesn't depend on the sample.
    """
    closed_form = kl_per_dim(q, p)
    return (
        q.log_prob(z) - p.log_prob(z)
        if closed_form is None
        else ops.sum(closed_form, axis=-1)
    )


class Level(NamedTuple):
    """A level of latent variables: a code, and the distributions it lies between."""

    z: Any  # float32 [S, B, d]
    posterior: Any  # the Distribution that z was drawn from
    prior: Distribution  # given the levels above


Levels = Sequence[Level]
"""From the top down; z of all levels side by side is what a decoder takes."""


def code(levels: Levels) -> Any:
    """Return the codes of all levels side by side, [S, B, latent_dim]."""
    codes = [level.z for level in levels]
    return codes[0] if len(codes) == 1 else ops.concatenate(codes, axis=-1)


def log_ratio(levels: Levels) -> Any:
    """Return log p(z) - log q(z|x) in nats, [S, B]: log w without log p(x|z)."""
    return sum(
        level.prior.log_prob(level.z) - level.posterior.log_prob(level.z)
        for level in levels
    )


def normal_cdf(noise: Any) -> Any:
    """Return P(N(0, 1) <= noise), in [0, 1)."""
    uniform = 0.5 * tf.math.erfc(-tf.convert_to_tensor(noise, tf.float32) / 2**0.5)
    return tf.minimum(uniform, 1 - 2**-24)


def detached(distribution: Any) -> Any:
    """Return a distribution whose own arrays let no gradient through."""
    arrays = {f.name: getattr(distribution, f.name) for f in fields(distribution)}
    stopped = {name: tf.stop_gradient(array) for name, array in arrays.items()}
    return replace(distribution, **stopped)
