"""Folders of pictures, written by tests."""

import zlib
from pathlib import Path

import numpy as np
from PIL import Image

from tests.helpers import grey_images

COLOURS = grey_images(12, 10, 14, 3, seed=3)


def picture(path: Path, pixels: np.ndarray, **options) -> Path:
    """Write one picture, and the folders that it lies in."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path, **options)
    return path


def class_folders(root: Path, each: int = 10, size: int = 12) -> Path:
    """Write pictures of two classes, bright and dark ones."""
    rng = np.random.default_rng(0)
    for name, low, high in (("Food & Drink", 150, 255), ("night", 0, 100)):
        for number in range(each):
            pixels = rng.integers(low, high, (size, size, 3)).astype(np.uint8)
            picture(root / name / f"{number:02d}.png", pixels)
    return root


def claiming(path: Path, side: int) -> Path:
    """Write a PNG whose header claims a size that it doesn't have."""
    picture(path, np.zeros((1, 1), np.uint8))
    content = bytearray(path.read_bytes())
    content[16:24] = side.to_bytes(4, "big") * 2
    content[29:33] = zlib.crc32(content[12:29]).to_bytes(4, "big")
    path.write_bytes(content)
    return path
