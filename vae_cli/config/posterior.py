"""Options of posteriors q(z|x), the distribution of an image's codes."""

from dataclasses import dataclass
from typing import ClassVar

from vae_cli.config.architecture import MAX_UNITS
from vae_cli.config.option import Options, option
from vae_cli.config.sizes import Layers, dense_layers, depth_problems
from vae_cli.registry import register

MAX_STEPS = 1000


@dataclass
class PosteriorConfig(Options):
    """q(z|x), the distribution of an image's codes; with levels, that of the top."""

    has_kl_per_dim: ClassVar[bool] = False
    """Whether the KL is a sum over latent dimensions, as free bits need it."""
    has_density: ClassVar[bool] = True
    """Whether log q(z|x) is known at any z, not only where z was drawn from it."""
    is_of_any_code: ClassVar[bool] = False
    """Whether it stands for what codes are by themselves, discrete ones too."""

    def layers(self, latent_dim: int) -> Layers:
        """Return the layers that it adds to the encoder."""
        return []


@register("posterior", "gaussian")
@dataclass
class GaussianPosteriorConfig(PosteriorConfig):
    """A Gaussian with a diagonal covariance."""

    has_kl_per_dim = True
    is_of_any_code = True


@dataclass
class FlowPosteriorConfig(PosteriorConfig):
    """The image of a Gaussian under invertible steps that depend on x."""

    steps: int = option(
        "invertible transformations, one after the other",
        at_least=1,
        at_most=MAX_STEPS,
        default=4,
    )
    condition_units: int = option(
        "width of the layer that brings the encoder's features to the steps",
        at_least=1,
        at_most=MAX_UNITS,
        default=256,
    )

    has_density = False


@register("posterior", "iaf")
@dataclass
class IafPosteriorConfig(FlowPosteriorConfig):
    """Inverse autoregressive flow (Kingma et al. 2016)."""

    hidden_units: list[int] = option(
        "hidden layers of each step's autoregressive network",
        at_least=1,
        at_most=MAX_UNITS,
        default_factory=lambda: [320, 320],
    )

    def layers(self, latent_dim: int) -> Layers:
        """Return the layers that it adds to the encoder."""
        units = [latent_dim, *self.hidden_units, 2 * latent_dim]
        condition = dense_layers([self.condition_units, self.hidden_units[0]])
        return self.steps * [*dense_layers(units), *condition]

    def problems(self) -> list[str]:
        """Return inconsistencies between fields."""
        return depth_problems("posterior.hidden_units", self.hidden_units, least=1)


@register("posterior", "planar")
@dataclass
class PlanarPosteriorConfig(FlowPosteriorConfig):
    """Planar flow, its parameters given by the encoder (Rezende & Mohamed 2015)."""

    steps: int = option(
        "planes, one after the other", at_least=1, at_most=MAX_STEPS, default=16
    )

    def layers(self, latent_dim: int) -> Layers:
        """Return the layers that it adds to the encoder."""
        return self.steps * dense_layers([self.condition_units, 2 * latent_dim + 1])
