"""Running statistics of an epoch that Keras has no metric for."""

from typing import Any

import keras
from keras import ops

from vae_cli.evaluation.latent import ACTIVE_VARIANCE


class ActiveUnits(keras.metrics.Metric):
    """Number of latent dimensions whose posterior mean varies over images.

    Variances are merged batch by batch (Chan et al. 1983), which stays exact where
    summing squares would cancel.
    """

    def __init__(self, latent_dim: int, name: str = "active_units") -> None:
        super().__init__(name=name)
        shape = (latent_dim,)
        self.count = self.add_weight(name="count", initializer="zeros")
        self.mean = self.add_weight(name="mean", shape=shape, initializer="zeros")
        self.squares = self.add_weight(name="squares", shape=shape, initializer="zeros")

    def update_state(self, posterior_mean: Any, sample_weight: Any = None) -> None:
        """Add a batch of posterior means, float32 [B, latent_dim]."""
        count = ops.cast(ops.shape(posterior_mean)[0], "float32")
        mean = ops.mean(posterior_mean, axis=0)
        total = self.count + count
        apart = mean - self.mean
        squares = ops.sum((posterior_mean - mean) ** 2, axis=0)
        self.squares.assign_add(squares + apart**2 * self.count * count / total)
        self.mean.assign_add(apart * count / total)
        self.count.assign(total)

    def result(self) -> Any:
        """Return the number of active units, scalar float32."""
        variance = self.squares / ops.maximum(self.count, 1.0)
        return ops.sum(ops.cast(variance > ACTIVE_VARIANCE, "float32"))


class PerDimMean(keras.metrics.Metric):
    """Mean over images of each latent dimension's value."""

    def __init__(self, latent_dim: int, name: str = "per_dim_mean") -> None:
        super().__init__(name=name)
        self.count = self.add_weight(name="count", initializer="zeros")
        self.total = self.add_weight(
            name="total", shape=(latent_dim,), initializer="zeros"
        )

    def update_state(self, values: Any, sample_weight: Any = None) -> None:
        """Add a batch, float32 [B, latent_dim]."""
        self.count.assign_add(ops.cast(ops.shape(values)[0], "float32"))
        self.total.assign_add(ops.sum(values, axis=0))

    def result(self) -> Any:
        """Return the means, float32 [latent_dim]."""
        return self.total / ops.maximum(self.count, 1.0)
