"""Batches inside the compiled step: gather, scale and binarize from uint8 in memory."""

from typing import Any

import numpy as np
import tensorflow as tf

from vae_cli.data.splits import aligned
from vae_cli.randomness import Stream, key


class ImageStore:
    """A split's pixels, held once as uint8, read by index.

    Args:
        images: uint8 [N, H, W, C].
        dynamic_seed: binarize anew at every read with this seed; None leaves pixels
            as they are.
    """

    def __init__(self, images: np.ndarray, dynamic_seed: int | None = None) -> None:
        self._pixels = _tensor(images)
        self._dynamic_seed = dynamic_seed

    def read(self, index: tf.Tensor, step: Any) -> tf.Tensor:
        """Return images as the model sees them.

        Args:
            index: integer [B].
            step: scalar integer; keys the dynamic binarization.

        Returns:
            float32 [B, H, W, C] in [0, 1].
        """
        images = tf.cast(tf.gather(self._pixels, index), tf.float32) / 255.0
        if self._dynamic_seed is None:
            return images
        draw = tf.random.stateless_uniform(
            tf.shape(images),
            key(self._dynamic_seed, Stream.TRAINING_BINARIZATION, step),
        )
        return tf.cast(draw < images, tf.float32)


def _tensor(images: np.ndarray) -> tf.Tensor:
    """Return pixels as a tensor: shared with NumPy on a CPU, copied to a GPU."""
    if tf.config.list_logical_devices("GPU"):
        return tf.constant(images)
    return tf.experimental.dlpack.from_dlpack(aligned(images).__dlpack__())


def training_order(
    count: int, batch_size: int, seed: int, step: tf.Variable, batches: int
) -> tf.data.Dataset:
    """Index batches of what remains of the epoch that `step` lies in.

    The order is a pure function of (seed, epoch), read off the step counter each time
    the dataset is iterated, so that an interrupted epoch goes on where it stopped.

    Args:
        count: number of training images.
        batch_size: images a step; the epoch's last batch may be smaller.
        seed: the run's seed.
        step: the optimizer's step counter.
        batches: how many batches the epoch still has.

    Returns:
        dataset of int64 [B].
    """
    steps_per_epoch = -(-count // batch_size)

    def epoch_from(_: tf.Tensor) -> tf.data.Dataset:
        now = tf.cast(step.read_value(), tf.int64)
        epoch, done = now // steps_per_epoch, now % steps_per_epoch
        order = tf.random.experimental.stateless_shuffle(
            tf.range(count, dtype=tf.int64), key(seed, Stream.ORDER, epoch)
        )
        return tf.data.Dataset.from_tensor_slices(order).batch(batch_size).skip(done)

    dataset = tf.data.Dataset.range(1).flat_map(epoch_from)
    return dataset.apply(tf.data.experimental.assert_cardinality(batches))


def evaluation_order(count: int, batch_size: int) -> tf.data.Dataset:
    """Index batches over a whole split, in order; int64 [B]."""
    return tf.data.Dataset.range(count).batch(batch_size)
