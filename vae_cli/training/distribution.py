"""Distribution: the replicas that share each batch, and how gradients are combined.

Each replica computes its shard of the sums over the batch; summed over replicas they
are the batch's own, so that one replica and many take the same steps.
"""

import contextlib
from collections.abc import Callable
from functools import partial
from typing import Any

import tensorflow as tf

from vae_cli.config.distribution import DistributionConfig
from vae_cli.data.pipeline import Replicas
from vae_cli.errors import ConfigError
from vae_cli.plugins import plugin_words
from vae_cli.registry import build

LOST = (
    tf.errors.UnavailableError,
    tf.errors.AbortedError,
    tf.errors.CancelledError,
    tf.errors.DeadlineExceededError,
)
"""What TensorFlow raises when another worker doesn't answer."""


class Distribution:
    """One replica, or those of a `tf.distribute` strategy.

    Args:
        strategy: where there are several.
        static: whether every shard must have the same, static size, as on a TPU.
    """

    def __init__(
        self, strategy: tf.distribute.Strategy | None = None, static: bool = False
    ) -> None:
        self._strategy = strategy
        self.static = static
        self.replicas: int = strategy.num_replicas_in_sync if strategy else 1
        self.workers = 1
        if isinstance(strategy, tf.distribute.MultiWorkerMirroredStrategy):
            self.workers = strategy.cluster_resolver.cluster_spec().num_tasks("worker")
        self._add: Callable[[tf.Tensor], tf.Tensor] | None = None

    @property
    def gathers(self) -> bool:
        """Whether the compiled step takes its pixels from where all of them lie."""
        return self._strategy is None

    def scope(self) -> contextlib.AbstractContextManager[Any]:
        """Return the context in which variables are made."""
        return self._strategy.scope() if self._strategy else contextlib.nullcontext()

    def run(self, step: Callable[[Any], None], shard: Any) -> None:
        """Take a step on every replica, each with its shard."""
        if self._strategy:
            self._strategy.run(step, args=(shard,))
        else:
            step(shard)

    def any(self, flag: bool) -> bool:
        """Return whether a flag is set on any worker; all must ask at once."""
        return self._total(float(flag)) > 0

    def same(self, value: int) -> bool:
        """Return whether a 32-bit number is the same on all workers; likewise."""
        return self._total(float(value)) == self.workers * float(value)

    def _total(self, value: float) -> float:
        """Add a number up over workers."""
        if self.workers == 1:
            return value
        if self._add is None:
            self._add = tf.function(partial(_added, self._strategy))
        return float(self._add(tf.constant(value, tf.float64)))

    def resume_command(self, folder: object) -> str:
        """Return what to type to go on with a run."""
        if self.workers == 1:
            return f"vae-train {plugin_words()}resume={folder}"
        words = f"{plugin_words()}resume={folder}"
        return f"vae launch --workers {self.workers} train {words}"

    def lost(self, error: Exception) -> bool:
        """Return whether an error means that another worker is gone."""
        return self.workers > 1 and isinstance(error, LOST)

    def sum(self, values: Any) -> Any:
        """Add up over replicas; called within a step, on one tensor or a list."""
        if not self._strategy:
            return values
        context = tf.distribute.get_replica_context()
        return context.all_reduce(tf.distribute.ReduceOp.SUM, values)

    def mean(self, values: Any) -> Any:
        """Average over replicas; called within a step, on one tensor or a list."""
        if not self._strategy:
            return values
        context = tf.distribute.get_replica_context()
        return context.all_reduce(tf.distribute.ReduceOp.MEAN, values)

    def dataset(
        self, pipeline: Callable[[Replicas], tf.data.Dataset]
    ) -> tf.data.Dataset:
        """Return what `fit` iterates over: the shards of this process's replicas.

        Not `distribute_datasets_from_function`: the iterators that it makes, one for
        each device, are tuned by a thread that sleeps, whatever the dataset's options
        say, and destroying one waits for it.

        Args:
            pipeline: makes the shards of the replicas that it feeds, in turn.
        """
        numbers: list[int] = []

        def number(context: tf.distribute.experimental.ValueContext) -> tf.Tensor:
            numbers.append(context.replica_id_in_sync_group)
            return tf.constant(0)

        if not self._strategy:
            return pipeline(Replicas())
        self._strategy.experimental_distribute_values_from_function(number)
        return pipeline(Replicas(min(numbers), len(numbers), self.replicas))

    def next_shard(self, iterator: Any) -> Any:
        """Take from `dataset` what `run` gives to each replica of this process."""
        if not self._strategy:
            return next(iterator)
        own = [next(iterator) for _ in range(self.replicas // self.workers)]
        return self._strategy.experimental_distribute_values_from_function(
            lambda context: own[context.replica_id_in_sync_group % len(own)]
        )


def build_distribution(config: DistributionConfig, batch_size: int) -> Distribution:
    """Start the configured strategy.

    Args:
        config: which one.
        batch_size: what its replicas are to shard.

    Raises:
        ConfigError: its devices are not there, or can't share the batch equally.
    """
    strategy: tf.distribute.Strategy | None = build(config)
    distribution = Distribution(strategy, static=config.pads_batches)
    left = batch_size % distribution.replicas
    if left:
        near = {batch_size - left, batch_size - left + distribution.replicas} - {0}
        raise ConfigError(
            f"batch_size={batch_size} can't be shared equally by "
            f"{distribution.replicas} replicas.",
            "the nearest that can: "
            + ", ".join(f"batch_size={n}" for n in sorted(near)),
        )
    return distribution


def _added(strategy: tf.distribute.Strategy, value: tf.Tensor) -> tf.Tensor:
    def everywhere() -> tf.Tensor:
        context = tf.distribute.get_replica_context()
        # a copy, so that the value lies on a device
        return context.all_reduce(tf.distribute.ReduceOp.SUM, tf.identity(value))

    replicas = strategy.experimental_local_results(strategy.run(everywhere))
    return replicas[0] / len(replicas)  # each has added its worker's value
