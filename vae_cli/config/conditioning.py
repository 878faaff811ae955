"""Options of conditioning: what encoder and decoder get besides the image."""

import math
from dataclasses import dataclass
from typing import ClassVar

from vae_cli.config.architecture import MAX_UNITS
from vae_cli.config.option import Options, option
from vae_cli.config.sizes import Layers, dense_layers, depth_problems
from vae_cli.registry import register


@dataclass
class ConditioningConfig(Options):
    """What encoder and decoder get besides the image."""

    on_labels: ClassVar[bool] = False
    """Whether every image must have a label."""
    on_observed: ClassVar[bool] = False
    """Whether the condition is the observed pixels, so that the model inpaints."""

    @property
    def has_own_prior(self) -> bool:
        """Whether it learns its own prior in place of `prior`."""
        return False

    def layers(self, image_shape: tuple[int, ...]) -> Layers:
        """Return the layers that it adds."""
        return []


@register("conditioning", "none")
@dataclass
class UnconditionalConfig(ConditioningConfig):
    """No condition."""


@register("conditioning", "label")
@dataclass
class LabelConfig(ConditioningConfig):
    """The image's label: the model is of p(x|y)."""

    learned_prior: bool = option(
        "learn p(z|y): a Gaussian for each label, or with prior=realnvp or iaf a flow "
        "that depends on it; otherwise p(z) is the same for all",
        default=False,
    )

    on_labels = True

    @property
    def has_own_prior(self) -> bool:
        """Whether it learns its own prior in place of `prior`."""
        return self.learned_prior


@register("conditioning", "observed")
@dataclass
class ObservedConfig(ConditioningConfig):
    """The observed pixels: the model is of p(missing|observed), and inpaints."""

    hidden_units: list[int] = option(
        "layers between the observed pixels and what decoder and prior get of them",
        at_least=1,
        at_most=MAX_UNITS,
        default_factory=lambda: [500, 500],
    )

    on_observed = True

    @property
    def has_own_prior(self) -> bool:
        """Whether it learns its own prior in place of `prior`."""
        return True

    def layers(self, image_shape: tuple[int, ...]) -> Layers:
        """Return the layers that it adds."""
        return dense_layers([math.prod(image_shape), *self.hidden_units])

    def problems(self) -> list[str]:
        """Return inconsistencies between fields."""
        return depth_problems("conditioning.hidden_units", self.hidden_units, least=1)
