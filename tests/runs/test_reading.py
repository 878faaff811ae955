"""Files of a run folder that anyone may have written are looked at before use."""

import dataclasses
import json
import os
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from tests.helpers import sized
from vae_cli.data_spec import DataSpec
from vae_cli.errors import RunError
from vae_cli.runs.metrics_file import COLUMNS, keep_epochs, read_rows
from vae_cli.runs.reading import (
    MAX_CSV,
    MAX_JSON,
    MAX_YAML,
    check_number,
    read_arrays,
    read_bytes,
    read_json,
    read_yaml,
)

Reader = Callable[[Path], Any]

READERS: dict[str, Reader] = {
    "json": read_json,
    "yaml": read_yaml,
    "npz": lambda path: read_arrays(path, 10_000),
    "csv": read_rows,
}


def written(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


def refused(reader: Reader, path: Path, part: str = "") -> None:
    """Check that a file is refused by its name, at once."""
    began = time.monotonic()
    with pytest.raises(RunError) as error:
        reader(path)
    assert str(error.value).startswith(f"{path} can't be read: {part}")
    assert time.monotonic() - began < 5


@pytest.mark.parametrize("reader", READERS.values(), ids=READERS)
@pytest.mark.parametrize("kind", ["folder", "pipe", "device"])
def test_what_is_no_regular_file_is_not_opened(
    reader: Reader, kind: str, tmp_path: Path
) -> None:
    path = tmp_path / "file"
    if kind == "folder":
        path.mkdir()
    elif kind == "pipe":
        os.mkfifo(path)
    else:
        path.symlink_to("/dev/zero")
    refused(reader, path, "it is not a regular file")


@pytest.mark.parametrize(
    ("reader", "most"),
    [(read_json, MAX_JSON), (read_yaml, MAX_YAML), (read_rows, MAX_CSV)],
)
def test_size_is_limited_before_anything_is_read(
    reader: Reader, most: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "file"
    with path.open("wb") as file:
        file.truncate(most + 1)
    monkeypatch.setattr(Path, "open", None)
    refused(reader, path, f"it has {most + 1:,} bytes, {most:,} at most")


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("", ""),
        ("null", "it holds no object"),
        ("[]", "it holds no object"),
        ('"text"', "it holds no object"),
        ('{"a": NaN}', "NaN is not a finite number"),
        ('{"a": -Infinity}', "-Infinity is not a finite number"),
        ('{"a": 1e999}', "1e999 is not a finite number"),
        ('{"a": ' + "9" * 400 + "}", f"integer {'9' * 20}... is out of range"),
        ('{"a": ' + "9" * 5000 + "}", f"integer {'9' * 20}... is out of range"),
        ('{"a": ' + "[" * 100_000, "it is nested too deeply"),
        ('{"a": ' + "[" * 100 + "]" * 100 + "}", "it is nested too deeply"),
    ],
    ids=lambda value: value[:20],
)  # fmt: skip
def test_json_that_is_not_ours_is_refused(text: str, part: str, tmp_path: Path) -> None:
    refused(read_json, written(tmp_path / "file.json", text), part)


@pytest.mark.parametrize(
    "text",
    [
        "[" * 60_000,
        "a: " + "{a: " * 10_000,
        "- " * 30_000,
        "a: &x [1]\nb: [*x, *x]\n",
        "a: &x 1\n",
        "a: !!int 3\n",
        "a: !!python/object/apply:os.getcwd []\n",
        "a: !!binary aGk=\n",
        "a: " + "9" * 5_000,
        "a: " + "9" * 25,
        "a: 1.0e+999\n",
        "a: " + "9" * 400 + ".0",
        'a: "\\uD800"\n',
        'a: "\\0"\n',
        "? [a]\n: 1\n",
        "- 1\n",
        "a: b: c\n",
        "",
    ],
    ids=lambda value: value[:20],
)
def test_yaml_that_no_config_of_ours_has_is_refused(text: str, tmp_path: Path) -> None:
    refused(read_yaml, written(tmp_path / "config.yaml", text))


@pytest.mark.parametrize(
    "text", ["0x10", "0o7", "010", "1_000", "1:30", "yes", "on", "2001-01-01", ".inf"]
)
def test_what_only_yaml_knows_as_a_value_is_text(text: str, tmp_path: Path) -> None:
    file = written(tmp_path / "config.yaml", f"a: {text}\n")
    assert read_yaml(file) == {"a": text}


@pytest.mark.parametrize(
    "value",
    [
        *(0, -3, 2**63 - 1, 0.5, 1e-7, -2.5e30, 1e16, True, False, None, "", "null"),
        *("true", "~", "1", "1.5", "1e5", "1.0e+5", "0x10", "1:30", "yes", "<<", "="),
        *("2001-01-01", " a ", "a: b", "ü", "\udcff", "\x1b[2J", "${a}", "!!int 3"),
        *([1, [2.5, "a"]], [], {"b": {"c": None}}, "x" * 500, "a\nb"),
    ],
    ids=repr,
)
def test_yaml_comes_back_as_it_was_saved(value: Any, tmp_path: Path) -> None:
    file = written(tmp_path / "config.yaml", yaml.safe_dump({"a": value}))
    assert read_yaml(file) == {"a": value}


def test_largest_config_of_ours_is_far_below_the_limits(tmp_path: Path) -> None:
    config = sized("hierarchy=two_level", "prior=vamp", "corruption=half")
    text = yaml.safe_dump(dataclasses.asdict(config))
    assert len(text) < MAX_YAML / 10
    assert read_yaml(written(tmp_path / "config.yaml", text))["latent_dim"]


@pytest.mark.parametrize(
    "cells",
    ["inf,1,1", "1e300,1,1", "-1,1,1", "²,1,1", "1,1", "1,1,x", "9" * 400 + ",1,1", ""],
    ids=lambda value: value[:10],
)
def test_row_that_is_not_ours_is_dropped(cells: str, tmp_path: Path) -> None:
    file = written(tmp_path / "metrics.csv", f"epoch,loss,beta\n1,2,3\n{cells}\n")
    assert read_rows(file) == [{"epoch": 1.0, "loss": 2.0, "beta": 3.0}]
    keep_epochs(file, 5)
    assert file.read_text() == "epoch,loss,beta\n1,2,3\n"


def test_column_that_comes_twice_is_refused(tmp_path: Path) -> None:
    refused(read_rows, written(tmp_path / "metrics.csv", "epoch,epoch\n1,inf\n"))


def test_missing_metrics_are_empty(tmp_path: Path) -> None:
    assert read_bytes(tmp_path / "metrics.csv", 10) == b""
    assert "epoch" in COLUMNS


@pytest.mark.parametrize("content", [b"", b"abc", b"PK\x03\x04", b"\x93NUMPY\x01\x00"])
def test_what_is_no_npz_file_is_refused(content: bytes, tmp_path: Path) -> None:
    file = tmp_path / "state.npz"
    file.write_bytes(content)
    refused(READERS["npz"], file)


def test_npz_file_cut_short_anywhere_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "state.npz"
    np.savez(file, a=np.arange(5), b=np.ones((2, 2)))
    whole = file.read_bytes()
    for end in range(0, len(whole), 37):
        file.write_bytes(whole[:end])
        refused(READERS["npz"], file)


def test_npz_file_that_unpacks_to_more_than_fits_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "state.npz"
    np.savez_compressed(file, a=np.zeros(10_000_000, np.uint8))
    assert file.stat().st_size < 100_000
    refused(READERS["npz"], file, "it holds 10,000,128 bytes, 10,000 at most fit")


def test_npz_file_of_pickles_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "state.npz"
    np.savez(file, a=np.array([{}], dtype=object))
    refused(READERS["npz"], file)


def test_npz_file_with_an_absurd_header_is_refused(tmp_path: Path) -> None:
    header = b"{'descr': '<f4', 'fortran_order': False, 'shape': (-1, 10**30)}"
    with zipfile.ZipFile(tmp_path / "state.npz", "w") as file:
        content = b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header
        file.writestr("a.npy", content)
    refused(READERS["npz"], tmp_path / "state.npz")


@pytest.mark.parametrize("value", ["1", True, [1], float("nan"), float("inf"), {}])
def test_what_is_no_finite_number_is_no_figure(value: Any) -> None:
    with pytest.raises(ValueError, match=r"^nll\W"):
        check_number(value, "nll")


@pytest.mark.parametrize("value", [None, 0, -2, 1.5])
def test_figure_is_a_number_or_missing(value: Any) -> None:
    assert check_number(value, "nll") == value


SPEC = {"image_shape": [4, 5, 1], "binary": False, "num_classes": 3, "labels": [0, 2]}


@pytest.mark.parametrize(
    "changed",
    [
        *(
            {"image_shape": s}
            for s in (784, "abc", [784], [4, 5], [0, 5, 1], [4, -5, 1])
        ),
        *({"image_shape": s} for s in ([1e30] * 3, [2**16] * 3, [4, 5, True], None)),
        *({"binary": b} for b in (1, "x", None)),
        *({"num_classes": n} for n in (0, -1, 10**18, 2.5, "3", [])),
        *({"labels": x} for x in (3, "02", [0.5], [-1], [None])),
    ],
    ids=str,
)
def test_data_record_out_of_range_is_refused(changed: dict[str, Any]) -> None:
    values = json.loads(json.dumps({**SPEC, **changed}))
    with pytest.raises((ValueError, TypeError), match=next(iter(changed))):
        DataSpec.from_json(values)
    assert DataSpec.from_json(SPEC).labels == (0, 2)
