"""`Run`: the handle of a trained model, for Python and for the commands."""

from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from vae_cli.config.corruption import CorruptionConfig
from vae_cli.config.schema import TrainConfig
from vae_cli.data.pictures import as_split
from vae_cli.data.prepare import load_data, pick_split
from vae_cli.data.splits import ImageData, Split
from vae_cli.data_spec import DataSpec
from vae_cli.errors import ConfigError
from vae_cli.runs.data import load_run_data, split_name
from vae_cli.runs.folder import RunFolder, open_run
from vae_cli.runtime import start_tensorflow

if TYPE_CHECKING:
    from vae_cli.evaluation.generation import Generated
    from vae_cli.models.vae import VAE

ImagesLike = np.ndarray | str | Path
"""uint8 or float [N, H, W, C], [N, H, W] or one picture [H, W, C]; or the path of a
picture, a folder of pictures, or an array."""


class Posterior(NamedTuple):
    """q(z|x) of images: means and log-variances, float32 [N, latent_dim] each."""

    mean: np.ndarray
    log_var: np.ndarray


def load(
    run: str | Path = "latest",
    *,
    output_root: str | Path = "outputs",
    checkpoint: str = "best",
    data_path: str | Path | None = None,
) -> "Run":
    """Open a trained run.

    TensorFlow starts when the model is first needed, and the images are loaded when
    they are; nothing is printed.

    Args:
        run: a run folder, or `latest`.
        output_root: where `latest` looks.
        checkpoint: which weights: `best` or `last`.
        data_path: where the data file of the run is now, if it was moved.

    Raises:
        RunError: there is no such run, or its config can't be read.
    """
    folder = open_run(str(run), str(output_root))
    return Run(folder, checkpoint, None if data_path is None else str(data_path))


class Run:
    """A trained model with its folder, config and images.

    Attributes:
        folder: the run folder.
        config: the run's own config.
        checkpoint: which weights `vae` has.
    """

    def __init__(
        self, folder: RunFolder, checkpoint: str = "best", data_path: str | None = None
    ) -> None:
        self.folder = folder
        self.checkpoint = checkpoint
        self.config: TrainConfig = folder.load_config()
        self._data_path = data_path

    def __repr__(self) -> str:
        return f"Run({str(self.folder)!r}, checkpoint={self.checkpoint!r})"

    @property
    def name(self) -> str:
        """The folder's own name."""
        return self.folder.path.resolve().name

    @cached_property
    def spec(self) -> DataSpec:
        """Shape and range of the images."""
        return self.folder.load_spec()

    @cached_property
    def data(self) -> ImageData:
        """The images that the run was trained on, checked to be the same.

        Raises:
            RunError: they can't be loaded, or have changed.
        """
        return load_run_data(self.folder, self.config, self._data_path)

    @cached_property
    def data_of_all_classes(self) -> ImageData:
        """The data set with the classes that the run was not trained on."""
        if self.config.dataset.classes is None:
            return self.data
        _ = self.data  # finds a file that was moved
        return load_data(replace(self.config.dataset, classes=None))

    @cached_property
    def vae(self) -> "VAE":
        """The model with its weights.

        Raises:
            RunError: files are missing, truncated, or don't fit each other.
        """
        start_tensorflow()
        from vae_cli.runs.trained import load_trained

        return load_trained(self.folder, self.config, self.spec, self.checkpoint)

    def split_name(self, name: str | None = None) -> str:
        """Return the split that is meant: `name`, or test, or else validation.

        Raises:
            DataError: the data set has no such split.
        """
        return split_name(self.data, name)

    def split(
        self,
        name: str | None = None,
        *,
        corruption: CorruptionConfig | None = None,
        num_images: int | None = None,
        all_classes: bool = False,
    ) -> Split:
        """Return a split as the model is evaluated on it.

        Args:
            name: `train`, `validation` or `test`; None: test, or else validation.
            corruption: of the images that the encoder gets; None: that of the run.
            num_images: at most this many, drawn by the data set's seed; None: all.
            all_classes: also classes that the run was not trained on.

        Raises:
            DataError: the data set has no such split.
        """
        data = self.data_of_all_classes if all_classes else self.data
        corruption = corruption or self.config.corruption
        if corruption.name != "none":
            start_tensorflow()
        return pick_split(
            data, self.config.dataset, split_name(data, name), corruption, num_images
        )

    def images(self, images: ImagesLike | Split, label: Any = None) -> Split:
        """Return images as a split, checked to fit the model.

        Args:
            images: arrays, a path, or a split, which is returned as it is.
            label: class of all images, or of each, int [N]; for a model with labels.

        Raises:
            DataError: they can't be read, or don't fit.
            ConfigError: a label that the run doesn't know.
        """
        split = images
        if not isinstance(split, Split):
            split = as_split(split, self.spec)
        if label is None:
            return split
        from vae_cli.evaluation.generation import check_label

        for one in np.unique(label):
            check_label(self.vae, int(one))
        labels = np.broadcast_to(np.asarray(label, np.int64), (len(split),)).copy()
        return replace(split, labels=labels)

    def encode(self, images: ImagesLike | Split, label: Any = None) -> Posterior:
        """Return q(z|x) of images.

        Args:
            images: uint8 or float [N, H, W, C], one picture, a path, or a split.
            label: for a model with labels, the class of all or of each.

        Raises:
            DataError: the images don't fit the model.
        """
        split, vae = self.images(images, label), self.vae
        from vae_cli.evaluation.latent import encode

        return Posterior(*encode(vae, split.images, context=split.context))

    def decode(self, z: np.ndarray, label: Any = None) -> np.ndarray:
        """Return pixel means float32 [N, H, W, C] for codes [N, latent_dim].

        Args:
            z: codes.
            label: for a model with labels, the class of all or of each.
        """
        vae = self.vae
        from vae_cli.evaluation.generation import code_context
        from vae_cli.evaluation.latent import decode

        z = np.atleast_2d(z)
        return decode(vae, z, context=code_context(vae, label, len(z)))

    def reconstruct(self, images: ImagesLike | Split, label: Any = None) -> np.ndarray:
        """Return reconstructions float32 [N, H, W, C]; arguments as `encode` takes."""
        split, vae = self.images(images, label), self.vae
        from vae_cli.evaluation.latent import reconstruct

        return reconstruct(vae, split.images, context=split.context)

    def sample(
        self,
        count: int,
        label: int | None = None,
        seed: int = 0,
        temperature: float = 1.0,
    ) -> np.ndarray:
        """Return images from the prior, float32 [count, H, W, C] in [0, 1].

        Args:
            count: number of images; the first stay the same whatever it is.
            label: for a model with labels: the class; None takes each in turn.
            seed: of the noise.
            temperature: scales the noise.
        """
        return self.sample_grid(
            count, label=label, seed=seed, temperature=temperature
        ).images

    def sample_grid(
        self,
        num_images: int | None = None,
        rows: int | None = None,
        columns: int | None = None,
        label: int | None = None,
        seed: int = 0,
        temperature: float = 1.0,
        batch_size: int = 256,
    ) -> "Generated":
        """Return samples from the prior with their codes; arguments as `sample`."""
        vae = self._drawing_model()
        from vae_cli.evaluation.generation import prior

        return prior(
            vae, num_images, rows, columns, label, seed, temperature, batch_size
        )

    def manifold(
        self,
        dims: Sequence[int] | None = None,
        rows: int | None = None,
        columns: int | None = None,
        spacing: str = "quantiles",
        span: float = 3.0,
        label: int | None = None,
        batch_size: int = 256,
    ) -> "Generated":
        """Return the decoded plane of two latent dimensions, the others at 0.

        Args:
            dims: which two; those of largest KL if None.
            rows: of the grid.
            columns: of the grid.
            spacing: `quantiles` of N(0, 1), or `linspace` over [-span, span].
            span: how far from 0.
            label: for a model with labels: the class.
            batch_size: images at a time.
        """
        vae = self._drawing_model()
        from vae_cli.evaluation.generation import manifold

        if dims is None and vae.latent_dim > 2:
            dims = sorted(self._dimensions_by_kl[:2].tolist())
        return manifold(vae, dims, rows, columns, spacing, span, label, batch_size)

    def traversal(
        self,
        rows: int | None = None,
        columns: int | None = None,
        span: float = 3.0,
        label: int | None = None,
        batch_size: int = 256,
    ) -> "Generated":
        """Return one row for each latent dimension, that of largest KL first."""
        vae = self._drawing_model()
        from vae_cli.evaluation.generation import traversal

        order = self._dimensions_by_kl[:rows]
        return traversal(vae, order, columns, span, label, batch_size)

    def interpolate(
        self,
        rows: int | None = None,
        columns: int | None = None,
        interpolation: str = "linear",
        label: int | None = None,
        seed: int = 0,
        batch_size: int = 256,
    ) -> "Generated":
        """Return paths between the codes of pairs of held-out images.

        Args:
            rows: pairs.
            columns: images of a path.
            interpolation: `linear` or `spherical`.
            label: for a model with labels: the class of the images.
            seed: chooses the images.
            batch_size: images at a time.
        """
        vae = self._drawing_model()
        from vae_cli.evaluation.generation import interpolation as between

        held_out = self.split(self.data.held_out)
        return between(
            vae, held_out, rows, columns, interpolation, label, seed, batch_size
        )

    def _drawing_model(self) -> "VAE":
        """Return the model, which draws whole images.

        Raises:
            ConfigError: it completes images.
        """
        if self.vae.seen_network:
            raise ConfigError(
                f"{self.folder} completes images, and draws none of its own "
                "(conditioning=seen).",
                f"complete some: vae-reconstruct run={self.folder}",
            )
        return self.vae

    @cached_property
    def _dimensions_by_kl(self) -> np.ndarray:
        from vae_cli.evaluation.generation import dimensions_by_kl

        return dimensions_by_kl(self.vae, self.split(self.data.held_out))
