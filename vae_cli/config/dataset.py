"""Options of data sets: which images, and how they are split and binarized."""

from dataclasses import dataclass
from pathlib import Path

from vae_cli.config.corruption import CorruptionConfig
from vae_cli.config.likelihood import LikelihoodConfig
from vae_cli.config.option import Options, option
from vae_cli.paths import is_there
from vae_cli.registry import register

MAX_SEED = 2**32 - 1
BINARIZE = ("none", "threshold", "static", "dynamic")
AUGMENT = ("flip", "shift")
RESIZE = ("crop", "pad", "stretch")
MAX_SIDE = 4096
MAX_CHANNELS = 1024
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


@dataclass
class FileConfig(DatasetConfig):
    """Images in a file of the user's own."""

    path: str = option("the file")
    validation_size: int | None = option(
        f"{VALIDATION}; a tenth, at most 10,000, if null", at_least=0, default=None
    )
    test_size: int | None = option(
        "images taken from the training set for testing, if the data have no test "
        "images; a tenth, at most 10,000, if null; 0: none",
        at_least=0,
        default=None,
    )
    image_size: int | list[int] | None = option(
        "size that images are resized to: their side, or [height, width]; null: they "
        "keep their size, which must be the same for all",
        at_least=1,
        at_most=MAX_SIDE,
        default=None,
    )
    resize: str = option(
        "how images are resized to image_size: crop (scale, and keep the middle), pad "
        "(scale, and fill the edges), stretch (change the aspect ratio)",
        choices=RESIZE,
        default="crop",
    )
    channels: str = option(
        "auto: as in the data, grey or colour; 1, 3, 4: converted to that; more: only "
        "for arrays that have as many",
        default="auto",
    )
    memory_mb: int = option(
        "MiB; larger image arrays are streamed from disk instead of held in memory",
        at_least=1,
        default=4096,
    )

    @property
    def taken_for_test(self) -> int | None:
        """Return how many training images are taken for testing; None: a tenth."""
        return self.test_size

    @property
    def may_be_name(self) -> bool:
        """Return whether `path` may be the name of a published set."""
        return False

    def make_absolute(self) -> None:
        """Make paths absolute; names of published data sets stay as they are."""
        path = Path(self.path).expanduser()
        if not self.may_be_name or is_there(path):
            self.path = str(path.absolute())

    @property
    def size(self) -> tuple[int, int] | None:
        """Return (height, width) to resize to; None if images keep their size."""
        if self.image_size is None:
            return None
        if isinstance(self.image_size, list):
            return self.image_size[0], self.image_size[1]
        return self.image_size, self.image_size

    def problems(self) -> list[str]:
        """Return inconsistencies between fields."""
        problems = super().problems()
        if isinstance(self.image_size, list) and len(self.image_size) != 2:
            problems.append(
                f"dataset.image_size={self.image_size} must be one number or [height, "
                "width]"
            )
        if self.channels != "auto" and not (
            self.channels.isdecimal() and 1 <= int(self.channels) <= MAX_CHANNELS
        ):
            problems.append(
                f"dataset.channels={self.channels} must be auto or a number, such as 3"
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


@dataclass
class ArrayConfig(FileConfig):
    """Images in an array of the user's own."""

    channels_first: bool = option(
        "the arrays are [N, C, H, W]; they are transposed", default=False
    )


@dataclass
class ArraysConfig(ArrayConfig):
    """Images in one of several arrays."""

    key: str | None = option(
        "array of the training images; null: x_train, or the one that can be images",
        default=None,
    )
    labels_key: str | None = option(
        "array of their labels; null: found by its name (y_train, labels, targets ...) "
        "and length",
        default=None,
    )


@register("dataset", "npz")
@dataclass
class NpzConfig(ArraysConfig):
    """Arrays in a file: images, optionally test images and labels, of any names."""

    path: str = option("the .npz file")


@dataclass
class PicturesConfig(FileConfig):
    """Pictures that are decoded into the cache."""

    background: str = option(
        "colour behind transparent pixels, such as white or #204060; keep: alpha is a "
        "channel",
        default="white",
    )
    limit: int | None = option(
        "read at most this many pictures of each split, drawn by dataset.seed",
        at_least=1,
        default=None,
    )
    on_bad_file: str = option(
        "error: stop, and list the pictures that can't be read; skip: leave them out",
        choices=("error", "skip"),
        default="error",
    )


@register("dataset", "folder")
@dataclass
class FolderConfig(PicturesConfig):
    """A folder of pictures: PNG, JPEG, WebP, BMP, GIF, TIFF; subfolders are classes.

    Pictures in the folders `train`, `validation` and `test` form these splits; without
    such folders the splits are drawn by `dataset.seed`.
    """

    path: str = option("the folder")
    labels: str | None = option(
        "CSV of the columns file and label, in the folder or elsewhere; null: the "
        "folder that a picture lies in",
        default=None,
    )

    def make_absolute(self) -> None:
        """Make paths absolute; that of a table in the folder stays relative to it."""
        super().make_absolute()
        if self.labels is None or is_there(Path(self.path, self.labels)):
            return
        table = Path(self.labels).expanduser()
        if is_there(table):
            self.labels = str(table.absolute())


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
