"""Single images in files that hold the data's own values, not what is looked at."""

from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from vae_cli.data_spec import DataSpec
from vae_cli.errors import ConfigError
from vae_cli.runs.files import whole_file

PILLOW = ("uint8", "uint16", "int32", "float32")
"""Types of grey TIFFs that Pillow writes; of colour, uint8 alone."""


def check_format(images_format: str, spec: DataSpec) -> None:
    """Refuse files that can't be written for want of a package.

    Raises:
        ConfigError: such a TIFF needs tifffile, which is not installed.
    """
    shape, dtype = spec.image_shape, file_dtype(spec.pixels.dtype)
    if images_format != "tiff" or _by_pillow(dtype, shape[-1]):
        return
    if find_spec("tifffile") is None:
        raise ConfigError(
            f"images_format=tiff: files of {dtype} with {shape[-1]} channels are "
            "written by tifffile, which is not installed.",
            "pip install tifffile, or write arrays: save_npz=<file>",
        )


def file_dtype(dtype: str) -> str:
    """Return the type that a file has for data of a type: real numbers are float32."""
    return "float32" if np.dtype(dtype).kind == "f" else dtype


def write_tiff(image: np.ndarray, path: Path) -> None:
    """Write an image [H, W, C] as a TIFF of its own type.

    Real numbers are written as float32, which is what models give.
    """
    image = image.astype(file_dtype(image.dtype.name))
    channels = image.shape[-1]
    with whole_file(path) as file:
        if _by_pillow(image.dtype.name, channels):
            picture = Image.fromarray(image[..., 0] if channels == 1 else image)
            picture.save(file, format="TIFF")
            return
        import tifffile

        colour: dict[str, Any] = {"photometric": "minisblack"}
        if channels in (3, 4):
            colour = {"photometric": "rgb"}
        if channels == 4:
            colour["extrasamples"] = ["unassalpha"]
        pixels = image[..., 0] if channels == 1 else image
        if channels > 1:
            colour["planarconfig"] = "contig"
        tifffile.imwrite(file, pixels, **colour)


def write_deep_png(image: np.ndarray, path: Path) -> None:
    """Write an image, uint16 [H, W, 1], as a grey PNG of 16 bits."""
    with whole_file(path) as file:
        Image.fromarray(image[..., 0]).save(file, format="PNG")


def _by_pillow(dtype: str, channels: int) -> bool:
    if channels == 1:
        return dtype in PILLOW
    return dtype == "uint8" and channels in (3, 4)
