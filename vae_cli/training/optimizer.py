"""Optimizers: Keras's own, with Adam's update as one operation."""

from typing import Any

import keras
import tensorflow as tf
from keras import ops

from vae_cli.config.optimizer import (
    AdamaxConfig,
    AdamConfig,
    AdamWConfig,
    OptimizerConfig,
)
from vae_cli.config.train import TrainConfig
from vae_cli.registry import build, builds


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


class _Fused(_ClippedApart):
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


class Adam(_Fused, keras.optimizers.Adam):
    """Keras's Adam, faster."""


class AdamW(_Fused, keras.optimizers.AdamW):
    """Keras's AdamW, faster."""


class Adamax(_ClippedApart, keras.optimizers.Adamax):
    """Keras's Adamax."""


@builds(AdamConfig)
def adam(config: AdamConfig, **options: Any) -> keras.optimizers.Optimizer:
    """Build Adam; `options` are learning rate and clipping."""
    return Adam(**_moments(config), **options)


@builds(AdamaxConfig)
def adamax(config: AdamaxConfig, **options: Any) -> keras.optimizers.Optimizer:
    """Build Adamax."""
    return Adamax(**_moments(config), **options)


@builds(AdamWConfig)
def adamw(config: AdamWConfig, **options: Any) -> keras.optimizers.Optimizer:
    """Build AdamW."""
    return AdamW(weight_decay=config.weight_decay, **_moments(config), **options)


def _moments(config: AdamConfig) -> dict[str, float]:
    return {
        "beta_1": config.beta_1,
        "beta_2": config.beta_2,
        "epsilon": config.epsilon,
    }


def build_optimizer(
    config: TrainConfig, steps_per_epoch: int, replicas: int = 1
) -> keras.optimizers.Optimizer:
    """Return the configured optimizer with its learning-rate schedule.

    Args:
        config: optimizer, schedule and the distribution's scaling are read.
        steps_per_epoch: training steps per epoch.
        replicas: how many share a batch.
    """
    options: OptimizerConfig = config.optimizer
    scale = {"none": 1.0, "linear": replicas, "sqrt": replicas**0.5}
    optimizer = build(
        options,
        learning_rate=build(
            config.learning_rate_schedule,
            options.learning_rate * scale[config.distribution.scaling],
            steps_per_epoch,
            config.epochs,
        ),
        # what is clipped is one replica's part of the mean gradient
        global_clipnorm=options.clip_norm and options.clip_norm / replicas,
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
