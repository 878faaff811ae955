"""Which axis of an array holds the channels."""

import numpy as np

from vae_cli.config.dataset import NpzConfig
from vae_cli.data.images import is_mapped
from vae_cli.errors import DataError

MAX_CHANNELS = 4
"""Channels of pictures; more of them are taken for a mistake unless said so."""


def channels_last(images: np.ndarray, config: NpzConfig, name: str) -> np.ndarray:
    """Return images with their channels last, as the config says where they are.

    Args:
        images: [N, H, W] or [N, H, W, C], or [N, C, H, W] with `channels_first`;
            other ranks are returned as they are, for others to refuse.
        config: `channels_first` and `channels` are read.
        name: of the array, for messages.

    Raises:
        DataError: there are more channels than pictures have, or other than the config
            says.
    """
    if images.ndim == 4 and config.channels_first:
        if is_mapped(images):
            raise DataError(
                f"dataset.channels_first=true: {name} is streamed from the file, which "
                "is read as it is.",
                "transpose it once: numpy.savez(path, x_train=numpy.moveaxis(x, 1, "
                "-1)), or raise dataset.memory_mb",
            )
        images = np.ascontiguousarray(np.moveaxis(images, 1, -1))
    elif images.ndim == 3 and config.channels_first:
        raise DataError(
            f"dataset.channels_first=true: {name} has shape {list(images.shape)}, "
            "without an axis of channels.",
            "leave dataset.channels_first out: [N, H, W] are grey images",
        )
    if images.ndim not in (3, 4):
        return images
    shape = list(images.shape)
    channels = shape[3] if images.ndim == 4 else 1
    if config.channels is not None and channels != config.channels:
        raise DataError(
            f"dataset.channels={config.channels}: {name} has {channels} channels, as "
            f"[N, H, W, C] = {shape}.",
            "if its channels come first: dataset.channels_first=true",
        )
    if channels > MAX_CHANNELS and config.channels is None:
        raise DataError(
            f"{name} has shape {shape}: read as [N, H, W, C], images of {shape[1]} x "
            f"{shape[2]} pixels with {channels} channels; pictures have 1 to "
            f"{MAX_CHANNELS}.",
            "if its channels come first, [N, C, H, W]: dataset.channels_first=true",
            f"if it has {channels} channels: dataset.channels={channels}",
        )
    return images
