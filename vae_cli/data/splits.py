"""A data set as arrays, split into training, validation and test images."""

from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np

from vae_cli.data.file_facts import FileFacts
from vae_cli.data.images import Images, to_float
from vae_cli.data_spec import DataSpec
from vae_cli.errors import DataError
from vae_cli.pixels import Pixels

MAX_LABELS = 10_000
"""Largest number of classes that a model is conditioned on: each has its weights."""


class Arrays(NamedTuple):
    """What a source of images gives, as it came: nothing is checked yet."""

    images: np.ndarray
    labels: np.ndarray | None = None  # class numbers, or names
    factors: dict[str, np.ndarray] | None = None
    names: np.ndarray | None = None  # of the files that they come from
    sha256: str | None = None  # of the pixels, where the source knows it


class Sources(NamedTuple):
    """The splits that a source has; the others are taken from the first."""

    train: Arrays
    test: Arrays | None = None
    validation: Arrays | None = None
    class_names: tuple[str, ...] | None = None
    files: FileFacts | None = None


@dataclass(frozen=True)
class Split:
    """Images of one split.

    Attributes:
        images: [N, H, W, C], uint8 in 0..255 or float32 as the model gets it (`values`
            has the data's own range); an array may be given for them, as for the
            others.
        labels: int64 [N], or None.
        factors: name -> float32 [N]; the factors that images were made from.
        names: str [N] of objects, of the files that they come from, or None.
        corrupted: [N, H, W, C], what the encoder gets in place of the images, or None.
        mask: uint8 [N, H, W, 1], 255 for the pixels that the likelihood is of, 0 for
            others; None: all.
        class_names: of labels 0, 1, ...; None where classes are numbers.
        pixels: what the values of the images are.
    """

    images: Any
    labels: np.ndarray | None = None
    factors: dict[str, np.ndarray] | None = None
    names: np.ndarray | None = None
    corrupted: Any = None
    mask: Any = None
    class_names: tuple[str, ...] | None = None
    pixels: Pixels = Pixels()

    def __post_init__(self) -> None:
        for name in ("images", "corrupted", "mask"):
            value = getattr(self, name)
            if isinstance(value, np.ndarray):
                object.__setattr__(self, name, Images(value))

    def __len__(self) -> int:
        return len(self.images)

    @property
    def label_names(self) -> np.ndarray | None:
        """Return the name of each image's class, text [N]; None without labels."""
        if self.labels is None:
            return None
        if self.class_names is None:
            return self.labels.astype(str)
        return np.array(self.class_names)[self.labels]

    def values(self, rows: Any = slice(None)) -> np.ndarray:
        """Return images in the data's own range, [N, H, W, C]: uint8, or float32."""
        return self.pixels.from_model(self.images[rows])

    def pictures(self, rows: Any = slice(None), which: str = "images") -> np.ndarray:
        """Return images as they are looked at: float32 [N, H, W, C] in [0, 1].

        Args:
            rows: which of them.
            which: `images` or `corrupted`.
        """
        return self.pixels.shown(to_float(getattr(self, which)[rows]))

    @property
    def condition(self) -> dict[str, Any]:
        """Labels, corrupted images and mask, as `VAE.condition` takes them."""
        arrays = {"label": self.labels, "corrupted": self.corrupted, "mask": self.mask}
        return {name: array for name, array in arrays.items() if array is not None}

    def take(self, index: Any) -> "Split":
        """Return the images at `index` (a slice or integer array)."""
        return replace(
            self,
            images=self.images.take(index),
            labels=None if self.labels is None else self.labels[index],
            factors=None
            if self.factors is None
            else {name: values[index] for name, values in self.factors.items()},
            names=None if self.names is None else self.names[index],
            corrupted=None if self.corrupted is None else self.corrupted.take(index),
            mask=None if self.mask is None else self.mask.take(index),
        )


@dataclass(frozen=True)
class ImageData:
    """A data set, split and binarized.

    Attributes:
        spec: its shape and range.
        train: images to learn from.
        validation: images that select the checkpoint; may be empty.
        test: images that are evaluated once, at the end; or None.
        fingerprint: what `data.json` records: sizes and digests.
        files: what was found in the files that they come from; None for arrays.
    """

    spec: DataSpec
    train: Split
    validation: Split
    test: Split | None
    fingerprint: dict[str, Any]
    files: FileFacts | None = None

    @property
    def streamed(self) -> bool:
        """Whether the training images are too many to be held at once."""
        return self.train.images.streamed

    def split(self, name: str) -> Split:
        """Return a split by name.

        Raises:
            DataError: this set has none of that name.
        """
        splits = {"train": self.train, "validation": self.validation, "test": self.test}
        chosen = splits[name]
        if chosen is None or not len(chosen):
            having = ", ".join(other for other, s in splits.items() if s)
            raise DataError(
                f"split={name} has no images in this data set.",
                f"choose one of: {having}",
            )
        return chosen

    def check_labelled(self) -> None:
        """Make sure that every image has a label that a model can be conditioned on.

        Raises:
            DataError: some have none, or there are too many.
        """
        splits = {"train": self.train, "test": self.test}
        bare = [name for name, s in splits.items() if s and s.labels is None]
        if bare:
            names = " and ".join(f"y_{name}" for name in bare)
            raise DataError(
                "conditioning=label needs the label of every image; the "
                f"{' and '.join(bare)} images of this data set have none.",
                "pictures: put those of each class into a folder of its own, or give a "
                "table: dataset.labels=labels.csv",
                f"arrays: store class numbers or names as {names} beside the images",
                "or train without: conditioning=none",
            )
        if (self.spec.num_classes or 0) > MAX_LABELS:
            raise DataError(
                "conditioning=label gives each class number its own weights; the "
                f"labels go up to {(self.spec.num_classes or 0) - 1:,}.",
                f"number the classes 0, 1, ..., below {MAX_LABELS:,}",
            )

    @property
    def held_out(self) -> str:
        """The name of the test split, or else validation, or else training."""
        for name, split in (("test", self.test), ("validation", self.validation)):
            if split:
                return name
        return "train"
