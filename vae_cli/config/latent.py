"""Options of what codes are: real vectors, or a grid of discrete codes."""

import math
from dataclasses import dataclass
from typing import ClassVar

from vae_cli.config.option import Options, option
from vae_cli.config.sizes import Layers, pixelcnn_layers
from vae_cli.registry import register

Grid = tuple[int, int]
"""Rows and columns of positions."""
MAX_CODES = 1_000_000
LOGITS = 65_536
"""Most codes where each position has a logit for every code."""


@dataclass
class LatentConfig(Options):
    """What a code z is."""

    is_discrete: ClassVar[bool] = False
    """Whether z is a grid of positions, each one of finitely many codes."""
    is_deterministic: ClassVar[bool] = False
    """Whether an image has one code, without noise."""
    learns_prior: ClassVar[bool] = False
    """Whether a prior of the codes is trained after the autoencoder."""

    @property
    def num_codes(self) -> int:
        """How many codes a position chooses from; 0 for real vectors."""
        return 0

    def collapse_remedies(self) -> list[str]:
        """Return what makes a model use more codes, as it would be typed."""
        return []

    def latent_dim(self, chosen: int, grid: Grid | None) -> int:
        """Return the dimensions of z.

        Args:
            chosen: where this option doesn't decide it.
            grid: of the architecture's positions; None where it has none.
        """
        return chosen

    def layers_of_prior(self, grid: Grid | None) -> Layers:
        """Return the layers of a prior that is trained after the autoencoder."""
        return []


@register("latent", "continuous")
@dataclass
class ContinuousConfig(LatentConfig):
    """Real vectors, latent_dim of them."""


@dataclass
class DiscreteConfig(LatentConfig):
    """A grid of positions, each one of finitely many codes."""

    groups: int = option(
        "positions of architectures that have no grid, such as dense",
        at_least=1,
        at_most=100_000,
        default=16,
    )
    prior: str = option(
        "of the codes: pixelcnn is trained after the autoencoder",
        choices=("pixelcnn", "uniform"),
        default="pixelcnn",
    )
    prior_epochs: int = option(
        "passes over the codes of the training images",
        at_least=1,
        at_most=1_000_000,
        default=20,
    )
    prior_filters: int = option(
        "channels of the PixelCNN", at_least=1, at_most=100_000, default=64
    )
    prior_layers: int = option(
        "gated layers of the PixelCNN", at_least=1, at_most=100, default=5
    )
    prior_learning_rate: float = option(
        "of Adam, for the PixelCNN", above=0, default=1e-3
    )

    is_discrete = True

    @property
    def learns_prior(self) -> bool:  # type: ignore[override]
        """Whether a prior of the codes is trained after the autoencoder."""
        return self.prior == "pixelcnn"

    @property
    def num_codes(self) -> int:
        """How many codes a position chooses from."""
        raise TypeError(f"{type(self).__name__} has no codes")

    @property
    def size(self) -> int:
        """Dimensions of the vector that stands for a code."""
        raise TypeError(f"{type(self).__name__} has no codes")

    @property
    def channels(self) -> int:
        """What the encoder gives for each position."""
        return self.size

    def positions(self, grid: Grid | None) -> Grid:
        """Return rows and columns of positions: the architecture's, or groups."""
        return grid or (1, self.groups)

    def collapse_remedies(self) -> list[str]:
        """Return what makes a model use more codes, as it would be typed."""
        return [
            "optimizer.learning_rate=0.0003  (encoder outputs move more slowly)",
            *self.own_remedies(),
        ]

    def own_remedies(self) -> list[str]:
        """Return those of this kind of codes."""
        return []

    def latent_dim(self, chosen: int, grid: Grid | None) -> int:
        """Return the dimensions of z: the vectors of all positions side by side."""
        return math.prod(self.positions(grid)) * self.size

    def layers_of_prior(self, grid: Grid | None) -> Layers:
        """Return the layers of the PixelCNN, where one is trained."""
        if not self.learns_prior:
            return []
        sizes = (self.num_codes, self.prior_filters, self.prior_layers)
        return pixelcnn_layers(math.prod(self.positions(grid)), *sizes)


@dataclass
class TableConfig(DiscreteConfig):
    """Codes whose vectors lie in a table."""

    codes: int = option(
        "codes that each position chooses from",
        at_least=2,
        at_most=MAX_CODES,
        default=512,
    )
    code_dim: int = option(
        "dimensions of each code's vector", at_least=1, at_most=100_000, default=64
    )

    @property
    def num_codes(self) -> int:
        """How many codes a position chooses from."""
        return self.codes

    @property
    def size(self) -> int:
        """Dimensions of the vector that stands for a code."""
        return self.code_dim


@register("latent", "vq")
@dataclass
class VqConfig(TableConfig):
    """Vector quantisation: the nearest of learned codes (van den Oord et al. 2017)."""

    commitment: float = option(
        "weight of the squared distance of encoder outputs to their codes",
        at_least=0,
        default=0.25,
    )
    decay: float = option(
        "of the moving averages that codes are", at_least=0, below=1, default=0.99
    )
    restart_below: float = option(
        "restart codes used less than this fraction of the mean use; 0: never",
        at_least=0,
        below=1,
        default=0.05,
    )

    is_deterministic = True

    def own_remedies(self) -> list[str]:
        """Return what makes a model use more of its codes."""
        fewer = [f"latent.codes={max(2, self.codes // 4)}  (fewer codes)"]
        if not self.restart_below:
            return ["latent.restart_below=0.05  (restart unused codes)", *fewer]
        return ["latent.code_dim=8  (codes in fewer dimensions)", *fewer]

    def problems(self) -> list[str]:
        """Return inconsistencies between fields."""
        return _logits_problems(self)


@register("latent", "fsq")
@dataclass
class FsqConfig(DiscreteConfig):
    """Finite scalar quantisation: rounded dimensions (Mentzer et al. 2023)."""

    levels: list[int] = option(
        "values of each dimension of a position; their product is the number of codes",
        at_least=3,
        at_most=1000,
        default_factory=lambda: [8, 5, 5, 5],
    )

    is_deterministic = True

    @property
    def num_codes(self) -> int:
        """How many codes a position chooses from."""
        return math.prod(self.levels)

    @property
    def size(self) -> int:
        """Dimensions of the vector that stands for a code."""
        return len(self.levels)

    def problems(self) -> list[str]:
        """Return inconsistencies between fields."""
        if not self.levels:
            return ["latent.levels needs a dimension, such as [8,5,5,5]; got []"]
        if self.num_codes > MAX_CODES:
            return [
                f"latent.levels makes {self.num_codes:,} codes; at most {MAX_CODES:,} "
                "are possible"
            ]
        return _logits_problems(self)


@register("latent", "categorical")
@dataclass
class CategoricalConfig(TableConfig):
    """Categorical codes by the Gumbel-softmax (Jang et al. 2017)."""

    codes: int = option(
        "codes that each position chooses from",
        at_least=2,
        at_most=LOGITS,
        default=64,
    )
    code_dim: int = option(
        "dimensions of each code's vector", at_least=1, at_most=100_000, default=32
    )
    temperature: float = option(
        "of the relaxed samples at the first step", above=0, default=1.0
    )
    final_temperature: float = option(
        "of the relaxed samples from the end of annealing on", above=0, default=0.5
    )
    temperature_steps: int = option(
        "training steps of the exponential decay between the two",
        at_least=1,
        at_most=1_000_000_000,
        default=5000,
    )

    @property
    def channels(self) -> int:
        """What the encoder gives for each position: a logit for each code."""
        return self.codes

    def own_remedies(self) -> list[str]:
        """Return what makes a model use more of its codes."""
        return [
            "kl_annealing=linear kl_annealing.duration=10  (a smaller weight of the KL "
            "at first)",
            "beta=0.5  (a smaller weight of the KL)",
        ]

    def problems(self) -> list[str]:
        """Return inconsistencies between fields."""
        if self.final_temperature > self.temperature:
            return [
                f"latent.final_temperature={self.final_temperature:g} must be at most "
                f"latent.temperature={self.temperature:g}"
            ]
        return []


def _logits_problems(config: DiscreteConfig) -> list[str]:
    """Return why a PixelCNN can't have a logit for each code."""
    if not config.learns_prior or config.num_codes <= LOGITS:
        return []
    return [
        f"latent.prior=pixelcnn takes at most {LOGITS:,} codes, got "
        f"{config.num_codes:,}; use fewer codes, or latent.prior=uniform"
    ]
