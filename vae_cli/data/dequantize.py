"""Dequantization: noise of a level's width, so that densities fit pixels of levels.

    v = (k + u) / L,  u uniform in [0, 1),  k = 0 .. L - 1

A density p(v) that is fitted to v bounds the probability of a level from below:
log P(k) = log integral of p over [k, k + 1) / L >= E_u[log p(v)] - log L.

Source: Theis et al., "A note on the evaluation of generative models", 2016, section
3.1.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from vae_cli.data.images import to_float
from vae_cli.data.splits import Split
from vae_cli.errors import DataError
from vae_cli.pixels import Pixels
from vae_cli.randomness import Stream, generator, key

if TYPE_CHECKING:
    from vae_cli.data.batches import Shard


def checked_levels(pixels: Pixels) -> int:
    """Return how many levels pixels have.

    Raises:
        DataError: they have none.
    """
    if pixels.levels is None:
        raise DataError(
            "dataset.dequantize=uniform adds noise of a level's width, and these "
            f"pixels have no levels: {pixels}.",
            "use dataset.dequantize=none",
        )
    return pixels.levels


def dequantized(split: Split, seed: int, index: int) -> Split:
    """Return a split with noise that is drawn once.

    Args:
        split: of pixels with levels.
        seed: of the data set.
        index: of the split, so that each has its own noise.

    Raises:
        DataError: pixels have no levels.
    """
    levels = checked_levels(split.pixels)
    draws = generator(seed, Stream.DEQUANTIZATION, index)

    def noisy(images: np.ndarray, _: np.ndarray) -> dict[str, np.ndarray]:
        level = np.rint(to_float(images) * np.float32(levels - 1))
        noise = draws.random(images.shape, np.float32)
        return {"images": (level + noise) / np.float32(levels)}

    why = "dataset.dequantize=uniform (training needs no file)"
    pixels = replace(split.pixels, dequantized=True)
    return replace(split, **split.images.mapped(noisy, why), pixels=pixels)


def dequantization_per_step(
    pixels: Pixels, seed: int, replicas: int
) -> Callable[[Any, "Shard", Any], Any]:
    """Return a function that adds noise to a shard of a batch anew at every step.

    Args:
        pixels: of the data.
        seed: of the run.
        replicas: that share a batch.
    """
    import tensorflow as tf

    from vae_cli.data.batches import global_batch_size, slice_for_shard

    levels = checked_levels(pixels)

    def dequantize(images: tf.Tensor, shard: "Shard", step: Any) -> tf.Tensor:
        noise = tf.random.stateless_uniform(
            (global_batch_size(shard, replicas), *images.shape[1:]),
            key(seed, Stream.TRAINING_DEQUANTIZATION, step),
        )
        level = tf.round(images * (levels - 1))
        return (level + slice_for_shard(noise, shard)) / levels

    return dequantize
