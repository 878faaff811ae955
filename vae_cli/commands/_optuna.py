"""`hydra/sweeper=optuna`: Optuna chooses each job by how those before it did.

The package hydra-optuna-sweeper takes the same words. Its release for Hydra 1.3 needs
Optuna 2 (2022), whose SQLite storage fails with SQLAlchemy 2 and whose figures fail
with today's matplotlib and NumPy; and it numbers jobs from 0 when a study goes on.
"""

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from vae_cli.commands._search_space import SearchSpace
from vae_cli.commands._study import Study
from vae_cli.config.sweep import OPTUNA
from vae_cli.runs.sweep_folder import SweepFolder

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


def is_optuna(sweeper: Any) -> bool:
    """Return whether a sweeper's settings are those of a search by Optuna."""
    return bool(sweeper.get("_target_") == TARGET)


def register_optuna() -> None:
    """Let Hydra find the sweeper, which it takes from its own namespace only."""
    from hydra.core.plugins import Plugins
    from hydra.plugins.sweeper import Sweeper

    class OptunaSweeper(_Search, Sweeper):
        """What Hydra makes with the keys of `OPTUNA`."""

    Plugins.instance().class_name_to_class[TARGET] = OptunaSweeper


class _Search:
    """Asks Optuna for jobs and tells it their bounds.

    A job has the number of its trial, so that a study that goes on numbers no job over
    another.
    """

    def __init__(self, **settings: Any) -> None:
        self._settings = settings

    def setup(self, *, hydra_context: Any, task_function: Any, config: Any) -> None:
        """Take Hydra's own objects."""
        from hydra.core.plugins import Plugins

        self._folder = SweepFolder(Path(str(config.hydra.sweep.dir)))
        self._launcher = Plugins.instance().instantiate_launcher(
            hydra_context=hydra_context, task_function=task_function, config=config
        )

    def sweep(self, arguments: list[str]) -> None:
        """Run the jobs; Hydra calls it with the overrides of the command line."""
        params = self._settings["params"] or {}
        words = [f"{key}={value}" for key, value in params.items()]
        space = SearchSpace([*words, *arguments])
        if _rehearses:
            self._launch(space.fixed, space.ends(), 0)
            return
        study = Study(self._settings, space, self._folder)
        while not self._folder.stops() and (trials := study.next_trials()):
            first = trials[0].number
            values = self._launch(space.fixed, [t.params for t in trials], first)
            study.tell(trials, values)

    def _launch(
        self, fixed: Sequence[str], chosen: Sequence[dict[str, Any]], first: int
    ) -> list[float]:
        """Run jobs, numbered from `first`; returns their bounds."""
        jobs = [
            [*fixed, *(f"{key}={value}" for key, value in values.items())]
            for values in chosen
        ]
        done = self._launcher.launch(jobs, initial_job_idx=first)
        return [float(returned.return_value) for returned in done]
