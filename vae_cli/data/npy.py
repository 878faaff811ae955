"""`dataset=npy`: one array in a file of its own, and labels in another."""

import csv
from pathlib import Path

import numpy as np

from vae_cli.config.dataset_formats import NpyConfig
from vae_cli.data.arrays import ready
from vae_cli.data.checks import check_kind
from vae_cli.data.mapped import mapped, read_header
from vae_cli.data.npy_header import UNREADABLE, checked_header
from vae_cli.data.regular import check_regular
from vae_cli.data.splits import Arrays, Sources
from vae_cli.errors import DataError, first_line
from vae_cli.paths import is_there
from vae_cli.registry import builds

IMAGES = "the array"
"""What messages call it."""


@builds(NpyConfig)
def npy(config: NpyConfig) -> Sources:
    """Images of an .npy file, mapped where they are larger than `memory_mb`.

    Raises:
        DataError: a file is missing or of another kind; the array can't be images.
    """
    path = Path(config.path)
    most = config.memory_mb * 2**20
    images = _read(path, "dataset.path", most)
    labels = None if config.labels is None else _labels(config)
    if labels is not None and len(labels) != len(images):
        raise DataError(
            f"dataset.labels={config.labels} has {len(labels)} labels for "
            f"{len(images)} images in {path}."
        )
    return Sources(Arrays(ready(images, config, IMAGES, ""), labels))


def _read(path: Path, key: str, most: float) -> np.ndarray:
    """Return the array of an .npy file, as a memory map where it is large.

    Raises:
        DataError: there is no such file, it is another kind, or damaged.
    """
    try:
        check_regular(path, key)
        with path.open("rb") as file:
            if file.read(2) == b"PK":
                raise DataError(
                    f"{key}={path} holds several arrays: it is an .npz.",
                    f"read it with: dataset=npz dataset.path={path}",
                )
            file.seek(0)
            header, fortran = read_header(file)
            begin, size = file.tell(), path.stat().st_size
            if header.dtype.hasobject:
                raise DataError(
                    f"{key}={path} holds Python objects, which are never loaded.",
                    "write numbers: numpy.save(path, images)",
                )
            checked_header(header.shape, header.dtype, size, begin)
            if size - begin > most:
                check_kind(header.shape, header.dtype, IMAGES)
                return mapped(path, header, fortran, begin, f"{key}={path}")
            file.seek(0)
            array: np.ndarray = np.load(file, allow_pickle=False)
            return array
    except FileNotFoundError:
        raise DataError(
            f"{key}={path} does not exist.",
            "give an .npy file: dataset=npy dataset.path=images.npy",
        ) from None
    except UNREADABLE as error:
        raise DataError(
            f"{key}={path} can't be read as .npy: {first_line(error)}.",
            "write one with numpy.save(path, images), numbers only",
        ) from error


def _labels(config: NpyConfig) -> np.ndarray:
    """Return the labels of an .npy file, or of the lines of a text.

    Raises:
        DataError: the file is missing or can't be read.
    """
    path = Path(str(config.labels))
    beside = Path(config.path).parent / path.name
    if not is_there(path) and is_there(beside):  # both have moved
        path = beside
    if path.suffix.lower() == ".npy":
        array = _read(path, "dataset.labels", np.inf)
        return array
    try:
        check_regular(path, "dataset.labels")
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = [[cell.strip() for cell in row] for row in csv.reader(file) if row]
    except FileNotFoundError:
        raise DataError(
            f"dataset.labels={path} does not exist.",
            "give an .npy file, or a text or CSV file of one label a line",
        ) from None
    except (OSError, ValueError, csv.Error) as error:
        raise DataError(f"dataset.labels={path} can't be read: {error}.") from error
    column = 0
    if rows and "label" in (names := [name.lower() for name in rows[0]]):
        column = names.index("label")
        rows = rows[1:]
    elif any(len(row) > 1 for row in rows):
        raise DataError(
            f"dataset.labels={path} has {len(rows[0])} columns, and none is named "
            "label.",
            "give one label a line, or name the column in the first line",
        )
    if any(len(row) <= column for row in rows):
        raise DataError(f"dataset.labels={path} has lines without a label.")
    labels = [row[column] for row in rows]
    if labels and all(label.isascii() and label.isdecimal() for label in labels):
        return np.array([int(label) for label in labels])
    return np.array(labels, dtype=str)
