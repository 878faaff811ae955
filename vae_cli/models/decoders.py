"""Decoders: z -> parameters of the likelihood p(x|z).

Each returns a functional Keras model from float32 [B, latent_dim] to float32
[B, H, W, C]: what the likelihood's `log_prob` and `mean` take (logits, for all of
them here).
"""

import math
from typing import Any

import keras
import numpy as np

from vae_cli.config.parts import ConvConfig, DenseConfig, ResidualConvConfig
from vae_cli.models.encoders import conv_layers
from vae_cli.models.layers import (
    activated,
    dense_stack,
    hidden,
    regularizer,
    residual_block,
)


def conv_decoder(
    config: ConvConfig, image_shape: tuple[int, int, int], latent_dim: int
) -> keras.Model:
    """Dense layers, then transposed convolutions, the encoder's mirror image.

    Sizes that a stride doesn't divide are met by cropping: the encoder rounds up, the
    decoder goes through the same sizes backwards.
    """
    layers = conv_layers(config)
    sizes = _sizes(image_shape, [stride for _, _, stride in layers])
    channels = image_shape[-1]
    z = keras.Input((latent_dim,), name="z")
    x = dense_stack(z, config.dense_units[::-1], config)
    start = (*sizes[-1], config.filters[-1])
    to_grid = keras.layers.Dense(
        math.prod(start), kernel_regularizer=regularizer(config), name="dense_to_grid"
    )
    x = hidden(x, to_grid, config)
    x = keras.layers.Reshape(start, name="grid")(x)
    for index, (filters, kernel, stride) in reversed(list(enumerate(layers))):
        layer = keras.layers.Conv2DTranspose(
            filters,
            kernel,
            strides=stride,
            padding="same",
            kernel_regularizer=regularizer(config),
            name=f"conv_transpose_{index}",
        )
        x = hidden(x, layer, config)
        x = _crop(x, sizes[index], f"crop_{index}")
    outputs = keras.layers.Conv2DTranspose(
        channels,
        layers[0][1],
        padding="same",
        name="outputs",
    )(x)
    return keras.Model(z, outputs, name="decoder")


def dense_decoder(
    config: DenseConfig, image_shape: tuple[int, int, int], latent_dim: int
) -> keras.Model:
    """Fully connected layers, the encoder's mirror image."""
    z = keras.Input((latent_dim,), name="z")
    x = dense_stack(z, config.hidden_units[::-1], config)
    x = keras.layers.Dense(math.prod(image_shape), name="outputs")(x)
    outputs = keras.layers.Reshape(image_shape, name="image")(x)
    return keras.Model(z, outputs, name="decoder")


def residual_conv_decoder(
    config: ResidualConvConfig, image_shape: tuple[int, int, int], latent_dim: int
) -> keras.Model:
    """Dense layers, then at each size residual blocks; sizes double.

    The last doubling goes straight to the image: nothing is computed at full size but
    the outputs.
    """
    sizes = _sizes(image_shape, [2] * len(config.filters))
    z = keras.Input((latent_dim,), name="z")
    x = dense_stack(z, [config.dense_units], config)
    start = (*sizes[-1], config.filters[-1])
    x = keras.layers.Dense(
        math.prod(start), kernel_regularizer=regularizer(config), name="dense_to_grid"
    )(x)
    x = keras.layers.Reshape(start, name="grid")(x)
    # what each size hands up to the next larger one
    upward = [image_shape[-1], *config.filters[:-1]]
    for level in reversed(range(len(config.filters))):
        for block in range(config.blocks):
            x = residual_block(x, config, f"level_{level}_block_{block}")
        x = activated(x, f"up_{level}", config)
        x = keras.layers.Conv2D(
            4 * upward[level],
            config.kernel_size,
            padding="same",
            kernel_regularizer=regularizer(config) if level else None,
            name="outputs" if level == 0 else f"up_{level}",
        )(x)
        x = _crop(_depth_to_space(x, level), sizes[level], f"crop_{level}")
    return keras.Model(z, x, name="decoder")


def _sizes(
    image_shape: tuple[int, int, int], strides: list[int]
) -> list[tuple[int, int]]:
    """Return height and width before and after each stride, rounded up."""
    sizes = [image_shape[:2]]
    for stride in strides:
        height, width = sizes[-1]
        sizes.append((math.ceil(height / stride), math.ceil(width / stride)))
    return sizes


def _depth_to_space(x: Any, level: int) -> Any:
    """Turn 4 C channels into C at twice the size, by layers that plain Keras has."""
    height, width, channels = x.shape[1:]
    x = keras.layers.Reshape((height, width, 2, 2, channels // 4))(x)
    x = keras.layers.Permute((1, 3, 2, 4, 5), name=f"interleave_{level}")(x)
    return keras.layers.Reshape((2 * height, 2 * width, channels // 4))(x)


def _crop(x: Any, size: tuple[int, int], name: str) -> Any:
    """Cut rows below and columns to the right that rounding up has added."""
    below, right = x.shape[1] - size[0], x.shape[2] - size[1]
    if not below and not right:
        return x
    return keras.layers.Cropping2D(((0, below), (0, right)), name=name)(x)


def start_at_mean(decoder: keras.Model, pixel_mean: np.ndarray) -> None:
    """Set the output biases to the logit of the training mean.

    The first epoch then needn't learn that most pixels are dark. A dense decoder has
    a bias a pixel, a convolutional one a bias a channel, one before depth becomes
    space a bias for each of the 4 pixels of a channel. Clipped to [0.001, 0.999] as in
    Burda et al.'s code, since a pixel that is always 0 has no finite logit.

    Args:
        decoder: as built above.
        pixel_mean: float32 [H, W, C] in [0, 1].
    """
    outputs = decoder.get_layer("outputs")
    bias, dense = outputs.bias, isinstance(outputs, keras.layers.Dense)
    mean = pixel_mean if dense else pixel_mean.mean((0, 1))
    mean = np.clip(mean.reshape(-1), 0.001, 0.999)
    bias.assign(np.resize(np.log(mean / (1 - mean)), bias.shape))
