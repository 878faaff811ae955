"""Two levels of latent variables, around any encoder and decoder.

    q(z|x) = q(top|x) q(bottom|x, top)      p(z) = p(top) N(bottom; 0, I)

The bottom level is written relative to its own prior given the top: what the
literature calls z1 ~ p(z1|z2) is

    z1 = mean(top) + scale(top) * bottom,   bottom ~ N(0, I)

inside the decoder, which is the same model with the same bound (a Gaussian's location
and scale cancel in every ratio q/p), and `bottom` is drawn relative to p(z1|z2) as in
Vahdat & Kautz, "NVAE", 2020, section 3.2. To everything outside, z is thus one code
[top, bottom] under a prior that can be sampled, traversed and interpolated as any.

Source of the two-level model: Sonderby et al., "Ladder variational autoencoders", 2016;
Tomczak & Welling, "VAE with a VampPrior", 2018, section 4.
"""

from typing import Any

import keras
from keras import ops

from vae_cli.config.parts import ArchitectureConfig, TwoLevelConfig
from vae_cli.models.layers import dense_stack
from vae_cli.models.vae import VAE, Draw


class TwoLevelVAE(VAE):
    """A VAE whose posterior draws the bottom level given the top.

    Args:
        encoder: image -> `mean`, `log_var` of the top [B, top_dim], `features` [B, F].
        bottom_encoder: features and top -> `mean`, `log_var` of the bottom,
            [B, bottom_dim].
        decoder: z [B, top_dim + bottom_dim] -> logits [B, H, W, C].
        likelihood: scores images, given logits.
        prior: p(z).
    """

    def __init__(self, bottom_encoder: keras.Model, **parts: Any) -> None:
        super().__init__(**parts)
        self.bottom_encoder = bottom_encoder

    def draw(
        self, posterior: dict[str, Any], noise: Any, training: bool = False
    ) -> Draw:
        """Draw the top, then the bottom given the top; shapes as in `VAE.draw`."""
        top_dim = posterior["mean"].shape[-1]
        mean, log_var = posterior["mean"][None], posterior["log_var"][None]
        top = self.sampling(mean, log_var, noise[..., :top_dim])
        features = posterior["features"][None] + ops.zeros_like(top[..., :1])
        below = self.bottom_encoder(
            [_as_batch(features), _as_batch(top)], training=training
        )
        shape = (*ops.shape(top)[:2], self.latent_dim - top_dim)
        bottom_mean = ops.reshape(below["mean"], shape)
        bottom_log_var = ops.reshape(below["log_var"], shape)
        bottom = self.sampling(bottom_mean, bottom_log_var, noise[..., top_dim:])
        same = ops.zeros_like(top)  # one Gaussian of the top for all samples
        return Draw(
            ops.concatenate([top, bottom], axis=-1),
            ops.concatenate([mean + same, bottom_mean], axis=-1),
            ops.concatenate([log_var + same, bottom_log_var], axis=-1),
        )

    def code(
        self, posterior: dict[str, Any], training: bool = False
    ) -> tuple[Any, Any]:
        """Return mean and log-variance [B, latent_dim], the bottom's at the top's mean.

        As for one level, decoding the mean reconstructs the image.
        """
        bottom = self.bottom_encoder(
            [posterior["features"], posterior["mean"]], training=training
        )
        return (
            ops.concatenate([posterior["mean"], bottom["mean"]], axis=-1),
            ops.concatenate([posterior["log_var"], bottom["log_var"]], axis=-1),
        )

    def export_networks(self) -> tuple[keras.Model, keras.Model]:
        """Return encoder and decoder as plain Keras models that need no package."""
        mean, log_var = self.encode(self.encoder.input)
        outputs = {"mean": mean, "log_var": log_var}
        encoder = keras.Model(self.encoder.input, outputs, name="encoder")
        return encoder, super().export_networks()[1]


def top_encoder(encoder: keras.Model) -> keras.Model:
    """Return an architecture's encoder with its last hidden layer as `features`."""
    features = encoder.get_layer("mean").input
    outputs = {**encoder.output, "features": features}
    return keras.Model(encoder.input, outputs, name="encoder")


def bottom_encoder(
    config: TwoLevelConfig,
    architecture: ArchitectureConfig,
    num_features: int,
    top_dim: int,
    bottom_dim: int,
) -> keras.Model:
    """Return q(bottom|x, top): features and top -> `mean`, `log_var`."""
    features = keras.Input((num_features,), name="features")
    top = keras.Input((top_dim,), name="top")
    x = dense_stack(top, config.hidden_units[:1], architecture, "top")
    x = keras.layers.Concatenate(name="join")([features, x])
    x = dense_stack(x, config.hidden_units[1:], architecture, "joint")
    outputs = {
        "mean": keras.layers.Dense(bottom_dim, name="mean")(x),
        "log_var": keras.layers.Dense(bottom_dim, name="log_var")(x),
    }
    return keras.Model([features, top], outputs, name="bottom_encoder")


def two_level_decoder(
    config: TwoLevelConfig,
    architecture: ArchitectureConfig,
    decoder: keras.Model,
    top_dim: int,
) -> keras.Model:
    """Return z = [top, bottom] -> logits, p(z1|top) before an architecture's decoder.

    Args:
        config: hidden layers of p(z1|top).
        architecture: their activation, normalization and so on.
        decoder: from top and z1 together to logits.
        top_dim: dimensions of the top level.
    """
    latent_dim = decoder.input_shape[-1]
    z = keras.Input((latent_dim,), name="z")
    top, bottom = z[:, :top_dim], z[:, top_dim:]
    x = dense_stack(top, config.hidden_units, architecture, "bottom_prior")
    mean = keras.layers.Dense(latent_dim - top_dim, name="bottom_prior_mean")(x)
    log_var = keras.layers.Dense(latent_dim - top_dim, name="bottom_prior_log_var")(x)
    z1 = mean + ops.exp(0.5 * log_var) * bottom
    joined = keras.layers.Concatenate(name="levels")([top, z1])
    return keras.Model(z, decoder(joined), name="decoder")


def _as_batch(x: Any) -> Any:
    """Return [S, B, d] as [S * B, d]."""
    return ops.reshape(x, (-1, x.shape[-1]))
