"""vae-cli itself: `vae train`, its command and its trainer, stopped between epochs."""

import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from tests.benchmarks.contenders.task import Task, Turns
from vae_cli.cli import main as vae


def main() -> None:
    """Train until ended; every epoch's speed is the one in metrics.csv."""
    task = Task.from_command_line()
    turns = Turns(task)
    import vae_cli.training.callbacks as callbacks

    class EpochLogs(callbacks.EpochLogs):
        def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
            turns.begin()
            super().on_epoch_begin(epoch, logs)

        def on_epoch_end(self, epoch: int, logs: Any) -> None:
            super().on_epoch_end(epoch, logs)
            turns.end(logs["images_per_second"])

    callbacks.EpochLogs = EpochLogs  # type: ignore[misc]
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        np.savez(folder / "images.npz", x_train=task.images())
        sys.argv = [
            "vae",
            "train",
            "dataset=npz",
            f"dataset.path={folder / 'images.npz'}",
            f"dataset.memory_mb={task.memory_mb}",
            "dataset.validation_size=0",
            f"architecture={task.model}",
            f"latent_dim={task.latent_dim}",
            f"batch_size={task.batch_size}",
            f"precision={task.precision}",
            "epochs=1000000",
            f"run_dir={folder / 'run'}",
        ]
        vae()


if __name__ == "__main__":
    main()
