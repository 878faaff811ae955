"""Rows of a memory map: a split that is too large to be held."""

import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from vae_cli.data.npy_header import checked_header
from vae_cli.errors import DataError

AT_A_TIME = 4096
"""Images read at once where all are gone through."""


class Rows:
    """Some images of an array on disk; reading any gives a NumPy array.

    Args:
        source: uint8 [M, H, W, C], a memory map.
        index: int64 [N], which of its images, in which order.
    """

    dtype = np.dtype(np.uint8)

    def __init__(self, source: np.ndarray, index: np.ndarray | None = None) -> None:
        self._source = source
        self._index = np.arange(len(source)) if index is None else index

    @property
    def shape(self) -> tuple[int, ...]:
        """Return (N, H, W, C)."""
        return (len(self._index), *self._source.shape[1:])

    def __len__(self) -> int:
        return len(self._index)

    def __getitem__(self, at: Any) -> np.ndarray:
        return np.asarray(self._source[self._index[at]])

    def take(self, at: Any) -> "Rows":
        """Return fewer of them, still on disk."""
        return Rows(self._source, self._index[at])


def is_mapped(array: Any) -> bool:
    """Return whether an array, or what it is a view of, is a memory map."""
    while array is not None and not isinstance(array, np.memmap):
        array = getattr(array, "base", None)
    return array is not None


def in_parts(images: Any) -> Iterator[np.ndarray]:
    """Go through images, in memory or not, some thousands at a time."""
    for start in range(0, len(images), AT_A_TIME):
        yield images[start : start + AT_A_TIME]


def mapped_member(path: Path, member: str, most: float) -> np.ndarray | None:
    """Return a large array of an .npz as a memory map; None where it is not large.

    Args:
        path: the .npz.
        member: name of the array's file in it.
        most: bytes that are not large yet.

    Raises:
        DataError: it is compressed, so that it can't be read in parts.
        OSError, ValueError, zipfile.BadZipFile: it is damaged.
    """
    with zipfile.ZipFile(path) as archive:
        info = archive.getinfo(member)
        if info.file_size <= most:
            return None
        if info.compress_type != zipfile.ZIP_STORED:
            raise DataError(
                f"{member.removesuffix('.npy')} of dataset.path={path} takes "
                f"{info.file_size / 2**20:,.0f} MB, more than dataset.memory_mb="
                f"{most / 2**20:.0f}, and is compressed, so that it can't be streamed.",
                "write it with numpy.savez (not savez_compressed), or raise "
                "dataset.memory_mb",
            )
        with archive.open(info) as file:
            version = np.lib.format.read_magic(file)
            read = np.lib.format.read_array_header_1_0
            if version != (1, 0):
                read = np.lib.format.read_array_header_2_0
            shape, fortran, dtype = read(file)
            header = file.tell()
    with path.open("rb") as file:
        # a local header's lengths may differ from those of the directory
        file.seek(info.header_offset + 26)
        lengths = np.frombuffer(file.read(4), "<u2").astype(int)
    begin = info.header_offset + 30 + int(lengths.sum()) + header
    if fortran:
        raise DataError(f"{member} of dataset.path={path} is in Fortran order.")
    checked_header(shape, dtype, path.stat().st_size, begin)
    return np.memmap(path, dtype, "r", begin, shape)
