"""Writing files so that a reader, or a resumed run, never sees half of one."""

import json
import os
from pathlib import Path
from typing import Any

import numpy as np


def write_text(path: Path, text: str) -> None:
    """Write a whole file or nothing."""
    # a name of its own, should two processes write
    temporary = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        with temporary.open("w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise


def write_json(path: Path, values: Any) -> None:
    """Write readable JSON, whole or not at all."""
    write_text(path, json.dumps(values, indent=2, allow_nan=False) + "\n")


def write_npz(path: Path, arrays: dict[str, np.ndarray]) -> None:
    """Write arrays to a compressed .npz, whose name may end in anything."""
    path.parent.mkdir(parents=True, exist_ok=True)
    content: dict[str, Any] = dict(arrays)
    with path.open("wb") as file:
        np.savez_compressed(file, **content)
