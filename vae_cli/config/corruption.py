"""Options of corruption: what is done to an image before the encoder sees it.

As in `schema.py`, defaults live in `configs/`; no TensorFlow is imported.
"""

from dataclasses import dataclass

from vae_cli.config.field import option

SIDES = ("top", "bottom", "left", "right")


@dataclass
class CorruptionConfig:
    """What the encoder sees of an image; the clean one is modelled."""

    name: str = option("which corruption")


@dataclass
class GaussianNoiseConfig(CorruptionConfig):
    """Normal noise, clipped to [0, 1]."""

    std: float = option("standard deviation, in units of [0, 1]", above=0)


@dataclass
class ShareConfig(CorruptionConfig):
    """Pixels that lose their value; nobody says which."""

    share: float = option("probability that a pixel is struck", above=0, below=1)


@dataclass
class MaskConfig(CorruptionConfig):
    """Missing pixels: it is known which, and the encoder sees them grey."""

    score: str = option(
        "pixels that the likelihood scores; seen: the missing-data bound, each "
        "training image with one mask for good",
        choices=("all", "seen", "missing"),
    )

    @property
    def is_fixed(self) -> bool:
        """Whether the same pixels are missing in every image."""
        return False

    def problems(self) -> list[str]:
        """Return what is wrong between fields."""
        if self.score == "seen" and self.is_fixed:
            return [
                f"corruption.score=seen with corruption={self.name} would never score "
                "the pixels that are missing in every image, so that nothing could "
                "fill them; use corruption.score=all"
            ]
        return []


@dataclass
class RandomMaskConfig(MaskConfig):
    """Pixels missing at random."""

    share: float = option("probability that a pixel is missing", above=0, below=1)


@dataclass
class HalfConfig(MaskConfig):
    """Half of the image missing."""

    side: str = option("which half is missing", choices=(*SIDES, "random"))

    @property
    def is_fixed(self) -> bool:
        """Whether the same pixels are missing in every image."""
        return self.side != "random"


@dataclass
class QuadrantsConfig(MaskConfig):
    """Quadrants missing, as in Sohn et al. 2015."""

    seen: int = option(
        "1: the lower left; 2: the left half; 3: all but the lower right",
        at_least=1,
        at_most=3,
    )

    @property
    def is_fixed(self) -> bool:
        """Whether the same pixels are missing in every image."""
        return True


@dataclass
class BoxConfig(MaskConfig):
    """A rectangle missing, its place drawn for each image."""

    size: float = option("its share of height and of width", above=0, below=1)
