"""`metrics.csv`: one row per epoch."""

import csv
from pathlib import Path
from typing import Any

from vae_cli.errors import RunError
from vae_cli.runs.files import write_text
from vae_cli.runs.reading import MAX_CSV, read_bytes

PARTS = ("loss", "reconstruction_loss", "kl_loss", "neg_elbo", "active_units")
COLUMNS = (
    "epoch", "seconds", "images_per_second", "learning_rate", "beta",
    *PARTS, *(f"val_{part}" for part in PARTS),
)  # fmt: skip
"""Columns in order; those of validation stay empty without validation images. What else
an objective logs follows."""

NEEDED = {"beta", "images_per_second", "loss", "reconstruction_loss", "kl_loss"}
"""Columns that are never empty, and that the end of a run reads."""
MAX_DIGITS = 9
"""Of an epoch."""
MAX_ROWS = 200_000


USED = ("codebook_use", "perplexity")
"""Columns of discrete codes, which have no active units."""


def use_line(logs: dict[str, Any], prefix: str = "", of: str = "") -> str:
    """Return how much of the latent space is used, for a line about an epoch.

    Args:
        logs: of an epoch.
        prefix: `val_` for those of validation.
        of: latent dimensions, as `/16`.
    """
    if prefix + "active_units" in logs:
        return f"active units {logs[prefix + 'active_units']:.0f}{of}"
    use, perplexity = (logs[prefix + name] for name in USED)
    return f"codes used {use:.0%}, perplexity {perplexity:.1f}"


def append_row(path: Path, values: dict[str, Any]) -> None:
    """Add an epoch under the file's own header, which comes with the first one."""
    columns, _ = _parsed(path)
    with path.open("a", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        if not columns:
            columns = [*COLUMNS, *(name for name in values if name not in COLUMNS)]
            writer.writerow(columns)
        writer.writerow([values.get(column, "") for column in columns])


def read_rows(path: Path) -> list[dict[str, float]]:
    """Return the complete rows, empty columns left out.

    Raises:
        RunError: the file can't be read; a missing one has no rows.
    """
    columns, lines = _parsed(path)
    rows = (dict(zip(columns, line.split(","), strict=True)) for line in lines)
    return [{name: float(text) for name, text in row.items() if text} for row in rows]


def complete_rows(path: Path, epochs: int) -> list[dict[str, float]]:
    """Return the rows, of which a run needs one per epoch to be summed up.

    Raises:
        RunError: rows or columns are missing, or the file can't be read.
    """
    rows = read_rows(path)
    numbers = [row["epoch"] for row in rows[:epochs]]
    if numbers != list(range(1, epochs + 1)) or any(
        not row.keys() >= NEEDED for row in rows
    ):
        raise RunError(
            f"{path} has lost rows or columns of its {epochs} epochs, so the run can't "
            "be continued or summed up.",
            "put the file back; its weights still work in vae-generate",
        )
    return rows


def keep_epochs(path: Path, epochs: int) -> None:
    """Drop rows after `epochs`: those that a kill left behind its checkpoint."""
    columns, lines = _parsed(path)
    if columns:
        kept = [line for line in lines if int(line.split(",")[0]) <= epochs]
        write_text(path, "\n".join([",".join(columns), *kept]) + "\n")
    elif path.exists():
        write_text(path, "")


def _parsed(path: Path) -> tuple[list[str], list[str]]:
    """Return the header's columns and the complete rows; cut ones are dropped."""
    text = read_bytes(path, MAX_CSV).decode("utf-8", "replace")
    header, *lines = text.split("\n")[:-1] or [""]
    if len(lines) > MAX_ROWS:
        raise RunError(f"{path} can't be read: it has {len(lines):,} rows.")
    columns = header.split(",") if header.startswith("epoch,") else []
    if len(set(columns)) < len(columns):
        raise RunError(f"{path} can't be read: it has a column twice.")
    return columns, [line for line in lines if _whole(line, len(columns))]


def _whole(line: str, width: int) -> bool:
    cells = line.split(",")
    try:
        numbers = [float(text) for text in cells if text]
    except ValueError:
        return False
    epoch = cells[0]
    return (
        len(cells) == width
        and epoch.isascii()
        and epoch.isdigit()
        and len(epoch) <= MAX_DIGITS
        and bool(numbers)
    )
