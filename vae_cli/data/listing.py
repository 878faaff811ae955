"""The picture files of a folder, and the split and the class of each."""

import csv
import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from vae_cli.config.dataset_formats import FolderConfig
from vae_cli.data.decode import SUFFIXES
from vae_cli.data.regular import check_regular
from vae_cli.errors import DataError, closest
from vae_cli.paths import is_there
from vae_cli.text import printable, shortened

SPLIT_FOLDERS = {
    "train": ("train", "training"),
    "validation": ("validation", "valid", "val"),
    "test": ("test", "testing"),
}
"""Split -> names of the folders that it is taken from."""
SHOWN = 8
"""Names that a message lists."""


class Listed(NamedTuple):
    """A picture file.

    Attributes:
        name: its path below the folder, with slashes.
        status: its size, and when it and its directory entry were last changed: equal
            for as long as its content is.
        split: train, validation or test.
        label: name of its class, or None.
    """

    name: str
    status: tuple[int, ...]
    split: str = "train"
    label: str | None = None


def listed(config: FolderConfig) -> list[Listed]:
    """Return the pictures of a folder in order of their names, split by split.

    Raises:
        DataError: there is no such folder, it holds no pictures, or their labels can't
            be found.
    """
    root = Path(config.path)
    try:
        if not root.is_dir():
            check_regular(root, "dataset.path")
            raise DataError(
                f"dataset.path={root} is a file, and dataset=folder takes a folder.",
                _advice(root),
            )
        others: Counter[str] = Counter()
        found = sorted(_walk(root, others), key=lambda file: file.name)
    except FileNotFoundError:
        raise DataError(
            f"dataset.path={root} does not exist.",
            "give a folder of pictures: dataset=folder dataset.path=<folder>",
        ) from None
    except OSError as error:
        raise DataError(
            f"dataset.path={root} can't be read: {error.strerror}."
        ) from error
    if not found:
        having = ", ".join(f"{n} {s or 'without suffix'}" for s, n in others.items())
        raise DataError(
            f"dataset.path={root} holds no pictures"
            + (f", but other files: {having}." if having else ": it is empty."),
            f"pictures are {', '.join(SUFFIXES)}, in this folder or in folders in it",
        )
    return _labelled(_split(found, root), config)


def pictures_below(root: Path) -> list[str]:
    """Return the names of the pictures below a folder, in order.

    Raises:
        OSError: it can't be read.
    """
    return sorted(file.name for file in _walk(root, Counter()))


def _walk(root: Path, others: Counter[str]) -> Iterator[Listed]:
    """Yield the pictures below a folder; links are followed, each folder once."""
    # text, not paths: making one takes longer than reading an entry
    waiting, entered = [(str(root), "")], {os.path.realpath(root)}
    links: list[tuple[str, str]] = []  # after real folders, which give the names
    while waiting or links:
        if not waiting:
            links.sort(reverse=True)
            linked, prefix = links.pop()
            real = os.path.realpath(linked)
            if real not in entered:
                entered.add(real)
                waiting.append((linked, prefix))
            continue
        folder, prefix = waiting.pop()
        with os.scandir(folder) as entries:
            for entry in entries:
                name = entry.name
                if name.startswith("."):
                    continue
                suffix = os.path.splitext(name)[1].lower()  # noqa: PTH122  as above
                if _is_folder(entry):
                    if entry.is_symlink():
                        links.append((entry.path, f"{prefix}{name}/"))
                    else:
                        entered.add(os.path.realpath(entry.path))
                        waiting.append((entry.path, f"{prefix}{name}/"))
                elif suffix in SUFFIXES:
                    try:
                        status = entry.stat()
                    except OSError:  # a link to nothing is a file that can't be read
                        yield Listed(prefix + name, ())
                    else:
                        yield Listed(prefix + name, file_status(status))
                else:
                    others[printable(suffix)] += 1


def file_status(status: os.stat_result) -> tuple[int, ...]:
    """Return values that differ once a file was changed, or put in another's place."""
    return status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino


def _is_folder(entry: "os.DirEntry[str]") -> bool:
    try:
        return entry.is_dir()
    except OSError:
        return False


def _split(files: list[Listed], root: Path) -> list[Listed]:
    """Return files with their splits, where the folder has folders for these."""
    tops = {name for file in files for name in [_top(file.name)] if name}
    folders = {
        top: split
        for split, names in SPLIT_FOLDERS.items()
        for top in tops
        if top.lower() in names
    }
    if "train" not in folders.values():
        return files
    outside = [file.name for file in files if _top(file.name) not in folders]
    if outside:
        raise DataError(
            f"dataset.path={root} has a folder of training images, and "
            f"{len(outside)} pictures outside of {', '.join(sorted(folders))}: "
            f"{_some(outside)}.",
            "move them into one of these folders, or out of dataset.path",
        )
    chosen = [Listed(f.name, f.status, folders[str(_top(f.name))]) for f in files]
    order = list(SPLIT_FOLDERS)
    return sorted(chosen, key=lambda f: (order.index(f.split), f.name))


def _labelled(files: list[Listed], config: FolderConfig) -> list[Listed]:
    """Return files with their labels: of a table, or the folders that they lie in."""
    if config.labels is not None:
        labels = _table(files, config)
    else:
        nested = len({file.split for file in files}) > 1 or files[0].split != "train"
        below = 1 if nested or _in_split_folder(files) else 0
        names = (file.name.split("/", below + 1) for file in files)
        tops = [part[below] if len(part) > below + 1 else None for part in names]
        # one folder for all, or files beside folders, are no classes
        if None in tops or len(set(tops)) < 2:
            return files
        labels = [str(top) for top in tops]
    return [
        Listed(f.name, f.status, f.split, label)
        for f, label in zip(files, labels, strict=True)
    ]


def _in_split_folder(files: list[Listed]) -> bool:
    names = SPLIT_FOLDERS["train"]
    return all((_top(f.name) or "").lower() in names for f in files)


def _table(files: list[Listed], config: FolderConfig) -> list[str]:
    """Return the labels that a CSV gives to files.

    Raises:
        DataError: it can't be read, names other files, or lacks some.
    """
    root = Path(config.path)
    path = root / str(config.labels)  # which may be absolute, or relative to here
    path = path if is_there(path) else Path(str(config.labels)).expanduser()
    key = f"dataset.labels={config.labels}"
    try:
        check_regular(path, "dataset.labels")
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = [row for row in csv.reader(file) if row]
    except FileNotFoundError:
        raise DataError(
            f"{key} does not exist, here or in {root}.",
            "give a CSV of two columns, file and label",
        ) from None
    except (OSError, ValueError, csv.Error) as error:
        raise DataError(f"{key} can't be read as CSV: {error}.") from error
    columns = [0, 1]
    if rows and {"file", "label"} <= {name.strip().lower() for name in rows[0]}:
        header = [name.strip().lower() for name in rows.pop(0)]
        columns = [header.index("file"), header.index("label")]
    if not rows or any(len(row) <= max(columns) for row in rows):
        raise DataError(f"{key} needs two columns, file and label, in every row.")
    for row in rows:
        label = row[columns[1]].strip()
        if not label or "\0" in label:
            raise DataError(
                f"{key}: the label of {printable(row[columns[0]])} is "
                f"{'empty' if not label else repr(label)}.",
                "write the name or number of a class in every row",
            )
    labels = {row[columns[0]].strip(): row[columns[1]].strip() for row in rows}
    if len(labels) < len(rows):
        raise DataError(
            f"{key} lists {len(rows) - len(labels)} of its files twice.",
            "write one row for each picture",
        )
    having = {file.name for file in files}
    missing = sorted(set(labels) - having)
    if missing:
        guess = closest(missing[0], list(having)[:10_000])
        raise DataError(
            f"{key} names {len(missing)} files that are not in {root}: "
            f"{_some(missing)}."
            + (f" Did you mean {printable(guess)}?" if guess else ""),
            f"names are relative to the folder, such as {printable(files[0].name)}",
        )
    bare = sorted(having - set(labels))
    if bare:
        raise DataError(
            f"{key} has no label for {len(bare)} of {len(having)} pictures: "
            f"{_some(bare)}.",
            "add their labels, or move these pictures out of dataset.path",
        )
    return [labels[file.name] for file in files]


def _top(name: str) -> str | None:
    """Return the first folder of a name; None where it has none."""
    first, slash, _ = name.partition("/")
    return first if slash else None


def _some(names: list[str]) -> str:
    """Return the first of several names, safe to print."""
    return ", ".join(shortened([printable(name) for name in names], SHOWN))


def _advice(path: Path) -> str:
    kinds = {
        ".npz": "npz", ".npy": "npy", ".h5": "hdf5", ".hdf5": "hdf5", ".hdf": "hdf5",
    }  # fmt: skip
    kind = kinds.get(path.suffix.lower())
    return (
        f"for such a file: dataset={kind} dataset.path={path}"
        if kind
        else "give the folder that it lies in"
    )
