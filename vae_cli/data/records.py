"""Pictures in the records of a collection, decoded once into the cache.

Hugging Face sets and those of TensorFlow Datasets keep pictures as encoded files.
Decoding them at every start would take minutes, and they may be larger than memory
when decoded, so that they always go through the cache, where the next run finds them in
a second. The labels are kept beside the pixels.
"""

import logging
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from vae_cli.config.dataset_formats import RecordsConfig
from vae_cli.data import cache
from vae_cli.data.cache_writer import writing
from vae_cli.data.channels import wanted_channels
from vae_cli.data.checks import NEEDED, digest_of
from vae_cli.data.decode import (
    Header,
    Preparation,
    decode,
    or_reason,
    prepared,
    read_header,
)
from vae_cli.data.preparation import (
    check_background,
    check_bad,
    check_some,
    preparation_of,
    reasons,
)
from vae_cli.data.splits import Arrays, Sources
from vae_cli.errors import DataError
from vae_cli.progress import fraction_bar
from vae_cli.randomness import Stream, generator

VERSION = 1
"""Version of the cache's entries; those of other versions are not found."""
AT_A_TIME = 256
"""Pictures that are decoded together."""

Record = tuple[Any, int | str | None]
"""An encoded picture (bytes), an array, or why there is none (text); and its label."""

log = logging.getLogger(__name__)


class Records(NamedTuple):
    """The records of a split.

    Attributes:
        size: how many there are.
        read: function from sorted row numbers, int64 [n], to these records, in order;
            it is called twice.
    """

    size: int
    read: Callable[[np.ndarray], Iterator[Record]]


def sources_of(
    splits: dict[str, Records],
    config: RecordsConfig,
    identity: list[Any],
    class_names: tuple[str, ...] | None = None,
) -> Sources:
    """Return the pictures of records, from the cache.

    Args:
        splits: train, and optionally validation and test -> its records.
        config: how the pictures are prepared.
        identity: values that differ if the records do, as JSON can write them.
        class_names: of labels that are numbers.

    Raises:
        ConfigError: `dataset.background` is no colour.
        DataError: a split is empty; pictures can't be read, or have several sizes.
    """
    check_background(config)
    for split, records in splits.items():
        if not records.size:
            raise DataError(f"dataset.path={config.path}: the {split} split is empty.")
    rows = {split: _chosen(records.size, config) for split, records in splits.items()}
    key = cache.key_of(
        VERSION, config.name, identity, config.image_size, config.resize,
        config.channels, config.background, config.on_bad_file, config.channels_first,
        [config.limit, config.limit and config.seed],
    )  # fmt: skip
    if cache.find(key) is None:
        _write(key, splits, rows, config)
    entry = cache.required(key)
    about, pixels, begin = entry.about, entry.pixels(), 0
    if about["bad"]:
        bad = dict(about["bad"])
        log.warning("left out %d pictures: %s", len(bad), reasons(bad))
    arrays = {}
    for split in splits:
        end = begin + about["counts"][split]
        if begin < end:
            arrays[split] = Arrays(
                pixels[begin:end],
                _labels(about["labels"][split], split),
                sha256=about["sha256"][split],
            )
        begin = end
    if "train" not in arrays:
        raise DataError(f"dataset.path={config.path}: no training picture is left.")
    return Sources(
        arrays["train"], arrays.get("test"), arrays.get("validation"), class_names
    )


def _chosen(count: int, config: RecordsConfig) -> np.ndarray:
    """Return the rows to read: at most `dataset.limit`, drawn by the seed."""
    order = generator(config.seed, Stream.CHOICE).permutation(count)
    return np.sort(order[: config.limit])


def _labels(labels: list[Any], split: str) -> np.ndarray | None:
    """Return labels as an array, or None; -1 means no label in some collections."""
    bare = sum(label is None or label == -1 for label in labels)
    if bare == len(labels):
        return None
    if bare:
        raise DataError(f"{bare} of {len(labels)} {split} images have no label.")
    return np.array(labels)


def _write(
    key: str,
    splits: dict[str, Records],
    rows: dict[str, np.ndarray],
    config: RecordsConfig,
) -> None:
    """Write the cache's entry: the pixels of all splits, one after the other.

    Raises:
        DataError: some can't be read, or they have several sizes or types.
    """
    total = sum(len(own) for own in rows.values())
    headers: list[tuple[str, Header]] = []
    bad: dict[str, str] = {}
    with fraction_bar(f"reading {total:,} pictures") as progress:
        for name, image, _ in _all(splits, rows, config):
            found = or_reason(_header, image)
            if isinstance(found, Header):
                headers.append((name, found))
            else:
                bad[name] = found
            progress((len(headers) + len(bad)) / total)
    check_some(bad, total, config)
    preparation = preparation_of(headers, config)
    if config.channels == "auto":
        shape = (total, *preparation.size, preparation.channels)
        wanted_channels(shape, config, f"dataset.path={config.path}")
    shape = (len(headers), *preparation.size, preparation.channels)
    about = {
        "source": str(Path(config.path).absolute()),
        "preparation": asdict(preparation),
    }
    with writing(key, shape, preparation.dtype, about) as writer:
        pixels = writer.pixels()
        counts = dict.fromkeys(splits, 0)
        labels: dict[str, list[Any]] = {split: [] for split in splits}
        to = 0
        with fraction_bar(f"decoding {total:,} pictures") as progress:
            for name, image, label in _decoded(splits, rows, config, preparation):
                if isinstance(image, str):
                    bad[name] = image
                else:
                    split = name.partition("[")[0]
                    pixels[to] = image
                    counts[split] += 1
                    labels[split].append(label)
                    to += 1
                progress((to + len(bad)) / total)
        check_bad(bad, total, config)
        ends = np.cumsum(list(counts.values()))
        writer.about |= {
            "bad": sorted(bad.items()),
            "counts": counts,
            "labels": labels,
            "sha256": {
                split: digest_of(pixels[end - counts[split] : end])
                for split, end in zip(counts, ends, strict=True)
            },
        }


def _all(
    splits: dict[str, Records], rows: dict[str, np.ndarray], config: RecordsConfig
) -> Iterator[tuple[str, Any, int | str | None]]:
    """Yield name, picture and label of all records that are wanted."""
    for split, records in splits.items():
        wanted = rows[split]
        read = 0
        for row, (image, label) in zip(wanted, records.read(wanted), strict=False):
            read += 1
            if isinstance(image, np.ndarray):
                image = _array(image, config)
            yield f"{split}[{row}]", image, label
        if read < len(wanted):
            raise DataError(
                f"dataset.path={config.path}: the {split} split ends after {read} of "
                f"{len(wanted)} records.",
                "the files are cut short, or belong to another set",
            )


def _array(image: np.ndarray, config: RecordsConfig) -> np.ndarray | str:
    """Return an array as [H, W, C], or why it is no image."""
    if image.ndim not in (2, 3) or image.dtype.kind not in "biuf":
        return f"it is {image.dtype} {list(image.shape)}; {NEEDED}"
    if not image.size:
        return f"it is empty: {list(image.shape)}"
    if image.ndim == 2:
        return image[..., None]
    return np.moveaxis(image, 0, -1) if config.channels_first else image


def _header(image: Any) -> Header:
    if isinstance(image, str):
        raise ValueError(image)
    if isinstance(image, np.ndarray):
        return Header(image.shape[:2], image.dtype.name, image.shape[2], False)
    if not image:
        raise ValueError("it is empty")
    return read_header(image)


def _decoded(
    splits: dict[str, Records],
    rows: dict[str, np.ndarray],
    config: RecordsConfig,
    preparation: Preparation,
) -> Iterator[tuple[str, Any, int | str | None]]:
    """Yield name, pixels (or why there are none) and label of all records."""

    def pixels(image: Any) -> np.ndarray:
        if isinstance(image, np.ndarray):
            return prepared(image, preparation)
        _header(image)
        return decode(image, preparation)

    records = _all(splits, rows, config)
    with ThreadPoolExecutor() as pool:
        while batch := list(islice(records, AT_A_TIME)):
            images = pool.map(lambda record: or_reason(pixels, record[1]), batch)
            for (name, _, label), image in zip(batch, images, strict=True):
                yield name, image, label
