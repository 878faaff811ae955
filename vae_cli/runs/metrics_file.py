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
        writer = csv.writer(file)
        if new:
            writer.writerow(COLUMNS)
        writer.writerow(row)


def read_rows(path: Path) -> list[dict[str, float]]:
    """Return the rows, empty columns left out; a half-written last row is dropped."""
    if not path.exists():
        return []
    with path.open(newline="", encoding="utf-8") as file:
        rows = [row for row in csv.reader(file)][1:]
    complete = [row for row in rows if len(row) == len(COLUMNS)]
    return [
        {name: float(text) for name, text in zip(COLUMNS, row, strict=True) if text}
        for row in complete
    ]


def keep_epochs(path: Path, epochs: int) -> None:
    """Drop rows after `epochs`: those that a kill left behind its checkpoint."""
    if not path.exists():
        return
    lines = path.read_text(encoding="utf-8").splitlines()
    kept = [
        line
        for line in lines[1:]
        if line.count(",") == len(COLUMNS) - 1 and int(line.split(",")[0]) <= epochs
    ]
    write_text(path, "\n".join([lines[0], *kept]) + "\n" if kept else "")
