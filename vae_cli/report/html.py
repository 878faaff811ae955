"""HTML with escaped text: names of files, classes and keys are untrusted."""

import html
import re
from collections.abc import Iterable, Sequence
from typing import Any

from vae_cli.text import printable


class Html(str):
    """Text that is already HTML; all other text is escaped."""

    __slots__ = ()


def joined(*content: Any) -> Html:
    """Return contents concatenated, escaped unless they are `Html`."""
    return Html("".join(c if isinstance(c, Html) else _escaped(c) for c in content))


def element(name: str, /, *content: Any, **attributes: str) -> Html:
    """Return an element; `class_` is `class`, `aria_label` is `aria-label`."""
    given = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{_escaped(value)}"'
        for key, value in attributes.items()
    )
    if name in ("img", "meta"):
        return Html(f"<{name}{given}>\n")
    return Html(f"<{name}{given}>{joined(*content)}</{name}>\n")


def table(
    header: Sequence[Any], rows: Iterable[Sequence[Any]], caption: str = ""
) -> Html:
    """Return a table whose first column names the rows; wide tables scroll.

    On a narrow screen, the cells of a row of more than two columns are below each
    other, each with the title of its column.
    """
    lines = [
        element(
            "tr",
            element("th", row[0], scope="row"),
            *(
                element("td", cell, data_title=str(title))
                for title, cell in zip(header[1:], row[1:], strict=True)
            ),
        )
        for row in rows
    ]
    heads = (element("th", title, scope="col") for title in header)
    parts = [element("caption", caption)] if caption else []
    parts += [element("thead", element("tr", *heads)), element("tbody", *lines)]
    return element(
        "div",
        element("table", *parts),
        class_="wide stacked" if len(header) > 2 else "wide",
        role="region",
        aria_label=caption or ", ".join(map(str, filter(None, header))),
        tabindex="0",
    )


def breakable(name: str) -> Html:
    """Return a name of keys and values that lines break between, not within words."""
    parts = re.split(r"(?<=[,/])" if "," in name else r"(?<=[_=./])", name)
    return Html("<wbr>".join(map(_escaped, filter(None, parts))))


def folded(title: str, *content: Any) -> Html:
    """Return content that is shown when its title is clicked, and in print."""
    return element("details", element("summary", title), *content)


def code(text: str) -> Html:
    """Return preformatted text."""
    return element("pre", element("code", text), tabindex="0")


def _escaped(text: Any) -> str:
    return html.escape(printable(text, keep="\n"))
