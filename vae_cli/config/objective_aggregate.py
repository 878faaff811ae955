"""Options of objectives that compare the codes of a batch with each other."""

from dataclasses import dataclass

from vae_cli.config.objective import ObjectiveConfig
from vae_cli.config.option import option
from vae_cli.registry import register


@register("objective", "beta_tc")
@dataclass
class BetaTcConfig(ObjectiveConfig):
    """The ELBO with a larger weight of the total correlation (Chen et al. 2018)."""

    tc_weight: float = option(
        "the total correlation has weight beta + tc_weight - 1, the paper's beta where "
        "beta=1; the rest of the KL has weight beta. 1 is the ELBO",
        at_least=0,
        default=6.0,
    )

    needs_whole_batch = True
    needs_real_codes = True
    needs_one_level = True

    @property
    def density_key(self) -> str:
        """What is chosen that evaluates q(z|x) otherwise than at its own draw."""
        return f"objective={self.name}"

    def values_per_pair(self, latent_dim: int) -> int:
        """Return how many numbers it holds for every two images of a batch."""
        return latent_dim


@register("objective", "factor")
@dataclass
class FactorConfig(ObjectiveConfig):
    """The ELBO and a total correlation by a discriminator (Kim & Mnih 2018)."""

    tc_weight: float = option(
        "weight of the total correlation, the paper's gamma", at_least=0, default=35.0
    )
    hidden_units: list[int] = option(
        "units of the discriminator's hidden layers",
        at_least=1,
        at_most=100_000,
        default_factory=lambda: [1000] * 6,
    )

    needs_whole_batch = True
    needs_real_codes = True

    def problems(self) -> list[str]:
        """Return inconsistencies between fields."""
        if self.hidden_units:
            return []
        return ["objective.hidden_units=[] needs one layer at least, such as [256,256]"]


@register("objective", "dip")
@dataclass
class DipConfig(ObjectiveConfig):
    """The ELBO and a penalty of the codes' covariance (Kumar et al. 2018)."""

    type: str = option(
        "whose covariance: i, the posterior means; ii, the codes, with the posterior "
        "variances",
        choices=("i", "ii"),
        default="ii",
    )
    lambda_od: float = option(
        "weight of the squared covariances of different dimensions",
        at_least=0,
        default=10.0,
    )
    lambda_d: float = option(
        "weight of the squared distance of each variance from 1; the paper has ten "
        "times lambda_od for type i, and lambda_od for type ii",
        at_least=0,
        default=10.0,
    )

    needs_whole_batch = True
    needs_real_codes = True
    needs_one_level = True

    @property
    def density_key(self) -> str:
        """What is chosen that evaluates q(z|x) otherwise than at its own draw."""
        return f"objective={self.name}"


@register("objective", "mmd")
@dataclass
class MmdConfig(ObjectiveConfig):
    """The maximum mean discrepancy of codes and prior (Zhao 2019, Tolstikhin 2018)."""

    mmd_weight: float = option(
        "weight of the squared discrepancy; with beta=0 this is the WAE",
        at_least=0,
        default=100.0,
    )
    kernel: str = option(
        "imq, inverse multiquadratics, or rbf, Gaussians",
        choices=("imq", "rbf"),
        default="imq",
    )
    scales: list[float] = option(
        "the kernels that are added up: their squared widths in units of 2 latent_dim",
        above=0,
        default_factory=lambda: [0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0],
    )

    needs_whole_batch = True
    needs_real_codes = True

    @property
    def bound(self) -> str:
        """Name in the logs of what selects the best epoch: its own loss."""
        return "neg_infovae"

    def values_per_pair(self, latent_dim: int) -> int:
        """Return how many numbers it holds for every two images of a batch."""
        return 3 * (latent_dim + len(self.scales))

    def problems(self) -> list[str]:
        """Return inconsistencies between fields."""
        if self.scales:
            return []
        return ["objective.scales=[] needs one kernel at least, such as [1]"]
