"""Strided convolutions, mirrored by transposed ones."""

import math

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
        config = self.config
        image = x = keras.Input(image_shape, name="image")
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
        x = keras.layers.Flatten(name="flatten")(x)
        x = dense_stack(x, config.dense_units, config)
        return posterior(image, x, latent_dim)

    def decoder(self, output_shape: Shape, latent_dim: int) -> keras.Model:
        """Return dense layers, then transposed convolutions."""
        config, layers = self.config, self.config.per_layer()
        grids = sizes(output_shape, [stride for _, _, stride in layers])
        z = keras.Input((latent_dim,), name="z")
        x = dense_stack(z, config.dense_units[::-1], config)
        start = (*grids[-1], config.filters[-1])
        to_grid = keras.layers.Dense(
            math.prod(start),
            kernel_regularizer=regularizer(config),
            name="dense_to_grid",
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
            x = crop(x, grids[index], f"crop_{index}")
        outputs = keras.layers.Conv2DTranspose(
            output_shape[-1], layers[0][1], padding="same", name="outputs"
        )(x)
        return keras.Model(z, outputs, name="decoder")
