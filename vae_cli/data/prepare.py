"""From a source's raw arrays to checked, split, binarized uint8 images."""

import hashlib
import math
import shutil
import tempfile
from dataclasses import replace
from typing import Any

import numpy as np

from vae_cli.config.schema import DatasetConfig
from vae_cli.data.checks import checked
from vae_cli.data.rows import Rows, in_parts, is_mapped
from vae_cli.data.sources import SOURCES
from vae_cli.data.splits import ImageData, Split, aligned
from vae_cli.data_spec import DataSpec
from vae_cli.errors import DataError
from vae_cli.randomness import Stream, generator


def load_data(config: DatasetConfig) -> ImageData:
    """Load a data set and make it ready for training.

    Args:
        config: which set and how to split, binarize and limit it.

    Raises:
        DataError: the set is missing, malformed, out of range or too small.
    """
    source_train, source_test = SOURCES[config.name](config)
    whole = checked(source_train, "x_train", "y_train")
    test = None
    if source_test is not None:
        test = checked(source_test, "x_test", "y_test")
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
    fingerprint = {
        "x_train_sha256": _digest(whole.images),
        "x_test_sha256": None if test is None else _digest(test.images),
    }
    whole, test = _from_disk(whole), _from_disk(test)
    order = generator(config.seed, Stream.SPLIT).permutation(len(whole))
    held_out, kept = np.split(order, [config.validation_size])
    kept, held_out = (_of_classes(index, whole, config) for index in (kept, held_out))
    if config.classes is not None:
        having = np.unique(whole.labels).tolist()
        unknown = sorted(set(config.classes) - set(having))
        if unknown or not len(kept):
            missing = f"no image is of class {', '.join(map(str, unknown))}"
            raise DataError(
                f"dataset.classes={config.classes}: "
                f"{missing if unknown else 'no image is left to train on'}.",
                f"this set has classes {having}",
            )
    held_out = np.sort(held_out[: config.limit])
    splits = {
        "train": whole.take(np.sort(kept[: config.limit])),
        "validation": whole.take(held_out),
    }
    if test is not None:
        order = generator(config.seed, Stream.SPLIT, 1).permutation(len(test))
        order = _of_classes(order, test, config)
        splits["test"] = test.take(np.sort(order[: config.limit]))
    splits = {name: _held_if_small(split, config) for name, split in splits.items()}
    for index, name in enumerate(splits):
        if config.binarize in ("threshold", "static") or (
            config.binarize == "dynamic" and name != "train"
        ):
            splits[name] = _binarized(splits[name], config, index)
    return ImageData(
        spec=_spec(list(splits.values()), config.binarize, _classes(whole, test)),
        train=splits["train"],
        validation=splits["validation"],
        test=splits.get("test"),
        fingerprint={
            "dataset": config.name,
            "sizes": {name: len(split) for name, split in splits.items()},
            **fingerprint,
            "validation_indices_sha256": _digest(held_out),
        },
    )


def _of_classes(index: np.ndarray, split: Split, config: DatasetConfig) -> np.ndarray:
    """Return those of the images that are of the chosen classes."""
    if config.classes is None:
        return index
    if split.labels is None:
        raise DataError(
            f"dataset.classes={config.classes} needs the label of every image; this "
            "data set has none."
        )
    return index[np.isin(split.labels[index], config.classes)]


def fixed_split(data: ImageData, config: DatasetConfig, name: str) -> Split:
    """Return a split, drawn once where training binarizes it anew.

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
    return split.take(chosen_index(len(split), count, seed))


def chosen_index(total: int, count: int | None, seed: int) -> np.ndarray:
    """Return which images `some` takes, in order."""
    return np.sort(generator(seed, Stream.CHOICE).permutation(total)[:count])


def _classes(*splits: Split | None) -> int | None:
    labels = [s.labels.max() for s in splits if s is not None and s.labels is not None]
    return int(max(labels)) + 1 if labels else None


def _spec(splits: list[Split], binarize: str, num_classes: int | None) -> DataSpec:
    train = splits[0]
    total = sum(part.sum(axis=0, dtype=np.float64) for part in in_parts(train.images))
    mean = total / len(train) / 255
    if binarize != "none":
        binary = True
    else:
        # grey sets are recognised by their first images, in no time
        binary = all(_two_levels(part) for s in splits for part in in_parts(s.images))
    height, width, channels = train.images.shape[1:]
    return DataSpec(
        image_shape=(height, width, channels),
        binary=binary,
        num_classes=num_classes,
        labels=None
        if train.labels is None
        else tuple(np.unique(train.labels).tolist()),
        pixel_mean=mean.astype(np.float32),
    )


def _from_disk(split: Split | None) -> Any:
    """Leave images on disk that were not read."""
    if split is None or not is_mapped(split.images):
        return split
    return replace(split, images=Rows(split.images))


def _held_if_small(split: Split, config: DatasetConfig) -> Split:
    most = getattr(config, "memory_mb", math.inf)
    if not isinstance(split.images, Rows) or _megabytes(split) > most:
        return split
    return replace(split, images=aligned(split.images[:]))


def _megabytes(split: Split) -> float:
    return math.prod(split.images.shape) / 2**20


def _binarized(split: Split, config: DatasetConfig, index: int) -> Split:
    """Return a split of pixels 0 and 255, drawn once where drawing is asked for."""
    rng = generator(config.seed, Stream.BINARIZATION, index)

    def binary(images: np.ndarray) -> np.ndarray:
        if config.binarize == "threshold":
            ones = images > 127
        else:
            # 256 levels have probability x / 255 of being at least a uniform 1..255
            ones = images >= rng.integers(1, 256, images.shape, dtype=np.uint8)
        return ones.astype(np.uint8) * np.uint8(255)

    if not isinstance(split.images, Rows):
        return replace(split, images=aligned(binary(split.images)))
    _check_room(split, config)
    with tempfile.TemporaryFile() as file:  # gone with the last use of the map
        kept = np.memmap(file, np.uint8, "w+", shape=split.images.shape)
    end = 0
    for part in in_parts(split.images):
        begin, end = end, end + len(part)
        kept[begin:end] = binary(part)
    return replace(split, images=Rows(kept))


def _check_room(split: Split, config: DatasetConfig) -> None:
    """Refuse to write what doesn't fit: a memory map would kill the process."""
    free = shutil.disk_usage(tempfile.gettempdir()).free / 2**20
    if _megabytes(split) > free:
        raise DataError(
            f"dataset.binarize={config.binarize} of a streamed set is kept on disk: it "
            f"takes {_megabytes(split):,.0f} MB, {tempfile.gettempdir()} has "
            f"{free:,.0f}.",
            "give it another place: TMPDIR=<folder> vae-train ...; or use "
            "dataset.binarize=dynamic, which keeps nothing",
        )


def _two_levels(images: np.ndarray) -> bool:
    return bool(((images == 0) | (images == 255)).all())


def _digest(array: Any) -> str:
    return hashlib.sha256(np.ascontiguousarray(array).data).hexdigest()
