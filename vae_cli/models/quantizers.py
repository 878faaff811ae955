"""Quantizers: from what an encoder gives for each position to one of K codes.

Each is a Keras layer, which holds the codes' vectors, and says:

- `posterior(features, training)`: q(z|x) of features [..., B, N, C].
- `vectors(codes)`, `indices(z)`: codes int32 [..., N] <-> z float32 [..., N * D].
- `terms(features, posterior)`: what is minimised besides the bound, and what the
  codes are learned from, [B, ...] each.
- `update(...)`: what is learned from whole batches, not by gradients.
"""

import math
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import ops

from vae_cli.config.latent import CategoricalConfig, FsqConfig, Grid, VqConfig
from vae_cli.models.code_distributions import Categorical, PointMass
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


class VectorQuantizer(TableQuantizer):
    """The nearest of K vectors, which are moving averages of what they stand for.

        n_k <- decay n_k + (1 - decay) count_k
        m_k <- decay m_k + (1 - decay) sum of the outputs nearest to code k
        vector_k = m_k / n_k

    What is minimised besides the bound is commitment |features - vector|^2, the vector
    constant. A code whose n_k falls below a fraction of the mean n is restarted at an
    encoder output of the batch, each at another one; in the first step all codes are.

    Source: van den Oord et al., "Neural discrete representation learning", 2017,
    section 3 and appendix A; restarts: Dhariwal et al., "Jukebox", 2020, section 3.
    """

    adds = ("commitment",)

    def __init__(self, config: VqConfig, grid: Grid) -> None:
        super().__init__(config, grid)
        self._commitment = config.commitment
        self._decay = config.decay
        self._restart_below = config.restart_below
        shape = (config.codes, config.code_dim)
        self.table = self._state("table", shape)
        self._counts = self._state("counts", shape[:1])
        self._sums = self._state("sums", shape)

    def _state(self, name: str, shape: tuple[int, ...]) -> Any:
        return self.add_weight(
            name=name,
            shape=shape,
            initializer="random_normal" if name == "table" else "zeros",
            trainable=False,
            aggregation="only_first_replica",  # all replicas compute the same
        )

    def posterior(self, features: Any, training: bool) -> PointMass:
        """Return the nearest code; in training, its gradient goes to the features."""
        found = self.nearest(features)
        if not training:
            return found
        z = straight_through(found.z, self._flat(features))
        return PointMass(z, found.codes)

    def nearest(self, features: Any) -> PointMass:
        """Return the nearest code of features [..., N, C]."""
        codes = nearest(features, ops.convert_to_tensor(self.table))
        return PointMass(self.vectors(codes), codes)

    def exported(self, features: Any) -> tuple[Any, Any]:
        """Return the nearest code, argmax_k 2 v . t_k - |t_k|^2, and its vector."""
        table = np.array(self.table)
        scores = keras.layers.Dense(self.num_codes, name="nearness", dtype="float32")
        scores.build(features.shape)
        scores.set_weights([2 * table.T, -(table**2).sum(axis=1)])
        return self._looked_up(scores(features))

    def terms(self, features: Any, codes: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        """Return the commitment loss, and what the codes are learned from."""
        vectors = tf.stop_gradient(self._spread(self.vectors(codes)))
        apart = ops.sum((features - vectors) ** 2, axis=(1, 2))
        learned = {"codes": codes, "features": tf.stop_gradient(features)}
        return {"commitment": self._commitment * apart}, learned

    def update(
        self,
        batch: dict[str, Any],
        weight: Any,
        start: Any,
        total: Any,
        add_up: Callable[[Any], Any],
        seed: Any,
    ) -> None:
        """Move the codes towards the outputs that they stand for; restart unused ones.

        A batch with an output that isn't finite changes nothing, as the optimizer then
        takes no step.
        """
        codes = tf.reshape(batch["codes"], (-1,))
        features = tf.reshape(batch["features"], (-1, self.size))
        if weight is None:
            weight = tf.ones_like(batch["codes"][:, 0], tf.float32)
        weights = tf.repeat(weight, self.positions)
        counts = tf.math.unsorted_segment_sum(weights, codes, self.num_codes)
        sums = tf.math.unsorted_segment_sum(
            weights[:, None] * features, codes, self.num_codes
        )
        drawn = self._drawn(features, start, total, seed)
        counts, sums, drawn = add_up([counts, sums, drawn])
        new = self._moved(counts, sums, drawn)
        finite = tf.reduce_all(tf.math.is_finite(sums))
        for variable, value in zip(
            (self._counts, self._sums, self.table), new, strict=True
        ):
            variable.assign(tf.where(finite, value, ops.convert_to_tensor(variable)))

    def _drawn(self, features: Any, start: Any, total: Any, seed: Any) -> Any:
        """Return an output of the whole batch for each code, [K, D].

        Another one each, as long as there are enough. Every replica gives those that
        are its own, and zeros for the others.
        """
        count = tf.cast(total, tf.int32) * self.positions
        order = tf.random.experimental.stateless_shuffle(tf.range(count), seed)
        picks = tf.gather(order, tf.range(self.num_codes) % count)
        own = picks - tf.cast(start, tf.int32) * self.positions
        rows = tf.shape(features)[0]
        inside = (own >= 0) & (own < rows)
        found = tf.gather(features, tf.clip_by_value(own, 0, rows - 1))
        return tf.where(inside[:, None], found, 0.0)

    def _moved(self, counts: Any, sums: Any, drawn: Any) -> tuple[Any, Any, Any]:
        """Return the moving averages and the table after a batch."""
        kept = self._decay
        old = ops.convert_to_tensor(self._counts)
        first = tf.reduce_sum(old) == 0
        mean = tf.reduce_mean(counts)
        n = kept * old + (1 - kept) * counts
        m = kept * ops.convert_to_tensor(self._sums) + (1 - kept) * sums
        dead = first | (n < self._restart_below * mean)
        # a restarted code gets time to be used before it is dead again
        begin = tf.where(first, mean, 2 * self._restart_below * mean)
        n = tf.where(dead, begin, n)
        m = tf.where(dead[:, None], begin * drawn, m)
        table = m / tf.maximum(n, 1e-6)[:, None]
        # a code that nothing uses any more stays where it was
        table = tf.where(n[:, None] > 1e-6, table, ops.convert_to_tensor(self.table))
        return n, m, table


class FiniteScalarQuantizer(Quantizer):
    """Each dimension rounded to one of a few values.

        f(v) = (L - 1)(1 - eps) / 2 tanh(v + s) - o,   z = round(f(v)) / floor(L / 2)

    o = 1/2 and tanh(s) = 2 o / ((L - 1)(1 - eps)) where L is even, else o = s = 0: then
    f has L rounded values, and f(0) = 0.

    Source: Mentzer et al., "Finite scalar quantization: VQ-VAE made simple", 2023,
    section 3 and appendix A.1.
    """

    EPSILON = 1e-3

    def __init__(self, config: FsqConfig, grid: Grid) -> None:
        super().__init__(config, grid)
        levels = np.array(config.levels)
        self._levels = levels
        self._half = (levels // 2).astype(np.float32)
        self._basis = np.concatenate([[1], np.cumprod(levels[:-1])]).astype(np.int32)
        self._reach = ((levels - 1) * (1 - self.EPSILON) / 2).astype(np.float32)
        self._offset = np.where(levels % 2, 0.0, 0.5).astype(np.float32)
        self._shift = np.arctanh(self._offset / self._reach)

    def posterior(self, features: Any, training: bool) -> PointMass:
        """Return the rounded features; in training, rounding passes gradients."""
        found = self.nearest(features)
        if not training:
            return found
        bounded = self._flat(self._bounded(features) / self._half)
        return PointMass(straight_through(found.z, bounded), found.codes)

    def nearest(self, features: Any) -> PointMass:
        """Return the rounded features [..., N, C]."""
        rounded = tf.stop_gradient(tf.round(self._bounded(features)))
        z = self._flat(rounded / self._half)
        return PointMass(z, self._numbered(rounded))

    def vectors(self, codes: Any) -> Any:
        """Return z of codes: int32 [..., N] -> float32 [..., N * D]."""
        digits = codes[..., None] // self._basis % self._levels.astype(np.int32)
        return self._flat((ops.cast(digits, "float32") - self._half) / self._half)

    def indices(self, z: Any) -> Any:
        """Return the codes of z: float32 [..., N * D] -> int32 [..., N]."""
        return self._numbered(tf.round(self._spread(z) * self._half))

    def exported(self, features: Any) -> tuple[Any, Any]:
        """Return the number of the rounded features, and these."""

        def scaled(x: Any, scale: Any, offset: Any) -> Any:
            layer = keras.layers.Rescaling(
                np.asarray(scale).tolist(), np.asarray(offset).tolist(), dtype="float32"
            )
            return layer(x)

        one, none = np.ones_like(self._half), np.zeros_like(self._half)
        bounded = scaled(
            ops.tanh(scaled(features, one, self._shift)), self._reach, -self._offset
        )
        rounded = ops.round(bounded)
        digits = scaled(rounded, one, self._half)
        numbers = ops.sum(scaled(digits, self._basis.astype(float), none), axis=-1)
        return ops.cast(numbers, "int32"), scaled(rounded, 1 / self._half, none)

    def _bounded(self, features: Any) -> Any:
        return ops.tanh(features + self._shift) * self._reach - self._offset

    def _numbered(self, rounded: Any) -> Any:
        """Return sum_d digit_d basis_d; digits are 0 .. L - 1."""
        digits = ops.cast(rounded + self._half, "int32")
        return ops.sum(digits * self._basis, axis=-1)


class CategoricalQuantizer(TableQuantizer):
    """Samples of categorical distributions, relaxed in training.

    The temperature of a step t is T_0 (T_1 / T_0)^min(t / steps, 1).

    Source: Jang et al., "Categorical reparameterization with Gumbel-softmax", 2017.
    """

    def __init__(self, config: CategoricalConfig, grid: Grid) -> None:
        super().__init__(config, grid)
        self._config = config
        self.noise_per_position = config.codes
        self.table = self.add_weight(
            name="table",
            shape=(config.codes, config.code_dim),
            initializer=keras.initializers.RandomNormal(stddev=1.0),
        )
        self._steps = self.add_weight(
            name="steps",
            shape=(),
            initializer="zeros",
            trainable=False,
            aggregation="only_first_replica",
        )

    @property
    def temperature(self) -> Any:
        """Of relaxed samples, at the step of now."""
        config = self._config
        done = tf.minimum(
            ops.convert_to_tensor(self._steps) / config.temperature_steps, 1.0
        )
        ratio = math.log(config.final_temperature / config.temperature)
        return config.temperature * tf.exp(ratio * done)

    def posterior(self, features: Any, training: bool) -> Categorical:
        """Return q(z|x); its samples are codes, in training relaxed ones."""
        temperature = self.temperature if training else None
        table = ops.convert_to_tensor(self.table)
        return Categorical(features, temperature, table, self.indices)

    def nearest(self, features: Any) -> PointMass:
        """Return the most probable code of logits [..., N, K]."""
        codes = ops.cast(ops.argmax(features, axis=-1), "int32")
        return PointMass(self.vectors(codes), codes)

    def update(
        self,
        batch: dict[str, Any],
        weight: Any,
        start: Any,
        total: Any,
        add_up: Callable[[Any], Any],
        seed: Any,
    ) -> None:
        """Count the step."""
        self._steps.assign(self._steps + 1)
