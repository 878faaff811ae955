"""Strided convolutions, mirrored by transposed ones."""

import math
from typing import Any

import keras

from vae_cli.config.architecture import ConvConfig
from vae_cli.models.architectures.base import (
    Architecture,
    Shape,
    crop,
    posterior,
    sizes,
)
from vae_cli.models.layers import dense_stack, hidden, regularizer
from vae_cli.registry import builds


@builds(ConvConfig)
class Conv(Architecture):
    """Convolutions that shrink the image, then dense layers; the decoder mirrors them.

    Sizes that a stride doesn't divide are met by cropping: the encoder rounds up, the
    decoder goes through the same sizes backwards.
    """

    config: ConvConfig

    def encoder(self, image_shape: Shape, latent_dim: int) -> keras.Model:
        """Return the convolutions, then dense layers."""
        image = keras.Input(image_shape, name="image")
        x = keras.layers.Flatten(name="flatten")(self._convolved(image))
        x = dense_stack(x, self.config.dense_units, self.config)
        return posterior(image, x, latent_dim)

    def grid_features(self, image: Any, channels: int) -> Any:
        """Return the convolutions, then one of size 1."""
        last = keras.layers.Conv2D(channels, 1, name="features")
        return last(self._convolved(image))

    def _convolved(self, x: Any) -> Any:
        config = self.config
        for index, (filters, kernel, stride) in enumerate(config.per_layer()):
            layer = keras.layers.Conv2D(
                filters,
                kernel,
                strides=stride,
                padding="same",
                kernel_regularizer=regularizer(config),
                name=f"conv_{index}",
            )
            x = hidden(x, layer, config)
        return x

    def decoder(self, output_shape: Shape, latent_dim: int) -> keras.Model:
        """Return dense layers, then transposed convolutions."""
        config = self.config
        z = keras.Input((latent_dim,), name="z")
        x = dense_stack(z, config.dense_units[::-1], config)
        start = (*config.grid(output_shape), config.filters[-1])
        to_grid = keras.layers.Dense(
            math.prod(start),
            kernel_regularizer=regularizer(config),
            name="dense_to_grid",
        )
        x = hidden(x, to_grid, config)
        x = keras.layers.Reshape(start, name="grid")(x)
        return keras.Model(z, self._upwards(x, output_shape), name="decoder")

    def decoder_from_grid(self, grid: Any, output_shape: Shape) -> Any:
        """Return a convolution of size 3, then transposed ones."""
        config = self.config
        first = keras.layers.Conv2D(
            config.filters[-1],
            3,
            padding="same",
            kernel_regularizer=regularizer(config),
            name="from_codes",
        )
        return self._upwards(hidden(grid, first, config), output_shape)

    def _upwards(self, x: Any, output_shape: Shape) -> Any:
        config, layers = self.config, self.config.per_layer()
        grids = sizes(output_shape, [stride for _, _, stride in layers])
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
            x = crop(x, grids[index], f"crop_{index}")
        return keras.layers.Conv2DTranspose(
            output_shape[-1], layers[0][1], padding="same", name="outputs"
        )(x)
