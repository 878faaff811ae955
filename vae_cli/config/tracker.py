"""Options of trackers: where a run is recorded in addition to its folder."""

import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar, Self

from vae_cli.config.option import Options, option
from vae_cli.registry import register

PASSWORD = re.compile(r"://[^/@]*:[^/@]+@")
UNUSUAL = re.compile(r"[^\w./=+,-]")
"""Characters not allowed in a group's name, which is part of a tracker's queries."""


@dataclass
class TrackerOptions(Options):
    """Where a run is recorded in addition to its folder."""

    writes_tensorboard: ClassVar[bool] = True
    """Whether the run folder gets its `tensorboard/`."""
    keeps_record: ClassVar[bool] = False
    """Whether a separate process sends the run to a record outside its folder."""

    @property
    def address(self) -> str | None:
        """Server that the user named; it gets the user's login."""
        return None

    def in_sweep(self, folder: Path) -> Self:
        """Return the options of a job of a sweep.

        Args:
            folder: of its sweep.
        """
        return self


@register("tracker", "none")
@dataclass
class NoTrackerConfig(TrackerOptions):
    """Only the run folder, without TensorBoard."""

    writes_tensorboard = False


@register("tracker", "tensorboard")
@dataclass
class TensorBoardConfig(TrackerOptions):
    """TensorBoard files in the run folder: scalars, images, HParams, projector."""


@dataclass
class TrackerConfig(TrackerOptions):
    """A record outside the run folder, in addition to TensorBoard."""

    keeps_record = True

    group: str | None = option(
        "name that groups runs: children of one parent run, or a W&B group; null: the "
        "sweep's, if any",
        default=None,
    )
    artifacts: str = option(
        "files to send: results (config, metrics, figures, networks, log), all (also "
        "checkpoints and TensorBoard files) or none",
        choices=("results", "all", "none"),
        default="results",
    )

    def in_sweep(self, folder: Path) -> Self:
        """Return the options of a job, whose group is its sweep unless one is set."""
        if self.group is not None:
            return self
        name = "/".join(folder.absolute().parts[-2:])
        return replace(self, group=UNUSUAL.sub("_", name))

    def problems(self) -> list[str]:
        """Return inconsistencies between fields."""
        if self.group is None or (self.group and not UNUSUAL.search(self.group)):
            return []
        return [
            f"tracker.group={self.group} may only have letters, digits, . / _ = + , -"
        ]


@register("tracker", "mlflow")
@dataclass
class MlflowConfig(TrackerConfig):
    """MLflow: a tracking server, or a database below output_root."""

    uri: str | None = option(
        "tracking server or database; null: MLFLOW_TRACKING_URI, or else "
        "sqlite:///<output_root>/mlflow.db",
        default=None,
    )
    experiment: str = option("experiment that holds the run", default="vae-cli")

    @property
    def address(self) -> str | None:
        """The tracking URI."""
        return self.uri

    def problems(self) -> list[str]:
        """Return inconsistencies between fields."""
        problems = super().problems()
        if self.uri is not None and PASSWORD.search(self.uri):
            problems.append(
                "tracker.uri contains a password, which config.yaml would store; set "
                "MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or "
                "MLFLOW_TRACKING_URI, in the environment instead"
            )
        if not self.experiment.strip():
            problems.append("tracker.experiment must not be empty")
        return problems


@register("tracker", "wandb")
@dataclass
class WandbConfig(TrackerConfig):
    """Weights & Biases: its server, or offline files in the run's wandb/."""

    project: str = option("project that holds the run", default="vae-cli")
    entity: str | None = option("user or team; null: that of the login", default=None)
    mode: str | None = option(
        "online, or offline: files in the run's wandb/ that `wandb sync` sends later; "
        "null: WANDB_MODE, or else online",
        choices=("online", "offline"),
        default=None,
    )
