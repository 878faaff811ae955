"""Run a model over a whole split, a batch at a time."""

from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

from vae_cli.data.batches import pixels_to_float
from vae_cli.errors import DataError, ModelError
from vae_cli.models.distributions import Distribution
from vae_cli.models.generative import Condition
from vae_cli.models.vae import VAE
from vae_cli.randomness import Stream, key
from vae_cli.runtime import evaluating

ConditionArrays = dict[str, Any]
"""The condition of a split's images (`Split.condition`): `label` int [N]; `corrupted`,
what the encoder gets, and `mask`, the pixels that the likelihood is of, uint8
[N, H, W, C] each, as arrays or `Images`."""


MAX_VALUE = 1e18
"""Squares of larger values overflow float32."""


def over_batches(
    function: Callable[..., Any], arrays: tuple[Any, ...], batch_size: int
) -> list[np.ndarray]:
    """Apply a function batch by batch, compiled if several, and join what it returns.

    Args:
        function: takes what `arrays` holds as float32 tensors, returns a tuple of
            tensors whose first axis is the batch.
        arrays: [N, ...] each, arrays or `Images`, or a dict of such; uint8 images are
            scaled to [0, 1].
        batch_size: images at a time; the last batch may be smaller.

    Returns:
        one array [N, ...] for each output.

    Raises:
        ModelError: a value is NaN, infinite or beyond `MAX_VALUE`.
    """
    signature = tf.nest.map_structure(
        lambda a: tf.TensorSpec((None, *a.shape[1:]), tf.float32), arrays
    )
    compiled = function
    if len(arrays[0]) > batch_size:  # to compile takes longer than a single batch
        compiled = tf.function(function, input_signature=signature)
    outputs = []
    with evaluating():
        for start in range(0, len(arrays[0]), batch_size):
            rows = slice(start, start + batch_size)
            batch = tf.nest.map_structure(
                lambda a, rows=rows: as_float(a[rows]), arrays
            )
            outputs.append([np.asarray(values) for values in compiled(*batch)])
    joined = [np.concatenate(column) for column in zip(*outputs, strict=True)]
    _check_finite(joined)
    return joined


class OneByOne:
    """Applies a function to batches that come one by one, compiled from the second on.

    Args:
        function: as `over_batches` takes it.
    """

    def __init__(self, function: Callable[..., Any]) -> None:
        self._function = function  # to compile takes longer than a single batch
        self._compiled = tf.function(function, reduce_retracing=True)

    def __call__(self, *arrays: Any) -> list[np.ndarray]:
        """Return the outputs of a batch; arguments and errors as of `over_batches`."""
        with evaluating():
            batch = tf.nest.map_structure(lambda a: as_float(a[:]), arrays)
            outputs = [np.asarray(values) for values in self._function(*batch)]
        self._function = self._compiled
        _check_finite(outputs)
        return outputs


def _check_finite(outputs: list[np.ndarray]) -> None:
    # NaN is not below either
    if not all((np.abs(values) < MAX_VALUE).all() for values in outputs):
        raise ModelError(
            f"The model gives values that are NaN, infinite or beyond {MAX_VALUE:g}: "
            "its weights are damaged or too large.",
            "try the other checkpoint: checkpoint=best or checkpoint=last",
        )


def checked_condition(vae: VAE, condition: ConditionArrays | None) -> ConditionArrays:
    """Return the arrays that `VAE.condition` takes, checked to be all there.

    Raises:
        DataError: the model needs labels, and there are none.
    """
    condition = condition or {}
    if vae.num_labels and "label" not in condition:
        raise DataError(
            "The model needs the label of each image, and these have none.",
            "use images with labels, name their class by label=, or use a run with "
            "conditioning=none",
        )
    if vae.observed_network and "corrupted" not in condition:
        raise DataError(
            "The model inpaints: it needs the observed pixels of each image.",
            "vae-reconstruct shows what it makes of a split, or of images=<folder>",
        )
    return {k: v for k, v in condition.items() if k != "label" or vae.num_labels}


def condition_tensors(vae: VAE, condition: ConditionArrays | None) -> Condition:
    """Return the model's condition of a few images, all at once."""
    arrays = {
        name: as_float(array[:])
        for name, array in checked_condition(vae, condition).items()
    }
    return vae.condition(**arrays)


def exact_prior(vae: VAE) -> Distribution | None:
    """Return p(z) with nothing approximated; None where it depends on a condition."""
    return None if vae.prior_network.conditional else vae.prior().exact()


def image_noise(
    index: Any,
    samples: int,
    latent_dim: int,
    seed: int,
    stream: Stream = Stream.IMAGE_NOISE,
) -> Any:
    """Return noise that is an image's own, whatever it is batched with.

    Args:
        index: of the images, float32 [B].
        samples: of each image.
        latent_dim: of a sample.
        seed: fixes it.
        stream: what it is for.

    Returns:
        standard normal float32 [samples, B, latent_dim].
    """
    own = tf.map_fn(
        lambda image: tf.random.stateless_normal(
            (samples, latent_dim), key(seed, stream, image)
        ),
        index,
    )
    return tf.transpose(own, (1, 0, 2))


def as_float(array: Any) -> tf.Tensor:
    """Return float32; uint8, which is pixels, scaled to [0, 1]."""
    if array.dtype == np.uint8:
        return pixels_to_float(array)
    return tf.cast(array, tf.float32)
