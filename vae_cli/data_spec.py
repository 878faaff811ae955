"""What a model needs to know about its images; all that data pass to models."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from vae_cli.errors import DataError, closest
from vae_cli.pixels import Pixels

MAX_SIDE = 2**16
"""Pixels of a side, or channels, that a run folder may name."""
MAX_VALUES = 2**24
"""Pixels times channels of an image."""
MAX_CLASSES = 2**20


@dataclass(frozen=True)
class DataSpec:
    """Everything a model needs to know about its images.

    Attributes:
        image_shape: (H, W, C).
        binary: whether every pixel is 0 or 1 in the model's input.
        num_classes: number of labels, None without labels.
        pixel_mean: float32 [H, W, C], the training mean as the model gets pixels; where
            the output biases start. None for a model whose weights are about to be
            loaded.
        labels: those that training images have; None without, or where a run of an
            earlier version didn't say.
        pixels: range and precision of the data's pixels.
        class_names: of the labels 0, 1, ...; None where classes are numbers.
    """

    image_shape: tuple[int, int, int]
    binary: bool
    num_classes: int | None = None
    pixel_mean: np.ndarray | None = field(default=None, compare=False, repr=False)
    labels: tuple[int, ...] | None = None
    pixels: Pixels = Pixels()
    class_names: tuple[str, ...] | None = None

    def class_name(self, label: int) -> str:
        """Return what a class is called: its name, or else its number."""
        names = self.class_names or ()
        return names[label] if label < len(names) else str(label)

    def class_of(self, label: int) -> int | str:
        """Return how results name a class: by its name, or else its number."""
        return label if self.class_names is None else self.class_name(label)

    def to_json(self) -> dict[str, Any]:
        """Return what `from_json` needs."""
        return {
            "image_shape": list(self.image_shape),
            "binary": self.binary,
            "num_classes": self.num_classes,
            "labels": None if self.labels is None else list(self.labels),
            "pixels": self.pixels.to_json(),
            "class_names": None if self.class_names is None else list(self.class_names),
        }

    @staticmethod
    def from_json(values: dict[str, Any]) -> "DataSpec":
        """Rebuild the spec that a run folder recorded.

        Raises:
            KeyError, TypeError, ValueError: it is none.
        """
        shape, binary = values["image_shape"], values["binary"]
        classes, labels = values["num_classes"], values.get("labels")
        if not isinstance(shape, list) or len(shape) != 3:
            raise ValueError(f"image_shape={shape} must be [height, width, channels]")
        if not isinstance(binary, bool):
            raise ValueError(f"binary={binary} must be true or false")
        if labels is not None and not isinstance(labels, list):
            raise ValueError(f"labels={labels} must be a list")
        names = values.get("class_names")
        if names is not None and (
            not isinstance(names, list) or not all(isinstance(n, str) for n in names)
        ):
            raise ValueError("class_names must be a list of text")
        height, width, channels = (
            _count(size, "image_shape", 1, MAX_SIDE) for size in shape
        )
        if height * width * channels > MAX_VALUES:
            raise ValueError(f"image_shape={shape} is larger than any image of ours")
        return DataSpec(
            image_shape=(height, width, channels),
            binary=binary,
            num_classes=None
            if classes is None
            else _count(classes, "num_classes", 1, MAX_CLASSES),
            labels=None
            if labels is None
            else tuple(_count(label, "labels", 0, MAX_CLASSES) for label in labels),
            pixels=Pixels.from_json(values.get("pixels")),
            class_names=None if names is None else tuple(names),
        )


def class_numbers(
    wanted: Sequence[Any], having: Sequence[int], names: Sequence[str] | None, key: str
) -> list[int]:
    """Return the numbers of classes that are named, or numbered.

    Args:
        wanted: names or numbers, as text or integers.
        having: the classes that there are.
        names: of classes 0, 1, ...; None where they have none.
        key: that names them, for messages.

    Raises:
        DataError: one is no class.
    """
    numbers = {str(number): number for number in having}
    named = {
        name: number for number, name in enumerate(names or ()) if number in having
    }
    # where names are numbers themselves, a number means the name
    by_name_only = any(name.lstrip("-").isdecimal() for name in named)
    known = named if by_name_only else numbers | named
    unknown = [str(one) for one in wanted if str(one) not in known]
    if unknown:
        guess = closest(unknown[0], named)
        raise DataError(
            f"{key}=[{', '.join(map(str, wanted))}]: no image is of class "
            f"{', '.join(unknown)}" + (f"; did you mean {guess}?" if guess else "."),
            f"this set has classes {', '.join(named or numbers)}",
        )
    return [known[str(one)] for one in wanted]


def _count(value: Any, key: str, least: int, most: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"{key}: {value} must be an integer")
    if not least <= value <= most:
        raise ValueError(f"{key}: {value} must be from {least} to {most}")
    return value
