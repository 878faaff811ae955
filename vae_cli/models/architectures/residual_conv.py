"""Gated residual convolutions at sizes that halve."""

import math
from typing import Any

import keras

from vae_cli.config.architecture import ResidualConvConfig
from vae_cli.models.architectures.base import (
    Architecture,
    Shape,
    crop,
    posterior,
    sizes,
)
from vae_cli.models.layers import activated, dense_stack, regularizer
from vae_cli.registry import builds


@builds(ResidualConvConfig)
class ResidualConv(Architecture):
    """At each size, which halves: a strided convolution, then residual blocks."""

    config: ResidualConvConfig

    def encoder(self, image_shape: Shape, latent_dim: int) -> keras.Model:
        """Return convolutions and blocks, then a dense layer."""
        image = keras.Input(image_shape, name="image")
        x = keras.layers.Flatten(name="flatten")(self._downwards(image))
        x = dense_stack(x, [self.config.dense_units], self.config)
        return posterior(image, x, latent_dim)

    def grid_features(self, image: Any, channels: int) -> Any:
        """Return convolutions and blocks, then a convolution of size 1."""
        last = keras.layers.Conv2D(channels, 1, name="features")
        return last(self._downwards(image))

    def _downwards(self, x: Any) -> Any:
        config = self.config
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
        return activated(x, "grid", config)

    def decoder(self, output_shape: Shape, latent_dim: int) -> keras.Model:
        """Return dense layers, then at each size residual blocks; sizes double.

        The last doubling goes straight to the image: only the outputs are computed at
        full size.
        """
        config = self.config
        z = keras.Input((latent_dim,), name="z")
        x = dense_stack(z, [config.dense_units], config)
        start = (*config.grid(output_shape), config.filters[-1])
        x = keras.layers.Dense(
            math.prod(start),
            kernel_regularizer=regularizer(config),
            name="dense_to_grid",
        )(x)
        x = keras.layers.Reshape(start, name="grid")(x)
        return keras.Model(z, self._upwards(x, output_shape), name="decoder")

    def decoder_from_grid(self, grid: Any, output_shape: Shape) -> Any:
        """Return a convolution, then as `decoder` goes on from its grid."""
        config = self.config
        x = keras.layers.Conv2D(
            config.filters[-1],
            config.kernel_size,
            padding="same",
            kernel_regularizer=regularizer(config),
            name="from_codes",
        )(grid)
        return self._upwards(x, output_shape)

    def _upwards(self, x: Any, output_shape: Shape) -> Any:
        config = self.config
        grids = sizes(output_shape, [2] * len(config.filters))
        # what each size hands up to the next larger one
        upward = [output_shape[-1], *config.filters[:-1]]
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
            x = crop(_depth_to_space(x, level), grids[level], f"crop_{level}")
        return x


def residual_block(x: Any, config: ResidualConvConfig, name: str) -> Any:
    """Return x + gated convolutions of x; float32 [B, H, W, C] both.

    x + a * sigmoid(b), [a, b] = conv(f(conv(f(x)))), f the activation; the gate of
    van den Oord et al., "Conditional image generation with PixelCNN decoders", 2016,
    in the pre-activation block of He et al., "Identity mappings", 2016.
    """
    filters = x.shape[-1]

    def conv(count: int, part: str) -> keras.layers.Layer:
        return keras.layers.Conv2D(
            count,
            config.kernel_size,
            padding="same",
            kernel_regularizer=regularizer(config),
            name=f"{name}_{part}",
        )

    inner = conv(filters, "inner")(activated(x, f"{name}_in", config))
    outer = conv(2 * filters, "outer")(activated(inner, f"{name}_inner", config))
    passed, opened = keras.ops.split(outer, 2, axis=-1)
    return x + passed * keras.layers.Activation("sigmoid", name=f"{name}_gate")(opened)


def _depth_to_space(x: Any, level: int) -> Any:
    """Turn 4 C channels into C at twice the size, by layers that plain Keras has."""
    height, width, channels = x.shape[1:]
    x = keras.layers.Reshape((height, width, 2, 2, channels // 4))(x)
    x = keras.layers.Permute((1, 3, 2, 4, 5), name=f"interleave_{level}")(x)
    return keras.layers.Reshape((2 * height, 2 * width, channels // 4))(x)
