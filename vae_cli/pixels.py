"""Pixel values: in the data, in the model, and as brightness on a screen.

    model value = (data value - low) / (high - low)

With noise as wide as a level (`dataset.dequantize=uniform`), level k of L covers
[k / L, (k + 1) / L] and is represented by its middle:

    model value = (k + 1/2) / L,  k = (L - 1) (data value - low) / (high - low)

Models get [0, 1], or, where the data are standardized, numbers around 0.
"""

import math
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from vae_cli.errors import DataError

MAX_LEVELS = 2**16
"""Levels of a pixel; integers of a wider range count as real numbers."""
NOTHING = "there is nothing to learn: check dataset.path, and of arrays dataset.key"
WIDE = ("float64", "int32", "uint32", "int64", "uint64")
"""Types whose values float32 can't represent exactly."""


@dataclass(frozen=True)
class Pixels:
    """Range and precision of a data set's pixels.

    Attributes:
        dtype: of the data, a NumPy name.
        low: data value that is 0 in the model.
        high: data value that is 1 in the model.
        bounded: whether all values lie between them; False where `low` and `high` are
            mean and mean + standard deviation.
        levels: how many equally spaced values there are from low to high; None for
            real numbers.
        observed: smallest and largest data value: black and white in pictures of data
            that aren't 8-bit.
        dequantized: whether models get levels with noise (`vae_cli.data.dequantize`),
            always as float32.
    """

    dtype: str = "uint8"
    low: float = 0.0
    high: float = 255.0
    bounded: bool = True
    levels: int | None = 256
    observed: tuple[float, float] = (0.0, 255.0)
    dequantized: bool = False

    @property
    def eight_bit(self) -> bool:
        """Whether arrays of pixels are uint8, 0 to 255, also in memory."""
        return self.dtype == "uint8" and (self.low, self.high) == (0.0, 255.0)

    def to_model(self, values: np.ndarray) -> np.ndarray:
        """Return pixels as models get them: float32; 8-bit ones stay uint8.

        Args:
            values: data values of any shape.
        """
        if self.eight_bit and values.dtype == np.uint8 and not self.dequantized:
            return values
        wide = np.float64 if values.dtype.name in WIDE else np.float32
        scaled = np.subtract(values, self.low, dtype=wide)
        scaled /= self.high - self.low
        if self.dequantized and self.levels:
            scaled = (scaled * (self.levels - 1) + 0.5) / self.levels
        return scaled.astype(np.float32, copy=False)

    def from_model(self, values: np.ndarray) -> np.ndarray:
        """Return a model's numbers in the data's own range, float32.

        8-bit pictures stay in [0, 1], as is usual for floating-point pictures.
        """
        values = self._without_noise(values)
        if self.eight_bit:  # or uint8, as it is
            return values
        scaled = values.astype(np.float64) * (self.high - self.low) + self.low
        return scaled.astype(np.float32)

    def stored(self, values: np.ndarray) -> np.ndarray:
        """Return a model's numbers as values of the data's own type."""
        scaled = self._without_noise(values).astype(np.float64)
        return self.typed(scaled * (self.high - self.low) + self.low)

    def typed(self, values: np.ndarray) -> np.ndarray:
        """Round and clip values in the data's range to the data's own type."""
        dtype = np.dtype(self.dtype)
        if self.bounded:
            values = np.clip(values, self.low, self.high)
        if dtype.kind in "iu":
            info = np.iinfo(dtype)
            values = np.clip(np.rint(values.astype(np.float64)), info.min, info.max)
        return values.astype(dtype)

    def shown(self, values: np.ndarray) -> np.ndarray:
        """Return a model's numbers as brightness, float32, black 0 and white 1."""
        values = self._without_noise(values)
        if self.eight_bit:
            return values
        black, white = ((v - self.low) / (self.high - self.low) for v in self.observed)
        return np.clip((values - black) / (white - black), 0, 1)

    def _without_noise(self, values: np.ndarray) -> np.ndarray:
        """Undo the scale of dequantized values, so that level k is k / (L - 1).

        The mean of level k with its noise, (k + 1/2) / L, becomes k / (L - 1).
        """
        if not self.dequantized or self.levels is None:
            return values
        level = values.astype(np.float64) * self.levels - 0.5
        return np.clip(level / (self.levels - 1), 0, 1).astype(np.float32)

    def outside(self, values: np.ndarray) -> int:
        """Return how many data values lie outside the range."""
        if not self.bounded:
            return 0
        slack = 1e-5 * (self.high - self.low) * (self.levels is None)
        low, high = self.low - slack, self.high + slack
        return int(np.count_nonzero((values < low) | (values > high)))

    def __str__(self) -> str:
        if not self.bounded:
            return (
                f"{self.dtype}, standardized: mean {self.low:g}, standard deviation "
                f"{self.high - self.low:g}"
            )
        levels = "" if self.levels is None else f", {self.levels:,} levels"
        return f"{self.dtype} from {self.low:g} to {self.high:g}{levels}"

    def to_json(self) -> dict[str, Any]:
        """Return what `from_json` needs."""
        return {**asdict(self), "observed": list(self.observed)}

    @staticmethod
    def from_json(values: Any) -> "Pixels":
        """Rebuild what a run folder recorded; an older one has 8-bit pixels.

        Raises:
            KeyError, TypeError, ValueError: the record is malformed.
        """
        if values is None:
            return Pixels()
        numbers = [values["low"], values["high"], *values["observed"]]
        if any(isinstance(n, bool) or not math.isfinite(n) for n in numbers):
            raise ValueError("pixels: low, high and observed must be finite numbers")
        low, high, *observed = map(float, numbers)
        levels = values["levels"]
        if len(observed) != 2:
            raise ValueError("pixels: observed must be the smallest and largest value")
        if not low < high:
            raise ValueError(f"pixels: low={low} must be below high={high}")
        if levels is not None and levels not in range(2, MAX_LEVELS + 1):
            raise ValueError(f"pixels: levels={levels} must be 2 to {MAX_LEVELS}")
        if not isinstance(values["bounded"], bool):
            raise TypeError("pixels: bounded must be true or false")
        dequantized = values.get("dequantized", False)
        if not isinstance(dequantized, bool) or (dequantized and levels is None):
            raise ValueError(f"pixels: dequantized={dequantized} of levels={levels}")
        dtype = np.dtype(values["dtype"])
        if dtype.kind not in "iuf":
            raise ValueError(f"pixels: dtype={dtype} holds no numbers")
        return Pixels(
            dtype.name,
            low,
            high,
            values["bounded"],
            levels,
            (observed[0], observed[1]),
            dequantized,
        )


EIGHT_BIT = Pixels()
"""The pixels of common 8-bit pictures."""


def pixels_of(
    dtype: np.dtype, observed: tuple[float, float], value_range: str | list[float]
) -> Pixels:
    """Return what a data set's pixels are.

    Args:
        dtype: of the arrays.
        observed: their smallest and largest value.
        value_range: `dataset.value_range`; `standardize` is `standardized`.

    Raises:
        DataError: values lie outside the range.
    """
    low, high = observed
    integers = dtype.kind in "iu"
    if isinstance(value_range, list):
        first, last = value_range
        if low < first or high > last:
            raise DataError(
                f"dataset.value_range=[{first:g},{last:g}]: the pixels are from "
                f"{low:g} to {high:g}.",
                f"dataset.value_range=[{low:g},{high:g}] holds all of them",
            )
    elif integers:
        first, last = _of_integers(dtype, low, high)
    elif low >= 0 and high <= 1 + 1e-5:  # above by rounding, where they were scaled
        first, last = 0.0, 1.0
    elif low >= -1 - 1e-5 and high <= 1 + 1e-5:
        first, last = -1.0, 1.0
    else:
        first, last = low, high
    if first == last:
        raise DataError(
            f"every pixel of every image is {first:g}: there is nothing to learn.",
            "check dataset.path, and of arrays dataset.key",
        )
    count = last - first + 1
    whole = integers and float(first).is_integer() and float(last).is_integer()
    levels = int(count) if whole and count <= MAX_LEVELS else None
    return Pixels(dtype.name, float(first), float(last), True, levels, (low, high))


def _of_integers(dtype: np.dtype, low: float, high: float) -> tuple[float, float]:
    """Return the range of integers: 0 to that of the fewest usual bits, 8 to 16."""
    if low < 0 or high <= 1:  # bits are black and white
        return low, max(high, 1.0)
    bits = (8, 10, 12, 14, 16) if dtype != np.uint8 else (8,)
    return 0.0, next((2.0**b - 1 for b in bits if high < 2**b), high)


def standardized(
    dtype: np.dtype, observed: tuple[float, float], mean: float, std: float
) -> Pixels:
    """Return pixels that have mean 0 and standard deviation 1 in the model."""
    if not std > 0:
        raise DataError(
            "every pixel of every image is the same: there is nothing to learn.",
            "check dataset.path, and of arrays dataset.key",
        )
    return Pixels(dtype.name, mean, mean + std, False, None, observed)
