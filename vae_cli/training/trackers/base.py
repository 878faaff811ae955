"""The base class of trackers, and what all of them send."""

import dataclasses
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from vae_cli.config.train import NOT_TRAINING, TrainConfig
from vae_cli.errors import VaeCliError
from vae_cli.runs.folder import RunFolder

RESULTS = (
    "config.yaml", "environment.json", "data.json", "status.json", "metrics.csv",
    "metrics.json", "train.log", "figures", "model", "evaluation",
)  # fmt: skip
"""Files and folders sent with `tracker.artifacts=results`."""
ALSO = ("checkpoints", "tensorboard")
"""Further folders sent with `tracker.artifacts=all`."""
MAX_REASON = 240
"""Most characters of a package's error message."""


class TrackerError(VaeCliError):
    """A tracker is missing, can't be reached, or refuses something."""


class Tracker(ABC):
    """Sends a run to its record.

    A new tracker is created after a failure and whenever a run is resumed; only
    `record` carries over.

    Args:
        options: of the tracker.
        config: of the run.
        folder: the run.
        record: JSON values about the record, such as its id, which `tracker.json`
            keeps; `start` fills it in.
    """

    def __init__(
        self,
        options: Any,
        config: TrainConfig,
        folder: RunFolder,
        record: dict[str, Any],
    ) -> None:
        self.options = options
        self.config = config
        self.folder = folder
        self.record = record
        self.alive: Callable[[], None] = lambda: None
        """Call it whenever something has been sent, so that training keeps waiting."""
        self.warn: Callable[[str], None] = lambda text: None
        """Call it with a warning for the user."""

    @abstractmethod
    def start(self) -> str:
        """Create or continue the record; returns where to view it."""

    def is_recorded(self) -> bool:
        """Return whether `record`, which an earlier tracker filled in, is the one."""
        return True

    @abstractmethod
    def log_epochs(self, rows: list[dict[str, float]]) -> None:
        """Send epochs: rows of `metrics.csv`, none of them sent before."""

    @abstractmethod
    def finish(self, state: str, results: dict[str, float], epoch: int) -> None:
        """Send figures, files and results of a finished run; close the record.

        Args:
            state: of `status.json`: finished, interrupted or failed.
            results: of a finished run; see `results`.
            epoch: the last one.
        """

    def stop(self) -> None:  # noqa: B027  # optional
        """Release the resources of a tracker that has failed."""

    def files(self) -> Iterator[tuple[Path, str]]:
        """Yield each file that `tracker.artifacts` selects, and its path in the run."""
        names = {"none": (), "results": RESULTS, "all": RESULTS + ALSO}
        for name in names[self.options.artifacts]:
            path = self.folder.path / name
            for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
                if file.is_file() and not file.is_symlink():
                    yield file, file.relative_to(self.folder.path).as_posix()
                    self.alive()


def params(config: TrainConfig) -> dict[str, Any]:
    """Return what was trained, without `NOT_TRAINING`, nested."""
    values = dataclasses.asdict(config)
    return {key: value for key, value in values.items() if key not in NOT_TRAINING}


def results(folder: RunFolder) -> dict[str, float]:
    """Return the numbers of `metrics.json`: `best_epoch`, ..., `test_neg_elbo`, ..."""
    values = folder.read_json(folder.metrics_json)
    values.pop("images_per_second", None)  # a column of metrics.csv, too
    test = values.pop("test", None) or {}
    values |= {f"test_{key}": value for key, value in test.items()}
    return {
        key: value
        for key, value in values.items()
        if isinstance(value, int | float) and not isinstance(value, bool)
    }


def reason(error: Exception) -> str:
    """Return the message of an error, shortened."""
    if isinstance(error, VaeCliError):
        return str(error)
    first = next(iter(str(error).strip().splitlines()), "")
    if len(first) > MAX_REASON:
        first = f"{first[: MAX_REASON // 2]} ... {first[-MAX_REASON // 2 :]}"
    return f"{type(error).__name__}: {first}"
