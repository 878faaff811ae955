"""Fully connected layers, mirrored in the decoder."""

import math

import keras

from vae_cli.config.architecture import DenseConfig
from vae_cli.models.architectures.base import Architecture, Shape, posterior
from vae_cli.models.ladder_sizes import DenseLadder
from vae_cli.models.layers import dense_stack
from vae_cli.registry import builds


@builds(DenseConfig)
class Dense(Architecture):
    """Fully connected layers, gated where configured."""

    config: DenseConfig

    def encoder(self, image_shape: Shape, latent_dim: int) -> keras.Model:
        """Return the layers from the flat image on."""
        image = keras.Input(image_shape, name="image")
        x = keras.layers.Flatten(name="flatten")(image)
        x = dense_stack(x, self.config.hidden_units, self.config)
        return posterior(image, x, latent_dim)

    def decoder(self, output_shape: Shape, latent_dim: int) -> keras.Model:
        """Return the same layers backwards."""
        z = keras.Input((latent_dim,), name="z")
        x = dense_stack(z, self.config.hidden_units[::-1], self.config)
        x = keras.layers.Dense(math.prod(output_shape), name="outputs")(x)
        outputs = keras.layers.Reshape(output_shape, name="image")(x)
        return keras.Model(z, outputs, name="decoder")

    def ladder(self, image_shape: Shape) -> DenseLadder:
        """Return the networks of a ladder."""
        return DenseLadder(self.config)
