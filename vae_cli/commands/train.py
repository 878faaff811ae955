"""`vae-train`: train a variational autoencoder, or go on training one."""

import logging
import shutil
import tempfile
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from vae_cli.commands._main import run_command, set_up_logging
from vae_cli.commands._ready import ready
from vae_cli.config.schema import NpzConfig, TrainConfig
from vae_cli.runs.folder import RunFolder, new_run
from vae_cli.training.stop import listening
from vae_cli.workers import follow_launcher, worker_index

if TYPE_CHECKING:
    from vae_cli.data.splits import ImageData
    from vae_cli.training.distribution import Distribution


def main() -> NoReturn:
    """Entry point of `vae-train`."""
    from vae_cli.commands.sweep import after_sweep

    run_command("train", train_command, after_sweep)


def train_command(config: TrainConfig, overrides: list[str]) -> float | None:
    """Start or resume a run; in a sweep, start a job in a process of its own."""
    if config.resume is not None:
        return _resume(config, overrides)
    from hydra.core.hydra_config import HydraConfig
    from hydra.types import RunMode

    if HydraConfig.get().mode == RunMode.MULTIRUN:
        from vae_cli.commands.sweep import run_job

        return run_job(config, HydraConfig.get())
    return start(config)


def start(config: TrainConfig) -> float:
    """Train in a new run folder; returns the best validation -ELBO in nats.

    Data are loaded first: a wrong path or a bad pixel then leaves no folder behind.
    """
    from vae_cli.data.prepare import load_data

    if isinstance(config.dataset, NpzConfig):
        config.dataset.path = str(Path(config.dataset.path).absolute())
    data, distribution = ready(config, lambda: load_data(config.dataset))
    if worker_index(config.distribution):
        # not the chief: its folder is of no use
        with tempfile.TemporaryDirectory() as scratch:
            other = _empty(Path(scratch))
            return _train(config, data, distribution, other, resumed=False)
    folder = new_run(config)
    with folder.locked():
        return _train(config, data, distribution, folder, resumed=False)


def _resume(config: TrainConfig, overrides: list[str]) -> float:
    from vae_cli.runs.data import load_run_data
    from vae_cli.runs.resume import resumed_config

    folder, saved = resumed_config(config, overrides)
    path = None
    if isinstance(config.dataset, NpzConfig):
        path = str(Path(config.dataset.path).absolute())
    if worker_index(saved.distribution):
        with tempfile.TemporaryDirectory() as scratch:
            # before the workers meet: the chief then begins to write
            copy = _copied(folder, Path(scratch))
            data, distribution = ready(
                saved, lambda: load_run_data(folder, saved, path)
            )
            return _train(saved, data, distribution, copy, resumed=False)
    with folder.locked():
        data, distribution = ready(saved, lambda: load_run_data(folder, saved, path))
        return _train(saved, data, distribution, folder, resumed=True)


def _empty(scratch: Path) -> RunFolder:
    folder = RunFolder(scratch / "run")
    folder.create()
    return folder


def _copied(run: RunFolder, scratch: Path) -> RunFolder:
    """Return a folder from which training goes on as it would from the run's own."""
    folder = _empty(scratch)
    shutil.copytree(run.checkpoints, folder.checkpoints, dirs_exist_ok=True)
    if run.metrics_csv.exists():
        shutil.copy(run.metrics_csv, folder.metrics_csv)
    return folder


def _train(
    config: TrainConfig,
    data: "ImageData",
    distribution: "Distribution",
    folder: RunFolder,
    resumed: bool,
) -> float:
    """Train with the run's log, signals and status in place."""
    from vae_cli.runs.record import record_start, record_stop, recorded
    from vae_cli.training.trainer import train

    if distribution.workers > 1:
        follow_launcher()
    is_chief = worker_index(config.distribution) == 0
    set_up_logging(logging.INFO if is_chief else logging.WARNING)
    again = distribution.resume_command(folder)
    with listening() as stop, recorded(folder, again, lambda: stop.received):
        stop.last_words = partial(record_stop, folder)
        folder.save_config(config)
        record_start(folder, data.spec, data.fingerprint, resumed)
        best = train(config, data, folder, stop, distribution)
    if is_chief:
        print(folder)
    if is_chief and config.anomaly:
        from vae_cli.commands.sweep import score_anomalies

        score_anomalies(folder.path)
    return best
