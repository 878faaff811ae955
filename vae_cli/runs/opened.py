"""A run folder opened for use: config, images and model, each loaded once."""

from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from vae_cli.config.corruption import CorruptionConfig
from vae_cli.config.train import TrainConfig
from vae_cli.data.fitting import Fitting
from vae_cli.data.given_files import are_paths, source_name
from vae_cli.data.images import Images
from vae_cli.data.pictures import named_split
from vae_cli.data.prepare import pick_split, split_source
from vae_cli.data.source import Source
from vae_cli.data.splits import ImageData, Split
from vae_cli.data_spec import DataSpec
from vae_cli.errors import ConfigError, DataError
from vae_cli.runs.class_labels import ClassLabels
from vae_cli.runs.data import load_run_source, run_data, split_name
from vae_cli.runs.folder import RunFolder
from vae_cli.runtime import start_tensorflow

if TYPE_CHECKING:
    from vae_cli.models.vae import VAE

ImagesLike = np.ndarray | str | Path | Sequence[str | Path]
"""An array [N, H, W, C], [N, H, W] or [H, W, C], in the data's range or uint8; or paths
of pictures, folders, patterns or arrays. They are brought to the model's size."""


class Posterior(NamedTuple):
    """q(z|x) of images: means and log-variances, float32 [N, latent_dim] each.

    Of discrete codes, `codes` are the most probable ones, int32 [N, h, w], `mean` their
    vectors, and `log_var` zeros.
    """

    mean: np.ndarray
    log_var: np.ndarray
    codes: np.ndarray | None = None


class OpenRun:
    """A run folder with its config; images and model are loaded when needed.

    Attributes:
        folder: the run folder.
        config: the run's own config.
        checkpoint: which weights `vae` has.
        densities: fitted to its codes, by name.
    """

    def __init__(
        self, folder: RunFolder, checkpoint: str = "best", data_path: str | None = None
    ) -> None:
        self.folder = folder
        self.checkpoint = checkpoint
        self.config: TrainConfig = folder.load_config()
        folder.warn_of_changed_plugins(self.config)
        self.data_path = data_path
        self.densities: dict[str, Any] = {}

    def __repr__(self) -> str:
        kind = type(self).__name__
        return f"{kind}({str(self.folder)!r}, checkpoint={self.checkpoint!r})"

    @property
    def name(self) -> str:
        """The folder's own name."""
        return self.folder.path.resolve().name

    @cached_property
    def spec(self) -> DataSpec:
        """Shape and range of the images."""
        return self.folder.load_spec()

    @cached_property
    def _source(self) -> Source:
        return load_run_source(self.folder, self.config, self.data_path)

    @cached_property
    def data(self) -> ImageData:
        """The images that the run was trained on, checked to be the same.

        Raises:
            RunError: they can't be loaded, or have changed.
        """
        return run_data(self.folder, self.config, self._source)

    @property
    def whole(self) -> Split:
        """All images that the training images were taken from, in their own order."""
        return self._source.train

    @cached_property
    def data_of_all_classes(self) -> ImageData:
        """The data set with the classes that the run was not trained on."""
        if self.config.dataset.classes is None:
            return self.data
        _ = self.data  # checked to be the same
        return split_source(self._source, replace(self.config.dataset, classes=None))

    @cached_property
    def vae(self) -> "VAE":
        """The model with its weights.

        Raises:
            RunError: files are missing, truncated, or don't fit each other.
        """
        start_tensorflow()
        from vae_cli.runs.trained import load_trained

        return load_trained(self.folder, self.config, self.spec, self.checkpoint)

    def split_name(self, name: str | None = None, *, all_classes: bool = False) -> str:
        """Return the name of a split: `name`, or test if it exists, else validation.

        Raises:
            DataError: the data set has no such split.
        """
        return split_name(self.data_of_all_classes if all_classes else self.data, name)

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
        if num_images is not None and num_images < 1:
            raise DataError(f"num_images={num_images} must be at least 1.")
        data = self.data_of_all_classes if all_classes else self.data
        corruption = corruption or self.config.corruption
        if corruption.corrupts:
            start_tensorflow()
        return pick_split(
            data, self.config.dataset, split_name(data, name), corruption, num_images
        )

    @cached_property
    def labels(self) -> ClassLabels:
        """The classes that the run knows."""
        return ClassLabels(str(self.folder), self.spec, self.config.conditioning)

    @property
    def fitting(self) -> Fitting:
        """How images of one's own become the model's."""
        return Fitting.of(self.spec, self.config)

    def images(
        self, images: ImagesLike | Images | Split, label: Any = None
    ) -> tuple[Split, list[str]]:
        """Return images as a split, checked to fit the model, and a name for each.

        Args:
            images: arrays, a path, or images of `split`, which are returned as they
                are.
            label: for a model with conditioning=label: class of all images, or of
                each; None: that whose folder a picture lies in.

        Raises:
            DataError: they can't be read, or don't fit.
            ConfigError: a label is missing, or one that the run doesn't know.
        """
        if isinstance(images, Images):
            images = Split(images, pixels=self.spec.pixels)
        if isinstance(images, Split):
            split, labels = images, images.labels
            names = [f"image[{index}]" for index in range(len(split))]
        else:
            split, names = named_split(images, self.fitting)
            labels = None
        if label is not None:
            labels = self.labels.of_each(label, len(split))
        elif labels is None:
            files = not isinstance(images, Split) and are_paths(images)
            source = source_name(images) if files else None
            labels = self.labels.of_files(names, source)
        return replace(split, labels=labels), names

    def refuse_discrete(self, what: str) -> None:
        """Refuse what moves along real dimensions where codes are discrete.

        Raises:
            ConfigError: they are.
        """
        if self.config.latent.is_discrete:
            raise ConfigError(
                f"{what} moves along real dimensions of z; {self.folder} has discrete "
                f"codes (latent={self.config.latent.name}), which have no order.",
                f"vae-generate run={self.folder} mode=prior, or mode=interpolation",
            )

    def encode(
        self, images: ImagesLike | Images | Split, label: Any = None
    ) -> Posterior:
        """Return q(z|x) of images.

        Args:
            images: uint8 or float [N, H, W, C], one picture, a path, or a split.
            label: for a conditional model, the class of all or of each.

        Raises:
            DataError: the images don't fit the model.
        """
        (split, _), vae = self.images(images, label), self.vae
        from vae_cli.evaluation.batches import checked_condition, over_batches
        from vae_cli.evaluation.latent import posterior_codes

        arrays = (split.images, checked_condition(vae, split.condition))
        mean, log_var, codes = over_batches(posterior_codes(vae), arrays, 500)
        on_grid = codes.reshape(len(codes), *vae.code_grid) if vae.num_codes else None
        return Posterior(mean, log_var, on_grid)

    def decode(self, z: np.ndarray, label: Any = None) -> np.ndarray:
        """Return pixel means of codes, float32 [N, H, W, C] in the data's own range.

        That of 8-bit pictures is [0, 1].

        Args:
            z: codes, [N, latent_dim].
            label: for a conditional model, the class of all or of each.

        Raises:
            DataError: z has another shape, or isn't finite.
        """
        vae = self.vae
        from vae_cli.evaluation.latent import decode

        codes = np.atleast_2d(np.asarray(z, np.float32))
        wanted = f"float [N, {vae.latent_dim}]"
        if codes.ndim != 2 or codes.shape[1] != vae.latent_dim or not len(codes):
            raise DataError(f"z has the shape {list(codes.shape)}, not {wanted}.")
        if not np.isfinite(codes).all():
            raise DataError("z holds values that are NaN or infinite.")
        condition = self.labels.condition(label, len(codes))
        return self.spec.pixels.from_model(decode(vae, codes, condition=condition))

    def reconstruct(
        self, images: ImagesLike | Images | Split, label: Any = None
    ) -> np.ndarray:
        """Return reconstructions float32 [N, H, W, C] in the data's own range.

        Arguments and errors are those of `encode`.
        """
        (split, _), vae = self.images(images, label), self.vae
        from vae_cli.evaluation.latent import reconstruct

        restored = reconstruct(vae, split.images, condition=split.condition)
        return self.spec.pixels.from_model(restored)
