"""Procedural shapes whose factors are known: kind, place, size, turn, shade."""

import numpy as np

from vae_cli.data.splits import Arrays

KINDS = ("square", "disc", "triangle")


def shapes(
    count: int, size: int, channels: int, generator: np.random.Generator
) -> Arrays:
    """Draw antialiased shapes on black.

    Args:
        count: how many.
        size: height and width in pixels.
        channels: each channel gets a shade of its own when there are several.
        generator: source of the factors.

    Returns:
        Images with labels (index into `KINDS`) and factors `kind`, `x`, `y` (centre)
        and `radius` as fractions of the image, `angle` in radians, `shade` in [0, 1].
    """
    factors = {
        "kind": generator.integers(len(KINDS), size=count).astype("float32"),
        "x": generator.uniform(0.3, 0.7, count).astype("float32"),
        "y": generator.uniform(0.3, 0.7, count).astype("float32"),
        "radius": generator.uniform(0.1, 0.19, count).astype("float32"),
        "angle": generator.uniform(0, np.pi / 2, count).astype("float32"),
        "shade": generator.uniform(0.6, 1, count).astype("float32"),
    }
    tint = generator.uniform(0.3, 1, (count, channels)) if channels > 1 else None
    images = np.empty((count, size, size, channels), np.uint8)
    for start in range(0, count, 1024):
        part = slice(start, start + 1024)
        chunk = {name: values[part] for name, values in factors.items()}
        cover = _coverage(chunk, size) * chunk["shade"][:, None, None]
        colour = np.ones((len(cover), 1)) if tint is None else tint[part]
        shaded = cover[..., None] * colour[:, None, None, :]
        images[part] = np.round(255 * shaded).astype(np.uint8)
    return Arrays(images, factors["kind"].astype(np.int64), factors)


def _coverage(factors: dict[str, np.ndarray], size: int) -> np.ndarray:
    """Return how much of each pixel the shape covers: [N, size, size] in [0, 1]."""

    def column(name: str) -> np.ndarray:
        return factors[name][:, None, None]

    centres = (np.arange(size) + 0.5) / size
    dx = centres[None, None, :] - column("x")
    dy = centres[None, :, None] - column("y")
    cos, sin = np.cos(column("angle")), np.sin(column("angle"))
    u, v = np.abs(cos * dx + sin * dy), -sin * dx + cos * dy
    radius = column("radius")
    # signed distances from the outline, negative inside; areas are about equal
    square = np.maximum(u, np.abs(v)) - 0.89 * radius
    disc = np.hypot(dx, dy) - radius
    triangle = np.maximum(np.sqrt(0.75) * u + 0.5 * v, -v) - 0.78 * radius
    distance = np.choose(column("kind").astype(int), (square, disc, triangle))
    return np.clip(0.5 - distance * size, 0, 1)
