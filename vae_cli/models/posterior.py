"""Posteriors: the family of distributions q(z|x) that the encoder picks from."""

from collections.abc import Sequence
from typing import Any

import keras

from vae_cli.config.posterior import (
    FlowPosteriorConfig,
    GaussianPosteriorConfig,
    IafPosteriorConfig,
    PlanarPosteriorConfig,
    PosteriorConfig,
)
from vae_cli.models.architectures.base import with_features
from vae_cli.models.distributions import Distribution, Gaussian
from vae_cli.models.flow_distributions import Transformed
from vae_cli.models.flows import Chain, Flow, Planar, autoregressive
from vae_cli.registry import builds


@builds(GaussianPosteriorConfig)
class Posterior(keras.layers.Layer):
    """Base of all posteriors, and the Gaussian one; float32.

    Args:
        config: its options.
        dim: dimensions of z; with several levels, of the top.
    """

    in_encoder = True
    """Whether the encoder's `mean` and `log_var` are those of q(z|x)."""

    def __init__(self, config: PosteriorConfig, dim: int) -> None:
        super().__init__(name="posterior", dtype="float32")

    def encoder(self, encoder: keras.Model) -> keras.Model:
        """Return an architecture's encoder with what the family needs of the image."""
        return encoder

    def distribution(self, encoded: dict[str, Any]) -> Distribution:
        """Return q(z|x).

        Args:
            encoded: outputs of the encoder, [..., d] and others.
        """
        return Gaussian(encoded["mean"], encoded["log_var"])


class FlowPosterior(Posterior):
    """A Gaussian that is transformed by a flow, which depends on the image.

    Args:
        config: its options.
        dim: dimensions of z; with several levels, of the top.
        steps: of the flow.
    """

    in_encoder = False

    def __init__(
        self, config: FlowPosteriorConfig, dim: int, steps: Sequence[Flow]
    ) -> None:
        super().__init__(config, dim)
        self._condition_units = config.condition_units
        self._option = f"posterior={config.name}"
        self._flow = Chain(steps)
        self._flow_layers = list(self._flow.layers)

    def encoder(self, encoder: keras.Model) -> keras.Model:
        """Return the encoder with one more output, `condition` [B, condition_units]."""
        condition = keras.layers.Dense(
            self._condition_units, activation="elu", name="condition"
        )
        return with_features(encoder, "condition", self._option, condition)

    def distribution(self, encoded: dict[str, Any]) -> Transformed:
        """Return q(z|x)."""
        base = Gaussian(encoded["mean"], encoded["log_var"])
        return Transformed(base, self._flow, encoded["condition"])


@builds(IafPosteriorConfig)
class IafPosterior(FlowPosterior):
    """Inverse autoregressive flow; every other step has the reverse order.

    Source: Kingma et al., "Improved variational inference with inverse autoregressive
    flow", 2016, algorithm 1.
    """

    def __init__(self, config: IafPosteriorConfig, dim: int) -> None:
        units, inputs = config.hidden_units, config.condition_units
        super().__init__(
            config,
            dim,
            [
                autoregressive(dim, units, inputs, i % 2 == 1, f"step_{i}", gated=True)
                for i in range(config.steps)
            ],
        )


@builds(PlanarPosteriorConfig)
class PlanarPosterior(FlowPosterior):
    """Planar flow.

    Source: Rezende & Mohamed, "Variational inference with normalizing flows", 2015.
    """

    def __init__(self, config: PlanarPosteriorConfig, dim: int) -> None:
        inputs = config.condition_units
        steps = [Planar(dim, inputs, f"step_{i}") for i in range(config.steps)]
        super().__init__(config, dim, steps)
