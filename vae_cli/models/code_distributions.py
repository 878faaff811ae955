"""Distributions of discrete codes, written on the vectors that stand for them.

A code z is, to everything outside, float32 [..., N * D]: the vectors of N positions
side by side, each one of K. Probabilities are of codes, so every -log p(x|z) p(z) / q
is a probability of images as with real z, and its bound holds.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import tensorflow as tf
from keras import ops

from vae_cli.models.distributions import CLOSED_FORM, Distribution, normal_cdf

Vectors = Callable[[Any], Any]
"""Codes int32 [..., N] -> the vectors that stand for them, float32 [..., N * D]."""
Indices = Callable[[Any], Any]
"""Vectors float32 [..., N * D] -> the codes that they stand for, int32 [..., N]."""

CODES_AT_A_TIME = 250
"""Images whose codes a learned prior draws at a time."""


@dataclass(frozen=True)
class PointMass(Distribution):
    """The one code of an image, with probability 1.

    A sample's probability is 1, and its logarithm 0: this is a distribution over
    finitely many codes, not a density.
    """

    z: Any  # float32 [..., N * D]
    codes: Any  # int32 [..., N]

    @property
    def mean(self) -> Any:
        """The code."""
        return self.z

    @property
    def log_var(self) -> Any:
        """Zeros: a code has no variance that anything could be scaled by."""
        return ops.zeros_like(self.z)

    def log_prob(self, z: Any) -> Any:
        """Return 0, the logarithm of 1, for samples of its own: [..., d] -> [...]."""
        return ops.zeros_like(z[..., 0])

    def sample(self, noise: Any, choice: Any = None) -> Any:
        """Return the code for each sample of the noise, [S, B, N * D]."""
        samples = ops.shape(noise)[0]
        return ops.broadcast_to(self.z, (samples, *ops.shape(self.z)[1:]))


@dataclass(frozen=True)
class Categorical(Distribution):
    """Independent categorical distributions of N positions.

    Args:
        logits: float32 [..., N, K].
        temperature: of relaxed samples; None: samples are codes.
        table: vectors of the codes, float32 [K, D].
        indices: see `Indices`.
    """

    logits: Any
    temperature: Any
    table: Any
    indices: Indices

    def log_prob(self, z: Any) -> Any:
        """Return the log-probability of codes in nats: float32 [..., N * D] -> [...].

        A relaxed sample counts as the code it is nearest to.
        """
        log_q = ops.log_softmax(self.logits, axis=-1)
        codes = self.indices(z)
        log_q = ops.broadcast_to(log_q, (*ops.shape(codes), log_q.shape[-1]))
        picked = tf.gather(log_q, codes, axis=-1, batch_dims=len(codes.shape))
        return ops.sum(picked, axis=-1)

    def sample(self, noise: Any, choice: Any = None) -> Any:
        """Return codes, or relaxed ones, float32 [..., N * D].

        argmax_k(logit_k + g_k) of Gumbel noise g is a sample; where there is a
        temperature T, softmax_k((logit_k + g_k) / T) weighs the vectors instead.

        Source: Jang et al., "Categorical reparameterization with Gumbel-softmax", 2017,
        eq. 1 and 2.

        Args:
            noise: standard normal float32 [..., N * K].
            choice: unused.
        """
        shape = ops.shape(self.logits)[-2:]
        noise = ops.reshape(noise, (*ops.shape(noise)[:-1], *shape))
        scores = ops.log_softmax(self.logits, axis=-1) + gumbel(noise)
        if self.temperature is None:
            z = tf.gather(self.table, ops.argmax(scores, axis=-1))
        else:
            z = ops.matmul(ops.softmax(scores / self.temperature, axis=-1), self.table)
        return ops.reshape(z, (*ops.shape(z)[:-2], shape[0] * self.table.shape[-1]))


@dataclass(frozen=True)
class UniformCodes(Distribution):
    """Every code with probability 1 / K^N.

    Args:
        positions: N.
        num_codes: K.
        vectors: see `Vectors`.
    """

    positions: int
    num_codes: int
    vectors: Vectors

    def log_prob(self, z: Any) -> Any:
        """Return -N log K nats: float32 [..., N * D] -> [...]."""
        return ops.zeros_like(z[..., 0]) - self.positions * math.log(self.num_codes)

    def sample(self, noise: Any, choice: Any = None) -> Any:
        """Return codes: noise [n, N] or wider -> float32 [n, N * D]."""
        uniform = normal_cdf(noise[:, : self.positions])
        codes = ops.cast(ops.floor(uniform * self.num_codes), "int32")
        return self.vectors(ops.minimum(codes, self.num_codes - 1))

    def tempered(self, temperature: float) -> "UniformCodes":
        """Return the distribution of log-probabilities divided by a temperature."""
        return self


@dataclass(frozen=True)
class LearnedCodes(Distribution):
    """prod_n p(code_n | codes before it, label), by a causal network.

    Args:
        grid: rows and columns of positions, N together.
        network: codes int32 [n, h, w], and one-hot labels where there are any ->
            logits [n, h, w, K], each of the codes before its position.
        label: one-hot float32 [B, num_labels]; None without.
        vectors: see `Vectors`.
        indices: see `Indices`.
        temperature: logits are divided by it.
    """

    grid: tuple[int, int]
    network: Any
    label: Any
    vectors: Vectors
    indices: Indices
    temperature: float = 1.0

    def log_prob(self, z: Any) -> Any:
        """Return the log-probability in nats: float32 [..., N * D] -> [...].

        With labels, [S, B, N * D]: the label of an image is that of all its samples.
        """
        shape = ops.shape(z)[:-1]
        codes = ops.reshape(self.indices(z), (-1, *self.grid))
        label = self.label
        if label is not None:
            label = ops.broadcast_to(label, (*shape, label.shape[-1]))
            label = ops.reshape(label, (-1, label.shape[-1]))
        return ops.reshape(self.log_prob_of(codes, label), shape)

    def log_prob_of(self, codes: Any, label: Any) -> Any:
        """Return log p in nats, [n], of codes int32 [n, h, w]."""
        log_p = ops.log_softmax(self._logits(codes, label), axis=-1)
        picked = tf.gather(log_p, codes, axis=-1, batch_dims=3)
        return ops.sum(picked, axis=(1, 2))

    def sample(self, noise: Any, choice: Any = None) -> Any:
        """Return codes, one position after another: noise [n, N] or wider.

        Position n takes the code at which the cumulative probability passes the normal
        CDF of its noise.
        """
        rows, columns = self.grid
        uniform = normal_cdf(noise[:, : rows * columns])
        loop = tf.function(self._ancestral, reduce_retracing=True)
        drawn = []
        for start in range(0, noise.shape[0], CODES_AT_A_TIME):
            some = slice(start, start + CODES_AT_A_TIME)
            label = None if self.label is None else self.label[some]
            codes = tf.zeros((len(uniform[some]), rows, columns), tf.int32)
            drawn.append(loop(uniform[some], codes, label))
        return self.vectors(ops.concatenate(drawn))

    def tempered(self, temperature: float) -> "LearnedCodes":
        """Return the distribution of log-probabilities divided by a temperature."""
        return LearnedCodes(
            self.grid, self.network, self.label, self.vectors, self.indices, temperature
        )

    def _logits(self, codes: Any, label: Any) -> Any:
        inputs = codes if label is None else [codes, label]
        logits = ops.cast(self.network(inputs, training=False), "float32")
        return logits / self.temperature

    def _ancestral(self, uniform: Any, codes: Any, label: Any) -> Any:
        """Fill in codes [n, h, w], by uniform numbers [n, N]; returns [n, N]."""
        rows, columns = self.grid
        positions = rows * columns

        def step(position: Any, flat: Any) -> tuple[Any, Any]:
            logits = self._logits(tf.reshape(flat, (-1, rows, columns)), label)
            own = tf.reshape(logits, (-1, positions, logits.shape[-1]))[:, position]
            reached = tf.cumsum(tf.nn.softmax(own), axis=-1)
            u = tf.gather(uniform, position, axis=1)
            # the last is reached whatever the sum was rounded to
            passed = tf.cast(u[:, None] >= reached[:, :-1], tf.int32)
            picked = tf.reduce_sum(passed, axis=-1)
            here = tf.range(positions)[None] == position
            return position + 1, tf.where(here, picked[:, None], flat)

        flat = tf.reshape(codes, (-1, positions))
        _, flat = tf.while_loop(
            lambda position, _: position < positions,
            step,
            (tf.constant(0), flat),
            shape_invariants=(
                tf.TensorShape(()),
                tf.TensorShape((None, positions)),
            ),
        )
        return flat


def _kl_to_uniform(q: Categorical, p: UniformCodes) -> Any:
    """KL_n = sum_k q_k log(q_k K), [..., N]; exact, also for relaxed samples."""
    log_q = ops.log_softmax(q.logits, axis=-1)
    kl = ops.sum(ops.exp(log_q) * log_q, axis=-1)
    return kl + math.log(p.num_codes)


CLOSED_FORM[Categorical, UniformCodes] = _kl_to_uniform


def gumbel(noise: Any) -> Any:
    """Turn standard normal noise into Gumbel noise, -log(-log Phi(noise)).

    Either tail is computed from its own complementary error function, so that no
    noise gives an infinity.
    """
    noise = tf.convert_to_tensor(noise, tf.float32)
    tail = 0.5 * tf.math.erfc(tf.abs(noise) / 2**0.5)
    # log Phi: of positive noise from 1 - tail, of negative from the tail itself
    tail = tf.maximum(tail, 1e-37)
    log_cdf = tf.where(noise > 0, tf.math.log1p(-tail), tf.math.log(tail))
    return -tf.math.log(tf.maximum(-log_cdf, 1e-37))
