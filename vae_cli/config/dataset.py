"""Options of data sets: how they are split and binarized; the sets shipped here."""

import math
from dataclasses import dataclass

from vae_cli.config.corruption import CorruptionConfig
from vae_cli.config.likelihood import LikelihoodConfig
from vae_cli.config.option import Options, option
from vae_cli.factors import Factor
from vae_cli.registry import register

MAX_SEED = 2**32 - 1
BINARIZE = ("none", "threshold", "static", "dynamic")
AUGMENT = ("flip", "shift")
VALIDATION = (
    "images taken from the training set for validation, drawn by `dataset.seed`"
)


@dataclass
class DatasetConfig(Options):
    """A set of images."""

    validation_size: int | None = option(VALIDATION, at_least=0, default=10_000)
    value_range: str | list[float] = option(
        "data values [low, high] that become 0 and 1 in the model; auto: 0 to 255 for "
        "8-bit pictures, else by the type and values of the data; standardize: mean 0, "
        "standard deviation 1",
        choices=("auto", "standardize"),
        default="auto",
    )
    dequantize: str = option(
        "uniform: add noise as wide as a level, drawn anew every training step, once "
        "for validation and test, so that a density bounds the probabilities of levels "
        "(Theis et al. 2016)",
        choices=("none", "uniform"),
        default="none",
    )
    augment: list[str] = option(
        "random changes to training images, drawn anew every step: flip (left to "
        "right, half of them), shift (by up to an eighth of a side)",
        choices=AUGMENT,
        default_factory=list,
    )
    binarize: str = option(
        "none: grey levels; threshold: x > 0.5; static: drawn once; dynamic: drawn "
        "anew every training step, once for validation and test",
        choices=BINARIZE,
        default="none",
    )
    max_images_per_split: int | None = option(
        "use at most this many images of each split; all if null",
        at_least=1,
        default=None,
    )
    seed: int = option(
        "draws the validation split and the binarization; apart from the training "
        "seed so that runs with different seeds score the same images",
        at_least=0,
        at_most=MAX_SEED,
        default=0,
    )
    classes: list[str] | None = option(
        "use only the images of these classes, by name or number; all if null",
        default=None,
    )

    @property
    def taken_for_test(self) -> int | None:
        """Return how many training images are taken for testing; None: a tenth."""
        return 0

    @property
    def most_held_mb(self) -> float:
        """Return the MiB of images that are held in memory; more are mapped."""
        return math.inf

    @property
    def factors(self) -> tuple[Factor, ...]:
        """Return the factors that every image is made from, where they are known."""
        return ()

    def problems(self) -> list[str]:
        """Return inconsistencies between fields."""
        problems = []
        if isinstance(self.value_range, list) and (
            len(self.value_range) != 2 or not self.value_range[0] < self.value_range[1]
        ):
            problems.append(
                f"dataset.value_range={self.value_range} must be [low, high], such as "
                "'dataset.value_range=[-1,1]'"
            )
        standardized = self.value_range == "standardize"
        if self.binarize != "none" and (standardized or self.dequantize != "none"):
            other = "value_range=standardize" if standardized else "dequantize=uniform"
            problems.append(
                f"dataset.binarize={self.binarize} makes pixels 0 or 1, which doesn't "
                f"go with dataset.{other}"
            )
        return problems

    def problems_with(
        self, likelihood: LikelihoodConfig, corruption: CorruptionConfig
    ) -> list[str]:
        """Return what doesn't go together with the pixels that models get."""
        problems = []
        if self.dequantize != "none" and not likelihood.is_density:
            problems.append(
                f"dataset.dequantize={self.dequantize} makes pixels real numbers, "
                f"which need a density, and likelihood={likelihood.name} is none; use "
                "likelihood=gaussian, or dataset.dequantize=none"
            )
        if self.augment and corruption.likelihood_pixels == "observed":
            problems.append(
                f"dataset.augment=[{','.join(self.augment)}] with "
                "corruption.loss_on=observed would move missing pixels to where they "
                "are observed; use 'dataset.augment=[]'"
            )
        return problems


@register("dataset", "mnist")
@dataclass
class MnistConfig(DatasetConfig):
    """Handwritten digits, 28 x 28 grey, with labels."""


@register("dataset", "fashion_mnist")
@dataclass
class FashionMnistConfig(DatasetConfig):
    """Clothes, 28 x 28 grey, with labels."""


@register("dataset", "cifar10")
@dataclass
class Cifar10Config(DatasetConfig):
    """Photographs, 32 x 32 colour, with labels."""

    validation_size: int = option(VALIDATION, at_least=0, default=5_000)


@register("dataset", "synthetic")
@dataclass
class SyntheticConfig(DatasetConfig):
    """Procedural shapes with known factors."""

    num_images: int = option(
        "training images; a fifth as many for testing", at_least=2, default=5_000
    )
    image_size: int = option(
        "height and width in pixels", at_least=8, at_most=65_536, default=32
    )
    channels: int = option("1: grey, 3: colour", at_least=1, at_most=4, default=1)
    validation_size: int = option(VALIDATION, at_least=0, default=500)
