"""Checkpoints that survive being killed at any moment, and exact resume.

`checkpoints/training_state.npz` alone decides where a run stands: it holds every
variable (weights, optimizer, dropout seeds, running metrics) and the progress, and it
is replaced in one step. The weight files are written beside it under names that carry
their epoch, and take their final names only after the state has been replaced; what a
kill leaves in between is finished or dropped on resume.
"""

import errno
import json
import os
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np

from vae_cli.errors import RunError, TrainingError
from vae_cli.runs.metrics_file import MAX_DIGITS
from vae_cli.runs.reading import check_number, read_arrays
from vae_cli.training.learner import Learner

STATE = "training_state.npz"


def has_state(folder: Path) -> bool:
    """Return whether a run's `checkpoints/` say where it stands."""
    return (folder / STATE).exists()


@dataclass
class Progress:
    """Where a run stands.

    Attributes:
        epoch: completed epochs.
        step: optimizer steps taken; past `epoch` epochs when stopped within one.
        seconds: time spent training and validating.
        best_epoch: epoch of the best weights; 0 before there are any.
        best_bound: its bound on the validation images (beta 1), nats per image:
            -ELBO, or what the objective has instead.
        collapse_warned: whether a collapse has been reported.
    """

    epoch: int = 0
    step: int = 0
    seconds: float = 0.0
    best_epoch: int = 0
    best_bound: float | None = None
    collapse_warned: bool = False


class Checkpoints:
    """Saves and restores a learner.

    Args:
        folder: the run's `checkpoints/`.
        learner: compiled, optimizer built.
    """

    def __init__(self, folder: Path, learner: Learner) -> None:
        self._folder = folder
        self._learner = learner
        self._state_file = folder / STATE

    def save_epoch(self, progress: Progress) -> None:
        """Save a completed epoch; where it is the best one, as the best one too.

        Raises:
            TrainingError: a weight is not finite; nothing is replaced.
        """
        values = self._values().values()
        # the last step's update is in no loss yet
        if not all(np.isfinite(value).all() for value in values):
            raise non_finite("a weight", float("nan"), progress.epoch)
        # HDF5 crashes the process when the disk fills up while it writes
        needed = 3 * sum(value.nbytes for value in values) + 2**20
        if shutil.disk_usage(self._folder).free < needed:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self._folder))
        names = ["last"]
        if progress.best_epoch == progress.epoch:
            names.append("best")
        first, *others = [self._pending(name, progress.epoch) for name in names]
        with self._learner.averaged_weights():
            self._learner.vae.save_weights(first)
        for other in others:
            shutil.copyfile(first, other)
        self.save_state(progress)
        self._settle(progress.epoch)

    def save_state(self, progress: Progress) -> None:
        """Save what resuming needs, in one step."""
        temporary = self._state_file.with_suffix(".partial")
        arrays: dict[str, Any] = self._values()
        arrays["progress"] = np.array(json.dumps(asdict(progress)))
        temporary.unlink(missing_ok=True)
        with temporary.open("xb") as file:
            np.savez(file, **arrays)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(self._state_file)

    def restore(self) -> Progress:
        """Put the learner where the state file says; a fresh start without one.

        Raises:
            RunError: the file is damaged or of another model.
        """
        if not self._state_file.exists():
            if (self._folder / "last.weights.h5").exists():
                raise RunError(
                    f"{self._state_file} is missing, so the run can't be continued.",
                    "its weights still work in vae-generate; to train anew, start a "
                    "new run",
                )
            self._settle(0)
            return Progress()
        variables = self._variables()
        try:
            # beside what fits, there are headers and the progress
            most = sum(value.nbytes for value in self._values().values())
            arrays = read_arrays(self._state_file, 2 * most + 2**26)
            progress = _progress(str(arrays.pop("progress")))
        except (RunError, ValueError, KeyError, TypeError, RecursionError) as error:
            reason = f"{self._state_file} can't be read: {error}"
            raise RunError(
                str(error) if isinstance(error, RunError) else reason,
                "the run can't be continued; its weights still work in vae-generate",
            ) from error
        values: list[Any] = [arrays.get(f"variable_{i}") for i in range(len(variables))]
        if len(arrays) != len(variables) or any(
            value is None
            or value.shape != tuple(variable.shape)
            or value.dtype != np.dtype(variable.dtype)
            for value, variable in zip(values, variables, strict=True)
        ):
            raise RunError(
                f"{self._state_file} doesn't fit the run's config.yaml.",
                "was the config edited? put it back, then resume",
            )
        for variable, value in zip(variables, values, strict=True):
            variable.assign(value)
        self._settle(progress.epoch)
        return progress

    def _values(self) -> dict[str, np.ndarray]:
        return {
            f"variable_{index}": keras.ops.convert_to_numpy(variable)
            for index, variable in enumerate(self._variables())
        }

    def _variables(self) -> list[Any]:
        learner = self._learner
        return [
            *learner.vae.variables,
            *learner.objective.variables,
            *learner.optimizer.variables,
            *learner.metrics_variables,
            *(learner.average.variables if learner.average else ()),
        ]

    def _pending(self, name: str, epoch: int) -> Path:
        return self._folder / f"{name}.epoch-{epoch}.weights.h5"

    def _settle(self, epoch: int) -> None:
        """Give an epoch's weight files their names; drop those of any other epoch."""
        for file in self._folder.glob("*.epoch-*.weights.h5"):
            name, tag, *_ = file.name.split(".")
            if tag == f"epoch-{epoch}":
                file.replace(self._folder / f"{name}.weights.h5")
            else:
                file.unlink()


def _progress(text: str) -> Progress:
    """Return what a state file says of a run's progress.

    Raises:
        TypeError, ValueError, RecursionError: it is none.
    """
    progress = Progress(**json.loads(text))
    for name in ("epoch", "step", "best_epoch"):
        count = getattr(progress, name)
        whole = isinstance(count, int) and not isinstance(count, bool)
        if not whole or not 0 <= count < 2**40:
            raise ValueError(f"{name}={count} must be a count")
    if progress.best_epoch > progress.epoch or progress.epoch >= 10**MAX_DIGITS:
        raise ValueError(f"{progress.best_epoch=} of {progress.epoch=}")
    check_number(progress.seconds, "seconds")
    if progress.seconds is None:
        raise ValueError("seconds=None must be a number")
    check_number(progress.best_bound, "best_bound")
    return progress


def non_finite(name: str, value: float, epoch: int) -> TrainingError:
    """Return the error for a loss or a weight that is NaN or infinite."""
    saved = (
        f"the weights of epoch {epoch - 1} are kept in checkpoints/"
        if epoch > 1
        else "no epoch was completed, so there are no weights"
    )
    return TrainingError(
        f"{name} is {value} in epoch {epoch}; {saved}.",
        "try one of: optimizer.learning_rate a tenth of what it is; "
        "optimizer.clip_norm=1; learning_rate_schedule.warmup_epochs=1; "
        "kl_annealing=linear",
    )
