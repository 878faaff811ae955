"""A data set as it is stored: its arrays checked, with range, labels and digests."""

import hashlib
import logging
from typing import NamedTuple

import numpy as np

from vae_cli.config.dataset import DatasetConfig
from vae_cli.data.checks import (
    are_bits,
    are_eight_bit,
    checked_images,
    checked_labels,
    digest_of,
    in_eight_bits,
    numbered,
    range_of,
    statistics,
)
from vae_cli.data.file_facts import FileFacts
from vae_cli.data.images import Images, is_mapped
from vae_cli.data.splits import Sources, Split
from vae_cli.errors import DataError
from vae_cli.pixels import Pixels
from vae_cli.registry import build

log = logging.getLogger(__name__)


class Source(NamedTuple):
    """A data set as it is stored, checked, before it is split."""

    train: Split
    test: Split | None
    validation: Split | None
    pixels: Pixels
    class_names: tuple[str, ...] | None
    digests: dict[str, str | None]
    files: FileFacts | None = None


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
                "they must agree.",
                "set dataset.image_size, or rename the array that holds no images",
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
        f"x_{k}_sha256": given[k].sha256 or digest_of(v.images)
        for k, v in splits.items()
    }
    digests |= {
        f"y_{k}_sha256": digest_of_labels(split.label_names)
        for k, split in splits.items()
        if split.label_names is not None
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


def digest_of_labels(names: np.ndarray) -> str:
    """Return the SHA-256 of the names of each image's class, text [N]."""
    text = "\0".join(names.tolist())
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


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
        return eight_bit, Pixels(levels=2 if are_bits(images, found) else 256)
    pixels = range_of(images, found, config.value_range)
    if pixels.eight_bit:
        return images, pixels
    log.info("pixels: %s", pixels)
    return {
        name: array if is_mapped(array) else pixels.to_model(array)
        for name, array in images.items()
    }, pixels
