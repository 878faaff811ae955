"""How figures look: one style for the screen and for print, and their colours.

Most figures are as wide as a page's text (7 inches) or less, their letters have 7 to 9
points, and their background is white: pasted into a paper they need no scaling.
"""

from collections.abc import Callable
from functools import wraps
from typing import Any, ParamSpec, TypeVar

import numpy as np
from matplotlib import colormaps, rc_context
from matplotlib.colors import Colormap

from vae_cli.config.figure import figure_options

P = ParamSpec("P")
T = TypeVar("T")

WIDTH = 7.0
"""Inches of a wide figure."""
STYLE: dict[str, Any] = {
    "font.size": 8,
    "axes.titlesize": 8,
    "axes.labelsize": 8,
    "figure.titlesize": 9,
    "legend.fontsize": 7,
    "legend.framealpha": 0.7,
    "legend.edgecolor": "none",
    "xtick.labelsize": 7,
    "ytick.labelsize": 7,
    "axes.linewidth": 0.6,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "lines.linewidth": 1.2,
    "lines.markersize": 4,
    "grid.linewidth": 0.5,
    "figure.facecolor": "white",
    "savefig.facecolor": "white",
    # text stays text: it can be searched, and edited in a drawing program
    "svg.fonttype": "none",
    "pdf.fonttype": 42,
}
SEPARATE = 20
"""Colours of the largest map of separate colours, such as tab20."""


def styled(draw: Callable[P, T]) -> Callable[P, T]:
    """Draw in the style, whatever the caller's own settings of matplotlib are."""

    @wraps(draw)
    def drawn(*args: P.args, **kwargs: P.kwargs) -> T:
        with rc_context(STYLE):
            return draw(*args, **kwargs)

    return drawn


def coloured(pixels: np.ndarray) -> np.ndarray:
    """Return uint8 [..., 1] in the chosen colours, [..., 3]; grey as it is."""
    name = figure_options().cmap
    if name is None or pixels.shape[-1] != 1 or colormaps[name].N <= SEPARATE:
        return pixels
    colours = colormaps[name](np.arange(256) / 255)[:, :3]
    return np.round(colours * 255).astype(np.uint8)[pixels[..., 0]]


def class_colours(count: int) -> tuple[list[Any], bool]:
    """Return a colour for each class, and whether they are all different."""
    name = figure_options().cmap or ("tab10" if count <= 10 else "tab20")
    palette: Colormap = colormaps[name]
    if palette.N <= SEPARATE:
        return [palette(index % palette.N) for index in range(count)], (
            count <= palette.N
        )
    places = np.linspace(0, 1, count) if count > 1 else [0.5]
    return [palette(place) for place in places], count <= SEPARATE
