"""What strangers wrote is printed as text, never obeyed."""

import io
import logging
from typing import Any

import pytest

from vae_cli.errors import ConfigError
from vae_cli.text import (
    PrintableFormatter,
    PrintableStream,
    printable,
    table_cell,
)

HOSTILE = [
    ("\x1b[2J", "\\x1b[2J"),
    ("\x1b]0;title\x07", "\\x1b]0;title\\x07"),
    ("a\rb", "a\\x0db"),
    ("a\nb", "a\\x0ab"),
    ("\x7f", "\\x7f"),
    ("\x9b2J", "\\x9b2J"),
    ("\u202egnp.exe", "\\u202egnp.exe"),
    ("\u2066x\u2069", "\\u2066x\\u2069"),
    ("\u2028", "\\u2028"),
    ("\ud800", "\\ud800"),
    ("\udcff", "\\udcff"),
    ("\U000e0041", "\\U000e0041"),
]


@pytest.mark.parametrize(("text", "shown"), HOSTILE)
def test_unsafe_characters_are_shown_as_escapes(text: str, shown: str) -> None:
    assert printable(text) == shown
    assert printable(printable(text)) == shown


@pytest.mark.parametrize(
    "text", ["beta=4", "C:\\data", "Zürich", "日本語", "עברית", "👩\u200d🔬", "a|b"]
)
def test_ordinary_text_stays_as_it_is(text: str) -> None:
    assert printable(text) == text


def test_table_cell_stays_in_its_line_and_column() -> None:
    assert table_cell("a|b\nc\x1b") == "a\\|b\\x0ac\\x1b"


def test_error_message_keeps_its_lines_and_nothing_else() -> None:
    error = ConfigError("a\x1b[2J is refused", "advice\u202e")
    assert str(error) == "a\\x1b[2J is refused\n  advice\\u202e"


def test_log_lines_are_printable_with_their_tracebacks() -> None:
    text = io.StringIO()
    handler = logging.StreamHandler(text)
    handler.setFormatter(PrintableFormatter("%(message)s"))
    try:
        raise ValueError("\x1b[2J")
    except ValueError:
        record = logging.getLogger().makeRecord(
            "x", logging.ERROR, "", 0, "%s", ("\x1bc\nnext",), None
        )
        import sys

        record.exc_info = sys.exc_info()
        handler.handle(record)
    assert "\x1b" not in text.getvalue()
    assert text.getvalue().startswith("\\x1bc\nnext\nTraceback")


@pytest.mark.parametrize(
    ("encoding", "shown"), [("utf-8", "ü\\udcff\n"), ("ascii", "\\xfc\\udcff\n")]
)
def test_stream_prints_names_that_its_encoding_has_not(
    encoding: str, shown: str
) -> None:
    raw = io.BytesIO()
    stream: Any = PrintableStream(io.TextIOWrapper(raw, encoding=encoding))
    print("ü\udcff", file=stream)
    stream.flush()
    assert raw.getvalue() == shown.encode(encoding)
