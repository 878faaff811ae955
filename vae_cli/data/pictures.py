"""Images of one's own: picture files and arrays, as a model takes them."""

from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError

from vae_cli.data.splits import Split
from vae_cli.data_spec import DataSpec
from vae_cli.errors import DataError

OPAQUE = 128
"""Alpha below which a pixel is missing."""

ARRAYS = (".npy", ".npz")


def read_pictures(path: Path, spec: DataSpec) -> tuple[Split, list[str]]:
    """Read a picture, a folder of pictures or an array.

    Args:
        path: a file, or a folder whose files are read in order of their names.
        spec: of the images that the model knows. Grey and colour are converted into
            each other; sizes are not. Where pixels are 0 or 1, those above one half
            become 1.

    Returns:
        a split, whose `scored` is 0 at transparent pixels where there are any, and a
        name for each image.

    Raises:
        DataError: a file is missing, no picture, or of another size.
    """
    if path.suffix.lower() in ARRAYS:
        images = _array(path, spec)
        masks = None
        names = [f"{path.name}[{index}]" for index in range(len(images))]
    else:
        files = _files(path)
        found = [_picture(file, spec) for file in files]
        images = np.stack([image for image, _ in found])
        seen = np.stack([mask for _, mask in found])
        masks = None if (seen == 255).all() else seen
        names = [file.name for file in files]
    if spec.binary:
        images = np.where(images > 127, 255, 0).astype(np.uint8)
    return Split(images, scored=masks), names


def _files(path: Path) -> list[Path]:
    if path.is_dir():
        known = Image.registered_extensions()
        files = sorted(f for f in path.iterdir() if f.suffix.lower() in known)
        if files:
            return files
        raise DataError(f"images={path} holds no picture files.")
    if path.is_file():
        return [path]
    raise DataError(
        f"images={path} does not exist.",
        "give a picture, a folder of pictures, or an .npy or .npz array",
    )


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
        with Image.open(path) as picture:
            rgba = picture.convert("RGBA")
            pixels = np.asarray(picture.convert(mode))
    except (UnidentifiedImageError, OSError, ValueError) as error:
        raise DataError(f"images={path} can't be read as a picture: {error}") from error
    if pixels.shape[:2] != (height, width):
        raise DataError(
            f"images={path} has {pixels.shape[1]} x {pixels.shape[0]} pixels, this "
            f"model's images {width} x {height}.",
            "resize it first: a model knows images of one size",
        )
    alpha = np.asarray(rgba)[..., 3:]
    seen = np.where(alpha < OPAQUE, 0, 255).astype(np.uint8)
    return pixels.reshape(height, width, channels), seen


def _array(path: Path, spec: DataSpec) -> np.ndarray:
    """Return uint8 [N, H, W, C] from an array of bytes, or of numbers in [0, 1]."""
    try:
        loaded = np.load(path, allow_pickle=False)
        if isinstance(loaded, np.lib.npyio.NpzFile):
            with loaded as file:
                name = "images" if "images" in file.files else file.files[0]
                loaded = file[name]
    except (OSError, ValueError, EOFError, IndexError) as error:
        raise DataError(f"images={path} can't be read as an array.") from error
    if loaded.ndim == 3:
        loaded = loaded[..., None]
    if loaded.ndim != 4 or loaded.shape[1:] != spec.image_shape or not len(loaded):
        raise DataError(
            f"images={path} holds an array {list(loaded.shape)}; needed: "
            f"[N, {', '.join(str(n) for n in spec.image_shape)}]"
        )
    if loaded.dtype == np.uint8:
        return loaded
    is_float = np.issubdtype(loaded.dtype, np.floating)
    if not (is_float and _within(loaded)):
        found = f" from {loaded.min()} to {loaded.max()}" if is_float else ""
        raise DataError(
            f"images={path} holds {loaded.dtype}{found}; needed: bytes, or numbers in "
            "[0, 1]"
        )
    return np.rint(loaded * 255).astype(np.uint8)


def _within(array: np.ndarray) -> bool:
    # false for NaN, too
    return bool(((array >= 0) & (array <= 1)).all())
