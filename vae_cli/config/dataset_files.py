"""Options of data sets in files: sizes, channels, splits; of arrays and of pictures."""

from dataclasses import dataclass
from pathlib import Path

from vae_cli.config.dataset import VALIDATION, DatasetConfig
from vae_cli.config.option import option
from vae_cli.paths import is_there

RESIZE = ("crop", "pad", "stretch")
MAX_SIDE = 4096
MAX_CHANNELS = 1024


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
        "(scale, and fill the edges: with the background of 8-bit pictures, else 0), "
        "stretch (change the aspect ratio)",
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
    def most_held_mb(self) -> float:
        """Return the MiB of images that are held in memory; more are mapped."""
        return self.memory_mb

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
