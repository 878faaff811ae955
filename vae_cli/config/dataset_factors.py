"""Options of data sets that hold every combination of their factors."""

import math
from dataclasses import dataclass

from vae_cli.config.dataset import VALIDATION, DatasetConfig
from vae_cli.config.option import option
from vae_cli.factors import Factor, grid_size
from vae_cli.registry import register

SHAPES = ("square", "ellipse", "heart")
SMALLEST = 0.5
"""Scale of the smallest level; the largest is 1."""
RADIUS = 0.21
"""Radius of the circle that a sprite of scale 1 stays in, as a fraction of the side."""
SQUARES = ("red", "green", "blue")
MAX_PICTURES = 2**24


@dataclass
class FactorGridConfig(DatasetConfig):
    """Pictures of every combination of some factors."""

    image_size: int = option(
        "height and width in pixels", at_least=16, at_most=512, default=64
    )
    validation_size: int | None = option(
        f"{VALIDATION}; a tenth, at most 10,000, if null", at_least=0, default=None
    )
    test_size: int | None = option(
        "images taken for testing, drawn by `dataset.seed`; a tenth, at most 10,000, "
        "if null",
        at_least=0,
        default=None,
    )
    memory_mb: int = option(
        "MiB; a larger grid is drawn into the cache, and streamed from there",
        at_least=1,
        default=4096,
    )

    @property
    def taken_for_test(self) -> int | None:
        """Return how many training images are taken for testing; None: a tenth."""
        return self.test_size

    @property
    def most_held_mb(self) -> float:
        """Return the MiB of images that are held in memory; more are mapped."""
        return self.memory_mb

    @property
    def channels(self) -> int:
        """Return the channels of the images."""
        raise TypeError(f"{type(self).__name__} does not say how many channels it has")

    def problems(self) -> list[str]:
        """Return inconsistencies between fields."""
        problems, count = super().problems(), grid_size(self.factors)
        if count > MAX_PICTURES:
            problems.append(
                f"dataset={self.name} has a grid of {count:,} images, more than "
                f"{MAX_PICTURES:,}; choose fewer levels of its factors"
            )
        return problems


@register("dataset", "factors")
@dataclass
class FactorsConfig(FactorGridConfig):
    """A sprite of known shape, scale, rotation and place: all combinations.

    In the manner of dSprites (Matthey et al. 2017). Labels are shapes.
    """

    colours: int = option(
        "hues of the sprite; 1: white, one channel", at_least=1, at_most=64, default=1
    )
    shapes: int = option(
        "square, ellipse, heart: how many of these", at_least=1, at_most=3, default=3
    )
    scales: int = option("sizes, from half to full", at_least=1, at_most=64, default=4)
    rotations: int = option(
        "angles of a full turn; where odd, no two images are equal: squares look the "
        "same after a quarter, ellipses after half a turn",
        at_least=1,
        at_most=360,
        default=15,
    )
    positions: int = option(
        "places along either axis, whole pixels apart",
        at_least=1,
        at_most=512,
        default=16,
    )

    @property
    def factors(self) -> tuple[Factor, ...]:
        """Return the factors of more than one level, the last varying fastest."""
        places = tuple(float(x) / self.image_size for x in self.centres)
        return varying(
            Factor("colour", _turn(self.colours), "periodic"),
            Factor("shape", tuple(map(float, range(self.shapes))), "categorical"),
            Factor("scale", self.sizes),
            Factor("rotation", _turn(self.rotations), "periodic"),
            Factor("x", places),
            Factor("y", places),
        )

    @property
    def channels(self) -> int:
        """Return the channels of the images."""
        return 1 if self.colours == 1 else 3

    @property
    def sizes(self) -> tuple[float, ...]:
        """Return the levels of the scale; a single one is 1."""
        steps = max(1, self.scales - 1)
        smallest = SMALLEST if self.scales > 1 else 1.0
        return tuple(smallest + (1 - smallest) * i / steps for i in range(self.scales))

    @property
    def reach(self) -> int:
        """Return how far from its centre a sprite may reach, pixels."""
        return math.ceil(RADIUS * self.image_size)

    @property
    def centres(self) -> tuple[int, ...]:
        """Return the places along an axis, pixels, evenly spaced about the middle."""
        return _spaced(self.image_size, 2 * self.reach, self.positions, self.reach)

    def problems(self) -> list[str]:
        """Return inconsistencies between fields."""
        problems = super().problems()
        most = self.image_size - 2 * self.reach + 1
        if self.positions > most:
            problems.append(
                f"dataset.positions={self.positions} does not fit into "
                f"dataset.image_size={self.image_size}: there are {most} places a "
                f"pixel apart; use dataset.positions={most} or fewer"
            )
        if not self.factors:
            problems.append(
                f"dataset={self.name} needs a factor with several levels, such as "
                "dataset.positions=16"
            )
        return problems


@register("dataset", "xy_squares")
@dataclass
class XYSquaresConfig(FactorGridConfig):
    """Coloured squares on a grid: the hard case for losses that compare pixels.

    Squares don't overlap between two places, so that all steps change equally many
    pixels, and nothing says which places are near (Michlo et al. 2023).
    """

    squares: int = option(
        "red, green, blue: how many of these, a channel each",
        at_least=1,
        at_most=3,
        default=3,
    )
    square_size: int = option("side in pixels", at_least=1, at_most=512, default=8)
    spacing: int = option(
        "pixels between two places; below square_size, places overlap",
        at_least=1,
        at_most=512,
        default=8,
    )
    places: int = option(
        "places along either axis, about the middle", at_least=2, at_most=64, default=5
    )

    @property
    def factors(self) -> tuple[Factor, ...]:
        """Return the factors, the last varying fastest."""
        places = tuple(float(x) / self.image_size for x in self.corners)
        return tuple(
            Factor(f"{axis}_{colour}", places)
            for colour in SQUARES[: self.squares]
            for axis in ("x", "y")
        )

    @property
    def channels(self) -> int:
        """Return the channels of the images."""
        return 1 if self.squares == 1 else 3

    @property
    def corners(self) -> tuple[int, ...]:
        """Return the places of a square's left, or upper, edge, pixels."""
        width = self.square_size + (self.places - 1) * self.spacing
        first = (self.image_size - width) // 2
        return tuple(first + place * self.spacing for place in range(self.places))

    def problems(self) -> list[str]:
        """Return inconsistencies between fields."""
        problems = super().problems()
        width = self.square_size + (self.places - 1) * self.spacing
        if width > self.image_size:
            most = (self.image_size - self.square_size) // self.spacing + 1
            problems.append(
                f"dataset.places={self.places} take {width} pixels, more than "
                f"dataset.image_size={self.image_size}; use dataset.places={most}"
                if most > 1
                else f"dataset.square_size={self.square_size} leaves no two places in "
                f"dataset.image_size={self.image_size}; use a smaller square"
            )
        return problems


def varying(*factors: Factor) -> tuple[Factor, ...]:
    """Return the factors that vary."""
    return tuple(factor for factor in factors if len(factor.values) > 1)


def _turn(count: int) -> tuple[float, ...]:
    return tuple(i / count for i in range(count))


def _spaced(size: int, taken: int, count: int, first: int) -> tuple[int, ...]:
    """Return `count` whole pixels, evenly spaced, in the middle of `size` - `taken`."""
    span = size - taken
    step = max(1, span // max(1, count - 1))
    start = first + (span - step * (count - 1)) // 2
    return tuple(start + step * i for i in range(count))
