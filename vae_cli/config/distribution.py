"""Options of distribution: the devices that share each batch."""

import re
from dataclasses import dataclass
from typing import ClassVar

from vae_cli.config.option import Options, option
from vae_cli.registry import register

SCALINGS = ("none", "linear", "sqrt")


@dataclass
class DistributionConfig(Options):
    """The replicas that share each batch."""

    is_replicated: ClassVar[bool] = True
    """Whether several replicas share a batch."""
    has_workers: ClassVar[bool] = False
    """Whether several processes train together."""
    pads_batches: ClassVar[bool] = False
    """Whether the last batch is filled up, since all must have the same size."""
    takes_xla: ClassVar[bool] = False
    """Whether `jit=true` can compile a replica's step."""

    @property
    def scaling(self) -> str:
        """How the learning rate grows with the replicas, one of SCALINGS."""
        return "none"

    @property
    def cpu_devices(self) -> int:
        """How many logical devices the CPU must be divided into."""
        return 1


@register("distribution", "single")
@dataclass
class SingleConfig(DistributionConfig):
    """One device: the CPU, or the first GPU."""

    is_replicated = False
    takes_xla = True


@dataclass
class ReplicatedConfig(DistributionConfig):
    """Several replicas; `batch_size` is divided among them."""

    learning_rate_scaling: str = option(
        "multiply the learning rate by the number of replicas, or by its root, for "
        "batches that grew with it",
        choices=SCALINGS,
        default="none",
    )

    @property
    def scaling(self) -> str:
        """How the learning rate grows with the replicas, one of SCALINGS."""
        return self.learning_rate_scaling


@register("distribution", "mirrored")
@dataclass
class MirroredConfig(ReplicatedConfig):
    """Several devices of one machine, in one process."""

    devices: list[str] | None = option(
        "such as [GPU:0,GPU:1], or [CPU:0,CPU:1] to try it out; all GPUs if null",
        default=None,
    )
    reduction: str = option(
        "how gradients are summed over devices",
        choices=("auto", "nccl", "hierarchical_copy", "one_device"),
        default="auto",
    )

    @property
    def cpu_devices(self) -> int:
        """How many logical devices the CPU must be divided into."""
        names = [name for name in self.devices or [] if name.startswith("CPU:")]
        return max((int(name[4:]) for name in names), default=0) + 1

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


@register("distribution", "multi_worker")
@dataclass
class MultiWorkerConfig(ReplicatedConfig):
    """Several processes, which TF_CONFIG describes; `vae launch` starts them."""

    reduction: str = option(
        "how gradients are summed over workers",
        choices=("auto", "ring", "nccl"),
        default="auto",
    )

    has_workers = True


@register("distribution", "tpu")
@dataclass
class TpuConfig(ReplicatedConfig):
    """All cores of a TPU."""

    address: str | None = option(
        "name or address of the TPU; found if null", default=None
    )

    pads_batches = True
    takes_xla = True
