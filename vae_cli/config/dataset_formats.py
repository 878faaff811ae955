"""Options of each format of data in files, and of published collections."""

from dataclasses import dataclass
from pathlib import Path

from vae_cli.config.dataset_files import ArrayConfig, ArraysConfig, PicturesConfig
from vae_cli.config.option import option
from vae_cli.paths import is_there
from vae_cli.registry import register


@register("dataset", "npz")
@dataclass
class NpzConfig(ArraysConfig):
    """Arrays in a file: images, optionally test images and labels, of any names."""

    path: str = option("the .npz file")


@register("dataset", "npy")
@dataclass
class NpyConfig(ArrayConfig):
    """One array in an .npy file, as numpy.save writes it."""

    path: str = option("the .npy file")
    labels: str | None = option(
        "file of the labels: .npy, or text or CSV with one label per line",
        default=None,
    )

    def make_absolute(self) -> None:
        """Make paths absolute."""
        super().make_absolute()
        if self.labels is not None and is_there(Path(self.labels).expanduser()):
            self.labels = str(Path(self.labels).expanduser().absolute())


@register("dataset", "hdf5")
@dataclass
class Hdf5Config(ArraysConfig):
    """Arrays in an HDF5 file; `key` is the path of a data set in it."""

    path: str = option("the HDF5 file")


@register("dataset", "folder")
@dataclass
class FolderConfig(PicturesConfig):
    """A folder of pictures: PNG, JPEG, WebP, BMP, GIF, TIFF; subfolders are classes.

    Pictures in the folders `train`, `validation` and `test` form these splits; without
    such folders the splits are drawn by `dataset.seed`.
    """

    path: str = option("the folder")
    labels: str | None = option(
        "CSV of the columns file and label, in the folder or elsewhere; null: the "
        "folder that a picture lies in",
        default=None,
    )

    def make_absolute(self) -> None:
        """Make paths absolute; that of a table in the folder stays relative to it."""
        super().make_absolute()
        if self.labels is None or is_there(Path(self.path, self.labels)):
            return
        table = Path(self.labels).expanduser()
        if is_there(table):
            self.labels = str(table.absolute())


@dataclass
class RecordsConfig(PicturesConfig):
    """Pictures in the records of a collection: published, or in a local folder."""

    config_name: str | None = option(
        "configuration of the data set; its default if null", default=None
    )
    image_column: str | None = option(
        "column (feature) of the images; null: found by its type", default=None
    )
    label_column: str | None = option(
        "column (feature) of the labels; null: the one that holds classes, if any",
        default=None,
    )
    train_split: str | None = option(
        "split to train on; null: found by its name, or the only one", default=None
    )
    validation_split: str | None = option(
        "split for validation; null: found by its name", default=None
    )
    test_split: str | None = option(
        "split for testing; null: found by its name", default=None
    )
    channels_first: bool = option(
        "array columns are [C, H, W]; they are transposed", default=False
    )

    @property
    def may_be_name(self) -> bool:
        """Return whether `path` may be the name of a published set."""
        return True


@register("dataset", "huggingface")
@dataclass
class HuggingfaceConfig(RecordsConfig):
    """A data set of the Hugging Face hub, or one in a local folder."""

    path: str = option(
        "name on the hub, or a local folder: saved by save_to_disk, or of Parquet files"
    )


@register("dataset", "tfds")
@dataclass
class TfdsConfig(RecordsConfig):
    """A data set of TensorFlow Datasets, or one in a local folder."""

    path: str = option(
        "name, or a local folder that holds features.json, such as mnist/3.0.1"
    )
    data_dir: str | None = option(
        "folder of data sets given by name; ~/tensorflow_datasets if null",
        default=None,
    )

    def make_absolute(self) -> None:
        """Make paths absolute; the name of a data set stays as it is."""
        super().make_absolute()
        if self.data_dir is not None:
            self.data_dir = str(Path(self.data_dir).expanduser().absolute())
