"""Figures of sweeps and searches: axes, ticks, labels and sizes."""

from matplotlib.figure import Figure

from vae_cli.config.figure import FigureConfig
from vae_cli.visualize.options import drawn_as
from vae_cli.visualize.parallel_coordinates import plot_parallel_coordinates
from vae_cli.visualize.search import (
    Searched,
    plot_history,
    plot_importances,
    plot_slice,
)
from vae_cli.visualize.style import WIDTH

BOUNDS = [208.6041, 208.6012, 208.6034]


def parallel() -> Figure:
    columns = {
        "beta": ["1.3232", "1.3173", "1.9"],
        "optimizer.learning_rate": ["0.0002", "0.001", "0.0021"],
        "architecture.activation": ["relu", "silu", "relu"],
    }
    return plot_parallel_coordinates(columns, BOUNDS, "bound, nats", "3 of 4 jobs")


def ticks(axis: object) -> list[str]:
    return [label.get_text() for label in axis.get_ticklabels()]  # type: ignore[attr-defined]


def sliced() -> Figure:
    columns = {
        "latent_dim": Searched([2, 10, 60], [], True),
        "optimizer.learning_rate": Searched([0.0002, 0.001, 0.009], [], True),
        "beta": Searched([0.5, 1.0, 2.0], [], False),
        "architecture.activation": Searched(["b", "a", "b"], ["a", "b"], False),
        "seed": Searched([1, 2, 3], [], False),
    }
    return plot_slice(columns, [0, 1, 2], BOUNDS, "bound")


def test_range_of_more_than_a_decade_is_logarithmic_and_labels_are_apart() -> None:
    figure = parallel()
    names = ticks(figure.axes[0].xaxis)
    assert names[:2] == ["beta", "optimizer.\nlearning_rate\n(log)"]
    texts = {text.get_text() for text in figure.axes[0].texts}
    assert {"1.317", "1.9", "0.0002", "0.0021"} <= texts
    assert "1.323" not in texts  # it would lie on 1.317


def test_bounds_are_written_with_the_digits_that_tell_them_apart() -> None:
    figure = parallel()
    figure.canvas.draw()
    bar = figure.axes[1]
    assert bar.yaxis.get_offset_text().get_text() == ""
    assert all(text.startswith("208.6") for text in ticks(bar.yaxis))
    texts = [t.get_text() for t in figure.axes[0].texts]
    assert {"208.6041", "208.6012", "208.6034"} <= set(texts)
    assert figure.get_suptitle() == "3 of 4 jobs"


def test_logarithmic_axes_have_plain_numbers_and_choices_their_names() -> None:
    figure = sliced()
    figure.canvas.draw()
    dims, rates, beta, choice = (axis.xaxis for axis in figure.axes[:4])
    assert dims.get_scale() == rates.get_scale() == "log"
    assert beta.get_scale() == "linear"
    assert {"3", "10", "30"} <= set(ticks(dims))
    assert {"0.0003", "0.001", "0.003"} <= set(ticks(rates))
    assert ticks(choice) == ["a", "b"]


def test_jobs_have_whole_numbers() -> None:
    for axis in (
        plot_history([0, 1, 2], BOUNDS, "bound").axes[0].xaxis,
        sliced().axes[-1].yaxis,
    ):
        places = axis.get_majorticklocs()
        assert all(place == round(place) for place in places)


def test_figures_fit_a_page_on_white_and_take_the_colour_map() -> None:
    figures = [parallel(), sliced(), plot_history([0, 1, 2], BOUNDS, "bound")]
    figures.append(plot_importances({"beta": 0.75, "seed": 0.25}))
    for figure in figures:
        assert figure.get_size_inches()[0] <= WIDTH
        assert figure.axes[0].get_facecolor()[:3] == (1, 1, 1)
    with drawn_as(FigureConfig(cmap="magma")):
        (dots,) = sliced().axes[0].collections
    assert dots.get_cmap().name == "magma"
