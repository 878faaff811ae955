"""What all quantizers have in common, and those whose vectors lie in a table."""

import math
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import ops

from vae_cli.config.latent import Grid
from vae_cli.models.code_distributions import PointMass
from vae_cli.models.distributions import Distribution


class Quantizer(keras.layers.Layer):
    """Base; float32, whatever the networks compute in.

    Args:
        config: its options.
        grid: rows and columns of positions.
    """

    adds: tuple[str, ...] = ()
    """Names of what `terms` minimises besides the bound."""
    noise_per_position = 0
    """Normal numbers that a sample takes for each position."""

    def __init__(self, config: Any, grid: Grid) -> None:
        super().__init__(name="quantizer", dtype="float32")
        self.grid = grid
        self.positions = math.prod(grid)
        self.num_codes: int = config.num_codes
        self.size: int = config.size
        self.built = True

    def posterior(self, features: Any, training: bool) -> Distribution:
        """Return q(z|x): features [..., B, N, C] -> codes of [..., B, N * D]."""
        raise TypeError(f"{type(self).__name__} has no posterior")

    def nearest(self, features: Any) -> PointMass:
        """Return the most probable code of features [..., N, C]."""
        raise TypeError(f"{type(self).__name__} has no codes")

    def vectors(self, codes: Any) -> Any:
        """Return z of codes: int32 [..., N] -> float32 [..., N * D]."""
        raise TypeError(f"{type(self).__name__} has no vectors")

    def indices(self, z: Any) -> Any:
        """Return the codes of z: float32 [..., N * D] -> int32 [..., N]."""
        raise TypeError(f"{type(self).__name__} has no codes")

    def exported(self, features: Any) -> tuple[Any, Any]:
        """Return codes and their vectors by built-in Keras layers.

        Args:
            features: a Keras tensor, [B, N, C].

        Returns:
            int32 [B, N] and float32 [B, N, D].
        """
        raise TypeError(f"{type(self).__name__} has no codes")

    def terms(self, features: Any, codes: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        """Return extra terms of the loss, and what `update` takes; [B, ...] each.

        Args:
            features: [B, N, C].
            codes: int32 [B, N].
        """
        return {}, {"codes": codes}

    def update(
        self,
        batch: dict[str, Any],
        weight: Any,
        start: Any,
        total: Any,
        add_up: Callable[[Any], Any],
        seed: Any,
    ) -> None:
        """Learn from a whole batch; called after each training step.

        Args:
            batch: what `terms` gave of this replica's images.
            weight: of these images, float32 [b], or None.
            start: which of the batch's images is the first of them.
            total: images in the batch.
            add_up: over replicas.
            seed: of stateless noise, int64 [2].
        """

    def _spread(self, z: Any) -> Any:
        """Return z [..., N * D] as [..., N, D]."""
        return ops.reshape(z, (*ops.shape(z)[:-1], self.positions, self.size))

    def _flat(self, vectors: Any) -> Any:
        """Return vectors [..., N, D] as [..., N * D]."""
        shape = (*ops.shape(vectors)[:-2], self.positions * self.size)
        return ops.reshape(vectors, shape)


class TableQuantizer(Quantizer):
    """Base of those whose vectors lie in a table, [K, D]."""

    table: Any

    def vectors(self, codes: Any) -> Any:
        """Return z of codes: int32 [..., N] -> float32 [..., N * D]."""
        found = ops.take(ops.convert_to_tensor(self.table), codes, axis=0)
        return ops.reshape(found, (*ops.shape(codes)[:-1], self.positions * self.size))

    def exported(self, features: Any) -> tuple[Any, Any]:
        """Return the most probable code of logits, and its vector."""
        return self._looked_up(features)

    def _looked_up(self, scores: Any) -> tuple[Any, Any]:
        """Return the codes of largest score and their vectors, by Keras layers."""
        codes = ops.cast(ops.argmax(scores, axis=-1), "int32")
        table = keras.layers.Embedding(
            self.num_codes, self.size, name="codebook", dtype="float32"
        )
        table.build()
        table.set_weights([np.array(self.table)])
        return codes, table(codes)

    def indices(self, z: Any) -> Any:
        """Return the codes whose vectors are nearest, int32 [..., N].

        In float64: a vector of the table must be found to be itself.
        """
        table = ops.cast(ops.convert_to_tensor(self.table), "float64")
        return nearest(ops.cast(self._spread(z), "float64"), table)


def nearest(vectors: Any, table: Any) -> Any:
    """Return which rows of a table [K, D] are nearest to vectors, int32 [...].

    argmin_k |v - t_k|^2 = argmin_k |t_k|^2 - 2 v . t_k
    """
    flat = ops.reshape(vectors, (-1, table.shape[-1]))
    squares = ops.sum(table**2, axis=-1)
    distances = squares - 2 * ops.matmul(flat, ops.transpose(table))
    codes = ops.cast(ops.argmin(distances, axis=-1), "int32")
    return ops.reshape(codes, ops.shape(vectors)[:-1])


@tf.custom_gradient
def straight_through(value: Any, of: Any) -> tuple[Any, Any]:
    """Return a value whose gradient goes to another as it is.

    Source: Bengio et al., "Estimating or propagating gradients through stochastic
    neurons for conditional computation", 2013.

    Args:
        value: what is returned, to the bit.
        of: what gets the gradient, of the same shape.
    """
    return tf.identity(value), lambda gradient: (None, gradient)
