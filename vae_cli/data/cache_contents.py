"""What the cache holds: listed, counted, deleted.

What a process that was killed has left is deleted by the next one that writes.
"""

import re
import shutil
from collections.abc import Sequence
from pathlib import Path

from vae_cli.data.cache import (
    ENTRY,
    KEY,
    PARTIAL,
    PIXELS,
    VARIABLE,
    Entry,
    alone,
    cache_folder,
    disk_errors,
    find,
    key_named_in,
)
from vae_cli.errors import DataError
from vae_cli.lock import take_lock

OURS = re.compile(r"[0-9a-f]{32}(\.key|\.partial-[0-9a-f-]+)?")
"""Names that are made here; all others in the folder are left alone."""


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
            mine = path.name in chosen or key_named_in(path) in chosen
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
