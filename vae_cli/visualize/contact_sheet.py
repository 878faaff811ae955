"""Figures of a data set: images class by class, values, images that look alike."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import StrMethodFormatter

from vae_cli.data.duplicates import Duplicates, Place
from vae_cli.data.inspection import DataReport, named_splits
from vae_cli.data.pixel_counts import PixelFacts
from vae_cli.data.splits import ImageData, Split
from vae_cli.randomness import Stream, generator
from vae_cli.text import printable
from vae_cli.visualize.files import text_width
from vae_cli.visualize.images import grid
from vae_cli.visualize.plots import plot_rows
from vae_cli.visualize.style import styled

MAX_CLASSES = 24
"""Classes that have a row each; more are mixed."""
MAX_COLUMNS = 16
SIDE = 0.62
"""Inches an image is wide, at least."""
MAX_SIDE = 0.8
PAIRS = 12
"""Pairs that are drawn."""
NAME = 26
"""Letters of a class's or a file's name that are drawn."""
COLOURS = {1: ("black",), 3: ("tab:red", "tab:green", "tab:blue")}
LEVEL = 3
"""Letters of names that stand side by side below bars."""
EMPTY = 0.25
"""Brightness where a row has no more images."""


@styled
def contact_sheet(
    split: Split, report: DataReport, num_images: int, seed: int
) -> Figure:
    """Draw images of a split, class by class, above histograms.

    Args:
        split: training images.
        report: what is known of them.
        num_images: at most this many, and at least one of each class shown.
        seed: which ones.
    """
    names, images, columns = _chosen(split, num_images, seed)
    height, width = images.shape[1:3]
    rows = len(images) // columns
    beside = max([0.3, *(text_width(name, 8) + 0.4 for name in names)])
    wide = max(7.0, beside + columns * SIDE + 0.2)
    side = min((wide - beside - 0.2) / columns, MAX_SIDE)
    tall = min(rows * side * height / width, 40.0)
    figure = Figure(figsize=(wide, tall + 2.8), layout="constrained")
    height_, width_, channels = report.image_shape
    figure.suptitle(
        f"{report.dataset}: {len(split):,} training images, "
        f"{height_} x {width_} x {channels}, {report.pixels}",
        fontsize=9,
    )
    above, below = figure.subfigures(
        2, 1, squeeze=False, height_ratios=(tall + 0.3, 2.5)
    )[:, 0]
    axis = above.subplots()
    sheet = grid(images, columns)
    axis.imshow(sheet.squeeze(-1) if sheet.shape[-1] == 1 else sheet,
                cmap="gray", vmin=0, vmax=255, interpolation="none")  # fmt: skip
    axis.set_xticks([])
    axis.set_yticks((np.arange(len(names)) + 0.5) * sheet.shape[0] / max(rows, 1))
    axis.set_yticklabels(names, fontsize=8)
    axis.tick_params(length=0)
    for spine in axis.spines.values():
        spine.set_visible(False)
    classes = report.splits["train"].classes
    axes = np.atleast_1d(below.subplots(1, 2 if classes else 1))
    _draw_histogram(axes[0], report.values, report.pixels.dtype)
    if classes:
        _draw_classes(axes[1], classes)
    return figure


def duplicate_sheet(data: ImageData, duplicates: Duplicates) -> Figure | None:
    """Draw pairs of images that look alike, the most alike first; None without any."""
    if not duplicates.near:
        return None
    splits, rows = named_splits(data), {}
    for pair in duplicates.near[:PAIRS]:
        name = f"{_short(pair.first)}\n{_short(pair.second)}"
        both = [
            splits[place.split].pictures(np.array([place.row]))
            for place in (pair.first, pair.second)
        ]
        rows[f"{name}\ndifference {pair.difference:.3f}"] = np.concatenate(both)
    return plot_rows(rows, f"{duplicates.num_near:,} pairs of images look alike")


def _chosen(
    split: Split, num_images: int, seed: int
) -> tuple[list[str], np.ndarray, int]:
    """Return names of rows, float32 images [rows * columns, H, W, C], and columns."""
    order = generator(seed, Stream.CHOICE).permutation(len(split))
    classes = [] if split.labels is None else np.unique(split.labels).tolist()
    if not 1 < len(classes) <= MAX_CLASSES or split.labels is None:
        columns = min(
            MAX_COLUMNS, int(np.ceil(np.sqrt(2 * min(num_images, len(order)))))
        )
        rows = np.sort(order[:num_images])
        return [], _padded(split.pictures(rows), columns), columns
    columns = min(MAX_COLUMNS, max(1, num_images // len(classes)))
    names, parts = [], []
    for label in classes:
        own = order[split.labels[order] == label]
        name = str(label) if split.class_names is None else split.class_names[label]
        names.append(_cut(name))
        parts.append(_padded(split.pictures(np.sort(own[:columns])), columns))
    return names, np.concatenate(parts), columns


def _padded(images: np.ndarray, columns: int) -> np.ndarray:
    missing = -len(images) % columns
    filling = ((0, missing), (0, 0), (0, 0), (0, 0))
    return np.pad(images, filling, constant_values=EMPTY)


def _draw_histogram(axis: Axes, values: PixelFacts, dtype: str) -> None:
    colours = COLOURS.get(len(values.counts), (None,) * len(values.counts))
    for channel, counts in enumerate(values.counts):
        axis.stairs(
            counts,
            values.edges,
            baseline=None,
            color=colours[channel],
            label=f"channel {channel}",
        )
    axis.set_yscale("log")
    axis.yaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
    axis.set_ylim(bottom=0.5)
    axis.set_xlabel(f"pixel value ({dtype})", fontsize=8)
    axis.set_ylabel("number", fontsize=8)
    axis.tick_params(labelsize=7)
    if 1 < len(values.counts) <= 8:
        axis.legend(fontsize=7)


def _draw_classes(axis: Axes, classes: dict[str, int]) -> None:
    counts = list(classes.values())
    axis.bar(np.arange(len(counts)), counts, color="tab:gray")
    few = len(counts) <= MAX_CLASSES
    axis.set_xticks(np.arange(len(counts)) if few else [])
    if few:
        names = [_cut(name) for name in classes]
        turned = any(len(name) > LEVEL for name in names)
        axis.set_xticklabels(
            names,
            fontsize=7,
            rotation=30 if turned else 0,
            ha="right" if turned else "center",
        )
    axis.tick_params(labelsize=7)
    axis.set_ylabel("training images", fontsize=8)


def _short(place: Place) -> str:
    return f"{_cut(place.name)} ({place.split})"


def _cut(name: str) -> str:
    shown = printable(name)
    return shown if len(shown) <= NAME else f"...{shown[3 - NAME :]}"
