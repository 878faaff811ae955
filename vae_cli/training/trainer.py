"""The trainer: from config and data to a complete run folder."""

import logging
import warnings
import zlib
from dataclasses import asdict
from statistics import median
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from vae_cli.config.parts import VampConfig
from vae_cli.config.schema import TrainConfig
from vae_cli.data.batches import ImageStore, evaluation_order, training_order
from vae_cli.data.pipeline import Replicas, shares
from vae_cli.data.splits import ImageData, Split
from vae_cli.errors import RunError, TrainingError
from vae_cli.evaluation.bounds import ElboResult, evaluate_elbo, evaluation_noise
from vae_cli.models.factory import build_model
from vae_cli.models.objectives import OBJECTIVES
from vae_cli.models.vae import VAE
from vae_cli.randomness import Stream, generator
from vae_cli.runs.files import write_json
from vae_cli.runs.folder import RunFolder
from vae_cli.runs.metrics_file import keep_epochs, read_rows
from vae_cli.runs.trained import load_weights
from vae_cli.training.annealing import build_annealing
from vae_cli.training.callbacks import (
    AveragedValidation,
    CollapseWarning,
    EarlyStopping,
    EpochLogs,
    Guard,
    Saving,
)
from vae_cli.training.checkpoints import Checkpoints, Progress
from vae_cli.training.distribution import Distribution
from vae_cli.training.learner import Learner
from vae_cli.training.optimizers import build_optimizer
from vae_cli.training.progress_bar import ProgressBar
from vae_cli.training.report import draw_figures
from vae_cli.training.stop import StopSignal
from vae_cli.training.tensorboard import ImageGrids
from vae_cli.visualize.images import to_float
from vae_cli.workers import worker_index

log = logging.getLogger(__name__)

WORTH_COMPILING = 5000
"""Steps of a run from which on XLA's speed outweighs the time it compiles."""

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
        TrainingError: a loss is not finite.
        Interrupted: stopped; everything is saved.
        RunError: the folder's checkpoint is damaged.
    """
    stop.agree = distribution.any
    learner = build_learner(config, data, distribution)
    checkpoints = Checkpoints(folder.checkpoints, learner)
    progress = checkpoints.restore()
    keep_epochs(folder.metrics_csv, progress.epoch)
    while not _complete(config, progress):
        folder.write_status("running", progress.epoch)
        stop.deferred = True
        with distribution.scope():
            _fit(
                config, data, folder, stop, learner, checkpoints, progress, distribution
            )
        stop.look()
        # fit leaves averaged weights behind; the state file has the raw ones
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
        complete_folder(config, data, folder, vae, progress)
    folder.write_status("finished", progress.epoch)
    distribution.any(False)  # a worker that left early would be taken for dead
    return float(progress.best_bound or 0.0)


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


def build_learner(
    config: TrainConfig, data: ImageData, distribution: Distribution
) -> Learner:
    """Return a compiled learner, optimizer built, ready to fit or to restore."""
    steps = steps_per_epoch(config, data)
    # not the learner itself: Keras would then call it to find its variables
    with distribution.scope():
        vae = build_model(config, data.spec, config.precision)
        optimizer = build_optimizer(config, steps, distribution.replicas)
        optimizer.build(vae.trainable_variables)
    dynamic = config.dataset.binarize == "dynamic"
    validation = len(data.validation) or None
    objective = OBJECTIVES[config.objective.name](config.objective)
    if isinstance(config.prior, VampConfig) and config.prior.start == "data":
        rng = generator(config.seed, Stream.PSEUDO_INPUTS)
        # equal ones would move together for ever
        count = config.prior.components
        chosen = rng.choice(len(data.train), count, replace=count > len(data.train))
        vae.prior.start_at(to_float(data.train.images[chosen]))
    learner = Learner(
        vae,
        objective=objective,
        beta=config.beta,
        annealing=build_annealing(config.kl_annealing, steps),
        free_bits=config.free_bits,
        seed=config.seed,
        train=ImageStore(
            _gathered(data.train, distribution), config.seed if dynamic else None
        ),
        validation=ImageStore(_gathered(data.validation, distribution)),
        validation_noise=evaluation_noise(
            validation, vae.latent_dim, config.seed, objective.samples
        )
        if validation
        else None,
        jit=_compiles(config, vae, steps, distribution),
        distribution=distribution,
    )
    learner.compile(
        optimizer=optimizer,
        steps_per_execution=min(config.steps_per_execution, steps),
        jit_compile=False,  # the learner compiles what pays
    )
    if hasattr(learner.optimizer, "exclude_from_weight_decay"):
        # biases, norms, a learned scale and a prior are no weights to be shrunk
        kept = [v for v in vae.trainable_variables if v.ndim < 2]
        kept += vae.prior.trainable_variables
        learner.optimizer.exclude_from_weight_decay(var_list=kept)
    return learner


def _gathered(split: Split, distribution: Distribution) -> Any:
    """Return the images that the compiled step takes its pixels from, or None."""
    held = isinstance(split.images, np.ndarray)
    return split.images if distribution.gathers and held else None


def _read_on_the_way(split: Split, distribution: Distribution) -> Any:
    """Return the images that come with each batch instead, or None."""
    return split.images if _gathered(split, distribution) is None else None


def _compiles(
    config: TrainConfig, vae: VAE, steps: int, distribution: Distribution
) -> bool:
    """Return whether XLA compiles the step."""
    if config.jit != "auto":
        return config.jit == "true"
    # XLA's convolutions are slower than oneDNN's on a CPU, and it compiles for
    # seconds, which a short run doesn't win back
    pays = vae.is_dense and config.epochs * steps >= WORTH_COMPILING
    return pays and distribution.replicas == 1 and config.precision == "float32"


def steps_per_epoch(config: TrainConfig, data: ImageData) -> int:
    """Return training steps an epoch; the last one may hold fewer images."""
    return -(-len(data.train) // config.batch_size)


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
        AveragedValidation(),
        *(
            [EarlyStopping(progress, config.early_stopping, learner.objective.bound)]
            if config.early_stopping
            else []
        ),
        CollapseWarning(progress, config),
        keras.callbacks.TensorBoard(str(folder.tensorboard), write_graph=False),
        ImageGrids(folder.tensorboard, data, config.seed),
        Saving(folder, progress, checkpoints, stop, config.epochs),
    ]

    def training(replicas: Replicas) -> tf.data.Dataset:
        order = training_order(
            len(data.train),
            config.batch_size,
            config.seed,
            learner.optimizer.iterations.value,
            batches=steps - done,
            window=SHUFFLED_TOGETHER if data.streamed else None,
        )
        return shares(order, replicas, _read_on_the_way(data.train, distribution))

    def validation(replicas: Replicas) -> tf.data.Dataset:
        order = evaluation_order(len(data.validation), config.batch_size)
        images = _read_on_the_way(data.validation, distribution)
        return shares(order, replicas, images)

    validating = distribution.dataset(validation) if len(data.validation) else None
    learner.expect(steps - done, -(-len(data.validation) // config.batch_size))
    try:
        with warnings.catch_warnings():
            # Keras can't know that the order is drawn anew inside the dataset
            warnings.filterwarnings("ignore", message="`shuffle=True` was passed")
            learner.fit(
                distribution.dataset(training),
                initial_epoch=progress.epoch,
                epochs=progress.epoch + 1 if done else config.epochs,
                validation_data=validating,
                callbacks=callbacks,
                verbose=0,
            )
    except tf.errors.OpError as error:
        if not distribution.lost(error):
            raise
        raise TrainingError(
            "Another worker has stopped answering, so no step can be completed.",
            f"go on from epoch {progress.epoch}: vae launch --workers "
            f"{distribution.replicas} train resume={folder}",
        ) from error
    finally:
        if bar:
            bar.close()


def complete_folder(
    config: TrainConfig,
    data: ImageData,
    folder: RunFolder,
    vae: VAE,
    progress: Progress,
) -> None:
    """Score the test images and write metrics, exported networks and figures.

    Args:
        config: the run's config.
        data: images.
        folder: the run.
        vae: the model with its best weights.
        progress: where training ended.
    """
    result = None
    if data.test is not None:
        log.info("scoring %s test images", f"{len(data.test):,}")
        result = evaluate_elbo(vae, data.test.images, config.seed)
    measure = vae.likelihood.measure(data.spec)
    rows = read_rows(folder.metrics_csv)
    if len(rows) < progress.best_epoch:
        raise RunError(
            f"{folder.metrics_csv} has lost rows; the run can't be summed up."
        )
    write_json(
        folder.metrics_json,
        _summary(progress, config.objective.bound, rows, measure, result),
    )
    encoder, decoder = vae.export_networks()
    encoder.save(folder.model / "encoder.keras")
    decoder.save(folder.model / "decoder.keras")
    draw_figures(folder, vae, data, rows, measure, config.seed)
    best, last = rows[progress.best_epoch - 1]["beta"], rows[-1]["beta"]
    if best < 0.99 * last:
        log.warning(
            "the best weights (smallest validation bound at beta 1) are of epoch %d, "
            "when beta was still %.3g; for those of full beta use checkpoint=last",
            progress.best_epoch,
            best,
        )
    if result is not None:
        log.info(
            "test -ELBO %.2f nats per image = %.2f %s + %.2f KL; %d of %d units "
            "active; weights of epoch %d",
            result.neg_elbo,
            result.reconstruction_loss,
            measure,
            result.kl_loss,
            result.active_units,
            vae.latent_dim,
            progress.best_epoch,
        )


def _summary(
    progress: Progress,
    bound: str,
    rows: list[dict[str, float]],
    measure: str,
    result: ElboResult | None,
) -> dict[str, Any]:
    """Return the contents of `metrics.json`."""
    return {
        "best_epoch": progress.best_epoch,
        f"best_{bound}": progress.best_bound,
        "train_seconds": round(progress.seconds, 2),
        "images_per_second": round(median(row["images_per_second"] for row in rows), 1),
        "reconstruction_measure": measure,
        "test": None if result is None else asdict(result),
    }
