"""Figures of a search: its jobs in time, along each key, and which keys matter."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullLocator

from vae_cli.visualize.style import WIDTH, graded, styled

PER_ROW = 4
"""Keys beside each other in `plot_slice`."""


class Searched(NamedTuple):
    """A key that a search varies.

    Attributes:
        values: of each job; texts where they are choices.
        choices: all of them, in their order; empty for numbers.
        log: whether numbers were searched logarithmically.
    """

    values: list[Any]
    choices: list[str]
    log: bool


@styled
def plot_history(
    numbers: Sequence[int], bounds: Sequence[float], measure: str
) -> Figure:
    """Draw the bound of each job by its number, and the best one so far.

    Args:
        numbers: of the jobs, ascending.
        bounds: of the jobs; smaller is better.
        measure: name of the bounds.
    """
    figure = Figure(figsize=(WIDTH / 2 + 1, 3), layout="constrained")
    axis = figure.add_subplot()
    best = np.minimum.accumulate(bounds)
    axis.step(numbers, best, where="post", color="crimson", label="best so far")
    axis.plot(numbers, bounds, "o", color="0.35", label="a job")
    axis.set(title="bounds of the search", xlabel="job", ylabel=measure)
    axis.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    axis.yaxis.get_major_formatter().set_useOffset(False)  # type: ignore[attr-defined]
    axis.legend()
    return figure


@styled
def plot_slice(
    columns: Mapping[str, Searched],
    numbers: Sequence[int],
    bounds: Sequence[float],
    measure: str,
) -> Figure:
    """Draw the bounds along each key, coloured by the number of the job.

    Args:
        columns: key -> its values.
        numbers: of the jobs.
        bounds: of the jobs; smaller is better.
        measure: name of the bounds.
    """
    across = min(PER_ROW, len(columns))
    down = -(-len(columns) // across)
    size = (min(WIDTH, 1.6 + 1.8 * across), 0.4 + 2.4 * down)
    figure = Figure(figsize=size, layout="constrained")
    grid = figure.subplots(down, across, sharey=True, squeeze=False)
    norm, colours = Normalize(min(numbers), max(numbers)), graded()
    dots: dict[str, Any] = {"c": numbers, "cmap": colours, "norm": norm, "s": 16}
    for axis, (key, searched) in zip(grid.flat, columns.items(), strict=False):
        places: list[Any] = searched.values
        if searched.choices:
            places = [searched.choices.index(value) for value in places]
            axis.set_xticks(range(len(searched.choices)), searched.choices)
            axis.set_xlim(-0.5, len(searched.choices) - 0.5)
        elif searched.log:
            _make_logarithmic(axis, places)
        axis.scatter(places, bounds, edgecolors="0.3", linewidths=0.3, **dots)
        axis.set_xlabel(key)
        axis.tick_params("x", rotation=45)
        axis.yaxis.get_major_formatter().set_useOffset(False)
    for axis in grid.flat[len(columns) :]:
        axis.set_visible(False)
    for axis in grid[:, 0]:
        axis.set_ylabel(measure)
    bar = figure.colorbar(
        ScalarMappable(norm, colours),
        ax=grid,
        label="job",
        ticks=MaxNLocator(5, integer=True, min_n_ticks=1),
    )
    bar.outline.set_visible(False)
    figure.suptitle("bound of each job along what was searched")
    return figure


@styled
def plot_importances(importances: Mapping[str, float]) -> Figure:
    """Draw how much each key decides the bound.

    Args:
        importances: key -> share of the variance, the largest first.
    """
    figure = Figure(figsize=(WIDTH / 2 + 1, 1 + 0.3 * len(importances)))
    figure.set_layout_engine("constrained")
    axis = figure.add_subplot()
    bars = axis.barh(list(importances), list(importances.values()), color="0.45")
    axis.bar_label(bars, fmt="%.2f", padding=3, fontsize=7)
    axis.invert_yaxis()
    axis.margins(x=0.12)
    axis.set(title="what decides the bound", xlabel="importance; the sum is 1")
    return figure


def _make_logarithmic(axis: Any, values: Sequence[float]) -> None:
    """Make the x-axis logarithmic, with plain numbers: figures don't parse TeX."""
    axis.set_xscale("log")
    ratio = max(values) / min(values)
    subs = (1, 2, 5) if ratio < 30 else (1, 3) if ratio < 1e3 else (1,)
    axis.xaxis.set_major_locator(LogLocator(subs=subs))
    axis.xaxis.set_minor_locator(NullLocator())
    axis.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
