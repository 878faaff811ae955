"""Arrays of images brought to the size and the channels that a config names."""

from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np

from vae_cli.config.dataset_files import ArrayConfig, FileConfig
from vae_cli.data.decode import Preparation, prepared
from vae_cli.errors import DataError

MAX_CHANNELS = 4
"""Channels of pictures; more of them are taken for a mistake unless said so."""


class Change(NamedTuple):
    """What is done to an array of images.

    Attributes:
        channels_first: whether they are [N, C, H, W].
        to: what they are brought to; None: they have it already.
    """

    channels_first: bool
    to: Preparation | None

    @property
    def changes(self) -> bool:
        """Return whether anything is done."""
        return self.channels_first or self.to is not None


def change_of(
    shape: tuple[int, ...], dtype: np.dtype, config: ArrayConfig, name: str
) -> tuple[Change, tuple[int, ...]]:
    """Return what is done to images, and the shape [N, H, W, C] that they then have.

    Args:
        shape: [N, H, W] or [N, H, W, C], or with channels first.
        dtype: of their values.
        config: `channels_first`, `image_size`, `resize` and `channels` are read.
        name: of the array, for messages.

    Raises:
        DataError: they have no axis of channels to move, more channels than pictures
            have, or such that can't be converted.
    """
    if config.channels_first:
        if len(shape) == 3:
            raise DataError(
                f"dataset.channels_first=true: {name} has shape {list(shape)}, "
                "without an axis of channels.",
                "leave dataset.channels_first out: [N, H, W] are grey images",
            )
        shape = (shape[0], *shape[2:], shape[1])
    if len(shape) == 3:
        shape = (*shape, 1)
    channels = wanted_channels(shape, config, name)
    size = config.size or (shape[1], shape[2])
    to = None
    if (*shape[1:3], shape[3]) != (*size, channels):
        to = Preparation(size, channels, dtype.name, config.resize)
    return Change(config.channels_first, to), (shape[0], *size, channels)


def wanted_channels(shape: tuple[int, ...], config: FileConfig, name: str) -> int:
    """Return the channels that images [N, H, W, C] are to have.

    Raises:
        DataError: they have more than pictures, or such that can't be converted.
    """
    channels = shape[3]
    wanted = channels if config.channels == "auto" else int(config.channels)
    if channels > MAX_CHANNELS and config.channels == "auto":
        raise DataError(
            f"{name} has shape {list(shape)}: read as [N, H, W, C], images of "
            f"{shape[1]} x {shape[2]} pixels with {channels} channels; pictures have 1 "
            f"to {MAX_CHANNELS}.",
            "if its channels come first, [N, C, H, W]: dataset.channels_first=true",
            f"if it has {channels} channels: dataset.channels={channels}",
        )
    if channels != wanted and not {channels, wanted} <= {1, 3, 4}:
        raise DataError(
            f"dataset.channels={wanted}: {name} has {channels} channels, as "
            f"[N, H, W, C] = {list(shape)}.",
            "if its channels come first: dataset.channels_first=true",
        )
    return wanted


def changed(images: np.ndarray, change: Change) -> np.ndarray:
    """Return images [n, H, W, C] after a change, of the same type.

    Args:
        images: [n, H, W] or [n, H, W, C], or with channels first.
        change: what is done.
    """
    if change.channels_first:
        images = np.ascontiguousarray(np.moveaxis(images, 1, -1))
    if images.ndim == 3:
        images = images[..., None]
    if change.to is None:
        return images
    to = change.to
    with ThreadPoolExecutor() as pool:
        return np.stack(list(pool.map(lambda image: prepared(image, to), images)))
