"""Arrays of a data set, split and ready."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from vae_cli.data_spec import DataSpec


@dataclass(frozen=True)
class Split:
    """Images of one split.

    Attributes:
        images: uint8 [N, H, W, C].
        labels: int64 [N], or None.
        factors: name -> float32 [N]; what made the images, where that is known.
    """

    images: np.ndarray
    labels: np.ndarray | None = None
    factors: dict[str, np.ndarray] | None = None

    def __len__(self) -> int:
        return len(self.images)

    def take(self, index: Any) -> "Split":
        """Return the images at `index` (a slice or integer array)."""
        return Split(
            images=self.images[index],
            labels=None if self.labels is None else self.labels[index],
            factors=None
            if self.factors is None
            else {name: values[index] for name, values in self.factors.items()},
        )


@dataclass(frozen=True)
class ImageData:
    """A data set, split and binarized, ready for training.

    Attributes:
        spec: its shape and range.
        train: images to learn from.
        validation: images that select the checkpoint; may be empty.
        test: images scored once at the end, or None.
        fingerprint: what `data.json` records: sizes and digests.
    """

    spec: DataSpec
    train: Split
    validation: Split
    test: Split | None
    fingerprint: dict[str, Any]
