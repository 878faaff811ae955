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
"Improved variational inference with inverse autoregressive flow", 2016, figure 3 and
appendix C; Child, "Very deep VAEs generalize autoregressive models", 2021.
"""

import itertools
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import keras
from keras import ops

from vae_cli.models.distributions import (
    Distribution,
    Gaussian,
    Level,
    StandardNormal,
    relative_to,
)
from vae_cli.models.generative import UNCONDITIONAL, Condition, Encoded, as_float32
from vae_cli.models.hierarchy import HierarchicalVAE, as_batch


@dataclass(frozen=True)
class LevelNetworks:
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
        lower_levels: the levels below the top.
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
        lower_levels: Sequence[LevelNetworks],
        outputs: keras.Model,
        posteriors: keras.Model,
        **parts: Any,
    ) -> None:
        super().__init__(**parts)
        self.posteriors = posteriors
        top = self.encoder.output["mean"].shape[-1]
        self.level_sizes = (top, *(networks.dim for networks in lower_levels))
        # a function, so that Keras doesn't list the decoder's networks a second time
        self._networks = lambda: (start, lower_levels, outputs)

    @property
    def inference_networks(self) -> list[keras.layers.Layer]:
        """The networks that make q(z|x)."""
        return [*super().inference_networks, self.posteriors]

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
        codes: Sequence[Any] | None = None,
    ) -> LadderLevels:
        """Draw each level given those above; shapes as in `VAE.levels`."""
        top_dim = self.level_sizes[0]
        of_top = None if noise is None else noise[..., :top_dim]
        (top,) = super().levels(encoded, of_top, condition, training, prior, codes)
        samples, batch = ops.shape(top.z)[:2]
        shared = encoded
        if top.z.shape[0] != 1:
            shared = {name: _repeated(x, samples) for name, x in encoded.items()}
        lower = noise[..., top_dim:] if codes is None else _joined(codes[1:])
        parts = self._parts(as_batch(lower))

        def drawn(level: int, q: Gaussian) -> Any:
            return q.sample(parts[level]) if codes is None else parts[level]

        below, state = self._descend(shared, as_batch(top.z), drawn, training)
        levels = [top]
        for arrays in below:
            mean, log_var, z = (
                ops.reshape(x, (samples, batch, x.shape[-1])) for x in arrays
            )
            levels.append(Level(z, Gaussian(mean, log_var), StandardNormal()))
        return LadderLevels(levels, state, training)

    def mean_posterior(self, encoded: Encoded, training: bool = False) -> Gaussian:
        """Return q(z|x) of the whole code, each level at the means of those above."""
        top = super().mean_posterior(encoded, training)
        below, _ = self._descend(encoded, top.mean, lambda _, q: q.mean, training)
        means, log_vars, _ = zip(*below, strict=True)
        return Gaussian(
            ops.concatenate([top.mean, *means], axis=-1),
            ops.concatenate([top.log_var, *log_vars], axis=-1),
        )

    def code_means(self, encoded: Encoded, levels: Any) -> Any:
        """Return posterior means of the whole code, [B, latent_dim].

        In training those of the levels as drawn, averaged over samples: a second pass
        for a statistic would cost as much as the first.
        """
        if not getattr(levels, "training", False):
            return super().code_means(encoded, levels)
        top = super().mean_posterior(encoded).mean
        below = [ops.mean(level.posterior.mean, axis=0) for level in levels[1:]]
        return ops.concatenate([top, *below], axis=-1)

    def logits(
        self,
        levels: Any,
        condition: Condition = UNCONDITIONAL,
        training: bool = False,
    ) -> Any:
        """Return logits [S, B, H, W, C], from the state that the levels left.

        Levels without one are decoded.
        """
        if not isinstance(levels, LadderLevels):
            return super().logits(levels, condition, training)
        *_, outputs = self._networks()
        logits = as_float32(outputs(levels.state, training=training))
        shape = (*ops.shape(levels[0].z)[:2], *logits.shape[1:])
        return ops.reshape(logits, shape)

    def _parts(self, below: Any) -> list[Any]:
        """Return the parts of the levels below the top, [N, latent_dim - d]."""
        ends = list(itertools.accumulate(self.level_sizes[1:]))
        return [
            below[:, e - d : e] for e, d in zip(ends, self.level_sizes[1:], strict=True)
        ]

    def _descend(
        self,
        encoded: Encoded,
        top: Any,
        drawn: Callable[[int, Gaussian], Any],
        training: bool,
    ) -> tuple[list[tuple[Any, Any, Any]], Any]:
        """Go from the top down.

        Args:
            encoded: of N images.
            top: z_0, [N, d].
            drawn: number of a level below the top, from 0, and its posterior relative
                to its prior, [N, d] -> its code, relative likewise.
            training: whether dropout and batch statistics are on.

        Returns:
            for each level below mean, log-variance and code; and the last state.
        """
        start, lower_levels, _ = self._networks()
        state = start(with_embedding(top, encoded.get("embedding")), training=training)
        levels = []
        for number, networks in enumerate(lower_levels):
            features = encoded[features_of(networks.size, networks.part)]
            q = Gaussian(**networks.posterior([state, features], training=training))
            p = Gaussian(**networks.prior(state, training=training))
            q = relative_to(p, q)
            z = drawn(number, q)
            levels.append((q.mean, q.log_var, z))
            state = networks.below([state, p.sample(z)], training=training)
        return levels, state


def features_of(size: int, part: int) -> str:
    """Return the name, among the encoder's outputs, of what a posterior gets."""
    return f"features_{size}_{part}"


def with_embedding(z: Any, embedding: Any) -> Any:
    """Return what the first network of the top-down pass takes."""
    return z if embedding is None else ops.concatenate([z, embedding], axis=-1)


def _joined(codes: Sequence[Any]) -> Any:
    return ops.concatenate(list(codes), axis=-1)


def _repeated(x: Any, samples: Any) -> Any:
    """Return [B, ...] as [samples * B, ...], sample by sample."""
    every = ops.broadcast_to(x, (samples, *ops.shape(x)))
    return ops.reshape(every, (-1, *x.shape[1:]))
