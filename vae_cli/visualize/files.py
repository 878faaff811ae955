"""Writing figures: one rule for all of them, the suffix says what is written."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from matplotlib import rc_context
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.text import Text
from matplotlib.textpath import text_to_path
from PIL import Image

from vae_cli.errors import ConfigError
from vae_cli.runs.files import whole_file
from vae_cli.text import printable
from vae_cli.visualize.options import figure_options
from vae_cli.visualize.style import STYLE

RASTER: dict[str, tuple[str, int, dict[str, Any]]] = {
    ".png": ("PNG", 2**31 - 1, {}),
    ".jpg": ("JPEG", 65_500, {"quality": 95}),
    ".jpeg": ("JPEG", 65_500, {"quality": 95}),
    ".webp": ("WEBP", 16_383, {"lossless": True}),
    ".gif": ("GIF", 65_535, {}),
}
"""Suffix -> Pillow's format, the most pixels a side that it holds, and its options."""
SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".pdf", ".svg")


def figure_path(
    name: str | Path, key: str = "output", suffixes: tuple[str, ...] = SUFFIXES
) -> Path:
    """Return the path of a figure; without a suffix, it gets that of `figure.format`.

    Args:
        name: as typed.
        key: the option, for the message.
        suffixes: of what can be written.

    Raises:
        ConfigError: it ends in something else.
    """
    path = Path(name)
    if not path.suffix:
        first = suffixes[0] if suffixes != SUFFIXES else f".{figure_options().format}"
        return path.with_name(path.name + first) if path.name else path
    if path.suffix.lower() not in suffixes:
        raise ConfigError(
            f"{key}={name}: figures can't be written as {path.suffix}.",
            f"the name may end in {', '.join(suffixes)}, or have no suffix",
        )
    return path


def save_figure(figure: Figure, path: Path) -> None:
    """Write a matplotlib figure in the format of the suffix; text is not TeX."""
    suffix = figure_path(path).suffix.lower()
    with whole_file(path) as file:
        write_figure(figure, file, suffix[1:])


def write_figure(figure: Figure, file: Path | BinaryIO, form: str) -> None:
    """Write a matplotlib figure to a file in format `form`; text is not TeX."""
    for text in figure.findobj(Text):
        # names of files, folders and labels are shown as they are, "$" included
        text.set_parse_math(False)
        text.set_text(printable(text.get_text(), keep="\n"))
    with rc_context(STYLE):
        figure.savefig(file, dpi=figure_options().dpi, format=form)


def text_width(text: str, fontsize: float) -> float:
    """Return how many inches wide a line is in a figure."""
    font = FontProperties(size=fontsize)
    shown = printable(text)
    points, _, _ = text_to_path.get_text_width_height_descent(shown, font, ismath=False)
    return points / 72


def wrapped(text: str, inches: float, fontsize: float) -> str:
    """Return text in lines of at most so many inches, broken after `,`, `/` and space.

    Names of a sweep's jobs are long, and have no spaces.
    """
    lines = [""]
    for part in re.split(r"(?<=[,/ ])", text):
        if lines[-1] and text_width(lines[-1] + part, fontsize) > inches:
            lines.append("")
        lines[-1] += part
    return "\n".join(line.strip() for line in lines)


def save_pixels(pixels: np.ndarray, path: Path) -> None:
    """Write uint8 [H, W, 1 or 3] as what the suffix says, each pixel as it is."""
    suffix = figure_path(path).suffix.lower()
    picture = pixels[..., 0] if pixels.shape[-1] == 1 else pixels
    if suffix in RASTER:
        write_pictures([Image.fromarray(picture)], path, suffix)
        return
    height, width = picture.shape[:2]
    dpi = figure_options().dpi
    figure = Figure(figsize=(width / dpi, height / dpi))
    axis = figure.add_axes((0, 0, 1, 1))
    axis.set_axis_off()
    scale: dict[str, Any] = {"cmap": "gray", "vmin": 0, "vmax": 255}
    axis.imshow(picture, interpolation="none", aspect="auto", **scale)
    save_figure(figure, path)


def write_pictures(
    frames: Sequence[Image.Image], path: Path, suffix: str, **options: Any
) -> None:
    """Write a picture, or several as one animated file, as what `suffix` says.

    Raises:
        ConfigError: it is larger than the format holds.
    """
    kind, most, own = RASTER[suffix]
    width, height = frames[0].size
    if max(width, height) > most:
        raise ConfigError(
            f"{path}: a picture of {width:,} x {height:,} pixels, and {kind} holds "
            f"{most:,} a side.",
            "draw fewer rows or columns, or write another format, such as .png",
        )
    if len(frames) > 1:
        own = {**own, "save_all": True, "append_images": frames[1:]}
    with whole_file(path) as file:
        frames[0].save(file, format=kind, **own, **options)
