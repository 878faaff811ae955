"""From a source's raw arrays to checked, split, binarized uint8 images."""

import hashlib
import math
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from vae_cli.config.corruption import CorruptionConfig
from vae_cli.config.dataset import DatasetConfig, FileConfig
from vae_cli.data.checks import checked
from vae_cli.data.images import Images
from vae_cli.data.splits import ImageData, Split
from vae_cli.data_spec import DataSpec
from vae_cli.errors import DataError
from vae_cli.randomness import Stream, generator
from vae_cli.registry import build


class Source(NamedTuple):
    """A data set as it is stored, checked, before it is split."""

    train: Split
    test: Split | None
    digests: dict[str, str | None]


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
    source_train, source_test = build(config)
    whole = checked(source_train, "x_train", "y_train")
    test = None
    if source_test is not None:
        test = checked(source_test, "x_test", "y_test")
        if test.images.shape[1:] != whole.images.shape[1:]:
            raise DataError(
                f"x_test has images of shape {test.images.shape[1:]}, x_train of "
                f"{whole.images.shape[1:]}; they must agree."
            )
    digests = {
        "x_train_sha256": _digest_images(whole.images),
        "x_test_sha256": None if test is None else _digest_images(test.images),
    }
    return Source(whole, test, digests)


def split_source(source: Source, config: DatasetConfig) -> ImageData:
    """Split, binarize and limit a data set.

    Raises:
        DataError: it is too small, or has no image of a class.
    """
    whole, test, digests = source
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
    kept, held_out = (_of_classes(index, whole, config) for index in (kept, held_out))
    if config.classes is not None:
        having = np.unique(np.asarray(whole.labels)).tolist()
        unknown = sorted(set(config.classes) - set(having))
        if unknown or not len(kept):
            missing = f"no image is of class {', '.join(map(str, unknown))}"
            raise DataError(
                f"dataset.classes={config.classes}: "
                f"{missing if unknown else 'no image is left to train on'}.",
                f"this set has classes {having}",
            )
    held_out = np.sort(held_out[: config.max_images_per_split])
    splits = {
        "train": whole.take(np.sort(kept[: config.max_images_per_split])),
        "validation": whole.take(held_out),
    }
    if test is not None:
        order = generator(config.seed, Stream.SPLIT, 1).permutation(len(test))
        order = _of_classes(order, test, config)
        splits["test"] = test.take(np.sort(order[: config.max_images_per_split]))
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
            **digests,
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
        config: how training binarizes it; its seed draws everything here.
        name: of the split.
        corruption: of the images that the encoder gets; None leaves them as they are.
        num_images: at most this many, drawn by the seed: sets may be sorted.

    Raises:
        DataError: this set has no such split.
    """
    split = data.split(name)
    if name == "train" and config.binarize == "dynamic":
        split = _binarized(split, config, 0)
    if corruption is not None and corruption.corrupts:
        from vae_cli.data.corruption import corrupt_split

        split = corrupt_split(split, corruption, config.seed)
    if num_images is None or num_images >= len(split):
        return split
    return split.take(chosen_index(len(split), num_images, config.seed))


def chosen_index(total: int, count: int | None, seed: int) -> np.ndarray:
    """Return which of `total` images are chosen by a seed, in order."""
    return np.sort(generator(seed, Stream.CHOICE).permutation(total)[:count])


def _classes(*splits: Split | None) -> int | None:
    labels = [s.labels.max() for s in splits if s is not None and s.labels is not None]
    return int(max(labels)) + 1 if labels else None


def _spec(splits: list[Split], binarize: str, num_classes: int | None) -> DataSpec:
    train = splits[0]
    total = sum(part.sum(axis=0, dtype=np.float64) for part in train.images.batches())
    mean = total / len(train) / 255
    if binarize != "none":
        binary = True
    else:
        # grey sets are recognised by their first images, in no time
        binary = all(_two_levels(part) for s in splits for part in s.images.batches())
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


def _held_if_small(split: Split, config: DatasetConfig) -> Split:
    if isinstance(config, FileConfig) and split.images.megabytes > config.memory_mb:
        return split
    return replace(split, images=split.images.in_memory())


def _binarized(split: Split, config: DatasetConfig, index: int) -> Split:
    """Return a split of pixels 0 and 255, by threshold or by one draw."""
    levels = Levels(generator(config.seed, Stream.BINARIZATION, index))

    def binary(images: np.ndarray, _: np.ndarray) -> dict[str, np.ndarray]:
        if config.binarize == "threshold":
            ones = images > 127
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
    return bool(((images == 0) | (images == 255)).all())


def _digest_images(images: Images) -> str:
    """Return the SHA-256 of all pixels, which needn't fit into memory."""
    digest = hashlib.sha256()
    for batch in images.batches():
        digest.update(np.ascontiguousarray(batch).data)
    return digest.hexdigest()


def _digest(array: Any) -> str:
    return hashlib.sha256(np.ascontiguousarray(array).data).hexdigest()
