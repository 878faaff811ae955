r"""Text that is safe to print, from any source.

File names, labels, config values and whole run folders come from other people. What a
terminal would obey (clear the screen, set the title) or show in another order than it
is written is shown as an escape instead: `\x1b`, `\u202e`.
"""

import logging
import unicodedata
from collections.abc import Sequence
from typing import Any, TextIO

UNSAFE = ("Cc", "Cf", "Cs", "Zl", "Zp")
"""Unicode categories: controls, formats (bidi overrides among them), surrogates, line
and paragraph separators."""
JOINERS = "\u200c\u200d"
"""Formats that scripts and emoji need, and that move nothing."""


def printable(text: object, keep: str = "") -> str:
    """Return text with what isn't safe to print shown as escapes.

    Args:
        text: to print.
        keep: control characters to leave as they are, such as newlines.
    """
    text = str(text)
    if text.isascii() and text.isprintable():
        return text
    return "".join(c if c in keep or _safe(c) else _escape(c) for c in text)


def table_cell(value: object) -> str:
    """Return a value for a Markdown table: one line, without a column's bar."""
    return printable(value).replace("|", "\\|")


def shortened(texts: Sequence[str], most: int) -> list[str]:
    """Return the first of several texts; where some are left out, also how many."""
    left = len(texts) - most
    return [*texts[:most], f"and {left:,} more"] if left > 0 else list(texts)


def megabytes(size: float) -> str:
    """Return a size in MiB for people: two digits of a small one, KiB of a tiny one."""
    if 0 < size < 0.1:
        return f"{max(1, round(size * 1024))} KiB"
    return f"{size:,.0f} MiB" if size >= 10 else f"{size:.2g} MiB"


class PrintableFormatter(logging.Formatter):
    """Formats log records, tracebacks included, so that they are safe to print."""

    def format(self, record: logging.LogRecord) -> str:
        """Return a record's text."""
        return printable(super().format(record), keep="\n\t")


class PrintableStream:
    """A text stream on which everything is safe to print.

    Characters that its encoding doesn't have are escaped too, rather than fail.

    Args:
        stream: to write to; what isn't writing is left to it.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """Write text; returns how many characters of it."""
        safe = printable(text, keep="\n\t")
        encoding = getattr(self._stream, "encoding", None) or "utf-8"
        self._stream.write(safe.encode(encoding, "backslashreplace").decode(encoding))
        return len(text)

    def writelines(self, lines: list[str]) -> None:
        """Write several texts."""
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def _safe(character: str) -> bool:
    return unicodedata.category(character) not in UNSAFE or character in JOINERS


def _escape(character: str) -> str:
    if character.isascii():
        return f"\\x{ord(character):02x}"
    return character.encode("ascii", "backslashreplace").decode()
