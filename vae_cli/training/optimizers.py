"""Optimizers and learning-rate schedules, all Keras's own but for the warm-up."""

from typing import Any

import keras
import tensorflow as tf
from keras import ops

from vae_cli.config.hardware import DistributionConfig
from vae_cli.config.schema import (
    CosineConfig,
    LearningRateScheduleConfig,
    OptimizerConfig,
    StepConfig,
    TrainConfig,
)


class _ClippedApart:
    """Clips the gradients of some of its variables by a norm of their own."""

    clipped_apart = 0
    """How many of the last variables those are."""

    def _clip_gradients(self: Any, grads: Any) -> list[Any]:
        clip: Any = super()._clip_gradients  # type: ignore[misc]
        if not self.clipped_apart:
            return clip(grads)
        first = len(grads) - self.clipped_apart
        return [*clip(grads[:first]), *clip(grads[first:])]


class _AtOnce(_ClippedApart):
    """Adam's update of a variable as one operation instead of ten; the same formula."""

    def update_step(
        self: Any, gradient: Any, variable: Any, learning_rate: Any
    ) -> None:
        """Change a variable and its two moments."""
        index = self._get_variable_index(variable)
        step = ops.cast(self.iterations + 1, variable.dtype)
        tf.raw_ops.ResourceApplyAdam(
            var=variable.handle,
            m=self._momentums[index].value.handle,
            v=self._velocities[index].value.handle,
            beta1_power=ops.power(self.beta_1, step),
            beta2_power=ops.power(self.beta_2, step),
            lr=ops.cast(learning_rate, variable.dtype),
            beta1=self.beta_1,
            beta2=self.beta_2,
            epsilon=self.epsilon,
            grad=ops.cast(gradient, variable.dtype),
        )


class Adam(_AtOnce, keras.optimizers.Adam):
    """Keras's Adam, sooner."""


class AdamW(_AtOnce, keras.optimizers.AdamW):
    """Keras's AdamW, sooner."""


class Adamax(_ClippedApart, keras.optimizers.Adamax):
    """Keras's Adamax."""


OPTIMIZERS: dict[str, type[keras.optimizers.Optimizer]] = {
    "adam": Adam,
    "adamax": Adamax,
    "adamw": AdamW,
}

SCHEDULES = keras.optimizers.schedules


class Warmup(keras.optimizers.schedules.LearningRateSchedule):
    """A straight line up to `schedule`, which begins where the line ends.

    Args:
        schedule: step -> rate.
        steps: length of the line; the first step already takes a share of the rate.
    """

    def __init__(
        self, schedule: keras.optimizers.schedules.LearningRateSchedule, steps: int
    ) -> None:
        self._schedule = schedule
        self._steps = steps

    def __call__(self, step: Any) -> Any:
        """Return the rate at a step, scalar float32."""
        step = ops.cast(step, "float32")
        share = ops.minimum((step + 1) / self._steps, 1.0)
        return share * self._schedule(ops.maximum(step - self._steps, 0.0))


def learning_rate(
    config: LearningRateScheduleConfig, peak: float, steps_per_epoch: int, epochs: int
) -> float | keras.optimizers.schedules.LearningRateSchedule:
    """Return the learning rate: a number, or a schedule in steps.

    Args:
        config: which schedule.
        peak: the optimizer's learning rate.
        steps_per_epoch: training steps an epoch.
        epochs: length of the run; the cosine ends there.
    """
    warmup = round(config.warmup_epochs * steps_per_epoch)
    if isinstance(config, CosineConfig):
        length = max(1, epochs * steps_per_epoch - warmup)
        schedule = SCHEDULES.CosineDecay(peak, length, alpha=config.final)
    elif isinstance(config, StepConfig):
        interval = config.every_epochs * steps_per_epoch
        schedule = SCHEDULES.ExponentialDecay(
            peak, interval, config.factor, staircase=True
        )
    elif warmup:
        schedule = SCHEDULES.ExponentialDecay(peak, 1, 1.0)  # constant
    else:
        return peak
    return Warmup(schedule, warmup) if warmup else schedule


def build_optimizer(
    config: TrainConfig, steps_per_epoch: int, replicas: int = 1
) -> keras.optimizers.Optimizer:
    """Return the configured optimizer with its learning-rate schedule.

    Args:
        config: optimizer, schedule and the distribution's scaling are read.
        steps_per_epoch: training steps an epoch.
        replicas: how many share a batch.
    """
    options: OptimizerConfig = config.optimizer
    own = {
        key: value
        for key, value in vars(options).items()
        if key not in ("name", "learning_rate", "clip_norm", "ema_decay")
    }
    optimizer = OPTIMIZERS[options.name](
        learning_rate=learning_rate(
            config.learning_rate_schedule,
            options.learning_rate * _scale(config.distribution, replicas),
            steps_per_epoch,
            config.epochs,
        ),
        # what is clipped is one replica's part of the mean gradient
        global_clipnorm=options.clip_norm and options.clip_norm / replicas,
        **own,
    )
    return LossScale(optimizer) if config.precision == "mixed_float16" else optimizer


class LossScale(keras.optimizers.LossScaleOptimizer):
    """Keras's loss scaling, but that a step whose gradients overflow counts as one.

    Noise and order are keyed by the step: not counted, it would be taken again, and
    the epoch would not end where its batches end.
    """

    def _stateful_handle_non_finite_grads(self) -> None:
        super()._stateful_handle_non_finite_grads()
        self.inner_optimizer.iterations.assign_add(1)


def unscaled(optimizer: keras.optimizers.Optimizer) -> keras.optimizers.Optimizer:
    """Return the optimizer that a loss scale wraps, where there is one."""
    return getattr(optimizer, "inner_optimizer", optimizer)


def _scale(config: DistributionConfig, replicas: int) -> float:
    """Return what the learning rate is multiplied by."""
    how = getattr(config, "learning_rate_scaling", "none")
    return {"none": 1.0, "linear": replicas, "sqrt": replicas**0.5}[how]
