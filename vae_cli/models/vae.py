"""The variational autoencoder: encoder, posterior, prior, decoder, likelihood."""

from typing import Any, NamedTuple

import keras
from keras import ops

from vae_cli.models.layers import Sampling
from vae_cli.models.likelihoods import Likelihood
from vae_cli.models.priors import Prior
from vae_cli.models.quick import quick_decoder


class Draw(NamedTuple):
    """Codes, and the Gaussian that each was drawn from."""

    z: Any  # [S, B, latent_dim]
    mean: Any  # [1, B, latent_dim] or, where it depends on the draw, [S, B, latent_dim]
    log_var: Any  # likewise


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
        prior: Prior,
    ) -> None:
        super().__init__(name="vae")
        self.encoder = encoder
        self.decoder = decoder
        self.likelihood = likelihood
        self.prior = prior
        self.sampling = Sampling(name="sampling", dtype="float32")
        self._logits = quick_decoder(decoder)
        self.latent_dim: int = decoder.input_shape[-1]
        self.built = True

    def posterior(self, images: Any, training: bool = False) -> dict[str, Any]:
        """Return what q(z|x) needs to know of each image: arrays of [B, ...]."""
        return as_float32(self.encoder(images, training=training))

    def draw(
        self, posterior: dict[str, Any], noise: Any, training: bool = False
    ) -> Draw:
        """Draw codes from q(z|x).

        Args:
            posterior: from `posterior`, B images.
            noise: standard normal float32 [S, B, latent_dim].
            training: whether dropout and batch statistics are on.
        """
        mean, log_var = posterior["mean"][None], posterior["log_var"][None]
        return Draw(self.sampling(mean, log_var, noise), mean, log_var)

    def encode(self, images: Any, training: bool = False) -> tuple[Any, Any]:
        """Return mean and log-variance of q(z|x), float32 [B, latent_dim] each."""
        return self.code(self.posterior(images, training=training), training=training)

    def code(
        self, posterior: dict[str, Any], training: bool = False
    ) -> tuple[Any, Any]:
        """Return mean and log-variance [B, latent_dim] that no noise has moved."""
        return posterior["mean"], posterior["log_var"]

    def decode(self, z: Any, training: bool = False) -> Any:
        """Return logits [B, H, W, C] for codes [B, latent_dim]."""
        return as_float32(self._logits(z, training=training))

    def pixel_means(self, z: Any) -> Any:
        """Return E[x|z], float32 [B, H, W, C] in [0, 1]."""
        return self.likelihood.mean(self.decode(z))

    def call(self, images: Any, training: bool = False) -> Any:
        """Reconstruct from posterior means: [B, H, W, C] -> the same."""
        mean, _ = self.encode(images, training=training)
        return self.likelihood.mean(self.decode(mean, training=training))

    @property
    def is_dense(self) -> bool:
        """Whether no layer is a convolution: on a CPU, XLA then pays, else it costs."""
        convolutions = (keras.layers.Conv2D, keras.layers.Conv2DTranspose)
        return not any(isinstance(x, convolutions) for x in self._flatten_layers())

    def export_networks(self) -> tuple[keras.Model, keras.Model]:
        """Return encoder and decoder as plain Keras models that need no package.

        The encoder gives `mean` and `log_var`; the decoder gives pixel means.
        """
        z = keras.Input((self.latent_dim,), name="z")
        pixels = self.likelihood.mean(self.decoder(z))
        return self.encoder, keras.Model(z, pixels, name="decoder")


def as_float32(outputs: Any) -> Any:
    """Return what networks of lower precision give as float32."""
    return keras.tree.map_structure(lambda x: ops.cast(x, "float32"), outputs)
