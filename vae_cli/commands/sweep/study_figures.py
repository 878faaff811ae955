"""Figures of a search, from Optuna's study."""

from typing import Any

from vae_cli.commands.sweep.study import import_optuna, reading
from vae_cli.runs.sweep_folder import SweepFolder

MEASURE = "best bound, nats per image"


def draw_study(settings: Any, folder: SweepFolder) -> None:
    """Write the figures of a search into the sweep's `figures/`.

    Args:
        settings: the keys of `vae_cli.config.sweep.OPTUNA`.
        folder: the sweep.
    """
    optuna = import_optuna()

    from vae_cli.visualize.files import figure_path, save_figure
    from vae_cli.visualize.search import plot_history, plot_importances, plot_slice

    if settings["storage"] is None:  # the study was in memory
        return
    with reading(settings):
        study = optuna.load_study(
            study_name=settings["study_name"], storage=settings["storage"]
        )
        trials = study.get_trials(states=(optuna.trial.TrialState.COMPLETE,))
        bounds = [float(trial.value) for trial in trials]
        if len(set(bounds)) < 2:
            return
        importances = optuna.importance.get_param_importances(study)
    numbers = [trial.number for trial in trials]
    figures = {
        "optimization_history": plot_history(numbers, bounds, MEASURE),
        "slice": plot_slice(_searched(trials), numbers, bounds, MEASURE),
        "param_importances": plot_importances(importances),
    }
    folder.figures.mkdir(exist_ok=True)
    for name, figure in figures.items():
        save_figure(figure, figure_path(folder.figures / name))


def _searched(trials: list[Any]) -> dict[str, Any]:
    """Return what all trials vary, key -> `vae_cli.visualize.search.Searched`."""
    from vae_cli.visualize.search import Searched

    columns = {}
    for key, distribution in trials[-1].distributions.items():
        values = [trial.params[key] for trial in trials if key in trial.params]
        if len(values) < len(trials):
            continue
        choices: list[str] = []
        if hasattr(distribution, "choices"):
            values = list(map(str, values))
            # a resumed search may have other choices
            choices = list(dict.fromkeys([*map(str, distribution.choices), *values]))
        log = bool(getattr(distribution, "log", False))
        columns[key] = Searched(values, choices, log)
    return columns
