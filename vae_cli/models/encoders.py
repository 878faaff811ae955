"""Encoders: image -> mean and log-variance of the posterior q(z|x).

Each returns a functional Keras model from float32 [B, H, W, C] in [0, 1] to a dict of
`mean` and `log_var`, float32 [B, latent_dim] each.
"""

from dataclasses import replace
from typing import Any

import keras

from vae_cli.config.parts import (
    ArchitectureConfig,
    ConvConfig,
    DenseConfig,
    ResidualConvConfig,
    SeenConfig,
)
from vae_cli.models.layers import (
    activated,
    dense_stack,
    hidden,
    regularizer,
    residual_block,
)


def conv_encoder(
    config: ConvConfig, image_shape: tuple[int, int, int], latent_dim: int
) -> keras.Model:
    """Strided convolutions, then dense layers."""
    image = x = keras.Input(image_shape, name="image")
    for index, (filters, kernel, stride) in enumerate(conv_layers(config)):
        layer = keras.layers.Conv2D(
            filters,
            kernel,
            strides=stride,
            padding="same",
            kernel_regularizer=regularizer(config),
            name=f"conv_{index}",
        )
        x = hidden(x, layer, config)
    x = keras.layers.Flatten(name="flatten")(x)
    x = dense_stack(x, config.dense_units, config)
    return _posterior(image, x, latent_dim)


def dense_encoder(
    config: DenseConfig, image_shape: tuple[int, int, int], latent_dim: int
) -> keras.Model:
    """Fully connected layers."""
    image = keras.Input(image_shape, name="image")
    x = keras.layers.Flatten(name="flatten")(image)
    x = dense_stack(x, config.hidden_units, config)
    return _posterior(image, x, latent_dim)


def residual_conv_encoder(
    config: ResidualConvConfig, image_shape: tuple[int, int, int], latent_dim: int
) -> keras.Model:
    """At each size, which halves: a strided convolution, then residual blocks."""
    image = x = keras.Input(image_shape, name="image")
    for level, filters in enumerate(config.filters):
        x = keras.layers.Conv2D(
            filters,
            config.kernel_size,
            strides=2,
            padding="same",
            kernel_regularizer=regularizer(config),
            name=f"down_{level}",
        )(x)
        for block in range(config.blocks):
            x = residual_block(x, config, f"level_{level}_block_{block}")
    x = activated(x, "grid", config)
    x = keras.layers.Flatten(name="flatten")(x)
    x = dense_stack(x, [config.dense_units], config)
    return _posterior(image, x, latent_dim)


def told_label(
    encoder: keras.Model, image_shape: tuple[int, int, int], num_labels: int
) -> keras.Model:
    """Return an encoder of an image and its one-hot label [B, num_labels].

    Args:
        encoder: of images with one more channel, which a label's own image fills.
        image_shape: (H, W, C), without it.
        num_labels: how many.
    """
    height, width, _ = image_shape
    image = keras.Input(image_shape, name="image")
    label = keras.Input((num_labels,), name="label")
    drawn = keras.layers.Dense(height * width, use_bias=False, name="label_image")
    channel = keras.layers.Reshape((height, width, 1))(drawn(label))
    both = keras.layers.Concatenate(name="image_and_label")([image, channel])
    return keras.Model([image, label], encoder(both), name="encoder")


def seen_network(
    config: SeenConfig,
    architecture: ArchitectureConfig,
    image_shape: tuple[int, int, int],
) -> keras.Model:
    """Return a dense network from what is seen of images to what that says.

    Args:
        config: its layers.
        architecture: its activation and normalization.
        image_shape: (H, W, C).
    """
    # decoder and prior each ask for it, and must be told the same
    architecture = replace(architecture, dropout=0.0)
    seen = keras.Input(image_shape, name="seen")
    x = keras.layers.Flatten(name="flatten_seen")(seen)
    x = dense_stack(x, config.hidden_units, architecture, "seen")
    return keras.Model(seen, x, name="seen_network")


def conv_layers(config: ConvConfig) -> list[tuple[int, int, int]]:
    """Return (filters, kernel size, stride) of each layer."""
    count = len(config.filters)

    def one_a_layer(values: list[int]) -> list[int]:
        return values * count if len(values) == 1 else values

    kernels, strides = one_a_layer(config.kernel_sizes), one_a_layer(config.strides)
    return list(zip(config.filters, kernels, strides, strict=True))


def _posterior(image: Any, x: Any, latent_dim: int) -> keras.Model:
    outputs = {
        "mean": keras.layers.Dense(latent_dim, name="mean")(x),
        "log_var": keras.layers.Dense(latent_dim, name="log_var")(x),
    }
    return keras.Model(image, outputs, name="encoder")
