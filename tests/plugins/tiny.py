"""An architecture: one hidden layer on either side."""

import math
from dataclasses import dataclass

import keras

import vae_cli as vae


@vae.register("architecture", "tiny")
@dataclass
class TinyConfig(vae.ArchitectureConfig):
    """One hidden layer on either side."""

    units: int = vae.option("units of the hidden layer", at_least=1, default=8)


@vae.builds(TinyConfig)
class Tiny(vae.Architecture):
    """Encoder and decoder with one hidden layer."""

    def encoder(self, image_shape, latent_dim):
        """Return image -> mean and log_var."""
        image = keras.Input(image_shape)
        x = keras.layers.Flatten()(image)
        x = keras.layers.Dense(self.config.units, self.config.activation)(x)
        outputs = {
            name: keras.layers.Dense(latent_dim, name=name)(x)
            for name in ("mean", "log_var")
        }
        return keras.Model(image, outputs)

    def decoder(self, output_shape, latent_dim):
        """Return z -> what the likelihood takes."""
        z = keras.Input((latent_dim,))
        x = keras.layers.Dense(self.config.units, self.config.activation)(z)
        x = keras.layers.Dense(math.prod(output_shape), name="outputs")(x)
        return keras.Model(z, keras.layers.Reshape(output_shape)(x))
