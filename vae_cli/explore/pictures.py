"""Pictures for a browser: PNG and GIF files in memory, and data URIs."""

import base64
import io
from collections.abc import Sequence

import numpy as np
from PIL import Image

from vae_cli.visualize.images import CELL, to_uint8

MILLISECONDS = 80
"""Duration of a GIF frame."""


def png(image: np.ndarray) -> bytes:
    """Return float32 [H, W, C] in [0, 1] as a PNG file."""
    return _saved([_picture(image)], "PNG", compress_level=1)


def row(images: np.ndarray) -> np.ndarray:
    """Return images float32 [N, H, W, C] beside each other, [H, N * W, C]."""
    count, height, width, channels = images.shape
    return images.transpose(1, 0, 2, 3).reshape(height, count * width, channels)


def rows(images: np.ndarray, columns: int) -> np.ndarray:
    """Return images float32 [N, H, W, C] as a grid without gaps; N fills all rows."""
    return np.concatenate(
        [row(images[i : i + columns]) for i in range(0, len(images), columns)]
    )


def url(image: np.ndarray) -> str:
    """Return float32 [H, W, C] in [0, 1] as a data URI."""
    return "data:image/png;base64," + base64.b64encode(png(image)).decode()


def gif(images: np.ndarray) -> bytes:
    """Return a GIF that plays images [N, H, W, C] forwards and backwards, in a loop."""
    scale = max(1, -(-4 * CELL // max(images.shape[1:3])))
    frames = [_picture(image, scale) for image in images]
    there_and_back = [*frames, *frames[-2:0:-1]]
    how = {"save_all": True, "append_images": there_and_back[1:], "loop": 0}
    return _saved(there_and_back, "GIF", duration=MILLISECONDS, **how)


def _picture(image: np.ndarray, scale: int = 1) -> Image.Image:
    pixels = to_uint8(image).repeat(scale, axis=0).repeat(scale, axis=1)
    return Image.fromarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels)


def _saved(frames: Sequence[Image.Image], kind: str, **options: object) -> bytes:
    file = io.BytesIO()
    frames[0].save(file, format=kind, **options)
    return file.getvalue()
