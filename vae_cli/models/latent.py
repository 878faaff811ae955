"""What codes are: real vectors, or a grid of discrete codes.

An option of the group `latent` builds what the model factory asks for the networks,
the prior and the model.
"""

from typing import Any

import keras

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
from vae_cli.models.discrete import DiscreteVAE
from vae_cli.models.prior import Prior
from vae_cli.models.quantizers import (
    CategoricalQuantizer,
    FiniteScalarQuantizer,
    Quantizer,
    VectorQuantizer,
)
from vae_cli.models.vae import VAE
from vae_cli.registry import builds


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
