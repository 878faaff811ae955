"""Options of objectives with a constraint on one of the ELBO's two terms."""

from dataclasses import dataclass

from vae_cli.config.kl_annealing import UNITS
from vae_cli.config.objective import ObjectiveConfig
from vae_cli.config.option import option
from vae_cli.registry import register


@register("objective", "capacity")
@dataclass
class CapacityConfig(ObjectiveConfig):
    """A KL that follows a capacity that grows (Burgess et al. 2018)."""

    capacity: float = option(
        "nats that the KL has at the end", at_least=0, default=25.0
    )
    gamma: float = option(
        "weight of the distance between KL and capacity", above=0, default=100.0
    )
    duration: float = option(
        "time over which the capacity grows from 0, in `unit`", above=0, default=10.0
    )
    unit: str = option("unit of `duration`", choices=UNITS, default="epochs")

    needs_whole_batch = True
    replaces_kl = True

    @property
    def takes_free_bits(self) -> bool:
        """Whether its loss has a KL per dimension, which free bits need."""
        return False


@register("objective", "geco")
@dataclass
class GecoConfig(ObjectiveConfig):
    """The smallest KL of a given reconstruction (Rezende & Viola 2018)."""

    error: str = option(
        "what is constrained: nll, -log p(x|z) in nats per image, or mse, the squared "
        "error of a pixel in [0, 1]",
        choices=("nll", "mse"),
        default="nll",
    )
    tolerance: float = option("the largest mean error allowed", default=100.0)
    rate: float = option(
        "step size of the multiplier's logarithm, per unit of error of a pixel",
        above=0,
        at_most=100,
        default=0.1,
    )
    smoothing: float = option(
        "decay of the constraint's moving average, a step",
        at_least=0,
        below=1,
        default=0.99,
    )

    @property
    def compares_pixels(self) -> bool:
        """Whether every pixel of an image enters, missing ones too."""
        return self.error == "mse"
