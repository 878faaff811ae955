"""The Hydra sweeper that searches with Optuna; imported only under Hydra."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hydra.core.plugins import Plugins
from hydra.plugins.sweeper import Sweeper

from vae_cli.commands.sweep.search_space import SearchSpace
from vae_cli.commands.sweep.study import Study
from vae_cli.commands.sweep.sweeper import TARGET, is_rehearsal
from vae_cli.runs.sweep_folder import SweepFolder


class OptunaSweeper(Sweeper):
    """Asks Optuna for jobs and reports their bounds; Hydra creates it.

    Jobs have the numbers of their trials, so a resumed study never reuses a number.
    """

    def __init__(self, **settings: Any) -> None:
        # the keys of vae_cli.config.sweep.OPTUNA
        self._settings = settings

    def setup(self, *, hydra_context: Any, task_function: Any, config: Any) -> None:
        """Create the launcher; Hydra calls it before `sweep`."""
        self._folder = SweepFolder(Path(str(config.hydra.sweep.dir)))
        self._launcher = Plugins.instance().instantiate_launcher(
            hydra_context=hydra_context, task_function=task_function, config=config
        )

    def sweep(self, arguments: list[str]) -> None:
        """Run the jobs; Hydra calls it with the overrides of the command line."""
        params = self._settings["params"] or {}
        words = [f"{key}={value}" for key, value in params.items()]
        space = SearchSpace([*words, *arguments])
        if is_rehearsal():
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
        """Run jobs, numbered from `first`; returns their bounds, nats per image."""
        jobs = [
            [*fixed, *(f"{key}={value}" for key, value in values.items())]
            for values in chosen
        ]
        done = self._launcher.launch(jobs, initial_job_idx=first)
        return [float(returned.return_value) for returned in done]


def register_optuna() -> None:
    """Register the sweeper; Hydra only finds those in its own namespace by itself."""
    Plugins.instance().class_name_to_class[TARGET] = OptunaSweeper
