"""The folder of a sweep: its record, its numbered jobs, and its lock."""

import contextlib
import itertools
import json
import math
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml

from vae_cli.errors import RunError, VaeCliError
from vae_cli.lock import take_lock
from vae_cli.runs.files import write_text
from vae_cli.runs.folder import RunFolder
from vae_cli.runs.reading import read_json, read_yaml

STATE = Path("checkpoints", "training_state.npz")
"""The state that a run resumes from; see `training/checkpoints.py`."""
NOT_STARTED = "not started"
ERROR_FILE = "error.txt"
RECORD = "sweep.yaml"
FAILED = "failed"
"""Folder of what was retried or left the sweep; commands don't take it for runs."""
MAX_NAME = 100
"""Characters of a job's folder after its number."""


@dataclass(frozen=True)
class SweepJob:
    """A job of a sweep.

    Attributes:
        number: unique in the sweep.
        overrides: the overrides that distinguish it, key -> value as typed.
        run: its folder, which may not exist yet.
    """

    number: int
    overrides: dict[str, str]
    run: RunFolder

    def __str__(self) -> str:
        short = {key: short_number(value) for key, value in self.overrides.items()}
        return f"job {self.number} ({words_of(short)})"

    @property
    def error_file(self) -> Path:
        """The file that says why the job failed."""
        return self.run.path / ERROR_FILE

    @cached_property
    def state(self) -> str:
        """State of the job at the time of the first access."""
        if self.error_file.is_file():
            return "failed"
        try:
            return str(self.run.status()["state"])
        except VaeCliError:
            return "unreadable" if self.run.status_file.exists() else NOT_STARTED

    @property
    def error(self) -> str:
        """The error in one line; empty if the job has not failed."""
        try:
            text = self.error_file.read_text(encoding="utf-8", errors="replace")
        except OSError:
            return ""
        # the last line of a traceback names the error
        lines = [line for line in text.splitlines() if line.strip()] or [""]
        return lines[-1 if lines[0].startswith("Traceback") else 0].strip()

    def objective(self, bound: str) -> float:
        """Return the best bound, nats per image; NaN if the run has none."""
        try:
            value = self.run.read_json(self.run.metrics_json).get(f"best_{bound}")
        except VaeCliError:
            return math.nan
        return float(value) if isinstance(value, (int, float)) else math.nan

    def can_resume(self) -> bool:
        """Return whether the job's run has saved a state to resume from."""
        return (self.run.path / STATE).is_file() and self.run.config_file.is_file()

    def fail(self, error: str) -> None:
        """Write why the job failed into its folder."""
        write_error(self.run.path, error)

    def set_aside(self) -> None:
        """Move the job's folder, if there is one, into `failed/`."""
        if not self.run.path.exists():
            return
        failed = self.run.path.parent / FAILED
        failed.mkdir(exist_ok=True)
        for count in itertools.count(1):
            target = failed / f"{self.run.path.name}-{count}"
            if not target.exists():
                shutil.move(self.run.path, target)
                return


def write_error(folder: Path, error: str) -> None:
    """Write why a job failed into its folder, which may not exist yet."""
    folder.mkdir(parents=True, exist_ok=True)
    write_text(folder / ERROR_FILE, error.rstrip() + "\n")


def words_of(overrides: dict[str, str]) -> str:
    """Return overrides in one line, separated by commas."""
    return ",".join(f"{key}={value}" for key, value in overrides.items())


def short_number(text: str) -> str:
    """Round a number to four significant digits; other text is unchanged."""
    if re.fullmatch(r"-?\d+\.\d{4,}(e-?\d+)?", text):
        return f"{float(text):.4g}"
    return text


class SweepFolder:
    """The files of a sweep.

    Args:
        path: the folder; it need not exist yet.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.record_file = path / RECORD
        self.summary = path / "summary.md"
        self.figures = path / "figures"
        self._jobs = path / ".jobs"
        self._stop_file = path / ".stop"
        self._end_file = path / ".end"
        self._lock_file = path / ".lock"

    def __str__(self) -> str:
        return str(self.path)

    def is_used(self) -> bool:
        """Return whether the folder already contains a sweep."""
        return self.record_file.exists() or self._jobs.exists()

    def record(self) -> dict[str, Any]:
        """Read what the sweep was started with.

        Raises:
            RunError: it isn't a sweep's folder, or the record can't be read.
        """
        if not self.path.is_dir():
            raise RunError(
                f"sweep.resume={self.path} does not exist.",
                "vae runs lists the runs there are, each with its folder",
            )
        try:
            values = read_yaml(self.record_file)
        except FileNotFoundError:
            raise RunError(
                f"sweep.resume={self.path} is not a sweep's folder: it has no "
                f"{self.record_file.name}.",
                f"to resume one run: vae-train resume={self.path}",
            ) from None
        whole = _are_words(values.get("words")) and _are_words(values.get("varied"))
        if not whole or not isinstance(values.get("config"), dict):
            raise RunError(f"{self.record_file} is not the record of a sweep.")
        return values

    def write_record(self, values: dict[str, Any]) -> None:
        """Write what the sweep was started with."""
        self.path.mkdir(parents=True, exist_ok=True)
        write_text(self.record_file, yaml.safe_dump(values, sort_keys=False))

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Lock the folder for one sweep; the kernel unlocks it if the process dies.

        Raises:
            RunError: another process runs this sweep.
        """
        self.path.mkdir(parents=True, exist_ok=True)
        with self._lock_file.open("a") as file:
            if not take_lock(file, exclusive=True):
                raise RunError(
                    f"{self.path} is in use: another process is running this sweep.",
                    "wait for it, or stop it, then resume",
                )
            yield

    def in_use(self) -> bool:
        """Return whether the process of the sweep is alive."""
        try:
            with self._lock_file.open("rb") as file:
                return not take_lock(file, exclusive=False)
        except OSError:
            return False

    def goes_on(self) -> bool:
        """Return whether running jobs should go on."""
        return self.in_use() and not self._end_file.exists()

    def tell_jobs_to_end(self) -> None:
        """Let running jobs save and end; they look every second."""
        self._end_file.touch()

    def jobs(self) -> list[SweepJob]:
        """Return the jobs that have a number, in its order."""
        found = []
        for file in self._jobs.glob("*.json"):
            try:
                overrides = read_json(file).get("overrides")
            except RunError:  # killed while it was written: the job has not started
                continue
            if file.stem.isdecimal() and isinstance(overrides, dict):
                texts = {str(key): str(value) for key, value in overrides.items()}
                found.append(self._job(int(file.stem), texts))
        return sorted(found, key=lambda job: job.number)

    def job(self, overrides: dict[str, str], number: int = 0) -> SweepJob:
        """Return the job with these overrides; a new one takes the next free number.

        Safe to call from several processes at once.

        Args:
            overrides: what distinguishes the job.
            number: the smallest number for a new job.
        """
        known = [job for job in self.jobs() if job.overrides == overrides]
        if known:
            return known[0]
        self._jobs.mkdir(parents=True, exist_ok=True)
        for free in itertools.count(number):
            # the process that creates the file owns the number
            with (
                contextlib.suppress(FileExistsError),
                (self._jobs / f"{free}.json").open("x", encoding="utf-8") as file,
            ):
                json.dump({"overrides": overrides}, file)
                break
        return self._job(free, overrides)

    def next_number(self) -> int:
        """Return the number after the largest one in use."""
        taken = [int(f.stem) for f in self._jobs.glob("*.json") if f.stem.isdecimal()]
        return max(taken, default=-1) + 1

    def forget(self, job: SweepJob) -> None:
        """Remove a job from the sweep; its files are set aside."""
        job.set_aside()
        (self._jobs / f"{job.number}.json").unlink(missing_ok=True)

    def ask_to_stop(self) -> None:
        """Stop the sweep from starting further jobs."""
        self._stop_file.touch()

    def stops(self) -> bool:
        """Return whether `ask_to_stop` was called."""
        return self._stop_file.exists()

    def allow_to_start(self) -> None:
        """Undo `ask_to_stop` and `tell_jobs_to_end`."""
        self._stop_file.unlink(missing_ok=True)
        self._end_file.unlink(missing_ok=True)

    def _job(self, number: int, overrides: dict[str, str]) -> SweepJob:
        short = {key: short_number(value) for key, value in overrides.items()}
        safe = re.sub(r"[^\w=.,+-]", "_", words_of(short))[:MAX_NAME]
        name = f"{number}-{safe}" if safe else str(number)
        return SweepJob(number, overrides, RunFolder(self.path / name))


def _are_words(words: Any) -> bool:
    return isinstance(words, list) and all(isinstance(word, str) for word in words)
