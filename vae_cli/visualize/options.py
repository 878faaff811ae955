"""The figure options in effect: format, resolution and colours; without matplotlib."""

import contextlib
from collections.abc import Iterator
from contextvars import ContextVar
from dataclasses import replace

from vae_cli.config.figure import FigureConfig
from vae_cli.errors import ConfigProblems

_CURRENT: ContextVar[FigureConfig | None] = ContextVar("figure", default=None)


def figure_options() -> FigureConfig:
    """Return the options of the enclosing `drawn_as`, or else the defaults."""
    return _CURRENT.get() or FigureConfig()


@contextlib.contextmanager
def drawn_as(
    figure: FigureConfig | None = None, cmap: str | None = None
) -> Iterator[None]:
    """Draw all figures within the block with these options.

    Args:
        figure: the options; None: those in effect outside the block.
        cmap: replaces the colour map of `figure`.

    Raises:
        ConfigError: there is no such colour map.
    """
    chosen = figure or figure_options()
    if cmap is not None:
        chosen = replace(chosen, cmap=cmap)
        if problems := chosen.problems():
            raise ConfigProblems(problems)
    token = _CURRENT.set(chosen)
    try:
        yield
    finally:
        _CURRENT.reset(token)
