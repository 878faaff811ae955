"""KL annealing: the fraction of beta in force, as a pure function of the step.

Nothing is counted or kept: a resumed run is at the beta it left, and a function can
be plotted before training. A schedule is built from its options and the steps per
epoch.
"""

import math
from collections.abc import Callable
from typing import Any

from keras import ops

from vae_cli.config.kl_annealing import (
    CyclicalConfig,
    LinearConfig,
    NoAnnealingConfig,
    SigmoidConfig,
)
from vae_cli.registry import builds

Schedule = Callable[[Any], Any]
"""step (scalar) -> fraction of beta in [0, 1] (scalar float32)."""


@builds(NoAnnealingConfig)
def none(config: NoAnnealingConfig, steps_per_epoch: int) -> Schedule:
    """Full beta from the first step."""
    return lambda step: ops.ones((), "float32")


@builds(LinearConfig)
def linear(config: LinearConfig, steps_per_epoch: int) -> Schedule:
    """Grow in a straight line: s + (1 - s) * t, t = step / duration <= 1."""
    length = _steps(config.duration, config.unit, steps_per_epoch)

    def fraction(step: Any) -> Any:
        t = ops.minimum(ops.cast(step, "float32") / length, 1.0)
        return config.start_fraction + (1 - config.start_fraction) * t

    return fraction


@builds(SigmoidConfig)
def sigmoid(config: SigmoidConfig, steps_per_epoch: int) -> Schedule:
    """Grow along a logistic curve, rescaled to run from `start_fraction` to exactly 1.

    s(t) = (f(t) - f(0)) / (f(1) - f(0)), f(t) = 1 / (1 + exp(-12 (t - 1/2)))
    """
    length = _steps(config.duration, config.unit, steps_per_epoch)
    low = 1 / (1 + math.exp(6))
    high = 1 / (1 + math.exp(-6))

    def fraction(step: Any) -> Any:
        t = ops.minimum(ops.cast(step, "float32") / length, 1.0)
        curve = (ops.sigmoid(12 * (t - 0.5)) - low) / (high - low)
        return config.start_fraction + (1 - config.start_fraction) * curve

    return fraction


@builds(CyclicalConfig)
def cyclical(config: CyclicalConfig, steps_per_epoch: int) -> Schedule:
    """Ramp and hold, `cycles` times; full beta afterwards.

    Source: Fu et al., "Cyclical annealing schedule", 2019, eq. 6; R is `ramp_fraction`.
    """
    length = _steps(config.period, config.unit, steps_per_epoch)

    def fraction(step: Any) -> Any:
        cycles_done = ops.cast(step, "float32") / length
        t = ops.minimum((cycles_done % 1.0) / config.ramp_fraction, 1.0)
        t = ops.where(cycles_done < config.cycles, t, 1.0)
        return config.start_fraction + (1 - config.start_fraction) * t

    return fraction


def _steps(duration: float, unit: str, steps_per_epoch: int) -> float:
    return duration * steps_per_epoch if unit == "epochs" else duration
