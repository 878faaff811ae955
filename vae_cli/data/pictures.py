"""Images of one's own: picture files and arrays, as a model takes them."""

from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, UnidentifiedImageError

from vae_cli.data.checks import checked
from vae_cli.data.regular import check_regular
from vae_cli.data.sources import UNREADABLE
from vae_cli.data.splits import Arrays, Split
from vae_cli.data_spec import DataSpec
from vae_cli.errors import DataError
from vae_cli.paths import is_there
from vae_cli.text import printable

OPAQUE = 128
"""Alpha below which a pixel is missing."""

ARRAYS = (".npy", ".npz")
FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "GIF", "TIFF")
"""What Pillow may read, whatever a file's name says: others start programs (EPS)."""
SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif", ".tif", ".tiff")
UNREADABLE_PICTURE = (
    UnidentifiedImageError, Image.DecompressionBombError, OSError, ValueError,
    SyntaxError,  # of a PNG's
)  # fmt: skip


def read_pictures(path: Path, spec: DataSpec) -> tuple[Split, list[str]]:
    """Read a picture, a folder of pictures or an array.

    Args:
        path: a file, or a folder whose files are read in order of their names.
        spec: of the model's images. Grey and colour are converted into
            each other; sizes are not. Where pixels are 0 or 1, those above one half
            become 1.

    Returns:
        a split, whose `mask` is 0 at transparent pixels where there are any, and a
        name for each image, safe to print.

    Raises:
        DataError: a file is missing, no picture, no regular file, or of another size.
    """
    if not is_there(path):
        raise DataError(
            f"images={path} does not exist.",
            "give a picture, a folder of pictures, or an .npy or .npz array",
        )
    if path.suffix.lower() in ARRAYS:
        images = _array(path, spec)
        masks = None
        names = [f"{printable(path.name)}[{index}]" for index in range(len(images))]
    else:
        files = _files(path)
        pictures = [_picture(file, spec) for file in files]
        images = np.stack([image for image, _ in pictures])
        opaque = np.stack([mask for _, mask in pictures])
        masks = None if (opaque == 255).all() else opaque
        names = [printable(file.name) for file in files]
    return Split(_levels(images, spec), mask=masks), names


def named_split(images: Any, spec: DataSpec) -> tuple[Split, list[str]]:
    """Return images of a Python caller as a split, and a name for each.

    Args:
        images: uint8 or float [N, H, W, C], [N, H, W] or one picture [H, W, C]; or a
            path as `read_pictures` takes it.
        spec: of the model's images.

    Raises:
        DataError: they are of another shape or range.
    """
    if isinstance(images, (str, Path)):
        return read_pictures(Path(images), spec)
    try:
        array = np.asarray(images)
    except ValueError as error:
        raise DataError(f"the images are no array: {error}.") from error
    if array.shape in (spec.image_shape, spec.image_shape[:2]):
        array = array[None]
    split = Split(_levels(_checked(array, "the array", spec), spec))
    return split, [f"array[{index}]" for index in range(len(split))]


def source_name(images: Any) -> str:
    """Return what messages and reports call images of a caller: a path, or `array`."""
    return str(images) if isinstance(images, (str, Path)) else "array"


def _levels(images: np.ndarray, spec: DataSpec) -> np.ndarray:
    """Return images whose pixels are 0 or 255 where those of the model are."""
    if not spec.binary:
        return images
    return np.where(images > 127, 255, 0).astype(np.uint8)


def own_name(images: str) -> str:
    """Return what results about one's own images are called: no split's name."""
    return f"images-{printable(Path(images).resolve().stem)}"


def _files(path: Path) -> list[Path]:
    if path.is_dir():
        files = sorted(f for f in path.iterdir() if f.suffix.lower() in SUFFIXES)
        if files:
            return files
        raise DataError(
            f"images={path} holds no picture files.",
            f"pictures are {', '.join(SUFFIXES)}",
        )
    return [path]


def _picture(path: Path, spec: DataSpec) -> tuple[np.ndarray, np.ndarray]:
    """Return uint8 [H, W, C], and [H, W, 1]: 255 where it is opaque, 0 elsewhere."""
    height, width, channels = spec.image_shape
    mode = {1: "L", 3: "RGB"}.get(channels)
    if mode is None:
        raise DataError(
            f"images={path}: pictures have 1 or 3 channels, this model's images "
            f"{channels}.",
            "give an array: images=<file>.npy",
        )
    try:
        check_regular(path, "images")
        with Image.open(path, formats=FORMATS) as opened:
            if opened.size != (width, height):
                raise DataError(
                    f"images={path} has {opened.size[0]} x {opened.size[1]} pixels, "
                    f"this model's images {width} x {height}.",
                    "resize it first: a model takes images of one size",
                )
            picture = _eight_bits(opened)
            if picture.mode == "P" and "transparency" in picture.info:
                # a palette with opacities keeps them in no mode but this one
                picture = picture.convert("RGBA")
            rgba = picture.convert("RGBA")
            pixels = np.asarray(picture.convert(mode))
    except UNREADABLE_PICTURE as error:
        raise DataError(
            f"images={path} can't be read as a picture: {error}",
            f"mend it or take it away; what is read: {', '.join(FORMATS)}",
        ) from error
    alpha = np.asarray(rgba)[..., 3:]
    opaque = np.where(alpha < OPAQUE, 0, 255).astype(np.uint8)
    return pixels.reshape(height, width, channels), opaque


def _eight_bits(picture: Image.Image) -> Image.Image:
    """Return a picture whose pixels are bytes; Pillow would cut off what is above."""
    if not picture.mode.startswith(("I", "F")):
        return picture
    pixels = np.asarray(picture)
    if picture.mode == "F" or pixels.min() < 0 or pixels.max() > 65535:
        raise ValueError(f"its pixels are neither of 8 nor of 16 bits ({picture.mode})")
    return Image.fromarray(np.rint(pixels / 257).astype(np.uint8))


def _array(path: Path, spec: DataSpec) -> np.ndarray:
    """Return uint8 [N, H, W, C] from an array as `dataset=npz` takes them."""
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
    return _checked(loaded, f"images={path}", spec)


def _checked(array: np.ndarray, name: str, spec: DataSpec) -> np.ndarray:
    """Return an array as uint8 [N, H, W, C], with the model's range of pixels."""
    images = checked(Arrays(array), name, "labels").images[:]
    if images.shape[1:] != spec.image_shape:
        height, width, channels = spec.image_shape
        advice = "resize them first: a model takes images of one size"
        if images.shape[1:] == (channels, height, width):
            advice = (
                "its channels come first; put them last: "
                "numpy.save(path, numpy.moveaxis(images, 1, -1))"
            )
        raise DataError(
            f"{name} has the shape {list(images.shape)}; this model's images are "
            f"{list(spec.image_shape)}.",
            advice,
        )
    return images
