"""Options of figures: their files, resolution and colours."""

import contextlib
from collections.abc import Iterator
from contextvars import ContextVar
from dataclasses import dataclass, replace
from pathlib import PurePath

from vae_cli.config.option import option
from vae_cli.errors import ConfigProblems, closest

FORMATS = ("png", "svg", "pdf")
KNOWN = ("gray", "viridis", "magma", "cividis", "turbo", "tab10")
"""Colour maps that a message names."""


@dataclass
class FigureConfig:
    """How figures are drawn and written."""

    format: str = option(
        "files of figures; a suffix in output= goes before it",
        choices=FORMATS,
        default="png",
    )
    dpi: int = option(
        "pixels per inch; plain grids of pictures keep their pixels",
        at_least=30,
        at_most=1200,
        default=150,
    )
    cmap: str | None = option(
        "matplotlib's colours for pictures of one channel and for classes; a map of "
        "separate colours, such as tab20, for classes alone; null: gray, tab10",
        default=None,
    )

    def problems(self) -> list[str]:
        """Return what is wrong with the colours."""
        if self.cmap is None:
            return []
        from matplotlib import colormaps

        if self.cmap in colormaps:
            return []
        guess = closest(self.cmap, colormaps)
        hint = f"; did you mean figure.cmap={guess}?" if guess else ""
        return [
            f"figure.cmap={self.cmap} is no colour map of matplotlib{hint}; such are "
            f"{', '.join(KNOWN)}"
        ]


@dataclass
class GridFigureConfig(FigureConfig):
    """The same, for commands that draw grids of pictures."""

    labels: bool = option(
        "grids: title, names of rows and columns; false: the pictures alone",
        default=True,
    )


def output_problems(output: str | None, figure: FigureConfig) -> list[str]:
    """Return whether the name of a figure's file contradicts its format."""
    suffix = PurePath(output or "").suffix.lower()
    if figure.format == FORMATS[0] or suffix in ("", f".{figure.format}"):
        return []
    return [f"output={output} and figure.format={figure.format}: choose one of them"]


_CURRENT: ContextVar[FigureConfig | None] = ContextVar("figure", default=None)


def figure_options() -> FigureConfig:
    """Return how figures are drawn now."""
    return _CURRENT.get() or FigureConfig()


@contextlib.contextmanager
def drawn_as(
    figure: FigureConfig | None = None, cmap: str | None = None
) -> Iterator[None]:
    """Draw the figures of a block so.

    Args:
        figure: None: as before.
        cmap: other colours than it has.

    Raises:
        ConfigError: there are no such colours.
    """
    chosen = figure or figure_options()
    if cmap is not None:
        chosen = replace(chosen, cmap=cmap)
        if problems := chosen.problems():
            raise ConfigProblems(problems)
    token = _CURRENT.set(chosen)
    try:
        yield
    finally:
        _CURRENT.reset(token)
