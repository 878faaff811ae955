"""Priors p(z|y): where codes come from when there is no image.

A prior holds weights, and gives the distribution of the top level of z. Adding one:
subclass `Prior`, name it in `build_prior`, add a YAML file.
"""

import math
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
from keras import ops

from vae_cli.config.parts import MixtureConfig, PriorConfig, VampConfig
from vae_cli.models.distributions import (
    Distribution,
    Gaussian,
    Mixture,
    StandardNormal,
)


class Prior(keras.layers.Layer):
    """Base of all priors; float32, whatever the networks compute in.

    Args:
        config: its options.
    """

    conditional = False
    """Whether its distribution depends on the condition."""

    def __init__(self, config: PriorConfig) -> None:
        super().__init__(name="prior", dtype="float32")

    def given(self, embedding: Any) -> Distribution:
        """Return p(z|y).

        Args:
            embedding: of y, float32 [B, k]; None without a condition.
        """
        raise TypeError(f"{type(self).__name__} gives no distribution")


class StandardPrior(Prior):
    """p(z) = N(0, I)."""

    def given(self, embedding: Any = None) -> StandardNormal:
        """Return N(0, I)."""
        return StandardNormal()


class MixturePrior(Prior):
    """A mixture of Gaussians whose means, variances and weights are learned.

    Args:
        config: number of components.
        dim: dimensions of z.
    """

    def __init__(self, config: MixtureConfig, dim: int) -> None:
        super().__init__(config)
        shape = (config.components, dim)
        apart = keras.initializers.RandomNormal(stddev=1.0)
        self._mean = self.add_weight(name="mean", shape=shape, initializer=apart)
        self._log_var = self.add_weight(
            name="log_var", shape=shape, initializer="zeros"
        )
        self._logits = self.add_weight(
            name="logits", shape=shape[:1], initializer="zeros"
        )

    def given(self, embedding: Any = None) -> Mixture:
        """Return the mixture as its weights are now."""
        return Mixture(
            ops.log_softmax(ops.convert_to_tensor(self._logits)),
            ops.convert_to_tensor(self._mean),
            ops.convert_to_tensor(self._log_var),
        )


class VampPrior(Prior):
    """The posteriors of learned pseudo-inputs, mixed in equal parts.

    p(z) = 1/C sum_c q(z|u_c),  u_c in [0, 1]

    Source: Tomczak & Welling, "VAE with a VampPrior", 2018, eq. 9.

    Args:
        config: number of pseudo-inputs.
        image_shape: (H, W, C).
        posterior: images [C, H, W, C], and one-hot labels [C, num_labels] where there
            are any -> mean and log-variance of q, [C, dim].
        num_labels: pseudo-inputs have the labels in turn; 0 for none.
    """

    def __init__(
        self,
        config: VampConfig,
        image_shape: tuple[int, int, int],
        posterior: Callable[..., tuple[Any, Any]],
        num_labels: int,
    ) -> None:
        super().__init__(config)
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
            labels: int [C]; unused where the encoder takes none.
        """
        self.pseudo_inputs.assign(images)
        for one_hot in self._labels:
            one_hot.assign(np.eye(one_hot.shape[1])[labels])

    def given(self, embedding: Any = None) -> Mixture:
        """Return the mixture of the pseudo-inputs' posteriors."""
        images = ops.clip(self.pseudo_inputs, 0.0, 1.0)
        mean, log_var = self._posterior(images, *self._labels)
        count = self.pseudo_inputs.shape[0]
        return Mixture(ops.full((count,), -math.log(count)), mean, log_var)


class LabelPrior(Prior):
    """p(z|y) = N(mean_y, diag(exp(log_var_y))), a learned Gaussian for each label.

    Args:
        config: its options.
        dim: dimensions of z.
        num_labels: Gaussians.
    """

    conditional = True

    def __init__(self, config: PriorConfig, dim: int, num_labels: int) -> None:
        super().__init__(config)
        shape = (num_labels, dim)
        self._mean = self.add_weight(name="mean", shape=shape, initializer="zeros")
        self._log_var = self.add_weight(
            name="log_var", shape=shape, initializer="zeros"
        )

    def given(self, embedding: Any) -> Gaussian:
        """Return the Gaussians of one-hot labels [B, num_labels]."""
        return Gaussian(
            ops.matmul(embedding, self._mean), ops.matmul(embedding, self._log_var)
        )


class SeenPrior(Prior):
    """p(z|y) = N(mean(y), diag(exp(log_var(y)))), both linear in the embedding of y.

    Args:
        config: its options.
        dim: dimensions of z.
        embedding_dim: of y's embedding.
    """

    conditional = True

    def __init__(self, config: PriorConfig, dim: int, embedding_dim: int) -> None:
        super().__init__(config)
        # a distribution's own parameters: not in the networks' 16 bits
        self._mean = keras.layers.Dense(dim, name="mean", dtype="float32")
        self._log_var = keras.layers.Dense(dim, name="log_var", dtype="float32")
        for layer in (self._mean, self._log_var):
            layer.build((None, embedding_dim))

    def given(self, embedding: Any) -> Gaussian:
        """Return a Gaussian for each of B images, [B, embedding_dim]."""
        return Gaussian(self._mean(embedding), self._log_var(embedding))


def build_prior(
    config: PriorConfig,
    dim: int,
    image_shape: tuple[int, int, int],
    posterior: Callable[..., tuple[Any, Any]],
    num_labels: int = 0,
) -> Prior:
    """Return the configured prior of `dim` dimensions; the rest is `VampPrior`'s."""
    if isinstance(config, VampConfig):
        return VampPrior(config, image_shape, posterior, num_labels)
    if isinstance(config, MixtureConfig):
        return MixturePrior(config, dim)
    return StandardPrior(config)
