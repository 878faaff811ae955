"""Augmentation: training images flipped and shifted, anew at every step.

The augmented image replaces the original everywhere: as the input of the encoder and
of corruption, and in the likelihood.
"""

from collections.abc import Callable, Sequence
from typing import Any

import tensorflow as tf

from vae_cli.data.batches import Shard, global_batch_size, slice_for_shard
from vae_cli.randomness import Stream, key

SHIFT = 8
"""Images are shifted by at most their side divided by this."""


def augmentation_per_step(
    changes: Sequence[str], seed: int, replicas: int
) -> Callable[[tf.Tensor, Shard, Any], tf.Tensor] | None:
    """Return a function that changes a shard of a batch anew at every step.

    Args:
        changes: of `dataset.augment`: `flip`, left to right with probability 1/2;
            `shift`, by whole pixels, up to an eighth of height and of width, the edge
            repeated. None is returned where there are none.
        seed: of the run.
        replicas: that share a batch.
    """
    if not changes:
        return None

    def augment(pixels: tf.Tensor, shard: Shard, step: Any) -> tf.Tensor:
        draws = tf.random.stateless_uniform(
            (global_batch_size(shard, replicas), 3),
            key(seed, Stream.TRAINING_AUGMENTATION, step),
        )
        return augmented(pixels, slice_for_shard(draws, shard), changes)

    return augment


def augmented(pixels: tf.Tensor, draws: tf.Tensor, changes: Sequence[str]) -> tf.Tensor:
    """Change images.

    Args:
        pixels: [B, H, W, C] of any type.
        draws: uniform in [0, 1), float32 [B, 3]: for flip, and for the shift along
            height and width.
        changes: `flip`, `shift` or both.
    """
    height, width = pixels.shape[1:3]
    # which pixel each pixel comes from; the edge's where that is outside
    rows, columns = tf.range(height)[None], tf.range(width)[None]
    if "shift" in changes:
        rows = _shifted(rows, height, draws[:, 1:2])
        columns = _shifted(columns, width, draws[:, 2:3])
        pixels = tf.gather(pixels, rows, axis=1, batch_dims=1)
    if "flip" in changes:
        columns = tf.where(draws[:, :1] < 0.5, width - 1 - columns, columns)
    return tf.gather(pixels, columns, axis=2, batch_dims=1)


def _shifted(places: tf.Tensor, size: int, draws: tf.Tensor) -> tf.Tensor:
    """Return where images come from that move by up to size // SHIFT pixels."""
    most = size // SHIFT
    by = tf.cast(tf.floor(draws * (2 * most + 1)), tf.int32)
    # a draw just below 1 may round up
    by = tf.minimum(by, 2 * most) - most
    return tf.clip_by_value(places - by, 0, size - 1)
