"""Options of the devices that train; as in `schema.py`, no TensorFlow is imported."""

import re
from dataclasses import dataclass

from vae_cli.config.field import option

PRECISIONS = ("float32", "mixed_bfloat16", "mixed_float16")


@dataclass
class DistributionConfig:
    """The replicas that share each batch."""

    name: str = option("which strategy")

    def problems(self) -> list[str]:
        """Return what is wrong between fields."""
        return []


@dataclass
class ReplicatedConfig(DistributionConfig):
    """Several replicas; `batch_size` is divided among them."""

    learning_rate_scaling: str = option(
        "multiply the learning rate by the number of replicas, or by its root, for "
        "batches that grew with it",
        choices=("none", "linear", "sqrt"),
    )


@dataclass
class MirroredConfig(ReplicatedConfig):
    """One process, several devices."""

    devices: list[str] | None = option(
        "such as [GPU:0,GPU:1], or [CPU:0,CPU:1] to try it out; all GPUs if null"
    )
    reduction: str = option(
        "how gradients are summed over devices",
        choices=("auto", "nccl", "hierarchical_copy", "one_device"),
    )

    def problems(self) -> list[str]:
        """Return what is wrong with the names of devices."""
        names = self.devices or []
        wrong = [n for n in names if not re.fullmatch(r"(CPU|GPU):\d{1,2}", n)]
        if self.devices == [] or wrong or len(set(names)) < len(names):
            return [
                f"distribution.devices=[{','.join(names)}] must name devices, each "
                "once, such as [GPU:0,GPU:1] or [CPU:0,CPU:1]; null takes all GPUs"
            ]
        return []


@dataclass
class MultiWorkerConfig(ReplicatedConfig):
    """Several processes, told of each other by TF_CONFIG; `vae launch` starts them."""

    reduction: str = option(
        "how gradients are summed over workers", choices=("auto", "ring", "nccl")
    )


@dataclass
class TpuConfig(ReplicatedConfig):
    """All cores of a TPU."""

    address: str | None = option("name or address of the TPU; found if null")
