"""Distribution: the replicas that share each batch, and how they come to agree.

Each replica computes its share of the sums over the batch; summed over replicas they
are the batch's own, so that one replica and many take the same steps.
"""

import contextlib
from collections.abc import Callable
from typing import Any

import tensorflow as tf

from vae_cli.config.hardware import (
    DistributionConfig,
    MirroredConfig,
    MultiWorkerConfig,
    TpuConfig,
)
from vae_cli.data.pipeline import Replicas
from vae_cli.errors import ConfigError


class Distribution:
    """One replica, or those of a `tf.distribute` strategy.

    Args:
        strategy: where there are several.
    """

    def __init__(self, strategy: tf.distribute.Strategy | None = None) -> None:
        self._strategy = strategy
        self.replicas: int = strategy.num_replicas_in_sync if strategy else 1

    @property
    def gathers(self) -> bool:
        """Whether the compiled step takes its pixels from where all of them lie."""
        return self._strategy is None

    @property
    def is_chief(self) -> bool:
        """Whether this process writes the run folder."""
        resolver = self._strategy and self._strategy.cluster_resolver
        return not resolver or not resolver.task_id

    def scope(self) -> contextlib.AbstractContextManager[Any]:
        """Return the context in which variables are made and `fit` is called."""
        return self._strategy.scope() if self._strategy else contextlib.nullcontext()

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

    def as_logs(self, logs: dict[str, Any]) -> dict[str, Any]:
        """Return logs as Keras `fit` can reduce them: it averages over an axis."""
        if isinstance(self._strategy, tf.distribute.MultiWorkerMirroredStrategy):
            return {name: tf.reshape(value, (1,)) for name, value in logs.items()}
        return logs

    def dataset(self, pipeline: Callable[[Replicas], tf.data.Dataset]) -> Any:
        """Return what `fit` iterates over.

        Args:
            pipeline: makes the shares of the replicas that it feeds.
        """
        if not self._strategy:
            return pipeline(Replicas())

        def of_worker(context: tf.distribute.InputContext) -> tf.data.Dataset:
            count = self.replicas // context.num_input_pipelines
            first = count * context.input_pipeline_id
            return pipeline(Replicas(first, count, self.replicas))

        return self._strategy.distribute_datasets_from_function(of_worker)


def build_distribution(config: DistributionConfig) -> Distribution:
    """Start the configured strategy.

    Raises:
        ConfigError: its devices are not there.
    """
    if isinstance(config, MirroredConfig):
        return Distribution(_mirrored(config))
    if isinstance(config, MultiWorkerConfig):
        return Distribution(_multi_worker(config))
    if isinstance(config, TpuConfig):
        return Distribution(_tpu(config))
    return Distribution()


def _mirrored(config: MirroredConfig) -> tf.distribute.Strategy:
    having = [device.name for device in tf.config.list_logical_devices()]
    short = [name.rpartition("device:")[2] for name in having]
    wanted = config.devices or [name for name in short if name.startswith("GPU")]
    missing = [name for name in wanted if name not in short]
    if missing or not wanted:
        raise ConfigError(
            f"distribution.devices={config.devices} needs {', '.join(missing)}"
            if missing
            else "distribution=mirrored found no GPU",
            f"this machine has: {', '.join(short)}",
            "to try it on a CPU: distribution.devices=[CPU:0,CPU:1]",
        )
    reductions = {
        "auto": None,
        "nccl": tf.distribute.NcclAllReduce,
        "hierarchical_copy": tf.distribute.HierarchicalCopyAllReduce,
        "one_device": tf.distribute.ReductionToOneDevice,
    }
    chosen = reductions[config.reduction]
    return tf.distribute.MirroredStrategy(
        wanted, cross_device_ops=chosen() if chosen else None
    )


def _multi_worker(config: MultiWorkerConfig) -> tf.distribute.Strategy:
    implementation = tf.distribute.experimental.CommunicationImplementation
    return tf.distribute.MultiWorkerMirroredStrategy(
        communication_options=tf.distribute.experimental.CommunicationOptions(
            implementation=implementation[config.reduction.upper()]
        )
    )


def _tpu(config: TpuConfig) -> tf.distribute.Strategy:
    try:
        resolver = tf.distribute.cluster_resolver.TPUClusterResolver(
            config.address or ""
        )
        tf.config.experimental_connect_to_cluster(resolver)
        tf.tpu.experimental.initialize_tpu_system(resolver)
    except Exception as error:
        raise ConfigError("x") from error
    return tf.distribute.TPUStrategy(resolver)
