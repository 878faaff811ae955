"""Sweeps whose jobs are trained at once, by a stand-in for the job's process."""

import csv
import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.conftest import Finished
from vae_cli.config.load import load
from vae_cli.config.train import TrainConfig
from vae_cli.runs.files import write_json
from vae_cli.runs.folder import RunFolder
from vae_cli.runs.metrics_file import append_row
from vae_cli.runs.sweep_folder import STATE, SweepJob

Command = Callable[..., Finished]


class Training:
    """In place of `_train_in_child`: leaves what a trained job leaves.

    The bound is a function of the config: (log beta - 1)^2 + latent_dim.

    Args:
        fails: config -> how the job ends; None if well. A number is its exit status, a
            text the error that it writes down.
    """

    def __init__(
        self, fails: Callable[[TrainConfig], int | str | None] = lambda config: None
    ) -> None:
        self.fails = fails
        self.trained: list[str] = []
        self.jobs: list[dict[str, Any]] = []

    def __call__(self, job: dict[str, Any]) -> int:
        self.jobs.append(json.loads(json.dumps(job)))
        config = load(TrainConfig, job["config"])
        resumed = config.resume is not None
        run = RunFolder(Path(str(config.resume or config.run_dir)))
        self.trained.append(run.path.name + (" resumed" if resumed else ""))
        if resumed:
            config = run.load_config()
        else:
            run.create()
            run.save_config(config)
        how = self.fails(config)
        if how is not None:
            run.write_status("failed" if isinstance(how, str) else "running", 0)
            if isinstance(how, str):
                SweepJob(0, {}, run).fail(how)
            return 1 if isinstance(how, str) else how
        (run.path / STATE).touch()
        bound = (math.log(config.beta) - 1) ** 2 + (config.latent_dim or 0)
        append_row(run.metrics_csv, {"epoch": 1, "kl_loss": 2.0, "val_kl_loss": 1.5})
        values = {"best_neg_elbo": bound, "best_epoch": 1, "train_seconds": 90.0}
        write_json(run.metrics_json, values)
        run.write_status("finished", 1)
        return 0


Trains = Callable[..., Training]


def sweep(command: Command, folder: Path, *words: str) -> Finished:
    return command("train", "-m", *words, f"hydra.sweep.dir={folder}")


def resume(command: Command, folder: Path, *words: str) -> Finished:
    return command("train", "-m", *words, f"sweep.resume={folder}")


def rows(folder: Path) -> list[dict[str, str]]:
    """What a sweep's table says, best first."""
    with (folder / "summary.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def fails_at(beta: float, how: int | str = "loss is nan") -> dict[str, Any]:
    """How `Training` fails for this beta alone."""
    return {"fails": lambda config: how if config.beta == beta else None}
