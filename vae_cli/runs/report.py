"""The one writer of reports: Markdown tables, CSV, and errors of the disk."""

import contextlib
import csv
import io
import textwrap
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vae_cli.errors import RunError
from vae_cli.text import printable, table_cell

WIDTH = 100
"""Of a terminal, in characters."""


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


@dataclass(frozen=True)
class Section:
    """A table of the report.

    Attributes:
        title: of the section.
        rows: cells, as many in each.
        header: of the columns; none where the first column names what is in the second.
        note: a line below it.
    """

    title: str
    rows: list[tuple[Any, ...]]
    header: tuple[str, ...] = ()
    note: str = ""

    def text(self) -> list[str]:
        """Return the lines of the section for a terminal, in columns."""
        rows = [self.header, *self.rows] if self.header else self.rows
        cells = [[printable(cell) for cell in row] for row in rows]
        widths = [max(map(len, column)) for column in zip(*cells, strict=True)][:-1]
        begin = sum(widths) + 2 * (len(widths) + 1)
        lines = [self.title]
        for *first, last in cells:
            left = "".join(f"  {c:<{w}}" for c, w in zip(first, widths, strict=True))
            wide = max(30, WIDTH - begin)
            parts = textwrap.wrap(last, wide, break_on_hyphens=False) or [""]
            lines.append(f"{left}  {parts[0]}".rstrip())
            lines += [" " * begin + part for part in parts[1:]]
        return [*lines, *([f"  {self.note}"] if self.note else []), ""]

    def markdown(self) -> list[str]:
        """Return the lines of the section as Markdown."""
        header = self.header or ("", "")
        lines = [f"## {self.title}", "", *markdown_table(header, self.rows), ""]
        return [*lines, *([self.note, ""] if self.note else [])]
