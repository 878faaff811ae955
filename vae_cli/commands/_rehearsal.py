"""A sweep is rehearsed before it starts: composed and checked, nothing trained."""

import sys
import tempfile
from typing import Any

from vae_cli.commands._main import compose_and_call
from vae_cli.config.compose import checked
from vae_cli.errors import ConfigError


def check_sweep(command: str) -> None:
    """Compose and check every job before the first one starts.

    Hydra itself finds unknown keys early, but not what only our dataclasses know. A
    rehearsal with its basic launcher does; it writes to a temporary folder.
    """
    problems: list[str] = []

    def rehearse(values: Any) -> None:
        from hydra.core.hydra_config import HydraConfig

        job = f"job {HydraConfig.get().job.num}: "
        try:
            config = checked(command, values)
        except ConfigError as error:
            problems.extend(job + line for line in error.args)
            return
        if config.run_dir:
            problems.append(
                f"{job}run_dir={config.run_dir} would be shared by all jobs; use "
                "hydra.sweep.dir=<folder>"
            )
        if config.resume:
            problems.append(f"{job}resume={config.resume} can't be part of a sweep")

    typed = sys.argv
    with tempfile.TemporaryDirectory() as folder:
        rehearsal = [f"hydra.sweep.dir={folder}", "hydra/launcher=basic"]
        # overrides must stand together: put these beside the first one
        first = next((i for i, w in enumerate(typed) if _is_override(w)), len(typed))
        sys.argv = [*typed[:first], *rehearsal, *typed[first:]]
        try:
            compose_and_call(command, rehearse)
        finally:
            sys.argv = typed
    if problems:
        raise ConfigError(*problems)


def _is_override(word: str) -> bool:
    return "=" in word and not word.startswith("-")
