"""What a model needs to know about its images; all that data pass to models."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np

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
        pixel_mean: float32 [H, W, C], the training mean in [0, 1]; where the output
            biases start. None for a model whose weights are about to be loaded.
        labels: those that training images have; None without, or where a run of an
            earlier version didn't say.
    """

    image_shape: tuple[int, int, int]
    binary: bool
    num_classes: int | None = None
    pixel_mean: np.ndarray | None = field(default=None, compare=False, repr=False)
    labels: tuple[int, ...] | None = None

    def to_json(self) -> dict[str, Any]:
        """Return what `from_json` needs."""
        return {
            "image_shape": list(self.image_shape),
            "binary": self.binary,
            "num_classes": self.num_classes,
            "labels": None if self.labels is None else list(self.labels),
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
        )


def _count(value: Any, key: str, least: int, most: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"{key}: {value} must be an integer")
    if not least <= value <= most:
        raise ValueError(f"{key}: {value} must be from {least} to {most}")
    return value
