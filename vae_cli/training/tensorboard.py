"""Image grids for TensorBoard; its scalars come from Keras's own callback."""

from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from vae_cli.data.splits import Split
from vae_cli.evaluation.batches import condition_tensors
from vae_cli.evaluation.latent import reconstruct, row_condition, sample_prior
from vae_cli.visualize.images import grid
from vae_cli.visualize.model_figures import beside

SIDE = 6
"""Rows and columns of a grid."""


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
