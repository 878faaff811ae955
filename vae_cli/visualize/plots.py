"""Figures of matplotlib, from arrays."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.collections import PathCollection
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.ticker import MaxNLocator

from vae_cli.config.objective import BOUNDS, own_bound
from vae_cli.text import printable
from vae_cli.visualize.files import text_width, wrapped
from vae_cli.visualize.images import grid
from vae_cli.visualize.style import WIDTH, class_colours, styled

MANY_BARS = 64
"""Latent dimensions beyond which several levels have one bar each."""
UNITS = {"active_units": "units", "perplexity": "codes"}
"""Column of `metrics.csv` -> unit, where it is not nats per image."""
NAME = 60
"""Most characters of a class in a legend."""


@styled
def plot_rows(rows: dict[str, np.ndarray], title: str) -> Figure:
    """Draw images in rows, each with its name beside it.

    Args:
        rows: name -> float32 [N, H, W, C] in [0, 1], as many images in each row.
        title: of the figure.
    """
    count, height, width, _ = next(iter(rows.values())).shape
    side = 0.56  # inches an image is high
    lines = [line for name in rows for line in name.splitlines()]
    beside = 0.3 + max(text_width(line, fontsize=8) for line in lines)
    wide = beside + max(0.3, count * side * width / height)
    size = (max(wide, 0.3 + text_width(title, fontsize=9)), 0.5 + len(rows) * side)
    figure = Figure(figsize=size, layout=ConstrainedLayoutEngine(w_pad=0.08))
    figure.suptitle(title)
    axes = np.reshape(figure.subplots(len(rows), 1), -1)
    for axis, (name, images) in zip(axes, rows.items(), strict=True):
        sheet = grid(images, columns=count)
        draw_sheet(axis, sheet)
        axis.set_ylabel(name, rotation=0, ha="right", va="center")
        axis.set_xticks([])
        axis.set_yticks([])
        for spine in axis.spines.values():
            spine.set_visible(False)
    return figure


def draw_sheet(axis: Axes, sheet: np.ndarray) -> None:
    """Draw uint8 [H, W, 1 or 3]; grey is as bright as its values, not stretched."""
    grey = sheet.shape[-1] == 1
    axis.imshow(sheet.squeeze(-1) if grey else sheet, cmap="gray", vmin=0, vmax=255)


@styled
def plot_curves(rows: list[dict[str, float]], measure: str, title: str = "") -> Figure:
    """Draw the terms of a run's loss over epochs, training against validation.

    Args:
        rows: one mapping an epoch, the columns of `metrics.csv`.
        measure: what the reconstruction loss is.
        title: of the figure.
    """
    bound = own_bound(rows[0])
    at_beta = "" if bound == "neg_infovae" else " (beta 1)"
    first, second = (bound, BOUNDS[bound] + at_beta), f"reconstruction: {measure}"
    if bound == "neg_iwae":
        second = "bound without the KL"
    panels = (
        first,
        ("reconstruction_loss", second),
        ("kl_loss", "KL term"),
        ("active_units", "active units")
        if "active_units" in rows[0]
        else ("perplexity", "perplexity of codes"),
    )
    figure = Figure(figsize=(WIDTH, 4.4), layout="constrained")
    figure.suptitle(wrapped(title, WIDTH - 0.4, fontsize=9))
    axes = figure.subplots(2, 2).reshape(-1)
    epochs = [row["epoch"] for row in rows]
    for axis, (column, name) in zip(axes, panels, strict=True):
        axis.plot(epochs, [row[column] for row in rows], ".-", label="training")
        if f"val_{column}" in rows[0]:
            validation = [row[f"val_{column}"] for row in rows]
            axis.plot(epochs, validation, ".-", label="validation")
        axis.set_title(name)
        axis.set_xlabel("epoch")
        axis.set_ylabel(UNITS.get(column, "nats per image"))
        axis.grid(alpha=0.3)
        # of a single epoch, one tick
        axis.xaxis.get_major_locator().set_params(integer=True, min_n_ticks=1)
    axes[3].set_ylim(bottom=0)
    _draw_levels(axes[2], rows)
    betas = [row["beta"] for row in rows]
    if max(betas) - min(betas) > 1e-3 * max(betas):
        twin = axes[2].twinx()
        twin.plot(epochs, betas, color="grey", linestyle=":", label="beta")
        twin.set_ylabel("beta")
        twin.spines["right"].set_visible(True)
    axes[0].legend()
    return figure


def _draw_levels(axis: Axes, rows: list[dict[str, float]]) -> None:
    """Draw the KL of each of several levels, the top darkest."""
    prefix = "val_" if "val_kl_level_0" in rows[0] else ""
    columns = [c for c in rows[0] if c.startswith(f"{prefix}kl_level_")]
    for level, column in enumerate(columns):
        axis.plot(
            [row["epoch"] for row in rows],
            [row[column] for row in rows],
            color=str(0.2 + 0.6 * level / len(columns)),
            linewidth=0.8,
            label=f"level {level}" if level in (0, len(columns) - 1) else None,
        )
    if columns:
        axis.legend(fontsize=6)


@styled
def plot_latent(
    points: np.ndarray,
    axis_names: tuple[str, str],
    labels: np.ndarray | None,
    kl: np.ndarray,
    active: int,
    title: str,
    levels: Sequence[int] = (),
) -> Figure:
    """Draw posterior means coloured by label, and the KL of each dimension.

    Args:
        points: float [N, 2].
        axis_names: what the two columns are.
        labels: text [N], or None.
        kl: float [latent_dim], nats, averaged over images.
        active: number of active units.
        title: the run and the split.
        levels: dimensions of each level, as `draw_kl_bars` takes them.
    """
    figure = Figure(figsize=(WIDTH, 3.9), layout="constrained")
    scatter, bars = figure.subplots(1, 2, width_ratios=(2, 1))
    drawn = _scatter(scatter, points, labels)
    if drawn:
        legend_below(figure, drawn, title="label")
    scatter.set_xlabel(axis_names[0])
    scatter.set_ylabel(axis_names[1])
    scatter.set_title(title)
    draw_kl_bars(bars, kl, levels)
    bars.set_title(
        f"KL to N(0, 1) {kl.sum():.2f} nats;\n{active} of {len(kl)} units active"
    )
    return figure


def draw_kl_bars(axis: Axes, kl: np.ndarray, levels: Sequence[int] = ()) -> None:
    """Draw the KL of each latent dimension, the largest first, or of each level.

    Args:
        axis: of the figure.
        kl: float [latent_dim], nats.
        levels: dimensions of each level, top first. More dimensions than `MANY_BARS`
            of several levels are added up.
    """
    if len(levels) > 1 and len(kl) > MANY_BARS:
        sums = [part.sum() for part in np.split(kl, np.cumsum(levels)[:-1])]
        axis.bar(np.arange(len(levels)), sums, color="tab:grey")
        axis.xaxis.set_major_locator(MaxNLocator(integer=True))
        axis.set_xlabel("level, 0 is the top")
        axis.set_ylabel("KL, nats per image")
        return
    order = np.argsort(-kl)
    axis.bar(np.arange(len(kl)), kl[order], color="tab:grey")
    # the names of many would hide each other
    names = [str(j) for j in order] if len(kl) <= 32 else []
    turned = 90 if len(names) > 16 else 0
    size = 7 if len(names) <= 10 else 5
    axis.set_xticks(np.arange(len(names)), names, fontsize=size, rotation=turned)
    axis.set_xlabel("latent dimension, by KL")
    axis.set_ylabel("KL to N(0, 1), nats per image")


def legend_above(axis: Axes) -> None:
    """Draw the legend of a histogram above its bars, for which the axis is extended."""
    legend = axis.legend(loc="upper right")
    axis.set_ylim(top=axis.get_ylim()[1] * (1 + 0.1 * len(legend.get_texts())))


def legend_below(figure: Figure, drawn: Sequence[Artist], title: str) -> None:
    """Draw a legend below all axes, and make the figure higher by as much."""
    names = [_cut(str(artist.get_label())) for artist in drawn]
    wide = 0.35 + max(text_width(name, fontsize=7) for name in names)
    columns = max(1, min(len(names), int((figure.get_figwidth() - 0.2) / wide)))
    figure.legend(
        drawn,
        names,
        loc="outside lower center",
        title=title,
        ncols=columns,
        markerscale=3,
        columnspacing=1,
        handletextpad=0.4,
    )
    lines = 1 + -(-len(names) // columns)
    figure.set_figheight(figure.get_figheight() + 0.15 * lines)


def _cut(name: str) -> str:
    return name if len(name) <= NAME else f"{name[: NAME - 3]}..."


def _scatter(
    axis: Axes, points: np.ndarray, labels: np.ndarray | None
) -> list[PathCollection]:
    """Draw points; returns those of each class, or none if colours don't tell."""
    style: dict[str, Any] = {"s": 4, "alpha": 0.7, "linewidths": 0}
    if labels is None:
        axis.scatter(*points.T, **style)
        return []
    # numbers in order of their value, names in that of the alphabet
    numbers = all(label.isdecimal() for label in labels)
    classes = sorted(np.unique(labels), key=int if numbers else str)
    colours, distinct = class_colours(len(classes))
    drawn = []
    for index, label in enumerate(classes):
        chosen = points[labels == label]
        style |= {"color": colours[index], "label": printable(label)}
        drawn.append(axis.scatter(*chosen.T, **style))
    return drawn if distinct else []
