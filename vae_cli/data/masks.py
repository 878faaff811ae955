"""Masks: corruptions that say which pixels are missing."""

from typing import Any

import tensorflow as tf

from vae_cli.config.corruption import (
    BoxConfig,
    HalfConfig,
    MaskConfig,
    QuadrantsConfig,
    RandomMaskConfig,
)
from vae_cli.data.corruption import Corrupted, Corruption, Shape, with_grey
from vae_cli.registry import builds


class Mask(Corruption):
    """Base of corruptions that remove pixels and say which."""

    config: MaskConfig

    def mask(self, noise: Any) -> Any:
        """Return 1 for observed pixels and 0 for missing ones, [B, H, W, 1]."""
        raise TypeError(f"{type(self).__name__} defines no mask")

    def __call__(self, images: Any, noise: Any) -> Corrupted:
        """Remove pixels."""
        mask = self.mask(noise)
        return Corrupted(with_grey(images, mask), mask)

    def condition(self, images: Any, noise: Any) -> dict[str, Any]:
        """Remove pixels; returns what `VAE.condition` takes of them."""
        corrupted, mask = self(images, noise)
        if self.config.loss_on == "all":
            return {"corrupted": corrupted}
        return {
            "corrupted": corrupted,
            "mask": mask if self.config.loss_on == "observed" else 1.0 - mask,
        }


@builds(RandomMaskConfig)
class RandomMask(Mask):
    """Each pixel is missing with the same probability, all channels at once."""

    config: RandomMaskConfig

    def _noise_shape(self, shape: Shape) -> tuple[int, ...]:
        return (*shape[:2], 1)

    def mask(self, noise: Any) -> Any:
        """Draw pixel by pixel."""
        return tf.cast(noise >= self.config.probability, tf.float32)


class Rectangle(Mask):
    """Base of masks that are a rectangle; two random numbers per image."""

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


@builds(HalfConfig)
class Half(Rectangle):
    """One side is missing; the middle row or column of an odd size is observed."""

    config: HalfConfig

    def mask(self, noise: Any) -> Any:
        """Remove a side, the same or one that is drawn."""
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


@builds(QuadrantsConfig)
class Quadrants(Rectangle):
    """Some of the quadrants are missing, the same in every image."""

    config: QuadrantsConfig

    def mask(self, noise: Any) -> Any:
        """Keep the observed quadrants."""
        height, width, _ = self.shape
        down, across = height // 2, width // 2
        lower_left = (down, 0, height - down, across)
        upper_left = (0, 0, down, across)
        upper_right = (0, across, down, width - across)
        ones = tf.ones(tf.shape(noise)[:1], tf.int32)
        observed = (lower_left, upper_left, upper_right)[: self.config.quadrants]
        return tf.add_n(
            [self._rectangle(*(ones * n for n in quadrant)) for quadrant in observed]
        )


@builds(BoxConfig)
class Box(Rectangle):
    """A rectangle is missing, wherever it falls within the image."""

    config: BoxConfig

    def mask(self, noise: Any) -> Any:
        """Remove a rectangle of the image's proportions."""
        height, width, _ = self.shape
        down = max(1, round(self.config.size * height))
        across = max(1, round(self.config.size * width))
        top = tf.floor(noise[:, 0] * (height - down + 1))
        left = tf.floor(noise[:, 1] * (width - across + 1))
        ones = tf.ones_like(top)
        return 1.0 - self._rectangle(top, left, ones * down, ones * across)
