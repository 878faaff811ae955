"""`vae-train`: train a variational autoencoder, or go on training one."""

import dataclasses
import logging
from pathlib import Path
from typing import NoReturn

from vae_cli.commands._main import run_command, set_up_logging
from vae_cli.config.schema import NpzConfig, TrainConfig
from vae_cli.errors import Interrupted, UsageError, VaeCliError
from vae_cli.runs.folder import RunFolder, find_runs, new_run_path, open_run

log = logging.getLogger("vae_cli")


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
    folder = RunFolder(new_run_path(config))
    folder.create()
    with folder.locked():
        folder.save_config(config)
        return _train(config, data, folder, resumed=False)


def _resume(config: TrainConfig, overrides: list[str]) -> float:
    from vae_cli.data.prepare import load_data

    longer = any(text.startswith("epochs=") for text in overrides)
    refused = [
        text
        for text in overrides
        if text.split("=")[0] not in ("resume", "epochs", "output_root")
    ]
    if refused:
        raise UsageError(
            f"resume= takes no other override than a larger epochs=, got: "
            f"{' '.join(refused)}",
            "the run goes on with its own config.yaml; to change something, start a "
            "new run",
        )
    folder = _resumable(config, longer)
    saved = folder.load_config()
    state = folder.status()["state"] if folder.status_file.exists() else "interrupted"
    if longer:
        if config.epochs < saved.epochs:
            raise UsageError(
                f"epochs={config.epochs} is less than the run's {saved.epochs}; only a "
                "larger number can be given."
            )
        saved.epochs = config.epochs
    elif state == "finished":
        raise UsageError(
            f"{folder} is finished: all {saved.epochs} epochs are done.",
            f"to train on: vae-train resume={folder} epochs={saved.epochs * 2}",
        )
    with folder.locked():
        data = load_data(saved.dataset)
        _same_data(folder, data.fingerprint)
        if longer:
            folder.save_config(saved)
        return _train(saved, data, folder, resumed=True)


def _resumable(config: TrainConfig, longer: bool) -> RunFolder:
    """Find the run to continue; `latest` passes over finished ones."""
    resume = str(config.resume)
    if resume == "latest" and not longer:
        runs = find_runs(Path(config.output_root))
        unfinished = [r for r in runs if r.status()["state"] != "finished"]
        if unfinished:
            return unfinished[-1]
        if runs:
            raise UsageError(
                f"resume=latest: every run below {config.output_root}/ is finished.",
                "to train one on: vae-train resume=<folder> epochs=<more>",
            )
    return open_run(resume, config.output_root)


def _same_data(folder: RunFolder, fingerprint: dict) -> None:
    from vae_cli.errors import RunError

    if not folder.data_file.exists():
        return
    saved = folder.read_json(folder.data_file).get("fingerprint")
    if saved != fingerprint:
        raise RunError(
            f"{folder} can't go on: its data have changed since it started.",
            f"then: {saved}",
            f"now:  {fingerprint}",
        )


def _train(config: TrainConfig, data: object, folder: RunFolder, resumed: bool) -> float:
    """Train with the run's log, signals and status in place."""
    from vae_cli.runs.record import record_start, recorded
    from vae_cli.runtime import start_tensorflow
    from vae_cli.training.stop import StopSignal

    set_up_logging()
    with recorded(folder), StopSignal() as stop:
        start_tensorflow(config.deterministic)
        from vae_cli.training.trainer import train

        record_start(folder, data.spec, data.fingerprint, resumed)
        best = train(config, data, folder, stop)
    print(folder)
    return best
