"""Figures of a search, as Optuna draws them."""

from typing import Any

from vae_cli.commands._study import import_optuna, reading
from vae_cli.runs.sweep_folder import SweepFolder

MEASURE = "best bound, nats per image"


def draw_study(settings: Any, folder: SweepFolder) -> None:
    """Write Optuna's figures of a search into the sweep's `figures/`.

    Args:
        settings: the keys of `vae_cli.config.sweep.OPTUNA`.
        folder: the sweep.
    """
    optuna = import_optuna()
    import matplotlib

    matplotlib.use("agg")  # Optuna draws with pyplot
    from matplotlib import pyplot
    from matplotlib.ticker import NullFormatter
    from optuna.visualization import matplotlib as draw

    from vae_cli.visualize.files import figure_path, save_figure

    if settings["storage"] is None:  # the study was in memory
        return
    with reading(settings):
        study = optuna.load_study(
            study_name=settings["study_name"], storage=settings["storage"]
        )
        complete = (optuna.trial.TrialState.COMPLETE,)
        values = {trial.value for trial in study.get_trials(states=complete)}
    if len(values) < 2:
        return
    folder.figures.mkdir(exist_ok=True)
    plots: dict[str, Any] = {
        "optimization_history": draw.plot_optimization_history,
        "slice": draw.plot_slice,
        "param_importances": draw.plot_param_importances,
    }
    searched = len(study.best_params)
    for name, plot in plots.items():
        plot(study, target_name=MEASURE)
        figure = pyplot.gcf()
        figure.set_size_inches(max(9, 3 * searched) if name == "slice" else 9, 5)
        figure.set_layout_engine("constrained")
        for axes in figure.axes:  # minor labels of logarithmic axes overlap
            axes.xaxis.set_minor_formatter(NullFormatter())
        save_figure(figure, figure_path(folder.figures / name))
        pyplot.close(figure)
