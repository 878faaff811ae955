"""Sources of images. Each returns raw arrays; `prepare.py` does the rest.

A source is a function from its options to a `(train, test)` pair of `Arrays`.
"""

import hashlib
import os
from pathlib import Path
from typing import Any

import numpy as np

from vae_cli.config.dataset import (
    Cifar10Config,
    FashionMnistConfig,
    MnistConfig,
    SyntheticConfig,
)
from vae_cli.data.splits import Arrays
from vae_cli.data.synthetic import shapes
from vae_cli.errors import DataError
from vae_cli.memory import refuse_beyond
from vae_cli.randomness import Stream, generator
from vae_cli.registry import builds
from vae_cli.runtime import import_keras

FASHION_MD5 = {
    "train-labels-idx1-ubyte.gz": "25c81989df183df01b3e8a0aad5dffbe",
    "train-images-idx3-ubyte.gz": "8d4fb7e6c68d591d4c3dfef9ec88bf0d",
    "t10k-labels-idx1-ubyte.gz": "bb300cfdad3c16e7a12a480ee83cd310",
    "t10k-images-idx3-ubyte.gz": "bef4ecab320f06d8554ea6380940ec79",
}
"""Published sums of the four files; Keras itself doesn't check these."""

CIFAR_ARCHIVE = "cifar-10-batches-py-target_archive"
"""The name under which Keras keeps the archive, which is published under another."""
CIFAR_SHA256 = "6d958be074577803d12ecdefd02955f39262c83c16fe9348329d7fe0b5c001ce"
"""What Keras checks."""

Pair = tuple[Arrays, Arrays | None]


@builds(MnistConfig)
def mnist(config: MnistConfig) -> Pair:
    """Handwritten digits, from the file that ships with the package."""
    with np.load(Path(__file__).parent / "files" / "mnist.npz") as file:
        return (
            Arrays(file["x_train"], file["y_train"]),
            Arrays(file["x_test"], file["y_test"]),
        )


@builds(FashionMnistConfig)
def fashion_mnist(config: FashionMnistConfig) -> Pair:
    """Clothes, through `keras.datasets`.

    Raises:
        DataError: the files are neither cached nor downloadable, or are damaged.
    """
    keras = import_keras()
    folder = _keras_cache() / "fashion-mnist"
    try:
        arrays = keras.datasets.fashion_mnist.load_data()
    except Exception as error:  # Keras raises a bare Exception when a fetch fails
        _refuse_damaged(folder)
        files = ", ".join(f"{name} (md5 {sum_})" for name, sum_ in FASHION_MD5.items())
        raise _unavailable(
            "fashion_mnist", f"put the published files into {folder}: {files}", error
        ) from error
    _refuse_damaged(folder)
    return _from_keras(arrays)


@builds(Cifar10Config)
def cifar10(config: Cifar10Config) -> Pair:
    """Photographs, through `keras.datasets`.

    Raises:
        DataError: the archive is neither cached nor downloadable.
    """
    keras = import_keras()
    try:
        arrays = keras.datasets.cifar10.load_data()
    except Exception as error:  # as above
        raise _unavailable(
            "cifar10",
            f"save the published archive cifar-10-python.tar.gz (sha256 "
            f"{CIFAR_SHA256}) as {_keras_cache() / CIFAR_ARCHIVE}",
            error,
        ) from error
    return _from_keras(arrays)


@builds(SyntheticConfig)
def synthetic(config: SyntheticConfig) -> Pair:
    """Procedural shapes; the test images have their own random stream.

    Raises:
        ConfigError: they take more memory than there is.
    """
    size, channels = config.image_size, config.channels
    pixels = size**2 * channels
    # a fifth as many for testing; an image is drawn as floats
    values = 1.2 * config.num_images * pixels + 8 * 4 * pixels
    refuse_beyond(
        {f"{config.num_images:,} images of {pixels:,} values": 2 * values},
        "dataset.num_images or dataset.image_size",
    )
    train = generator(config.seed, Stream.SHAPES, 0)
    test = generator(config.seed, Stream.SHAPES, 1)
    return (
        shapes(config.num_images, size, channels, train),
        shapes(max(2, config.num_images // 5), size, channels, test),
    )


def _from_keras(arrays: Any) -> Pair:
    (x_train, y_train), (x_test, y_test) = arrays
    return Arrays(x_train, y_train.reshape(-1)), Arrays(x_test, y_test.reshape(-1))


def _refuse_damaged(folder: Path) -> None:
    """Check the cached Fashion-MNIST files against their published sums."""
    for name, expected in FASHION_MD5.items():
        file = folder / name
        if file.exists() and hashlib.md5(file.read_bytes()).hexdigest() != expected:
            raise DataError(
                f"dataset=fashion_mnist: {file} is damaged: its md5 is not {expected}.",
                "delete the file and start again; it will be downloaded anew",
            )


def _keras_cache() -> Path:
    home = os.environ.get("KERAS_HOME")
    return (Path(home) if home else Path.home() / ".keras") / "datasets"


def _unavailable(name: str, remedy: str, error: Exception) -> DataError:
    return DataError(
        f"dataset={name} is not on this machine and can't be downloaded: {error}",
        remedy,
        "or use a set that needs no network: dataset=mnist, dataset=synthetic",
    )
