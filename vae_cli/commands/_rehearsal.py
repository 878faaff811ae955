"""A sweep is rehearsed before it starts: composed and checked, nothing trained."""

import contextlib
import math
import tempfile
from typing import Any

from vae_cli.commands._hydra import call_hydra
from vae_cli.config.compose import checked
from vae_cli.errors import ConfigError, ConfigProblems


def check_sweep(words: list[str]) -> None:
    """Compose and check every job before the first one starts.

    Hydra itself finds unknown keys early, but not invalid values or combinations. A
    rehearsal with its basic launcher does; it writes to a temporary folder.

    Args:
        words: overrides and flags of the sweep, without `-m`.

    Raises:
        ConfigError: naming the jobs that are refused, and why.
    """
    problems: list[str] = []
    rehearsed = 0

    def rehearse(values: Any) -> float:
        nonlocal rehearsed
        from hydra.core.hydra_config import HydraConfig

        hydra = HydraConfig.get()
        if rehearsed and rehearsed >= _known_jobs(hydra.sweeper):
            raise _Enough
        rehearsed += 1
        job = f"job {hydra.job.num}: "
        try:
            config = checked("train", values)
        except ConfigError as error:
            problems.extend(job + line for line in error.args)
            return 0.0
        if config.run_dir:
            problems.append(
                f"{job}run_dir={config.run_dir} would be shared by all jobs; use "
                "hydra.sweep.dir=<folder>"
            )
        if config.resume:
            problems.append(f"{job}resume={config.resume} can't be part of a sweep")
        return 0.0  # a sweeper that searches needs a number

    with tempfile.TemporaryDirectory() as folder, contextlib.suppress(_Enough):
        own = [f"hydra.sweep.dir={folder}", "hydra/launcher=basic"]
        if any(word.startswith("hydra.sweeper.storage=") for word in words):
            # nothing of a rehearsal belongs into the study
            own.append("hydra.sweeper.storage=null")
        # overrides must stand together: put these beside the first one
        first = next((i for i, w in enumerate(words) if _is_override(w)), len(words))
        rehearsal = ["-m", *words[:first], *own[:2], *words[first:], *own[2:]]
        call_hydra("train", rehearsal, rehearse)
    if problems:
        raise ConfigProblems(problems)


class _Enough(BaseException):
    """Ends a rehearsal; not an `Exception`, which Hydra would take for a failed job."""


def _known_jobs(sweeper: Any) -> float:
    """Return how many jobs are known before the first has ended."""
    if sweeper.get("_target_", "").endswith(".BasicSweeper"):
        return math.inf
    # the others choose what comes next by what came out
    return int(sweeper.get("n_jobs") or 1)


def _is_override(word: str) -> bool:
    return "=" in word and not word.startswith("-")
