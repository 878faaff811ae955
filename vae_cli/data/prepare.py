"""From a source's raw arrays to checked, split, binarized uint8 images."""

import hashlib
import logging
import math
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from vae_cli.config.corruption import CorruptionConfig
from vae_cli.config.dataset import DatasetConfig, FileConfig
from vae_cli.data.checks import (
    are_eight_bit,
    checked_images,
    checked_labels,
    in_eight_bits,
    numbered,
    range_of,
    statistics,
)
from vae_cli.data.dequantize import checked_levels, dequantized
from vae_cli.data.file_facts import FileFacts
from vae_cli.data.images import Images, is_mapped, to_float
from vae_cli.data.splits import ImageData, Sources, Split
from vae_cli.data_spec import DataSpec, class_numbers
from vae_cli.errors import DataError
from vae_cli.pixels import Pixels
from vae_cli.randomness import Stream, generator
from vae_cli.registry import build

log = logging.getLogger(__name__)

MOST_HELD_OUT = 10_000
"""Images that a set of one's own gives to validation, and to testing, by default."""


class Source(NamedTuple):
    """A data set as it is stored, checked, before it is split."""

    train: Split
    test: Split | None
    validation: Split | None
    pixels: Pixels
    class_names: tuple[str, ...] | None
    digests: dict[str, str | None]
    files: FileFacts | None = None


def load_data(config: DatasetConfig) -> ImageData:
    """Load, check, split and binarize a data set.

    Args:
        config: which set and how to split, binarize and limit it.

    Raises:
        DataError: the set is missing, malformed, out of range or too small.
    """
    return split_source(load_source(config), config)


def load_source(config: DatasetConfig) -> Source:
    """Load a data set, check it and digest its pixels.

    Raises:
        DataError: the set is missing, malformed or out of range.
    """
    sources = Sources(*build(config))
    given = {
        name: arrays
        for name in ("train", "test", "validation")
        if (arrays := getattr(sources, name)) is not None
    }
    images = {k: checked_images(v.images, f"x_{k}") for k, v in given.items()}
    shape = images["train"].shape[1:]
    for name, array in images.items():
        if array.shape[1:] != shape:
            raise DataError(
                f"x_{name} has images of shape {array.shape[1:]}, x_train of {shape}; "
                "they must agree."
            )
    images, pixels = _ranged({f"x_{k}": v for k, v in images.items()}, config)
    labels, class_names = numbered(
        {
            k: None
            if v.labels is None
            else checked_labels(v.labels, len(v.images), f"y_{k}", f"x_{k}")
            for k, v in given.items()
        },
        sources.class_names,
    )
    splits = {
        k: Split(
            Images(images[f"x_{k}"], pixels=pixels),
            labels[k],
            v.factors,
            v.names,
            class_names=class_names,
            pixels=pixels,
        )
        for k, v in given.items()
    }
    digests = {
        f"x_{k}_sha256": given[k].sha256 or _digest_images(v.images)
        for k, v in splits.items()
    }
    return Source(
        splits["train"],
        splits.get("test"),
        splits.get("validation"),
        pixels,
        class_names,
        {"x_test_sha256": None, **digests},
        sources.files,
    )


def _ranged(
    images: dict[str, np.ndarray], config: DatasetConfig
) -> tuple[dict[str, np.ndarray], Pixels]:
    """Return images with their range; those in memory as the model gets them."""
    auto = config.value_range == "auto"
    if auto and are_eight_bit(images):
        return images, Pixels()
    found = statistics(images)
    eight_bit = in_eight_bits(images, found) if auto else None
    if eight_bit is not None:
        return eight_bit, Pixels()
    pixels = range_of(images, found, config.value_range)
    if pixels.eight_bit:
        return images, pixels
    log.info("pixels: %s", pixels)
    return {
        name: array if is_mapped(array) else pixels.to_model(array)
        for name, array in images.items()
    }, pixels


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
            splits[name] = _binarized(splits[name], config, index)
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
        raise DataError("x_train holds one image; at least 2 are needed.")
    key = max(sizes, key=lambda k: sizes[k])
    raise DataError(
        f"dataset.{key}={sizes[key]} leaves no more than one image to train on: "
        f"x_train holds {whole}.",
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
        split = _binarized(split, config, 0)
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
    if isinstance(config, FileConfig) and split.images.megabytes > config.memory_mb:
        return split
    return replace(split, images=split.images.in_memory())


def _binarized(split: Split, config: DatasetConfig, index: int) -> Split:
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
            words = missing // 4 + missing // 500 + 1  # a byte of 256 is left out
            drawn = np.frombuffer(self._rng.bytes(4 * words), np.uint8)
            self._left = np.concatenate([self._left, drawn[drawn > 0]])
        levels, self._left = self._left[:count], self._left[count:]
        return levels.reshape(shape)


def _two_levels(images: np.ndarray) -> bool:
    white = 255 if images.dtype == np.uint8 else 1
    return bool(((images == 0) | (images == white)).all())


def _digest_images(images: Images) -> str:
    """Return the SHA-256 of all pixels, which needn't fit into memory."""
    digest = hashlib.sha256()
    for batch in images.batches():
        digest.update(np.ascontiguousarray(batch).data)
    return digest.hexdigest()


def _digest(array: Any) -> str:
    return hashlib.sha256(np.ascontiguousarray(array).data).hexdigest()
