"""log p(x) by importance sampling from the posterior, in bounded memory.

    log p(x) ~ log 1/S sum_s w_s,  w_s = p(x|z_s) p(z_s) / q(z_s|x),  z_s ~ q(z|x)

A lower bound in expectation, tight as S grows. The noise of sample s is drawn for all
images at once and keyed by (seed, s), so that neither the number of images nor that of
samples scored at a time changes an estimate.

Source: Burda et al., "Importance weighted autoencoders", 2016, section 5.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from vae_cli.evaluation.batches import (
    ConditionArrays,
    as_float,
    checked_condition,
    exact_prior,
    over_batches,
)
from vae_cli.evaluation.bounds import sample_noise
from vae_cli.memory import refuse_beyond
from vae_cli.models.distributions import log_ratio
from vae_cli.models.vae import VAE
from vae_cli.runtime import evaluating

CODES_AT_A_TIME = 2048
"""Codes that keep the matrix products busy while activations stay in the cache."""
GRADIENT_COPIES = 4
"""Memory of a gradient, as a multiple of what a decoding takes."""
SAMPLES_PER_ENCODING = 32
"""Of an image, where what the encoder gives of all images takes too much memory."""


@dataclass(frozen=True)
class ImportanceResult:
    """Estimates for each image.

    Attributes:
        log_prob: estimates of log p(x), float64 [N], nats.
        effective_samples: (sum w)^2 / sum w^2, float64 [N], between 1 and S.
    """

    log_prob: np.ndarray
    effective_samples: np.ndarray


class RunningWeights:
    """Sums of exp(log weight) and of its square, relative to the largest so far.

    Args:
        count: number of images.
    """

    def __init__(self, count: int) -> None:
        self.samples = 0
        self._largest = np.full(count, -np.inf)
        self._sum = np.zeros(count)
        self._sum_of_squares = np.zeros(count)

    def add(self, log_weights: np.ndarray) -> None:
        """Add samples, float [S, N]."""
        log_weights = log_weights.astype(np.float64)
        largest = np.maximum(self._largest, log_weights.max(axis=0))
        shrunk, weights = (
            np.exp(self._largest - largest),
            np.exp(log_weights - largest),
        )
        self._sum = self._sum * shrunk + weights.sum(axis=0)
        self._sum_of_squares = self._sum_of_squares * shrunk**2 + (weights**2).sum(0)
        self._largest = largest
        self.samples += len(log_weights)

    def result(self) -> ImportanceResult:
        """Return the estimates."""
        return ImportanceResult(
            log_prob=self._largest + np.log(self._sum) - math.log(self.samples),
            effective_samples=self._sum**2 / self._sum_of_squares,
        )


def importance_sampling(
    vae: VAE,
    images: np.ndarray,
    samples: int,
    seed: int,
    batch_size: int | None = None,
    chunk_size: int | None = None,
    memory_mb: int = 512,
    condition: ConditionArrays | None = None,
    progress: Callable[[float], None] = lambda fraction: None,
) -> ImportanceResult:
    """Estimate log p(x) of each image.

    Args:
        vae: the model.
        images: uint8 [N, H, W, C].
        samples: S, posterior samples per image.
        seed: of the posterior samples.
        batch_size: images at a time; chosen if None.
        chunk_size: samples at a time; chosen if None. Neither changes an estimate
            beyond rounding.
        memory_mb: what the chosen sizes may take, in MiB, for codes and for noise
            each; the noise of a chosen chunk may not take more either.
        condition: of the images, as `Split.condition` has it; with labels, the
            estimate is of log p(x|y), and with a mask, of the pixels in the mask.
        progress: called with the fraction that is done.
    """
    count = len(images)
    most = max(1, min(CODES_AT_A_TIME, memory_mb * 2**20 // bytes_per_code(vae)))
    batch = min(batch_size or -(-count // -(-count // most)), count)
    chunk = min(chunk_size or max(1, most // batch), samples)
    keeps = 4 * count * _encoded_values(vae) <= memory_mb * 2**20
    if not keeps:  # each chunk encodes its images anew: of many samples
        chunk = min(chunk_size or SAMPLES_PER_ENCODING, samples, most)
    # noise and weights of a chunk, all images
    chunk = min(chunk, max(1, memory_mb * 2**20 // (4 * count * (vae.noise_dim + 1))))
    if not keeps:
        batch = max(1, min(batch_size or most // chunk, count))
    refuse_beyond(
        {
            f"{chunk:,} samples of {batch:,} images": (
                batch * chunk * bytes_per_code(vae)
            ),
            "their noise": 4 * chunk * count * (vae.noise_dim + 1),
        },
        "batch_size or chunk_size",
    )
    arrays = checked_condition(vae, condition)
    encoded = _encoded(vae, images, arrays, min(batch, 500)) if keeps else {}
    prior = exact_prior(vae)

    def score(x: Any, noise: Any, encoded: Any, arrays: Any) -> Any:
        condition = vae.condition(**arrays)
        encoded = encoded or vae.encode(x, condition)
        levels = vae.levels(encoded, noise, condition, prior=prior)
        return vae.log_likelihood(x, levels, condition) + log_ratio(levels)

    compiled = tf.function(score, jit_compile=vae.is_dense)
    # whole batches alone, so that one shape is compiled: the last one wraps around
    starts = range(0, count, batch)
    chosen = [np.arange(start, start + batch) % count for start in starts]
    weights = RunningWeights(count)
    noise = np.empty((chunk, count, vae.noise_dim), np.float32)
    while weights.samples < samples:
        size = min(chunk, samples - weights.samples)
        for s in range(size):
            noise[s] = sample_noise(count, vae.noise_dim, seed, weights.samples + s)
        log_weights = np.empty((size, count), np.float32)
        with evaluating():
            for rows in chosen:
                x, *given = tf.nest.map_structure(
                    lambda a, rows=rows: as_float(a[rows]), (images, encoded, arrays)
                )
                log_weights[:, rows] = compiled(x, noise[:size, rows], *given)
        weights.add(log_weights)
        progress(weights.samples / samples)
    return weights.result()


def _encoded_values(vae: VAE) -> int:
    """Return how many numbers the encoder gives of an image."""
    outputs = keras.tree.flatten(vae.encoder.output)
    return sum(math.prod(output.shape[1:]) for output in outputs)


def _encoded(
    vae: VAE, images: np.ndarray, condition: ConditionArrays, batch_size: int
) -> dict[str, np.ndarray]:
    """Return what `VAE.encode` gives of a split: each image is encoded once."""
    names: list[str] = []

    def encode(x: Any, condition: Any) -> tuple[Any, ...]:
        encoded = vae.encode(x, vae.condition(**condition))
        names[:] = encoded
        return tuple(encoded.values())

    arrays = over_batches(encode, (images, condition), batch_size)
    return dict(zip(names, arrays, strict=True))


def images_at_a_time(vae: VAE, samples: int, most: int, memory_mb: int = 1024) -> int:
    """Return how many images with all their samples fit into memory, at most `most`.

    Raises:
        ConfigError: the samples of a single image don't.
    """
    one = samples * bytes_per_code(vae)
    count = max(1, min(most, memory_mb * 2**20 // one))
    refuse_beyond(
        {f"{samples:,} samples of an image": count * one},
        "importance_samples or posterior_samples",
    )
    return count


def bytes_per_code(vae: VAE) -> int:
    """Return an upper bound on the memory that decoding one code takes."""
    layers = vae.decoder._flatten_layers(include_self=False)
    sizes = [
        math.prod(output.shape[1:])
        for layer in layers
        if hasattr(layer, "output")
        for output in keras.tree.flatten(layer.output)
    ]
    return 4 * (sum(sizes) + 4 * math.prod(vae.decoder.output_shape[1:]))
