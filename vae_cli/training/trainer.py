"""The trainer: from config and data to a complete run folder."""

import logging
import warnings
import zlib
from dataclasses import replace

import keras
import tensorflow as tf

from vae_cli.config.schema import CyclicalConfig, TrainConfig
from vae_cli.data.batches import evaluation_order, training_order
from vae_cli.data.corruption import corrupted
from vae_cli.data.pipeline import Replicas, shares
from vae_cli.data.splits import ImageData, Split
from vae_cli.errors import DataError, TrainingError
from vae_cli.models.factory import build_model
from vae_cli.runs.folder import RunFolder
from vae_cli.runs.metrics_file import complete_rows, keep_epochs
from vae_cli.runs.trained import load_weights
from vae_cli.runtime import exact_products
from vae_cli.training.build import build_learner, read_on_the_way, steps_per_epoch
from vae_cli.training.callbacks import (
    CollapseWarning,
    EarlyStopping,
    EpochLogs,
    Guard,
    Saving,
    Validation,
)
from vae_cli.training.checkpoints import Checkpoints, Progress
from vae_cli.training.completion import complete_folder
from vae_cli.training.distribution import Distribution
from vae_cli.training.features import train_features
from vae_cli.training.learner import Learner
from vae_cli.training.progress_bar import ProgressBar
from vae_cli.training.stop import StopSignal
from vae_cli.training.tensorboard import SIDE, ImageGrids
from vae_cli.workers import worker_index

log = logging.getLogger(__name__)

SHUFFLED_TOGETHER = 16_384
"""Images of a streamed set that are shuffled together."""


def train(
    config: TrainConfig,
    data: ImageData,
    folder: RunFolder,
    stop: StopSignal,
    distribution: Distribution,
) -> float:
    """Train, or go on training, and complete the run folder.

    Args:
        config: the run's config.
        data: images, split and ready.
        folder: created, config saved; what it holds already decides where to start.
        stop: set by Ctrl-C and SIGTERM.
        distribution: the replicas that share each batch.

    Returns:
        the best bound on validation images (training images without any), -ELBO or
        the objective's own, nats per image: what a sweep minimises.

    Raises:
        TrainingError: a loss is not finite, or another worker is gone.
        Interrupted: stopped; everything is saved.
        RunError: the folder's checkpoint is damaged.
    """
    try:
        return _train(config, data, folder, stop, distribution)
    except tf.errors.OpError as error:
        if "DataError: " in error.message:  # of what reads images, through TensorFlow
            text = error.message.partition("DataError: ")[2].split("\n\n")[0]
            raise DataError(*text.splitlines()) from error
        if not distribution.lost(error):
            raise
        chief = worker_index(config.distribution) == 0
        raise TrainingError(
            "Another worker has stopped answering, so no step can be completed.",
            "what was trained is kept up to the last epoch; go on with: "
            + distribution.resume_command(folder if chief else "<run folder>"),
        ) from error


def _train(
    config: TrainConfig,
    data: ImageData,
    folder: RunFolder,
    stop: StopSignal,
    distribution: Distribution,
) -> float:
    stop.agree = distribution.any
    if data.streamed:
        log.info(
            "%s training images are streamed from the file: they take more than "
            "dataset.memory_mb",
            f"{len(data.train):,}",
        )
    if config.early_stopping and isinstance(config.kl_annealing, CyclicalConfig):
        log.warning(
            "early_stopping=%d may stop within a cycle of kl_annealing=cyclical: the "
            "validation bound, at beta 1, gets worse wherever beta is low. Let it wait "
            "for more epochs than a cycle has (kl_annealing.period=%g %s), or use "
            "kl_annealing=linear",
            config.early_stopping,
            config.kl_annealing.period,
            config.kl_annealing.unit,
        )
    learner = build_learner(config, data, distribution)
    checkpoints = Checkpoints(folder.checkpoints, learner)
    progress = checkpoints.restore()
    keep_epochs(folder.metrics_csv, progress.epoch)
    complete_rows(folder.metrics_csv, progress.epoch)
    if not progress.step:
        train_features(config, data, learner.objective)
    while not _complete(config, progress):
        folder.write_status("running", progress.epoch)
        stop.deferred = True
        _fit(config, data, folder, stop, learner, checkpoints, progress, distribution)
        stop.look()
        # the state file decides where the run stands
        progress = checkpoints.restore()
    _check_agreement(learner, distribution)
    if progress.epoch < config.epochs:
        log.info(
            "stopped early: %d epochs without a better val_%s than epoch %d's",
            progress.epoch - progress.best_epoch,
            learner.objective.bound,
            progress.best_epoch,
        )
    if worker_index(config.distribution) == 0:
        # one device, and float32 throughout
        vae = build_model(config, data.spec)
        load_weights(vae, folder, "best")
        with exact_products():
            complete_folder(config, data, folder, vae, progress)
    folder.write_status("finished", progress.epoch)
    distribution.any(False)  # a worker that left early would be taken for dead
    return float(progress.best_bound or 0.0)


def _first(config: TrainConfig, data: ImageData) -> Split:
    """Return the first images that are scored after each epoch, or trained on."""
    split = data.validation if len(data.validation) else data.train
    split = split.take(slice(SIDE * SIDE))
    split = replace(split, images=split.images.in_memory())
    return corrupted(split, config.corruption, config.dataset.seed)


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
    patience = config.early_stopping
    waited = progress.epoch - progress.best_epoch
    return patience is not None and progress.best_epoch > 0 and waited >= patience


def _fit(
    config: TrainConfig,
    data: ImageData,
    folder: RunFolder,
    stop: StopSignal,
    learner: Learner,
    checkpoints: Checkpoints,
    progress: Progress,
    distribution: Distribution,
) -> None:
    """Run Keras `fit` from where the run stands.

    An epoch that was interrupted is finished by a call of its own, since Keras takes
    every epoch of a call to have the same length.
    """
    steps = steps_per_epoch(config, data)
    done = progress.step % steps
    shown = ProgressBar.wanted() and worker_index(config.distribution) == 0
    bar = ProgressBar(done, steps, config.epochs) if shown else None
    callbacks = [
        EpochLogs(progress, len(data.train), config.batch_size),
        *([bar] if bar else []),
        Guard(stop, progress, checkpoints, steps),
        Validation(),
        *(
            [EarlyStopping(progress, config.early_stopping, learner.objective.bound)]
            if config.early_stopping
            else []
        ),
        CollapseWarning(progress, config),
        keras.callbacks.TensorBoard(str(folder.tensorboard), write_graph=False),
        ImageGrids(folder.tensorboard, _first(config, data), config.seed),
        Saving(folder, progress, checkpoints, stop, config.epochs),
    ]

    room = config.batch_size if distribution.static else None

    def training(replicas: Replicas) -> tf.data.Dataset:
        order = training_order(
            len(data.train),
            config.batch_size,
            config.seed,
            learner.optimizer.iterations.value,
            batches=steps - done,
            window=SHUFFLED_TOGETHER if data.streamed else None,
        )
        images = read_on_the_way(data.train, distribution)
        return shares(order, replicas, images, room)

    def validation(replicas: Replicas) -> tf.data.Dataset:
        order = evaluation_order(len(data.validation), config.batch_size)
        images = read_on_the_way(data.validation, distribution)
        return shares(order, replicas, images, room)

    validating = distribution.dataset(validation) if len(data.validation) else None
    learner.expect(steps - done, -(-len(data.validation) // config.batch_size))
    try:
        with warnings.catch_warnings():
            # Keras can't know that the order is drawn anew inside the dataset
            warnings.filterwarnings("ignore", message="`shuffle=True` was passed")
            # nor, over replicas, how many batches an epoch has
            warnings.filterwarnings("ignore", message="Your input ran out of data")
            learner.fit(
                distribution.dataset(training),
                initial_epoch=progress.epoch,
                epochs=progress.epoch + 1 if done else config.epochs,
                validation_data=validating,
                callbacks=callbacks,
                verbose=0,
            )
    finally:
        if bar:
            bar.close()
