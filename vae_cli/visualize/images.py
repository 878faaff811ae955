"""Image grids and image files, from arrays."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from vae_cli.visualize.files import write_pictures
from vae_cli.visualize.style import coloured

CELL = 56
"""Smallest side of a grid cell in pixels; small images are enlarged, never smoothed."""


def to_uint8(images: np.ndarray) -> np.ndarray:
    """Return images float32 [..., C] in [0, 1] as uint8 with 1 or 3 channels.

    Two channels get a third of zeros; of more than three, the first three are kept.
    """
    pixels = np.round(np.clip(images, 0, 1) * 255).astype(np.uint8)
    channels = pixels.shape[-1]
    if channels == 2:
        return np.concatenate([pixels, np.zeros_like(pixels[..., :1])], axis=-1)
    return pixels if channels == 1 else pixels[..., :3]


def grid(images: np.ndarray, columns: int, gap: int = 1) -> np.ndarray:
    """Lay images out row by row; single-channel ones get the chosen colour map.

    Args:
        images: float32 [N, H, W, C] in [0, 1].
        columns: images per row; the last row may be short.
        gap: pixels between images, before enlarging.

    Returns:
        uint8 [rows * cell, columns * cell, 1 or 3].
    """
    pixels = coloured(to_uint8(images))
    count, height, width, channels = pixels.shape
    rows = -(-count // columns)
    sheet = np.full(
        (rows * (height + gap) + gap, columns * (width + gap) + gap, channels),
        64,
        np.uint8,
    )
    for index, image in enumerate(pixels):
        top = gap + index // columns * (height + gap)
        left = gap + index % columns * (width + gap)
        sheet[top : top + height, left : left + width] = image
    scale = max(1, -(-CELL // max(height, width)))
    return sheet.repeat(scale, axis=0).repeat(scale, axis=1)


def stacked(kinds: Sequence[np.ndarray], columns: int) -> np.ndarray:
    """Return the grid of `interleaved` images, uint8."""
    return grid(interleaved(kinds, columns), columns)


def interleaved(kinds: Sequence[np.ndarray], columns: int) -> np.ndarray:
    """Return images of a grid whose rows alternate between kinds, [M, H, W, C].

    Args:
        kinds: float32 [N, H, W, C] in [0, 1] each, such as images before and after.
        columns: images per row.
    """
    missing = -len(kinds[0]) % columns
    padding = ((0, missing), (0, 0), (0, 0), (0, 0))
    rows = [
        np.pad(images, padding, constant_values=0.25).reshape(
            -1, columns, *images.shape[1:]
        )
        for images in kinds
    ]
    return np.stack(rows, axis=1).reshape(-1, *kinds[0].shape[1:])


def write_png(pixels: np.ndarray, path: Path) -> None:
    """Write uint8 [H, W, 1 or 3] as PNG."""
    write_pictures([_picture(pixels)], path, ".png")


def write_gif(frames: Sequence[np.ndarray], path: Path, milliseconds: int) -> None:
    """Write uint8 [H, W, 1 or 3] frames as an endless GIF."""
    pictures = [_picture(frame) for frame in frames]
    write_pictures(pictures, path, ".gif", duration=milliseconds, loop=0)


def _picture(pixels: np.ndarray) -> Image.Image:
    return Image.fromarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels)
