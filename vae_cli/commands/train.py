"""`vae-train`: train a variational autoencoder, or go on training one."""

from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from vae_cli.commands._main import run_command, set_up_logging
from vae_cli.config.schema import NpzConfig, TrainConfig
from vae_cli.runs.folder import RunFolder, new_run

if TYPE_CHECKING:
    from vae_cli.data.splits import ImageData


def main() -> NoReturn:
    """Entry point of `vae-train`."""
    run_command("train", train_command)


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
    data = load_data(config.dataset)
    folder = new_run(config)
    with folder.locked():
        return _train(config, data, folder, resumed=False)


def _resume(config: TrainConfig, overrides: list[str]) -> float:
    from vae_cli.runs.data import load_run_data
    from vae_cli.runs.resume import resumed_config

    folder, saved = resumed_config(config, overrides)
    with folder.locked():
        data = load_run_data(folder, saved)
        return _train(saved, data, folder, resumed=True)


def _train(
    config: TrainConfig, data: "ImageData", folder: RunFolder, resumed: bool
) -> float:
    """Train with the run's log, signals and status in place."""
    from vae_cli.runs.record import record_start, recorded
    from vae_cli.runtime import start_tensorflow
    from vae_cli.training.stop import StopSignal

    set_up_logging()
    with recorded(folder), StopSignal() as stop:
        folder.save_config(config)
        start_tensorflow(config)
        from vae_cli.training.distribution import build_distribution
        from vae_cli.training.trainer import train

        distribution = build_distribution(config.distribution)
        record_start(folder, data.spec, data.fingerprint, resumed)
        best = train(config, data, folder, stop, distribution)
    print(folder)
    return best
