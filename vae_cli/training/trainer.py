"""The trainer: from config and data to a complete run folder."""

import logging
import warnings
import zlib
from dataclasses import dataclass, replace

import keras
import tensorflow as tf

from vae_cli.config.train import TrainConfig
from vae_cli.data.corruption import corrupt_split
from vae_cli.data.splits import ImageData, Split
from vae_cli.errors import DataError, TrainingError
from vae_cli.models.factory import build_model
from vae_cli.progress import can_show
from vae_cli.runs.code_prior import weights_file
from vae_cli.runs.folder import RunFolder
from vae_cli.runs.metrics_file import complete_rows, keep_epochs
from vae_cli.runs.trained import load_weights
from vae_cli.runtime import matrix_products
from vae_cli.training.build import build_learner, steps_per_epoch
from vae_cli.training.callbacks import (
    EarlyStopping,
    EpochLogs,
    EpochWritten,
    Guard,
    Saving,
    Validation,
)
from vae_cli.training.checkpoints import Checkpoints, Progress, has_state
from vae_cli.training.code_prior import train_code_prior
from vae_cli.training.collapse import CollapseWarning
from vae_cli.training.completion import complete_folder
from vae_cli.training.distribution import Distribution
from vae_cli.training.features import train_features
from vae_cli.training.feeding import training_shards, validation_shards
from vae_cli.training.learner import Learner
from vae_cli.training.progress_bar import ProgressBar
from vae_cli.training.stop import StopSignal
from vae_cli.training.summary import data_line, duration_line, model_line
from vae_cli.training.tensorboard import SIDE, ImageGrids
from vae_cli.training.trackers.tracking import Tracking
from vae_cli.workers import worker_index

log = logging.getLogger(__name__)


@dataclass
class Trainer:
    """Trains, or continues to train, in a run folder, and completes it.

    Args:
        config: the run's config.
        data: the images.
        folder: created, config saved; what it holds already decides where to start.
        stop: checked after every step; on request, training saves and stops.
        distribution: the replicas that share each batch.
        progress: whether to show a progress bar where there is a place for one.
        tracking: sends the run to its tracker; None without a record.
    """

    config: TrainConfig
    data: ImageData
    folder: RunFolder
    stop: StopSignal
    distribution: Distribution
    progress: bool = True
    tracking: Tracking | None = None

    def run(self) -> None:
        """Train to the end and write the folder's results.

        Raises:
            TrainingError: a loss is not finite, or another worker is gone.
            Interrupted: stopped; everything is saved.
            RunError: the folder's checkpoint is damaged.
        """
        try:
            self._run()
        except tf.errors.OpError as error:
            if "DataError: " in error.message:  # raised below TensorFlow, by a reader
                text = error.message.partition("DataError: ")[2].split("\n\n")[0]
                raise DataError(*text.splitlines()) from error
            if not self.distribution.lost(error):
                raise
            raise TrainingError(
                "Another worker has stopped answering, so no step can be completed.",
                "what was trained is kept up to the last epoch; resume with: "
                + self.distribution.resume_command(
                    self.folder if self._is_chief else "<run folder>"
                ),
            ) from error

    @property
    def _is_chief(self) -> bool:
        return worker_index(self.config.distribution) == 0

    def _run(self) -> None:
        config, data, folder = self.config, self.data, self.folder
        self.stop.agree = self.distribution.any
        if data.streamed:
            log.info(
                "%s training images are streamed from the file: they take more than "
                "dataset.memory_mb",
                f"{len(data.train):,}",
            )
        _warn_of_cycles(config)
        resumed = has_state(folder.checkpoints)
        learner = build_learner(config, data, self.distribution, resumed)
        checkpoints = Checkpoints(folder.checkpoints, learner)
        progress = checkpoints.restore()
        log.info("%s", data_line(data))
        log.info("%s", model_line(config, learner.vae, learner.objective))
        log.info("%s", duration_line(config, data, progress.epoch))
        keep_epochs(folder.metrics_csv, progress.epoch)
        complete_rows(folder.metrics_csv, progress.epoch)
        if not progress.step:
            train_features(config, data, learner.objective)
        if not _complete(config, progress):  # its codes may change
            weights_file(folder).unlink(missing_ok=True)
        while not _complete(config, progress):
            folder.write_status("running", progress.epoch)
            self.stop.deferred = True
            self._fit(learner, checkpoints, progress)
            self.stop.look()
            # the state file decides where the run stands
            progress = checkpoints.restore()
        _check_agreement(learner, self.distribution)
        if progress.epoch < config.epochs:
            log.info(
                "stopped early: %d epochs without a better val_%s than epoch %d's",
                progress.epoch - progress.best_epoch,
                learner.objective.bound,
                progress.best_epoch,
            )
        if self._is_chief:
            # one device, and float32 throughout
            vae = build_model(config, data.spec)
            load_weights(vae, folder, "best")
            train_code_prior(config, data, folder, vae, self.stop)
            with matrix_products(tf32=False):
                complete_folder(config, data, folder, vae, progress)
        folder.write_status("finished", progress.epoch)
        # a worker that left early would be taken for dead
        self.distribution.any(False)

    def _fit(
        self, learner: Learner, checkpoints: Checkpoints, progress: Progress
    ) -> None:
        """Run Keras `fit` from where the run stands.

        An epoch that was interrupted is finished by a call of its own, since Keras
        takes every epoch of a call to have the same length.
        """
        config, data = self.config, self.data
        steps = steps_per_epoch(config, data)
        done = progress.step % steps
        wanted = self.progress and self._is_chief and can_show()
        bar = ProgressBar(done, steps, config.epochs) if wanted else None
        validating = None
        if len(data.validation):
            validating = validation_shards(config, data, self.distribution)
        learner.set_num_batches(
            steps - done, -(-len(data.validation) // config.batch_size)
        )
        try:
            with warnings.catch_warnings():
                # Keras can't know that the order is drawn anew inside the dataset
                warnings.filterwarnings("ignore", message="`shuffle=True` was passed")
                # nor, over replicas, how many batches an epoch has
                warnings.filterwarnings("ignore", message="Your input ran out of data")
                learner.fit(
                    training_shards(
                        config, data, learner, self.distribution, steps - done
                    ),
                    initial_epoch=progress.epoch,
                    epochs=progress.epoch + 1 if done else config.epochs,
                    validation_data=validating,
                    callbacks=self._callbacks(learner, checkpoints, progress, bar),
                    verbose=0,
                )
        finally:
            if bar:
                bar.close()

    def _callbacks(
        self,
        learner: Learner,
        checkpoints: Checkpoints,
        progress: Progress,
        bar: ProgressBar | None,
    ) -> list[keras.callbacks.Callback]:
        """Return what happens around batches and epochs; the order matters."""
        config, data, folder = self.config, self.data, self.folder
        steps = steps_per_epoch(config, data)
        patience, bound = config.early_stopping.patience, learner.objective.bound
        return [
            EpochLogs(progress, len(data.train), config.batch_size),
            *([bar] if bar else []),
            Guard(self.stop, progress, checkpoints, steps),
            Validation(),
            *([EarlyStopping(progress, patience, bound)] if patience else []),
            CollapseWarning(progress, config),
            *self._tensorboard(),
            Saving(folder, progress, checkpoints, self.stop, config.epochs),
            *([EpochWritten(self.tracking)] if self.tracking else []),
        ]

    def _tensorboard(self) -> list[keras.callbacks.Callback]:
        config, place = self.config, self.folder.tensorboard
        if not config.tracker.writes_tensorboard:
            return []
        return [
            keras.callbacks.TensorBoard(str(place), write_graph=False),
            ImageGrids(place, _first(config, self.data), config.seed),
        ]


def _warn_of_cycles(config: TrainConfig) -> None:
    """Warn that early stopping may end a run in the middle of an annealing cycle."""
    patience = config.early_stopping.patience
    if patience and config.kl_annealing.is_cyclical:
        log.warning(
            "early_stopping.patience=%d may stop within a cycle of kl_annealing=%s: "
            "the validation bound, at beta 1, gets worse wherever beta is low. Use a "
            "patience of more epochs than a cycle has, or kl_annealing=linear",
            patience,
            config.kl_annealing.name,
        )


def _first(config: TrainConfig, data: ImageData) -> Split:
    """Return the first validation images, or training images where there are none."""
    split = data.validation if len(data.validation) else data.train
    split = split.take(slice(SIDE * SIDE))
    split = replace(split, images=split.images.in_memory())
    return corrupt_split(split, config.corruption, config.dataset.seed)


def _check_agreement(learner: Learner, distribution: Distribution) -> None:
    """Make sure that all workers have ended with the same weights, to the bit."""
    digest = 0
    for variable in learner.vae.variables:
        digest = zlib.crc32(keras.ops.convert_to_numpy(variable).tobytes(), digest)
    if not distribution.same(digest):
        raise TrainingError(
            "The workers have ended with different weights: the figures mean nothing.",
            "please report this with the run folder's environment.json and train.log",
        )


def _complete(config: TrainConfig, progress: Progress) -> bool:
    if progress.epoch >= config.epochs:
        return True
    patience = config.early_stopping.patience
    waited = progress.epoch - progress.best_epoch
    return patience is not None and progress.best_epoch > 0 and waited >= patience
