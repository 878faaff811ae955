"""Options of hierarchies: the stochastic layers between image and prior."""

from dataclasses import dataclass
from typing import ClassVar

from vae_cli.config.architecture import MAX_UNITS, depth_problems
from vae_cli.config.option import Options, option
from vae_cli.config.sizes import Layers, dense_layers
from vae_cli.registry import register


@dataclass
class HierarchyConfig(Options):
    """Stochastic layers between image and prior."""

    levels: ClassVar[int] = 1
    """Levels of latent variables."""

    def top_size(self, latent_dim: int) -> int:
        """Return how many latent dimensions the top level has."""
        return latent_dim

    def layers(self, latent_dim: int) -> Layers:
        """Return the layers that it adds to encoder and decoder."""
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

    levels = 2

    def top_size(self, latent_dim: int) -> int:
        """Return how many latent dimensions the top level has."""
        return self.top_dim or latent_dim // 2

    def layers(self, latent_dim: int) -> Layers:
        """Return the layers that it adds to encoder and decoder."""
        return 2 * dense_layers([latent_dim, *self.hidden_units, latent_dim])

    def problems(self) -> list[str]:
        """Return inconsistencies between fields."""
        return depth_problems("hierarchy.hidden_units", self.hidden_units)
