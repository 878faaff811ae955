"""The variational autoencoder: encoder, posterior, prior, decoder, likelihood."""

from typing import Any

import keras

from vae_cli.models.layers import Sampling
from vae_cli.models.likelihoods import Likelihood
from vae_cli.models.priors import StandardNormal


class VAE(keras.Model):
    """A composition of parts; how it is trained is the learner's business.

    Args:
        encoder: image [B, H, W, C] -> dict of `mean` and `log_var`, [B, latent_dim].
        decoder: z [B, latent_dim] -> logits [B, H, W, C].
        likelihood: scores images, given logits.
        prior: p(z).
    """

    def __init__(
        self,
        encoder: keras.Model,
        decoder: keras.Model,
        likelihood: Likelihood,
        prior: StandardNormal,
    ) -> None:
        super().__init__(name="vae")
        self.encoder = encoder
        self.decoder = decoder
        self.likelihood = likelihood
        self.prior = prior
        self.sampling = Sampling(name="sampling")
        self.latent_dim: int = decoder.input_shape[-1]
        self.built = True

    def encode(self, images: Any, training: bool = False) -> tuple[Any, Any]:
        """Return mean and log-variance of q(z|x), float32 [B, latent_dim] each."""
        posterior = self.encoder(images, training=training)
        return posterior["mean"], posterior["log_var"]

    def decode(self, z: Any, training: bool = False) -> Any:
        """Return logits [B, H, W, C] for codes [B, latent_dim]."""
        return self.decoder(z, training=training)

    def pixel_means(self, z: Any) -> Any:
        """Return E[x|z], float32 [B, H, W, C] in [0, 1]."""
        return self.likelihood.mean(self.decode(z))

    def call(self, images: Any, training: bool = False) -> Any:
        """Reconstruct from posterior means: [B, H, W, C] -> the same."""
        mean, _ = self.encode(images, training=training)
        return self.likelihood.mean(self.decode(mean, training=training))

    def export_networks(self) -> tuple[keras.Model, keras.Model]:
        """Return encoder and decoder as plain Keras models that need no package.

        The encoder gives `mean` and `log_var`; the decoder gives pixel means.
        """
        z = keras.Input((self.latent_dim,), name="z")
        pixels = self.likelihood.mean(self.decoder(z))
        return self.encoder, keras.Model(z, pixels, name="decoder")
