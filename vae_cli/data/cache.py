"""Decoded pictures on disk, found by a hash of their source and preparation.

An entry is a folder: `pixels.bin`, the values row by row, and `entry.json`, which says
what they are. It is written under another name, where its file is locked, and renamed
when it is complete: an entry is complete or absent. What a process that was killed has
left is deleted by the next one that writes.
"""

import contextlib
import errno
import hashlib
import json
import math
import os
import re
import secrets
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from vae_cli.errors import DataError
from vae_cli.lock import take_lock

PIXELS, ENTRY = "pixels.bin", "entry.json"
PARTIAL, ALIAS, LOCK = ".partial-", ".key", ".lock"
OURS = re.compile(r"[0-9a-f]{32}(\.key|\.partial-[0-9a-f-]+)?")
"""Names that are made here; all others in the folder are left alone."""
KEY = re.compile(r"[0-9a-f]{32}")
VARIABLE = "VAE_CACHE"
MAX_ENTRY_BYTES = 2**26
"""Of `entry.json`, which lists the files that were left out."""
INVALID = (OSError, ValueError, KeyError, TypeError, RecursionError, OverflowError)
"""What reading a truncated or changed entry raises."""


def cache_folder() -> Path:
    """Return where entries are: VAE_CACHE, or vae-cli in the user's cache folder.

    Raises:
        DataError: the user has no home, and VAE_CACHE is not set.
    """
    own = os.environ.get(VARIABLE) or None
    base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    try:
        return Path(own or f"{base}/vae-cli").expanduser()
    except RuntimeError as error:
        raise DataError(
            "there is no home folder to keep decoded pictures in.",
            f"name a folder for them: {VARIABLE}=<folder>",
        ) from error


@dataclass(frozen=True)
class Entry:
    """A complete entry.

    Attributes:
        path: the entry's folder, whose name is its key.
        about: what its writer recorded: `shape` and `dtype` among others.
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
        shape, dtype = self.about["shape"], np.dtype(self.about["dtype"])
        return math.prod(shape) * dtype.itemsize / 2**20


def key_of(*parts: Any) -> str:
    """Return the key of what an entry is made of: anything that JSON can write."""
    text = json.dumps(parts, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def find(key: str) -> Entry | None:
    """Return an entry; None where there is none, or its files were cut or changed."""
    path = cache_folder() / key
    try:
        about, status = _about(path / ENTRY), (path / PIXELS).stat()
        size = math.prod(about["shape"]) * np.dtype(about["dtype"]).itemsize
        whole = status.st_size == size and status.st_mtime_ns == about["written_ns"]
    except INVALID:
        return None
    return Entry(path, about) if whole else None


def required(key: str) -> Entry:
    """Return an entry that was written a moment ago.

    Raises:
        DataError: it is gone already.
    """
    entry = find(key)
    if entry is None:
        raise DataError(
            f"{cache_folder() / key} is gone, or was changed.",
            "type the command again, which writes it anew",
        )
    return entry


def _about(file: Path) -> dict[str, Any]:
    """Return what an entry's writer recorded.

    Raises:
        INVALID: it is missing, or was cut or changed.
    """
    if not file.is_file() or file.stat().st_size > MAX_ENTRY_BYTES:
        raise ValueError("no regular file of an entry")
    about = dict(json.loads(file.read_text(encoding="utf-8")))
    if about.pop("checksum") != key_of(about):
        raise ValueError("changed")
    return about


def name(alias: str, key: str) -> None:
    """Give an entry a second key, which is known before the files are read."""
    folder = cache_folder()
    temporary = folder / f"{alias}{partial_suffix()}"
    with contextlib.suppress(OSError):  # it is made again next time
        try:
            temporary.write_text(key, encoding="ascii")
            temporary.replace(folder / f"{alias}{ALIAS}")
        except OSError:
            temporary.unlink(missing_ok=True)


def found_by(alias: str) -> Entry | None:
    """Return the entry that `name` has given this second key."""
    key = _named(cache_folder() / f"{alias}{ALIAS}")
    return find(key) if key else None


def _named(file: Path) -> str | None:
    """Return the key of the entry that a `.key` file points to."""
    try:
        key = file.read_text(encoding="ascii") if file.is_file() else ""
    except (OSError, ValueError):
        return None
    return key if KEY.fullmatch(key) else None


def entries() -> list[Entry]:
    """Return every entry, largest first.

    Raises:
        DataError: the cache's folder can't be read.
    """
    found = [find(path.name) for path in _ours() if KEY.fullmatch(path.name)]
    return sorted((e for e in found if e), key=lambda e: -e.megabytes)


def leftovers() -> float:
    """Return the MiB of what was cut or changed, or is unfinished and has no writer.

    Raises:
        DataError: the cache's folder can't be read.
    """
    broken = [
        path
        for path in _ours()
        if path.is_dir() and not _being_written(path) and not find(path.name)
    ]
    return sum(map(_megabytes, broken))


def clear(keys: Sequence[str] | None = None) -> tuple[int, float]:
    """Delete entries; without keys also what was left unfinished or was changed.

    What other processes write at the moment stays, as does all that isn't ours.

    Args:
        keys: of the entries, or how these begin; None: all.

    Returns:
        how many entries there were, and the MiB freed.

    Raises:
        DataError: there is no such entry, or the folder can't be written.
    """
    ours = _ours()
    having = [path.name for path in ours if KEY.fullmatch(path.name)]
    chosen = set(having) if keys is None else {_chosen(key, having) for key in keys}
    freed, folder = 0.0, cache_folder()
    if not ours:
        return 0, 0.0
    with disk_errors(folder, "the cache can't be changed"), alone(folder):
        for path in ours:
            mine = path.name in chosen or _named(path) in chosen
            if mine or (keys is None and not _being_written(path)):
                freed += _megabytes(path)
                delete(path)
    return len(chosen), freed


def _chosen(key: str, having: Sequence[str]) -> str:
    """Return the one key that begins so.

    Raises:
        DataError: none does, or several do.
    """
    found = [name for name in having if key and name.startswith(key)]
    if len(found) == 1:
        return found[0]
    raise DataError(
        f"{len(found)} entries have keys that begin with {key}."
        if found
        else f"the cache has no entry {key or repr(key)}.",
        "vae cache lists them with their keys",
    )


@contextlib.contextmanager
def disk_errors(folder: Path, what: str) -> Iterator[None]:
    """Raise DataError for an OSError."""
    try:
        yield
    except OSError as error:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        file = folder.exists() and not folder.is_dir()
        why = "it is no folder" if file else error.strerror or error
        room = "free disk space (vae cache clear), or " if full else ""
        raise DataError(
            f"{what}: {folder}: {why}.",
            f"{room}use another folder: {VARIABLE}=<folder>",
        ) from error


@contextlib.contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Hold the folder's lock: no other process adds or deletes entries."""
    with (folder / LOCK).open("a") as file:
        take_lock(file, exclusive=True)
        yield


def partial_suffix() -> str:
    """Return the end of a name that no other writer takes."""
    return f"{PARTIAL}{os.getpid():x}-{secrets.token_hex(4)}"


def _ours() -> list[Path]:
    """Return what lies in the cache's folder and was made here.

    Raises:
        DataError: the folder can't be read.
    """
    folder = cache_folder()
    try:
        paths = sorted(path for path in folder.iterdir() if OURS.fullmatch(path.name))
        return [path for path in paths if not path.is_symlink() and _is_ours(path)]
    except FileNotFoundError:
        return []
    except OSError as error:
        why = "it is no folder" if not folder.is_dir() else error.strerror
        raise DataError(
            f"the cache can't be read: {folder}: {why}.",
            f"use another folder: {VARIABLE}=<folder>",
        ) from error


def _is_ours(path: Path) -> bool:
    return path.is_file() or {f.name for f in path.iterdir()} <= {PIXELS, ENTRY}


def sweep() -> None:
    """Delete what processes that are gone have left unfinished."""
    for path in _ours():
        if PARTIAL in path.name and not _being_written(path):
            delete(path)


def _being_written(path: Path) -> bool:
    """Return whether a process that is alive writes there."""
    if PARTIAL not in path.name:
        return False
    try:
        with (path / PIXELS).open("rb") as file:
            return not take_lock(file, exclusive=False)
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError:  # another user's
        return True


def _megabytes(path: Path) -> float:
    files = path.iterdir() if path.is_dir() else [path]
    return sum(file.stat().st_size for file in files) / 2**20


def delete(path: Path) -> None:
    """Delete a file, a link or a folder; nothing where there is none."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
