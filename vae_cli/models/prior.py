"""Priors p(z|y), the distribution of codes without an image.

A prior holds weights, and gives the distribution of the top level of z.
"""

import math
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
from keras import ops

from vae_cli.config.prior import (
    MixtureConfig,
    PriorConfig,
    StandardPriorConfig,
    VampConfig,
)
from vae_cli.models.distributions import (
    Distribution,
    Gaussian,
    Mixture,
    StandardNormal,
)
from vae_cli.registry import builds

Posterior = Callable[..., tuple[Any, Any]]
"""Images, and one-hot labels where there are any -> mean and log-variance of q."""


class Prior(keras.layers.Layer):
    """Base of all priors; float32, whatever the networks compute in.

    Args:
        config: its options.
        dim: dimensions of the top level of z.
    """

    conditional = False
    """Whether its distribution depends on the condition."""
    has_clusters = False
    """Whether evaluation compares components of its distribution with labels."""
    has_second_stage = False
    """Whether it is trained on codes after the autoencoder."""
    is_learned = False
    """Whether its second stage is done."""

    def __init__(self, config: PriorConfig, dim: int) -> None:
        super().__init__(name="prior", dtype="float32")

    def connect(
        self, posterior: Posterior, image_shape: tuple[int, ...], num_labels: int
    ) -> None:
        """Take what a prior may be made of; called once, before any other method.

        Args:
            posterior: images [C, H, W, C], and one-hot labels [C, num_labels] where
                there are any -> mean and log-variance of q, [C, dim].
            image_shape: (H, W, C).
            num_labels: that the encoder takes; 0 for none.
        """

    def start_at(self, images: np.ndarray, labels: np.ndarray | None = None) -> None:
        """Begin from training images, where `uses_training_images` says so.

        Args:
            images: float32 [C, H, W, C] in [0, 1], as many as `encoded_images`.
            labels: int [C]; None where the encoder takes none.
        """
        raise TypeError(f"{type(self).__name__} starts at no images")

    def distribution(self, embedding: Any) -> Distribution:
        """Return p(z|y).

        Args:
            embedding: of y, float32 [B, k]; None without a condition.
        """
        raise TypeError(f"{type(self).__name__} gives no distribution")


@builds(StandardPriorConfig)
class StandardPrior(Prior):
    """p(z) = N(0, I)."""

    def distribution(self, embedding: Any = None) -> StandardNormal:
        """Return N(0, I)."""
        return StandardNormal()


@builds(MixtureConfig)
class MixturePrior(Prior):
    """A mixture of Gaussians whose means, variances and weights are learned.

    Args:
        config: number of components.
        dim: dimensions of z.
    """

    has_clusters = True

    def __init__(self, config: MixtureConfig, dim: int) -> None:
        super().__init__(config, dim)
        shape = (config.components, dim)
        apart = keras.initializers.RandomNormal(stddev=1.0)
        self._mean = self.add_weight(name="mean", shape=shape, initializer=apart)
        self._log_var = self.add_weight(
            name="log_var", shape=shape, initializer="zeros"
        )
        self._logits = self.add_weight(
            name="logits", shape=shape[:1], initializer="zeros"
        )

    def distribution(self, embedding: Any = None) -> Mixture:
        """Return the mixture as its weights are now."""
        return Mixture(
            ops.log_softmax(ops.convert_to_tensor(self._logits)),
            ops.convert_to_tensor(self._mean),
            ops.convert_to_tensor(self._log_var),
        )


@builds(VampConfig)
class VampPrior(Prior):
    """The posteriors of learned pseudo-inputs, in equal proportions.

    p(z) = 1/C sum_c q(z|u_c),  u_c in [0, 1]

    Source: Tomczak & Welling, "VAE with a VampPrior", 2018, eq. 9.

    With labels, the pseudo-inputs have them in turn.

    Args:
        config: number of pseudo-inputs.
        dim: dimensions of z.
    """

    def __init__(self, config: VampConfig, dim: int) -> None:
        super().__init__(config, dim)
        self._components = config.components

    def connect(
        self, posterior: Posterior, image_shape: tuple[int, ...], num_labels: int
    ) -> None:
        """Make the pseudo-inputs."""
        self._posterior = posterior
        self._labels: tuple[Any, ...] = ()
        if num_labels:
            shape = (self._components, num_labels)
            labels = self.add_weight(name="labels", shape=shape, trainable=False)
            labels.assign(np.eye(num_labels)[np.arange(shape[0]) % num_labels])
            self._labels = (labels,)
        self.pseudo_inputs = self.add_weight(
            name="pseudo_inputs",
            shape=(self._components, *image_shape),
            # the source's initial values for MNIST
            initializer=keras.initializers.RandomNormal(mean=0.05, stddev=0.01),
        )

    def start_at(self, images: np.ndarray, labels: np.ndarray | None = None) -> None:
        """Begin from images instead, and their labels."""
        self.pseudo_inputs.assign(images)
        for one_hot in self._labels:
            one_hot.assign(np.eye(one_hot.shape[1])[labels])

    def distribution(self, embedding: Any = None) -> Mixture:
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
        super().__init__(config, dim)
        shape = (num_labels, dim)
        self._mean = self.add_weight(name="mean", shape=shape, initializer="zeros")
        self._log_var = self.add_weight(
            name="log_var", shape=shape, initializer="zeros"
        )

    def distribution(self, embedding: Any) -> Gaussian:
        """Return the Gaussians of one-hot labels [B, num_labels]."""
        return Gaussian(
            ops.matmul(embedding, self._mean), ops.matmul(embedding, self._log_var)
        )


class ObservedPrior(Prior):
    """p(z|y) = N(mean(y), diag(exp(log_var(y)))), both linear in the embedding of y.

    Args:
        config: its options.
        dim: dimensions of z.
        embedding_dim: of y's embedding.
    """

    conditional = True

    def __init__(self, config: PriorConfig, dim: int, embedding_dim: int) -> None:
        super().__init__(config, dim)
        # a distribution's own parameters: not in the networks' 16 bits
        self._mean = keras.layers.Dense(dim, name="mean", dtype="float32")
        self._log_var = keras.layers.Dense(dim, name="log_var", dtype="float32")
        for layer in (self._mean, self._log_var):
            layer.build((None, embedding_dim))

    def distribution(self, embedding: Any) -> Gaussian:
        """Return a Gaussian for each of B images, [B, embedding_dim]."""
        return Gaussian(self._mean(embedding), self._log_var(embedding))
