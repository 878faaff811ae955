"""Small building blocks of the page."""

from collections.abc import Callable
from typing import Any

from nicegui import ui

MAX_BUTTONS = 12
"""Up to this many classes have a button each; more are in a list."""
MAX_CHARACTERS = 48
"""Likewise for the names of all classes together."""


def heading(text: str, level: int = 3, hidden: bool = False) -> None:
    """Add a heading; a hidden one is only for screen readers."""
    shown = ui.html(text, tag=f"h{level}", sanitize=escaped)
    if hidden:
        shown.classes("ve-hidden")


def quiet(text: str) -> None:
    """Add an explanation."""
    ui.html(text, tag="p", sanitize=escaped)


def button(text: str, clicked: Callable[..., Any]) -> ui.button:
    """Add a small button."""
    return ui.button(text, on_click=clicked, color=None).props("dense no-caps outline")


def class_choice(classes: dict[int, str], chosen: int | None) -> ui.toggle | ui.select:
    """Add a control to choose a class; its value is the class number."""
    names = classes.values()
    with ui.element("div").props('role="group" aria-label="Class to decode as"'):
        if len(classes) <= MAX_BUTTONS and len("".join(names)) <= MAX_CHARACTERS:
            buttons = ui.toggle(classes, value=chosen).classes("ve-classes")
            buttons.props("dense no-caps size=sm spread")
            return buttons
        choice = ui.select(classes, value=chosen, label="Class")
        choice.props("dense outlined options-dense")
        return choice


def thumbnail(name: str) -> ui.element:
    """Add a small picture with a caption; returns the picture."""
    with ui.element("figure").classes("ve-small"):
        image = ui.element("img").classes("ve-thumb")
        image.props["alt"] = name
        with ui.element("figcaption"):
            ui.label(name)
    return image


def card(name: str = "") -> ui.element:
    """Add an empty card; returns it."""
    return ui.element("div").classes(f"ve-card {name}")


def strip(alt: str) -> ui.element:
    """Add a wide picture; returns it."""
    return ui.element("img").classes("ve-strip").props(f'alt="{alt}"')


def show(image: ui.element, url: str) -> None:
    """Replace a picture."""
    image.props["src"] = url


def escaped(text: str) -> str:
    """Return text escaped for HTML."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
