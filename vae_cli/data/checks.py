"""What arrays must be to be images and labels."""

import logging

import numpy as np

from vae_cli.data.images import is_mapped
from vae_cli.data.splits import Arrays, Split
from vae_cli.errors import DataError

log = logging.getLogger(__name__)


def checked(arrays: Arrays, x_name: str, y_name: str) -> Split:
    """Return images as uint8 [N, H, W, C] and labels as int64 [N].

    Raises:
        DataError: wrong rank, type, range, not finite, empty, labels that don't match.
    """
    images = _pixels(np.asarray(arrays.images), x_name)
    labels = arrays.labels
    if labels is not None:
        labels = np.asarray(labels).reshape(-1)
        if len(labels) != len(images):
            raise DataError(
                f"{y_name} has {len(labels)} labels for {len(images)} images in "
                f"{x_name}."
            )
        if not np.issubdtype(labels.dtype, np.integer):
            raise DataError(
                f"{y_name} must hold class numbers 0, 1, ..., got {labels.dtype}."
            )
        if labels.min() < 0 or labels.max() >= 2**31:
            raise DataError(
                f"{y_name} must hold class numbers 0, 1, ..., got {labels.min()} to "
                f"{labels.max()}."
            )
        labels = labels.astype(np.int64)
    return Split(images, labels, arrays.factors)


def _pixels(images: np.ndarray, name: str) -> np.ndarray:
    if images.ndim not in (3, 4):
        raise DataError(
            f"{name} has shape {images.shape}.",
            "needed: [N, H, W] or [N, H, W, C]",
        )
    if images.ndim == 3:
        images = images[..., None]
    if not images.size:
        raise DataError(f"{name} is empty: shape {images.shape}.")
    if images.dtype == np.uint8 and images.max() > 1:
        return images
    if is_mapped(images):
        raise DataError(
            f"{name} is streamed, which takes uint8 in 0..255, got {images.dtype} up "
            f"to {images.max()}.",
            "store it as uint8, or raise dataset.memory_mb",
        )
    if images.dtype == bool:
        return images.astype(np.uint8) * np.uint8(255)
    if images.dtype.kind not in "fiu":
        raise DataError(
            f"{name} has type {images.dtype}.",
            "needed: uint8 in 0..255, or floats in [0, 1]",
        )
    if images.dtype.kind == "f" and not np.isfinite(images).all():
        bad = int((~np.isfinite(images)).reshape(len(images), -1).any(axis=1).sum())
        raise DataError(
            f"{name} has NaN or infinite pixels in {bad} of {len(images)} images.",
            "drop those images, or replace the pixels",
        )
    low, high = images.min(), images.max()
    if images.dtype.kind in "iu":
        if low < 0 or high > 255:
            raise DataError(
                f"{name} has pixels from {low} to {high}.",
                "integers must lie in 0..255",
            )
        if high == 1:
            log.info("%s: pixels 0 and 1 are taken as black and white", name)
            return images.astype(np.uint8) * np.uint8(255)
        return images.astype(np.uint8)
    # slightly above 1 by rounding, where they were scaled
    if low < 0 or high > 1 + 1e-5:
        hint = "divide by 255" if low >= 0 and high <= 255 else "rescale them"
        raise DataError(
            f"{name} has pixels from {low:g} to {high:g}; every likelihood here takes "
            "[0, 1].",
            f"{hint}, or store them as uint8 in 0..255",
        )
    log.info("%s: floats in [0, 1] are kept at 8 bits a pixel", name)
    return np.round(np.minimum(images, 1) * 255).astype(np.uint8)
