"""The moving average of a model's weights, which is validated and saved."""

import contextlib
from collections.abc import Iterator
from typing import Any

import keras
from keras import ops


class WeightAverage:
    """Moving average of weights, and of the statistics that normalize with them.

        average <- average + (1 - decay) (value - average)

    It starts at the values themselves. Batch normalization's moving mean and variance
    are those of the raw weights; averaged with the same decay, they fit the average.

    Keras's own starts at zero and copies the weights in the first step, which a loss
    scale may skip; and it leaves the statistics out.

    Args:
        model: whose trainable weights and batch statistics are averaged.
        decay: of the average, a step.
    """

    def __init__(self, model: keras.Model, decay: float) -> None:
        self._decay = decay
        self._values = [*model.trainable_variables, *batch_statistics(model)]
        self.variables = [
            keras.Variable(ops.convert_to_numpy(value), trainable=False, name="average")
            for value in self._values
        ]

    def update(self) -> None:
        """Move towards the values of now; called within a step, on every replica."""
        for average, value in zip(self.variables, self._values, strict=True):
            average.assign(average + (1 - self._decay) * (value - average))

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
        for average, value in zip(self.variables, self._values, strict=True):
            raw = ops.copy(value)
            value.assign(average)
            average.assign(raw)


def batch_statistics(model: keras.Model) -> list[Any]:
    """Return the moving means and variances of a model's batch normalization."""
    return [
        statistic
        for layer in model._flatten_layers()
        if isinstance(layer, keras.layers.BatchNormalization)
        for statistic in (layer.moving_mean, layer.moving_variance)
    ]
