"""Images of a split: one type, whether they lie in memory or on disk."""

import contextlib
import math
import mmap
import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NoReturn

import numpy as np

from vae_cli.errors import DataError
from vae_cli.pixels import Pixels

AT_A_TIME = 2**22
"""Values that are read at once where all images are gone through."""
ALIGNMENT = 64
"""Bytes; what TensorFlow asks of memory that it shares with NumPy."""


class Images:
    """Images [N, H, W, C] in memory or in a memory-mapped file.

    `images[rows]` is a NumPy array, for both alike; nothing else of an array's is here.
    Code that would break on images on disk thus breaks on those in memory, too.

    Args:
        source: [M, H, W, C], an array or a memory map: uint8 from 0 to 255, or float32
            as the model gets it; of a memory map, values that `pixels` describes.
        index: int64 [N], which images of a memory map, in which order; all if None.
        pixels: what the values of a memory map are; 8-bit if None.
    """

    def __init__(
        self,
        source: np.ndarray,
        index: np.ndarray | None = None,
        pixels: Pixels | None = None,
    ) -> None:
        self.streamed = is_mapped(source)
        if not self.streamed:
            source, index = (source if index is None else source[index]), None
        elif index is None:
            index = np.arange(len(source))
        self._source = source
        self._index = index
        self._pixels = pixels if self.streamed else None
        self._file = _file_of(source) if self.streamed else None

    @property
    def shape(self) -> tuple[int, ...]:
        """Return (N, H, W, C)."""
        return (len(self), *self._source.shape[1:])

    @property
    def dtype(self) -> np.dtype:
        """Return the type of the values that are read: uint8 or float32."""
        eight_bit = self._pixels is None or self._pixels.eight_bit
        return self._source.dtype if eight_bit else np.dtype(np.float32)

    @property
    def megabytes(self) -> float:
        """Return what all of them take, in MiB."""
        return float(np.prod(self.shape)) * self.dtype.itemsize / 2**20

    @property
    def file(self) -> str | None:
        """Return the file that images are streamed from; None in memory."""
        return None if self._file is None else self._file[0]

    def __len__(self) -> int:
        return len(self._source if self._index is None else self._index)

    def __getitem__(self, rows: Any) -> np.ndarray:
        """Return some as an array: an integer, a slice or an integer array."""
        if self._index is None:
            return self._source[rows]
        self._check_file()
        values = np.asarray(self._source[self._index[rows]])
        return values if self._pixels is None else self._pixels.to_model(values)

    def _check_file(self) -> None:
        """Refuse to read what is no longer there, which would kill the process."""
        if self._file is None:
            return
        path, size = self._file
        with contextlib.suppress(FileNotFoundError):  # what is mapped stays
            if Path(path).stat().st_size < size:
                raise DataError(
                    f"{path} has become shorter while its images were read.",
                    "put it back as it was, then resume with: vae-train resume=<run>",
                )

    def take(self, rows: Any) -> "Images":
        """Return some, where they lie: a slice or an integer array."""
        if self._index is None:
            return Images(aligned(self._source[rows]))
        return Images(self._source, self._index[rows], self._pixels)

    def batches(self) -> Iterator[np.ndarray]:
        """Go through all of them, as many at a time as hold AT_A_TIME values."""
        return batches(self)

    def in_memory(self) -> "Images":
        """Return the same images in memory."""
        return Images(aligned(self[:])) if self.streamed else self

    def mapped(
        self, function: Callable[..., dict[str, np.ndarray]], why: str
    ) -> dict[str, "Images"]:
        """Return what a function makes of them, in memory or on disk as they are.

        Args:
            function: from images [n, H, W, C] and int64 [n], which images these are, to
                uint8 or float32 [n, ...] by name.
            why: the key to change where the disk has no room for the result.

        Raises:
            DataError: the disk has no room for the result of a streamed set.
        """
        made: dict[str, np.ndarray] = {}
        end = 0
        for batch in self.batches():
            begin, end = end, end + len(batch)
            for name, part in function(batch, np.arange(begin, end)).items():
                if name not in made:
                    shape = (len(self), *part.shape[1:])
                    made[name] = self._room(shape, part.dtype, why)
                made[name][begin:end] = part
        return {name: Images(array) for name, array in made.items()}

    def _room(self, shape: tuple[int, ...], dtype: np.dtype, why: str) -> np.ndarray:
        """Return memory, or a file that is gone with its last use."""
        size = math.prod(shape) * dtype.itemsize
        if not self.streamed:
            return empty_aligned(shape, dtype)
        with tempfile.TemporaryFile() as file:
            try:
                # a sparse file's memory map would kill the process on a full disk
                os.posix_fallocate(file.fileno(), 0, size)
            except OSError as error:
                raise DataError(
                    f"{why} of a streamed set is kept on disk: it takes "
                    f"{size / 2**20:,.0f} MiB, for which {tempfile.gettempdir()} has "
                    f"no room ({error.strerror}).",
                    "give it another place: TMPDIR=<folder> vae-train ...",
                ) from error
            return np.memmap(file, dtype, "r+", shape=shape)

    def __array__(self, *arguments: Any, **options: Any) -> NoReturn:
        raise TypeError("read images by rows: images[rows], or images[:] for all")

    def __eq__(self, other: object) -> bool:
        raise TypeError("compare pixels: images[rows] == ...")

    __hash__ = None  # type: ignore[assignment]


def batches(images: Any) -> Iterator[np.ndarray]:
    """Go through images, an array or `Images`, some at a time."""
    size = rows_at_a_time(images.shape)
    for start in range(0, len(images), size):
        yield images[start : start + size]


def rows_at_a_time(shape: Sequence[int]) -> int:
    """Return how many images hold at most AT_A_TIME values, and at least one."""
    return max(1, AT_A_TIME // math.prod(shape[1:]))


def _file_of(array: Any) -> tuple[str, int] | None:
    """Return the file that a memory map is of, and the bytes that it needs of it."""
    while array is not None and not isinstance(array.base, mmap.mmap):
        array = array.base
    name = getattr(array, "filename", None)
    return None if name is None else (str(name), array.offset + array.nbytes)


def is_mapped(array: Any) -> bool:
    """Return whether an array, or what it is a view of, is a memory map."""
    while array is not None and not isinstance(array, np.memmap):
        array = getattr(array, "base", None)
    return array is not None


def to_float(images: np.ndarray) -> np.ndarray:
    """Return pixels as models get them: uint8 as float32 in [0, 1]."""
    if images.dtype != np.uint8:
        return images
    return images.astype(np.float32) / 255


def to_levels(pixels: np.ndarray) -> np.ndarray:
    """Return pixels in [0, 1] as the nearest of the 256 levels of uint8."""
    return np.rint(pixels * 255).astype(np.uint8)


def aligned(images: np.ndarray) -> np.ndarray:
    """Return images in memory that TensorFlow can share, copied if need be."""
    if images.ctypes.data % ALIGNMENT == 0 and images.flags.c_contiguous:
        return images
    shared = empty_aligned(images.shape, images.dtype)
    shared[...] = images
    return shared


def empty_aligned(shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
    """Return uninitialised memory that TensorFlow can share."""
    size = math.prod(shape) * dtype.itemsize
    memory = np.empty(size + ALIGNMENT, np.uint8)
    start = -memory.ctypes.data % ALIGNMENT
    return memory[start : start + size].view(dtype).reshape(shape)
