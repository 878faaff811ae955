"""Priors p(z): where codes come from when there is no image.

Adding one: subclass, register below, add a YAML file. Codes are float32 [..., d]; the
leading axes are samples and images, in whatever number.
"""

import math
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
from keras import ops

from vae_cli.config.parts import MixtureConfig, PriorConfig, VampConfig

LOG_2PI = math.log(2 * math.pi)


def gaussian_log_prob(z: Any, mean: Any, log_var: Any) -> Any:
    """Return log N(z; mean, exp(log_var)), summed over the last axis."""
    return -0.5 * ops.sum(
        (z - mean) ** 2 * ops.exp(-log_var) + log_var + LOG_2PI, axis=-1
    )


def standard_kl_per_dim(mean: Any, log_var: Any) -> Any:
    """Return KL(N(mean_j, exp(log_var_j)) || N(0, 1)) for each dimension, nats.

    KL_j = 1/2 (mean_j^2 + exp(log_var_j) - log_var_j - 1)

    Source: Kingma & Welling 2014, appendix B.
    """
    return 0.5 * (mean**2 + ops.exp(log_var) - log_var - 1)


class Prior(keras.layers.Layer):
    """Base of all priors; float32, whatever the networks compute in.

    Args:
        config: its options.
        latent_dim: dimensions of z.
    """

    has_kl_per_dim = False
    """Whether its KL is a sum over dimensions."""

    def __init__(self, config: PriorConfig, latent_dim: int) -> None:
        super().__init__(name="prior", dtype="float32")
        self.latent_dim = latent_dim

    def log_prob(self, z: Any) -> Any:
        """Return log p(z) in nats: float32 [..., latent_dim] -> [...]."""
        raise TypeError(f"{type(self).__name__} defines no density")

    def density(self) -> Callable[[Any], Any]:
        """Return `log_prob` for weights that stay as they are now."""
        return self.log_prob

    def sample(self, noise: Any, choice: Any) -> Any:
        """Turn noise into codes, float32 [N, latent_dim].

        Args:
            noise: standard normal float32 [N, latent_dim].
            choice: uniform float32 [N] in [0, 1); picks a component where there are
                several.
        """
        raise TypeError(f"{type(self).__name__} can't be sampled")

    def given(self, label: Any) -> "Prior":
        """Return p(z|y) for one-hot labels [B, num_labels]: itself if it's the same."""
        return self

    def kl(self, z: Any, mean: Any, log_var: Any) -> Any:
        """Estimate KL(q || p) in nats by one sample.

        Args:
            z: float32 [S, B, latent_dim], drawn from q.
            mean: of the Gaussian q that z was drawn from; broadcasts against z.
            log_var: likewise.

        Returns:
            float32 [S, B], or [1, B] where it doesn't depend on the sample.
        """
        return gaussian_log_prob(z, mean, log_var) - self.log_prob(z)

    def kl_per_dim(self, mean: Any, log_var: Any) -> Any | None:
        """Return the KL of each dimension in nats, or None where it has no such parts.

        Args:
            mean: float32 [..., latent_dim].
            log_var: float32 [..., latent_dim].
        """
        return None


class StandardNormal(Prior):
    """p(z) = N(0, I)."""

    has_kl_per_dim = True

    def log_prob(self, z: Any) -> Any:
        """Return log p(z) in nats: float32 [..., latent_dim] -> [...]."""
        return -0.5 * ops.sum(z**2 + LOG_2PI, axis=-1)

    def sample(self, noise: Any, choice: Any) -> Any:
        """Return the noise: it is distributed as the prior already."""
        return noise

    def kl_per_dim(self, mean: Any, log_var: Any) -> Any:
        """Return the KL of each dimension in nats, shape of `mean`."""
        return standard_kl_per_dim(mean, log_var)


class Mixture(Prior):
    """A mixture of diagonal Gaussians over the top level of z.

    p(z) = sum_c w_c N(z_top; mean_c, exp(log_var_c)) * N(z_rest; 0, I)

    With one level of latent variables the top is all of z.
    """

    def __init__(self, config: PriorConfig, latent_dim: int, top_dim: int) -> None:
        super().__init__(config, latent_dim)
        self.top_dim = top_dim

    def components(self) -> tuple[Any, Any, Any]:
        """Return log weights [C], means [C, top_dim], log-variances [C, top_dim]."""
        raise TypeError(f"{type(self).__name__} defines no components")

    def log_prob(self, z: Any) -> Any:
        """Return log p(z) in nats: float32 [..., latent_dim] -> [...]."""
        return self._log_prob(z, self.components())

    def density(self) -> Callable[[Any], Any]:
        """Return `log_prob` with its components computed once, in float64.

        The squared distances are differences of far larger products: in float32 they
        are off by .01 nats and more where components are narrow.
        """
        components = tuple(ops.cast(x, "float64") for x in self.components())
        return lambda z: ops.cast(
            self._log_prob(ops.cast(z, "float64"), components), "float32"
        )

    def _log_prob(self, z: Any, components: tuple[Any, Any, Any]) -> Any:
        rest = z[..., self.top_dim :]
        rest_log_prob = -0.5 * ops.sum(rest**2 + LOG_2PI, axis=-1)
        return self.top_log_prob(z[..., : self.top_dim], components) + rest_log_prob

    def top_log_prob(self, top: Any, components: tuple[Any, Any, Any]) -> Any:
        """Return the mixture's log-density: [..., top_dim] -> [...], same dtype.

        Both products are far larger than their difference. With 500 components in 40
        dimensions, float32 is off by 5e-5 nats (root mean square) at a scale of 0.3,
        5e-4 at 0.1 and 5e-3 at 0.03; GPUs with `tf32`, in training, by .05, 2 and 20.
        What has to be exact takes `density`.
        """
        log_weights, mean, log_var = components
        precision = ops.exp(-log_var)
        # the squared distances to all components as two matrix products
        distance = (
            ops.matmul(top**2, ops.transpose(precision))
            - 2 * ops.matmul(top, ops.transpose(mean * precision))
            + ops.sum(mean**2 * precision + log_var + LOG_2PI, axis=-1)
        )
        return ops.logsumexp(log_weights - 0.5 * distance, axis=-1)

    def sample(self, noise: Any, choice: Any) -> Any:
        """Pick a component for each code, then draw from it."""
        log_weights, mean, log_var = self.components()
        reached = ops.cumsum(ops.softmax(log_weights))
        choice = ops.cast(choice, "float32")
        passed = ops.cast(choice[:, None] >= reached[:-1], "int32")
        picked = ops.sum(passed, axis=1)
        scale = ops.exp(0.5 * log_var)
        top = noise[:, : self.top_dim] * ops.take(scale, picked, 0)
        top += ops.take(mean, picked, 0)
        return ops.concatenate([top, noise[:, self.top_dim :]], axis=-1)

    def kl(self, z: Any, mean: Any, log_var: Any) -> Any:
        """Estimate the top's KL by one sample; the rest's has a closed form."""
        top, rest = slice(self.top_dim), slice(self.top_dim, None)
        log_q = gaussian_log_prob(z[..., top], mean[..., top], log_var[..., top])
        rest_kl = standard_kl_per_dim(mean[..., rest], log_var[..., rest])
        log_p = self.top_log_prob(z[..., top], self.components())
        return log_q - log_p + ops.sum(rest_kl, axis=-1)


class MixtureOfGaussians(Mixture):
    """Means, variances and weights are learned with the model."""

    def __init__(self, config: MixtureConfig, latent_dim: int, top_dim: int) -> None:
        super().__init__(config, latent_dim, top_dim)
        shape = (config.components, top_dim)
        apart = keras.initializers.RandomNormal(stddev=1.0)
        self._mean = self.add_weight(name="mean", shape=shape, initializer=apart)
        self._log_var = self.add_weight(
            name="log_var", shape=shape, initializer="zeros"
        )
        self._logits = self.add_weight(
            name="logits", shape=shape[:1], initializer="zeros"
        )

    def components(self) -> tuple[Any, Any, Any]:
        """Return log weights [C], means [C, top_dim], log-variances [C, top_dim]."""
        log_weights = ops.log_softmax(ops.convert_to_tensor(self._logits))
        return (
            log_weights,
            ops.convert_to_tensor(self._mean),
            ops.convert_to_tensor(self._log_var),
        )


class VampPrior(Mixture):
    """The posteriors of learned pseudo-inputs, mixed in equal parts.

    p(z) = 1/C sum_c q(z|u_c),  u_c in [0, 1]

    Source: Tomczak & Welling, "VAE with a VampPrior", 2018, eq. 9.

    Args:
        config: number of pseudo-inputs.
        latent_dim: dimensions of z.
        top_dim: dimensions that the pseudo-inputs' posteriors are about.
        image_shape: (H, W, C).
        posterior: images [C, H, W, C], and one-hot labels [C, num_labels] where there
            are any -> mean and log-variance of q, [C, top_dim].
        num_labels: pseudo-inputs are told the labels in turn; 0 for none.
    """

    def __init__(
        self,
        config: VampConfig,
        latent_dim: int,
        top_dim: int,
        image_shape: tuple[int, int, int],
        posterior: Callable[..., tuple[Any, Any]],
        num_labels: int,
    ) -> None:
        super().__init__(config, latent_dim, top_dim)
        self._posterior = posterior
        self._labels: tuple[Any, ...] = ()
        if num_labels:
            shape = (config.components, num_labels)
            labels = self.add_weight(name="labels", shape=shape, trainable=False)
            labels.assign(np.eye(num_labels)[np.arange(shape[0]) % num_labels])
            self._labels = (labels,)
        self.pseudo_inputs = self.add_weight(
            name="pseudo_inputs",
            shape=(config.components, *image_shape),
            # the source's initial values for MNIST
            initializer=keras.initializers.RandomNormal(mean=0.05, stddev=0.01),
        )

    def start_at(self, images: np.ndarray, labels: np.ndarray | None = None) -> None:
        """Begin from images instead, float32 [C, H, W, C] in [0, 1], and their labels.

        Args:
            images: as many as there are pseudo-inputs.
            labels: int [C]; not looked at where the networks are told none.
        """
        self.pseudo_inputs.assign(images)
        for told in self._labels:
            told.assign(np.eye(told.shape[1])[labels])

    def components(self) -> tuple[Any, Any, Any]:
        """Return log weights [C], means [C, top_dim], log-variances [C, top_dim]."""
        images = ops.clip(self.pseudo_inputs, 0.0, 1.0)
        mean, log_var = self._posterior(images, *self._labels)
        count = self.pseudo_inputs.shape[0]
        return ops.full((count,), -math.log(count)), mean, log_var


def build_prior(
    config: PriorConfig,
    latent_dim: int,
    top_dim: int,
    image_shape: tuple[int, int, int],
    posterior: Callable[..., tuple[Any, Any]],
    num_labels: int = 0,
) -> Prior:
    """Return the configured prior; the arguments are those of `VampPrior`."""
    if isinstance(config, VampConfig):
        return VampPrior(
            config, latent_dim, top_dim, image_shape, posterior, num_labels
        )
    if isinstance(config, MixtureConfig):
        return MixtureOfGaussians(config, latent_dim, top_dim)
    return StandardNormal(config, latent_dim)
