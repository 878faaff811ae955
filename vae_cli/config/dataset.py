"""Options of data sets: which images, and how they are split and binarized."""

from dataclasses import dataclass

from vae_cli.config.option import Options, option
from vae_cli.registry import register

MAX_SEED = 2**32 - 1
BINARIZE = ("none", "threshold", "static", "dynamic")
VALIDATION = (
    "images taken from the training set for validation, drawn by `dataset.seed`"
)


@dataclass
class DatasetConfig(Options):
    """A set of images."""

    validation_size: int = option(VALIDATION, at_least=0, default=10_000)
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
    classes: list[int] | None = option(
        "use only the images of these classes; all if null", at_least=0, default=None
    )


@dataclass
class FileConfig(DatasetConfig):
    """Images in a file of the user's own."""

    path: str = option("the file")
    memory_mb: int = option(
        "larger arrays are streamed from the file instead of held in memory, MiB",
        at_least=1,
        default=4096,
    )


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


@register("dataset", "npz")
@dataclass
class NpzConfig(FileConfig):
    """Arrays in a file: `x_train`, optionally `x_test`, `y_train`, `y_test`."""

    path: str = option("the .npz file")
    channels_first: bool = option(
        "the arrays are [N, C, H, W]; they are transposed", default=False
    )
    channels: int | None = option(
        "channels of the images; needed where there are more than 4, checked where "
        "it is given",
        at_least=1,
        default=None,
    )
    validation_size: int = option(VALIDATION, at_least=0, default=1_000)


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
