"""Codes whose gradient is pathwise alone: through the sample, not through log q."""

from collections.abc import Callable, Iterable
from typing import Any

import keras
import tensorflow as tf

from vae_cli.models.distributions import Level, Levels
from vae_cli.models.generative import Condition, Encoded
from vae_cli.models.vae import VAE


def with_detached_posteriors(
    vae: VAE,
    encoded: Encoded,
    levels: Levels,
    condition: Condition,
    training: bool,
    through: Callable[[Any], Any] = lambda z: z,
) -> Levels:
    """Return the levels with posteriors in which the networks' weights are constant.

    They are still functions of the codes: the distribution of a lower level depends on
    the code above, and keeps that path. Priors are those of `levels`: the top's, and
    fixed ones below, as levels are written relative to their priors.

    Args:
        vae: the model.
        encoded: what the levels were drawn from.
        levels: drawn, S samples.
        condition: of the images.
        training: whether dropout and batch statistics are on.
        through: what each code passes through on its way to the densities.
    """
    codes = [through(level.z) for level in levels]
    constant = keras.tree.map_structure(tf.stop_gradient, encoded)
    with constant_weights(vae.variables):
        at_codes = vae.levels(
            constant, None, condition, training, levels[0].prior, codes
        )
    return [
        Level(z, now.posterior, level.prior)
        for z, now, level in zip(codes, at_codes, levels, strict=True)
    ]


def constant_weights(variables: Iterable[Any]) -> keras.StatelessScope:
    """Return a context in which no gradient reaches these variables."""
    return keras.StatelessScope(
        state_mapping=[(v, tf.stop_gradient(v.value)) for v in variables]
    )
