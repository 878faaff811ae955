"""The run folder: the only interface between training and everything after it."""

import contextlib
import dataclasses
import itertools
import logging
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import yaml

from vae_cli.config.load import load
from vae_cli.config.train import TrainConfig
from vae_cli.data_spec import DataSpec
from vae_cli.errors import ConfigError, RunError
from vae_cli.plugins import missing_plugin
from vae_cli.runs.files import check_name, write_json, write_text
from vae_cli.runs.lock import take_lock
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
        self.checkpoints = path / "checkpoints"
        self.model = path / "model"
        self.figures = path / "figures"
        self.samples = path / "samples"
        self.evaluation = path / "evaluation"
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
            jobs = [run for run in find_runs(self.path) if run.path != self.path]
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
            raise RunError(
                f"{self.path} needs {option} of the plugin {plugin}, which is not "
                "loaded.",
                f"if you trust it: --plugin {plugin}",
            ) from None

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
        """Read what the model knows about its images.

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
        except OSError:  # no lock: nobody has trained here
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
    # runs may start in the same second: whoever makes the folder owns it
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


def find_runs(root: Path) -> list[RunFolder]:
    """Return the runs below a folder, the one that moved last at the end."""
    moved: list[tuple[int, Path]] = []
    for file in root.rglob("status.json"):
        with contextlib.suppress(OSError):  # gone since, or not ours to look at
            if file.is_file():
                moved.append((file.stat().st_mtime_ns, file))
    return [RunFolder(file.parent) for _, file in sorted(moved)]


def has_weights(run: RunFolder) -> bool:
    """Return whether a run can be opened: its config loads, it has weights."""
    files = (run.checkpoints / f"{name}.weights.h5" for name in ("best", "last"))
    return any(file.is_file() for file in files) and has_config(run)


def has_config(run: RunFolder) -> bool:
    """Return whether a run's config loads."""
    try:
        run.load_config()
    except RunError:
        return False
    return True


def _is_named(run: RunFolder, name: str) -> bool:
    """Return whether a run was given this name, after its date and time."""
    return run.path.name == name or run.path.name.endswith(f"-{name}")


def open_run(
    run: str, output_root: str, usable: Callable[[RunFolder], bool] = has_weights
) -> RunFolder:
    """Find the run that a command names.

    Args:
        run: a folder, or `latest`.
        output_root: where `latest` looks.
        usable: what `latest` takes; it passes over other runs, and says so.

    Raises:
        RunError: there is none.
    """
    if run != "latest":
        folder = RunFolder(Path(run))
        if not folder.path.is_dir():
            named = [str(r) for r in find_runs(Path(output_root)) if _is_named(r, run)]
            raise RunError(
                f"run={run} does not exist.",
                *(f"did you mean: run={name}" for name in named[-3:]),
                f"vae runs lists the runs below {output_root}/",
            )
        return folder
    runs = find_runs(Path(output_root))
    if not runs:
        raise RunError(
            f"run=latest found no run below {output_root}/.",
            "train one: vae-train experiment=quickstart",
            "or name a folder: run=<folder>, or output_root=<folder of runs>",
        )
    passed: list[str] = []
    for latest in reversed(runs):
        if usable(latest):
            if passed:
                log.warning(
                    "run=latest passes over %s: no weights, or a config that can't be "
                    "read",
                    ", ".join(passed),
                )
            log.info("run=latest is %s", latest)
            return latest
        passed.append(str(latest))
    raise RunError(
        f"run=latest found no run with weights below {output_root}/; of "
        f"{len(runs)} there, the last is {runs[-1]}.",
        "vae runs shows their states; train one: vae-train experiment=quickstart",
    )
