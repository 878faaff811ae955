"""Small configs, models and data sets that several test files build."""

from copy import deepcopy
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from vae_cli.config.by_size import resolved
from vae_cli.config.compose import composed
from vae_cli.config.dataset_formats import NpzConfig
from vae_cli.config.train import TrainConfig
from vae_cli.data.prepare import load_data
from vae_cli.data.splits import ImageData
from vae_cli.data_spec import DataSpec

TINY = {
    "dense": ("architecture=dense", "architecture.hidden_units=[7]"),
    "conv": ("architecture=conv", "architecture.filters=[3,4]"),
    "residual_conv": (
        "architecture=residual_conv",
        "architecture.filters=[3,4]",
        "architecture.dense_units=7",
    ),
}
"""Architecture -> the overrides that make it small."""


def small_config(*overrides: str, architecture: str = "dense") -> TrainConfig:
    """Compose configs/train.yaml with a tiny network, then these overrides."""
    return deepcopy(_composed(("dataset=synthetic", *TINY[architecture], *overrides)))


@cache
def _composed(overrides: tuple[str, ...]) -> TrainConfig:
    return sized(*overrides)


def sized(*overrides: str) -> TrainConfig:
    """Compose configs/train.yaml, with what is chosen by the size of MNIST."""
    return resolved(composed("train", list(overrides)), (28, 28, 1), 50_000)[0]


def small_vae(
    *overrides: str,
    architecture: str = "dense",
    shape: tuple[int, int, int] = (4, 5, 1),
    pixel_mean: np.ndarray | None = None,
    num_classes: int | None = None,
) -> Any:
    """Build the model of `small_config` for images of a shape."""
    from vae_cli.models.factory import build_model

    spec = DataSpec(shape, False, num_classes, pixel_mean)
    return build_model(small_config(*overrides, architecture=architecture), spec)


def grey_images(count: int, *shape: int, seed: int = 0) -> np.ndarray:
    """Return random uint8 pixels [count, *shape]."""
    rng = np.random.default_rng(seed)
    return rng.integers(0, 256, (count, *shape), dtype=np.uint8)


def npz_config(path: Path, **options: Any) -> NpzConfig:
    """Return the config of an .npz file, two validation images, grey."""
    defaults = {
        "validation_size": 2,
        "test_size": 0,
        "binarize": "none",
        "max_images_per_split": None,
        "seed": 0,
    }
    return NpzConfig(name="npz", path=str(path), **{**defaults, **options})


def load_arrays(
    folder: Path, arrays: dict[str, np.ndarray], **options: Any
) -> ImageData:
    """Write arrays to an .npz file and load it as a data set."""
    path = folder / "images.npz"
    np.savez(path, **arrays)
    return load_data(npz_config(path, **options))


def whole(index: Any) -> Any:
    """Return the share of a batch that one replica alone works on."""
    import tensorflow as tf

    index = tf.constant(index, tf.int64)
    return {
        "index": index,
        "start": tf.constant(0, tf.int64),
        "total": tf.size(index, tf.int64),
    }


def mean_and_log_var(
    vae: Any, images: Any, training: bool = False, **condition: Any
) -> tuple[np.ndarray, np.ndarray]:
    """Return those of q(z|x), [B, latent_dim] each."""
    encoded = vae.encode(images, vae.condition(**condition), training)
    q = vae.mean_posterior(encoded, training)
    return np.asarray(q.mean), np.asarray(q.log_var)
