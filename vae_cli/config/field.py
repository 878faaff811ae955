"""How a config field is declared: type, help text and the values it takes."""

from collections.abc import Iterable
from dataclasses import MISSING, field
from typing import Any


def option(
    doc: str,
    *,
    at_least: float | None = None,
    above: float | None = None,
    at_most: float | None = None,
    below: float | None = None,
    choices: Iterable[str] | None = None,
    default: Any = MISSING,
    default_factory: Any = MISSING,
) -> Any:
    """Declare a config field: its help text and the values it takes.

    Ranges and choices apply to each element where the field is a list.
    """
    metadata = {
        "doc": doc,
        "at_least": at_least,
        "above": above,
        "at_most": at_most,
        "below": below,
        "choices": tuple(choices) if choices else None,
    }
    defaulted = default is not MISSING or default_factory is not MISSING
    return field(
        default=default,
        default_factory=default_factory,
        metadata=metadata,
        kw_only=defaulted,  # so that others may follow
    )
