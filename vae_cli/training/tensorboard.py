"""Image grids for TensorBoard; its scalars come from Keras's own callback."""

from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from vae_cli.data.splits import ImageData
from vae_cli.evaluation.latent import class_a_row, sample_prior
from vae_cli.visualize.images import grid, pairs, to_float

SIDE = 6
"""Rows and columns of a grid."""


class ImageGrids(keras.callbacks.Callback):
    """Writes samples and reconstructions after every epoch.

    The codes and the images stay the same, so that a slider over epochs shows the
    same picture sharpening.

    Args:
        folder: the run's `tensorboard/`.
        data: images to reconstruct: validation, or training without any.
        seed: fixes the codes.
    """

    def __init__(self, folder: Path, data: ImageData, seed: int) -> None:
        super().__init__()
        self._folder = folder
        split = data.validation if len(data.validation) else data.train
        self._shown = split.take(slice(SIDE * SIDE // 2))
        self._seed = seed
        self._writer: Any = None

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Open the event file."""
        self._writer = tf.summary.create_file_writer(str(self._folder / "images"))

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Draw both grids."""
        vae = self.model.vae
        images = to_float(self._shown.images)
        labels = class_a_row(vae, SIDE * SIDE, SIDE)
        with self.model.averaged_weights():
            codes = sample_prior(vae, SIDE * SIDE, self._seed, labels=labels)
            samples = np.asarray(vae.given(labels).pixel_means(codes))
            reconstructions = np.asarray(vae.given(self._shown.labels)(images))
        with self._writer.as_default(step=epoch):
            tf.summary.image("samples", grid(samples, SIDE)[None])
            tf.summary.image(
                "reconstructions", pairs(images, reconstructions, SIDE)[None]
            )

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        """Close the event file."""
        self._writer.close()
