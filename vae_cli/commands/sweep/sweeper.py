"""`hydra/sweeper=optuna`: Optuna chooses each job from the results of earlier jobs.

The package hydra-optuna-sweeper has the same syntax, but its release for Hydra 1.3
needs Optuna 2 (2022), whose SQLite storage fails with SQLAlchemy 2 and whose figures
fail with current matplotlib and NumPy; it also renumbers jobs from 0 on resume.
"""

import contextlib
from collections.abc import Iterator
from typing import Any

from vae_cli.config.sweep import OPTUNA

TARGET = OPTUNA["_target_"]

_rehearses: list[bool] = []


@contextlib.contextmanager
def rehearsing() -> Iterator[None]:
    """Within the block, a search only composes jobs at the ends of its ranges."""
    _rehearses.append(True)
    try:
        yield
    finally:
        _rehearses.pop()


def is_rehearsal() -> bool:
    """Return whether this is within `rehearsing`."""
    return bool(_rehearses)


def is_optuna(sweeper: Any) -> bool:
    """Return whether settings of a Hydra sweeper are those of `OptunaSweeper`."""
    return bool(sweeper.get("_target_") == TARGET)
