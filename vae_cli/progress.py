"""How much of long work is done: a bar in a terminal, lines in the log elsewhere."""

import contextlib
import logging
import sys
import time
from collections.abc import Callable, Iterator

from vae_cli.text import printable

log = logging.getLogger(__name__)

SECONDS_A_LINE = 30.0
"""Between two lines about a long computation where there is no terminal."""


def can_show() -> bool:
    """Return whether there is a terminal or a notebook to show a bar in."""
    return sys.stderr.isatty() or in_notebook()


def in_notebook() -> bool:
    """Return whether a Jupyter kernel runs this process."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython else None
    return getattr(shell, "kernel", None) is not None


@contextlib.contextmanager
def fraction_bar(what: str) -> Iterator[Callable[[float], None]]:
    """Show how much of a long computation is done, and when the rest will be.

    In a terminal it is a bar; elsewhere a line in the log every now and then.

    Args:
        what: stands before the bar.

    Yields:
        a function to call with the fraction that is done, between 0 and 1.
    """
    if not can_show():
        yield _LogLines(what)
        return
    from rich.console import Console
    from rich.markup import escape
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(escape(printable(what)), total=1.0)
        yield lambda fraction: bar.update(task, completed=fraction)


class _LogLines:
    """Logs the fraction that is done, at most once in `SECONDS_A_LINE`."""

    def __init__(self, what: str) -> None:
        self._what = what
        self._began = self._logged = time.perf_counter()

    def __call__(self, fraction: float) -> None:
        now = time.perf_counter()
        if now - self._logged < SECONDS_A_LINE or fraction >= 1:
            return
        self._logged = now
        left = (now - self._began) * (1 - fraction) / fraction / 60
        log.info("%s: %.0f %%, %.1f minutes left", self._what, 100 * fraction, left)
