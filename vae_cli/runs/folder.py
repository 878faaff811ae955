"""The run folder: the only interface between training and everything after it."""

import contextlib
import dataclasses
import itertools
import logging
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import yaml

from vae_cli.config.load import load
from vae_cli.config.train import TrainConfig
from vae_cli.data_spec import DataSpec
from vae_cli.errors import ConfigError, PluginError, RunError
from vae_cli.lock import take_lock
from vae_cli.plugins import changed_plugins, missing_plugin
from vae_cli.runs.files import check_name, write_json, write_text
from vae_cli.runs.reading import read_json, read_yaml

log = logging.getLogger(__name__)

STATES = ("running", "finished", "interrupted", "failed")


class RunFolder:
    """A run's files, by name.

    Args:
        path: the folder; it need not exist yet.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.config_file = path / "config.yaml"
        self.data_file = path / "data.json"
        self.environment_file = path / "environment.json"
        self.status_file = path / "status.json"
        self.metrics_csv = path / "metrics.csv"
        self.metrics_json = path / "metrics.json"
        self.log_file = path / "train.log"
        self.tracker_file = path / "tracker.json"
        self.checkpoints = path / "checkpoints"
        self.model = path / "model"
        self.figures = path / "figures"
        self.samples = path / "samples"
        self.evaluation = path / "evaluation"
        self.fitted = path / "fitted"
        self.reconstructions = path / "reconstructions"
        self.tensorboard = path / "tensorboard"
        self._lock_file = path / ".lock"

    def __str__(self) -> str:
        return str(self.path)

    def create(self) -> None:
        """Make the folder.

        Raises:
            RunError: it holds files already, or can't be written.
        """
        check_name(self.path)
        try:
            if self.path.is_dir() and any(self.path.iterdir()):
                raise RunError(
                    f"run_dir={self.path} holds files already; runs never share or "
                    "overwrite a folder.",
                    "choose a new folder",
                    f"or continue that run: vae-train resume={self.path}",
                )
            for folder in (self.path, self.checkpoints, self.model, self.figures):
                folder.mkdir(parents=True, exist_ok=True)
            self.log_file.touch()
        except OSError as error:
            raise unwritable(self.path, error) from error

    def save_config(self, config: TrainConfig) -> None:
        """Write the resolved config."""
        values = dataclasses.asdict(config)
        write_text(self.config_file, yaml.safe_dump(values, sort_keys=False))

    def load_config(self) -> TrainConfig:
        """Read the config; values only, nothing in it is executed or interpolated.

        Raises:
            RunError: not a run folder, or not a config of ours.
        """
        try:
            values = read_yaml(self.config_file)
        except FileNotFoundError:
            jobs = sorted(file.parent for file in self.path.rglob("status.json"))
            raise RunError(
                f"run={self.path} is not a run folder: it has no config.yaml.",
                *([f"it holds runs; this takes one: run={jobs[0]}"] if jobs else []),
                f"vae runs {self.path if jobs else ''}".rstrip()
                + " lists the runs there are",
            ) from None
        try:
            return load(TrainConfig, values, source=str(self.config_file))
        except ConfigError as error:
            missing = missing_plugin(self._recorded_plugins())
            if missing is None:
                raise RunError(str(error)) from None
            option, plugin = missing
            raise PluginError(
                f"{self.path} needs {option} of the plugin {plugin}, which is not "
                "loaded.",
                f"if you trust it: --plugin {plugin}, or from Python: import it first",
            ) from None

    def warn_of_changed_plugins(self, config: TrainConfig) -> None:
        """Warn where a plugin's file is not what the run was trained with."""
        for plugin in changed_plugins(config, self._recorded_plugins()):
            log.warning("%s has changed since %s was trained", plugin, self.path)

    def _recorded_plugins(self) -> Any:
        try:
            return read_json(self.environment_file).get("plugins")
        except (OSError, RunError):
            return None

    def read_json(self, file: Path) -> dict[str, Any]:
        """Read one of the folder's JSON files.

        Raises:
            RunError: missing, half-written or not ours.
        """
        try:
            return read_json(file)
        except RunError as error:
            raise RunError(
                *error.args, f"if training was cut short: vae-train resume={self.path}"
            ) from error

    def load_spec(self) -> DataSpec:
        """Read the shape and range of the model's images.

        Raises:
            RunError: data.json is missing, half-written or not ours.
        """
        values = self.read_json(self.data_file)
        try:
            return DataSpec.from_json(values["spec"])
        except (KeyError, TypeError, ValueError) as error:
            reason = f"{error} is missing" if isinstance(error, KeyError) else error
            raise RunError(
                f"{self.data_file} is not a data record: {reason}"
            ) from error

    def weights(self, checkpoint: str) -> Path:
        """Return the file of a checkpoint's weights, `best` or `last`.

        Raises:
            RunError: there is none.
        """
        file = self.checkpoints / f"{checkpoint}.weights.h5"
        if not file.is_file():
            raise RunError(
                f"run={self.path} has no {checkpoint} weights: {file.name} is missing.",
                f"if training was cut short: vae-train resume={self.path}",
            )
        return file

    def write_status(self, state: str, epoch: int, error: str | None = None) -> None:
        """Record where the run stands."""
        write_json(self.status_file, {"state": state, "epoch": epoch, "error": error})

    def status(self) -> dict[str, Any]:
        """Return `state`, `epoch`, `error`; a run killed outright is `interrupted`.

        Raises:
            RunError: status.json is missing or not ours.
        """
        status = self.read_json(self.status_file)
        epoch = status.get("epoch")
        whole = isinstance(epoch, int) and not isinstance(epoch, bool) and epoch >= 0
        if status.get("state") not in STATES or not whole:
            raise RunError(f"{self.status_file} is not a status: {str(status)[:200]}")
        if status["state"] == "running" and not self.in_use():
            status["state"] = "interrupted"
        return status

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the folder for one training process; the kernel lets go if it dies.

        Raises:
            RunError: another process is training here, or nothing can be written.
        """
        try:
            if self._lock_file.is_symlink() or (
                self._lock_file.exists() and not self._lock_file.is_file()
            ):
                raise RunError(f"{self._lock_file} is not a regular file: delete it.")
            file = self._lock_file.open("a")
        except OSError as error:
            raise unwritable(self.path, error) from error
        with file:
            if not take_lock(file, exclusive=True):
                raise RunError(
                    f"{self.path} is being trained by another process.",
                    "wait for it, or stop it, then resume",
                )
            yield

    def in_use(self) -> bool:
        """Return whether a process is training in this folder."""
        try:
            if not self._lock_file.is_file():  # a pipe would be opened for ever
                return False
            with self._lock_file.open("rb") as file:
                return not take_lock(file, exclusive=False)
        except OSError:  # no lock: no training has run here
            return False


def new_run(config: TrainConfig) -> RunFolder:
    """Make a new run's folder: `run_dir`, or a name made of time and settings.

    Raises:
        RunError: the folder holds files already, or can't be written.
    """
    if config.run_dir is not None:
        folder = RunFolder(Path(config.run_dir))
        folder.create()
        return folder
    now = datetime.now()
    name = config.name or (
        f"{config.dataset.name}-{config.architecture.name}-z{config.latent_dim}"
    )
    day = Path(config.output_root) / f"{now:%Y-%m-%d}"
    # runs may start in the same second: the one that makes the folder owns it
    for count in itertools.count(1):
        suffix = "" if count == 1 else f"-{count}"
        path = day / f"{now:%H-%M-%S}-{name}{suffix}"
        try:
            path.mkdir(parents=True)
        except FileExistsError:
            continue
        except OSError as error:
            raise unwritable(path, error) from error
        break
    folder = RunFolder(path)
    folder.create()
    return folder


def unwritable(path: Path, error: OSError) -> RunError:
    """Return the error for a run folder that can't be made or written."""
    return RunError(
        f"The run folder {path} can't be written: {error.strerror or error}.",
        "choose another with run_dir=<folder>, or output_root=<folder>",
    )
