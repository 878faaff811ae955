"""Writing files so that a reader, or a resumed run, never sees half of one."""

import contextlib
import json
import math
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from vae_cli.errors import RunError


@contextlib.contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Yield a file to write; at the end of the block it takes the place of `path`.

    What is there, a symbolic link or a pipe too, is replaced and not written to.
    """
    # its own name, in case two processes write
    temporary = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        temporary.unlink(missing_ok=True)
        yield temporary
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def write_text(path: Path, text: str) -> None:
    """Write a whole file or nothing."""
    # names of files may hold bytes that are no UTF-8
    how: dict[str, Any] = {"encoding": "utf-8", "errors": "backslashreplace"}
    with whole_file(path) as temporary, temporary.open("w", **how) as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())


def write_json(path: Path, values: Any) -> None:
    """Write readable JSON, whole or not at all.

    Raises:
        RunError: a figure is NaN or infinite; nothing is written.
    """
    check_finite(path, values)
    write_text(path, json.dumps(values, indent=2, allow_nan=False) + "\n")


def check_name(folder: Path) -> None:
    """Refuse a folder that TensorFlow, whose names are UTF-8, can't write to.

    Raises:
        RunError: its name holds other bytes.
    """
    try:
        str(folder.absolute()).encode()
    except UnicodeEncodeError as error:
        raise RunError(
            f"The run folder {folder} can't be written: its name is not UTF-8.",
            "rename it, or choose another with run_dir=<folder>",
        ) from error


def check_finite(path: Path, values: Any, key: str = "") -> None:
    """Refuse figures that say nothing, before any is written.

    Args:
        path: where they would go, for the message.
        values: to be written as JSON.
        key: of the values, for the message.

    Raises:
        RunError: one is NaN or infinite.
    """
    inner: Any = ()
    if isinstance(values, dict):
        inner = values.items()
    elif isinstance(values, (list, tuple)):
        inner = enumerate(values)
    for name, value in inner:
        check_finite(path, value, f"{key}.{name}" if key else str(name))
    if isinstance(values, float) and not math.isfinite(values):
        raise RunError(
            f"{path} is not written: {key} is {values}.",
            "the model's weights are damaged or too large; try the other checkpoint: "
            "checkpoint=best or checkpoint=last",
        )


def write_npz(path: Path, arrays: dict[str, np.ndarray]) -> None:
    """Write arrays to a compressed .npz."""
    path.parent.mkdir(parents=True, exist_ok=True)
    content: dict[str, Any] = dict(arrays)
    with whole_file(path) as temporary, temporary.open("wb") as file:
        np.savez_compressed(file, **content)
