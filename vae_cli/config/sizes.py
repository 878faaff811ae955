"""How many weights and activations layers have, for estimates of memory."""

import itertools
import math
from collections.abc import Sequence

Layers = list[tuple[float, float]]
"""(weights, activations per image) of each layer."""

MAX_LAYERS = 100
"""Layers or blocks in a row: more would take minutes to build."""
MOST_FILTERS = 256
"""Of a layer, where they are chosen by the size of the images."""


def dense_layers(units: Sequence[int], gates: int = 1) -> Layers:
    """Return the layers between widths; two `gates` are twice as wide."""
    return [
        (gates * (before + 1) * after, 2 * gates * after)
        for before, after in itertools.pairwise(units)
    ]


def conv_layers(
    image_shape: tuple[int, ...],
    latent_dim: int,
    filters: Sequence[int],
    kernels: Sequence[int],
    strides: Sequence[int],
    dense_units: Sequence[int],
    blocks: int = 0,
) -> Layers:
    """Return the layers of a convolutional encoder and of its mirrored decoder.

    Args:
        image_shape: (H, W, C).
        latent_dim: dimensions of z.
        filters: of each layer.
        kernels: size of each layer's kernel.
        strides: of each layer.
        dense_units: widths between convolutions and z.
        blocks: gated residual blocks at each size.
    """
    height, width, channels = image_shape
    layers: Layers = []
    for count, kernel, stride in zip(filters, kernels, strides, strict=True):
        decoded = height * width * channels
        height, width = math.ceil(height / stride), math.ceil(width / stride)
        encoded = height * width * count
        # there and back; before and after the activation
        layers.append((2 * kernel**2 * channels * count, 2 * (encoded + decoded)))
        # two convolutions each, the second with a gate
        block = (3 * kernel**2 * count**2, 6 * encoded)
        layers += [block] * (2 * blocks)
        channels = count
    grid = height * width * channels
    layers += dense_layers([grid, *dense_units, 2 * latent_dim])
    return layers + dense_layers([latent_dim, *dense_units[::-1], grid])


def pixelcnn_layers(positions: int, codes: int, filters: int, layers: int) -> Layers:
    """Return the layers of a gated PixelCNN over a grid of codes.

    Args:
        positions: of the grid.
        codes: that each position chooses from.
        filters: channels of each stack.
        layers: gated ones.
    """
    # kernels of 2 x 3, 1 x 3 and 1 x 1 to both halves of the gates, and the output's
    gated = (12 + 6 + 4 + 1) * filters**2
    return [
        (codes * filters, positions * filters),
        *[(gated, 10 * positions * filters)] * layers,
        ((filters + 1) * codes, positions * codes),
    ]


def ladder_levels(
    sizes: Sequence[tuple[int, ...]],
    levels: Sequence[int],
    widths: Sequence[int],
    channels: Sequence[int],
    kernel: int,
    gates: int,
    blocks: int,
) -> Layers:
    """Return the layers of a ladder's levels: prior, posterior, merge and blocks.

    Args:
        sizes: of a grid; () for a vector.
        levels: at each size.
        widths: filters of a grid, or units, at each size.
        channels: of the latent variables, at each size.
        kernel: size of a convolution's kernel.
        gates: 2 where the blocks have gates.
        blocks: after each level.
    """
    layers: Layers = []
    for size, count, width, dim in zip(sizes, levels, widths, channels, strict=True):
        places, taps = math.prod(size), kernel**2 if size else 1
        heads = (
            2 * taps * width**2 + 5 * width * dim,
            places * (5.0 * width + 6 * dim),
        )
        block = ((1 + gates) * taps * width**2, (3.0 + 2 * gates) * places * width)
        layers += count * [heads, *[block] * blocks]
    return layers


def filters_for(side: int, first: int) -> list[int]:
    """Return filters that double at each halving of a side, down to 8 pixels or so."""
    halvings = max(2, math.ceil(math.log2(max(side, 1) / 8)))
    return [min(first * 2**level, MOST_FILTERS) for level in range(halvings)]


def shrunk(image_shape: Sequence[int], strides: Sequence[int]) -> tuple[int, int]:
    """Return height and width after all strides, rounded up at each."""
    height, width = image_shape[:2]
    for stride in strides:
        height, width = math.ceil(height / stride), math.ceil(width / stride)
    return height, width


def depth_problems(key: str, layers: list[int], least: int = 0) -> list[str]:
    """Return what is wrong with a number of layers."""
    if len(layers) > MAX_LAYERS:
        return [f"{key} has {len(layers):,} layers; at most {MAX_LAYERS} are possible"]
    return [f"{key} needs a layer, got []"] if len(layers) < least else []
