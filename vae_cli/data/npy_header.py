"""The header of an .npy file, checked against the file's size."""

import math
import tokenize
import zipfile
import zlib

import numpy as np

from vae_cli.errors import DataError

UNREADABLE = (
    OSError, ValueError, OverflowError, EOFError, RuntimeError, SyntaxError,
    tokenize.TokenError, zlib.error, zipfile.BadZipFile, MemoryError,
)  # fmt: skip
"""What NumPy and zipfile raise for files that are damaged or something else."""


def checked_header(
    shape: tuple[int, ...], dtype: np.dtype, file_size: int, begin: int
) -> None:
    """Make sure that an array of this header lies within its file.

    Args:
        shape: as the header gives it.
        dtype: likewise.
        file_size: bytes of the whole file.
        begin: byte at which the array begins.

    Raises:
        DataError: a size is negative, or the array would end behind the file.
    """
    if any(not isinstance(n, int) or isinstance(n, bool) or n < 0 for n in shape):
        problem = "its sizes must be whole numbers of at least 0"
    elif dtype.hasobject:
        problem = "it holds Python objects, which are never loaded"
    elif begin + math.prod(shape) * dtype.itemsize > file_size:
        needed = math.prod(shape) * dtype.itemsize
        problem = (
            f"it needs {needed:.6g} bytes, and {max(0, file_size - begin):,} are left "
            "in the file"
        )
    else:
        return
    sizes = ", ".join(f"{n:.6g}" if abs(n) > 1e15 else str(n) for n in shape)
    raise DataError(
        f"dataset.path holds an array whose header is damaged: shape [{sizes}] of "
        f"{dtype}; {problem}.",
        "write the file again with numpy.savez(path, x_train=images)",
    )
