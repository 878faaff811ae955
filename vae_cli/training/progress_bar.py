"""A progress bar in a terminal; elsewhere the epoch lines of the log are enough."""

import contextlib
import logging
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import keras

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


class ProgressBar(keras.callbacks.Callback):
    """Shows the terms of the loss and the time left in the epoch.

    Args:
        done: steps of the first epoch that were taken before a resume.
        steps_per_epoch: training steps per epoch.
        epochs: epochs of the whole run.
    """

    def __init__(self, done: int, steps_per_epoch: int, epochs: int) -> None:
        super().__init__()
        self._epochs = epochs
        self._done = done
        self._steps_per_epoch = steps_per_epoch
        self._bar: Any = None
        self._task: Any = None

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Open the bar."""
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

        self._bar = Progress(
            TextColumn(f"epoch {epoch + 1}/{self._epochs}"),
            BarColumn(bar_width=30),
            TextColumn("{task.percentage:>3.0f}%"),
            TimeRemainingColumn(compact=True),
            TextColumn("{task.description}"),
            console=Console(stderr=True),
            transient=True,
        )
        self._task = self._bar.add_task(
            "", total=self._steps_per_epoch, completed=self._done
        )
        self._done = 0
        self._bar.start()

    def on_train_batch_end(self, batch: int, logs: dict[str, Any]) -> None:
        """Move the bar."""
        terms = (
            f"loss {logs['loss']:.2f} = {logs['reconstruction_loss']:.2f} + "
            f"{logs['beta']:.3g} x {logs['kl_loss']:.2f} KL  "
            f"active units {logs['active_units']:.0f}"
        )
        step = int(self.model.optimizer.iterations) % self._steps_per_epoch
        self._bar.update(
            self._task, completed=step or self._steps_per_epoch, description=terms
        )

    def on_test_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Say why the bar stands still."""
        if self._bar is not None:
            self._bar.update(self._task, description="validating")

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Take the bar away; the epoch's line follows."""
        self.close()

    def close(self) -> None:
        """Take the bar away, also when training ends within an epoch."""
        if self._bar is not None:
            self._bar.stop()
            self._bar = None


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
