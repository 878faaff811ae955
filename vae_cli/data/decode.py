"""One picture file, as an array of a data set's size, channels and type.

Imports neither TensorFlow nor configs: processes that decode start with it.
"""

import io
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageColor, ImageOps, UnidentifiedImageError

from vae_cli.data.regular import special_kind
from vae_cli.data.scientific_tiff import MAX_PICTURE, scientific_tiff
from vae_cli.errors import DataError

FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "GIF", "TIFF")
"""What Pillow may read, whatever a file's name says: others start programs (EPS)."""
SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif", ".tif", ".tiff")
UNREADABLE_PICTURE = (
    UnidentifiedImageError, Image.DecompressionBombError, OSError, ValueError,
    SyntaxError, DataError, EOFError, TypeError, KeyError, IndexError, OverflowError,
    MemoryError, NotImplementedError,
)  # fmt: skip
"""What Pillow and tifffile raise for files that are damaged or something else."""
GREY = ("1", "L", "LA", "La", "I;16", "I;16B", "I;16L", "I", "F")
KEEP = "keep"
ORIENTATION = 0x0112
"""Tag of EXIF data."""
SIDEWAYS = 5
"""Orientations from here on swap width and height."""
EXIF_IN_PNG = ("exif", "Raw profile type exif", "XML:com.adobe.xmp", "xmp")
"""Where Pillow finds an orientation in what it read of a PNG."""

warnings.filterwarnings("ignore", "Palette images with Transparency", UserWarning)


@dataclass(frozen=True)
class Header:
    """What a file's header says.

    Attributes:
        size: (height, width) in pixels, after the EXIF rotation.
        dtype: uint8, uint16, int32 or float32.
        channels: 1 or 3, or as many as a scientific TIFF has; alpha is not counted.
        alpha: whether pixels may be transparent.
        cut: whether 16 bits of colour are read as 8: Pillow does so with PNG.
        sha256: of the file.
        mode: what Pillow calls its channels, such as RGBA; empty where it reads none.
        format: such as PNG.
        turned: whether its EXIF orientation rotates or mirrors it.
    """

    size: tuple[int, int]
    dtype: str
    channels: int
    alpha: bool
    cut: bool = False
    sha256: str = ""
    mode: str = ""
    format: str = "TIFF"
    turned: bool = False


@dataclass(frozen=True)
class Preparation:
    """The form that pictures are converted to.

    Attributes:
        size: (height, width).
        channels: 1, 3, or 4 with alpha; others as the files have them.
        dtype: of the values.
        resize: crop, pad or stretch.
        background: a colour, or `keep`.
    """

    size: tuple[int, int]
    channels: int
    dtype: str = "uint8"
    resize: str = "crop"
    background: str = "white"


def read_file(path: Path) -> bytes:
    """Return a regular file's bytes.

    Raises:
        OSError: it can't be read.
        ValueError: it is empty, or a pipe or another special file.
    """
    kind = special_kind(path)
    if kind:
        raise ValueError(f"it is {kind}")
    data = path.read_bytes()
    if not data:
        raise ValueError("the file is empty")
    return data


def read_header(data: bytes) -> Header:
    """Return what a picture's header says, without decoding it.

    Raises:
        UNREADABLE_PICTURE: it is no picture, or has more than MAX_PICTURE pixels.
    """
    array = scientific_tiff(data)
    if array is not None:
        height, width, channels = array.shape
        return Header((height, width), array.dtype.name, channels, False)
    with _opened(data) as picture:
        height, width = picture.size[::-1]
        orientation = _orientation(picture)
        if orientation >= SIDEWAYS:
            height, width = width, height
        dtype = _dtype(picture)
        return Header(
            (height, width),
            dtype,
            1 if picture.mode in GREY else 3,
            alpha="A" in picture.mode or "transparency" in picture.info,
            # the header's ninth byte is the bits of a sample
            cut=picture.format == "PNG" and dtype == "uint8" and data[24] == 16,
            mode=picture.mode,
            format=str(picture.format),
            turned=orientation != 1,
        )


def decode(data: bytes, preparation: Preparation) -> np.ndarray:
    """Return a picture [H, W, C] of a preparation's size, channels and type.

    Raises:
        UNREADABLE_PICTURE: it is no picture, is cut off, or can't be converted.
    """
    array = scientific_tiff(data)
    if array is not None:
        return _typed(_deep(array, preparation), preparation.dtype)
    with _opened(data) as picture:
        if _dtype(picture) == "uint8":
            pixels = _eight_bit(picture, preparation)
        else:
            pixels = _deep(np.asarray(_turned(picture))[..., None], preparation)
    return _typed(pixels, preparation.dtype)


def prepared(array: np.ndarray, preparation: Preparation) -> np.ndarray:
    """Return an image [H, W, C] of any type, brought to size and channels.

    Raises:
        ValueError: its channels can't be converted.
    """
    if array.dtype == np.uint8 and array.shape[2] in (1, 3, 4):
        mode = array[..., 0] if array.shape[2] == 1 else array
        pixels = _eight_bit(Image.fromarray(mode), preparation)
    else:
        pixels = _deep(array, preparation)
    return _typed(pixels, array.dtype.name)


def _opened(data: bytes) -> Image.Image:
    picture = Image.open(io.BytesIO(data), formats=FORMATS)
    if picture.size[0] * picture.size[1] > MAX_PICTURE:
        raise Image.DecompressionBombError
    return picture


def _dtype(picture: Image.Image) -> str:
    if picture.mode.startswith("I;16"):
        return "uint16"
    return {"I": "int32", "F": "float32"}.get(picture.mode, "uint8")


def _orientation(picture: Image.Image) -> int:
    """Return the EXIF orientation, 1 to 8."""
    # Pillow would decode a whole PNG to look for EXIF data behind the pixels
    if picture.format == "PNG" and not picture.info.keys() & EXIF_IN_PNG:
        return 1
    return int(picture.getexif().get(ORIENTATION, 1))


def _turned(picture: Image.Image) -> Image.Image:
    """Return a picture rotated as its EXIF orientation says."""
    if _orientation(picture) == 1:
        return picture
    return ImageOps.exif_transpose(picture)


def _eight_bit(picture: Image.Image, to: Preparation) -> np.ndarray:
    """Return an 8-bit picture as uint8 [H, W, C]."""
    # JPEG decodes to a half, a quarter or an eighth in less time
    wanted = (2 * to.size[1], 2 * to.size[0])
    if _orientation(picture) >= SIDEWAYS:
        wanted = wanted[::-1]
    if to.channels in (1, 3) and picture.format == "JPEG":
        picture.draft("L" if to.channels == 1 else "RGB", wanted)
    picture = _turned(picture)
    keeps = to.channels == 4
    if keeps:
        picture = picture.convert("RGBA")
    elif "A" in picture.mode or "transparency" in picture.info:
        picture = picture.convert("RGBA")
        colour = "white" if to.background == KEEP else to.background
        ground = Image.new("RGBA", picture.size, colour)
        picture = Image.alpha_composite(ground, picture)
    if not keeps:
        mode = {1: "L", 3: "RGB"}.get(to.channels)
        if mode is None:
            raise ValueError(f"it can't be converted to {to.channels} channels")
        picture = picture.convert(mode)
    fill: Any = (0, 0, 0, 0)
    if not keeps:
        fill = ImageColor.getcolor(
            "white" if to.background == KEEP else to.background, picture.mode
        )
    picture = _resized(picture, to, fill)
    return np.asarray(picture).reshape(*to.size, to.channels)


def _deep(array: np.ndarray, to: Preparation) -> np.ndarray:
    """Return an array [H, W, C] of size and channels; as floats where it changed."""
    channels = array.shape[2]
    if channels != to.channels:
        if to.channels == 3 and channels == 1:
            array = np.repeat(array, 3, axis=2)
        elif to.channels == 1 and channels == 3:
            # the weights of ITU-R 601-2, as Pillow's
            array = array.astype(np.float64) @ np.array([[0.299], [0.587], [0.114]])
        else:
            raise ValueError(
                f"its {channels} channels can't be converted to {to.channels}"
            )
    if array.shape[:2] == to.size:
        return array
    planes = [
        np.asarray(_resized(Image.fromarray(plane.astype(np.float32)), to, 0))
        for plane in np.moveaxis(array, 2, 0)
    ]
    return np.stack(planes, axis=2)


def _resized(picture: Image.Image, to: Preparation, fill: Any) -> Image.Image:
    height, width = to.size
    if picture.size == (width, height):
        return picture
    filter_ = Image.Resampling.LANCZOS
    if to.resize == "stretch":
        return picture.resize((width, height), filter_)
    if to.resize == "pad":
        return ImageOps.pad(picture, (width, height), filter_, fill)
    return ImageOps.fit(picture, (width, height), filter_)


def _typed(pixels: np.ndarray, dtype: str) -> np.ndarray:
    """Return values of a type, rounded to integers and within their range."""
    to = np.dtype(dtype)
    if pixels.dtype == to:
        return pixels
    if to.kind == "b":  # resized: what is at least half white
        return pixels >= 0.5
    if to.kind in "iu":
        info = np.iinfo(to)
        pixels = np.clip(np.rint(pixels), info.min, info.max)
    return pixels.astype(to)


def or_reason(function: Callable[..., Any], *arguments: Any) -> Any:
    """Return what a function returns, or in words why the picture can't be read."""
    try:
        return function(*arguments)
    except UNREADABLE_PICTURE as error:
        return reason(error)


def reason(error: BaseException) -> str:
    """Return why a file can't be read, in a few words."""
    text = str(error).splitlines()[0] if str(error) else type(error).__name__
    if isinstance(error, Image.DecompressionBombError):
        return f"it has more than {MAX_PICTURE:,} pixels"
    if isinstance(error, UnidentifiedImageError):
        return "it is no picture of a supported format"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return text.rstrip(".")


def formats() -> str:
    """Return the formats that are read, for messages."""
    return ", ".join(FORMATS)
