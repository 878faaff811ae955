"""Options of KL annealing: how beta grows during training."""

from dataclasses import dataclass
from typing import ClassVar

from vae_cli.config.option import Options, option
from vae_cli.registry import register

UNITS = ("epochs", "steps")


@dataclass
class KlAnnealingConfig(Options):
    """How beta grows during training."""

    anneals: ClassVar[bool] = True
    """Whether beta is ever below its full value."""
    is_cyclical: ClassVar[bool] = False
    """Whether beta falls again, so that the bound gets worse for a while."""


@register("kl_annealing", "auto")
@dataclass
class AutoAnnealingConfig(KlAnnealingConfig):
    """Linear over the first epochs for images larger than 32 x 32 grey, else none."""


@register("kl_annealing", "none")
@dataclass
class NoAnnealingConfig(KlAnnealingConfig):
    """Full beta from the first step."""

    anneals = False


@register("kl_annealing", "linear")
@dataclass
class LinearConfig(KlAnnealingConfig):
    """Beta grows in a straight line to its full value, then stays."""

    duration: float = option("length of the ramp, in `unit`", above=0, default=10.0)
    unit: str = option("unit of `duration`", choices=UNITS, default="epochs")
    start_fraction: float = option(
        "fraction of beta at step 0", at_least=0, at_most=1, default=0.0
    )


@register("kl_annealing", "sigmoid")
@dataclass
class SigmoidConfig(LinearConfig):
    """Beta grows along a logistic curve to its full value, then stays."""


@register("kl_annealing", "cyclical")
@dataclass
class CyclicalConfig(KlAnnealingConfig):
    """Beta ramps up and holds, repeatedly (Fu et al. 2019)."""

    period: float = option("length of a cycle, in `unit`", above=0, default=5.0)
    unit: str = option("unit of `period`", choices=UNITS, default="epochs")
    ramp_fraction: float = option(
        "fraction of a cycle spent growing", above=0, at_most=1, default=0.5
    )
    start_fraction: float = option(
        "fraction of beta where a cycle begins", at_least=0, at_most=1, default=0.0
    )
    cycles: int = option(
        "number of cycles; full beta afterwards", at_least=1, default=4
    )

    is_cyclical = True
