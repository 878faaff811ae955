"""Writing an entry of the cache: complete or absent, whatever ends the process."""

import contextlib
import json
import logging
import math
import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from vae_cli.data.cache import (
    ENTRY,
    PIXELS,
    alone,
    cache_folder,
    disk_errors,
    find,
    key_of,
    partial_suffix,
)
from vae_cli.data.cache_contents import delete, sweep
from vae_cli.lock import take_lock

log = logging.getLogger(__name__)


class Writer:
    """What `writing` yields: the file to fill, and what to record of it.

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
    partial = folder / f"{key}{partial_suffix()}"
    what = f"decoded pictures take {size / 2**20:,.0f} MiB, which can't be written"
    with contextlib.ExitStack() as stack:
        with disk_errors(folder, what):
            folder.mkdir(parents=True, exist_ok=True)
            with alone(folder):
                sweep()
                partial.mkdir()
                stack.callback(shutil.rmtree, partial, ignore_errors=True)
                file = stack.enter_context((partial / PIXELS).open("wb"))
                take_lock(file, exclusive=True)
            if (folder / key).exists():
                log.warning(
                    "%s was cut or changed since it was written, and is made again",
                    folder / key,
                )
            # a sparse file's memory map would kill the process on a full disk
            os.posix_fallocate(file.fileno(), 0, size)
        writer = Writer(
            partial / PIXELS, {**about, "shape": list(shape), "dtype": dtype}
        )
        yield writer
        with disk_errors(folder, what):
            os.fsync(file.fileno())
            written = time.strftime("%Y-%m-%d %H:%M:%S")
            own = {"written_ns": writer.file.stat().st_mtime_ns, "written": written}
            said = {**writer.about, **own}
            text = json.dumps({**said, "checksum": key_of(said)})
            (partial / ENTRY).write_text(text, encoding="utf-8")
            with alone(folder):
                if find(key) is None:  # else another process was faster
                    delete(folder / key)
                    partial.rename(folder / key)
