"""Decoded pictures on disk, found again by what they were made of.

An entry is a folder: `pixels.bin`, the values row by row, and `entry.json`, which says
what they are. It is written under another name and renamed when it is complete, so that
an entry is complete or absent.
"""

import contextlib
import hashlib
import json
import math
import os
import re
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from vae_cli.errors import DataError

PIXELS, ENTRY = "pixels.bin", "entry.json"
PARTIAL, ALIAS = ".partial-", ".key"
VARIABLE = "VAE_CACHE"


def cache_folder() -> Path:
    """Return where entries are: VAE_CACHE, or vae-cli in the user's cache folder."""
    own = os.environ.get(VARIABLE)
    if own:
        return Path(own)
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "vae-cli"


@dataclass(frozen=True)
class Entry:
    """Pixels that are there.

    Attributes:
        path: the entry's folder.
        about: what its writer said of it: `shape` and `dtype` among others.
    """

    path: Path
    about: dict[str, Any]

    def pixels(self) -> np.ndarray:
        """Return a memory map of the values."""
        shape, dtype = tuple(self.about["shape"]), np.dtype(self.about["dtype"])
        return np.memmap(self.path / PIXELS, dtype, "r", shape=shape)

    @property
    def megabytes(self) -> float:
        """Return what it takes on disk, in MiB."""
        return (self.path / PIXELS).stat().st_size / 2**20


def key_of(*parts: Any) -> str:
    """Return the key of what an entry is made of: anything that JSON can write."""
    text = json.dumps(parts, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def find(key: str) -> Entry | None:
    """Return an entry; None where there is none, or its files were changed."""
    path = cache_folder() / key
    try:
        about = json.loads((path / ENTRY).read_text(encoding="utf-8"))
        status = (path / PIXELS).stat()
        size = math.prod(about["shape"]) * np.dtype(about["dtype"]).itemsize
        whole = status.st_size == size and status.st_mtime_ns == about["written_ns"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return Entry(path, about) if whole else None


def name(alias: str, key: str) -> None:
    """Let an entry be found by something else that is known sooner than its key."""
    folder = cache_folder()
    temporary = folder / f"{alias}{PARTIAL}{os.getpid()}"
    with contextlib.suppress(OSError):  # it is made again next time
        temporary.write_text(key, encoding="ascii")
        temporary.replace(folder / f"{alias}{ALIAS}")


def found_by(alias: str) -> Entry | None:
    """Return the entry that `name` has given another name."""
    try:
        key = (cache_folder() / f"{alias}{ALIAS}").read_text(encoding="ascii")
    except (OSError, ValueError):
        return None
    return find(key) if re.fullmatch(r"[0-9a-f]{32}", key) else None


def entries() -> list[Entry]:
    """Return every entry, largest first."""
    folder = cache_folder()
    if not folder.is_dir():
        return []
    found = [find(path.name) for path in folder.iterdir() if path.is_dir()]
    return sorted((e for e in found if e), key=lambda e: -e.megabytes)


def clear(keys: list[str] | None = None) -> float:
    """Delete entries, and what unfinished ones have left; returns the MiB freed.

    Args:
        keys: of the entries; None: all.
    """
    freed, folder = 0.0, cache_folder()
    for path in list(folder.iterdir()) if folder.is_dir() else []:
        if keys is None or path.name in keys:
            files = [f for f in path.rglob("*") if f.is_file()]
            freed += sum(f.stat().st_size for f in files) / 2**20
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    return freed


class Writer:
    """What `writing` gives: a file to fill, and what to say of it.

    Attributes:
        file: of the pixels, which has its full size already.
        about: filled in by the writer.
    """

    def __init__(self, file: Path, about: dict[str, Any]) -> None:
        self.file = file
        self.about = about

    def pixels(self) -> np.ndarray:
        """Return a memory map to write to."""
        shape, dtype = tuple(self.about["shape"]), np.dtype(self.about["dtype"])
        return np.memmap(self.file, dtype, "r+", shape=shape)


@contextlib.contextmanager
def writing(
    key: str, shape: tuple[int, ...], dtype: str, about: dict[str, Any]
) -> Iterator[Writer]:
    """Write an entry; it is there when the block has ended without an error.

    Args:
        key: of the entry.
        shape: of the values.
        dtype: of the values.
        about: what else to record.

    Raises:
        DataError: there is no room, or the folder can't be written.
    """
    folder = cache_folder()
    size = math.prod(shape) * np.dtype(dtype).itemsize
    partial = folder / f"{key}{PARTIAL}{os.getpid()}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _sweep(folder)
        partial.mkdir()
        with (partial / PIXELS).open("wb") as file:
            # a sparse file's memory map would kill the process on a full disk
            os.posix_fallocate(file.fileno(), 0, size)
        writer = Writer(
            partial / PIXELS, {**about, "shape": list(shape), "dtype": dtype}
        )
        yield writer
        writer.about["written_ns"] = writer.file.stat().st_mtime_ns
        writer.about["written"] = time.strftime("%Y-%m-%d %H:%M:%S")
        text = json.dumps(writer.about)
        (partial / ENTRY).write_text(text, encoding="utf-8")
        shutil.rmtree(folder / key, ignore_errors=True)  # one that was changed
        with contextlib.suppress(FileExistsError, OSError):  # another was faster
            partial.rename(folder / key)
    except OSError as error:
        raise DataError(
            f"decoded pictures take {size / 2**20:,.0f} MB, which can't be written to "
            f"{folder}: {error.strerror}.",
            f"make room (vae cache), or give another place: {VARIABLE}=<folder>",
        ) from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _sweep(folder: Path) -> None:
    """Delete what processes that are gone have left unfinished."""
    for path in folder.glob(f"*{PARTIAL}*"):
        process = path.name.rpartition("-")[2]
        if process.isdecimal() and not _runs(int(process)):
            shutil.rmtree(path, ignore_errors=True)


def _runs(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
