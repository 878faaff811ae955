"""Options of hierarchies: the stochastic layers between image and prior."""

import math
from dataclasses import dataclass, replace
from typing import ClassVar, Self

from vae_cli.config.architecture import MAX_UNITS, ArchitectureConfig
from vae_cli.config.option import Options, option
from vae_cli.config.sizes import Layers, dense_layers, depth_problems
from vae_cli.registry import register

Shapes = list[tuple[int, ...]]
"""Of each level of latent variables, top first: (d,), or (h, w, channels)."""


@dataclass
class HierarchyConfig(Options):
    """Stochastic layers between image and prior."""

    size_keys: ClassVar[tuple[str, ...]] = ()
    """Keys that decide how large its networks are."""

    @property
    def levels(self) -> int:
        """Return how many levels of latent variables there are."""
        return 1

    def top_size(
        self,
        latent_dim: int,
        architecture: ArchitectureConfig,
        image_shape: tuple[int, ...],
    ) -> int:
        """Return how many latent dimensions the top level has."""
        return latent_dim

    def for_images(
        self, architecture: ArchitectureConfig, image_shape: tuple[int, ...]
    ) -> Self:
        """Return options with what is chosen by architecture and images."""
        return self

    def total_dim(
        self, architecture: ArchitectureConfig, image_shape: tuple[int, ...]
    ) -> int | None:
        """Return the latent_dim that follows from its options; None where none does."""
        return None

    def network_layers(
        self,
        architecture: ArchitectureConfig,
        image_shape: tuple[int, ...],
        latent_dim: int,
    ) -> Layers:
        """Return the layers of encoder and decoder, with those that it adds."""
        return architecture.layers(image_shape, latent_dim) + self.layers(latent_dim)

    def layers(self, latent_dim: int) -> Layers:
        """Return the layers that it adds to encoder and decoder."""
        return []

    def problems_with(
        self, architecture: ArchitectureConfig, latent_dim: int | None
    ) -> list[str]:
        """Return what does not go with an architecture and a latent_dim."""
        return []


@register("hierarchy", "none")
@dataclass
class OneLevelConfig(HierarchyConfig):
    """One level of latent variables."""


@register("hierarchy", "two_level")
@dataclass
class TwoLevelConfig(HierarchyConfig):
    """A top level drawn from the prior, and a bottom level drawn given the top."""

    top_dim: int | None = option(
        "how many of latent_dim are the top level's; half if null",
        at_least=1,
        default=None,
    )
    hidden_units: list[int] = option(
        "hidden layers of p(bottom|top) and of q(bottom|image, top)",
        at_least=1,
        at_most=MAX_UNITS,
        default_factory=lambda: [300, 300],
    )

    size_keys = ("hidden_units",)

    @property
    def levels(self) -> int:
        """Return how many levels of latent variables there are."""
        return 2

    def top_size(
        self,
        latent_dim: int,
        architecture: ArchitectureConfig,
        image_shape: tuple[int, ...] = (),
    ) -> int:
        """Return how many latent dimensions the top level has."""
        return self.top_dim or latent_dim // 2

    def layers(self, latent_dim: int) -> Layers:
        """Return the layers that it adds to encoder and decoder."""
        return 2 * dense_layers([latent_dim, *self.hidden_units, latent_dim])

    def problems(self) -> list[str]:
        """Return inconsistencies between fields."""
        return depth_problems("hierarchy.hidden_units", self.hidden_units)

    def problems_with(
        self, architecture: ArchitectureConfig, latent_dim: int | None
    ) -> list[str]:
        """Return what is wrong with the dimensions of the levels."""
        if latent_dim is None:
            return []
        if latent_dim < self.levels:
            return [
                f"latent_dim={latent_dim} counts all levels of "
                f"hierarchy={self.name}; it must be at least {self.levels}"
            ]
        top_dim = self.top_size(latent_dim, architecture)
        if top_dim < latent_dim:
            return []
        return [
            f"hierarchy.top_dim={top_dim} must be below "
            f"latent_dim={latent_dim}, which counts all levels"
        ]


VECTOR_DIM, GRID_CHANNELS = 32, 4
"""Latent dimensions of a level that is a vector; channels at the smallest grid."""
GRID_LEVELS = 2
"""Levels at each grid where none are given."""


@register("hierarchy", "ladder")
@dataclass
class LadderConfig(HierarchyConfig):
    """Any number of levels at the architecture's sizes (Sonderby et al. 2016)."""

    levels_per_size: list[int] = option(
        "levels at each size, smallest first: a vector, then grids that double "
        "(residual_conv); hidden layers (dense); null: 1 a vector, 2 a grid",
        at_least=0,
        at_most=1000,
        by_size=True,
        default=None,
    )
    channels: list[int] = option(
        "latent dimensions of a vector, channels of a grid, at each size; null: 32, "
        "and 4, 2, 1, ... channels",
        at_least=1,
        at_most=MAX_UNITS,
        by_size=True,
        default=None,
    )

    size_keys = ("levels_per_size", "channels")

    @property
    def levels(self) -> int:
        """Return how many levels there are; 2 before that is chosen."""
        return 2 if self.levels_per_size is None else sum(self.levels_per_size)

    def top_size(
        self,
        latent_dim: int,
        architecture: ArchitectureConfig,
        image_shape: tuple[int, ...],
    ) -> int:
        """Return how many latent dimensions the top level has."""
        return math.prod(self.level_shapes(architecture, image_shape)[0])

    def for_images(
        self, architecture: ArchitectureConfig, image_shape: tuple[int, ...]
    ) -> Self:
        """Return options with levels and channels."""
        sizes = architecture.ladder_sizes(image_shape)
        grids = sum(1 for size in sizes if size)
        vectors = len(sizes) - grids
        channels = [max(1, GRID_CHANNELS >> level) for level in range(grids)]
        # of a single size, two levels
        each = max(1, 3 - len(sizes))
        return replace(
            self,
            levels_per_size=self.levels_per_size
            or [each] * vectors + [GRID_LEVELS] * grids,
            channels=self.channels or [VECTOR_DIM] * vectors + channels,
        )

    def level_shapes(
        self, architecture: ArchitectureConfig, image_shape: tuple[int, ...]
    ) -> Shapes:
        """Return the shape of each level, top first; of options that are chosen."""
        sizes = architecture.ladder_sizes(image_shape)
        every = zip(sizes, self.levels_per_size, self.channels, strict=True)
        return [(*size, channels) for size, n, channels in every for _ in range(n)]

    def total_dim(
        self, architecture: ArchitectureConfig, image_shape: tuple[int, ...]
    ) -> int:
        """Return the dimensions of all levels together."""
        return sum(map(math.prod, self.level_shapes(architecture, image_shape)))

    def network_layers(
        self,
        architecture: ArchitectureConfig,
        image_shape: tuple[int, ...],
        latent_dim: int,
    ) -> Layers:
        """Return the layers of both passes."""
        return architecture.ladder_layers(
            image_shape, self.levels_per_size, self.channels
        )

    def problems(self) -> list[str]:
        """Return inconsistencies between fields."""
        if self.levels_per_size is not None and sum(self.levels_per_size) < 2:
            return [
                f"hierarchy.levels_per_size={self.levels_per_size} needs two levels "
                "or more; use hierarchy=none for one"
            ]
        return []

    def problems_with(
        self, architecture: ArchitectureConfig, latent_dim: int | None
    ) -> list[str]:
        """Return what does not go with an architecture."""
        if not architecture.takes_ladder:
            return [
                f"hierarchy=ladder needs an architecture with latent variables at its "
                f"sizes, got {architecture.name}; use architecture=residual_conv, "
                "dense or gated_dense"
            ]
        count = len(architecture.ladder_sizes((1, 1)))
        return [
            f"hierarchy.{key}={getattr(self, key)} must have {count} values, one for "
            f"each size of architecture={architecture.name}, smallest first"
            for key in self.size_keys
            if getattr(self, key) is not None
            and count
            and len(getattr(self, key)) != count
        ]
