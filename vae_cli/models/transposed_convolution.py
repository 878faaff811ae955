"""The decoder's last layer, computed faster on a CPU; its weights and values stay.

Only what runs here changes: the layer in the model, its weights' shape and the
exported network are Keras's own.
"""

from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf
from keras import ops

MAX_TAPS = 32
"""Kernel positions times output channels up to which the matrix product was faster."""


def fast_decoder(decoder: keras.Model) -> Callable[..., Any]:
    """Return a function that gives what the decoder gives, sooner where it can.

    A transposed convolution from many channels to one or three at full size is
    computed by oneDNN at a twentieth of the machine's speed, forward; its gradients
    are not.

    Args:
        decoder: z [B, latent_dim] -> logits [B, H, W, C].
    """
    last = decoder.layers[-1]
    devices = {device.device_type for device in tf.config.list_logical_devices()}
    if not _gains(last) or devices & {"GPU", "TPU"}:
        return decoder
    before = keras.Model(decoder.input, last.input)

    def decode(z: Any, training: bool = False) -> Any:
        x = before(z, training=training)
        kernel = ops.cast(last.kernel, x.dtype)
        return _transposed_convolution(x, kernel) + ops.cast(last.bias, x.dtype)

    return decode


def _gains(layer: keras.layers.Layer) -> bool:
    return (
        isinstance(layer, keras.layers.Conv2DTranspose)
        and layer.strides == (1, 1)
        and layer.padding == "same"
        and layer.kernel_size[0] % 2 == layer.kernel_size[1] % 2 == 1
        and layer.filters * layer.kernel_size[0] * layer.kernel_size[1] <= MAX_TAPS
    )


@tf.custom_gradient
def _transposed_convolution(x: Any, kernel: Any) -> tuple[Any, Any]:
    """Return conv2d_transpose(x, kernel, strides=1, padding="SAME").

    y[i, j] = sum_{k, l} kernel[k, l] . x[i + h - k, j + w - l], the products first:
    one matrix product gives every tap's image, and the images are added up, shifted.

    Args:
        x: [B, H, W, D].
        kernel: [2 h + 1, 2 w + 1, C, D].

    Returns:
        [B, H, W, C].
    """
    rows, columns, channels, depth = kernel.shape
    high, wide = x.shape[1:3]
    taps = tf.matmul(
        tf.reshape(kernel, (-1, depth)), tf.reshape(x, (-1, depth)), transpose_b=True
    )
    taps = tf.reshape(taps, (rows, columns, channels, -1, high, wide))
    h, w = rows // 2, columns // 2
    taps = tf.pad(taps, [[0, 0]] * 4 + [[h, h], [w, w]])
    images = [
        taps[k, m, ..., 2 * h - k : 2 * h - k + high, 2 * w - m : 2 * w - m + wide]
        for k in range(rows)
        for m in range(columns)
    ]
    # bfloat16 would lose what nine additions round off
    total = tf.add_n([tf.cast(image, tf.float32) for image in images])
    total = tf.cast(tf.transpose(total, (1, 2, 3, 0)), x.dtype)

    def gradients(dy: Any) -> tuple[Any, Any]:
        by_kernel = tf.raw_ops.Conv2DBackpropFilter(
            input=dy,
            filter_sizes=kernel.shape,
            out_backprop=x,
            strides=[1, 1, 1, 1],
            padding="SAME",
        )
        return tf.nn.conv2d(dy, kernel, 1, "SAME"), by_kernel

    return total, gradients
