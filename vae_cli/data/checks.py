"""Checks of arrays that are to be images or labels, and the range of pixels."""

import hashlib
import logging
import math
from typing import Any, NamedTuple

import numpy as np

from vae_cli.data.images import batches, is_mapped
from vae_cli.errors import DataError
from vae_cli.pixels import Pixels, pixels_of, standardized

log = logging.getLogger(__name__)

NEEDED = "needed: integers or floats [N, H, W] or [N, H, W, C]"
LARGEST = 1e37
"""Pixel values beyond it overflow 32-bit floats in sums."""
ROUNDING = 0.25
"""Largest distance from an 8-bit level that counts as rounding, in levels."""


class Statistics(NamedTuple):
    """Statistics of pixel values."""

    low: float
    high: float
    mean: float
    std: float


def checked_images(images: np.ndarray, name: str) -> np.ndarray:
    """Return images [N, H, W, C] of numbers, of any range.

    Raises:
        DataError: wrong rank or type, or empty.
    """
    if not is_mapped(images):
        images = np.asarray(images)
    check_kind(images.shape, images.dtype, name)
    return images[..., None] if images.ndim == 3 else images


def check_kind(shape: tuple[int, ...], dtype: np.dtype, name: str) -> None:
    """Make sure that an array of this shape and type can be images.

    Raises:
        DataError: wrong rank or type, or empty.
    """
    if len(shape) not in (3, 4):
        raise DataError(f"{name} has shape {list(shape)}.", NEEDED)
    if dtype.kind not in "biuf" or dtype.itemsize > 8:
        raise DataError(f"{name} has type {dtype}.", NEEDED)
    if 0 in shape:
        raise DataError(f"{name} is empty: shape {list(shape)}.")


def statistics(arrays: dict[str, np.ndarray]) -> Statistics:
    """Return statistics of images [N, H, W, C], read a few at a time.

    Args:
        arrays: name -> images.

    Raises:
        DataError: naming an array with values that are NaN or infinite.
    """
    low, high, total, square, count = np.inf, -np.inf, 0.0, 0.0, 0
    first = None  # squares of large, nearly equal values would cancel
    for name, images in arrays.items():
        bad = 0
        for batch in batches(images):
            if batch.dtype.kind == "f":
                finite = np.isfinite(batch)
                if not finite.all():
                    bad += int((~finite).any(axis=(1, 2, 3)).sum())
                    continue
            low = min(low, float(batch.min()))
            high = max(high, float(batch.max()))
            first = float(batch.flat[0]) if first is None else first
            moved = np.subtract(batch, first, dtype=np.float64).ravel()
            total += float(moved.sum())
            with np.errstate(over="ignore"):  # refused below
                square += float(moved @ moved)
            count += batch.size
        if bad:
            raise DataError(
                f"{name} has NaN or infinite pixels in {bad} of {len(images)} images.",
                "drop those images, or replace the pixels",
            )
    if not math.isfinite(square) or high > LARGEST or low < -LARGEST:
        raise DataError(
            f"{', '.join(arrays)}: pixels from {low:g} to {high:g} are too large for "
            "32-bit floats, with which models compute.",
            "divide them by a constant",
        )
    mean = total / count
    variance = square / count - mean**2
    return Statistics(low, high, mean + (first or 0.0), max(variance, 0.0) ** 0.5)


def digest_of(images: Any) -> str:
    """Return the SHA-256 of images, an array or `Images`, which may be on disk."""
    digest = hashlib.sha256()
    for batch in batches(images):
        digest.update(np.ascontiguousarray(batch).data)
    return digest.hexdigest()


def in_eight_bits(
    arrays: dict[str, np.ndarray], found: Statistics
) -> dict[str, np.ndarray] | None:
    """Return images as uint8 where nothing is lost by it; None where something is.

    Bits are black and white; integers in 0..255, and floats that were divided by 255
    or are such integers, are 8-bit pictures. Arrays on disk stay as they are, and get
    the same levels by `range_of`.

    Args:
        arrays: name -> images.
        found: of their values.
    """
    if found.low < 0 or found.high > 255:
        return None
    if any(is_mapped(images) for images in arrays.values()):
        return None
    names = ", ".join(arrays)
    if all(images.dtype.kind in "biu" for images in arrays.values()):
        if are_bits(arrays, found):
            log.info("%s: pixels 0 and 1 are taken as black and white", names)
            return {k: v.astype(np.uint8) * np.uint8(255) for k, v in arrays.items()}
        return {name: images.astype(np.uint8) for name, images in arrays.items()}
    factor = eight_bit_factor(arrays, found)
    if factor is None:
        return None
    log.info("%s: the floats hold 256 levels, which are kept as 8 bits", names)
    return {
        name: np.rint(np.minimum(images, 255 / factor) * factor).astype(np.uint8)
        for name, images in arrays.items()
    }


def are_bits(arrays: dict[str, np.ndarray], found: Statistics) -> bool:
    """Return whether images are integers or booleans, 0 and 1 alone."""
    whole = all(images.dtype.kind in "biu" for images in arrays.values())
    return whole and found.low >= 0 and found.high <= 1


def eight_bit_factor(arrays: dict[str, np.ndarray], found: Statistics) -> int | None:
    """Return what makes levels 0 to 255 of floats: 255 or 1; None if nothing does."""
    if found.low < 0 or found.high > 255:
        return None
    factor = 255 if found.high <= 1 + 1e-5 else 1
    every = all(_on_levels(images, factor) for images in arrays.values())
    return factor if every else None


def are_eight_bit(arrays: dict[str, np.ndarray]) -> bool:
    """Return whether images are uint8 with more than two levels."""
    return all(i.dtype == np.uint8 for i in arrays.values()) and any(
        int(batch.max()) > 1 for i in arrays.values() for batch in batches(i)
    )


def _on_levels(images: np.ndarray, factor: int) -> bool:
    """Return whether all values, times a factor, are whole numbers but for rounding."""
    for batch in batches(images):
        levels = batch.astype(np.float32) * factor
        error = 510 * float(np.finfo(_float_of(images.dtype)).eps)
        if (np.abs(levels - np.rint(levels)) > min(error, ROUNDING)).any():
            return False
    return True


def _float_of(dtype: np.dtype) -> np.dtype:
    """Return a type of floats, float32 at most, that rounds as `dtype` does."""
    return dtype if dtype.itemsize < 4 and dtype.kind == "f" else np.dtype(np.float32)


def range_of(
    arrays: dict[str, np.ndarray], found: Statistics, value_range: str | list[float]
) -> Pixels:
    """Return range and precision of the values of images.

    Args:
        arrays: name -> images [N, H, W, C].
        found: of their values.
        value_range: `dataset.value_range`.

    Raises:
        DataError: values are all the same, or outside the range.
    """
    dtype = np.result_type(*(images.dtype for images in arrays.values()))
    if dtype == np.bool_:
        dtype = np.dtype(np.uint8)
    observed = (found.low, found.high)
    if value_range == "auto":
        # what stays on disk has the levels that it would have in memory
        if are_bits(arrays, found):
            value_range = [0, 1]
        elif dtype.kind == "f" and (factor := eight_bit_factor(arrays, found)):
            return Pixels(dtype.name, 0.0, 255.0 / factor, True, 256, observed)
    if value_range == "standardize":
        return standardized(dtype, observed, found.mean, found.std)
    return pixels_of(dtype, observed, value_range)


def checked_labels(
    labels: np.ndarray, count: int, y_name: str, x_name: str
) -> np.ndarray:
    """Return labels [N] as int64 class numbers, or as text, the classes' names.

    Raises:
        DataError: they are neither, or there are more or fewer than images.
    """
    labels = np.asarray(labels).reshape(-1)
    if len(labels) != count:
        raise DataError(
            f"{y_name} has {len(labels)} labels for {count} images in {x_name}."
        )
    if labels.dtype.kind == "S":
        labels = np.char.decode(labels, "utf-8", "backslashreplace")
    if labels.dtype.kind == "U":
        return labels
    if labels.dtype.kind == "b":
        labels = labels.astype(np.int64)
    if not np.issubdtype(labels.dtype, np.integer):
        raise DataError(
            f"{y_name} must hold class numbers 0, 1, ... or names, got {labels.dtype}."
        )
    if labels.min() < 0 or labels.max() >= 2**31:
        raise DataError(
            f"{y_name} must hold class numbers 0, 1, ..., got {labels.min()} to "
            f"{labels.max()}."
        )
    return labels.astype(np.int64)


def numbered(
    labels: dict[str, np.ndarray | None], names: tuple[str, ...] | None = None
) -> tuple[dict[str, np.ndarray | None], tuple[str, ...] | None]:
    """Return labels as class numbers, and the classes' names where they have some.

    Args:
        labels: split -> as `checked_labels` returns them.
        names: of the classes, where the source knows them.

    Raises:
        DataError: some are numbers and some are names, or a name is no class.
    """
    texts = {k: v for k, v in labels.items() if v is not None and v.dtype.kind == "U"}
    if not texts:
        return labels, names
    if len(texts) < sum(v is not None for v in labels.values()):
        raise DataError(
            "some labels are class numbers and some are names.",
            "use one kind for all splits",
        )
    if names is None:
        names = tuple(sorted({str(t) for v in texts.values() for t in np.unique(v)}))
    order = np.array(sorted(names))
    place = np.array([names.index(name) for name in order])
    for split, text in texts.items():
        unknown = sorted(set(np.unique(text).tolist()) - set(names))
        if unknown:
            raise DataError(
                f"the {split} images have the label {unknown[0]!r}, which is no class.",
                f"classes: {', '.join(names)}",
            )
    numbers = {
        split: None if text is None else place[np.searchsorted(order, text)]
        for split, text in labels.items()
    }
    return numbers, names
