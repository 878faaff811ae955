"""Arrays of images, wherever they lie, as a config wants them: held or mapped."""

import math
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from vae_cli.config.dataset_files import ArrayConfig
from vae_cli.data import cache
from vae_cli.data.cache_writer import writing
from vae_cli.data.channels import Change, change_of, changed
from vae_cli.data.checks import check_kind
from vae_cli.progress import fraction_bar

VERSION = 1
"""Version of the cache's entries; those of other versions are not found."""
CHUNK = 2**26
"""Bytes that are read and converted at a time."""


class Stored(Protocol):
    """An array that is read in parts: NumPy's, a memory map, or one of HDF5."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Return the sizes of its axes."""

    @property
    def dtype(self) -> np.dtype:
        """Return the type of its values."""

    def __getitem__(self, rows: Any, /) -> Any:
        """Return some of its images."""


def ready(
    stored: Stored, config: ArrayConfig, name: str, key: str, rows_at_once: int = 1
) -> np.ndarray:
    """Return images [N, H, W, C] of the size and the channels that a config wants.

    They are held in memory where they fit `memory_mb`, before and after. Others are
    mapped: from their file where nothing is to be done, else from the cache, to which
    they are copied once.

    Args:
        stored: the images, where they lie.
        config: what they are brought to, and how much is held.
        name: of the array, for messages.
        key: what else says which array of `dataset.path` it is.
        rows_at_once: images that are stored together, which are read together.

    Raises:
        DataError: it can't be images, or not such ones; the cache has no room.
    """
    check_kind(stored.shape, stored.dtype, name)
    change, shape = change_of(stored.shape, stored.dtype, config, name)
    itemsize, most = stored.dtype.itemsize, config.memory_mb * 2**20
    if max(math.prod(stored.shape), math.prod(shape)) * itemsize <= most:
        return changed(np.asarray(stored[:]), change)
    if not change.changes and isinstance(stored, np.ndarray):
        return changed(stored, change)
    path = Path(config.path).absolute()
    status = path.stat()
    entry_key = cache.key_of(
        VERSION, str(path), status.st_size, status.st_mtime_ns, key, shape,
        stored.dtype.name, change.channels_first, config.resize,
    )  # fmt: skip
    if cache.find(entry_key) is None:
        about = {"source": str(path), "array": key}
        rows = max(1, CHUNK // (math.prod(stored.shape[1:]) * itemsize))
        rows = math.ceil(rows / rows_at_once) * rows_at_once
        _copy(stored, change, entry_key, shape, about, name, rows)
    entry = cache.required(entry_key)
    return entry.pixels()


def _copy(
    stored: Stored,
    change: Change,
    key: str,
    shape: tuple[int, ...],
    about: dict[str, Any],
    name: str,
    rows: int,
) -> None:
    """Write the cache's entry of an array, some images at a time."""
    count = shape[0]
    with (
        writing(key, shape, stored.dtype.name, about) as writer,
        fraction_bar(f"copying {name} into the cache") as progress,
    ):
        pixels = writer.pixels()
        for start in range(0, count, rows):
            try:
                part = np.asarray(stored[start : start + rows])
            except OSError as error:  # which the cache would take for its own
                raise ValueError(str(error)) from error
            pixels[start : start + rows] = changed(part, change)
            progress(min(start + rows, count) / count)
        del pixels
