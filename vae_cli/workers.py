"""The worker processes of one training, and which of them this is; no TensorFlow.

They are told of each other by TF_CONFIG (`vae launch` sets it), or by Slurm.
"""

import json
import os

from vae_cli.config.hardware import DistributionConfig, MultiWorkerConfig
from vae_cli.errors import ConfigError


def worker_index(config: DistributionConfig) -> int:
    """Return this process's number; 0 is the chief, who writes the run folder.

    Raises:
        ConfigError: there should be several workers, but nothing tells which.
    """
    if not isinstance(config, MultiWorkerConfig):
        return 0
    told = os.environ.get("TF_CONFIG")
    if told is None:
        if "SLURM_PROCID" in os.environ:
            return int(os.environ["SLURM_PROCID"])
        raise ConfigError(
            "distribution=multi_worker needs the workers' addresses in TF_CONFIG.",
            "on one machine: vae launch --workers 2 train ...",
            'on several: start the command on each, with TF_CONFIG=\'{"cluster": '
            '{"worker": ["host0:2222", "host1:2222"]}, "task": {"type": "worker", '
            '"index": 0}}\'',
        )
    try:
        values = json.loads(told)
        task = values["task"]
        index, known = int(task["index"]), values["cluster"]["worker"]
        if task["type"] != "worker" or not 0 <= index < len(known):
            raise ValueError(f"there is no {task['type']} {index}")
    except (KeyError, TypeError, ValueError) as error:
        raise ConfigError(
            f"TF_CONFIG={told} is not what TensorFlow takes: {error}",
            'needed: {"cluster": {"worker": [addresses]}, "task": {"type": "worker", '
            '"index": number}}',
        ) from error
    return index
