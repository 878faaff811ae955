"""The gap between log p(x) and the ELBO, split by refining q for each image.

    log p(x) - ELBO(q) = [log p(x) - ELBO(q*)]  approximation gap
                       + [ELBO(q*) - ELBO(q)]   amortization gap

q* is the best factorised Gaussian of the whole code for each image alone, found by
Adam from q(z|x): the gap that remains is due to the family, the rest to the encoder.
Levels below the top are relative to their own priors. A posterior that is no factorised
Gaussian (lower levels given the upper ones, flows) can do better than q*; the
amortization gap is then smaller, and may be negative.

Source: Cremer et al., "Inference suboptimality in variational autoencoders", 2018,
section 3.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from vae_cli.config.evaluate import GapConfig
from vae_cli.errors import ModelError
from vae_cli.evaluation.batches import (
    ConditionArrays,
    as_float,
    checked_condition,
    exact_prior,
    over_batches,
)
from vae_cli.evaluation.bounds import sample_noise
from vae_cli.evaluation.importance import (
    CODES_AT_A_TIME,
    GRADIENT_COPIES,
    bytes_per_code,
)
from vae_cli.evaluation.latent import encode
from vae_cli.memory import refuse_beyond
from vae_cli.models.distributions import Gaussian, log_ratio
from vae_cli.models.vae import VAE
from vae_cli.randomness import Stream, key
from vae_cli.runtime import evaluating

LEARNING_RATE = 0.03
"""Of Adam at first; it falls to 0 by a cosine."""
FINAL_SAMPLES = 500
"""Per image, of either ELBO, from the same noise."""


@dataclass(frozen=True)
class RefinedBounds:
    """Bounds of each image, float64 [N], nats.

    Attributes:
        elbo: of q(z|x).
        refined: of q*.
    """

    elbo: np.ndarray
    refined: np.ndarray


def refine(
    vae: VAE,
    images: np.ndarray,
    config: GapConfig,
    seed: int,
    condition: ConditionArrays | None = None,
    memory_mb: int = 512,
    progress: Callable[[float], None] = lambda fraction: None,
) -> RefinedBounds:
    """Refine q for each image, and return both bounds.

    Args:
        vae: the model; its codes must be continuous.
        images: uint8 or float32 [N, H, W, C].
        config: steps and samples.
        seed: of the noise, which is the same for all images.
        condition: of the images, as `Split.condition` has it.
        memory_mb: for the codes that are refined at a time, MiB.
        progress: called with the fraction that is done.
    """
    count, prior = len(images), exact_prior(vae)
    arrays = checked_condition(vae, condition)
    mean, log_var = encode(vae, images, 100, condition)
    one = config.samples * GRADIENT_COPIES * bytes_per_code(vae)
    at_a_time = min(CODES_AT_A_TIME // config.samples, memory_mb * 2**20 // one)
    batch = min(count, max(1, at_a_time))
    refuse_beyond({f"{config.samples:,} samples of an image": one}, "gap.samples")
    schedule = keras.optimizers.schedules.CosineDecay(LEARNING_RATE, config.steps)
    optimizer = keras.optimizers.Adam(schedule)
    parameters = [
        keras.Variable(tf.zeros((batch, vae.latent_dim)), name=name)
        for name in ("mean", "log_var")
    ]
    optimizer.build(parameters)

    def step(number: Any, x: Any, arrays: Any) -> None:
        noise = tf.random.stateless_normal(
            (config.samples, 1, vae.latent_dim), key(seed, Stream.REFINEMENT, number)
        )
        condition = vae.condition(**arrays)
        with tf.GradientTape() as tape:
            q = Gaussian(*(tf.convert_to_tensor(p) for p in parameters))
            # a gradient of each image alone: the sum, not the mean
            loss = -tf.reduce_sum(
                tf.reduce_mean(_log_weights(vae, x, q, noise, condition, prior), axis=0)
            )
        gradients = tape.gradient(loss, [p.value for p in parameters])
        optimizer.apply(gradients, parameters)

    compiled = tf.function(step, jit_compile=vae.is_dense)
    refined_mean, refined_log_var = np.empty_like(mean), np.empty_like(log_var)
    starts = range(0, count, batch)
    for done, start in enumerate(starts):
        rows = np.arange(start, start + batch) % count
        for variable in optimizer.variables:  # moments, and the number of steps
            variable.assign(tf.zeros_like(variable.value))
        for parameter, first in zip(parameters, (mean, log_var), strict=True):
            parameter.assign(first[rows])
        with evaluating():
            x, own = tf.nest.map_structure(
                lambda a, rows=rows: as_float(a[rows]), (images, arrays)
            )
            for number in range(config.steps):
                compiled(tf.constant(number, tf.int64), x, own)
                if number % 20 == 0:
                    progress((done + number / config.steps) / len(starts))
        refined_mean[rows], refined_log_var[rows] = map(np.asarray, parameters)
    if not np.isfinite([refined_mean, refined_log_var]).all():
        raise ModelError(
            "Refining q(z|x) gave values that are NaN or infinite.",
            "the weights are damaged or too large; try checkpoint=last",
        )
    before, after = _bounds(
        vae, images, arrays, (refined_mean, refined_log_var), seed, prior, memory_mb
    )
    progress(1.0)
    return RefinedBounds(before, after)


def _log_weights(
    vae: VAE, x: Any, q: Gaussian, noise: Any, condition: Any, prior: Any
) -> Any:
    """Return log p(x, z) - log q(z) of samples of a whole code, [S, B]."""
    z = q.sample(noise)
    logits = vae.decode_samples(z, condition)
    joint = vae.log_prior(z, condition, prior)
    joint += vae.log_likelihood_of_logits(x, logits, condition)
    return joint - q.log_prob(z)


def _bounds(
    vae: VAE,
    images: np.ndarray,
    condition: ConditionArrays,
    refined: tuple[np.ndarray, np.ndarray],
    seed: int,
    prior: Any,
    memory_mb: int,
) -> tuple[np.ndarray, np.ndarray]:
    """Return the ELBO of q(z|x) and of q*, float64 [N] each, from the same noise."""
    count, chunk = len(images), 20
    sums = np.zeros((2, count))

    def scores(x: Any, mean: Any, log_var: Any, noise: Any, arrays: Any) -> Any:
        condition = vae.condition(**arrays)
        noise = tf.transpose(noise, (1, 0, 2))
        levels = vae.infer(x, noise, condition)
        own = vae.log_likelihood(x, levels, condition) + log_ratio(levels)
        best = _log_weights(vae, x, Gaussian(mean, log_var), noise, condition, prior)
        return tf.reduce_sum(own, axis=0), tf.reduce_sum(best, axis=0)

    batch = max(1, min(100, memory_mb * 2**20 // (chunk * bytes_per_code(vae))))
    for first in range(0, FINAL_SAMPLES, chunk):
        noise = np.stack(
            [
                sample_noise(count, vae.latent_dim, seed, first + s)
                for s in range(chunk)
            ],
            axis=1,
        )
        sums += over_batches(scores, (images, *refined, noise, condition), batch)
    return sums[0] / FINAL_SAMPLES, sums[1] / FINAL_SAMPLES
