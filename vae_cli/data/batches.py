"""Batches of image indices, and how the training step reads their pixels.

A shard is the part of a batch that one replica works on, a dict of

- `index`: int64 [b], which images;
- `start`, `total`: where the shard begins in the batch, and how many images the whole
  batch has; with one replica, 0 and b;
- `weight`: float32 [b], where shards may be padded: 1 for images, 0 for padding;
- `size`: of a core's own shard: how many images the whole batch has;
- `pixels`: uint8 [b, H, W, C], where they are read on the way (`with_pixels`) rather
  than gathered in the compiled step.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

from vae_cli.data.images import aligned
from vae_cli.randomness import Stream, key

Shard = dict[str, tf.Tensor]
PerStep = Callable[[tf.Tensor, Shard, Any], tf.Tensor]
"""(images of a shard, the shard, step) -> images."""

without_autograph = tf.autograph.experimental.do_not_convert
"""For functions that AutoGraph needn't rewrite, which takes longer than tracing."""

BLOCK = 256
"""Images that stay neighbours when blocks are shuffled."""


class ImageStore:
    """A split's pixels, as the compiled step reads them.

    Args:
        images: uint8 [N, H, W, C], to hold once and gather from; None where pixels
            come with the shard.
        dynamic_seed: binarize anew at every read with this seed; None leaves pixels
            as they are.
        replicas: how many share a batch.
        labels: int64 [N], for a model that is conditioned on them.
        corrupt: (images, their shard, step) -> corrupted images and mask, as
            `VAE.condition` takes them.
        augment: (pixels, their shard, step) -> pixels; see `vae_cli.data.augment`.
        dequantize: (images, their shard, step) -> images with noise; see
            `vae_cli.data.dequantize`.
    """

    def __init__(
        self,
        images: np.ndarray | None,
        dynamic_seed: int | None = None,
        replicas: int = 1,
        labels: np.ndarray | None = None,
        corrupt: Callable[[tf.Tensor, Shard, Any], dict[str, tf.Tensor]] | None = None,
        augment: PerStep | None = None,
        dequantize: PerStep | None = None,
    ) -> None:
        self._replicas = replicas
        self._pixels = None if images is None else _tensor(images)
        self._dynamic_seed = dynamic_seed
        self._labels = labels
        self._corrupt = corrupt
        self._augment = augment
        self._dequantize = dequantize

    def condition(self, images: tf.Tensor, shard: Shard, step: Any) -> dict[str, Any]:
        """Return the condition of images from `read`, as `VAE.condition` takes it."""
        condition = {} if self._corrupt is None else self._corrupt(images, shard, step)
        if self._labels is not None:
            condition["label"] = tf.gather(self._labels, shard["index"])
        return condition

    def read(self, shard: Shard, step: Any) -> tf.Tensor:
        """Return images as the model receives them.

        Args:
            shard: of a batch.
            step: scalar integer; keys whatever is drawn anew.

        Returns:
            float32 [b, H, W, C] in [0, 1].
        """
        pixels = shard.get("pixels")
        if pixels is None:
            pixels = tf.gather(self._pixels, shard["index"])
        if self._augment is not None:
            pixels = self._augment(pixels, shard, step)
        images = pixels_to_float(pixels)
        if self._dequantize is not None:
            images = self._dequantize(images, shard, step)
        if self._dynamic_seed is None:
            return images
        draw = slice_for_shard(
            tf.random.stateless_uniform(
                (global_batch_size(shard, self._replicas), *images.shape[1:]),
                key(self._dynamic_seed, Stream.TRAINING_BINARIZATION, step),
            ),
            shard,
        )
        return tf.cast(draw < images, tf.float32)


def pixels_to_float(pixels: tf.Tensor) -> tf.Tensor:
    """Return pixels as models get them, as `to_float` does for arrays."""
    if pixels.dtype != tf.uint8:
        return pixels
    return tf.cast(pixels, tf.float32) / 255.0


def _tensor(images: np.ndarray) -> tf.Tensor:
    """Return pixels as a tensor: shared with NumPy on a CPU, copied to a GPU."""
    if tf.config.list_logical_devices("GPU"):
        return tf.constant(images)
    return tf.experimental.dlpack.from_dlpack(aligned(images).__dlpack__())


def global_batch_size(shard: Shard, replicas: int) -> Any:
    """Return how many images the whole batch has, static where shards are."""
    own = shard["index"].shape[0]
    if "weight" not in shard or own is None:
        return shard["total"]
    return shard.get("size", own * replicas)


def slice_for_shard(values: tf.Tensor, shard: Shard, axis: int = 0) -> tf.Tensor:
    """Return a shard's slice of values that were drawn for the whole batch.

    Every replica draws the noise of the whole batch and keeps its own slice, so that
    the number of replicas changes no image's noise.
    """
    begin, length = [0] * values.shape.rank, [-1] * values.shape.rank
    begin[axis] = tf.cast(shard["start"], tf.int32)
    length[axis] = tf.shape(shard["index"])[0]
    own = tf.slice(values, begin, length)
    shape = values.shape.as_list()
    shape[axis] = shard["index"].shape[0]
    own.set_shape(shape)
    return own


def core_shards(shard: Shard, count: int) -> list[Shard]:
    """Split a shard into one per core, of equal size or one image apart."""
    if count == 1:
        return [shard]
    return [_core_shard(shard, number, count) for number in range(count)]


def _core_shard(shard: Shard, number: int, count: int) -> Shard:
    index, begin, weight = padded_shard(shard["index"], number, count)
    own = {**shard, "index": index, "weight": weight, "size": shard["total"]}
    own["start"] = shard["start"] + begin
    if "pixels" in shard:
        own["pixels"] = shard["pixels"][begin : begin + tf.size(index, tf.int64)]
    return own


def padded_shard(
    index: tf.Tensor, number: Any, count: int
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Return one of `count` shards of an index batch, int64 [b], b at least 1.

    TensorFlow's convolutions take no empty batches: where there are fewer images than
    shards, one image at no weight pads the shard.

    Returns:
        the shard's images, where it begins, and its weights, float32 [b].
    """
    size = tf.size(index, tf.int64)
    begin, end = size * number // count, size * (number + 1) // count
    stop = tf.maximum(end, begin + 1)
    weight = tf.cast(tf.range(begin, stop) < end, tf.float32)
    return index[begin:stop], begin, weight


def training_order(
    count: int,
    batch_size: int,
    seed: int,
    step: tf.Variable,
    batches: int,
    window: int | None = None,
) -> tf.data.Dataset:
    """Return index batches for the rest of the current epoch.

    The order is a pure function of (seed, epoch), read off the step counter each time
    the dataset is iterated, so that an interrupted epoch goes on where it stopped.

    Args:
        count: number of training images.
        batch_size: images per step; the epoch's last batch may be smaller.
        seed: the run's seed.
        step: the optimizer's step counter.
        batches: how many batches the epoch still has.
        window: shuffle within so many images at a time, themselves drawn block by
            block, so that what is read soon lies together; None shuffles freely, and
            so does a window that holds all images.

    Returns:
        dataset of int64 [B].
    """
    steps_per_epoch = -(-count // batch_size)

    @without_autograph
    def epoch_from(_: tf.Tensor) -> tf.data.Dataset:
        now = tf.cast(step.read_value(), tf.int64)
        epoch, done = now // steps_per_epoch, now % steps_per_epoch
        if window is None or window >= count:
            order = _shuffled(tf.range(count, dtype=tf.int64), seed, epoch)
        else:
            order = _shuffled_nearby(count, window, seed, epoch)
        steps = tf.data.Dataset.range(done, steps_per_epoch)
        return steps.map(
            without_autograph(lambda i: order[i * batch_size : (i + 1) * batch_size])
        )

    dataset = tf.data.Dataset.range(1).flat_map(epoch_from)
    return dataset.apply(tf.data.experimental.assert_cardinality(batches))


def evaluation_order(count: int, batch_size: int) -> tf.data.Dataset:
    """Index batches over a whole split, in order; int64 [B]."""
    return tf.data.Dataset.range(count).batch(batch_size)


def _shuffled(values: tf.Tensor, seed: int, epoch: tf.Tensor) -> tf.Tensor:
    return tf.random.experimental.stateless_shuffle(
        values, key(seed, Stream.ORDER, epoch)
    )


def _shuffled_nearby(count: int, window: int, seed: int, epoch: tf.Tensor) -> tf.Tensor:
    """Return 0 .. count - 1, shuffled in blocks and then within windows of blocks."""
    blocks = _shuffled(tf.range(-(-count // BLOCK), dtype=tf.int64), seed, epoch)
    order = tf.reshape(blocks[:, None] * BLOCK + tf.range(BLOCK, dtype=tf.int64), [-1])
    order = tf.boolean_mask(order, order < count)
    place = tf.random.stateless_uniform(
        (count,), key(seed, Stream.WINDOW, epoch), dtype=tf.float64
    )
    windows = tf.range(count, dtype=tf.int64) // window
    return tf.gather(order, tf.argsort(tf.cast(windows, tf.float64) + place))
