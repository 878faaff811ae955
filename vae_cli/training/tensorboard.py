"""TensorBoard's images, HParams and projector; Keras's callback writes the scalars."""

import logging
import time
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from vae_cli.config.train import TrainConfig
from vae_cli.data.prepare import pick_split
from vae_cli.data.splits import ImageData, Split
from vae_cli.evaluation.batches import condition_tensors
from vae_cli.evaluation.latent import reconstruct, row_condition, sample_prior
from vae_cli.models.vae import VAE
from vae_cli.runs.differences import flattened
from vae_cli.runs.folder import RunFolder
from vae_cli.training.projector import write_projector
from vae_cli.training.trackers.base import params, results
from vae_cli.visualize.images import grid
from vae_cli.visualize.model_figures import beside

SIDE = 6
"""Rows and columns of a grid."""


NO_METRICS = ("best_epoch", "test_num_images")
"""Numbers of `metrics.json` that are not in the HParams table."""

log = logging.getLogger(__name__)


class ImageGrids(keras.callbacks.Callback):
    """Writes samples and reconstructions after every epoch.

    The codes and the images stay the same, so that a slider over epochs shows the
    same picture sharpening.

    Args:
        folder: the run's `tensorboard/`.
        split: images to reconstruct.
        seed: fixes the codes.
    """

    def __init__(self, folder: Path, split: Split, seed: int) -> None:
        super().__init__()
        self._folder = folder
        self._images = split.take(slice(SIDE * SIDE // 2))
        self._seed = seed
        self._writer: Any = None

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Open the event file."""
        self._writer = tf.summary.create_file_writer(str(self._folder / "images"))

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Draw both grids."""
        vae = self.model.vae
        images = self._images
        condition = row_condition(vae, SIDE * SIDE, SIDE, images)
        with self.model.averaged_weights():
            codes = sample_prior(vae, SIDE * SIDE, self._seed, condition=condition)
            # eagerly: to compile this anew after every epoch would take longer
            samples = np.asarray(
                vae.pixel_means(codes, condition_tensors(vae, condition))
            )
            restored = reconstruct(vae, images.images, condition=images.condition)
        with self._writer.as_default(step=epoch):
            shown = grid(images.pixels.shown(samples), SIDE)
            tf.summary.image("samples", shown[None])
            tf.summary.image("reconstructions", beside(images, restored, SIDE)[None])

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        """Close the event file."""
        self._writer.close()


def complete_tensorboard(
    config: TrainConfig,
    data: ImageData,
    folder: RunFolder,
    vae: VAE,
    epoch: int,
    seconds: float,
) -> None:
    """Add HParams and the embedding projector to a finished run.

    A run is complete without them, so errors become warnings.

    Args:
        config: of the run.
        data: its images; the projector shows validation images.
        folder: the run, with its `metrics.json`.
        vae: the model with its best weights.
        epoch: the last epoch.
        seconds: duration of training.
    """
    name = "validation" if len(data.validation) else data.held_out
    try:
        write_hparams(config, folder, epoch, seconds)
        split = pick_split(data, config.dataset, name, config.corruption)
        write_projector(folder.tensorboard, vae, split, data.spec)
    except Exception as error:
        log.warning(
            "HParams and projector could not be written to %s: %s",
            folder.tensorboard,
            error,
        )


def write_hparams(
    config: TrainConfig, folder: RunFolder, epoch: int, seconds: float
) -> None:
    """Write the config and the results for TensorBoard's HParams.

    They replace those of an earlier completion: a run is one row of the table.
    """
    from tensorboard.plugins.hparams import api, api_pb2
    from tensorboard.plugins.hparams.summary import session_end_pb

    for earlier in folder.tensorboard.glob("events.*"):
        earlier.unlink()
    now = time.time()
    values = {key: _hparam(value) for key, value in flattened(params(config)).items()}
    writer = tf.summary.create_file_writer(str(folder.tensorboard))
    with writer.as_default(step=epoch):
        api.hparams(values, str(folder.path), now - seconds)
        for key, value in results(folder).items():
            if key not in NO_METRICS:
                tf.summary.scalar(key, value)
        ended = session_end_pb(api_pb2.STATUS_SUCCESS, now)
        tf.summary.experimental.write_raw_pb(ended.SerializeToString())
    writer.close()


def _hparam(value: Any) -> bool | int | float | str:
    """Return a value of a type that HParams accepts."""
    if isinstance(value, bool | int | float | str):
        return value
    return "null" if value is None else str(value)
