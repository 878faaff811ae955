"""VAEs of discrete codes: a grid of N positions, each one of K codes.

    log p(x) >= E_q(codes|x)[log p(x|codes)] - KL(q(codes|x) || p(codes))

Without noise in q (vq, fsq) the bound is log p(x|codes(x)) + log p(codes(x)): with the
uniform prior, its KL is N log K nats for every image. It is a bound of the probability
of images as any other, since the codes are finitely many.

Source: van den Oord et al., "Neural discrete representation learning", 2017.
"""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from vae_cli.config.latent import (
    CategoricalConfig,
    ContinuousConfig,
    DiscreteConfig,
    FsqConfig,
    LatentConfig,
    VqConfig,
)
from vae_cli.models.architectures import Architecture
from vae_cli.models.architectures.base import Shape
from vae_cli.models.code_prior import CodePrior
from vae_cli.models.distributions import (
    Distribution,
    Level,
    Levels,
    kl_divergence,
)
from vae_cli.models.generative import UNCONDITIONAL, Condition, Encoded
from vae_cli.models.prior import Prior
from vae_cli.models.quantizers import (
    CategoricalQuantizer,
    FiniteScalarQuantizer,
    Quantizer,
    VectorQuantizer,
)
from vae_cli.models.vae import VAE
from vae_cli.registry import builds

COLD = 1e-4
"""The temperature that stands for 0, at which only the most probable code is left."""


class DiscreteVAE(VAE):
    """A VAE whose encoder gives `features` [B, N, C], which a quantizer makes codes of.

    Args:
        quantizer: features -> q(z|x).
        deterministic: whether q has no noise.
        **parts: of a `VAE`; the decoder takes the vectors of all codes side by side.
    """

    has_continuous_codes = False

    def __init__(self, quantizer: Quantizer, deterministic: bool, **parts: Any) -> None:
        super().__init__(**parts)
        self.quantizer = quantizer
        self.num_codes = quantizer.num_codes
        self.code_grid = quantizer.grid
        self.is_deterministic = deterministic
        self.adds = quantizer.adds

    @property
    def noise_dim(self) -> int:
        """Normal numbers of a posterior sample, or of one of the uniform prior."""
        # of the prior, each position takes one; some objectives draw from it, too
        return self.quantizer.positions * max(1, self.quantizer.noise_per_position)

    def levels(
        self,
        encoded: Encoded,
        noise: Any,
        condition: Condition = UNCONDITIONAL,
        training: bool = False,
        prior: Distribution | None = None,
        codes: Sequence[Any] | None = None,
    ) -> Levels:
        """Draw codes; arguments as `VAE.levels`, noise [S, B, noise_dim]."""
        q = self.quantizer.posterior(encoded["features"][None], training)
        z = q.sample(noise) if codes is None else codes[0]
        return [Level(z, q, prior or self.prior(condition))]

    def mean_posterior(self, encoded: Encoded, training: bool = False) -> Any:
        """Return the most probable code, as the point mass at it, [B, latent_dim]."""
        return self.quantizer.nearest(encoded["features"])

    def code_terms(self, encoded: Encoded) -> tuple[dict[str, Any], dict[str, Any]]:
        """Return extra terms of the loss, and what whole batches teach the codes."""
        features = encoded["features"]
        return self.quantizer.terms(features, self.quantizer.nearest(features).codes)

    def code_indices(self, z: Any) -> Any:
        """Return the numbers of codes: [..., latent_dim] -> int32 [..., N]."""
        return self.quantizer.indices(z)

    def on_codes(self, z: Any) -> Any:
        """Return the vectors of the codes that are nearest, [..., latent_dim]."""
        return self.quantizer.vectors(self.quantizer.indices(z))

    def export_networks(self) -> tuple[keras.Model, keras.Model]:
        """Return encoder and decoder as plain Keras models that need no package.

        The encoder gives `codes`, int32 [B, N], and `z`, their vectors, which the
        decoder takes: [B, latent_dim].
        """
        features = self.encoder.output["features"]
        codes, z = self.quantizer.exported(features)
        z = keras.layers.Flatten(name="z")(z)
        outputs = {"codes": codes, "z": z}
        encoder = keras.Model(self.encoder.input, outputs, name="encoder")
        return encoder, super().export_networks()[1]

    def kl_to_uniform(self, levels: Levels) -> Any | None:
        """Return KL(q || uniform) of each image, [B], where a prior was learned."""
        if not self.prior_network.is_learned_apart:
            return None
        (level,) = levels
        kl = kl_divergence(level.posterior, self.prior_network.uniform(), level.z)
        return ops.mean(kl, axis=0)

    @property
    def inference_networks(self) -> list[keras.layers.Layer]:
        """The networks that make q(z|x)."""
        return [*super().inference_networks, self.quantizer]

    def learn(self, batch: dict[str, Any], *how: Any) -> None:
        """Update the quantizer, unless frozen; arguments as of `Quantizer.update`."""
        if self.quantizer.trainable:
            self.quantizer.update(batch, *how)

    def draw(
        self,
        noise: Any,
        choice: Any,
        condition: Condition = UNCONDITIONAL,
        temperature: Any = 1.0,
    ) -> Any:
        """Draw codes from p(z|y); a temperature divides log-probabilities."""
        prior: Any = self.prior(condition)
        # the same for every position; 0, the most probable code, by a small one
        one = max(float(np.ravel(temperature)[0]), COLD)
        return prior.tempered(one).sample(ops.cast(noise, "float32"), choice)


class Latent:
    """What a code is, for the model factory; base: real vectors.

    Args:
        config: its options.
        image_shape: (H, W, C).
        grid: of the architecture's positions; None where it has none.
    """

    def __init__(
        self, config: LatentConfig, image_shape: Shape, grid: tuple[int, int] | None
    ) -> None:
        self.config: Any = config

    def networks(self, architecture: Architecture) -> Architecture:
        """Return what builds encoder and decoder."""
        return architecture

    def prior(self, prior: Prior, config: Any, num_labels: int) -> Prior:
        """Return the prior, in place of the one of real vectors."""
        return prior

    def assemble(self, hierarchy: Any, **parts: Any) -> VAE:
        """Return the model; `parts` are the arguments of `VAE`."""
        vae: VAE = hierarchy.assemble(**parts)
        return vae


builds(ContinuousConfig)(Latent)


class DiscreteLatent(Latent):
    """A grid of codes, where the architecture has one, else groups."""

    quantizer: type[Quantizer]
    """What makes codes of an encoder's features."""

    def __init__(
        self, config: DiscreteConfig, image_shape: Shape, grid: tuple[int, int] | None
    ) -> None:
        super().__init__(config, image_shape, grid)
        self._has_grid = grid is not None
        self._grid = config.positions(grid)
        self._quantizer = self.quantizer(config, self._grid)

    def networks(self, architecture: Architecture) -> Architecture:
        """Return what builds an encoder of features and a decoder of vectors."""
        return CodeNetworks(architecture, self.config, self._grid, self._has_grid)

    def prior(self, prior: Prior, config: Any, num_labels: int) -> Prior:
        """Return the prior of codes."""
        return CodePrior(config, self.config, self._quantizer, num_labels)

    def assemble(self, hierarchy: Any, **parts: Any) -> VAE:
        """Return the model of discrete codes."""
        return DiscreteVAE(self._quantizer, self.config.is_deterministic, **parts)


@builds(VqConfig)
class VqLatent(DiscreteLatent):
    """The nearest of learned vectors."""

    quantizer = VectorQuantizer


@builds(FsqConfig)
class FsqLatent(DiscreteLatent):
    """Rounded dimensions."""

    quantizer = FiniteScalarQuantizer


@builds(CategoricalConfig)
class CategoricalLatent(DiscreteLatent):
    """Samples of categorical distributions."""

    quantizer = CategoricalQuantizer


class CodeNetworks(Architecture):
    """An architecture's networks with a grid of codes between them.

    Args:
        architecture: whose layers they are made of.
        latent: of the codes.
        grid: rows and columns of positions.
        has_grid: whether it is the architecture's own. Else a position is a group of
            its flat encoder's outputs.
    """

    def __init__(
        self,
        architecture: Architecture,
        latent: DiscreteConfig,
        grid: tuple[int, int],
        has_grid: bool,
    ) -> None:
        super().__init__(architecture.config)
        self._architecture = architecture
        self._latent = latent
        self._grid = grid
        self._has_grid = has_grid

    def checked_encoder(self, image_shape: Shape, latent_dim: int) -> keras.Model:
        """Return image [B, H, W, C] -> dict of `features`, [B, N, channels]."""
        count, channels = self._grid[0] * self._grid[1], self._latent.channels
        if self._has_grid:
            image = keras.Input(image_shape, name="image")
            x = self._architecture.grid_features(image, channels)
        else:
            flat = self._architecture.checked_encoder(image_shape, count * channels)
            image, x = flat.input, flat.output["mean"]
        x = keras.layers.Reshape((count, channels), name="positions")(x)
        return keras.Model(image, {"features": x}, name="encoder")

    def checked_decoder(self, output_shape: Shape, latent_dim: int) -> keras.Model:
        """Return z [B, latent_dim] -> [B, *output_shape].

        What the decoder gets besides the codes, a label, is repeated at every position.
        """
        if not self._has_grid:
            return self._architecture.checked_decoder(output_shape, latent_dim)
        (rows, columns), size = self._grid, self._latent.size
        z = keras.Input((latent_dim,), name="z")
        end = rows * columns * size
        beside = latent_dim - end
        codes = z[:, :end] if beside else z
        x = keras.layers.Reshape((rows, columns, size), name="code_grid")(codes)
        if beside:
            label = keras.layers.RepeatVector(rows * columns)(z[:, end:])
            label = keras.layers.Reshape((rows, columns, beside))(label)
            x = keras.layers.Concatenate(name="codes_and_label")([x, label])
        outputs = self._architecture.decoder_from_grid(x, output_shape)
        return keras.Model(z, outputs, name="decoder")
