"""Two levels of latent variables, around any encoder and decoder.

    q(z|x) = q(top|x) q(bottom|x, top)      p(z) = p(top) N(bottom; 0, I)

The bottom level is written relative to its own prior given the top: what the
literature calls z1 ~ p(z1|z2) is

    z1 = mean(top) + scale(top) * bottom,   bottom ~ N(0, I)

inside the decoder, which is the same model with the same bound (a Gaussian's location
and scale cancel in every ratio q/p). To everything outside, z is thus one code
[top, bottom] under a prior that can be sampled, traversed and interpolated as any.
Networks still speak of z1 itself: a posterior that had to follow each move of its prior
would rather collapse onto it.

Source of the two-level model: Sonderby et al., "Ladder variational autoencoders", 2016;
Tomczak & Welling, "VAE with a VampPrior", 2018, section 4.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import keras
from keras import ops

from vae_cli.config.architecture import ArchitectureConfig
from vae_cli.config.hierarchy import HierarchyConfig, OneLevelConfig, TwoLevelConfig
from vae_cli.models.architectures.base import Architecture, with_features
from vae_cli.models.distributions import (
    Distribution,
    Gaussian,
    Level,
    Levels,
    StandardNormal,
    relative_to,
)
from vae_cli.models.generative import UNCONDITIONAL, Condition, Encoded, as_float32
from vae_cli.models.layers import dense_stack
from vae_cli.models.vae import VAE
from vae_cli.registry import builds


class HierarchicalVAE(VAE):
    """Base of models of several levels, each relative to its own prior."""

    def sample_prior(
        self,
        noise: Any,
        choice: Any,
        condition: Condition = UNCONDITIONAL,
        prior: Distribution | None = None,
    ) -> Any:
        """Turn noise into codes of all levels, [N, latent_dim]."""
        top_dim = self.level_sizes[0]
        top = super().sample_prior(noise[:, :top_dim], choice, condition, prior)
        return ops.concatenate([top, noise[:, top_dim:]], axis=-1)


class TwoLevelVAE(HierarchicalVAE):
    """A VAE whose posterior draws the bottom level given the top.

    Args:
        encoder: image -> `mean`, `log_var` of the top [B, top_dim], `features` [B, F].
        bottom_encoder: features and top -> `mean`, `log_var` of q(z1|x, top),
            [B, bottom_dim].
        bottom_prior: top -> `mean`, `log_var` of p(z1|top), [B, bottom_dim]; the
            decoder's own.
        decoder: z [B, top_dim + bottom_dim] -> logits [B, H, W, C].
        likelihood: scores images, given logits.
        prior: gives p(top).
    """

    def __init__(
        self, bottom_encoder: keras.Model, bottom_prior: keras.Model, **parts: Any
    ) -> None:
        super().__init__(**parts)
        self.bottom_encoder = bottom_encoder
        self.bottom_prior = bottom_prior
        top_dim = self.encoder.output["mean"].shape[-1]
        self.level_sizes = (top_dim, self.latent_dim - top_dim)

    @property
    def inference_networks(self) -> list[keras.layers.Layer]:
        """The networks that make q(z|x)."""
        return [*super().inference_networks, self.bottom_encoder]

    def levels(
        self,
        encoded: Encoded,
        noise: Any,
        condition: Condition = UNCONDITIONAL,
        training: bool = False,
        prior: Distribution | None = None,
        codes: Sequence[Any] | None = None,
    ) -> Levels:
        """Draw the top, then the bottom given the top; shapes as in `VAE.levels`."""
        top_dim = encoded["mean"].shape[-1]
        of_top = None if noise is None else noise[..., :top_dim]
        (top,) = super().levels(encoded, of_top, condition, training, prior, codes)
        features = encoded["features"][None] + ops.zeros_like(top.z[..., :1])
        below = self._bottom(as_batch(features), as_batch(top.z), training)
        shape = (*ops.shape(top.z)[:2], self.latent_dim - top_dim)
        posterior = Gaussian(
            ops.reshape(below.mean, shape), ops.reshape(below.log_var, shape)
        )
        z = posterior.sample(noise[..., top_dim:]) if codes is None else codes[1]
        return [top, Level(z, posterior, StandardNormal())]

    def mean_posterior(self, encoded: Encoded, training: bool = False) -> Gaussian:
        """Return q(z|x) of the whole code, the bottom's at the top's mean."""
        top = super().mean_posterior(encoded, training)
        below = self._bottom(encoded["features"], top.mean, training)
        return Gaussian(
            ops.concatenate([top.mean, below.mean], axis=-1),
            ops.concatenate([top.log_var, below.log_var], axis=-1),
        )

    def _bottom(self, features: Any, top: Any, training: bool) -> Gaussian:
        """Return q(bottom|x, top): q(z1|x, top) relative to p(z1|top)."""
        posterior = as_float32(self.bottom_encoder([features, top], training=training))
        prior = as_float32(self.bottom_prior(top, training=training))
        return relative_to(Gaussian(**prior), Gaussian(**posterior))


class Hierarchy:
    """How levels of latent variables are put together; base: one level.

    Args:
        config: its options.
        architecture: activation and normalization of networks that it adds.
        latent_dim: dimensions of all levels together.
        image_shape: (H, W, C).
    """

    def __init__(
        self,
        config: HierarchyConfig,
        architecture: ArchitectureConfig,
        latent_dim: int,
        image_shape: tuple[int, ...],
    ) -> None:
        self.config: Any = config
        self.architecture = architecture
        self.latent_dim = latent_dim
        self.top_dim = config.top_size(latent_dim, architecture, image_shape)

    def networks(self, architecture: Architecture) -> Architecture:
        """Return what encoder and decoder are built by."""
        return architecture

    def encoder(self, encoder: keras.Model) -> keras.Model:
        """Return an architecture's encoder with what the lower levels need."""
        return encoder

    def assemble(self, encoder: keras.Model, decoder: keras.Model, **parts: Any) -> VAE:
        """Return the model; `parts` are the other arguments of `VAE`."""
        return VAE(encoder=encoder, decoder=decoder, **parts)


builds(OneLevelConfig)(Hierarchy)


@builds(TwoLevelConfig)
class TwoLevels(Hierarchy):
    """A top level, and a bottom level given the top."""

    def encoder(self, encoder: keras.Model) -> keras.Model:
        """Return the encoder of the top level, with the image's features."""
        return with_features(encoder, "features", "hierarchy=two_level")

    def assemble(self, encoder: keras.Model, decoder: keras.Model, **parts: Any) -> VAE:
        """Return the model of both levels."""
        dims = (self.top_dim, self.latent_dim - self.top_dim)
        num_features = encoder.output["features"].shape[-1]
        below = bottom_prior(self.config, self.architecture, *dims)
        return TwoLevelVAE(
            bottom_encoder(self.config, self.architecture, num_features, *dims),
            bottom_prior=below,
            encoder=encoder,
            decoder=two_level_decoder(decoder, below),
            **parts,
        )


def bottom_encoder(
    config: TwoLevelConfig,
    architecture: ArchitectureConfig,
    num_features: int,
    top_dim: int,
    bottom_dim: int,
) -> keras.Model:
    """Return q(z1|x, top): features and top -> `mean`, `log_var`."""
    features = keras.Input((num_features,), name="features")
    top = keras.Input((top_dim,), name="top")
    x = dense_stack(top, config.hidden_units[:1], architecture, "top")
    x = keras.layers.Concatenate(name="join")([features, x])
    x = dense_stack(x, config.hidden_units[1:], architecture, "joint")
    return keras.Model([features, top], _gaussian(x, bottom_dim), name="bottom_encoder")


def bottom_prior(
    config: TwoLevelConfig,
    architecture: ArchitectureConfig,
    top_dim: int,
    bottom_dim: int,
) -> keras.Model:
    """Return p(z1|top): top -> `mean`, `log_var`."""
    # the posterior and the decoder each ask for it, and must get the same
    architecture = replace(architecture, dropout=0.0)
    top = keras.Input((top_dim,), name="top")
    x = dense_stack(top, config.hidden_units, architecture)
    return keras.Model(top, _gaussian(x, bottom_dim), name="bottom_prior")


def two_level_decoder(decoder: keras.Model, bottom_prior: keras.Model) -> keras.Model:
    """Return z = [top, bottom] -> logits.

    Args:
        decoder: an architecture's, from top and z1 together to logits; what its input
            has beside them, a label, is passed on.
        bottom_prior: p(z1|top).
    """
    top_dim = bottom_prior.input_shape[-1]
    end = top_dim + bottom_prior.output["mean"].shape[-1]
    z = keras.Input(decoder.input_shape[1:], name="z")
    top, bottom = z[:, :top_dim], z[:, top_dim:end]
    prior = bottom_prior(top)
    z1 = prior["mean"] + ops.exp(0.5 * prior["log_var"]) * bottom
    parts = [top, z1, z[:, end:]] if end < z.shape[-1] else [top, z1]
    joined = keras.layers.Concatenate(name="levels")(parts)
    return keras.Model(z, decoder(joined), name="decoder")


def _gaussian(x: Any, dim: int) -> dict[str, Any]:
    return {
        "mean": keras.layers.Dense(dim, name="mean")(x),
        "log_var": keras.layers.Dense(dim, name="log_var")(x),
    }


def as_batch(x: Any) -> Any:
    """Return [S, B, d] as [S * B, d]."""
    return ops.reshape(x, (-1, x.shape[-1]))
