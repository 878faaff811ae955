"""Categorical codes: sampled, and relaxed in training."""

import math
from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf
from keras import ops

from vae_cli.config.latent import CategoricalConfig, Grid
from vae_cli.models.code_distributions import Categorical, PointMass
from vae_cli.models.quantizers.base import TableQuantizer


class CategoricalQuantizer(TableQuantizer):
    """Samples of categorical distributions, relaxed in training.

    The temperature of a step t is T_0 (T_1 / T_0)^min(t / steps, 1).

    Source: Jang et al., "Categorical reparameterization with Gumbel-softmax", 2017.
    """

    def __init__(self, config: CategoricalConfig, grid: Grid) -> None:
        super().__init__(config, grid)
        self._config = config
        self.noise_per_position = config.codes
        self.table = self.add_weight(
            name="table",
            shape=(config.codes, config.code_dim),
            initializer=keras.initializers.RandomNormal(stddev=1.0),
        )
        self._steps = self.add_weight(
            name="steps",
            shape=(),
            initializer="zeros",
            trainable=False,
            aggregation="only_first_replica",
        )

    @property
    def temperature(self) -> Any:
        """Of relaxed samples, at the step of now."""
        config = self._config
        done = tf.minimum(
            ops.convert_to_tensor(self._steps) / config.temperature_steps, 1.0
        )
        ratio = math.log(config.final_temperature / config.temperature)
        return config.temperature * tf.exp(ratio * done)

    def posterior(self, features: Any, training: bool) -> Categorical:
        """Return q(z|x); its samples are codes, in training relaxed ones."""
        temperature = self.temperature if training else None
        table = ops.convert_to_tensor(self.table)
        return Categorical(features, temperature, table, self.indices)

    def nearest(self, features: Any) -> PointMass:
        """Return the most probable code of logits [..., N, K]."""
        codes = ops.cast(ops.argmax(features, axis=-1), "int32")
        return PointMass(self.vectors(codes), codes)

    def update(
        self,
        batch: dict[str, Any],
        weight: Any,
        start: Any,
        total: Any,
        add_up: Callable[[Any], Any],
        seed: Any,
    ) -> None:
        """Count the step."""
        self._steps.assign(self._steps + 1)
