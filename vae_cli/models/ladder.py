"""Any number of levels of latent variables, inferred from the top down.

    p(z) = p(z_0) prod_l p(z_l | z_<l)      q(z|x) = q(z_0|x) prod_l q(z_l | x, z_<l)

A bottom-up pass gives features of the image at the architecture's sizes. A top-down
pass, shared by inference and generation, has a state that each level reads and adds to:

    p(z_l | z_<l) from the state, q(z_l | x, z_<l) from the state and the features,
    state <- blocks(state + linear(z_l))

As with two levels, each level below the top is written relative to its own prior,
(z_l - mean) / scale, so that z is one code under N(0, I) to everything outside, and the
decoder turns it into z_l as it goes down.

Sources: Sonderby et al., "Ladder variational autoencoders", 2016; Kingma et al.,
"Improved variational inference with inverse autoregressive flow", 2016, section 5;
Child, "Very deep VAEs generalize autoregressive models", 2021.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import keras
from keras import ops

from vae_cli.config.architecture import ArchitectureConfig
from vae_cli.config.hierarchy import LadderConfig
from vae_cli.errors import ConfigError
from vae_cli.models.architectures.base import Architecture, Shape
from vae_cli.models.architectures.ladder import LadderNetworks, VectorSize, scaled_by
from vae_cli.models.distributions import Distribution, Gaussian, Level, StandardNormal
from vae_cli.models.hierarchy import HierarchicalVAE, Hierarchy, as_batch
from vae_cli.models.vae import UNCONDITIONAL, VAE, Condition, Encoded, as_float32
from vae_cli.registry import builds

MAX_LOG_VAR = 10.0
"""Bound of a level's log-variances: deviations from 0.007 to 150."""


@dataclass(frozen=True)
class Rung:
    """The networks of a level below the top.

    Attributes:
        prior: state -> `mean`, `log_var` of p(z_l|z_<l), [B, d].
        posterior: state and features -> `mean`, `log_var` of q(z_l|x, z_<l), [B, d].
        below: state and z_l [B, d] -> the next state.
        size: which size's features it gets.
        part: which of that size's levels it is.
        dim: latent dimensions.
    """

    prior: keras.Model
    posterior: keras.Model
    below: keras.Model
    size: int
    part: int
    dim: int


class LadderLevels(list[Level]):
    """Levels from the top down, with the state that they leave.

    Args:
        levels: as a plain list has them.
        state: after the last level, [S * B, ...]: the likelihood needn't compute it
            again from the code.
        training: whether they were drawn in training.
    """

    def __init__(self, levels: Iterable[Level], state: Any, training: bool) -> None:
        super().__init__(levels)
        self.state = state
        self.training = training


class LadderVAE(HierarchicalVAE):
    """A VAE whose levels are inferred from the top down.

    Args:
        start: z_0, with the condition's embedding where there is one, -> first state.
        rungs: the levels below the top.
        outputs: last state -> logits.
        posteriors: the networks of all posteriors below the top, as one.
        encoder: image -> `mean`, `log_var` of the top, and features at each size.
        decoder: z [B, latent_dim] -> logits, made of the same networks.
        likelihood: scores images, given logits.
        prior: gives p(z_0).
    """

    def __init__(
        self,
        start: keras.Model,
        rungs: Sequence[Rung],
        outputs: keras.Model,
        posteriors: keras.Model,
        **parts: Any,
    ) -> None:
        super().__init__(**parts)
        self.posteriors = posteriors
        top = self.encoder.output["mean"].shape[-1]
        self.level_sizes = (top, *(rung.dim for rung in rungs))
        # a function, so that Keras doesn't list the decoder's networks a second time
        self._networks = lambda: (start, rungs, outputs)

    def encode(
        self, images: Any, condition: Condition = UNCONDITIONAL, training: bool = False
    ) -> Encoded:
        """Return q(z_0|x), features, and the embedding that the top-down pass gets."""
        encoded = super().encode(images, condition, training)
        if condition.embedding is not None:
            encoded["embedding"] = condition.embedding
        return encoded

    def levels(
        self,
        encoded: Encoded,
        noise: Any,
        condition: Condition = UNCONDITIONAL,
        training: bool = False,
        prior: Distribution | None = None,
    ) -> LadderLevels:
        """Draw each level given those above; shapes as in `VAE.levels`."""
        top_dim = self.level_sizes[0]
        (top,) = super().levels(
            encoded, noise[..., :top_dim], condition, training, prior
        )
        samples, batch = ops.shape(top.z)[:2]
        shared = {name: _repeated(x, samples) for name, x in encoded.items()}
        posteriors, state = self._descend(
            shared, as_batch(top.z), as_batch(noise[..., top_dim:]), training
        )
        levels = [top]
        for q, epsilon in posteriors:
            arrays = (q.mean, q.log_var, epsilon)
            q_mean, q_log_var, own = (
                ops.reshape(x, (samples, batch, x.shape[-1])) for x in arrays
            )
            posterior = Gaussian(q_mean, q_log_var)
            levels.append(Level(posterior.sample(own), posterior, StandardNormal()))
        return LadderLevels(levels, state, training)

    def mean_posterior(self, encoded: Encoded, training: bool = False) -> Gaussian:
        """Return q(z|x) of the whole code, each level at the means of those above."""
        top = Gaussian(encoded["mean"], encoded["log_var"])
        below, _ = self._descend(encoded, top.mean, None, training)
        every = [top, *(q for q, _ in below)]
        return Gaussian(
            ops.concatenate([q.mean for q in every], axis=-1),
            ops.concatenate([q.log_var for q in every], axis=-1),
        )

    def code_means(self, encoded: Encoded, levels: Any) -> Any:
        """Return posterior means of the whole code, [B, latent_dim].

        In training those of the levels as drawn, averaged over samples: a second pass
        for a statistic would cost as much as the first.
        """
        if not getattr(levels, "training", False):
            return super().code_means(encoded, levels)
        means = [ops.mean(level.posterior.mean, axis=0) for level in levels]
        return ops.concatenate(means, axis=-1)

    def log_likelihood(
        self,
        images: Any,
        levels: Any,
        condition: Condition = UNCONDITIONAL,
        training: bool = False,
    ) -> Any:
        """Return log p(x|z, y) in nats, float32 [S, B], from the state of the levels.

        Levels without one are decoded.
        """
        if not isinstance(levels, LadderLevels):
            return super().log_likelihood(images, levels, condition, training)
        *_, outputs = self._networks()
        logits = as_float32(outputs(levels.state, training=training))
        shape = (*ops.shape(levels[0].z)[:2], *logits.shape[1:])
        logits = ops.reshape(logits, shape)
        return self.log_likelihood_of_logits(images, logits, condition)

    def _descend(
        self, encoded: Encoded, top: Any, noise: Any, training: bool
    ) -> tuple[list[tuple[Gaussian, Any]], Any]:
        """Go from the top down, each level drawn from its posterior.

        Args:
            encoded: of N images.
            top: z_0, [N, d].
            noise: of the levels below, [N, latent_dim - d]; None for their means.
            training: whether dropout and batch statistics are on.

        Returns:
            for each level below its posterior relative to its prior, [N, d], with its
            noise; and the last state.
        """
        start, rungs, _ = self._networks()
        state = start(with_embedding(top, encoded.get("embedding")), training=training)
        posteriors, begin = [], 0
        for rung in rungs:
            own = noise if noise is None else noise[:, begin : begin + rung.dim]
            begin += rung.dim
            features = encoded[features_of(rung.size, rung.part)]
            q = Gaussian(**rung.posterior([state, features], training=training))
            p = Gaussian(**rung.prior(state, training=training))
            z = q.mean if own is None else q.sample(own)
            posteriors.append((relative_to(p, q), own))
            state = rung.below([state, z], training=training)
        return posteriors, state


def relative_to(p: Gaussian, q: Gaussian) -> Gaussian:
    """Return the distribution of (z - mean_p) / scale_p for z from q."""
    mean = (q.mean - p.mean) * ops.exp(-0.5 * p.log_var)
    return Gaussian(mean, q.log_var - p.log_var)


def features_of(size: int, part: int) -> str:
    """Return the name, among the encoder's outputs, of what a posterior gets."""
    return f"features_{size}_{part}"


def with_embedding(z: Any, embedding: Any) -> Any:
    """Return what the first network of the top-down pass takes."""
    return z if embedding is None else ops.concatenate([z, embedding], axis=-1)


def _repeated(x: Any, samples: int) -> Any:
    """Return [B, ...] as [samples * B, ...], sample by sample."""
    if samples == 1:
        return x
    every = ops.broadcast_to(x, (samples, *ops.shape(x)))
    return ops.reshape(every, (-1, *x.shape[1:]))


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
            self._rungs,
            self._outputs,
            _as_one([rung.posterior for rung in self._rungs], "posteriors"),
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
        self._rungs = []
        for level in range(1, len(self.places)):
            rung = self._build_rung(level, state)
            self._rungs.append(rung)
            state = rung.below.output
        last = keras.Input(state.shape[1:], name="state")
        outputs = self._parts.outputs(last, output_shape)
        self._outputs = keras.Model(last, outputs, name="outputs_of_state")
        code = keras.Input((inputs,), name="z")
        ends = [sum(self.dims[: level + 1]) for level in range(len(self.dims))]
        embedding = [code[:, ends[-1] :]] if embedded else [None]
        x = self._start(with_embedding(code[:, : ends[0]], *embedding))
        for rung, begin, end in zip(self._rungs, ends, ends[1:], strict=False):
            prior = rung.prior(x)
            z = prior["mean"] + ops.exp(0.5 * prior["log_var"]) * code[:, begin:end]
            x = rung.below([x, z])
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

    def _build_rung(self, level: int, state: Any) -> Rung:
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
        return Rung(prior, posterior, below, index, part, self.dims[level])

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
        [keras.Input(x.shape[1:], name=f"{network.name}_{i}") for i, x in pair]
        for network in networks
        for pair in [enumerate(network.inputs)]
    ]
    outputs = [network(own) for network, own in zip(networks, inputs, strict=True)]
    return keras.Model(inputs, outputs, name=name)
