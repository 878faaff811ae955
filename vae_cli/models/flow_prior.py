"""Priors by flow: p(z) of the codes that learned steps turn into standard normal ones.

A prior's density is needed at every training step, at codes of the posterior: steps
are computed from z to the normal u. A coupling layer is as cheap in the other
direction; an autoregressive step is not, and samples take a pass for each dimension.
"""

from collections.abc import Sequence
from typing import Any

from vae_cli.config.prior import FlowPriorConfig, IafPriorConfig, RealNvpPriorConfig
from vae_cli.models.flow_distributions import Normalized
from vae_cli.models.flows import Chain, Flow, autoregressive, coupling
from vae_cli.models.prior import Prior
from vae_cli.registry import builds


class FlowPrior(Prior):
    """p(z|y) = N(f(z); 0, I) |det df/dz|.

    Args:
        config: its options.
        dim: dimensions of the top level of z.
        embedding_dim: of y's embedding, on which f depends; 0 for a prior p(z).
    """

    def __init__(
        self, config: FlowPriorConfig, dim: int, embedding_dim: int = 0
    ) -> None:
        super().__init__(config, dim)
        self.conditional = embedding_dim > 0
        self._flow = Chain(
            [
                self._step(dim, config.hidden_units, embedding_dim, i)
                for i in range(config.steps)
            ]
        )
        self._flow_layers = list(self._flow.layers)

    def _step(
        self, dim: int, hidden_units: Sequence[int], embedding_dim: int, number: int
    ) -> Flow:
        raise TypeError(f"{type(self).__name__} has no steps")

    def distribution(self, embedding: Any = None) -> Normalized:
        """Return p(z|y), or p(z) where it doesn't depend on y."""
        return Normalized(self._flow, embedding if self.conditional else None)


@builds(RealNvpPriorConfig)
class RealNvpPrior(FlowPrior):
    """Affine coupling layers; in every other one the other half of z stays.

    Source: Dinh et al., "Density estimation using Real NVP", 2017.
    """

    def _step(
        self, dim: int, hidden_units: Sequence[int], embedding_dim: int, number: int
    ) -> Flow:
        return coupling(
            dim, hidden_units, embedding_dim, number % 2 == 1, f"step_{number}"
        )


@builds(IafPriorConfig)
class IafPrior(FlowPrior):
    """Autoregressive steps; every other one has the reverse order.

    A masked autoregressive flow (MAF): the steps of `posterior=iaf`, run from z to the
    noise, so that densities take one pass.

    Source: Papamakarios et al., "Masked autoregressive flow for density estimation",
    2017; Chen et al., "Variational lossy autoencoder", 2017.
    """

    def _step(
        self, dim: int, hidden_units: Sequence[int], embedding_dim: int, number: int
    ) -> Flow:
        return autoregressive(
            dim, hidden_units, embedding_dim, number % 2 == 1, f"step_{number}"
        )
