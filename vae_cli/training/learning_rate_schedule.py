"""Learning-rate schedules: Keras's own, and a linear warm-up before them.

Each is built from its options, the peak rate, the steps per epoch and the epochs of the
run, and is a number or a Keras schedule in steps.
"""

from typing import Any

import keras
from keras import ops
from keras.optimizers.schedules import LearningRateSchedule as Schedule

from vae_cli.config.learning_rate_schedule import (
    ConstantConfig,
    CosineConfig,
    LearningRateScheduleConfig,
    StepConfig,
)
from vae_cli.registry import builds

SCHEDULES = keras.optimizers.schedules


class Warmup(Schedule):
    """A straight line up to `schedule`, which begins where the line ends.

    Args:
        schedule: step -> rate.
        steps: length of the line; the first step already has a fraction of the rate.
    """

    def __init__(self, schedule: Schedule, steps: int) -> None:
        self._schedule = schedule
        self._steps = steps

    def __call__(self, step: Any) -> Any:
        """Return the rate at a step, scalar float32."""
        step = ops.cast(step, "float32")
        fraction = ops.minimum((step + 1) / self._steps, 1.0)
        return fraction * self._schedule(ops.maximum(step - self._steps, 0.0))


@builds(ConstantConfig)
def constant(
    config: ConstantConfig, peak: float, steps_per_epoch: int, epochs: int
) -> float | Schedule:
    """Return the peak throughout."""
    if not _warmup_steps(config, steps_per_epoch):
        return peak
    return _warmed_up(SCHEDULES.ExponentialDecay(peak, 1, 1.0), config, steps_per_epoch)


@builds(CosineConfig)
def cosine(
    config: CosineConfig, peak: float, steps_per_epoch: int, epochs: int
) -> Schedule:
    """Return half a cosine that ends with the run."""
    warmup = _warmup_steps(config, steps_per_epoch)
    length = max(1, epochs * steps_per_epoch - warmup)
    schedule = SCHEDULES.CosineDecay(peak, length, alpha=config.final_fraction)
    return _warmed_up(schedule, config, steps_per_epoch)


@builds(StepConfig)
def step(
    config: StepConfig, peak: float, steps_per_epoch: int, epochs: int
) -> Schedule:
    """Return a rate that drops at regular intervals."""
    interval = config.every_epochs * steps_per_epoch
    schedule = SCHEDULES.ExponentialDecay(peak, interval, config.factor, staircase=True)
    return _warmed_up(schedule, config, steps_per_epoch)


def _warmup_steps(config: LearningRateScheduleConfig, steps_per_epoch: int) -> int:
    return round(config.warmup_epochs * steps_per_epoch)


def _warmed_up(
    schedule: Schedule, config: LearningRateScheduleConfig, steps_per_epoch: int
) -> Schedule:
    warmup = _warmup_steps(config, steps_per_epoch)
    return Warmup(schedule, warmup) if warmup else schedule
