"""KL annealing: the share of beta in force, as a pure function of the step.

Nothing is counted or kept: a resumed run is at the beta it left, and a function can
be plotted before training. Adding one: write it, register it, add dataclass and YAML.
"""

import math
from collections.abc import Callable
from typing import Any

from keras import ops

from vae_cli.config.schema import CyclicalConfig, KlAnnealingConfig, RampConfig

Schedule = Callable[[Any], Any]
"""step (scalar) -> share of beta in [0, 1] (scalar float32)."""


def none(config: KlAnnealingConfig, steps_per_epoch: int) -> Schedule:
    """Full beta from the first step."""
    return lambda step: ops.ones((), "float32")


def linear(config: RampConfig, steps_per_epoch: int) -> Schedule:
    """Grow in a straight line: start + (1 - start) * t, t = step / duration <= 1."""
    length = _steps(config.duration, config.unit, steps_per_epoch)

    def share(step: Any) -> Any:
        t = ops.minimum(ops.cast(step, "float32") / length, 1.0)
        return config.start + (1 - config.start) * t

    return share


def sigmoid(config: RampConfig, steps_per_epoch: int) -> Schedule:
    """Grow along a logistic curve, rescaled to run from `start` to exactly 1.

    s(t) = (f(t) - f(0)) / (f(1) - f(0)), f(t) = 1 / (1 + exp(-12 (t - 1/2)))
    """
    length = _steps(config.duration, config.unit, steps_per_epoch)
    low = 1 / (1 + math.exp(6))
    high = 1 / (1 + math.exp(-6))

    def share(step: Any) -> Any:
        t = ops.minimum(ops.cast(step, "float32") / length, 1.0)
        curve = (ops.sigmoid(12 * (t - 0.5)) - low) / (high - low)
        return config.start + (1 - config.start) * curve

    return share


def cyclical(config: CyclicalConfig, steps_per_epoch: int) -> Schedule:
    """Ramp and hold, `cycles` times; full beta afterwards.

    Source: Fu et al., "Cyclical annealing schedule", 2019, eq. 6, with R = `ramp`.
    """
    length = _steps(config.period, config.unit, steps_per_epoch)

    def share(step: Any) -> Any:
        cycles_done = ops.cast(step, "float32") / length
        t = ops.minimum((cycles_done % 1.0) / config.ramp, 1.0)
        t = ops.where(cycles_done < config.cycles, t, 1.0)
        return config.start + (1 - config.start) * t

    return share


SCHEDULES: dict[str, Callable[[Any, int], Schedule]] = {
    "none": none,
    "linear": linear,
    "sigmoid": sigmoid,
    "cyclical": cyclical,
}


def build_annealing(config: KlAnnealingConfig, steps_per_epoch: int) -> Schedule:
    """Return the configured schedule."""
    return SCHEDULES[config.name](config, steps_per_epoch)


def _steps(duration: float, unit: str, steps_per_epoch: int) -> float:
    return duration * steps_per_epoch if unit == "epochs" else duration
