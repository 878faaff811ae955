"""The one writer of reports: Markdown tables, CSV, and errors of the disk."""

import contextlib
import csv
import io
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from vae_cli.errors import RunError
from vae_cli.text import table_cell


@contextlib.contextmanager
def writing(place: Path | str, *advice: str) -> Iterator[None]:
    """Turn an error of the disk into ours.

    Args:
        place: what is written, where the error doesn't say.
        advice: what to do instead.

    Raises:
        RunError: a file can't be written.
    """
    try:
        yield
    except OSError as error:
        raise RunError(
            f"{error.filename or place} can't be written: {error.strerror or error}.",
            *advice,
        ) from error


def markdown_table(header: Iterable[Any], rows: Iterable[Iterable[Any]]) -> list[str]:
    """Return the lines of a Markdown table, special characters escaped."""
    header = list(header)
    lines = [header, ["---"] * len(header), *rows]
    return [f"| {' | '.join(map(table_cell, line))} |" for line in lines]


def csv_text(rows: Iterable[Iterable[Any]]) -> str:
    """Return rows as CSV, a header among them."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue()
