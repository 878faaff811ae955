"""Optimizers and learning-rate schedules, all Keras's own but for the warm-up."""

import math
from typing import Any

import keras
from keras import ops

from vae_cli.config.schema import (
    CosineConfig,
    LearningRateScheduleConfig,
    OptimizerConfig,
    StepConfig,
    TrainConfig,
)

OPTIMIZERS: dict[str, type[keras.optimizers.Optimizer]] = {
    "adam": keras.optimizers.Adam,
    "adamax": keras.optimizers.Adamax,
    "adamw": keras.optimizers.AdamW,
}


class LearningRate(keras.optimizers.schedules.LearningRateSchedule):
    """A schedule in epochs with a linear warm-up in front.

    Args:
        config: which schedule.
        peak: the optimizer's learning rate.
        steps_per_epoch: training steps an epoch.
        epochs: length of the run; the cosine ends there.
    """

    def __init__(
        self,
        config: LearningRateScheduleConfig,
        peak: float,
        steps_per_epoch: int,
        epochs: int,
    ) -> None:
        self._config = config
        self._peak = peak
        self._steps_per_epoch = steps_per_epoch
        self._epochs = epochs

    def __call__(self, step: Any) -> Any:
        """Return the rate at a step, scalar float32."""
        epoch = ops.cast(step, "float32") / self._steps_per_epoch
        warmup = self._config.warmup_epochs
        share = self._share(epoch)
        if warmup:
            share *= ops.minimum(epoch / warmup, 1.0)
        return self._peak * share

    def _share(self, epoch: Any) -> Any:
        config = self._config
        if isinstance(config, CosineConfig):
            t = ops.minimum(epoch / self._epochs, 1.0)
            cosine = 0.5 * (1 + ops.cos(math.pi * t))
            return config.final + (1 - config.final) * cosine
        if isinstance(config, StepConfig):
            return config.factor ** ops.floor(epoch / config.every_epochs)
        return ops.ones((), "float32")


def build_optimizer(
    config: TrainConfig, steps_per_epoch: int
) -> keras.optimizers.Optimizer:
    """Return the configured optimizer with its learning-rate schedule."""
    options: OptimizerConfig = config.optimizer
    own = {
        key: value
        for key, value in vars(options).items()
        if key not in ("name", "learning_rate", "clip_norm", "ema_decay")
    }
    if options.ema_decay is not None:
        own |= {"use_ema": True, "ema_momentum": options.ema_decay}
    return OPTIMIZERS[options.name](
        learning_rate=LearningRate(
            config.learning_rate_schedule,
            options.learning_rate,
            steps_per_epoch,
            config.epochs,
        ),
        global_clipnorm=options.clip_norm,
        **own,
    )
