"""From a source's raw arrays to checked, split, binarized uint8 images."""

import hashlib
import logging
from dataclasses import replace
from typing import Any

import numpy as np

from vae_cli.config.schema import DatasetConfig
from vae_cli.data.sources import SOURCES
from vae_cli.data.splits import ImageData, Split, aligned
from vae_cli.data_spec import DataSpec
from vae_cli.errors import DataError
from vae_cli.randomness import Stream, generator

log = logging.getLogger(__name__)


def load_data(config: DatasetConfig) -> ImageData:
    """Load a data set and make it ready for training.

    Args:
        config: which set and how to split, binarize and limit it.

    Raises:
        DataError: the set is missing, malformed, out of range or too small.
    """
    source_train, source_test = SOURCES[config.name](config)
    whole = _checked(source_train, "x_train", "y_train")
    test = None
    if source_test is not None:
        test = _checked(source_test, "x_test", "y_test")
        if test.images.shape[1:] != whole.images.shape[1:]:
            raise DataError(
                f"x_test has images of shape {test.images.shape[1:]}, x_train of "
                f"{whole.images.shape[1:]}; they must agree."
            )
    if config.validation_size >= len(whole) - 1:
        if len(whole) < 2:
            raise DataError("x_train holds one image; at least 2 are needed.")
        raise DataError(
            f"dataset.validation_size={config.validation_size} leaves no more than one "
            f"image to train on: x_train holds {len(whole)}.",
            f"choose at most {max(0, len(whole) - 2)}, such as "
            f"dataset.validation_size={len(whole) // 5}; at least 2 images are needed",
        )
    order = generator(config.seed, Stream.SPLIT).permutation(len(whole))
    held_out, kept = np.split(order, [config.validation_size])
    held_out = np.sort(held_out[: config.limit])
    splits = {
        "train": whole.take(np.sort(kept[: config.limit])),
        "validation": whole.take(held_out),
    }
    if test is not None:
        order = generator(config.seed, Stream.SPLIT, 1).permutation(len(test))
        splits["test"] = test.take(np.sort(order[: config.limit]))
    for index, name in enumerate(splits):
        if config.binarize in ("threshold", "static") or (
            config.binarize == "dynamic" and name != "train"
        ):
            splits[name] = _binarized(splits[name], config, index)
    train = splits["train"]
    return ImageData(
        spec=_spec(list(splits.values()), config.binarize, _classes(whole, test)),
        train=train,
        validation=splits["validation"],
        test=splits.get("test"),
        fingerprint={
            "dataset": config.name,
            "sizes": {name: len(split) for name, split in splits.items()},
            "x_train_sha256": _digest(whole.images),
            "x_test_sha256": None if test is None else _digest(test.images),
            "validation_indices_sha256": _digest(held_out),
        },
    )


def fixed_split(data: ImageData, config: DatasetConfig, name: str) -> Split:
    """Return a split as it is scored: what training binarizes anew is drawn once.

    Raises:
        DataError: this set has no such split.
    """
    split = data.split(name)
    if name == "train" and config.binarize == "dynamic":
        return _binarized(split, config, 0)
    return split


def some(split: Split, count: int | None, seed: int) -> Split:
    """Return at most `count` of the images, drawn by a seed: sets may be sorted."""
    if count is None or count >= len(split):
        return split
    chosen = generator(seed, Stream.CHOICE).permutation(len(split))[:count]
    return split.take(np.sort(chosen))


def _classes(*splits: Split | None) -> int | None:
    labels = [s.labels.max() for s in splits if s is not None and s.labels is not None]
    return int(max(labels)) + 1 if labels else None


def _spec(splits: list[Split], binarize: str, num_classes: int | None) -> DataSpec:
    train = splits[0]
    mean = train.images.mean(axis=0, dtype=np.float64) / 255
    if binarize != "none":
        binary = True
    else:
        # grey sets are recognised by their first images, in no time
        binary = all(
            _two_levels(part) for s in splits for part in (s.images[:100], s.images)
        )
    height, width, channels = train.images.shape[1:]
    return DataSpec(
        image_shape=(height, width, channels),
        binary=binary,
        num_classes=num_classes,
        pixel_mean=mean.astype(np.float32),
    )


def _checked(split: Split, x_name: str, y_name: str) -> Split:
    """Return images as uint8 [N, H, W, C] and labels as int64 [N].

    Raises:
        DataError: wrong rank, type, range, not finite, empty, labels that don't match.
    """
    images = _pixels(np.asarray(split.images), x_name)
    labels = split.labels
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
    return replace(split, images=images, labels=labels)


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
    # a hair above 1 is the rounding of whoever scaled them
    if low < 0 or high > 1 + 1e-5:
        hint = "divide by 255" if low >= 0 and high <= 255 else "rescale them"
        raise DataError(
            f"{name} has pixels from {low:g} to {high:g}; every likelihood here takes "
            "[0, 1].",
            f"{hint}, or store them as uint8 in 0..255",
        )
    log.info("%s: floats in [0, 1] are kept at 8 bits a pixel", name)
    return np.round(np.minimum(images, 1) * 255).astype(np.uint8)


def _binarized(split: Split, config: DatasetConfig, index: int) -> Split:
    """Return a split of pixels 0 and 255, drawn once where drawing is asked for."""
    if config.binarize == "threshold":
        ones = split.images > 127
    else:
        rng = generator(config.seed, Stream.BINARIZATION, index)
        # 256 levels have probability x / 255 of being at least a uniform 1..255
        ones = split.images >= rng.integers(1, 256, split.images.shape, dtype=np.uint8)
    return replace(split, images=aligned(ones.astype(np.uint8) * np.uint8(255)))


def _two_levels(images: np.ndarray) -> bool:
    return bool(((images == 0) | (images == 255)).all())


def _digest(array: Any) -> str:
    return hashlib.sha256(np.ascontiguousarray(array).data).hexdigest()
