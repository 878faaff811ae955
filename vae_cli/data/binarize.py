"""Grey levels made black and white: by a threshold, or drawn once."""

import math
from dataclasses import replace

import numpy as np

from vae_cli.config.dataset import DatasetConfig
from vae_cli.data.images import to_float
from vae_cli.data.splits import Split
from vae_cli.randomness import Stream, generator


def binarized(split: Split, config: DatasetConfig, index: int) -> Split:
    """Return a split of pixels 0 and 255, by threshold or by one draw."""
    draws = generator(config.seed, Stream.BINARIZATION, index)
    levels = Levels(draws)

    def binary(images: np.ndarray, _: np.ndarray) -> dict[str, np.ndarray]:
        if config.binarize == "threshold":
            ones = to_float(images) > 0.5
        elif images.dtype != np.uint8:
            ones = images > draws.random(images.shape, np.float32)
        else:
            # 256 levels have probability x / 255 of being at least a uniform 1..255
            ones = images >= levels.draw(images.shape)
        return {"images": ones.astype(np.uint8) * np.uint8(255)}

    why = f"dataset.binarize={config.binarize} (dynamic needs no file for training)"
    return replace(split, **split.images.mapped(binary, why))


class Levels:
    """Uniform levels 1 to 255: as `rng.integers(1, 256, dtype=uint8)` gives them.

    One call of NumPy's and many draw other numbers; here the numbers don't depend on
    how many are drawn at a time, so that sets in memory and on disk are binarized
    alike. NumPy takes the bytes of its stream in order and leaves out those that are 0.
    """

    def __init__(self, rng: np.random.Generator) -> None:
        self._rng = rng
        self._left = np.empty(0, np.uint8)

    def draw(self, shape: tuple[int, ...]) -> np.ndarray:
        """Return the next levels, uint8 of a shape."""
        count = math.prod(shape)
        while len(self._left) < count:
            missing = count - len(self._left)
            words = missing // 4 + missing // 500 + 1  # one byte in 256 is left out
            drawn = np.frombuffer(self._rng.bytes(4 * words), np.uint8)
            self._left = np.concatenate([self._left, drawn[drawn > 0]])
        levels, self._left = self._left[:count], self._left[count:]
        return levels.reshape(shape)
