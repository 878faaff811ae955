"""`metrics.csv`: one row an epoch."""

import csv
from pathlib import Path
from typing import Any

from vae_cli.runs.files import write_text

PARTS = ("loss", "reconstruction_loss", "kl_loss", "neg_elbo", "active_units")
COLUMNS = (
    "epoch", "seconds", "images_per_second", "learning_rate", "beta",
    *PARTS, *(f"val_{part}" for part in PARTS),
)  # fmt: skip
"""Columns in order; those of validation stay empty without validation images."""


def append_row(path: Path, values: dict[str, Any]) -> None:
    """Add an epoch; the header comes with the first one."""
    row = [values.get(column, "") for column in COLUMNS]
    new = not path.exists() or not path.stat().st_size
    with path.open("a", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        if new:
            writer.writerow(COLUMNS)
        writer.writerow(row)


def read_rows(path: Path) -> list[dict[str, float]]:
    """Return the complete rows, empty columns left out."""
    return [
        {name: float(text) for name, text in zip(COLUMNS, cells, strict=True) if text}
        for _, cells in _complete(path)
    ]


def keep_epochs(path: Path, epochs: int) -> None:
    """Drop rows after `epochs`: those that a kill left behind its checkpoint."""
    if not path.exists():
        return
    kept = [line for line, cells in _complete(path) if int(cells[0]) <= epochs]
    write_text(path, "".join([",".join(COLUMNS) + "\n", *kept]) if kept else "")


def _complete(path: Path) -> list[tuple[str, list[str]]]:
    """Return each row's line and cells; a row that was cut short is dropped."""
    if not path.exists():
        return []
    rows = []
    for line in path.read_text(encoding="utf-8").splitlines(keepends=True)[1:]:
        cells = line.rstrip("\n").split(",")
        if line.endswith("\n") and len(cells) == len(COLUMNS) and _numbers(cells):
            rows.append((line, cells))
    return rows


def _numbers(cells: list[str]) -> bool:
    try:
        return bool([float(text) for text in cells if text])
    except ValueError:
        return False
