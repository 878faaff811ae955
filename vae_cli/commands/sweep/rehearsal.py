"""A sweep is rehearsed before it starts: composed and checked, nothing trained."""

import contextlib
import math
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vae_cli.commands._hydra import call_hydra
from vae_cli.commands.sweep.job import varied
from vae_cli.commands.sweep.sweeper import is_optuna, rehearsing
from vae_cli.config.compose import checked, hydra_settings, override, overrides_of
from vae_cli.config.train import TrainConfig
from vae_cli.errors import ConfigError, ConfigProblems


@dataclass(frozen=True)
class Rehearsal:
    """The checked jobs of a sweep.

    Attributes:
        jobs: the overrides that distinguish each job, and its config; for a search,
            jobs at the ends of its ranges.
        complete: whether these are all jobs; a search chooses its own.
        folder: the sweep folder.
        sweeper: the settings of Hydra's sweeper.
    """

    jobs: list[tuple[dict[str, str], TrainConfig]]
    complete: bool
    folder: Path
    sweeper: dict[str, Any]

    @property
    def varied(self) -> list[str]:
        """The keys that distinguish jobs."""
        return list(
            dict.fromkeys(key for overrides, _ in self.jobs for key in overrides)
        )


def fixed_keys(words: Sequence[str]) -> frozenset[str]:
    """Return the keys that have one value, the same in all jobs."""
    from hydra.core.override_parser.overrides_parser import OverridesParser

    parsed = OverridesParser.create().parse_overrides(overrides_of(list(words)))
    last = {override.get_key_element(): override for override in parsed}
    return frozenset(key for key, o in last.items() if not o.is_sweep_override())


def check_sweep(words: list[str]) -> Rehearsal:
    """Compose and check every job before the first one starts.

    Hydra itself finds unknown keys early, but not invalid values or combinations. A
    rehearsal with its basic launcher does; it writes to a temporary folder.

    Args:
        words: overrides and flags of the sweep, without `-m`.

    Raises:
        ConfigError: naming the jobs that are refused, and why.
    """
    job = _RehearsedJob(fixed_keys(words))
    with (
        tempfile.TemporaryDirectory() as folder,
        contextlib.suppress(_Enough),
        rehearsing(),
    ):
        own = [f"hydra.sweep.dir={folder}", "hydra/launcher=basic"]
        if any(word.startswith("hydra.sweeper.storage=") for word in words):
            # a rehearsal must not write to the study of another sweeper
            own.append("hydra.sweeper.storage=null")
        # the basic launcher doesn't have the keys of another one
        here = [w for w in words if not w.lstrip("+~").startswith("hydra.launcher.")]
        call_hydra("train", ["-m", *with_words(here, own)], job)
    if job.problems:
        raise ConfigProblems(job.problems)
    hydra = hydra_settings(words, job.first_overrides)
    sweeper = hydra["sweeper"]
    complete = math.isinf(_known_jobs(sweeper)) and not is_optuna(sweeper)
    return Rehearsal(job.jobs, complete, Path(hydra["sweep"]["dir"]), sweeper)


class _RehearsedJob:
    """What the launcher calls for each job of a rehearsal.

    Args:
        fixed: keys with the same value in all jobs.

    Attributes:
        jobs: the overrides that distinguish each valid job, and its config.
        problems: why the others are refused.
        first_overrides: of the first job, as Hydra composed them.
    """

    def __init__(self, fixed: frozenset[str]) -> None:
        self._fixed = fixed
        self._count = 0
        self.jobs: list[tuple[dict[str, str], TrainConfig]] = []
        self.problems: list[str] = []
        self.first_overrides: list[str] = []

    def __call__(self, values: Any) -> float:
        """Check one job; returns a number, which a sweeper that searches needs.

        Raises:
            _Enough: the other jobs aren't known before this one has been trained.
        """
        from hydra.core.hydra_config import HydraConfig

        hydra = HydraConfig.get()
        if not self._count:
            self.first_overrides = list(hydra.overrides.task)
        elif self._count >= _known_jobs(hydra.sweeper):
            raise _Enough
        self._count += 1
        job = f"job {hydra.job.num}: "
        try:
            config = checked("train", values)
        except ConfigError as error:
            self.problems += [job + line for line in error.args]
            return 0.0
        if config.run_dir:
            self.problems.append(
                f"{job}run_dir={config.run_dir} would be shared by all jobs; use "
                "hydra.sweep.dir=<folder>"
            )
        if config.resume:
            self.problems.append(
                f"{job}resume={config.resume} can't be part of a sweep"
            )
        self.jobs.append((varied(hydra.overrides.task, self._fixed), config))
        return 0.0


def with_words(words: Sequence[str], more: Sequence[str]) -> list[str]:
    """Return words with some added or replaced, all overrides in a row."""
    keys = {word.partition("=")[0] for word in more}
    kept = [word for word in words if word.partition("=")[0] not in keys]
    # Hydra's parser wants overrides in a row
    last = max((i + 1 for i, w in enumerate(kept) if is_override(w)), default=0)
    last = last or len(kept)
    return [*kept[:last], *more, *kept[last:]]


def in_folder(words: Sequence[str], folder: Path) -> list[str]:
    """Return the words of a sweep, with `folder` as its folder."""
    return with_words(words, override("hydra.sweep.dir", str(folder)))


class _Enough(BaseException):
    """Ends a rehearsal; not an `Exception`, which Hydra would take for a failed job."""


def _known_jobs(sweeper: Any) -> float:
    """Return how many jobs are known before the first has ended."""
    own = (".BasicSweeper", ".OptunaSweeper")
    if sweeper.get("_target_", "").endswith(own):
        return math.inf
    # the others choose what comes next by what came out
    return int(sweeper.get("n_jobs") or 1)


def is_override(word: str) -> bool:
    """Return whether a word is `key=value`, and no flag."""
    return "=" in word and not word.startswith("-")
