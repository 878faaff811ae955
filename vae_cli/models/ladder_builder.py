"""How a ladder's networks are built from what an architecture has at its sizes."""

import math
from typing import Any

import keras
from keras import ops

from vae_cli.config.architecture import ArchitectureConfig
from vae_cli.config.hierarchy import LadderConfig
from vae_cli.errors import ConfigError
from vae_cli.models.architectures.base import Architecture, Shape
from vae_cli.models.hierarchy import Hierarchy
from vae_cli.models.ladder import LadderVAE, LevelNetworks, features_of, with_embedding
from vae_cli.models.ladder_sizes import LadderNetworks, VectorSize, scaled_by
from vae_cli.models.vae import VAE
from vae_cli.registry import builds

MAX_LOG_VAR = 10.0
"""Bound of a level's log-variances: deviations from 0.007 to 150."""


class LadderArchitecture(Architecture):
    """The encoder and the decoder of a ladder, as an architecture has them."""

    def __init__(self, ladder: "Ladder", config: ArchitectureConfig) -> None:
        super().__init__(config)
        self._ladder = ladder

    def encoder(self, image_shape: Any, latent_dim: int) -> keras.Model:
        """Return image -> `mean`, `log_var` of the top, and features."""
        return self._ladder.bottom_up(image_shape)

    def decoder(self, output_shape: Any, latent_dim: int) -> keras.Model:
        """Return z, with what the decoder gets besides -> outputs."""
        return self._ladder.top_down(output_shape, latent_dim)


@builds(LadderConfig)
class Ladder(Hierarchy):
    """Levels at the sizes of an architecture; arguments of `Hierarchy`."""

    def __init__(
        self,
        config: LadderConfig,
        architecture: ArchitectureConfig,
        latent_dim: int,
        image_shape: Shape,
    ) -> None:
        self.config: Any = config
        self.architecture = architecture
        shapes = config.level_shapes(architecture, image_shape)
        self.dims = [math.prod(shape) for shape in shapes]
        self.top_dim = self.dims[0]
        self.image_shape = image_shape
        if sum(self.dims) != latent_dim:
            raise ConfigError(
                f"latent_dim={latent_dim} must be {sum(self.dims)}, which is what the "
                "levels of hierarchy=ladder have at this size of images.",
                f"use latent_dim={sum(self.dims)}, or leave it out",
            )
        # (size, which of its levels) of each level, top first
        self.places = [
            (size, part)
            for size, count in enumerate(config.levels_per_size)
            for part in range(count)
        ]

    def networks(self, architecture: Architecture) -> Architecture:
        """Return a ladder in the place of an architecture's own networks."""
        self._parts: LadderNetworks = architecture.ladder(self.image_shape)
        return LadderArchitecture(self, self.architecture)

    def assemble(self, encoder: keras.Model, decoder: keras.Model, **parts: Any) -> VAE:
        """Return the model of all levels."""
        return LadderVAE(
            self._start,
            self._lower_levels,
            self._outputs,
            _as_one(
                [networks.posterior for networks in self._lower_levels], "posteriors"
            ),
            encoder=encoder,
            decoder=decoder,
            **parts,
        )

    def bottom_up(self, image_shape: tuple[int, ...]) -> keras.Model:
        """Return image -> `mean`, `log_var` of the top, and features of the others."""
        image = keras.Input(image_shape, name="image")
        features = self._parts.bottom_up(image)
        first, _ = self.places[0]
        top, channels = self._parts.sizes[first], self.config.channels[first]
        outputs = {
            "mean": _flat(top.linear(channels, "mean")(features[first]), "mean"),
            "log_var": bounded(
                _flat(top.linear(channels, "log_var")(features[first]), "log_var")
            ),
        }
        for index, size in enumerate(self._parts.sizes):
            own = [part for i, part in self.places[1:] if i == index]
            if own:
                # what posteriors make of them, by one layer for all levels of a size
                layer = size.mixing(len(own) * size.width, f"features_{index}")
                parts = ops.split(layer(features[index]), len(own), axis=-1)
                outputs |= {
                    features_of(index, n): x for n, x in zip(own, parts, strict=True)
                }
        return keras.Model(image, outputs, name="encoder")

    def top_down(self, output_shape: tuple[int, ...], inputs: int) -> keras.Model:
        """Return z, with the condition's embedding behind it -> outputs.

        Args:
            output_shape: what the likelihood takes.
            inputs: dimensions of z and of the embedding together.
        """
        embedded = inputs - sum(self.dims)
        state = self._build_start(embedded)
        self._lower_levels = []
        for level in range(1, len(self.places)):
            networks = self._build_level(level, state)
            self._lower_levels.append(networks)
            state = networks.below.output
        last = keras.Input(state.shape[1:], name="state")
        outputs = self._parts.outputs(last, output_shape)
        self._outputs = keras.Model(last, outputs, name="outputs_of_state")
        code = keras.Input((inputs,), name="z")
        ends = [sum(self.dims[: level + 1]) for level in range(len(self.dims))]
        embedding = [code[:, ends[-1] :]] if embedded else [None]
        x = self._start(with_embedding(code[:, : ends[0]], *embedding))
        for networks, begin, end in zip(
            self._lower_levels, ends, ends[1:], strict=False
        ):
            prior = networks.prior(x)
            z = prior["mean"] + ops.exp(0.5 * prior["log_var"]) * code[:, begin:end]
            x = networks.below([x, z])
        return keras.Model(code, self._outputs(x), name="decoder")

    def _build_start(self, embedded: int) -> Any:
        """Build the network from the top level on; return its output."""
        first, _ = self.places[0]
        size, channels = self._parts.sizes[first], self.config.channels[first]
        inputs = keras.Input((self.top_dim + embedded,), name="top")
        z, embedding = (
            (inputs[:, : self.top_dim], inputs[:, self.top_dim :])
            if embedded
            else (inputs, None)
        )
        z = _shaped(z, size, channels, "level_0")
        x = size.start(z, embedding, "level_0")
        if len(size.shape) > 1:
            x = size.blocks(x, "level_0", len(self.places))
        x = self._enlarged(x, 0)
        self._start = keras.Model(inputs, x, name="level_0")
        return x

    def _build_level(self, level: int, state: Any) -> LevelNetworks:
        index, part = self.places[level]
        size, channels = self._parts.sizes[index], self.config.channels[index]
        name, depth = f"level_{level}", len(self.places)

        def inputs(what: str, shape: Any) -> Any:
            return keras.Input(shape, name=what)

        x = inputs("state", state.shape[1:])
        prior = keras.Model(
            x,
            _gaussian(size.activated(x, f"{name}_prior"), size, channels, f"{name}_p"),
            name=f"prior_{level}",
        )
        x = inputs("state", state.shape[1:])
        features = inputs("features", size.shape)
        hidden = size.mixing(size.width, f"{name}_hidden", use_bias=False)
        joint = hidden(size.activated(x, f"{name}_state")) + features
        joint = size.activated(joint, f"{name}_joint")
        posterior = keras.Model(
            [x, features],
            _gaussian(joint, size, channels, f"{name}_q"),
            name=f"posterior_{level}",
        )
        x, z = inputs("state", state.shape[1:]), inputs("z", (self.dims[level],))
        added = size.linear(
            size.width,
            f"{name}_z",
            kernel_initializer=scaled_by(depth),
            use_bias=False,
        )
        y = size.blocks(x + added(_shaped(z, size, channels, name)), name, depth)
        below = keras.Model([x, z], self._enlarged(y, level), name=name)
        return LevelNetworks(prior, posterior, below, index, part, self.dims[level])

    def _enlarged(self, x: Any, level: int) -> Any:
        """Return a level's state at the size of the next one, or at the last."""
        index, _ = self.places[level]
        after = self.places[level + 1 :]
        last = after[0][0] if after else len(self._parts.sizes) - 1
        for size in range(index, last):
            x = self._parts.up(x, size)
        return x


def bounded(log_var: Any) -> Any:
    """Return log-variances within +-MAX_LOG_VAR; small ones change by little."""
    log_var = ops.cast(log_var, "float32")
    return MAX_LOG_VAR * ops.tanh(log_var / MAX_LOG_VAR)


def _gaussian(x: Any, size: VectorSize, channels: int, name: str) -> dict[str, Any]:
    """Return `mean` and `log_var`, [B, d] each; all 0 at first."""
    parameters = size.linear(2 * channels, name, kernel_initializer="zeros")(x)
    mean, log_var = ops.split(parameters, 2, axis=-1)
    return {
        "mean": ops.cast(_flat(mean, f"{name}_mean"), "float32"),
        "log_var": bounded(_flat(log_var, f"{name}_log_var")),
    }


def _flat(x: Any, name: str) -> Any:
    """Return a grid's variables as the code has them, [B, d]."""
    return x if len(x.shape) == 2 else keras.layers.Flatten(name=f"{name}_flat")(x)


def _shaped(z: Any, size: VectorSize, channels: int, name: str) -> Any:
    """Return part of the code as a level has it."""
    shape = size.latent_shape(channels)
    if len(shape) == 1:
        return z
    return keras.layers.Reshape(shape, name=f"{name}_grid")(z)


def _as_one(networks: list[keras.Model], name: str) -> keras.Model:
    """Return a network that holds the others, side by side."""
    inputs = [
        [
            keras.Input(x.shape[1:], name=f"{network.name}_{i}")
            for i, x in enumerate(network.inputs)
        ]
        for network in networks
    ]
    outputs = [network(own) for network, own in zip(networks, inputs, strict=True)]
    return keras.Model(inputs, outputs, name=name)
