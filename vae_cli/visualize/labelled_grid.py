"""A grid of images with a title and labels of rows and columns."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from vae_cli.evaluation.names import GridNames
from vae_cli.visualize.files import save_figure, save_pixels, text_width
from vae_cli.visualize.images import grid
from vae_cli.visualize.options import figure_options
from vae_cli.visualize.style import styled

CELL = 0.42
"""Approximate length of a cell's longer side, inches."""
SMALL, TITLE = 7, 9
"""Font sizes, points."""
MARGIN = 0.1
"""Margin around the figure, inches."""
LINE = 0.16
"""Height of a line of text, inches."""


@styled
def plot_grid(images: np.ndarray, columns: int, names: GridNames) -> Figure:
    """Draw a grid; each image pixel covers a whole number of figure pixels.

    Args:
        images: float32 [N, H, W, C] in [0, 1].
        columns: images per row.
        names: of the figure, rows, columns and axes.
    """
    dpi = figure_options().dpi
    sheet = grid(images, columns)
    rows = -(-len(images) // columns)
    tall, wide = sheet.shape[0] / rows, sheet.shape[1] / columns
    scale = max(1, round(CELL * dpi / max(tall, wide)))
    width, height = sheet.shape[1] * scale / dpi, sheet.shape[0] * scale / dpi
    lines = [line for name in names.rows for line in name.splitlines()]
    left = MARGIN + max([0.0, *(text_width(line, SMALL) + 0.08 for line in lines)])
    left += LINE if names.y else 0
    below = MARGIN + (LINE if names.columns else 0) + (LINE if names.x else 0)
    above = MARGIN + LINE * 1.2
    left, below = (np.ceil(inches * dpi) / dpi for inches in (left, below))
    title = 2 * MARGIN + text_width(names.title, TITLE)
    whole = max(left + width + MARGIN, title), below + height + above
    across, up = (float(np.ceil(inches * dpi) / dpi) for inches in whole)
    figure = Figure(figsize=(across, up), dpi=dpi)
    place = (left / across, below / up, width / across, height / up)
    axis = figure.add_axes(place)
    # grey as RGB: a colour map would round
    colour = np.broadcast_to(sheet, (*sheet.shape[:2], 3))
    axis.imshow(colour, aspect="auto", interpolation="none")
    axis.tick_params(length=0, labelsize=SMALL, pad=3)
    axis.set_yticks(*_ticks(names.rows, tall, rows, 0.0, tall * scale / dpi))
    longest = max([0.0, *(text_width(name, SMALL) for name in names.columns)])
    axis.set_xticks(*_ticks(names.columns, wide, columns, longest, wide * scale / dpi))
    for spine in axis.spines.values():
        spine.set_visible(False)
    axis.set_xlabel(names.x, labelpad=2)
    axis.set_ylabel(names.y, labelpad=2)
    figure.suptitle(names.title, fontsize=TITLE, x=0.5, y=1 - MARGIN / 2 / up, va="top")
    return figure


def save_grid(
    images: np.ndarray, columns: int, names: GridNames | None, path: Path
) -> None:
    """Write a grid with its names, or only the images if `names` is None."""
    if names is None:
        save_pixels(grid(images, columns), path)
    else:
        save_figure(plot_grid(images, columns, names), path)


def _ticks(
    names: Sequence[str], pixels: float, count: int, longest: float, inches: float
) -> tuple[np.ndarray, list[str]]:
    """Return positions and texts of the tick labels, leaving out those that overlap.

    Args:
        names: of the cells.
        pixels: size of a cell along the axis.
        count: number of cells.
        longest: length of the longest name along the axis, inches.
        inches: size of a cell along the axis.
    """
    step = max(1, int(np.ceil((longest + 0.04) / inches)))
    shown = range(0, min(len(names), count), step)
    places = (np.array(shown) + 0.5) * pixels
    return places, [names[index] for index in shown]
