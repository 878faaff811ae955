"""Arrays of an .npz file as memory maps: what is too large to be held."""

import zipfile
from pathlib import Path

import numpy as np

from vae_cli.data.npy_header import checked_header
from vae_cli.errors import DataError


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
        raise DataError(f"{name} of dataset.path={path} is in Fortran order.")
    checked_header(shape, dtype, path.stat().st_size, begin)
    return np.memmap(path, dtype, "r", begin, shape)
