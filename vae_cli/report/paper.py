"""A paper, and when a run uses it."""

from collections.abc import Callable
from typing import NamedTuple

from vae_cli.config.train import TrainConfig


class Paper(NamedTuple):
    """A paper, and when a run uses it.

    Attributes:
        why: the method or data set that it is the source of.
        used: whether a run with this config uses it; the second argument is whether the
            report has log p(x) by importance sampling.
        bibtex: the entry.
    """

    why: str
    used: Callable[[TrainConfig, bool], bool]
    bibtex: str


def entry(key: str, kind: str, **fields: str) -> str:
    """Return a BibTeX entry."""
    lines = ",\n".join(f"  {name} = {{{value}}}" for name, value in fields.items())
    return f"@{kind}{{{key},\n{lines}\n}}"
