"""Images of one's own, prepared as those that a model was trained on."""

import glob
import logging
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from vae_cli.config.dataset import FileConfig, PicturesConfig
from vae_cli.config.train import TrainConfig
from vae_cli.data.checks import Statistics, checked_images, in_eight_bits, statistics
from vae_cli.data.decode import (
    KEEP,
    SUFFIXES,
    UNREADABLE_PICTURE,
    Preparation,
    decode,
    formats,
    look,
    prepared,
    read_file,
    reason,
)
from vae_cli.data.images import to_float
from vae_cli.data.listing import SHOWN, pictures_below
from vae_cli.data.npy_header import UNREADABLE
from vae_cli.data.regular import check_regular
from vae_cli.data.splits import Split
from vae_cli.data_spec import DataSpec
from vae_cli.errors import DataError
from vae_cli.paths import is_there
from vae_cli.text import printable

OPAQUE = 128
"""Alpha below which a pixel is missing."""
ARRAYS = (".npy", ".npz")
AT_A_TIME = 256
"""Pictures that are decoded before they are used, where not all are held."""

Given = Any
"""Images as a caller names them: an array; a path or pattern of pictures, folders or
arrays, or a list of such."""

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
        """Return what a run does to images: what was done to those it learned from."""
        data = config.dataset
        resize = data.resize if isinstance(data, FileConfig) else "crop"
        background = data.background if isinstance(data, PicturesConfig) else None
        # a model of missing pixels takes transparent ones for such
        return Fitting(spec, resize, None if config.corruption.masks else background)


def named_split(given: Given, fitting: Fitting) -> tuple[Split, list[str]]:
    """Return images as a split, whose `mask` is 0 at missing pixels, and their names.

    Args:
        given: the images.
        fitting: how they become the model's.

    Raises:
        DataError: a file is missing, no picture or no regular file; values are out of
            range.
    """
    splits, names = [], []
    for split, own in image_batches(given, fitting):
        splits.append(split)
        names += own
    if len(splits) == 1:
        return splits[0], names
    masks = [split.mask for split in splits]
    mask = None
    if any(m is not None for m in masks):
        mask = np.concatenate(
            [
                np.full((len(s), *s.images.shape[1:3], 1), 255, np.uint8)
                if s.mask is None
                else s.mask[:]
                for s in splits
            ]
        )
    images = [split.images[:] for split in splits]
    if len({part.dtype for part in images}) > 1:  # 8-bit pictures beside floats
        images = [to_float(part) for part in images]
    return _split(np.concatenate(images), names, fitting.spec, mask), names


def image_batches(
    given: Given,
    fitting: Fitting,
    progress: Callable[[float], None] = lambda fraction: None,
) -> Iterator[tuple[Split, list[str]]]:
    """Yield images and their names, a few pictures or one array at a time.

    Other arguments and errors are those of `named_split`.

    Args:
        given: the images.
        fitting: how they become the model's.
        progress: called before some are yielded, with the fraction of files that are
            read by then.
    """
    spec = fitting.spec
    changes: Counter[str] = Counter()
    if not _are_paths(given):
        images = _fitted(_array(given), fitting, "the array", changes)
        names = [f"array[{index}]" for index in range(len(images))]
        progress(1.0)
        yield _split(images, names, spec), names
    else:
        for paths, names, fraction in _groups(given):
            progress(fraction)
            if paths[0].suffix.lower() in ARRAYS:
                loaded = _loaded(paths[0])
                images = _fitted(loaded, fitting, f"images={paths[0]}", changes)
                own = [f"{names[0]}[{index}]" for index in range(len(images))]
                yield _split(images, own, spec), own
            else:
                images, mask = _pictures(paths, fitting, changes)
                yield _split(images, names, spec, mask), names
    for change, count in changes.items():
        log.info("%d images: %s", count, change)


def source_name(given: Given) -> str:
    """Return what messages and reports call images of a caller: a path, or `array`."""
    if not _are_paths(given):
        return "array"
    return str(given) if isinstance(given, (str, Path)) else ", ".join(map(str, given))


def own_name(given: Given) -> str:
    """Return what results about one's own images are called: no split's name."""
    first = given[0] if isinstance(given, (list, tuple)) else given
    stem = Path(str(first).replace("*", "").replace("?", "")).resolve().stem
    more = (
        f"-and-{len(given) - 1}-more" if isinstance(given, list) and given[1:] else ""
    )
    return f"images-{printable(stem)}{more}"


def _are_paths(given: Given) -> bool:
    if isinstance(given, (list, tuple)):
        return bool(given) and all(isinstance(one, (str, Path)) for one in given)
    return isinstance(given, (str, Path))


def _groups(given: Given) -> Iterator[tuple[list[Path], list[str], float]]:
    """Yield pictures, a few at a time, or one array file, in the order of the files.

    Names to print come with them, and the fraction of files that are there then.
    """
    files, waiting = _files(given), 0
    for end, (path, _) in enumerate(files, 1):
        waiting += 1
        array = path.suffix.lower() in ARRAYS
        following = files[end][0].suffix.lower() if end < len(files) else ".npy"
        if array or following in ARRAYS or waiting == AT_A_TIME:
            some = files[end - waiting : end]
            yield [p for p, _ in some], [n for _, n in some], end / len(files)
            waiting = 0


def _files(given: Given) -> list[tuple[Path, str]]:
    """Return the files that a caller names, folders and patterns resolved.

    Raises:
        DataError: there are none.
    """
    files: list[tuple[Path, str]] = []
    for one in given if isinstance(given, (list, tuple)) else [given]:
        path = Path(one)
        if is_there(path):
            files += _below(path)
            continue
        matches = sorted(glob.glob(str(one), recursive=True))  # noqa: PTH207  not below a folder
        if not matches:
            raise DataError(
                f"images={one} does not exist.",
                "give pictures, folders of pictures, patterns ('scans/*.png'), or an "
                ".npy or .npz array",
            )
        top = _above_wildcards(str(one))
        for match in matches:
            found = _below(Path(match), must=False)
            files += [(p, printable(p.relative_to(top))) for p, _ in found]
    if not files:
        raise DataError(
            f"images={source_name(given)} matches no picture.",
            f"pictures are {', '.join(SUFFIXES)}",
        )
    return files


def _above_wildcards(pattern: str) -> Path:
    """Return the folder that names of a pattern's matches are relative to."""
    parts = Path(pattern).parts
    wild = (i for i, part in enumerate(parts) if glob.has_magic(part))
    first = next(wild, len(parts) - 1)
    return Path(*parts[:first])


def _below(path: Path, must: bool = True) -> list[tuple[Path, str]]:
    if not path.is_dir():
        return [(path, printable(path.name))]
    try:
        files = [(path / name, printable(name)) for name in pictures_below(path)]
    except OSError as error:
        raise DataError(f"images={path} can't be read: {error.strerror}.") from error
    if must and not files:
        raise DataError(
            f"images={path} holds no picture files.",
            f"pictures are {', '.join(SUFFIXES)}",
        )
    return files


def _split(
    images: np.ndarray, names: list[str], spec: DataSpec, mask: np.ndarray | None = None
) -> Split:
    """Return a split, of pixels 0 and 255 where those of the model are 0 or 1."""
    if spec.binary:
        images = np.where(to_float(images) > 0.5, 255, 0).astype(np.uint8)
    if images.dtype == np.uint8 and spec.pixels.dequantized:
        images = spec.pixels.to_model(images)
    return Split(images, mask=mask, names=np.array(names), pixels=spec.pixels)


def _pictures(
    paths: list[Path], fitting: Fitting, changes: Counter[str]
) -> tuple[np.ndarray, np.ndarray | None]:
    """Return pictures [N, H, W, C], and [N, H, W, 1]: 0 where they are missing."""
    read, bad = [], {}
    for path in paths:
        try:
            read.append(_picture(path, fitting, changes))
        except UNREADABLE_PICTURE as error:
            bad[path] = reason(error)
    if bad:
        listed = [
            f"images={printable(path)} can't be read as a picture: {why}"
            for path, why in bad.items()
        ]
        more = [f"and {len(listed) - SHOWN} more"] if len(listed) > SHOWN else []
        raise DataError(
            *listed[:SHOWN],
            *more,
            f"mend it or take it away; what is read: {formats()}",
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
    said = look(data)
    opaque = np.full((*size, 1), 255, np.uint8)
    if said.size != size:
        verb = {"crop": "cropped", "pad": "padded", "stretch": "stretched"}
        changes[
            f"{verb[fitting.resize]} and scaled to {size[1]} x {size[0]} pixels"
        ] += 1
    if channels in (1, 3) and said.channels in (1, 3) and said.channels != channels:
        changes["grey made colour" if channels == 3 else "colour made grey"] += 1
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

    8-bit pictures fill the range of data that aren't integers of 8 bits.
    """
    if spec.pixels.eight_bit:
        if dtype == "uint16":
            return np.rint(pixels / 257).astype(np.uint8)
        if dtype == "uint8":
            return pixels
        return _values(pixels[None], spec, "the picture")[0]
    if dtype == "uint8" and spec.pixels.dtype != "uint8" and spec.pixels.bounded:
        return to_float(pixels)
    return _values(pixels[None], spec, "the picture")[0]


def _fitted(
    array: np.ndarray, fitting: Fitting, name: str, changes: Counter[str]
) -> np.ndarray:
    """Return an array as images [N, H, W, C] of the model's size and range."""
    spec = fitting.spec
    if array.shape in (spec.image_shape, spec.image_shape[:2]):
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
    outside = pixels.outside(images)
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
            "rescale them",
        )
    return np.minimum(images, 1).astype(np.float32)


def _array(given: Any) -> np.ndarray:
    try:
        return np.asarray(given)
    except ValueError as error:
        raise DataError(f"the images are no array: {error}.") from error


def _loaded(path: Path) -> np.ndarray:
    """Return the array of an .npy or .npz file."""
    try:
        check_regular(path, "images")
        loaded = np.load(path, allow_pickle=False)
        if isinstance(loaded, np.lib.npyio.NpzFile):
            with loaded as file:
                if "images" not in file.files and len(file.files) != 1:
                    raise DataError(
                        f"images={path} holds the arrays {', '.join(file.files)}.",
                        "name the one of the images `images`",
                    )
                loaded = file["images" if "images" in file.files else file.files[0]]
    except UNREADABLE as error:
        raise DataError(
            f"images={path} can't be read as an array.",
            "write one with numpy.save(path, images), numbers only",
        ) from error
    array: np.ndarray = loaded
    return array
