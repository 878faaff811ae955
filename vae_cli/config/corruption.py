"""Options of corruption: what is done to an image before the encoder gets it."""

from dataclasses import dataclass
from typing import ClassVar

from vae_cli.config.option import Options, option
from vae_cli.registry import register

SIDES = ("top", "bottom", "left", "right")
LOSS_ON = ("all", "observed", "missing")


@dataclass
class CorruptionConfig(Options):
    """What is done to the encoder's input; the clean image is modelled."""

    corrupts: ClassVar[bool] = True
    """Whether it changes images at all."""
    masks: ClassVar[bool] = False
    """Whether it has a mask: which pixels are missing."""

    @property
    def likelihood_pixels(self) -> str:
        """Which pixels the likelihood is of, one of LOSS_ON."""
        return "all"


@register("corruption", "none")
@dataclass
class NoCorruptionConfig(CorruptionConfig):
    """Images as they are."""

    corrupts = False


@register("corruption", "gaussian_noise")
@dataclass
class GaussianNoiseConfig(CorruptionConfig):
    """Gaussian noise, clipped to [0, 1]."""

    std: float = option("standard deviation, in units of [0, 1]", above=0, default=0.5)


@register("corruption", "salt_and_pepper")
@dataclass
class SaltAndPepperConfig(CorruptionConfig):
    """Random pixels set to black or white, without a mask."""

    probability: float = option(
        "probability that a pixel is replaced", above=0, below=1, default=0.2
    )


@register("corruption", "masking_noise")
@dataclass
class MaskingNoiseConfig(CorruptionConfig):
    """Random pixels set to black, without a mask (Vincent et al. 2008)."""

    probability: float = option(
        "probability that a pixel is replaced", above=0, below=1, default=0.5
    )


@dataclass
class MaskConfig(CorruptionConfig):
    """Missing pixels, by a mask; the encoder gets grey in their place."""

    loss_on: str = option(
        "pixels that the likelihood is computed on: all, observed (the missing-data "
        "bound; each training image keeps one fixed mask) or missing",
        choices=LOSS_ON,
        default="all",
    )

    masks = True

    @property
    def is_fixed(self) -> bool:
        """Whether the same pixels are missing in every image."""
        return False

    @property
    def likelihood_pixels(self) -> str:
        """Which pixels the likelihood is of, one of LOSS_ON."""
        return self.loss_on

    def problems(self) -> list[str]:
        """Return inconsistencies between fields."""
        if self.loss_on == "observed" and self.is_fixed:
            return [
                f"corruption.loss_on=observed with corruption={self.name} would never "
                "score the pixels that are missing in every image, so that nothing "
                "could fill them in; use corruption.loss_on=all"
            ]
        return []


@register("corruption", "random_mask")
@dataclass
class RandomMaskConfig(MaskConfig):
    """Pixels missing at random."""

    probability: float = option(
        "probability that a pixel is missing", above=0, below=1, default=0.5
    )
    loss_on: str = option(
        "pixels that the likelihood is computed on: all, observed (the missing-data "
        "bound; each training image keeps one fixed mask) or missing",
        choices=LOSS_ON,
        default="observed",
    )


@register("corruption", "half")
@dataclass
class HalfConfig(MaskConfig):
    """Half of the image is missing."""

    side: str = option(
        "which half is missing", choices=(*SIDES, "random"), default="bottom"
    )

    @property
    def is_fixed(self) -> bool:
        """Whether the same pixels are missing in every image."""
        return self.side != "random"


@register("corruption", "quadrants")
@dataclass
class QuadrantsConfig(MaskConfig):
    """Quadrants missing, as in Sohn et al. 2015."""

    quadrants: int = option(
        "how many are observed: 1: the lower left; 2: the left half; 3: all but the "
        "lower right",
        at_least=1,
        at_most=3,
        default=1,
    )

    @property
    def is_fixed(self) -> bool:
        """Whether the same pixels are missing in every image."""
        return True


@register("corruption", "box")
@dataclass
class BoxConfig(MaskConfig):
    """A rectangle at a random position is missing."""

    size: float = option(
        "its fraction of the height and of the width", above=0, below=1, default=0.5
    )
