"""From a source's checked arrays to split, binarized or dequantized images."""

import hashlib
import logging
from dataclasses import replace
from typing import Any

import numpy as np

from vae_cli.config.corruption import CorruptionConfig
from vae_cli.config.dataset import DatasetConfig
from vae_cli.data.binarize import binarized
from vae_cli.data.dequantize import checked_levels, dequantized
from vae_cli.data.source import Source, load_source
from vae_cli.data.splits import ImageData, Split
from vae_cli.data_spec import DataSpec, class_numbers
from vae_cli.errors import DataError
from vae_cli.randomness import Stream, generator

log = logging.getLogger(__name__)

MOST_HELD_OUT = 10_000
"""Images that a set of one's own gives to validation, and to testing, by default."""


def load_data(config: DatasetConfig) -> ImageData:
    """Load, check, split and binarize a data set.

    Args:
        config: which set and how to split, binarize and limit it.

    Raises:
        DataError: the set is missing, malformed, out of range or too small.
    """
    return split_source(load_source(config), config)


def split_source(source: Source, config: DatasetConfig) -> ImageData:
    """Split, binarize and limit a data set.

    Raises:
        DataError: it is too small, or has no image of a class.
    """
    whole = source.train
    order = generator(config.seed, Stream.SPLIT).permutation(len(whole))
    held_out_size, test_size = _sizes(source, config)
    held_out, kept = np.split(order, [held_out_size])
    kept, for_test = np.split(kept, [len(kept) - test_size])
    kept, held_out, for_test = (
        _of_classes(index, whole, config, source.class_names)
        for index in (kept, held_out, for_test)
    )
    if config.classes is not None and not len(kept):
        raise DataError(
            f"dataset.classes={config.classes}: no image is left to train on."
        )
    most = config.max_images_per_split
    splits = {"train": whole.take(np.sort(kept[:most]))}
    held_out = np.sort(held_out[:most])
    splits["validation"] = whole.take(held_out)
    for number, (name, split) in enumerate(
        (("test", source.test), ("validation", source.validation)), 1
    ):
        if split is not None:
            order = generator(config.seed, Stream.SPLIT, number).permutation(len(split))
            order = _of_classes(order, split, config, source.class_names)
            splits[name] = split.take(np.sort(order[:most]))
    if test_size:
        splits["test"] = whole.take(np.sort(for_test[:most]))
    splits = {name: _held_if_small(split, config) for name, split in splits.items()}
    for index, name in enumerate(splits):
        if config.binarize in ("threshold", "static") or (
            config.binarize == "dynamic" and name != "train"
        ):
            splits[name] = binarized(splits[name], config, index)
        if config.dequantize == "uniform":
            checked_levels(source.pixels)
            if name != "train":
                splits[name] = dequantized(splits[name], config.seed, index)
    return ImageData(
        spec=_spec(list(splits.values()), config, source),
        train=splits["train"],
        validation=splits["validation"],
        test=splits.get("test"),
        fingerprint={
            "dataset": config.name,
            "sizes": {name: len(split) for name, split in splits.items()},
            **source.digests,
            "validation_indices_sha256": _digest(held_out),
        },
        files=source.files,
    )


def _sizes(source: Source, config: DatasetConfig) -> tuple[int, int]:
    """Return how many of the training images go to validation and to testing.

    Raises:
        DataError: too few are left.
    """
    whole = len(source.train)
    tenth = min(whole // 10, MOST_HELD_OUT)
    wanted = {
        "validation_size": config.validation_size,
        "test_size": config.taken_for_test,
    }
    given = {
        "validation_size": source.validation is not None,
        "test_size": source.test is not None,
    }
    sizes = {
        key: 0 if given[key] else tenth if value is None else value
        for key, value in wanted.items()
    }
    if sum(sizes.values()) < whole - 1:
        return sizes["validation_size"], sizes["test_size"]
    if whole < 2:
        raise DataError("there is one training image; at least 2 are needed.")
    key = max(sizes, key=lambda k: sizes[k])
    raise DataError(
        f"dataset.{key}={sizes[key]} leaves no more than one image to train on: "
        f"there are {whole} training images.",
        f"choose at most {max(0, whole - 2)}, such as dataset.{key}={whole // 5}; at "
        "least 2 images are needed",
    )


def _of_classes(
    index: np.ndarray,
    split: Split,
    config: DatasetConfig,
    names: tuple[str, ...] | None,
) -> np.ndarray:
    """Return those of the images that are of the chosen classes."""
    if config.classes is None:
        return index
    if split.labels is None:
        raise DataError(
            f"dataset.classes={config.classes} needs the label of every image; this "
            "data set has none."
        )
    wanted = class_numbers(
        config.classes, np.unique(split.labels).tolist(), names, "dataset.classes"
    )
    return index[np.isin(split.labels[index], wanted)]


def pick_split(
    data: ImageData,
    config: DatasetConfig,
    name: str,
    corruption: CorruptionConfig | None = None,
    num_images: int | None = None,
) -> Split:
    """Return a split as it is evaluated: what training draws anew is drawn once.

    Starts TensorFlow where images are corrupted.

    Args:
        data: the data set.
        config: how training binarizes or dequantizes it; its seed draws everything
            here.
        name: of the split.
        corruption: of the images that the encoder gets; None leaves them as they are.
        num_images: at most this many, drawn by the seed: sets may be sorted.

    Raises:
        DataError: this set has no such split.
    """
    split = data.split(name)
    if name == "train" and config.binarize == "dynamic":
        split = binarized(split, config, 0)
    if name == "train" and config.dequantize == "uniform":
        split = dequantized(split, config.seed, 0)
    if corruption is not None and corruption.corrupts:
        from vae_cli.data.corruption import corrupt_split

        split = corrupt_split(split, corruption, config.seed)
    if num_images is None or num_images >= len(split):
        return split
    return split.take(chosen_index(len(split), num_images, config.seed))


def chosen_index(total: int, count: int | None, seed: int) -> np.ndarray:
    """Return which of `total` images are chosen by a seed, in order."""
    return np.sort(generator(seed, Stream.CHOICE).permutation(total)[:count])


def _classes(source: Source) -> int | None:
    if source.class_names is not None:
        return len(source.class_names)
    splits = (source.train, source.test, source.validation)
    labels = [s.labels.max() for s in splits if s is not None and s.labels is not None]
    return int(max(labels)) + 1 if labels else None


def _spec(splits: list[Split], config: DatasetConfig, source: Source) -> DataSpec:
    train = splits[0]
    total = sum(part.sum(axis=0, dtype=np.float64) for part in train.images.batches())
    mean = total / len(train) / (255 if train.images.dtype == np.uint8 else 1)
    pixels, is_noisy = source.pixels, config.dequantize == "uniform"
    if is_noisy:
        levels = checked_levels(pixels)
        mean = (mean * (levels - 1) + 0.5) / levels
    if config.binarize != "none" or is_noisy:
        binary = not is_noisy
    else:
        # grey sets are recognised by their first images, in no time
        binary = all(_two_levels(part) for s in splits for part in s.images.batches())
    height, width, channels = train.images.shape[1:]
    return DataSpec(
        image_shape=(height, width, channels),
        binary=binary,
        num_classes=_classes(source),
        labels=None
        if train.labels is None
        else tuple(np.unique(train.labels).tolist()),
        pixel_mean=mean.astype(np.float32),
        pixels=replace(pixels, dequantized=is_noisy),
        class_names=source.class_names,
    )


def _held_if_small(split: Split, config: DatasetConfig) -> Split:
    if split.images.megabytes > config.most_held_mb:
        return split
    return replace(split, images=split.images.in_memory())


def _two_levels(images: np.ndarray) -> bool:
    white = 255 if images.dtype == np.uint8 else 1
    return bool(((images == 0) | (images == white)).all())


def _digest(array: Any) -> str:
    return hashlib.sha256(np.ascontiguousarray(array).data).hexdigest()
