"""Corruption: what the encoder gets in place of an image.

Noise leaves no trace of which pixels it changed. A mask does: the pixels that it takes
are known to be missing, and are grey, which no binary pixel is. Each kind is a function
of the images and of noise drawn outside, so that the caller decides whether an image is
corrupted anew at every step or always in the same way.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from vae_cli.config.corruption import (
    CorruptionConfig,
    GaussianNoiseConfig,
    MaskingNoiseConfig,
    NoCorruptionConfig,
    SaltAndPepperConfig,
)
from vae_cli.data.batches import Share, of_share, whole_size
from vae_cli.data.splits import Split
from vae_cli.randomness import Stream, key
from vae_cli.registry import build, builds

MISSING = 128 / 255
"""What the encoder gets where a pixel is missing: the middle level of 8-bit images."""

Shape = tuple[int, int, int]


class Corrupted(NamedTuple):
    """What is known of images."""

    seen: Any  # float32 [B, H, W, C] in [0, 1], what the encoder sees
    mask: Any = None  # float32 [B, H, W, 1]: 1 seen, 0 missing; None for noise


class Corruption:
    """Base: uniform noise, one value per pixel.

    Args:
        config: its options.
        shape: of an image, (H, W, C).
    """

    def __init__(self, config: CorruptionConfig, shape: Shape) -> None:
        self.config = config
        self.shape = shape
        self.noise_shape = self._noise_shape(shape)

    def _noise_shape(self, shape: Shape) -> tuple[int, ...]:
        return shape

    def draw(self, count: Any, seed: Any) -> Any:
        """Return the noise that `count` images need, float32 [count, ...]."""
        return tf.random.stateless_uniform((count, *self.noise_shape), seed)

    def draw_for(self, index: Any, seed: int) -> Any:
        """Return noise that stays an image's own: float32 [B, ...].

        Args:
            index: int64 [B], which images of their split.
            seed: of the data set.
        """
        return tf.map_fn(
            lambda image: self.draw(1, key(seed, Stream.CORRUPTION, image))[0],
            index,
            fn_output_signature=tf.TensorSpec(self.noise_shape, tf.float32),
            parallel_iterations=32,
        )

    def __call__(self, images: Any, noise: Any) -> Corrupted:
        """Corrupt images.

        Args:
            images: float32 [B, H, W, C] in [0, 1].
            noise: from `draw`.
        """
        raise TypeError(f"{type(self).__name__} corrupts nothing")

    def told(self, images: Any, noise: Any) -> dict[str, Any]:
        """Corrupt images; returns what `VAE.given` is told of them."""
        return {"seen": self(images, noise).seen}


@builds(GaussianNoiseConfig)
class GaussianNoise(Corruption):
    """x + std * noise, clipped to [0, 1]."""

    config: GaussianNoiseConfig

    def draw(self, count: Any, seed: Any) -> Any:
        """Return normal noise."""
        return tf.random.stateless_normal((count, *self.noise_shape), seed)

    def __call__(self, images: Any, noise: Any) -> Corrupted:
        """Add noise."""
        return Corrupted(tf.clip_by_value(images + self.config.std * noise, 0.0, 1.0))


@builds(SaltAndPepperConfig)
class SaltAndPepper(Corruption):
    """Half of the replaced pixels turn black, half white."""

    config: SaltAndPepperConfig

    def __call__(self, images: Any, noise: Any) -> Corrupted:
        """Replace pixels."""
        half = self.config.probability / 2
        images = tf.where(noise < half, 0.0, images)
        return Corrupted(tf.where(noise >= 1 - half, 1.0, images))


@builds(MaskingNoiseConfig)
class MaskingNoise(Corruption):
    """Replaced pixels turn black.

    Source: Vincent et al., "Extracting and composing robust features with denoising
    autoencoders", 2008.
    """

    config: MaskingNoiseConfig

    def __call__(self, images: Any, noise: Any) -> Corrupted:
        """Replace pixels."""
        return Corrupted(tf.where(noise < self.config.probability, 0.0, images))


def shown(images: Any, mask: Any) -> Any:
    """Return images as the encoder sees them, missing pixels grey."""
    return images * mask + MISSING * (1.0 - mask)


@builds(NoCorruptionConfig)
def no_corruption(config: NoCorruptionConfig, shape: Shape) -> None:
    """Leave images as they are."""


def build_corruption(config: CorruptionConfig, shape: Shape) -> Corruption | None:
    """Return a corruption of images of a shape; None for `corruption=none`."""
    found: Corruption | None = build(config, shape)
    return found


def corrupts_anew(
    corruption: Corruption, seed: int, replicas: int
) -> Callable[[Any, Share, Any], dict[str, Any]]:
    """Return what corrupts a share of a batch, otherwise at each step.

    Args:
        corruption: how.
        seed: of the run.
        replicas: that share a batch.
    """

    def corrupt(images: Any, share: Share, step: Any) -> dict[str, Any]:
        keyed = key(seed, Stream.TRAINING_CORRUPTION, step)
        noise = corruption.draw(whole_size(share, replicas), keyed)
        return corruption.told(images, of_share(noise, share))

    return corrupt


def corrupts_for_good(
    corruption: Corruption, seed: int
) -> Callable[[Any, Share, Any], dict[str, Any]]:
    """Return what corrupts a share of a batch, each image always the same way.

    Args:
        corruption: how.
        seed: of the data set.
    """

    def corrupt(images: Any, share: Share, step: Any) -> dict[str, Any]:
        return corruption.told(images, corruption.draw_for(share["index"], seed))

    return corrupt


def corrupted(split: Split, config: CorruptionConfig, seed: int) -> Split:
    """Return a split with what the encoder sees of each image, drawn once.

    Args:
        split: images.
        config: how they are corrupted.
        seed: of the data set.
    """
    corruption = build_corruption(config, split.images.shape[1:])
    if corruption is None:
        return split

    @tf.function(reduce_retracing=True)
    def told(pixels: Any, index: Any) -> dict[str, Any]:
        images = tf.cast(pixels, tf.float32) / 255.0
        return corruption.told(images, corruption.draw_for(index, seed))

    def as_bytes(pixels: np.ndarray, index: np.ndarray) -> dict[str, np.ndarray]:
        found = told(tf.constant(pixels), tf.constant(index))
        return {name: _to_bytes(values) for name, values in found.items()}

    context = split.images.mapped(as_bytes, f"corruption={config.name}")
    return replace(split, seen=context["seen"], scored=context.get("scored"))


def with_missing(split: Split) -> Split:
    """Return a split whose unscored pixels are missing, as the encoder sees them."""
    mask = split.scored[:] / np.float32(255)
    seen = shown(split.images[:] / np.float32(255), mask)
    return replace(split, seen=np.rint(seen * 255).astype(np.uint8))


def _to_bytes(values: Any) -> np.ndarray:
    """Return numbers in [0, 1] as bytes, as image files hold them."""
    return np.rint(values.numpy() * 255).astype(np.uint8)
