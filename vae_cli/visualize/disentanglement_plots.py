"""The figure of codes against factors, from arrays."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from vae_cli.visualize.files import wrapped
from vae_cli.visualize.images import grid
from vae_cli.visualize.plots import draw_sheet
from vae_cli.visualize.style import WIDTH, graded, styled

ROW = 0.36
"""Height of a row of images, inches."""
BLANK = 0.25
"""Of places without an image."""


@styled
def plot_disentanglement(
    decoded: np.ndarray,
    dims: list[str],
    factors: dict[str, np.ndarray],
    information: np.ndarray,
    gaps: dict[str, float],
    title: str,
) -> Figure:
    """Draw traversals of latent dimensions beside factors, and what they share.

    Args:
        decoded: a row for each dimension, float32 [R, S, H, W, C] in [0, 1].
        dims: names of the rows.
        factors: name -> images, float32 [at most S, H, W, C] in [0, 1].
        information: of dimensions and factors, divided by the factors' entropy, float
            [R, K].
        gaps: name -> MIG of each factor.
        title: of the figure.
    """
    rows, columns = decoded.shape[:2]
    left, right = rows * ROW, (len(factors) + rows * 0.55) * ROW + 1.1
    size = (WIDTH, 0.8 + max(left, right))
    figure = Figure(figsize=size, layout="constrained")
    figure.suptitle(wrapped(title, WIDTH - 0.4, fontsize=9))
    below = rows * 0.55 + 1
    axes: dict[str, Axes] = figure.subplot_mosaic(
        [["left", "true"], ["left", "heat"]], height_ratios=(len(factors), below)
    )
    axes["left"].set_anchor("N")
    _rows(
        axes["left"],
        decoded.reshape(-1, *decoded.shape[2:]),
        columns,
        dims,
        "latent dimensions, by KL, one at a time",
    )
    padded = np.concatenate([_padded(images, columns) for images in factors.values()])
    _rows(axes["true"], padded, columns, [*factors], "factors, one at a time")
    _heat(axes["heat"], information, dims, gaps)
    return figure


def _padded(images: np.ndarray, count: int) -> np.ndarray:
    blank = np.full((count - len(images), *images.shape[1:]), BLANK, images.dtype)
    return np.concatenate([images, blank])


def _rows(
    axis: Axes, images: np.ndarray, columns: int, names: list[str], title: str
) -> None:
    sheet = grid(images, columns)
    draw_sheet(axis, sheet)
    height = sheet.shape[0] / len(names)
    axis.set_title(title)
    axis.set_xticks([])
    axis.set_yticks((np.arange(len(names)) + 0.5) * height, names)
    axis.tick_params(length=0)
    for spine in axis.spines.values():
        spine.set_visible(False)


def _heat(
    axis: Axes, information: np.ndarray, dims: list[str], gaps: dict[str, float]
) -> None:
    image = axis.imshow(information, cmap=graded(), vmin=0, vmax=1, aspect="auto")
    names = [f"{name}\n{gap:.2f}" for name, gap in gaps.items()]
    axis.set_xticks(np.arange(len(names)), names)
    axis.set_yticks(np.arange(len(dims)), [name.split("\n")[0] for name in dims])
    axis.tick_params(length=0)
    axis.set_xlabel("factor, and its MIG")
    axis.set_title("I(dimension; factor) / H(factor)")
    axis.figure.colorbar(image, ax=axis)
