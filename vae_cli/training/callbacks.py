"""What happens around a batch and an epoch: bookkeeping, saving, stopping, warning.

Keras's own callbacks are used where they exist; these add what a run folder promises.
Order matters and is set in `trainer.py`: `EpochLogs` completes the logs that the
others read, and `Saving` comes after everything whose outcome it saves.
"""

import contextlib
import logging
import math
import time
from typing import Any

import keras
import numpy as np

from vae_cli.config.objective import BOUNDS, own_bound
from vae_cli.errors import Interrupted
from vae_cli.runs.folder import RunFolder
from vae_cli.runs.metrics_file import append_row, use_line
from vae_cli.runtime import matrix_products
from vae_cli.training.checkpoints import Checkpoints, Progress, non_finite
from vae_cli.training.stop import StopSignal
from vae_cli.training.trackers.tracking import Tracking

log = logging.getLogger(__name__)


class EpochLogs(keras.callbacks.Callback):
    """Completes the logs; puts the metrics of an interrupted epoch back.

    Args:
        progress: updated as epochs complete.
        num_images: training images per epoch.
        batch_size: images per step.
    """

    def __init__(self, progress: Progress, num_images: int, batch_size: int) -> None:
        super().__init__()
        self._progress = progress
        self._num_images = num_images
        self._batch_size = batch_size
        self._steps_per_epoch = -(-num_images // batch_size)
        self._images_before = 0
        self._interrupted_metrics: list[np.ndarray] | None = None
        self._began = 0.0
        self._seconds_before = 0.0

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Remember the running metrics before Keras resets them."""
        if self._progress.step % self._steps_per_epoch:
            self._interrupted_metrics = [
                np.array(v) for v in self.model.metrics_variables
            ]

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Start the clock; go on with an interrupted epoch's averages."""
        self._began = time.perf_counter()
        self._seconds_before = self._progress.seconds
        steps_before = self._progress.step % self._steps_per_epoch
        self._images_before = steps_before * self._batch_size
        if self._interrupted_metrics is not None:
            variables = self.model.metrics_variables
            for variable, value in zip(
                variables, self._interrupted_metrics, strict=True
            ):
                variable.assign(value)
            self._interrupted_metrics = None

    def on_train_batch_end(self, batch: int, logs: dict[str, Any]) -> None:
        """Keep the progress true, so that it can be saved at any batch."""
        self._update()

    def on_epoch_end(self, epoch: int, logs: dict[str, Any]) -> None:
        """Add what follows from the logs and the clock."""
        before = self._progress.seconds
        self._update()
        seconds = max(self._progress.seconds - self._seconds_before, 1e-9)
        if "val_kl_loss" in logs:
            logs["val_loss"] = (
                logs["val_reconstruction_loss"] + logs["beta"] * logs["val_kl_loss"]
            )
        logs["seconds"] = seconds
        training_seconds = max(before - self._seconds_before, 1e-9)
        images = self._num_images - self._images_before
        logs["images_per_second"] = images / training_seconds
        logs["learning_rate"] = float(
            keras.ops.convert_to_numpy(self.model.optimizer.learning_rate)
        )
        bad = [name for name, value in logs.items() if not math.isfinite(value)]
        if bad:
            raise non_finite(bad[0], logs[bad[0]], epoch + 1)
        self._progress.epoch = epoch + 1

    def _update(self) -> None:
        self._progress.step = int(self.model.optimizer.iterations.value.numpy())
        elapsed = time.perf_counter() - self._began
        self._progress.seconds = self._seconds_before + elapsed


class Guard(keras.callbacks.Callback):
    """Stops within an epoch: on a non-finite loss, or on request.

    Args:
        stop: set by Ctrl-C and SIGTERM.
        progress: where the run stands.
        checkpoints: saves the interrupted epoch.
        steps_per_epoch: training steps per epoch.
    """

    def __init__(
        self,
        stop: StopSignal,
        progress: Progress,
        checkpoints: Checkpoints,
        steps_per_epoch: int,
    ) -> None:
        super().__init__()
        self._stop = stop
        self._progress = progress
        self._checkpoints = checkpoints
        self._steps_per_epoch = steps_per_epoch

    def on_train_batch_end(self, batch: int, logs: dict[str, Any]) -> None:
        """Check the running loss and the stop signal."""
        if not math.isfinite(logs["loss"]):
            raise non_finite("loss", logs["loss"], self._progress.epoch + 1)
        # the last step of an epoch is left to the end of the epoch
        within = self._progress.step % self._steps_per_epoch
        if self._stop.requested() and within:
            self._checkpoints.save_state(self._progress)
            raise Interrupted(
                f"saved after step {within} of {self._steps_per_epoch} in epoch "
                f"{self._progress.epoch + 1}"
            )


class Saving(keras.callbacks.Callback):
    """Writes the epoch's row and checkpoint; then the run can be killed.

    Args:
        folder: the run.
        progress: where the run stands; the best epoch is kept here.
        checkpoints: writes weights and training state.
        stop: looked at after saving.
        epochs: epochs of the whole run.
    """

    def __init__(
        self,
        folder: RunFolder,
        progress: Progress,
        checkpoints: Checkpoints,
        stop: StopSignal,
        epochs: int,
    ) -> None:
        super().__init__()
        self._epochs = epochs
        self._folder = folder
        self._progress = progress
        self._checkpoints = checkpoints
        self._stop = stop

    def on_epoch_end(self, epoch: int, logs: dict[str, Any]) -> None:
        """Save; stop here on request."""
        progress = self._progress
        bound = self.model.objective.bound
        value = logs.get(f"val_{bound}", logs[bound])
        if progress.best_bound is None or value < progress.best_bound:
            progress.best_epoch, progress.best_bound = progress.epoch, value
        append_row(self._folder.metrics_csv, {"epoch": progress.epoch, **logs})
        self._checkpoints.save_epoch(progress)
        self._folder.write_status("running", progress.epoch)
        latent_dim = self.model.vae.latent_dim
        log.info("%s", epoch_line(progress, logs, self._epochs, latent_dim))
        if self._stop.requested():
            raise Interrupted(f"saved after epoch {progress.epoch}")


class EpochWritten(keras.callbacks.Callback):
    """Signals each written epoch to the tracker.

    Args:
        tracking: sends the epochs.
    """

    def __init__(self, tracking: Tracking) -> None:
        super().__init__()
        self._tracking = tracking

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Signal the epoch."""
        self._tracking.epoch_written()


class Validation(keras.callbacks.Callback):
    """Validates as every evaluation is done, and the weights that are saved.

    GPUs multiply float32 with its whole mantissa, and the averaged weights are in
    place, where `optimizer.ema_decay` is set.

    Keras's `SwapEMAWeights` swaps by adding and subtracting, which changes the raw
    weights in their last bits; resuming would then not be exact.
    """

    def __init__(self) -> None:
        super().__init__()
        self._meanwhile = contextlib.ExitStack()

    def on_test_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Put the average in place."""
        self._meanwhile.enter_context(matrix_products(tf32=False))
        self._meanwhile.enter_context(self.model.averaged_weights())

    def on_test_end(self, logs: dict[str, Any] | None = None) -> None:
        """Put the raw weights back."""
        self._meanwhile.close()


class EarlyStopping(keras.callbacks.EarlyStopping):
    """Keras's early stopping, with its patience carried over a resume.

    Args:
        progress: best epoch and value so far.
        patience: epochs without a better validation bound.
        bound: its name in the logs.
    """

    def __init__(self, progress: Progress, patience: int, bound: str) -> None:
        super().__init__(monitor=f"val_{bound}", mode="min", patience=patience)
        self._progress = progress

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Start from where the run stands instead of from nothing."""
        super().on_train_begin(logs)
        if self._progress.best_bound is not None:
            self.best = self._progress.best_bound
            self.wait = self._progress.epoch - self._progress.best_epoch


def epoch_line(
    progress: Progress, logs: dict[str, Any], epochs: int, latent_dim: int
) -> str:
    """Return one line that sums an epoch up."""
    prefix = "val_" if "val_neg_elbo" in logs else ""
    best = "  best" if progress.best_epoch == progress.epoch else ""
    elbo, own = logs[prefix + "neg_elbo"], own_bound(logs)
    if own == "neg_elbo":
        reconstruction = logs[prefix + "reconstruction_loss"]
        kl = elbo - reconstruction
        score = f"neg. ELBO {elbo:.2f} = {reconstruction:.2f} + {kl:.2f}"
        score += " KL"
        by_level = [
            value
            for name, value in logs.items()
            if name.startswith(f"{prefix}kl_level_")
        ]
        if by_level:
            score += f" ({', '.join(f'{value:.1f}' for value in by_level)} by level)"
    else:
        score = f"{BOUNDS[own]} {logs[prefix + own]:.2f}  neg. ELBO {elbo:.2f}"
    return (
        f"epoch {progress.epoch}/{epochs}  loss {logs['loss']:.2f}  "
        f"{'validation ' if prefix else ''}{score}  "
        f"{use_line(logs, prefix, f'/{latent_dim}')}  "
        f"beta {logs['beta']:.3g}  "
        f"{logs['images_per_second']:,.0f} images/s{best}"
    )
