"""Options of priors p(z), the distribution of codes without an image."""

import math
from dataclasses import dataclass
from typing import ClassVar

from vae_cli.config.architecture import MAX_UNITS
from vae_cli.config.option import Options, option
from vae_cli.config.sizes import Layers, dense_layers, depth_problems
from vae_cli.registry import register


@dataclass
class PriorConfig(Options):
    """p(z), the distribution of codes without an image."""

    has_kl_per_dim: ClassVar[bool] = False
    """Whether the KL is a sum over latent dimensions, as free bits need it."""
    takes_condition: ClassVar[bool] = False
    """Whether it can depend on the condition, where that learns its own prior."""
    needs_posterior_density: ClassVar[bool] = False
    """Whether it evaluates q(z|x) at codes that weren't drawn from it."""
    is_of_any_code: ClassVar[bool] = False
    """Whether it gives way to the prior that discrete codes have of their own."""

    @property
    def encoded_images(self) -> int:
        """How many learned images it encodes at every step."""
        return 0

    @property
    def num_components(self) -> int:
        """How many densities of a code are computed."""
        return 0

    @property
    def uses_training_images(self) -> bool:
        """Whether training images enter it as they are."""
        return False

    def num_weights(self, image_shape: tuple[int, ...], latent_dim: int) -> float:
        """Return how many weights it has, besides those of `layers`."""
        return 0

    def layers(self, latent_dim: int) -> Layers:
        """Return the layers that it computes the density of a code with."""
        return []


@register("prior", "standard")
@dataclass
class StandardPriorConfig(PriorConfig):
    """The standard normal, N(0, I)."""

    has_kl_per_dim = True
    is_of_any_code = True


@register("prior", "mog")
@dataclass
class MixtureConfig(PriorConfig):
    """A mixture of diagonal Gaussians."""

    components: int = option(
        "Gaussians in the mixture", at_least=1, at_most=100_000, default=100
    )

    @property
    def num_components(self) -> int:
        """How many densities of a code are computed."""
        return self.components

    def num_weights(self, image_shape: tuple[int, ...], latent_dim: int) -> float:
        """Return how many weights it has."""
        return 2 * self.components * latent_dim


@register("prior", "vamp")
@dataclass
class VampConfig(MixtureConfig):
    """The posteriors of learned pseudo-inputs, mixed (Tomczak & Welling 2018)."""

    components: int = option(
        "pseudo-inputs, a Gaussian each", at_least=1, at_most=100_000, default=500
    )
    initialization: str = option(
        "initial pseudo-inputs: noise: near black; data: random training images",
        choices=("noise", "data"),
        default="noise",
    )

    needs_posterior_density = True

    @property
    def encoded_images(self) -> int:
        """How many learned images it encodes at every step."""
        return self.components

    @property
    def uses_training_images(self) -> bool:
        """Whether training images enter it as they are."""
        return self.initialization == "data"

    def num_weights(self, image_shape: tuple[int, ...], latent_dim: int) -> float:
        """Return how many weights it has."""
        return self.components * math.prod(image_shape)


@dataclass
class FlowPriorConfig(PriorConfig):
    """The codes that a flow turns into standard normal ones."""

    steps: int = option(
        "invertible transformations, one after the other",
        at_least=1,
        at_most=1000,
        default=4,
    )
    hidden_units: list[int] = option(
        "hidden layers of each step's network",
        at_least=1,
        at_most=MAX_UNITS,
        default_factory=lambda: [320, 320],
    )

    takes_condition = True

    def layers(self, latent_dim: int) -> Layers:
        """Return the layers that it computes the density of a code with."""
        return self.steps * dense_layers(
            [latent_dim, *self.hidden_units, 2 * latent_dim]
        )

    def problems(self) -> list[str]:
        """Return inconsistencies between fields."""
        return depth_problems("prior.hidden_units", self.hidden_units, least=1)


@register("prior", "realnvp")
@dataclass
class RealNvpPriorConfig(FlowPriorConfig):
    """A flow of affine coupling layers (Dinh et al. 2017)."""

    steps: int = option(
        "coupling layers, one after the other", at_least=1, at_most=1000, default=6
    )
    hidden_units: list[int] = option(
        "hidden layers of each coupling layer's network",
        at_least=1,
        at_most=MAX_UNITS,
        default_factory=lambda: [256, 256],
    )


@register("prior", "iaf")
@dataclass
class IafPriorConfig(FlowPriorConfig):
    """An autoregressive flow: samples are drawn one dimension at a time."""
