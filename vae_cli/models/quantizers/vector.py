"""Vector quantisation: the nearest of learned vectors."""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import ops

from vae_cli.config.latent import Grid, VqConfig
from vae_cli.models.code_distributions import PointMass
from vae_cli.models.quantizers.base import TableQuantizer, nearest, straight_through


class VectorQuantizer(TableQuantizer):
    """The nearest of K vectors, which are moving averages of what they stand for.

        n_k <- decay n_k + (1 - decay) count_k
        m_k <- decay m_k + (1 - decay) sum of the outputs nearest to code k
        vector_k = m_k / n_k

    `commitment` times the sum over positions of |features - vector|^2 is minimised in
    addition to the bound, the vector held constant; the source averages over the N
    positions, its 0.25 is 0.25 / N here. A code whose n_k falls below `restart_below`
    times the batch's mean count per code is restarted at an encoder output of the
    batch, each code at a different one where there are enough; the first step
    initializes all codes in this way.

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
        code = self.nearest(features)
        if not training:
            return code
        z = straight_through(code.z, self._flat(features))
        return PointMass(z, code.codes)

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
        chosen = tf.gather(features, tf.clip_by_value(own, 0, rows - 1))
        return tf.where(inside[:, None], chosen, 0.0)

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
