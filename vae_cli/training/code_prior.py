"""The second stage of discrete codes: a prior is trained on the codes of images.

The autoencoder is that of the best epoch, and doesn't change. `prior_state.npz` in
`checkpoints/` records how far the stage has come: it is replaced after every epoch, and
the order of an epoch depends on the seed and its number alone, so that a run that was
killed gives the same network.
"""

import json
import logging
import math
import os
import time
import zlib
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any, cast

import keras
import numpy as np
import tensorflow as tf
from keras import ops

from vae_cli.config.latent import DiscreteConfig
from vae_cli.config.train import TrainConfig
from vae_cli.data.splits import ImageData
from vae_cli.errors import Interrupted, RunError, TrainingError
from vae_cli.models.vae import VAE
from vae_cli.progress import fraction_bar
from vae_cli.randomness import Stream, generator, seeded
from vae_cli.runs.code_prior import save_code_prior
from vae_cli.runs.files import write_text
from vae_cli.runs.folder import RunFolder
from vae_cli.runs.reading import read_arrays
from vae_cli.training.codes import TrainingCodes, codes_of
from vae_cli.training.stop import StopSignal

STATE = "prior_state.npz"
COLUMNS = ("epoch", "seconds", "neg_log_prob", "val_neg_log_prob")
"""Of `prior_metrics.csv`; nats per image."""

log = logging.getLogger(__name__)


@dataclass
class PriorProgress:
    """Where the stage stands.

    Attributes:
        autoencoder: digest of the weights that gave the codes.
        epoch: completed epochs.
        best_epoch: of the smallest value on validation codes; 0 before there is one.
        best: that value, nats per image.
        rows: of `prior_metrics.csv`.
    """

    autoencoder: int
    epoch: int = 0
    best_epoch: int = 0
    best: float | None = None
    rows: list[list[float | None]] = field(default_factory=list)


def train_code_prior(
    config: TrainConfig,
    data: ImageData,
    folder: RunFolder,
    vae: VAE,
    stop: StopSignal,
) -> None:
    """Train the prior of a model's codes and put it in place; none where none is due.

    Args:
        config: of the run.
        data: its images.
        folder: the run.
        vae: with its best weights.
        stop: looked at after every step.

    Raises:
        TrainingError: a loss is not finite.
        Interrupted: stopped; complete epochs are saved.
        RunError: the stage's state is damaged.
    """
    if not vae.prior_network.has_second_stage:
        return
    stage = PriorTraining(config, data, folder, vae)
    stop.deferred = True
    with fraction_bar("prior of the codes") as progress:
        stage.run(stop, progress)
    stop.look()
    stage.finish()


class PriorTraining:
    """The stage: state, steps and epochs; arguments as of `train_code_prior`."""

    def __init__(
        self, config: TrainConfig, data: ImageData, folder: RunFolder, vae: VAE
    ) -> None:
        self._config, self._folder, self._vae = config, folder, vae
        latent = cast(DiscreteConfig, config.latent)
        self._epochs = latent.prior_epochs
        self._file = folder.checkpoints / STATE
        with seeded(config.seed):
            self._network = vae.prior_network.new_network()
        self._optimizer = keras.optimizers.Adam(latent.prior_learning_rate)
        self._optimizer.build(self._network.trainable_variables)
        self._best = self._weights()
        self._progress = PriorProgress(_digest(vae))
        self._restore()
        self._train = codes_of(config, data, vae, "train")
        self._validation = None
        if len(data.validation):
            self._validation = codes_of(config, data, vae, "validation")
        log.info(
            "prior of the codes: pixelcnn, %s parameters, %d epochs on %s images%s",
            f"{self._network.count_params():,}",
            self._epochs,
            f"{len(self._train.codes):,}",
            f" after {self._progress.epoch}" if self._progress.epoch else "",
        )
        self._step = tf.function(self._take_step, reduce_retracing=True)
        self._score = tf.function(self._neg_log_prob, reduce_retracing=True)

    def run(self, stop: StopSignal, progress: Callable[[float], None]) -> None:
        """Train the epochs that are left."""
        size, count = self._config.batch_size, len(self._train.codes)
        while self._progress.epoch < self._epochs:
            began, epoch = time.perf_counter(), self._progress.epoch
            rng = generator(self._config.seed, Stream.CODE_ORDER, epoch)
            order = rng.permutation(count)
            total = 0.0
            for start in range(0, count, size):
                rows = order[start : start + size]
                total += float(self._step(*self._train.inputs(rows)))
                progress((epoch + start / count) / self._epochs)
                if stop.received:
                    raise Interrupted(
                        f"saved after epoch {epoch} of the prior of the codes"
                    )
            if not math.isfinite(total):
                raise TrainingError(
                    "the loss of the prior of the codes is not finite in epoch "
                    f"{epoch + 1}.",
                    "use a smaller latent.prior_learning_rate",
                )
            self._end_epoch(total / count, time.perf_counter() - began)

    def finish(self) -> None:
        """Put the network with its best weights in place, and save it."""
        for variable, value in zip(self._network.variables, self._best, strict=True):
            variable.assign(value)
        save_code_prior(self._network, self._folder)
        self._vae.prior_network.learned = self._network
        done = self._progress
        log.info(
            "prior of the codes: %.2f nats per image, %.2f with the uniform prior; "
            "weights of epoch %d",
            done.best,
            self._uniform(),
            done.best_epoch,
        )

    def _uniform(self) -> float:
        positions = math.prod(self._vae.code_grid)
        return positions * math.log(self._vae.num_codes)

    def _end_epoch(self, train: float, seconds: float) -> None:
        """Validate, save and report an epoch."""
        done, value = self._progress, None
        if self._validation is not None:
            value = self._mean(self._validation)
        done.epoch += 1
        done.rows.append([done.epoch, round(seconds, 2), train, value])
        selects = train if value is None else value
        best = done.best is None or selects < done.best
        if best:
            done.best, done.best_epoch = selects, done.epoch
            self._best = self._weights()
        self._save()
        log.info(
            "prior epoch %d/%d  %.2f nats per image%s%s",
            done.epoch,
            self._epochs,
            train,
            "" if value is None else f"  validation {value:.2f}",
            "  best" if best else "",
        )

    def _take_step(self, *inputs: Any) -> Any:
        """Take a gradient step; returns the batch's sum of -log p, nats."""
        with tf.GradientTape() as tape:
            nats = self._neg_log_prob(*inputs)
            loss = ops.mean(nats)
        variables = self._network.trainable_variables
        gradients = tape.gradient(loss, variables)
        self._optimizer.apply_gradients(zip(gradients, variables, strict=True))
        return ops.sum(nats)

    def _neg_log_prob(self, codes: Any, *label: Any) -> Any:
        """Return -log p(codes|label) of each image in nats, [B]."""
        logits = self._network([codes, *label] if label else codes)
        nats = tf.nn.sparse_softmax_cross_entropy_with_logits(codes, logits)
        return ops.sum(nats, axis=(1, 2))

    def _mean(self, codes: TrainingCodes) -> float:
        """Return the mean of -log p over a split, nats per image."""
        size, total = self._config.batch_size, 0.0
        for start in range(0, len(codes.codes), size):
            nats = self._score(*codes.inputs(slice(start, start + size)))
            total += float(np.sum(nats, dtype=np.float64))
        return total / len(codes.codes)

    def _weights(self) -> list[np.ndarray]:
        return [np.array(variable) for variable in self._network.variables]

    def _variables(self) -> list[Any]:
        return [*self._network.variables, *self._optimizer.variables]

    def _save(self) -> None:
        """Write everything that resuming needs, in one step, and the table."""
        arrays: dict[str, Any] = {
            f"variable_{i}": np.array(v) for i, v in enumerate(self._variables())
        }
        arrays |= {f"best_{i}": value for i, value in enumerate(self._best)}
        arrays["progress"] = np.array(json.dumps(asdict(self._progress)))
        temporary = self._file.with_suffix(".partial")
        with temporary.open("wb") as file:
            np.savez(file, **arrays)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(self._file)
        self._write_table()

    def _write_table(self) -> None:
        rows = [
            ",".join("" if v is None else str(v) for v in row)
            for row in self._progress.rows
        ]
        text = "\n".join([",".join(COLUMNS), *rows]) + "\n"
        write_text(self._folder.path / "prior_metrics.csv", text)

    def _restore(self) -> None:
        """Go on where the state file says, if it is of the same autoencoder."""
        if not self._file.exists():
            return
        variables = self._variables()
        most = 2 * sum(np.array(v).nbytes for v in variables) + 2**26
        try:
            arrays = read_arrays(self._file, most)
            progress = PriorProgress(**json.loads(str(arrays.pop("progress"))))
            if progress.autoencoder != self._progress.autoencoder:
                return  # trained on, so that images have other codes
            values = [arrays[f"variable_{i}"] for i in range(len(variables))]
            best = [arrays[f"best_{i}"] for i in range(len(self._best))]
            for variable, value in zip(variables, values, strict=True):
                variable.assign(value)
        except (RunError, ValueError, KeyError, TypeError) as error:
            raise RunError(
                f"{self._file} can't be read, or doesn't fit the run's config.yaml: "
                f"{error}",
                "delete it to train the prior of the codes anew",
            ) from error
        self._best, self._progress = best, progress
        self._write_table()


def _digest(vae: VAE) -> int:
    """Return a number that differs between autoencoders."""
    digest = 0
    for variable in vae.variables:
        digest = zlib.crc32(np.ascontiguousarray(variable).tobytes(), digest)
    return digest
