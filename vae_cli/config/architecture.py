"""Options of encoder and decoder networks."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, Self

from vae_cli.config.option import Options, option
from vae_cli.config.sizes import (
    MAX_LAYERS,
    Layers,
    conv_layers,
    dense_layers,
    depth_problems,
    filters_for,
    ladder_levels,
    shrunk,
)
from vae_cli.registry import register

ACTIVATIONS = (
    "linear", "relu", "leaky_relu", "elu", "selu", "gelu", "silu", "softplus",
    "tanh", "sigmoid",
)  # fmt: skip
NORMALIZATIONS = ("none", "batch", "layer")

MAX_UNITS = 1_000_000
MAX_KERNEL = 255
"""Pixels: larger kernels end the process within oneDNN."""


@dataclass
class ArchitectureConfig(Options):
    """Encoder and decoder networks."""

    activation: str = option(
        "after every hidden layer", choices=ACTIVATIONS, default="relu"
    )
    normalization: str = option(
        "in every hidden layer", choices=NORMALIZATIONS, default="none"
    )
    dropout: float = option(
        "rate after every hidden layer of the encoder and decoder",
        at_least=0,
        below=1,
        default=0.0,
    )
    l2: float = option(
        "weight of the squared hidden kernels in what is minimised, not in the logged "
        "loss",
        at_least=0,
        default=0.0,
    )

    def for_size(self, side: int) -> Self:
        """Return options with what is chosen by the longer side of the images."""
        return self

    size_keys: ClassVar[tuple[str, ...]] = ()
    """Keys that decide how large the networks are."""

    @property
    def has_gates(self) -> bool:
        """Whether dense layers multiply each unit by a sigmoid gate."""
        return False

    def layers(self, image_shape: tuple[int, ...], latent_dim: int) -> Layers:
        """Return the layers of encoder and decoder; none where that is unknown."""
        return []

    takes_ladder: ClassVar[bool] = False
    """Whether it has sizes for the levels of hierarchy=ladder."""

    def ladder_sizes(self, image_shape: tuple[int, ...]) -> list[tuple[int, ...]]:
        """Return the sizes, smallest first: (), a vector, or a grid's (h, w).

        There are none before they are chosen; images don't change how many there are.
        """
        return []

    def ladder_layers(
        self, image_shape: tuple[int, ...], levels: list[int], channels: list[int]
    ) -> Layers:
        """Return the layers of a ladder; `levels` and `channels` at each size."""
        return []

    def grid(self, image_shape: Sequence[int]) -> tuple[int, int] | None:
        """Return rows and columns of the encoder's last features; None without."""
        return None


@register("architecture", "conv")
@dataclass
class ConvConfig(ArchitectureConfig):
    """Strided convolutions, mirrored by transposed ones; any image size."""

    filters: list[int] = option(
        "filters of each encoder layer; null: as many layers as bring the images to 8 "
        "pixels, two at least",
        at_least=1,
        at_most=MAX_UNITS,
        by_size=True,
        default=None,
    )
    kernel_sizes: list[int] = option(
        "one for all layers, or one per layer",
        at_least=1,
        at_most=MAX_KERNEL,
        default_factory=lambda: [3],
    )
    strides: list[int] = option(
        "one for all layers, or one per layer",
        at_least=1,
        at_most=MAX_KERNEL,
        default_factory=lambda: [2],
    )
    dense_units: list[int] = option(
        "hidden dense layers between convolutions and latent space",
        at_least=1,
        at_most=MAX_UNITS,
        default_factory=list,
    )

    size_keys = ("filters", "kernel_sizes", "dense_units")

    def for_size(self, side: int) -> Self:
        """Return options with filters."""
        if self.filters is not None:
            return self
        return replace(self, filters=filters_for(side, 32 if side <= 128 else 16))

    def per_layer(self) -> list[tuple[int, int, int]]:
        """Return (filters, kernel size, stride) of each layer."""
        count = len(self.filters)
        kernels, strides = (
            values * count if len(values) == 1 else values
            for values in (self.kernel_sizes, self.strides)
        )
        return list(zip(self.filters, kernels, strides, strict=True))

    def grid(self, image_shape: Sequence[int]) -> tuple[int, int]:
        """Return rows and columns of the encoder's last features."""
        return shrunk(image_shape, [stride for _, _, stride in self.per_layer()])

    def layers(self, image_shape: tuple[int, ...], latent_dim: int) -> Layers:
        """Return the layers of encoder and decoder."""
        filters, kernels, strides = zip(*self.per_layer(), strict=True)
        return conv_layers(
            image_shape, latent_dim, filters, kernels, strides, self.dense_units
        )

    def problems(self) -> list[str]:
        """Return inconsistencies between fields."""
        filters = [1] if self.filters is None else self.filters  # None: to be chosen
        problems = depth_problems("architecture.filters", filters, least=1)
        problems += depth_problems("architecture.dense_units", self.dense_units)
        for key in ("kernel_sizes", "strides"):
            count = len(getattr(self, key))
            if count not in (1, len(filters)) and self.filters is not None:
                problems.append(
                    f"architecture.{key} has {count} values for {len(filters)} "
                    f"layers; give one, or one per layer"
                )
        return problems


@register("architecture", "dense")
@dataclass
class DenseConfig(ArchitectureConfig):
    """Fully connected layers, mirrored in the decoder."""

    hidden_units: list[int] = option(
        "units of each encoder layer",
        at_least=1,
        at_most=MAX_UNITS,
        default_factory=lambda: [500, 500],
    )
    gated: bool = option(
        "multiply each hidden unit by a sigmoid gate of its own (Dauphin et al. 2017)",
        default=False,
    )

    size_keys = ("hidden_units",)

    @property
    def has_gates(self) -> bool:
        """Whether dense layers multiply each unit by a sigmoid gate."""
        return self.gated

    takes_ladder = True

    def ladder_sizes(self, image_shape: tuple[int, ...]) -> list[tuple[int, ...]]:
        """Return a vector for each hidden layer."""
        return [()] * len(self.hidden_units)

    def ladder_layers(
        self, image_shape: tuple[int, ...], levels: list[int], channels: list[int]
    ) -> Layers:
        """Return the layers of a ladder."""
        pixels, units = math.prod(image_shape), self.hidden_units
        gates = 2 if self.gated else 1
        return 2 * dense_layers([pixels, *units], gates) + ladder_levels(
            [()] * len(units), levels, units[::-1], channels, 1, gates, 1
        )

    def layers(self, image_shape: tuple[int, ...], latent_dim: int) -> Layers:
        """Return the layers of encoder and decoder."""
        pixels, units = math.prod(image_shape), self.hidden_units
        gates = 2 if self.gated else 1
        inner = dense_layers([pixels, *units], gates)
        inner += dense_layers([latent_dim, *units[::-1]], gates)
        ends = dense_layers([units[-1], 2 * latent_dim])
        return inner + ends + dense_layers([units[0], pixels])

    def problems(self) -> list[str]:
        """Return inconsistencies between fields."""
        return depth_problems("architecture.hidden_units", self.hidden_units, least=1)


@register("architecture", "residual_conv")
@dataclass
class ResidualConvConfig(ArchitectureConfig):
    """Gated residual convolutions at sizes that halve; any image size."""

    activation: str = option(
        "after every hidden layer", choices=ACTIVATIONS, default="elu"
    )
    filters: list[int] = option(
        "filters at each size, largest first; the first is half the image's; null: as "
        "many as bring the images to 8 pixels, two at least",
        at_least=1,
        at_most=MAX_UNITS,
        by_size=True,
        default=None,
    )
    blocks: int = option(
        "residual blocks at each size", at_least=0, at_most=MAX_LAYERS, default=1
    )
    kernel_size: int = option(
        "of every convolution", at_least=1, at_most=MAX_KERNEL, default=3
    )
    dense_units: int = option(
        "units of the layer between convolutions and latent space",
        at_least=1,
        at_most=MAX_UNITS,
        default=256,
    )

    size_keys = ("filters", "blocks", "dense_units")

    def for_size(self, side: int) -> Self:
        """Return options with filters."""
        if self.filters is not None:
            return self
        return replace(self, filters=filters_for(side, 16))

    takes_ladder = True

    def ladder_sizes(self, image_shape: tuple[int, ...]) -> list[tuple[int, ...]]:
        """Return a vector, then the grids."""
        if self.filters is None:
            return []
        halvings = range(len(self.filters), 0, -1)
        return [(), *(shrunk(image_shape, [2] * count) for count in halvings)]

    def ladder_layers(
        self, image_shape: tuple[int, ...], levels: list[int], channels: list[int]
    ) -> Layers:
        """Return the layers of a ladder."""
        # what a size has without latent variables, and the levels
        widths = [self.dense_units, *self.filters[::-1]]
        places = self.ladder_sizes(image_shape)
        return self.layers(image_shape, channels[0]) + ladder_levels(
            places, levels, widths, channels, self.kernel_size, 2, self.blocks
        )

    def grid(self, image_shape: Sequence[int]) -> tuple[int, int]:
        """Return rows and columns of the encoder's last features."""
        return shrunk(image_shape, [2] * len(self.filters))

    def layers(self, image_shape: tuple[int, ...], latent_dim: int) -> Layers:
        """Return the layers of encoder and decoder."""
        count = len(self.filters)
        return conv_layers(
            image_shape,
            latent_dim,
            self.filters,
            [self.kernel_size] * count,
            [2] * count,
            [self.dense_units],
            self.blocks,
        )

    def problems(self) -> list[str]:
        """Return inconsistencies between fields."""
        if self.filters is None:  # to be chosen
            return []
        return depth_problems("architecture.filters", self.filters, least=1)
