"""What a model knows about its images: the only thing that data tells models."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np


@dataclass(frozen=True)
class DataSpec:
    """Everything a model needs to know about its images.

    Attributes:
        image_shape: (H, W, C).
        binary: whether every pixel is 0 or 1 by the time the model sees it.
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
        """Rebuild the spec that a run folder recorded."""
        height, width, channels = (int(n) for n in values["image_shape"])
        classes, labels = values["num_classes"], values.get("labels")
        return DataSpec(
            image_shape=(height, width, channels),
            binary=bool(values["binary"]),
            num_classes=None if classes is None else int(classes),
            labels=None if labels is None else tuple(int(label) for label in labels),
        )
