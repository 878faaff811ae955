"""`hydra/sweeper=optuna`: Optuna chooses each job by how those before it did.

The package hydra-optuna-sweeper takes the same words. Its release for Hydra 1.3 needs
Optuna 2 (2022), whose SQLite storage fails with SQLAlchemy 2 and whose figures fail
with today's matplotlib and NumPy; and it numbers jobs from 0 when a study goes on.
"""

import contextlib
from collections.abc import Iterator
from typing import Any

from vae_cli.config.sweep import OPTUNA

TARGET = OPTUNA["_target_"]

_rehearses: list[bool] = []


@contextlib.contextmanager
def rehearsing() -> Iterator[None]:
    """Within the block, a search composes the ends of what it searches, and no more."""
    _rehearses.append(True)
    try:
        yield
    finally:
        _rehearses.pop()


def is_rehearsal() -> bool:
    """Return whether this is within `rehearsing`."""
    return bool(_rehearses)


def is_optuna(sweeper: Any) -> bool:
    """Return whether a sweeper's settings are those of a search by Optuna."""
    return bool(sweeper.get("_target_") == TARGET)


def register_optuna() -> None:
    """Let Hydra find the sweeper, which it takes from its own namespace only."""
    from hydra.core.plugins import Plugins

    from vae_cli.commands._search import OptunaSweeper

    Plugins.instance().class_name_to_class[TARGET] = OptunaSweeper
