"""A progress bar in a terminal; elsewhere the epoch lines of the log are enough."""

from typing import Any

import keras

from vae_cli.runs.metrics_file import use_line


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
            f"{use_line(logs)}"
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
