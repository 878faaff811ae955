"""How options are declared: types, help texts and the values they take."""

from collections.abc import Iterable
from dataclasses import MISSING, dataclass, field
from typing import Any

from vae_cli.registry import NO_RULE, name_of


def option(
    doc: str,
    *,
    at_least: float | None = None,
    above: float | None = None,
    at_most: float | None = None,
    below: float | None = None,
    choices: Iterable[str] | None = None,
    by_size: bool = False,
    default: Any = MISSING,
    default_factory: Any = MISSING,
) -> Any:
    """Declare a config field: its help text and the values it takes.

    Ranges and choices apply to each element where the field is a list. One that is
    chosen `by_size` of the images may be null until `vae_cli.config.by_size.resolved`
    has chosen it; its type is that of the choice.
    """
    metadata = NO_RULE | {
        "doc": doc,
        "at_least": at_least,
        "above": above,
        "at_most": at_most,
        "below": below,
        "choices": tuple(choices) if choices else None,
        "by_size": by_size,
    }
    return field(
        default=default,
        default_factory=default_factory,
        metadata=metadata,
        kw_only=True,  # so that one without a default may follow
    )


@dataclass
class Options:
    """Base of the options of every config group."""

    name: str = option("which option", default="")

    def __post_init__(self) -> None:
        self.name = self.name or name_of(type(self))

    def problems(self) -> list[str]:
        """Return inconsistencies between fields."""
        return []
