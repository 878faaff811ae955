"""Gated residual convolutions at sizes that halve."""

import math
from typing import Any

import keras

from vae_cli.config.architecture import ResidualConvConfig
from vae_cli.models.architectures.base import (
    Architecture,
    Shape,
    crop,
    posterior,
    sizes,
)
from vae_cli.models.ladder_sizes import (
    GridSize,
    LadderNetworks,
    VectorSize,
)
from vae_cli.models.layers import activated, dense_stack, regularizer
from vae_cli.registry import builds


@builds(ResidualConvConfig)
class ResidualConv(Architecture):
    """At each size, which halves: a strided convolution, then residual blocks."""

    config: ResidualConvConfig

    def encoder(self, image_shape: Shape, latent_dim: int) -> keras.Model:
        """Return convolutions and blocks, then a dense layer."""
        image = keras.Input(image_shape, name="image")
        return posterior(
            image, flattened(grids(image, self.config)[-1], self.config), latent_dim
        )

    def decoder(self, output_shape: Shape, latent_dim: int) -> keras.Model:
        """Return dense layers, then at each size residual blocks; sizes double.

        The last doubling goes straight to the image: only the outputs are computed at
        full size.
        """
        config = self.config
        shapes = sizes(output_shape, [2] * len(config.filters))
        z = keras.Input((latent_dim,), name="z")
        x = dense_stack(z, [config.dense_units], config)
        x = to_grid(x, (*shapes[-1], config.filters[-1]), config)
        return keras.Model(z, image_of_grid(x, output_shape, config), name="decoder")

    def grid_features(self, image: Any, channels: int) -> Any:
        """Return convolutions and blocks, then a convolution of size 1."""
        x = activated(grids(image, self.config)[-1], "grid", self.config)
        return keras.layers.Conv2D(channels, 1, name="features")(x)

    def decoder_from_grid(self, grid: Any, output_shape: Shape) -> Any:
        """Return a convolution, then as `decoder` goes on from its grid."""
        config = self.config
        x = keras.layers.Conv2D(
            config.filters[-1],
            config.kernel_size,
            padding="same",
            kernel_regularizer=regularizer(config),
            name="from_codes",
        )(grid)
        return image_of_grid(x, output_shape, config)

    def ladder(self, image_shape: Shape) -> LadderNetworks:
        """Return the networks of a ladder."""
        return ResidualLadder(self.config, image_shape)


class ResidualLadder(LadderNetworks):
    """A vector, then the grids of the convolutions.

    Args:
        config: filters and blocks.
        image_shape: (H, W, C).
    """

    def __init__(self, config: ResidualConvConfig, image_shape: Shape) -> None:
        self.config = config
        self._shapes = sizes(image_shape, [2] * len(config.filters))
        by_size = zip(self._shapes[:0:-1], config.filters[::-1], strict=True)
        self.sizes = [
            VectorSize(config.dense_units, config),
            *(GridSize(grid, n, config, residual_block) for grid, n in by_size),
        ]

    def bottom_up(self, image: Any) -> list[Any]:
        """Return a hidden layer, and what each size's last block gives."""
        features = grids(image, self.config)[::-1]
        return [
            flattened(features[0], self.config),
            *(
                activated(x, f"size_{i}", self.config)
                for i, x in enumerate(features, 1)
            ),
        ]

    def up(self, x: Any, index: int) -> Any:
        """Give the vector a grid, or double one."""
        if index == 0:
            return to_grid(x, self.sizes[1].shape, self.config)
        level = len(self.config.filters) - index
        filters = self.sizes[index + 1].width
        return enlarged(x, self.config, level, filters, self._shapes[level])

    def outputs(self, x: Any, output_shape: tuple[int, ...]) -> Any:
        """Double the last grid, straight to the image."""
        return enlarged(x, self.config, 0, output_shape[-1], self._shapes[0])


def grids(image: Any, config: ResidualConvConfig) -> list[Any]:
    """Return what the last block of each size gives, largest size first."""
    x, features = image, []
    for level, filters in enumerate(config.filters):
        x = keras.layers.Conv2D(
            filters,
            config.kernel_size,
            strides=2,
            padding="same",
            kernel_regularizer=regularizer(config),
            name=f"down_{level}",
        )(x)
        for block in range(config.blocks):
            x = residual_block(x, config, f"level_{level}_block_{block}")
        features.append(x)
    return features


def flattened(x: Any, config: ResidualConvConfig) -> Any:
    """Return the hidden dense layer of a grid."""
    x = keras.layers.Flatten(name="flatten")(activated(x, "grid", config))
    return dense_stack(x, [config.dense_units], config)


def to_grid(x: Any, shape: tuple[int, ...], config: ResidualConvConfig) -> Any:
    """Return a dense layer's grid, [B, d] -> [B, *shape]."""
    x = keras.layers.Dense(
        math.prod(shape), kernel_regularizer=regularizer(config), name="dense_to_grid"
    )(x)
    return keras.layers.Reshape(shape, name="grid")(x)


def image_of_grid(x: Any, output_shape: Shape, config: ResidualConvConfig) -> Any:
    """Return the outputs, [B, *output_shape], of a grid of the smallest size."""
    shapes = sizes(output_shape, [2] * len(config.filters))
    # what each size hands up to the next larger one
    upward = [output_shape[-1], *config.filters[:-1]]
    for level in reversed(range(len(config.filters))):
        for block in range(config.blocks):
            x = residual_block(x, config, f"level_{level}_block_{block}")
        x = enlarged(x, config, level, upward[level], shapes[level])
    return x


def enlarged(
    x: Any, config: ResidualConvConfig, level: int, filters: int, size: tuple[int, int]
) -> Any:
    """Return x at twice the size, cut to `size`; at level 0 the outputs."""
    x = keras.layers.Conv2D(
        4 * filters,
        config.kernel_size,
        padding="same",
        kernel_regularizer=regularizer(config) if level else None,
        name="outputs" if level == 0 else f"up_{level}",
    )(activated(x, f"up_{level}", config))
    return crop(_depth_to_space(x, level), size, f"crop_{level}")


def residual_block(
    x: Any, config: ResidualConvConfig, name: str, last: Any = "glorot_uniform"
) -> Any:
    """Return x + gated convolutions of x; float32 [B, H, W, C] both.

    x + a * sigmoid(b), [a, b] = conv(f(conv(f(x)))), f the activation; the gate of
    van den Oord et al., "Conditional image generation with PixelCNN decoders", 2016,
    in the pre-activation block of He et al., "Identity mappings", 2016. `last` is the
    initializer of the last convolution.
    """
    filters = x.shape[-1]

    def conv(count: int, part: str, kernel: Any) -> keras.layers.Layer:
        return keras.layers.Conv2D(
            count,
            config.kernel_size,
            padding="same",
            kernel_initializer=kernel,
            kernel_regularizer=regularizer(config),
            name=f"{name}_{part}",
        )

    inner = conv(filters, "inner", "glorot_uniform")(activated(x, f"{name}_in", config))
    outer = conv(2 * filters, "outer", last)(activated(inner, f"{name}_inner", config))
    passed, opened = keras.ops.split(outer, 2, axis=-1)
    return x + passed * keras.layers.Activation("sigmoid", name=f"{name}_gate")(opened)


def _depth_to_space(x: Any, level: int) -> Any:
    """Turn 4 C channels into C at twice the size, by layers that plain Keras has."""
    height, width, channels = x.shape[1:]
    x = keras.layers.Reshape((height, width, 2, 2, channels // 4))(x)
    x = keras.layers.Permute((1, 3, 2, 4, 5), name=f"interleave_{level}")(x)
    return keras.layers.Reshape((2 * height, 2 * width, channels // 4))(x)
