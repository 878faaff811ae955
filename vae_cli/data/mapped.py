"""Arrays of .npy and .npz files as memory maps: what is too large to be held."""

import zipfile
from pathlib import Path
from typing import IO

import numpy as np

from vae_cli.data.array_names import Header
from vae_cli.data.npy_header import UNREADABLE, checked_header
from vae_cli.errors import DataError


def read_header(file: IO[bytes]) -> tuple[Header, bool]:
    """Return what the header of an .npy says, and whether it is in Fortran order.

    The file is left at the first value.

    Raises:
        OSError, ValueError, EOFError, SyntaxError: it is none, or damaged.
    """
    version = np.lib.format.read_magic(file)
    read = np.lib.format.read_array_header_1_0
    if version != (1, 0):
        read = np.lib.format.read_array_header_2_0
    shape, fortran, dtype = read(file)
    return Header(shape, dtype), bool(fortran)


def member_headers(path: Path) -> dict[str, Header]:
    """Return name -> header of the arrays of an .npz; members that are none left out.

    Raises:
        OSError, ValueError, zipfile.BadZipFile: the archive is damaged.
    """
    headers = {}
    with zipfile.ZipFile(path) as archive:
        for info in archive.infolist():
            try:
                with archive.open(info) as file:
                    header, _ = read_header(file)
            except UNREADABLE:
                continue
            headers[info.filename.removesuffix(".npy")] = header
    return headers


def mapped_member(path: Path, name: str, most: float) -> np.ndarray | None:
    """Return a large array of an .npz as a memory map; None where it is not large.

    Args:
        path: the .npz.
        name: of the array.
        most: bytes that are not large yet.

    Raises:
        DataError: it is compressed, so that it can't be read in parts.
        OSError, ValueError, zipfile.BadZipFile: it is damaged.
    """
    with zipfile.ZipFile(path) as archive:
        member = f"{name}.npy"
        info = archive.getinfo(member if member in archive.namelist() else name)
        if info.file_size <= most:
            return None
        if info.compress_type != zipfile.ZIP_STORED:
            raise DataError(
                f"{name} of dataset.path={path} takes "
                f"{info.file_size / 2**20:,.0f} MiB, more than dataset.memory_mb="
                f"{most / 2**20:.0f}, and is compressed, so that it can't be streamed.",
                "write it with numpy.savez (not savez_compressed), or raise "
                "dataset.memory_mb",
            )
        with archive.open(info) as file:
            header, fortran = read_header(file)
            begin = file.tell()
    with path.open("rb") as file:
        # a local header's lengths may differ from those of the directory
        file.seek(info.header_offset + 26)
        lengths = np.frombuffer(file.read(4), "<u2").astype(int)
    begin += info.header_offset + 30 + int(lengths.sum())
    return mapped(path, header, fortran, begin, f"{name} of dataset.path={path}")


def mapped(
    path: Path, header: Header, fortran: bool, begin: int, name: str
) -> np.ndarray:
    """Return an array that lies in a file as a memory map.

    Args:
        path: the file.
        header: of the array.
        fortran: whether its first axis changes fastest.
        begin: byte at which its values begin.
        name: for messages.

    Raises:
        DataError: its order can't be streamed, or the file is shorter.
    """
    if fortran:
        raise DataError(
            f"{name} is in Fortran order, in which an image doesn't lie in one piece, "
            "and is too large to be held.",
            "write it in C order: numpy.ascontiguousarray(images), or raise "
            "dataset.memory_mb",
        )
    checked_header(header.shape, header.dtype, path.stat().st_size, begin)
    return np.memmap(path, header.dtype, "r", begin, header.shape)
