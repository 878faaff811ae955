"""Pipelines: index batches, cut into shards, with pixels where they are streamed."""

from dataclasses import dataclass
from typing import Any

import tensorflow as tf

from vae_cli.data.batches import Shard, padded_shard, without_autograph

AHEAD = 8
"""Shares read before they are needed."""


@dataclass(frozen=True)
class Replicas:
    """The replicas that one pipeline feeds.

    Attributes:
        first: number of the first of them.
        count: how many they are.
        total: replicas of the whole run.
    """

    first: int = 0
    count: int = 1
    total: int = 1


def shards(
    order: tf.data.Dataset,
    replicas: Replicas = Replicas(),
    images: Any = None,
    padded_size: int | None = None,
) -> tf.data.Dataset:
    """Cut index batches into shards.

    Args:
        order: dataset of int64 [B].
        replicas: whose shards, one after the other.
        images: uint8 [N, H, W, C] to read pixels from (memory or a memory map); None
            leaves that to the compiled step.
        padded_size: static size of each batch; image 0, at no weight, pads smaller
            ones.

    Returns:
        dataset of `Shard`.
    """

    def of(index: tf.Tensor, replica: tf.Tensor) -> Shard:
        total = tf.shape(index, tf.int64)[0]
        if padded_size is not None:
            index = tf.pad(index, [[0, padded_size - total]])
        own, start, weight = padded_shard(index, replica, replicas.total)
        shard = {"index": own, "start": start, "total": total}
        if padded_size is not None:
            place = start + tf.range(tf.size(own, tf.int64))
            weight = tf.cast(place < total, tf.float32)
            for values in (own, weight):
                values.set_shape((padded_size // replicas.total,))
        if padded_size is not None or replicas.total > 1:
            shard["weight"] = weight
        return shard

    def every(index: tf.Tensor) -> tf.data.Dataset:
        own = tf.data.Dataset.range(replicas.first, replicas.first + replicas.count)
        return own.map(without_autograph(lambda replica: of(index, replica)))

    if replicas.count == 1:
        replica = tf.constant(replicas.first, tf.int64)
        dataset = order.map(without_autograph(lambda index: of(index, replica)))
    else:
        dataset = order.flat_map(without_autograph(every))
    if images is None:
        return without_autotuning(dataset.prefetch(AHEAD))

    def with_pixels(shard: Shard) -> Shard:
        pixels = tf.numpy_function(lambda i: images[i], [shard["index"]], images.dtype)
        pixels.set_shape((*shard["index"].shape, *images.shape[1:]))
        return {**shard, "pixels": pixels}

    read = dataset.map(without_autograph(with_pixels), num_parallel_calls=2).prefetch(
        AHEAD
    )
    return without_autotuning(read)


def without_autotuning(dataset: tf.data.Dataset) -> tf.data.Dataset:
    """Return a dataset whose iterators TensorFlow doesn't tune while they run.

    The tuner's thread sleeps, for a second before long, and destroying an
    iterator waits until it wakes up: at the end of every few epochs training would
    stand still. There is nothing here to tune: how much is read ahead is fixed.
    """
    options = tf.data.Options()
    options.autotune.enabled = False
    return dataset.with_options(options)
