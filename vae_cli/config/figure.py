"""Options of figures: format, resolution and colours."""

from dataclasses import dataclass
from pathlib import PurePath

from vae_cli.config.option import option
from vae_cli.errors import closest

FORMATS = ("png", "svg", "pdf")
KNOWN = ("gray", "viridis", "magma", "cividis", "turbo", "tab10")
"""Colour maps that the error message suggests."""


@dataclass
class FigureConfig:
    """How figures are drawn and written."""

    format: str = option(
        "file format; a suffix in output= takes precedence",
        choices=FORMATS,
        default="png",
    )
    dpi: int = option(
        "pixels per inch; without effect on grids without labels",
        at_least=30,
        at_most=1200,
        default=150,
    )
    cmap: str | None = option(
        "matplotlib colour map of single-channel images and classes; a qualitative "
        "one, such as tab20, applies only to classes; null: gray and tab10",
        default=None,
    )

    def problems(self) -> list[str]:
        """Return a message if there is no such colour map."""
        if self.cmap is None:
            return []
        from matplotlib import colormaps

        if self.cmap in colormaps:
            return []
        guess = closest(self.cmap, colormaps)
        hint = f"; did you mean figure.cmap={guess}?" if guess else ""
        return [
            f"figure.cmap={self.cmap} is not a matplotlib colour map{hint}; examples: "
            f"{', '.join(KNOWN)}"
        ]


@dataclass
class GridFigureConfig(FigureConfig):
    """How commands that draw grids of images draw and write figures."""

    labels: bool = option(
        "title and labels of rows and columns of grids; false: only the images",
        default=True,
    )


def output_problems(output: str | None, figure: FigureConfig) -> list[str]:
    """Return a message if the suffix of `output` contradicts `figure.format`."""
    suffix = PurePath(output or "").suffix.lower()
    if figure.format == FORMATS[0] or suffix in ("", f".{figure.format}"):
        return []
    return [f"output={output} and figure.format={figure.format}: choose one of them"]
