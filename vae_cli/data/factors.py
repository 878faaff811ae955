"""Pictures of every combination of some factors, drawn."""

import colorsys
from collections.abc import Callable
from dataclasses import asdict, fields

import numpy as np

from vae_cli.config.dataset import DatasetConfig
from vae_cli.config.dataset_factors import (
    RADIUS,
    SHAPES,
    FactorGridConfig,
    FactorsConfig,
    XYSquaresConfig,
)
from vae_cli.data import cache
from vae_cli.data.cache_writer import writing
from vae_cli.data.splits import Arrays, Sources
from vae_cli.factors import grid_size, grid_values
from vae_cli.memory import refuse_beyond
from vae_cli.registry import builds

VERSION = 1
"""Of the images; entries of the cache of other versions are not found."""
SAMPLES = 8
"""Samples along either axis of a pixel, whose coverage is their mean."""
HALF_SIDE = 0.7
"""Of the square, in radii of the circle that shapes stay in."""
AXES = (1.0, 0.5)
"""Of the ellipse, likewise."""
HEART = (1.26, 0.12)
"""Radius and centre (above 0) of the circle that the heart's curve stays in."""


@builds(FactorsConfig)
def factors(config: FactorsConfig) -> Sources:
    """Draw sprites in the manner of dSprites, antialiased.

    Raises:
        ConfigError: the grid takes more memory than there is.
        DataError: the cache has no room for it.
    """
    images = _drawn(config, lambda out: _draw_sprites(config, out))
    values = grid_values(config.factors)
    if "shape" not in values:
        return Sources(Arrays(images, None, values))
    labels = values["shape"].astype(np.int64)
    return Sources(Arrays(images, labels, values), class_names=SHAPES[: config.shapes])


@builds(XYSquaresConfig)
def xy_squares(config: XYSquaresConfig) -> Sources:
    """Draw coloured squares, each in a channel of its own.

    Raises:
        ConfigError: the grid takes more memory than there is.
        DataError: the cache has no room for it.
    """
    images = _drawn(config, lambda out: _draw_squares(config, out))
    return Sources(Arrays(images, None, grid_values(config.factors)))


def _drawn(config: FactorGridConfig, draw: Callable[[np.ndarray], None]) -> np.ndarray:
    """Return the grid's images, uint8 [N, H, W, C]: held, or mapped from the cache.

    Args:
        config: of the grid.
        draw: draws into zeros.
    """
    size, count = config.image_size, grid_size(config.factors)
    shape = (count, size, size, config.channels)
    if count * size**2 * config.channels <= config.memory_mb * 2**20:
        what = f"{count:,} images of {size} x {size} pixels, and their splits"
        held = 2.0 * count * size**2 * config.channels
        refuse_beyond({what: held}, "the grid or dataset.memory_mb")
        images = np.zeros(shape, np.uint8)
        draw(images)
        return images
    common = {field.name for field in fields(DatasetConfig)}
    common |= {"validation_size", "test_size", "memory_mb"}
    own = {k: v for k, v in asdict(config).items() if k not in common}
    key = cache.key_of("factors", VERSION, config.name, own)
    if cache.find(key) is None:
        about = {"source": f"dataset={config.name}", "array": str(own)}
        with writing(key, shape, "uint8", about) as writer:
            images = writer.pixels()
            draw(images)
            del images
    return cache.required(key).pixels()


def _draw_sprites(config: FactorsConfig, images: np.ndarray) -> None:
    """Draw each sprite once, and put it at every place."""
    turns = [turn / config.rotations for turn in range(config.rotations)]
    cover = np.array(
        [
            [
                [_sprite(shape, scale, turn, config) for turn in turns]
                for scale in config.sizes
            ]
            for shape in SHAPES[: config.shapes]
        ]
    )
    colours = np.ones((1, 1))
    if config.colours > 1:
        hues = [hue / config.colours for hue in range(config.colours)]
        colours = np.array([colorsys.hsv_to_rgb(hue, 1, 1) for hue in hues])
    sprites = cover[None, ..., None] * colours[:, None, None, None, None, None]
    sprites = np.rint(255 * sprites).astype(np.uint8)
    places, side = config.centres, images.shape[1]
    grid = images.reshape(
        *sprites.shape[:4], len(places), len(places), side, side, config.channels
    )
    for i, x in enumerate(places):
        for j, y in enumerate(places):
            rows = slice(y - config.reach, y + config.reach)
            columns = slice(x - config.reach, x + config.reach)
            grid[:, :, :, :, i, j, rows, columns] = sprites


def _sprite(shape: str, scale: float, turn: float, config: FactorsConfig) -> np.ndarray:
    """Return how much of each pixel a shape covers, [side, side] in [0, 1].

    Args:
        shape: one of `SHAPES`.
        scale: 1 for the largest.
        turn: counterclockwise, as a fraction of a full turn.
        config: of the images.
    """
    side = 2 * config.reach
    samples = (np.arange(side * SAMPLES) + 0.5) / SAMPLES - config.reach
    unit = scale * RADIUS * config.image_size
    x, y = np.meshgrid(samples / unit, -samples / unit)  # y upwards
    cos, sin = np.cos(2 * np.pi * turn), np.sin(2 * np.pi * turn)
    x, y = cos * x + sin * y, cos * y - sin * x
    inside = INSIDE[shape](x, y)
    return inside.reshape(side, SAMPLES, side, SAMPLES).mean(axis=(1, 3))


def _heart(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    radius, centre = HEART
    x, y = radius * x, radius * y + centre
    return (x**2 + y**2 - 1) ** 3 <= x**2 * y**3


INSIDE: dict[str, Callable[[np.ndarray, np.ndarray], np.ndarray]] = {
    "square": lambda x, y: np.maximum(np.abs(x), np.abs(y)) <= HALF_SIDE,
    "ellipse": lambda x, y: (x / AXES[0]) ** 2 + (y / AXES[1]) ** 2 <= 1,
    "heart": _heart,
}
"""Shape -> whether points are inside, in radii of the circle that it stays in."""


def _draw_squares(config: XYSquaresConfig, images: np.ndarray) -> None:
    count, side = config.places, images.shape[1]
    grid = images.reshape(*(count,) * (2 * config.squares), side, side, config.channels)
    for square in range(config.squares):
        # this square's axes first: x, y, then those of the others
        own = np.moveaxis(grid, (2 * square, 2 * square + 1), (0, 1))
        for i, x in enumerate(config.corners):
            for j, y in enumerate(config.corners):
                rows = slice(y, y + config.square_size)
                columns = slice(x, x + config.square_size)
                own[i, j, ..., rows, columns, square] = 255
