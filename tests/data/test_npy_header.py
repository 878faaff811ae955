"""Headers of arrays that would be mapped: held against their file."""

import zipfile

import numpy as np
import pytest

from tests.helpers import load_arrays, npz_config
from vae_cli.data.npy_header import checked_header
from vae_cli.data.prepare import load_data
from vae_cli.errors import DataError

BYTE = np.dtype(np.uint8)


def test_array_that_ends_with_its_file_passes():
    checked_header((2, 3, 4), np.dtype(np.float32), 100 + 96, 100)


@pytest.mark.parametrize(
    ("shape", "dtype", "message"),
    [
        ((2, 3, 5), BYTE, "needs 30 bytes"),
        ((-1, 3, 4), BYTE, "at least 0"),
        ((-2, -3, 4), BYTE, "at least 0"),
        ((10**30, 1, 1), BYTE, "needs 1e+30 bytes"),
        ((2, 3, 4.0), BYTE, "whole numbers"),
        ((3,), np.dtype(object), "Python objects"),
    ],
)
def test_what_does_not_lie_in_its_file_is_refused(shape, dtype, message):
    with pytest.raises(DataError) as refused:
        checked_header(shape, dtype, 124, 100)
    assert message in str(refused.value)


@pytest.mark.parametrize("size", ["-1", "9" * 30, "20"])
@pytest.mark.parametrize("memory_mb", [1, 4096])
def test_file_with_an_absurd_header_is_refused(tmp_path, size, memory_mb):
    header = f"{{'descr': '|u1', 'fortran_order': False, 'shape': ({size}, 1024, 512)}}"
    header = header.ljust(118 - 1) + "\n"
    path = tmp_path / "images.npz"
    with zipfile.ZipFile(path, "w") as archive:
        content = b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little")
        archive.writestr(
            "x_train.npy", content + header.encode() + bytes(3 * 1024 * 512)
        )
    with pytest.raises(DataError):
        load_data(npz_config(path, memory_mb=memory_mb))


def test_intact_file_is_mapped(tmp_path):
    images = np.full((3, 1024, 512), 7, np.uint8)
    assert load_arrays(
        tmp_path, {"x_train": images}, memory_mb=1, validation_size=0
    ).streamed
