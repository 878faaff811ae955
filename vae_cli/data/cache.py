"""Decoded pictures on disk, found by a hash of their source and preparation.

An entry is a folder: `pixels.bin`, the values row by row, and `entry.json`, which says
what they are. It is written under another name, where its file is locked, and renamed
when it is complete: an entry is complete or absent.
"""

import contextlib
import errno
import hashlib
import json
import math
import os
import re
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from vae_cli.errors import DataError
from vae_cli.lock import take_lock

PIXELS, ENTRY = "pixels.bin", "entry.json"
PARTIAL, ALIAS, LOCK = ".partial-", ".key", ".lock"
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
    key = key_named_in(cache_folder() / f"{alias}{ALIAS}")
    return find(key) if key else None


def key_named_in(file: Path) -> str | None:
    """Return the key of the entry that a `.key` file points to."""
    try:
        key = file.read_text(encoding="ascii") if file.is_file() else ""
    except (OSError, ValueError):
        return None
    return key if KEY.fullmatch(key) else None


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
