"""Codes of images in a file: CSV, Parquet or NumPy arrays, whole or not at all."""

import csv
import itertools
import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from vae_cli.errors import ConfigError
from vae_cli.runs.files import whole_file

ROW_GROUP = 8192
"""Rows of a Parquet file that are held before they are written."""


@dataclass(frozen=True)
class Codes:
    """Codes of some images.

    Attributes:
        names: of the files, or such as `test[12]`, safe to print.
        labels: name of each image's class; empty where it has none.
        mean: of q(z|x), float32 [n, latent_dim].
        log_var: of q(z|x), float32 [n, latent_dim].
        scores: name -> float32 [n].
        splits: name of each image's split, where there are several.
        factors: name -> value of each factor of the images, float32 [n], where known.
        fraction: fraction of all images that is encoded by now.
        codes: int32 [n, h, w], the numbers of discrete codes; None for real vectors.
    """

    names: list[str]
    labels: list[str]
    mean: np.ndarray
    log_var: np.ndarray
    scores: dict[str, np.ndarray] = field(default_factory=dict)
    splits: list[str] | None = None
    fraction: float = 1.0
    factors: dict[str, np.ndarray] = field(default_factory=dict)
    codes: np.ndarray | None = None

    def columns(self) -> dict[str, list[str] | np.ndarray]:
        """Return the columns of a table of these codes, by name."""
        splits = {} if self.splits is None else {"split": self.splits}
        return {
            "image": self.names,
            **splits,
            "label": self.labels,
            **self._factors,
            **{
                f"{name}_{i}": column
                for name, values in self._values().items()
                for i, column in enumerate(values.reshape(len(values), -1).T)
            },
            **self.scores,
        }

    def arrays(self) -> dict[str, np.ndarray]:
        """Return what a file of arrays holds."""
        splits = {} if self.splits is None else {"splits": np.array(self.splits)}
        return {
            "names": np.array(self.names),
            **splits,
            "labels": np.array(self.labels),
            **self._factors,
            **self._values(),
            **self.scores,
        }

    @property
    def _factors(self) -> dict[str, np.ndarray]:
        return {f"factor_{name}": values for name, values in self.factors.items()}

    def _values(self) -> dict[str, np.ndarray]:
        """Return what is written of the codes themselves, [n, ...] each."""
        if self.codes is not None:
            return {"code": self.codes}
        return {"mean": self.mean, "log_var": self.log_var}


def joined(parts: list[Codes]) -> Codes:
    """Return codes that came one after another as one."""
    splits = [split for part in parts for split in part.splits or ()]
    found = [part.codes for part in parts if part.codes is not None]
    return Codes(
        [name for part in parts for name in part.names],
        [label for part in parts for label in part.labels],
        np.concatenate([part.mean for part in parts]),
        np.concatenate([part.log_var for part in parts]),
        {
            name: np.concatenate([part.scores[name] for part in parts])
            for name in parts[0].scores
        },
        splits or None,
        parts[-1].fraction,
        {
            name: np.concatenate([part.factors[name] for part in parts])
            for name in parts[0].factors
        },
        None if parts[0].codes is None else np.concatenate(found),
    )


def check_codes_file(path: Path) -> None:
    """Refuse a file that can't be written for want of a package.

    Raises:
        ConfigError: it is a Parquet file, and pyarrow is not installed.
    """
    if path.suffix.lower() == ".parquet" and find_spec("pyarrow") is None:
        raise ConfigError(
            f"output={path}: Parquet files are written by pyarrow, which is not "
            "installed.",
            "pip install pyarrow, or write another kind of file: "
            f"output={path.with_suffix('.csv')}",
        )


def write_codes(path: Path, codes: Iterable[Codes]) -> int:
    """Write codes in the format of the file's suffix, as they are computed.

    Args:
        path: ends in .csv, .parquet or .npz.
        codes: at least one.

    Returns:
        the number of images.

    Raises:
        OSError: it can't be written; nothing is left then, nor after other errors.
    """
    parts = iter(codes)
    first = next(parts)  # what can't be encoded at all leaves no folder
    path.parent.mkdir(parents=True, exist_ok=True)
    with whole_file(path) as temporary:
        return WRITERS[path.suffix.lower()](temporary, itertools.chain([first], parts))


def _write_csv(path: Path, parts: Iterator[Codes]) -> int:
    count = 0
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        for part in parts:
            columns = part.columns()
            if not count:
                writer.writerow(columns)
            # text of a float32 is the shortest that reads back as the same
            cells = [list(map(str, values)) for values in columns.values()]
            writer.writerows(zip(*cells, strict=True))
            count += len(part.names)
        file.flush()
        os.fsync(file.fileno())
    return count


def _write_parquet(path: Path, parts: Iterator[Codes]) -> int:
    import pyarrow
    from pyarrow.parquet import ParquetWriter

    def table(part: Codes) -> pyarrow.Table:
        arrays = {
            name: pyarrow.array([v or None for v in values], pyarrow.string())
            if isinstance(values, list)
            else pyarrow.array(values)
            for name, values in part.columns().items()
        }
        return pyarrow.table(arrays)

    count = 0
    with path.open("wb") as file:
        writer = None
        for part in _row_groups(parts):
            rows = table(part)
            writer = writer or ParquetWriter(file, rows.schema)
            writer.write_table(rows)
            count += len(part.names)
        assert writer  # noqa: S101  there is at least one
        writer.close()
        os.fsync(file.fileno())
    return count


def _row_groups(parts: Iterator[Codes]) -> Iterator[Codes]:
    """Yield codes, at least `ROW_GROUP` of them together."""
    waiting: list[Codes] = []
    for part in parts:
        waiting.append(part)
        if sum(len(one.names) for one in waiting) >= ROW_GROUP:
            yield joined(waiting)
            waiting = []
    if waiting:
        yield joined(waiting)


def _write_npz(path: Path, parts: Iterator[Codes]) -> int:
    whole = joined(list(parts))
    with path.open("wb") as file:
        np.savez_compressed(file, allow_pickle=False, **whole.arrays())
    return len(whole.names)


WRITERS: dict[str, Callable[[Path, Iterator[Codes]], int]] = {
    ".csv": _write_csv,
    ".parquet": _write_parquet,
    ".npz": _write_npz,
}
"""Suffix -> what writes a file of it."""
