"""Run a model over a whole split, a batch at a time."""

from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

from vae_cli.errors import DataError
from vae_cli.models.vae import VAE


def over_batches(
    function: Callable[..., Any], arrays: tuple[Any, ...], batch_size: int
) -> list[np.ndarray]:
    """Apply a compiled function batch by batch and join what it returns.

    Args:
        function: takes as many float32 tensors as there are arrays, returns a tuple of
            tensors whose first axis is the batch.
        arrays: [N, ...] each; uint8 images are scaled to [0, 1].
        batch_size: images at a time; the last batch may be smaller.

    Returns:
        one array [N, ...] for each output.
    """
    signature = [tf.TensorSpec((None, *a.shape[1:]), tf.float32) for a in arrays]
    compiled = tf.function(function, input_signature=signature)
    parts = []
    for start in range(0, len(arrays[0]), batch_size):
        batch = [_float(a[start : start + batch_size]) for a in arrays]
        parts.append([part.numpy() for part in compiled(*batch)])
    return [np.concatenate(column) for column in zip(*parts, strict=True)]


def told(vae: VAE, labels: np.ndarray | None) -> tuple[np.ndarray, ...]:
    """Return what `vae.given` needs of each image, as arrays for `over_batches`.

    Raises:
        DataError: the model needs labels, and there are none.
    """
    if not vae.num_labels:
        return ()
    if labels is None:
        raise DataError("The model needs the label of each image, and these have none.")
    return (labels,)


def _float(array: Any) -> tf.Tensor:
    if array.dtype == np.uint8:
        return tf.cast(array, tf.float32) / 255.0
    return tf.cast(array, tf.float32)
