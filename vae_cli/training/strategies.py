"""TensorFlow's strategies for the options of `distribution`."""

import json
import os

import tensorflow as tf

from vae_cli.config.distribution import (
    MirroredConfig,
    MultiWorkerConfig,
    SingleConfig,
    TpuConfig,
)
from vae_cli.errors import ConfigError
from vae_cli.registry import builds
from vae_cli.workers import worker_index


@builds(SingleConfig)
def single(config: SingleConfig) -> None:
    """Return no strategy: one device needs none."""


@builds(MirroredConfig)
def mirrored(config: MirroredConfig) -> tf.distribute.Strategy:
    """Return the strategy of several devices.

    Raises:
        ConfigError: they are not there.
    """
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
            "to try it on a CPU: 'distribution.devices=[CPU:0,CPU:1]'",
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


@builds(MultiWorkerConfig)
def multi_worker(config: MultiWorkerConfig) -> tf.distribute.Strategy:
    """Return the strategy of several processes, once all have met.

    Raises:
        ConfigError: they can't be brought together.
    """
    implementation = tf.distribute.experimental.CommunicationImplementation
    try:
        if "TF_CONFIG" not in os.environ:
            os.environ["TF_CONFIG"] = _slurm_cluster(config)
        return tf.distribute.MultiWorkerMirroredStrategy(
            communication_options=tf.distribute.experimental.CommunicationOptions(
                implementation=implementation[config.reduction.upper()]
            ),
        )
    except (ValueError, RuntimeError, KeyError, OSError, tf.errors.OpError) as error:
        raise ConfigError(
            "distribution=multi_worker can't bring the workers together: "
            + str(error).splitlines()[0],
            "are the addresses in TF_CONFIG (or Slurm's) right, free and reachable? "
            "did every worker start?",
        ) from error


def _slurm_cluster(config: MultiWorkerConfig) -> str:
    """Return what TF_CONFIG would say of the Slurm job that this process is in."""
    # each worker takes the GPUs that Slurm lets it see; the resolver would count those
    # of the node, by a command that nodes without any lack
    resolver = tf.distribute.cluster_resolver.SlurmClusterResolver(
        gpus_per_node=10**6, gpus_per_task=1, auto_set_gpu=False
    )
    cluster = resolver.cluster_spec().as_dict()
    task = {"type": "worker", "index": worker_index(config)}
    return json.dumps({"cluster": cluster, "task": task})


@builds(TpuConfig)
def tpu(config: TpuConfig) -> tf.distribute.Strategy:
    """Return the strategy of a TPU's cores.

    Raises:
        ConfigError: no TPU is found.
    """
    try:
        resolver = tf.distribute.cluster_resolver.TPUClusterResolver(
            config.address or ""
        )
        tf.config.experimental_connect_to_cluster(resolver)
        tf.tpu.experimental.initialize_tpu_system(resolver)
    except (ValueError, tf.errors.OpError, OSError) as error:
        raise ConfigError(
            f"distribution=tpu found no TPU at {config.address or 'this machine'}: "
            + str(error).splitlines()[0],
            "give its name or address: distribution=tpu distribution.address=<name>",
            "without one: distribution=single, or distribution=mirrored for GPUs",
        ) from error
    return tf.distribute.TPUStrategy(resolver)
