"""How long an epoch takes, from a few training steps that are discarded."""

import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import tensorflow as tf

from vae_cli.config.train import TrainConfig
from vae_cli.data.splits import ImageData
from vae_cli.training.build import steps_per_epoch
from vae_cli.training.distribution import Distribution
from vae_cli.training.feeding import training_shards, validation_shards
from vae_cli.training.learner import Learner

SECONDS, VALIDATION_SECONDS = 2.0, 0.5
"""Time that the measured steps take together, if one step is not longer."""
FEWEST_STEPS, MOST_STEPS = 4, 500
SLOW = 10.0
"""Seconds of a step above which a single one is measured."""


@dataclass(frozen=True)
class Speed:
    """How long training takes on this machine.

    Attributes:
        steps: training steps that were measured, of full batches.
        seconds_per_step: of training.
        images_per_second: of training.
        seconds_to_compile: until the first step was done.
        seconds_per_epoch: of all its steps, and the pass over validation images.
        seconds_per_validation: of that pass alone.
        hours: of all epochs.
    """

    steps: int
    seconds_per_step: float
    images_per_second: float
    seconds_to_compile: float
    seconds_per_epoch: float
    seconds_per_validation: float
    hours: float

    def to_json(self) -> dict[str, Any]:
        """Return them for a report."""
        return {name: _rounded(value) for name, value in asdict(self).items()}


def measure_speed(
    config: TrainConfig, data: ImageData, learner: Learner, distribution: Distribution
) -> Speed:
    """Take training steps, and a few of validation, and time them.

    The learner is no longer as it was: its weights have moved.

    Args:
        config: of the run.
        data: the images.
        learner: compiled, as for training.
        distribution: the replicas that share each batch.
    """
    size, steps = config.batch_size, steps_per_epoch(config, data)
    batch = min(size, len(data.train))
    planned = learner.steps_per_execution
    learner.make_train_function()

    def training() -> tf.data.Dataset:
        learner.optimizer.iterations.assign(0)  # the first epoch again
        return training_shards(config, data, learner, distribution, steps)

    train = _Repeated(
        learner, learner.train_function, training, len(data.train) // size or 1
    )
    compiling = train.seconds(1)
    train.seconds(1)  # the first one after that still makes room for its results
    count, seconds = train.measured(SECONDS, planned)
    validation = 0.0
    if len(data.validation):
        batches = -(-len(data.validation) // size)
        learner.make_test_function()
        test = _Repeated(
            learner,
            learner.test_function,
            lambda: validation_shards(config, data, distribution),
            len(data.validation) // size or 1,
        )
        compiling += test.seconds(1)
        tested, taken = test.measured(VALIDATION_SECONDS, planned)
        validation = batches * taken / tested
    learner.steps_per_execution = planned
    epoch = steps * seconds / count + validation
    return Speed(
        steps=count,
        seconds_per_step=seconds / count,
        images_per_second=batch * count / seconds,
        seconds_to_compile=compiling,
        seconds_per_epoch=epoch,
        seconds_per_validation=validation,
        hours=config.epochs * epoch / 3600,
    )


class _Repeated:
    """Steps over full batches, again and again from the first.

    A batch of another size might be compiled anew, in the middle of what is measured.

    Args:
        learner: takes the steps.
        function: that `fit` would call.
        dataset: makes the batches of an epoch.
        batches: full ones of an epoch.
    """

    def __init__(
        self,
        learner: Learner,
        function: Callable[[Any], dict[str, Any]],
        dataset: Callable[[], tf.data.Dataset],
        batches: int,
    ) -> None:
        self._learner, self._function, self._dataset = learner, function, dataset
        self._batches, self._left = batches, 0
        self._iterator: Iterator[Any] = iter(())

    def measured(self, wanted: float, most: int) -> tuple[int, float]:
        """Take steps for about so many seconds.

        Args:
            wanted: seconds.
            most: steps per call.

        Returns:
            how many, and the seconds that they took.
        """
        one = self.seconds(1)
        if one > SLOW:
            return 1, one
        count = min(MOST_STEPS, max(FEWEST_STEPS, int(wanted / max(one, 1e-6))))
        return count, self.seconds(count, most)

    def seconds(self, count: int, most: int = 1) -> float:
        """Return the seconds that so many steps take, at most `most` in a call."""
        began = time.perf_counter()
        logs: dict[str, Any] = {}
        while count:
            if not self._left:
                self._learner.reset_metrics()
                self._learner.set_num_batches(self._batches, self._batches)
                self._iterator = iter(self._dataset())
                self._left = self._batches
            steps = min(count, most, self._left)
            self._learner.steps_per_execution = steps
            logs = self._function(self._iterator)
            self._left -= steps
            count -= steps
        _ = [np.asarray(value) for value in logs.values()]  # a GPU has caught up then
        return time.perf_counter() - began


def _rounded(value: float) -> float:
    return value if isinstance(value, int) else float(f"{value:.4g}")
