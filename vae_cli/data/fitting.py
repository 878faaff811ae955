"""Pictures and arrays of one's own, brought to the size and range of a model's."""

import logging
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from vae_cli.config.dataset_files import FileConfig, PicturesConfig
from vae_cli.config.train import TrainConfig
from vae_cli.data.checks import Statistics, checked_images, in_eight_bits, statistics
from vae_cli.data.decode import (
    KEEP,
    UNREADABLE_PICTURE,
    Preparation,
    decode,
    formats,
    prepared,
    read_file,
    read_header,
    reason,
)
from vae_cli.data.images import to_float
from vae_cli.data.listing import SHOWN
from vae_cli.data_spec import DataSpec
from vae_cli.errors import DataError
from vae_cli.text import printable, shortened

OPAQUE = 128
"""Alpha below which a pixel is missing."""

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Fitting:
    """How images of one's own become those of a model.

    Attributes:
        spec: of the model's images.
        resize: crop, pad or stretch, where sizes differ.
        background: colour behind transparent pixels; None: they are missing.
    """

    spec: DataSpec
    resize: str = "crop"
    background: str | None = None

    @staticmethod
    def of(spec: DataSpec, config: TrainConfig) -> "Fitting":
        """Return how a run prepares images: as its training images were."""
        data = config.dataset
        resize = data.resize if isinstance(data, FileConfig) else "crop"
        background = data.background if isinstance(data, PicturesConfig) else None
        # a model of missing pixels treats transparent ones as missing
        return Fitting(spec, resize, None if config.corruption.masks else background)


def fitted_pictures(
    paths: list[Path], fitting: Fitting, changes: Counter[str]
) -> tuple[np.ndarray, np.ndarray | None]:
    """Return pictures [N, H, W, C] and their mask [N, H, W, 1], or None.

    The mask is 0 at missing pixels and 255 elsewhere; None if none is missing.
    """
    read, bad = [], {}
    for path in paths:
        try:
            read.append(_picture(path, fitting, changes))
        except UNREADABLE_PICTURE as error:
            bad[path] = reason(error)
    if bad:
        named = [
            f"images={printable(path)} can't be read as a picture: {why}"
            for path, why in bad.items()
        ]
        raise DataError(
            *shortened(named, SHOWN),
            f"repair or remove it; supported formats: {formats()}",
        )
    images = [image for image, _ in read]
    if len({image.dtype for image in images}) > 1:
        images = [to_float(image) for image in images]
    opaque = np.stack([mask for _, mask in read])
    return np.stack(images), None if (opaque == 255).all() else opaque


def _picture(
    path: Path, fitting: Fitting, changes: Counter[str]
) -> tuple[np.ndarray, np.ndarray]:
    """Return a picture as the model gets it, and [H, W, 1]: 255 where it is opaque."""
    spec, data = fitting.spec, read_file(path)
    size, channels = spec.image_shape[:2], spec.image_shape[2]
    said = read_header(data)
    opaque = np.full((*size, 1), 255, np.uint8)
    if said.size != size:
        verb = {"crop": "cropped", "pad": "padded", "stretch": "stretched"}
        changes[
            f"{verb[fitting.resize]} and scaled to {size[1]} x {size[0]} pixels"
        ] += 1
    if channels in (1, 3) and said.channels in (1, 3) and said.channels != channels:
        changes[
            "converted from grey to colour" if channels == 3 else "converted to grey"
        ] += 1
    keeps = fitting.background is None and said.alpha and said.dtype == "uint8"
    to = Preparation(
        size,
        4 if keeps or channels == 4 else channels,
        said.dtype,
        fitting.resize,
        fitting.background or KEEP,
    )
    pixels = decode(data, to)
    if keeps and channels != 4:
        opaque = np.where(pixels[..., 3:] < OPAQUE, 0, 255).astype(np.uint8)
        colour = Image.fromarray(pixels[..., :3])
        pixels = np.asarray(colour.convert("L") if channels == 1 else colour)
        pixels = pixels.reshape(*size, channels)
    return _from_file(pixels, spec, said.dtype), opaque


def _from_file(pixels: np.ndarray, spec: DataSpec, dtype: str) -> np.ndarray:
    """Return a picture's values as the model gets them.

    8-bit pictures fill the range of data of other types, and 16 bits that of 8-bit
    data.
    """
    own = spec.pixels
    if own.dtype == "uint8" and dtype == "uint16":
        pixels = np.rint(pixels / 257).astype(np.uint8)
    elif own.dtype != "uint8" and dtype == "uint8":
        if own.bounded:
            return to_float(pixels)
        black, white = own.observed
        pixels = black + to_float(pixels) * (white - black)
    if own.eight_bit and pixels.dtype == np.uint8:
        return pixels
    return _values(pixels[None], spec, "the picture")[0]


def fitted_array(
    array: np.ndarray, fitting: Fitting, name: str, changes: Counter[str]
) -> np.ndarray:
    """Return an array as images [N, H, W, C] of the model's size and range."""
    spec = fitting.spec
    size = spec.image_shape[:2]
    # [H, W, 3] of another size, or for a grey model, is no batch of grey slivers
    coloured = array.ndim == 3 and array.shape[2] in (1, 3, 4)
    if array.shape == size or (coloured and array.shape[1:] != size):
        array = array[None]
    images = checked_images(array, name)
    shape = images.shape[1:]
    height, width, channels = spec.image_shape
    if shape != spec.image_shape:
        if shape[2] != channels and not {shape[2], channels} <= {1, 3, 4}:
            advice = "give images with as many channels"
            if shape[0] in (channels, 1, 3):
                advice = (
                    "its channels come first; put them last: "
                    "numpy.save(path, numpy.moveaxis(images, 1, -1))"
                )
            raise DataError(
                f"{name} has the shape {list(images.shape)}; this model's images are "
                f"{list(spec.image_shape)}.",
                advice,
            )
        changes[f"{list(shape)} brought to {list(spec.image_shape)}"] += len(images)
        to = Preparation((height, width), channels, images.dtype.name, fitting.resize)
        images = np.stack([prepared(image, to) for image in images])
    return _values(images, spec, name)


def _values(images: np.ndarray, spec: DataSpec, name: str) -> np.ndarray:
    """Return values as the model gets them.

    Raises:
        DataError: they aren't finite, or lie outside the range of 8-bit pictures.
    """
    found = statistics({name: images})
    pixels = spec.pixels
    if pixels.eight_bit:
        return _eight_bit(images, found, name)
    if np.dtype(pixels.dtype).kind in "iu" and _are_fractions(images, found):
        if pixels.dtype != "uint8":
            raise DataError(
                f"{name} has pixels from {found.low:g} to {found.high:g}; this run's "
                f"images are {pixels}.",
                "give them in that range",
            )
        images = images * 255
    outside = pixels.outside(images)
    if outside > images.size / 2:
        raise DataError(
            f"{name} has pixels from {found.low:g} to {found.high:g}, most of them "
            f"outside the range of the run's data: {pixels}.",
            "give them in that range",
        )
    if outside:
        log.warning(
            "%s: %s values lie outside the range of the run's data, %g to %g, and are "
            "clipped to it",
            name,
            f"{outside:,}",
            pixels.low,
            pixels.high,
        )
        images = np.clip(images, pixels.low, pixels.high)
    return pixels.to_model(images.astype(images.dtype.newbyteorder("="), copy=False))


def _are_fractions(images: np.ndarray, found: Statistics) -> bool:
    """Return whether images are floats in [0, 1] between whole numbers."""
    inside = images.dtype.kind == "f" and found.low >= 0 and found.high <= 1 + 1e-5
    return inside and bool((images != np.rint(images)).any())


def _eight_bit(images: np.ndarray, found: Statistics, name: str) -> np.ndarray:
    if images.dtype == np.uint8 and found.high > 1:
        return images
    bytes_ = in_eight_bits({name: images}, found)
    if bytes_ is not None:
        return bytes_[name]
    if images.dtype.kind != "f" or found.low < 0 or found.high > 1 + 1e-5:
        raise DataError(
            f"{name} has pixels from {found.low:g} to {found.high:g}; this run's "
            "images are uint8 in 0..255, or floats in [0, 1].",
            "rescale them to one of these ranges",
        )
    return np.minimum(images, 1).astype(np.float32)
