"""Parallel coordinates: each job of a sweep as a line through its values."""

import math
import textwrap
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.ticker import Locator, LogLocator, MaxNLocator, ScalarFormatter

from vae_cli.visualize.style import WIDTH, graded, styled

WIDE = 10
"""Ratio of largest to smallest value above which an axis is logarithmic."""
MOST_TICKS = 12
APART = 0.045
"""Smallest distance of two labels on an axis of length 1."""


class _Scale(NamedTuple):
    """Positions of values and ticks on an axis, from 0 to 1."""

    places: list[float]
    ticks: list[tuple[float, str]]
    name: str


@styled
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
    width = max(min(WIDTH, 1.8 + 1.6 * len(scales)), 1.1 * len(scales))
    figure = Figure(figsize=(width, 4.2), layout="constrained")
    axis = figure.add_subplot()
    figure.suptitle(title)
    norm = Normalize(min(bounds), max(bounds))
    colours = graded()
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
                x - 0.04, y, text, ha="right", va="center", fontsize=7, zorder=4,
                bbox={"facecolor": "white", "alpha": 0.7, "pad": 0.5, "lw": 0},
            )  # fmt: skip
    axis.set_xticks(across, [_label(k, s.name) for k, s in scales.items()])
    axis.tick_params(length=0, labelsize=8)
    axis.set_yticks([])
    axis.set_xlim(-0.5, len(scales) - 0.85)
    axis.set_ylim(-0.04, 1.04)
    for spine in axis.spines.values():
        spine.set_visible(False)
    figure.legend(loc="outside lower left", frameon=False)
    bar = figure.colorbar(
        ScalarMappable(norm, colours),
        ax=axis,
        pad=0.02,
        label=f"{measure}, smaller is better",
        format=ScalarFormatter(useOffset=False),
    )
    bar.outline.set_visible(False)
    return figure


def _label(key: str, scale: str) -> str:
    """Return the label of an axis, in lines as narrow as its place."""
    lines = [key]
    if len(key) > 12:
        lines = key.replace(".", ".\n").split("\n")
        lines = [part for line in lines for part in textwrap.wrap(line, 16)]
    return "\n".join([*lines, scale]).strip()


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
    shown = _spaced([(place(t), float(t)) for t in ticks if low <= t <= high])
    texts = _numbers([value for _, value in shown])
    labels = [(y, text) for (y, _), text in zip(shown, texts, strict=True)]
    return _Scale([*map(place, numbers)], labels, name)


def _spaced(ticks: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """Return ticks whose labels don't overlap, both ends among them."""
    kept: list[tuple[float, float]] = []
    for tick in ticks:
        if not kept or tick[0] - kept[-1][0] >= APART:
            kept.append(tick)
        elif tick is ticks[-1] and len(kept) > 1:
            kept[-1] = tick
    return kept


def _numbers(values: list[float]) -> list[str]:
    """Return numbers as texts with as few digits as tell them apart."""
    step = min(np.diff(values), default=math.inf)
    for digits in range(4, 16):
        texts = [f"{value:.{digits}g}" for value in values]
        errors = [abs(float(t) - v) for t, v in zip(texts, values, strict=True)]
        if max(errors, default=0) <= step / 20:
            break
    return texts
