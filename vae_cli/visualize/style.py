"""The style of figures, for screen and print, and their colours.

Most figures are at most as wide as the text of a page (7 inches), with text of 7 to 9
points on white, so that they can be used in a paper without scaling.
"""

from collections.abc import Callable
from functools import wraps
from typing import Any, ParamSpec, TypeVar

import numpy as np
from matplotlib import colormaps, rc_context
from matplotlib.colors import Colormap

from vae_cli.visualize.options import figure_options

P = ParamSpec("P")
T = TypeVar("T")

WIDTH = 7.0
"""Width of a wide figure, inches."""
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
"""Most colours of a qualitative colour map, such as tab20."""


def styled(draw: Callable[P, T]) -> Callable[P, T]:
    """Draw in `STYLE`, whatever the caller's matplotlib settings are."""

    @wraps(draw)
    def drawn(*args: P.args, **kwargs: P.kwargs) -> T:
        with rc_context(STYLE):
            return draw(*args, **kwargs)

    return drawn


def coloured(pixels: np.ndarray) -> np.ndarray:
    """Return uint8 [..., 1] in the colour map, [..., 3]; unchanged without one."""
    name = figure_options().cmap
    if name is None or pixels.shape[-1] != 1 or colormaps[name].N <= SEPARATE:
        return pixels
    colours = colormaps[name](np.arange(256) / 255)[:, :3]
    return np.round(colours * 255).astype(np.uint8)[pixels[..., 0]]


def class_colours(count: int) -> tuple[list[Any], bool]:
    """Return a colour for each class, and whether all are distinguishable."""
    name = figure_options().cmap or ("tab10" if count <= 10 else "tab20")
    palette: Colormap = colormaps[name]
    if palette.N <= SEPARATE:
        return [palette(index % palette.N) for index in range(count)], (
            count <= palette.N
        )
    places = np.linspace(0, 1, count) if count > 1 else [0.5]
    return [palette(place) for place in places], count <= SEPARATE


def graded() -> Colormap:
    """Return the colour map of numbers: the chosen one unless it is qualitative."""
    chosen = colormaps[figure_options().cmap or "viridis"]
    return chosen if chosen.N > SEPARATE else colormaps["viridis"]
