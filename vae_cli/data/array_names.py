"""Which of the arrays of a file are images, test images and labels: by their names."""

import re
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from vae_cli.config.dataset_files import ArraysConfig
from vae_cli.errors import DataError, closest
from vae_cli.text import printable, shortened

SPLIT_WORDS = {
    "train": ("train", "training"),
    "validation": ("val", "valid", "validation", "dev"),
    "test": ("test", "testing"),
}
"""Split -> words in the names of its arrays."""
LABEL_WORDS = ("y", "labels", "label", "targets", "target", "classes", "class")
"""Words in the names of labels, likeliest first."""
SHOWN = 20


class Header(NamedTuple):
    """What an array is, without its values."""

    shape: tuple[int, ...]
    dtype: np.dtype
    text: bool = False  # whether values of a type without a fixed length are text


class Named(NamedTuple):
    """The arrays of a split: names of images and labels."""

    images: str
    labels: str | None


def named_arrays(
    arrays: Mapping[str, Header], config: ArraysConfig, what: str = "array"
) -> dict[str, Named]:
    """Return which arrays the splits of a file are.

    Images are the array that `key` names, or `x_train`, or the one array that can be
    images. Test and validation images have the same name with another word for the
    split, or are the only ones with such a word; labels have a name of `LABEL_WORDS`,
    the word of the split or none, and the right length.

    Args:
        arrays: name -> header, of those that can be read.
        config: `key`, `labels_key` and `path` are read.
        what: what messages call an array.

    Raises:
        DataError: several can be images, or none.
    """
    train = _train(arrays, config, what)
    if config.labels_key is not None:
        _check_there(arrays, config.labels_key, "labels_key", config, what)
    chosen = {"train": Named(train, config.labels_key or _labels(arrays, train))}
    for split in ("test", "validation"):
        images = _partner(arrays, train, split)
        if images is not None:
            labels = _labels(arrays, images)
            if config.labels_key is not None:  # such as y_train, which goes with y_test
                labels = _partner(arrays, config.labels_key, split, alone=False)
            chosen[split] = Named(images, labels)
    return chosen


def _train(arrays: Mapping[str, Header], config: ArraysConfig, what: str) -> str:
    if config.key is not None:
        _check_there(arrays, config.key, "key", config, what)
        return config.key
    if "x_train" in arrays:
        return "x_train"
    like = [name for name, header in arrays.items() if _is_image_like(header)]
    other = ("test", "validation")
    candidates = [name for name in like if split_of(name) not in other] or like
    for_training = [name for name in candidates if split_of(name) == "train"]
    for found in (for_training, candidates):
        if len(found) == 1:
            return found[0]
    if not candidates and len(arrays) == 1:
        return next(iter(arrays))  # `check_kind` says what is wrong with it
    problem = f"no {what} that can be images: numbers, [N, H, W] or [N, H, W, C]"
    if candidates:
        problem = f"{len(candidates)} {what}s that can be images"
    raise DataError(
        f"dataset.path={config.path} has {problem}.",
        f"it holds: {listed(arrays)}",
        f"say which are the training images: dataset.key={candidates[0]}"
        if candidates
        else "write one with numpy.savez(path, x_train=images)"
        if what == "array"
        else "choose another file",
    )


def _check_there(
    arrays: Mapping[str, Header], name: str, key: str, config: ArraysConfig, what: str
) -> None:
    if name not in arrays:
        guess = closest(name, arrays)
        raise DataError(
            f"dataset.{key}={name}: {config.path} has no such {what}"
            + (f"; did you mean {printable(guess)}?" if guess else "."),
            f"it holds: {listed(arrays)}",
        )


def listed(arrays: Mapping[str, Header]) -> str:
    """Return names, shapes and types for a message."""
    named = [
        f"{printable(name)} {list(header.shape)} {header.dtype}"
        for name, header in arrays.items()
    ]
    return ", ".join(shortened(named, SHOWN)) or "nothing"


def _is_image_like(header: Header) -> bool:
    return (
        header.dtype.kind in "biuf"
        and len(header.shape) in (3, 4)
        and all(header.shape)
        and not header.text
    )


def _words(name: str) -> list[str]:
    """Return the words of a name: of `trainImages`, `train/images`, `Xtrain`."""
    spaced = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name).lower()
    return re.findall(
        r"[a-z0-9]+", re.sub(r"\b([xy])(?=train|test|val)", r"\1 ", spaced)
    )


def split_of(name: str) -> str | None:
    """Return the split that a name has a word of; None where it has none."""
    words = set(_words(name))
    for split, own in SPLIT_WORDS.items():
        if words & set(own):
            return split
    return None


def _stem(name: str) -> list[str]:
    """Return the words of a name but those that say which split it is."""
    spoken = {word for own in SPLIT_WORDS.values() for word in own}
    return sorted(word for word in _words(name) if word not in spoken)


def _partner(
    arrays: Mapping[str, Header], train: str, split: str, alone: bool = True
) -> str | None:
    """Return the array of another split that goes with one; None where there is none.

    Args:
        arrays: name -> header.
        train: the one.
        split: the other split.
        alone: whether the only array that can be images of the split goes with it,
            too, whatever its name.
    """
    having = [n for n in arrays if n != train and split_of(n) == split]
    same = [name for name in having if _stem(name) == _stem(train)]
    if same:
        return same[0]
    like = [name for name in having if _is_image_like(arrays[name])]
    size = arrays[train].shape[1:3]
    fitting = [name for name in like if arrays[name].shape[1:3] == size]
    return fitting[0] if alone and len(fitting) == 1 else None


def _labels(arrays: Mapping[str, Header], images: str) -> str | None:
    """Return the array of the labels of images; None where there is none."""
    split = split_of(images)
    splits = (split,) if split in ("test", "validation") else ("train", None)
    usual = f"y_{split or 'train'}"
    count = (arrays[images].shape or (0,))[0]
    found = []
    for name, header in arrays.items():
        words = [word for word in LABEL_WORDS if word in _words(name)]
        if name == images or not words or split_of(name) not in splits:
            continue
        column = header.shape in ((count,), (count, 1))
        if name == usual or (column and (header.dtype.kind in "biuSU" or header.text)):
            rank = 0 if name == usual else 1 + LABEL_WORDS.index(words[0])
            found.append((rank, split_of(name) != split, name))
    return min(found)[2] if found else None
