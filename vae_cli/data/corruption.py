"""Corruption: what the encoder sees in place of an image.

Noise leaves no trace of where it struck. A mask does: the pixels it takes are known to
be missing, and are shown grey, which no binary pixel is. Each kind is a function of the
images and of noise drawn outside, so that the caller decides whether an image is
corrupted anew at every step or the same way for good.

Adding one: subclass, register below, add its dataclass and a YAML file.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from vae_cli.config.corruption import (
    BoxConfig,
    CorruptionConfig,
    GaussianNoiseConfig,
    HalfConfig,
    MaskConfig,
    QuadrantsConfig,
    RandomMaskConfig,
    ShareConfig,
)
from vae_cli.data.batches import Share, of_share, whole_size
from vae_cli.data.splits import Split
from vae_cli.randomness import Stream, key

MISSING = 128 / 255
"""What the encoder gets where a pixel is missing: the middle level of 8-bit images."""

Shape = tuple[int, int, int]


class Corrupted(NamedTuple):
    """What is known of images."""

    seen: Any  # float32 [B, H, W, C] in [0, 1], what the encoder sees
    mask: Any = None  # float32 [B, H, W, 1]: 1 seen, 0 missing; None for noise


class Corruption:
    """Base: uniform noise, one value a pixel.

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


class GaussianNoise(Corruption):
    """x + std * noise, clipped to [0, 1]."""

    config: GaussianNoiseConfig

    def draw(self, count: Any, seed: Any) -> Any:
        """Return normal noise."""
        return tf.random.stateless_normal((count, *self.noise_shape), seed)

    def __call__(self, images: Any, noise: Any) -> Corrupted:
        """Add noise."""
        return Corrupted(tf.clip_by_value(images + self.config.std * noise, 0.0, 1.0))


class SaltAndPepper(Corruption):
    """Half of the struck pixels turn black, half white."""

    config: ShareConfig

    def __call__(self, images: Any, noise: Any) -> Corrupted:
        """Strike pixels."""
        half = self.config.share / 2
        images = tf.where(noise < half, 0.0, images)
        return Corrupted(tf.where(noise >= 1 - half, 1.0, images))


class MaskingNoise(Corruption):
    """Struck pixels turn black.

    Source: Vincent et al., "Extracting and composing robust features with denoising
    autoencoders", 2008.
    """

    config: ShareConfig

    def __call__(self, images: Any, noise: Any) -> Corrupted:
        """Strike pixels."""
        return Corrupted(tf.where(noise < self.config.share, 0.0, images))


class Mask(Corruption):
    """Base of what takes pixels away and says which."""

    config: MaskConfig

    def mask(self, noise: Any) -> Any:
        """Return 1 where a pixel is seen and 0 where it is missing, [B, H, W, 1]."""
        raise TypeError(f"{type(self).__name__} defines no mask")

    def __call__(self, images: Any, noise: Any) -> Corrupted:
        """Take pixels away."""
        mask = self.mask(noise)
        return Corrupted(shown(images, mask), mask)

    def told(self, images: Any, noise: Any) -> dict[str, Any]:
        """Take pixels away; returns what `VAE.given` is told of them."""
        seen, mask = self(images, noise)
        if self.config.score == "all":
            return {"seen": seen}
        return {
            "seen": seen,
            "scored": mask if self.config.score == "seen" else 1.0 - mask,
        }


class RandomMask(Mask):
    """Each pixel is missing with the same probability, all channels at once."""

    config: RandomMaskConfig

    def _noise_shape(self, shape: Shape) -> tuple[int, ...]:
        return (*shape[:2], 1)

    def mask(self, noise: Any) -> Any:
        """Draw pixel by pixel."""
        return tf.cast(noise >= self.config.share, tf.float32)


class Rectangle(Mask):
    """Base of masks that are a rectangle; two random numbers an image."""

    def _noise_shape(self, shape: Shape) -> tuple[int, ...]:
        return (2,)

    def _rectangle(self, top: Any, left: Any, height: Any, width: Any) -> Any:
        """Return 1 within rectangles and 0 elsewhere; each argument is int32 [B]."""
        row = tf.range(self.shape[0])[None, :, None]
        column = tf.range(self.shape[1])[None, None, :]
        top, left, height, width = (
            tf.cast(a, tf.int32)[:, None, None] for a in (top, left, height, width)
        )
        within = (row >= top) & (row < top + height)
        within &= (column >= left) & (column < left + width)
        return tf.cast(within, tf.float32)[..., None]


class Half(Rectangle):
    """One side is missing; the middle row or column of an odd size is seen."""

    config: HalfConfig

    def mask(self, noise: Any) -> Any:
        """Take a side away, the same or one that is drawn."""
        height, width, _ = self.shape
        sides = {
            "top": (0, 0, height // 2, width),
            "bottom": (-(-height // 2), 0, height // 2, width),
            "left": (0, 0, height, width // 2),
            "right": (0, -(-width // 2), height, width // 2),
        }
        if self.config.side == "random":
            choice = tf.cast(noise[:, 0] * len(sides), tf.int32)
            sides_of = tf.gather(tf.constant(list(sides.values())), choice)
        else:
            sides_of = tf.tile([sides[self.config.side]], (tf.shape(noise)[0], 1))
        return 1.0 - self._rectangle(*tf.unstack(sides_of, axis=1))


class Quadrants(Rectangle):
    """Some of the quadrants are missing, the same in every image."""

    config: QuadrantsConfig

    def mask(self, noise: Any) -> Any:
        """Leave the quadrants that are seen."""
        height, width, _ = self.shape
        down, across = height // 2, width // 2
        lower_left = (down, 0, height - down, across)
        upper_left = (0, 0, down, across)
        upper_right = (0, across, down, width - across)
        ones = tf.ones(tf.shape(noise)[:1], tf.int32)
        seen = (lower_left, upper_left, upper_right)[: self.config.seen]
        return tf.add_n([self._rectangle(*(ones * n for n in part)) for part in seen])


class Box(Rectangle):
    """A rectangle is missing, wherever it falls within the image."""

    config: BoxConfig

    def mask(self, noise: Any) -> Any:
        """Take away a rectangle of the image's proportions."""
        height, width, _ = self.shape
        down = max(1, round(self.config.size * height))
        across = max(1, round(self.config.size * width))
        top = tf.floor(noise[:, 0] * (height - down + 1))
        left = tf.floor(noise[:, 1] * (width - across + 1))
        ones = tf.ones_like(top)
        return 1.0 - self._rectangle(top, left, ones * down, ones * across)


def shown(images: Any, mask: Any) -> Any:
    """Return images as the encoder sees them, missing pixels grey."""
    return images * mask + MISSING * (1.0 - mask)


CORRUPTIONS: dict[str, type[Corruption]] = {
    "gaussian_noise": GaussianNoise,
    "salt_and_pepper": SaltAndPepper,
    "masking_noise": MaskingNoise,
    "random_mask": RandomMask,
    "half": Half,
    "quadrants": Quadrants,
    "box": Box,
}


def build_corruption(config: CorruptionConfig, shape: Shape) -> Corruption | None:
    """Return a corruption of images of a shape; None for `corruption=none`."""
    if config.name == "none":
        return None
    return CORRUPTIONS[config.name](config, shape)


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
