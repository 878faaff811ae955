"""Arrays of images brought to the size and the channels that a config names."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np

from vae_cli.config.dataset import FileConfig
from vae_cli.data.decode import Preparation, prepared
from vae_cli.data.images import is_mapped
from vae_cli.errors import DataError

MAX_CHANNELS = 4
"""Channels of pictures; more of them are taken for a mistake unless said so."""


def channels_last(images: np.ndarray, name: str) -> np.ndarray:
    """Return images [N, C, H, W] as [N, H, W, C].

    Raises:
        DataError: they are grey without an axis for it, or streamed.
    """
    if images.ndim == 4 and is_mapped(images):
        raise DataError(
            f"dataset.channels_first=true: {name} is streamed from the file, which is "
            "read as it is.",
            "transpose it once: numpy.savez(path, x_train=numpy.moveaxis(x, 1, -1)), "
            "or raise dataset.memory_mb",
        )
    if images.ndim == 3:
        raise DataError(
            f"dataset.channels_first=true: {name} has shape {list(images.shape)}, "
            "without an axis of channels.",
            "leave dataset.channels_first out: [N, H, W] are grey images",
        )
    return np.ascontiguousarray(np.moveaxis(images, 1, -1))


def as_configured(images: np.ndarray, config: FileConfig, name: str) -> np.ndarray:
    """Return images of the size and the channels that the config asks for.

    Args:
        images: [N, H, W] or [N, H, W, C]; other ranks are returned as they are, for
            others to refuse.
        config: `image_size`, `resize` and `channels` are read.
        name: of the array, for messages.

    Raises:
        DataError: there are more channels than pictures have, or such that can't be
            converted; streamed images would have to be changed.
    """
    if images.ndim not in (3, 4):
        return images
    if images.ndim == 3:
        images = images[..., None]
    shape, channels = list(images.shape), images.shape[3]
    wanted = channels if config.channels == "auto" else int(config.channels)
    if channels > MAX_CHANNELS and config.channels == "auto":
        raise DataError(
            f"{name} has shape {shape}: read as [N, H, W, C], images of {shape[1]} x "
            f"{shape[2]} pixels with {channels} channels; pictures have 1 to "
            f"{MAX_CHANNELS}.",
            "if its channels come first, [N, C, H, W]: dataset.channels_first=true",
            f"if it has {channels} channels: dataset.channels={channels}",
        )
    if channels != wanted and not {channels, wanted} <= {1, 3, 4}:
        raise DataError(
            f"dataset.channels={wanted}: {name} has {channels} channels, as "
            f"[N, H, W, C] = {shape}.",
            "if its channels come first: dataset.channels_first=true",
        )
    size = config.size or (shape[1], shape[2])
    if (channels, *images.shape[1:3]) == (wanted, *size):
        return images
    if is_mapped(images):
        raise DataError(
            f"{name} is streamed from the file, which is read as it is: {shape}.",
            "bring it to this size and these channels once, or raise dataset.memory_mb",
        )
    to = Preparation(size, wanted, images.dtype.name, config.resize)
    with ThreadPoolExecutor() as pool:
        return np.stack(list(pool.map(lambda image: prepared(image, to), images)))
