"""The moving average of a model's weights, which is validated and saved."""

import contextlib
from collections.abc import Iterator
from typing import Any, NamedTuple

import keras
from keras import ops


class Statistic(NamedTuple):
    """A moving mean or variance of batch normalization."""

    value: Any  # the variable
    initial: Any  # its first value, float32
    kept: float  # the fraction of itself that it keeps in a training step


class WeightAverage:
    """Moving average of weights, and of the statistics that normalize with them.

        average <- average + (1 - decay) (value - average)

    It starts at the weights themselves. Keras's own starts at zero and copies the
    weights in the first step, which a loss scale may skip.

    Batch normalization's moving mean and variance are those of the raw weights. Their
    average has the same decay. It leaves out the constants 0 and 1 that they start
    from, of which a fraction kept^t is left in them after t steps, and it starts at
    those of the first batch: no weights ever had the constants as their statistics.

    Args:
        model: whose trainable weights and batch statistics are averaged.
        decay: of the average, a step.
    """

    def __init__(self, model: keras.Model, decay: float) -> None:
        self._decay = decay
        self._weights = list(model.trainable_variables)
        self._statistics = batch_statistics(model)
        self._values = [*self._weights, *(s.value for s in self._statistics)]
        self._steps = keras.Variable(0.0, trainable=False, name="averaged_steps")
        self._averages = [
            keras.Variable(ops.convert_to_numpy(value), trainable=False, name="average")
            for value in self._values
        ]
        self.variables = [*self._averages, self._steps]

    def update(self) -> None:
        """Move towards the values of now; called within a step, on every replica."""
        self._steps.assign(self._steps + 1)
        steps = ops.convert_to_tensor(self._steps)
        count = len(self._weights)
        for average, weight in zip(self._averages[:count], self._weights, strict=True):
            average.assign(average + (1 - self._decay) * (weight - average))
        rate = ops.where(steps == 1, 1.0, 1 - self._decay)
        pairs = zip(self._averages[count:], self._statistics, strict=True)
        for average, (value, initial, kept) in pairs:
            left = ops.power(kept, steps)
            settled = (value - left * initial) / (1 - left)
            average.assign(average + rate * (settled - average))

    @contextlib.contextmanager
    def in_place(self) -> Iterator[None]:
        """Put the average in the place of the values.

        Each goes through a copy, so that the raw values come back to the bit.
        """
        self._swap()
        try:
            yield
        finally:
            self._swap()

    def _swap(self) -> None:
        for average, value in zip(self._averages, self._values, strict=True):
            raw = ops.copy(value)
            value.assign(average)
            average.assign(raw)


def batch_statistics(model: keras.Model) -> list[Statistic]:
    """Return the moving means and variances of a model that was just built."""
    # of two levels, the posterior and the decoder each call the bottom's prior
    twice = getattr(model, "bottom_prior", None)
    twice = set(map(id, twice._flatten_layers())) if twice else set()
    return [
        Statistic(
            statistic,
            ops.convert_to_numpy(statistic),
            layer.momentum ** (2 if id(layer) in twice else 1),
        )
        for layer in model._flatten_layers()
        if isinstance(layer, keras.layers.BatchNormalization)
        for statistic in (layer.moving_mean, layer.moving_variance)
    ]
