"""Reading a run folder's files, which anyone may have written.

Each format has one reader. It looks at a file's kind and size before it reads, and at
depth, types and ranges before it returns: what comes back can be used, and what can't
be used is a `RunError` that names the file.
"""

import json
import math
import os
import re
import stat
import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from vae_cli.errors import RunError

MAX_YAML = 64 * 2**10
"""Bytes of a config.yaml; ours have some 3 kB."""
MAX_JSON = 4 * 2**20
"""Bytes of a JSON file."""
MAX_CSV = 64 * 2**20
"""Bytes of a metrics.csv: some 250,000 epochs."""
MAX_DEPTH = 20
"""Lists and mappings within each other."""
MAX_INTEGER = 2**63 - 1
"""The largest integer that NumPy, TensorFlow and the formats share."""


def read_bytes(path: Path, most: int) -> bytes:
    """Return a regular file's content, nothing for a missing one.

    Args:
        path: the file.
        most: bytes that it may have; a larger one is not read.

    Raises:
        RunError: it is a folder or a pipe, too large, or can't be read.
    """
    try:
        return _content(path, most)
    except FileNotFoundError:
        return b""
    except (OSError, ValueError) as error:
        raise _unreadable(path, error) from error


def read_json(path: Path) -> dict[str, Any]:
    """Return the object that a JSON file holds.

    Raises:
        RunError: it is missing, or holds anything else; NaN, infinities and integers
            beyond 64 bits are refused too.
    """
    try:
        values = json.loads(
            _content(path, MAX_JSON).decode("utf-8"),
            parse_int=_integer,
            parse_float=_float,
            parse_constant=_float,
        )
        if not isinstance(values, dict):
            raise ValueError("it holds no object")
        _check_depth(values)
    except (OSError, ValueError, RecursionError) as error:
        raise _unreadable(path, error) from error
    return values


def read_yaml(path: Path) -> dict[str, Any]:
    """Return the mapping that a YAML file holds: plain values, nothing executed.

    Raises:
        FileNotFoundError: there is no such file.
        RunError: it holds anything else than what `config.yaml` is written with.
    """
    try:
        text = _content(path, MAX_YAML).decode("utf-8")
        _check_events(text)
        values = yaml.load(text, Loader=_PlainLoader)
        if not isinstance(values, dict):
            raise ValueError("it holds no config")
    except FileNotFoundError:
        raise
    except (OSError, ValueError, RecursionError, yaml.YAMLError) as error:
        raise _unreadable(path, error) from error
    return values


def read_arrays(path: Path, most: int) -> dict[str, np.ndarray]:
    """Return the arrays of an .npz file.

    Args:
        path: the file.
        most: bytes that the unpacked arrays may have, all together.

    Raises:
        RunError: it is missing, damaged, or holds more.
    """
    try:
        _check_regular(path)
        if not zipfile.is_zipfile(path):
            raise ValueError("it is not an .npz file, or cut short")
        with np.load(path, allow_pickle=False) as file:
            held = sum(entry.file_size for entry in file.zip.infolist())
            if held > most:
                raise ValueError(f"it holds {held:,} bytes, {most:,} at most fit")
            return {name: file[name] for name in file.files}
    except (
        OSError, ValueError, KeyError, EOFError, OverflowError, MemoryError,
        NotImplementedError, RuntimeError, SyntaxError, zipfile.BadZipFile, zlib.error,
    ) as error:  # fmt: skip
        raise _unreadable(path, error) from error


def check_number(value: Any, key: str) -> float | None:
    """Return a finite number or None.

    Raises:
        ValueError: it is neither.
    """
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise ValueError(f"{key} must be a number, got {type(value).__name__}")
    if not math.isfinite(value):
        raise ValueError(f"{key}={value} must be a finite number")
    return float(value)


def _content(path: Path, most: int) -> bytes:
    size = _check_regular(path)
    if size > most:
        raise ValueError(f"it has {size:,} bytes, {most:,} at most")
    with path.open("rb") as file:
        return file.read(most)


def _check_regular(path: Path) -> int:
    """Return a file's size; a pipe would be read for ever."""
    status = path.stat()
    if not stat.S_ISREG(status.st_mode):
        raise ValueError("it is not a regular file")
    return status.st_size


def _unreadable(path: Path, error: Exception) -> RunError:
    reason = error.strerror if isinstance(error, OSError) else str(error)
    if isinstance(error, RecursionError):
        reason = "it is nested too deeply"
    if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark:
        reason = f"{error.problem} in line {error.problem_mark.line + 1}"
    return RunError(f"{path} can't be read: {reason or type(error).__name__}.")


def _integer(text: str) -> int:
    if len(text) > 20 or abs(int(text)) > MAX_INTEGER:
        raise ValueError(f"integer {text[:20]}... is out of range")
    return int(text)


def _float(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"{text[:20]} is not a finite number")
    return value


def _check_depth(values: Any) -> None:
    level = [values]
    for _ in range(MAX_DEPTH):
        level = [
            inner
            for outer in level
            if isinstance(outer, (dict, list))
            for inner in (outer.values() if isinstance(outer, dict) else outer)
        ]
    if any(isinstance(value, (dict, list)) for value in level):
        raise ValueError("it is nested too deeply")


def _check_events(text: str) -> None:
    """Refuse what no config of ours has while it is scanned, before it is built.

    Deep nesting keeps the scanner busy for minutes; a few nested aliases stand for
    more than fits in memory; tags name other types.
    """
    depth = 0
    for event in yaml.parse(text, Loader=_PlainLoader):
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
            raise ValueError("it has YAML aliases, which no config of ours has")
        if tag := getattr(event, "tag", None):
            raise ValueError(f"it has the YAML tag {tag}")
        depth += isinstance(event, yaml.CollectionStartEvent)
        depth -= isinstance(event, yaml.CollectionEndEvent)
        if depth > MAX_DEPTH:
            raise ValueError("it is nested too deeply")


class _PlainLoader(yaml.SafeLoader):
    """Reads text, decimal numbers, booleans and null; YAML 1.1 has more.

    Everything here is a number, a boolean or null to `yaml.safe_dump` too, which
    quotes text that looks like one: what was saved as text is read as text.
    """

    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012 (as PyYAML has it)

    def construct_scalar(self, node: Any) -> Any:
        """Return a scalar's text; no file name and no setting holds a NUL."""
        text = super().construct_scalar(node)
        if "\0" in text:
            raise ValueError("it has a NUL character")
        os.fsencode(text)  # lone surrogates fail, a file name's odd bytes don't
        return text

    def plain_int(self, node: Any) -> int:
        """Return an integer of 64 bits."""
        return _integer(self.construct_scalar(node))

    def plain_float(self, node: Any) -> float:
        """Return a finite number."""
        return _float(self.construct_scalar(node))


for _tag, _pattern, _first in (
    ("bool", r"true|false", "tf"),
    ("int", r"[-+]?(0|[1-9][0-9]*)", "-+0123456789"),
    ("float", r"[-+]?[0-9]+\.[0-9]*([eE][-+][0-9]+)?", "-+0123456789"),
    ("null", r"null|~|", ["n", "~", ""]),
):
    _PlainLoader.add_implicit_resolver(
        f"tag:yaml.org,2002:{_tag}", re.compile(f"^({_pattern})$"), list(_first)
    )
_PlainLoader.add_constructor("tag:yaml.org,2002:int", _PlainLoader.plain_int)
_PlainLoader.add_constructor("tag:yaml.org,2002:float", _PlainLoader.plain_float)
