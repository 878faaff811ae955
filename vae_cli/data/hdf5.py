"""`dataset=hdf5`: data sets of an HDF5 file; nothing outside the file is opened."""

from collections import deque
from dataclasses import replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from vae_cli.config.dataset_formats import Hdf5Config
from vae_cli.data.array_names import Header, named_arrays
from vae_cli.data.arrays import Stored, ready
from vae_cli.data.checks import check_kind
from vae_cli.data.regular import check_regular
from vae_cli.data.splits import Arrays, Sources
from vae_cli.errors import DataError, first_line
from vae_cli.registry import builds
from vae_cli.text import printable

UNREADABLE = (OSError, RuntimeError, ValueError, KeyError, MemoryError)
"""What h5py raises for files that are damaged or something else."""
MAX_OBJECTS = 100_000
"""Groups and data sets that are looked at."""


@builds(Hdf5Config)
def hdf5(config: Hdf5Config) -> Sources:
    """Images, test images and labels, found by the names of the data sets.

    Raises:
        DataError: the file is missing, truncated or no HDF5; none of its data sets, or
            several, can be images; one of them lies in other files.
    """
    path = Path(config.path)
    given = {key: getattr(config, key) for key in ("key", "labels_key")}
    config = replace(config, **{k: v and v.strip("/") for k, v in given.items()})
    try:
        check_regular(path, "dataset.path")
        with h5py.File(path, "r") as file:
            found, links = _data_sets(file)
            for key in ("key", "labels_key"):
                _check_no_link(getattr(config, key), links, key, path)
            headers = {name: _header(data) for name, data in found.items()}
            names = named_arrays(headers, config, "data set")
            arrays = {
                split: Arrays(
                    _images(found[own.images], config, own.images),
                    None
                    if own.labels is None
                    else _labels(found[own.labels], own.labels),
                )
                for split, own in names.items()
            }
    except FileNotFoundError:
        raise DataError(
            f"dataset.path={path} does not exist.",
            "give an HDF5 file: dataset=hdf5 dataset.path=images.h5",
        ) from None
    except UNREADABLE as error:
        raise DataError(
            f"dataset.path={path} can't be read as HDF5: {first_line(error)}.",
            "it is truncated, damaged, or another kind of file; write it again",
        ) from error
    return Sources(arrays["train"], arrays.get("test"), arrays.get("validation"))


def _data_sets(file: h5py.File) -> tuple[dict[str, h5py.Dataset], dict[str, str]]:
    """Return what a file holds, and its links, which aren't followed.

    Returns:
        data sets by path, and where each link leads to.
    """
    found: dict[str, h5py.Dataset] = {}
    links: dict[str, str] = {}
    waiting: deque[tuple[str, h5py.Group]] = deque([("", file)])
    seen = {h5py.h5o.get_info(file.id).addr}
    while waiting:
        prefix, group = waiting.popleft()
        for name in group:
            full = f"{prefix}{name}"
            link = group.get(name, getlink=True)
            if not isinstance(link, h5py.HardLink):
                outside = getattr(link, "filename", "")
                links[full] = f"{outside}:{link.path}" if outside else link.path
                continue
            item: Any = group[name]
            address = h5py.h5o.get_info(item.id).addr
            if isinstance(item, h5py.Group) and address not in seen:
                seen.add(address)  # groups may hold each other
                waiting.append((f"{full}/", item))
            elif isinstance(item, h5py.Dataset):
                found[full] = item
            if len(found) + len(seen) + len(links) > MAX_OBJECTS:
                raise ValueError(f"it holds more than {MAX_OBJECTS:,} objects")
    return found, links


def _check_no_link(
    name: str | None, links: dict[str, str], key: str, path: Path
) -> None:
    """Refuse a key that is a link, or lies behind one."""
    for link, target in links.items():
        if name is not None and (name == link or name.startswith(f"{link}/")):
            outside = ":" in target
            raise DataError(
                f"dataset.{key}={name}: {link} is a link to {printable(target)}, and "
                "links are not followed.",
                f"read that file: dataset.path={path.parent}/<file>"
                if outside
                else f"name what it leads to: dataset.{key}={target.strip('/')}",
            )


def _header(data: h5py.Dataset) -> Header:
    try:
        text = h5py.check_string_dtype(data.dtype) is not None
    except TypeError:  # NumPy has no such type
        return Header(data.shape or (), np.dtype(np.void))
    return Header(data.shape or (), data.dtype, text)


def _check_inside(data: h5py.Dataset, name: str) -> None:
    """Refuse a data set whose values lie in other files.

    Raises:
        DataError: it is virtual, or has external storage.
    """
    if data.is_virtual or data.external:
        raise DataError(
            f"{name} keeps its values in other files, which are not opened.",
            "copy it into one file: h5py.File(path, 'w')['images'] = data[:]",
        )


def _images(data: h5py.Dataset, config: Hdf5Config, name: str) -> np.ndarray:
    """Return images, mapped where they are larger than `memory_mb`."""
    _check_inside(data, name)
    check_kind(data.shape or (), data.dtype, name)
    large = data.size * data.dtype.itemsize > config.memory_mb * 2**20
    stored: Stored = data
    if large and (mapped := _mapped(data, Path(config.path))) is not None:
        stored = mapped
    return ready(stored, config, name, name, data.chunks[0] if data.chunks else 1)


def _mapped(data: h5py.Dataset, path: Path) -> np.ndarray | None:
    """Return a data set that lies in one piece as a memory map; None where not."""
    offset = data.id.get_offset()
    if data.chunks is not None or offset is None:
        return None
    if offset + data.size * data.dtype.itemsize > path.stat().st_size:
        raise ValueError(f"{data.name} ends behind the file")
    pixels = np.memmap(path, data.dtype, "r", offset, data.shape)
    # files may begin with other things, from whose end some versions count
    same = all(np.array_equal(pixels[row], data[row], True) for row in (0, -1))
    return pixels if same else None


def _labels(data: h5py.Dataset, name: str) -> np.ndarray:
    """Return labels: numbers, or text.

    Raises:
        DataError: they are Python objects or references.
    """
    _check_inside(data, name)
    if h5py.check_string_dtype(data.dtype) is not None:
        return np.array(data.asstr(errors="backslashreplace")[...], dtype=str)
    if data.dtype.kind not in "biuf":
        raise DataError(
            f"{name} must hold class numbers 0, 1, ... or names, got {data.dtype}."
        )
    labels: np.ndarray = data[...]
    return labels.astype(np.uint8) if labels.dtype == np.bool_ else labels
