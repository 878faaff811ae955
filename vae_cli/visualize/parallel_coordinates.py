"""Parallel coordinates: each job of a sweep as a line through its values."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from matplotlib import colormaps
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.ticker import Locator, LogLocator, MaxNLocator

WIDE = 30
"""Ratio of largest to smallest value above which an axis is logarithmic."""
MOST_TICKS = 12


class _Scale(NamedTuple):
    """Positions of values and ticks on an axis, from 0 to 1."""

    places: list[float]
    ticks: list[tuple[float, str]]
    name: str


def plot_parallel_coordinates(
    columns: Mapping[str, Sequence[str]],
    bounds: Sequence[float],
    measure: str,
    title: str,
) -> Figure:
    """Draw a line for each job, coloured by its bound, the best one on top.

    Args:
        columns: key -> value of each job, as typed. Numbers get a linear axis, or a
            logarithmic one if their range is wide; other values are categories.
        bounds: of each job; smaller is better.
        measure: name of the bounds.
        title: of the figure.
    """
    scales = {key: _scale(values) for key, values in columns.items()}
    scales[measure] = _linear(list(bounds))
    places = np.array([scale.places for scale in scales.values()]).T
    figure = Figure(figsize=(2.2 + 1.9 * len(scales), 4.8), layout="constrained")
    axis = figure.add_subplot()
    axis.set_title(title, fontsize=10)
    norm = Normalize(min(bounds), max(bounds))
    colours = colormaps["viridis"]
    order = np.argsort(bounds)[::-1]  # the best is drawn last, on top
    across = np.arange(len(scales))
    for job in order[:-1]:
        colour = colours(norm(bounds[job]))
        axis.plot(across, places[job], "-", color=colour, lw=1.3, alpha=0.8)
    best = order[-1]
    axis.plot(across, places[best], "-", color="white", lw=5, zorder=3)
    axis.plot(across, places[best], "o-", color="crimson", lw=2.5, ms=5, zorder=3)
    axis.plot([], [], "o-", color="crimson", lw=2.5, ms=5, label="best job")
    for x, scale in enumerate(scales.values()):
        axis.plot([x, x], [0, 1], color="0.25", lw=1, zorder=2)
        for y, text in scale.ticks:
            axis.plot([x - 0.02, x], [y, y], color="0.25", lw=1, zorder=2)
            axis.text(
                x - 0.04, y, text, ha="right", va="center", fontsize=8, zorder=4,
                bbox={"facecolor": "white", "alpha": 0.7, "pad": 0.5, "lw": 0},
            )  # fmt: skip
    axis.set_xticks(across, [f"{k}\n{s.name}".strip() for k, s in scales.items()])
    axis.tick_params(length=0, labelsize=9)
    axis.set_yticks([])
    axis.set_xlim(-0.5, len(scales) - 0.85)
    axis.set_ylim(-0.04, 1.04)
    for spine in axis.spines.values():
        spine.set_visible(False)
    figure.legend(loc="outside lower left", fontsize=8, frameon=False)
    bar = figure.colorbar(ScalarMappable(norm, colours), ax=axis, pad=0.02)
    bar.set_label(f"{measure}, smaller is better", fontsize=9)
    bar.ax.tick_params(labelsize=8)
    return figure


def _scale(texts: Sequence[str]) -> _Scale:
    try:
        numbers = [float(text) for text in texts]
    except ValueError:
        return _named(texts)
    if not all(map(math.isfinite, numbers)):
        return _named(texts)
    low, high = min(numbers), max(numbers)
    if low > 0 and high / low >= WIDE:
        return _logarithmic(numbers)
    return _linear(numbers)


def _named(texts: Sequence[str]) -> _Scale:
    names = list(dict.fromkeys(texts))
    steps = max(1, len(names) - 1)
    place = {n: 0.5 if len(names) == 1 else i / steps for i, n in enumerate(names)}
    shown = names[:: math.ceil(len(names) / MOST_TICKS)]
    ticks = [(place[n], n if len(n) <= 18 else n[:17] + "…") for n in shown]
    return _Scale([place[text] for text in texts], ticks, "")


def _linear(numbers: list[float]) -> _Scale:
    return _between(numbers, MaxNLocator(6), np.asarray, "")


def _logarithmic(numbers: list[float]) -> _Scale:
    decades = max(numbers) / min(numbers) > 1e3
    locator = LogLocator(subs=(1,) if decades else (1, 2, 5))
    return _between(numbers, locator, np.log10, "(log)")


def _between(
    numbers: list[float], locator: Locator, along: Callable[..., Any], name: str
) -> _Scale:
    low, high = min(numbers), max(numbers)
    width = along(high) - along(low)

    def place(value: float) -> float:
        return float((along(value) - along(low)) / width) if width else 0.5

    own = sorted(set(numbers))
    # few distinct values get a tick each
    ticks = own if len(own) <= 5 else locator.tick_values(low, high)
    shown = [(place(t), f"{t:.5g}") for t in ticks if low <= t <= high]
    return _Scale([*map(place, numbers)], shown, name)
