"""TIFF files that Pillow reads in part: several channels of more than 8 bits."""

import io
import math
import struct

import numpy as np
from PIL import Image, UnidentifiedImageError

MAX_PICTURE = 2**27
"""Pixels of a picture; a file of a few kilobytes may claim more than memory holds."""
BITS = 258
"""Tag of the bits of each channel."""


def scientific_tiff(data: bytes) -> np.ndarray | None:
    """Return a TIFF of several channels of more than 8 bits as [H, W, C].

    None for any other file. Of such a TIFF Pillow would silently read one channel, or 8
    bits.
    """
    if data[:4] not in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+") or _is_common(data):
        return None
    try:
        import tifffile
    except ImportError as error:
        raise ValueError(
            "a TIFF of several channels of more than 8 bits needs tifffile: "
            "pip install tifffile"
        ) from error
    try:
        with tifffile.TiffFile(io.BytesIO(data)) as file:
            series = file.series[0]
            axes, shape = series.axes, series.shape
            if math.prod(shape) > 16 * MAX_PICTURE:
                raise Image.DecompressionBombError
            array = series.asarray()
    except (tifffile.TiffFileError, struct.error) as error:
        raise ValueError(f"it is a damaged TIFF: {error}") from error
    if not {"Y", "X"} <= set(axes) or array.dtype.kind not in "iuf":
        raise ValueError(f"it holds no image, but {array.dtype} {list(shape)}")
    # height and width, then all others together: channels, planes, pages
    order = [axes.index("Y"), axes.index("X")]
    order += [i for i in range(array.ndim) if i not in order]
    array = array.transpose(order).reshape(shape[order[0]], shape[order[1]], -1)
    return np.ascontiguousarray(array).astype(array.dtype.newbyteorder("="))


def _is_common(data: bytes) -> bool:
    """Return whether a TIFF is one that Pillow reads whole: 8 bits, or one channel."""
    try:
        with Image.open(io.BytesIO(data), formats=["TIFF"]) as picture:
            tags = getattr(picture, "tag_v2", {})
            bits = tags.get(BITS, (1,))
            pages = getattr(picture, "n_frames", 1)
            return max(bits) <= 8 or (len(bits) == 1 and pages == 1)
    except UnidentifiedImageError:
        return False
