"""Corruption: what the encoder gets in place of an image.

Noise doesn't say which pixels it changed. A mask does: the pixels that it removes are
grey, which no binary pixel is. Each kind is a function
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
from vae_cli.data.batches import (
    Shard,
    global_batch_size,
    pixels_to_float,
    slice_for_shard,
)
from vae_cli.data.images import to_float, to_levels
from vae_cli.data.splits import Split
from vae_cli.randomness import Stream, key
from vae_cli.registry import build, builds
from vae_cli.runtime import without_retracing_advice

MISSING = 128 / 255
"""What the encoder gets where a pixel is missing: the middle level of 8-bit images."""

Shape = tuple[int, int, int]


class Corrupted(NamedTuple):
    """Corrupted images."""

    images: Any  # float32 [B, H, W, C] in [0, 1], what the encoder gets
    mask: Any = None  # float32 [B, H, W, 1]: 1 observed, 0 missing; None for noise


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

    def condition(self, images: Any, noise: Any) -> dict[str, Any]:
        """Corrupt images; returns what `VAE.condition` takes of them."""
        return {"corrupted": self(images, noise).images}


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


def with_grey(images: Any, mask: Any) -> Any:
    """Return images with grey in place of missing pixels, as the encoder gets them."""
    return images * mask + MISSING * (1.0 - mask)


@builds(NoCorruptionConfig)
def no_corruption(config: NoCorruptionConfig, shape: Shape) -> None:
    """Leave images as they are."""


def build_corruption(config: CorruptionConfig, shape: Shape) -> Corruption | None:
    """Return a corruption of images of a shape; None for `corruption=none`."""
    corruption: Corruption | None = build(config, shape)
    return corruption


def corruption_per_step(
    corruption: Corruption, seed: int, replicas: int
) -> Callable[[Any, Shard, Any], dict[str, Any]]:
    """Return a function that corrupts a shard of a batch anew at every step.

    Args:
        corruption: how.
        seed: of the run.
        replicas: that share a batch.
    """

    def corrupt(images: Any, shard: Shard, step: Any) -> dict[str, Any]:
        keyed = key(seed, Stream.TRAINING_CORRUPTION, step)
        noise = corruption.draw(global_batch_size(shard, replicas), keyed)
        return corruption.condition(images, slice_for_shard(noise, shard))

    return corrupt


def fixed_corruption(
    corruption: Corruption, seed: int
) -> Callable[[Any, Shard, Any], dict[str, Any]]:
    """Return a function that corrupts each image of a shard the same way at every step.

    Args:
        corruption: how.
        seed: of the data set.
    """

    def corrupt(images: Any, shard: Shard, step: Any) -> dict[str, Any]:
        return corruption.condition(images, corruption.draw_for(shard["index"], seed))

    return corrupt


def corrupt_split(split: Split, config: CorruptionConfig, seed: int) -> Split:
    """Return a split with corrupted images, drawn once.

    Args:
        split: images.
        config: how they are corrupted.
        seed: of the data set.
    """
    corruption = build_corruption(config, split.images.shape[1:])
    if corruption is None:
        return split

    @tf.function(reduce_retracing=True)
    def condition(pixels: Any, index: Any) -> dict[str, Any]:
        images = pixels_to_float(pixels)
        return corruption.condition(images, corruption.draw_for(index, seed))

    def stored(pixels: np.ndarray, index: np.ndarray) -> dict[str, np.ndarray]:
        arrays = condition(tf.constant(pixels), tf.constant(index))
        made = {name: values.numpy() for name, values in arrays.items()}
        if pixels.dtype == np.uint8:
            return {name: to_levels(values) for name, values in made.items()}
        # a mask is bytes, whatever the pixels are
        return made | {n: to_levels(v) for n, v in made.items() if n == "mask"}

    with without_retracing_advice():
        arrays = split.images.mapped(stored, f"corruption={config.name}")
    return replace(split, corrupted=arrays["corrupted"], mask=arrays.get("mask"))


def with_missing(split: Split) -> Split:
    """Return a split whose pixels outside the mask are missing."""
    mask = to_float(split.mask[:])
    grey = with_grey(to_float(split.images[:]), mask)
    eight_bit = split.images.dtype == np.uint8
    return replace(split, corrupted=to_levels(grey) if eight_bit else grey)
