"""`dataset=huggingface`: sets of the Hugging Face hub, and local ones.

The library imports no code of a data set: from its version 4 on it has no loading
scripts.
"""

import contextlib
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from vae_cli.config.dataset_formats import HuggingfaceConfig
from vae_cli.data.columns import Column, chosen_columns, chosen_splits
from vae_cli.data.decode import UNREADABLE_PICTURE, read_file, reason
from vae_cli.data.listing import file_status
from vae_cli.data.records import AT_A_TIME, Record, Records, sources_of
from vae_cli.data.regular import check_regular
from vae_cli.data.splits import Sources
from vae_cli.errors import DataError, first_line
from vae_cli.paths import is_there
from vae_cli.progress import can_show
from vae_cli.registry import builds

NAME = re.compile(r"[A-Za-z0-9][\w.-]*(/[\w.-]+)?")
"""Of a set on the hub."""
SAVED = ("state.json", "dataset_dict.json")
"""Files by which a folder of `save_to_disk` is known."""
FILES = {".parquet": "parquet", ".arrow": "arrow"}
"""Suffix of a single file -> what reads it."""
WHOLE = ("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64")
NUMBERS = (*WHOLE, "bool", "float16", "float32", "float64")


@builds(HuggingfaceConfig)
def huggingface(config: HuggingfaceConfig) -> Sources:
    """Pictures and labels of a set, found by the types of its columns.

    Raises:
        DataError: the package is missing; there is no such set, here or on the hub;
            it has no column of images, or several; pictures can't be read.
    """
    try:
        import datasets
    except ImportError as error:
        raise DataError(
            "dataset=huggingface needs a package that is not installed: datasets.",
            "pip install 'vae-cli[huggingface]'",
        ) from error
    with _bars(datasets):
        loaded = _loaded(datasets, config)
    names = chosen_splits(loaded, config)
    features = loaded[names["train"]].features
    columns = {name: _column(datasets, kind) for name, kind in features.items()}
    image, label = chosen_columns(columns, config)
    label_names = getattr(features[label], "names", None) if label else None
    chosen = {split: loaded[name] for split, name in names.items()}
    for split, table in chosen.items():
        if missing := {image, label} - {None, *table.column_names}:
            raise DataError(
                f"dataset.path={config.path}: the split {names[split]} has no column "
                f"{', '.join(map(str, missing))}, which the split {names['train']} has."
            )
    return sources_of(
        {
            split: _records(table, image, label, config.path)
            for split, table in chosen.items()
        },
        config,
        [image, label, *(_identity(table, image) for table in chosen.values())],
        None if label_names is None else tuple(label_names),
    )


@contextlib.contextmanager
def _bars(datasets: Any) -> Iterator[None]:
    """Let the library show progress bars only where there is a terminal."""
    off = datasets.are_progress_bars_disabled()
    if not can_show():
        datasets.disable_progress_bars()
    try:
        yield
    finally:
        if not off:
            datasets.enable_progress_bars()


def _loaded(datasets: Any, config: HuggingfaceConfig) -> dict[str, Any]:
    """Return split -> table of a set.

    Raises:
        DataError: it isn't there, or can't be read.
    """
    path = Path(config.path)
    local = is_there(path)
    if local:
        _check_files(path)
    elif not NAME.fullmatch(config.path):
        raise DataError(
            f"dataset.path={path} does not exist, and is no name of a set on the hub.",
            "give a local folder, or a name such as ylecun/mnist",
        )
    try:
        if local and any((path / name).is_file() for name in SAVED):
            loaded = datasets.load_from_disk(str(path))
        elif local and path.suffix.lower() in FILES:
            loaded = datasets.load_dataset(
                FILES[path.suffix.lower()], data_files=str(path)
            )
        else:
            loaded = datasets.load_dataset(config.path, name=config.config_name)
    except Exception as error:  # readers of many formats raise anything
        where = "can't be read" if local else "can't be loaded from the hub"
        advice = (
            "give a folder that save_to_disk has written, or one of Parquet files or "
            "pictures"
            if local
            else "without a network, give a local folder; a set of several "
            "configurations needs dataset.config_name"
        )
        raise DataError(
            f"dataset.path={path} {where}: {first_line(error)}.",
            advice,
        ) from error
    # one table has no splits
    return dict(loaded) if isinstance(loaded, dict) else {"train": loaded}


def _check_files(path: Path) -> None:
    """Refuse files that could be waited for, and single ones of another kind.

    Raises:
        DataError: there is a pipe, a socket or a device.
    """
    if path.is_dir():
        for file in path.rglob("*"):
            if is_there(file) and not file.is_dir():
                check_regular(file, "dataset.path")
        return
    check_regular(path, "dataset.path")
    if path.suffix.lower() not in FILES:
        raise DataError(
            f"dataset.path={path} is a file, and only {' and '.join(FILES)} files are "
            "read.",
            "give the folder that it lies in, or for arrays: dataset=npz, npy or hdf5",
        )


def _column(datasets: Any, feature: Any) -> Column:
    """Return the kind of a feature."""
    text = type(feature).__name__
    if isinstance(feature, datasets.Image):
        return Column("image", text)
    if isinstance(feature, datasets.ClassLabel):
        return Column("class", f"{text} of {feature.num_classes}")
    if isinstance(feature, datasets.Value):
        whole = feature.dtype in (*WHOLE, "string", "large_string", "bool")
        return Column("value" if whole else "other", feature.dtype)
    dtype, depth = _numbers(datasets, feature)
    if depth in (2, 3) and dtype in NUMBERS:
        return Column("array", f"{text} {dtype}, {depth} axes")
    return Column("other", text)


def _numbers(datasets: Any, feature: Any) -> tuple[str, int]:
    """Return type and number of axes of a feature of arrays; 0 for none."""
    if isinstance(feature, (datasets.Array2D, datasets.Array3D)):
        return str(feature.dtype), len(feature.shape)
    depth = 0
    while (inner := getattr(feature, "feature", None)) is not None:  # lists of lists
        feature, depth = inner, depth + 1
    return str(getattr(feature, "dtype", "")), depth


def _identity(table: Any, image: str) -> list[Any]:
    """Return values that differ if the table does."""
    files = [Path(file["filename"]) for file in table.cache_files]
    files += [Path(path) for path in _paths(table, image)]
    status = [(str(file), file.stat()) for file in files if is_there(file)]
    return [
        table._fingerprint,
        table.num_rows,
        [[name, *file_status(s)] for name, s in status],
    ]


def _paths(table: Any, image: str) -> list[str]:
    """Return the files that a table names in place of pictures."""
    import pyarrow

    column = table.data.column(image)
    if not pyarrow.types.is_struct(column.type):
        return []
    paths: list[str] = []
    for chunk in column.chunks:  # together they may be larger than memory
        cells = dict(zip(column.type.names, chunk.flatten(), strict=True))
        if {"bytes", "path"} <= cells.keys():
            bare = cells["path"].filter(cells["bytes"].is_null())
            paths += [path for path in bare.to_pylist() if path]
    return paths


def _records(table: Any, image: str, label: str | None, name: str) -> Records:
    """Return a table's records: encoded pictures, or arrays."""
    import datasets

    table = table.select_columns([image] if label is None else [image, label])
    feature = table.features[image]
    roots = _roots(datasets, name)
    is_picture = isinstance(feature, datasets.Image)
    dtype = None
    if is_picture:
        table = table.cast_column(image, datasets.Image(decode=False))
    else:
        dtype = np.dtype(_numbers(datasets, feature)[0])

    def part(rows: np.ndarray, column: str, form: str | None) -> list[Any]:
        try:
            cells = table.select_columns([column]).with_format(form)[rows][column]
        except Exception as error:  # readers of Arrow raise anything
            raise DataError(
                f"dataset.path={name}: the column {column} can't be read: "
                f"{first_line(error)}.",
                "the files are damaged, or don't match their schema",
            ) from error
        return list(cells)

    def read(rows: np.ndarray) -> Iterator[Record]:
        for start in range(0, len(rows), AT_A_TIME):
            own = rows[start : start + AT_A_TIME]
            labels = [None] * len(own) if label is None else part(own, label, None)
            cells = part(own, image, None if is_picture else "numpy")
            for cell, one in zip(cells, labels, strict=True):
                yield (
                    _encoded(cell, roots) if is_picture else _as_array(cell, dtype),
                    one,
                )

    return Records(table.num_rows, read)


def _roots(datasets: Any, name: str) -> list[str]:
    """Return folders in which the pictures of a set may lie: its own, and caches."""
    from huggingface_hub import constants

    own = datasets.config
    caches = [
        own.HF_DATASETS_CACHE, own.DOWNLOADED_DATASETS_PATH,
        own.EXTRACTED_DATASETS_PATH, constants.HF_HUB_CACHE,
    ]  # fmt: skip
    path = Path(name)
    local = [path if path.is_dir() else path.parent] if is_there(path) else []
    return [str(Path(folder).absolute()) for folder in [*local, *caches]]


def _encoded(cell: dict[str, Any] | None, roots: list[str]) -> bytes | str:
    """Return a picture's bytes, or why there are none.

    Args:
        cell: `bytes`, or else the `path` of a file.
        roots: folders in which files may lie.
    """
    if cell is None or (cell["bytes"] is None and not cell["path"]):
        return "the record holds no picture"
    if cell["bytes"] is not None:
        data: bytes = cell["bytes"]
        return data
    file = os.path.abspath(cell["path"])  # noqa: PTH100  links stay, `..` goes
    if not any(Path(file).is_relative_to(root) for root in roots):
        return f"{file} lies outside of the set, and is not opened"
    try:
        return read_file(Path(file))
    except UNREADABLE_PICTURE as error:
        return reason(error)


def _as_array(value: Any, dtype: Any) -> np.ndarray | str:
    """Return nested lists as an array, or why they are none."""
    try:
        return np.asarray(value, dtype)
    except (ValueError, TypeError):
        return "its rows differ in length"
