"""Priors p(z|y) that depend on what the model is told: a label, or what is seen.

Each gives, of what it is told of B images, a Gaussian for each of them.
"""

from typing import Any

import keras
from keras import ops

from vae_cli.config.parts import PriorConfig
from vae_cli.models.priors import Prior, gaussian_log_prob, standard_kl_per_dim


class LabelGaussian(Prior):
    """p(z|y) = N(z_top; mean_y, exp(log_var_y)) * N(z_rest; 0, I), both learned.

    Args:
        config: its options.
        latent_dim: dimensions of z.
        top_dim: dimensions of the top level, all of z where there is one level.
        num_labels: Gaussians.
    """

    has_kl_per_dim = True

    def __init__(
        self, config: PriorConfig, latent_dim: int, top_dim: int, num_labels: int
    ) -> None:
        super().__init__(config, latent_dim)
        shape = (num_labels, top_dim)
        self._mean = self.add_weight(name="mean", shape=shape, initializer="zeros")
        self._log_var = self.add_weight(
            name="log_var", shape=shape, initializer="zeros"
        )

    def given(self, label: Any) -> Any:
        """Return the Gaussians of one-hot labels [B, num_labels]."""
        rest = ((0, 0), (0, self.latent_dim - self._mean.shape[1]))
        return GivenGaussian(
            ops.pad(ops.matmul(label, self._mean), rest),
            ops.pad(ops.matmul(label, self._log_var), rest),
        )


class SeenGaussian(Prior):
    """p(z|y) = N(z; mean(y), exp(log_var(y))), both linear in what is told.

    Args:
        config: its options.
        latent_dim: dimensions of z.
        told_dim: of what the decoder is told beside z.
    """

    has_kl_per_dim = True

    def __init__(self, config: PriorConfig, latent_dim: int, told_dim: int) -> None:
        super().__init__(config, latent_dim)
        # a distribution's own parameters: not in the networks' 16 bits
        self._mean = keras.layers.Dense(latent_dim, name="mean", dtype="float32")
        self._log_var = keras.layers.Dense(latent_dim, name="log_var", dtype="float32")
        for layer in (self._mean, self._log_var):
            layer.build((None, told_dim))

    def given(self, told: Any) -> Any:
        """Return the Gaussians of what is told of B images, [B, told_dim]."""
        return GivenGaussian(self._mean(told), self._log_var(told))


class GivenGaussian:
    """A Gaussian for each of B images, with the methods of a prior.

    Args:
        mean: float32 [B, latent_dim].
        log_var: likewise.
    """

    kl = Prior.kl

    def __init__(self, mean: Any, log_var: Any) -> None:
        self._mean = mean
        self._log_var = log_var

    def log_prob(self, z: Any) -> Any:
        """Return log p(z|y) in nats: float32 [..., B, latent_dim] -> [..., B]."""
        return gaussian_log_prob(z, self._mean, self._log_var)

    def sample(self, noise: Any, choice: Any) -> Any:
        """Turn noise [B, latent_dim] into codes."""
        return self._mean + ops.exp(0.5 * self._log_var) * noise

    def kl_per_dim(self, mean: Any, log_var: Any) -> Any:
        """Return the KL of each dimension in nats, shape of `mean`.

        KL_j = KL(N((mean - m_j) / s_j, exp(log_var) / s_j^2) || N(0, 1))
        """
        scaled = (mean - self._mean) * ops.exp(-0.5 * self._log_var)
        return standard_kl_per_dim(scaled, log_var - self._log_var)
