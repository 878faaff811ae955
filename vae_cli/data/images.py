"""Images of a split: one type, whether they lie in memory or on disk."""

import contextlib
import mmap
import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NoReturn

import numpy as np

from vae_cli.errors import DataError

AT_A_TIME = 4096
"""Images read at once where all are gone through."""
ALIGNMENT = 64
"""Bytes; what TensorFlow asks of memory that it shares with NumPy."""


class Images:
    """Images [N, H, W, C] in memory or in a memory-mapped file.

    `images[rows]` is a NumPy array, for both alike; nothing else of an array's is here.
    Code that would break on images on disk thus breaks on those in memory, too.

    Args:
        source: uint8 [M, H, W, C], an array or a memory map.
        index: int64 [N], which images of a memory map, in which order; all if None.
    """

    def __init__(self, source: np.ndarray, index: np.ndarray | None = None) -> None:
        self.streamed = is_mapped(source)
        if not self.streamed:
            source, index = (source if index is None else source[index]), None
        elif index is None:
            index = np.arange(len(source))
        self._source = source
        self._index = index
        self._file = _file_of(source) if self.streamed else None

    @property
    def shape(self) -> tuple[int, ...]:
        """Return (N, H, W, C)."""
        return (len(self), *self._source.shape[1:])

    @property
    def dtype(self) -> np.dtype:
        """Return the type of a pixel's value."""
        return self._source.dtype

    @property
    def megabytes(self) -> float:
        """Return what all of them take, in MiB."""
        return float(np.prod(self.shape)) * self.dtype.itemsize / 2**20

    def __len__(self) -> int:
        return len(self._source if self._index is None else self._index)

    def __getitem__(self, rows: Any) -> np.ndarray:
        """Return some as an array: an integer, a slice or an integer array."""
        if self._index is None:
            return self._source[rows]
        self._check_file()
        return np.asarray(self._source[self._index[rows]])

    def _check_file(self) -> None:
        """Refuse to read what is no longer there, which would kill the process."""
        if self._file is None:
            return
        path, size = self._file
        with contextlib.suppress(FileNotFoundError):  # what is mapped stays
            if Path(path).stat().st_size < size:
                raise DataError(
                    f"{path} has become shorter while its images were read.",
                    "put it back as it was, then go on with: vae-train resume=<run>",
                )

    def take(self, rows: Any) -> "Images":
        """Return some, where they lie: a slice or an integer array."""
        if self._index is None:
            return Images(aligned(self._source[rows]))
        return Images(self._source, self._index[rows])

    def batches(self, size: int = AT_A_TIME) -> Iterator[np.ndarray]:
        """Go through all of them, `size` at a time."""
        for start in range(0, len(self), size):
            yield self[start : start + size]

    def in_memory(self) -> "Images":
        """Return the same images in memory."""
        return Images(aligned(self[:])) if self.streamed else self

    def mapped(
        self, function: Callable[..., dict[str, np.ndarray]], why: str
    ) -> dict[str, "Images"]:
        """Return what a function makes of them, in memory or on disk as they are.

        Args:
            function: from uint8 [n, H, W, C] and int64 [n], which images these are, to
                uint8 [n, ...] by name.
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
                    made[name] = self._room((len(self), *part.shape[1:]), why)
                made[name][begin:end] = part
        return {name: Images(array) for name, array in made.items()}

    def _room(self, shape: tuple[int, ...], why: str) -> np.ndarray:
        """Return uint8 memory, or a file that is gone with its last use."""
        size = int(np.prod(shape))
        if not self.streamed:
            return empty_aligned(shape)
        with tempfile.TemporaryFile() as file:
            try:
                # a sparse file's memory map would kill the process on a full disk
                os.posix_fallocate(file.fileno(), 0, size)
            except OSError as error:
                raise DataError(
                    f"{why} of a streamed set is kept on disk: it takes "
                    f"{size / 2**20:,.0f} MB, for which {tempfile.gettempdir()} has no "
                    f"room ({error.strerror}).",
                    "give it another place: TMPDIR=<folder> vae-train ...",
                ) from error
            return np.memmap(file, np.uint8, "r+", shape=shape)

    def __array__(self, *arguments: Any, **options: Any) -> NoReturn:
        raise TypeError("read images by rows: images[rows], or images[:] for all")

    def __eq__(self, other: object) -> bool:
        raise TypeError("compare pixels: images[rows] == ...")

    __hash__ = None  # type: ignore[assignment]


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
    """Return uint8 pixels as float32 in [0, 1], the range that models work in."""
    return images.astype(np.float32) / 255


def to_levels(pixels: np.ndarray) -> np.ndarray:
    """Return pixels in [0, 1] as the nearest of the 256 levels of uint8."""
    return np.rint(pixels * 255).astype(np.uint8)


def aligned(images: np.ndarray) -> np.ndarray:
    """Return uint8 images in memory that TensorFlow can share, copied if need be."""
    if images.ctypes.data % ALIGNMENT == 0 and images.flags.c_contiguous:
        return images
    shared = empty_aligned(images.shape)
    shared[...] = images
    return shared


def empty_aligned(shape: tuple[int, ...]) -> np.ndarray:
    """Return uninitialised uint8 memory that TensorFlow can share."""
    size = int(np.prod(shape))
    memory = np.empty(size + ALIGNMENT, np.uint8)
    start = -memory.ctypes.data % ALIGNMENT
    return memory[start : start + size].reshape(shape)
