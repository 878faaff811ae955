"""Options of objectives: the bound that training maximises."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

from vae_cli.config.option import Options, option
from vae_cli.registry import register

BOUNDS = {
    "neg_elbo": "neg. ELBO",
    "neg_iwae": "-IWAE bound",
    "neg_infovae": "neg. InfoVAE objective",
}
"""Name in the logs of a bound that selects the best epoch -> in words."""


def own_bound(columns: Iterable[str]) -> str:
    """Return which of a run's columns is the bound that selects its best epoch."""
    having = set(columns)
    return next((name for name in list(BOUNDS)[1:] if name in having), "neg_elbo")


@dataclass
class ObjectiveConfig(Options):
    """The bound that training maximises."""

    compares_whole_images: ClassVar[bool] = False
    """Whether a convolutional network compares whole images, on one device."""
    takes_binary_images: ClassVar[bool] = True
    """Whether it makes sense where every pixel is 0 or 1."""

    needs_whole_batch: ClassVar[bool] = False
    """Whether it has statistics over a batch, which no device or core has a part of."""
    needs_real_codes: ClassVar[bool] = False
    """Whether its statistics are of codes that are real vectors."""
    needs_one_level: ClassVar[bool] = False
    """Whether it holds for one level of latent variables only."""
    replaces_kl: ClassVar[bool] = False
    """Whether a term of its own takes the place of beta times the KL."""

    @property
    def compares_pixels(self) -> bool:
        """Whether every pixel of an image enters, missing ones too."""
        return self.compares_whole_images

    @property
    def takes_free_bits(self) -> bool:
        """Whether its loss has a KL per dimension, which free bits need."""
        return True

    @property
    def density_key(self) -> str:
        """What is chosen that evaluates q(z|x) otherwise than at its own draw.

        `key=value`, for the message; empty where nothing does. Other codes count, and
        q's parameters held fixed.
        """
        return ""

    @property
    def detaches_posteriors(self) -> bool:
        """Whether log q(z|x) has a gradient through z alone."""
        return False

    @property
    def posterior_samples(self) -> int:
        """Posterior samples per image and step."""
        return 1

    @property
    def bound(self) -> str:
        """Name in the logs of what selects the best epoch: the bound at beta 1."""
        return "neg_elbo"

    def values_per_pair(self, latent_dim: int) -> int:
        """Return how many numbers it holds for every two images of a batch."""
        return 0


@register("objective", "elbo")
@dataclass
class ElboConfig(ObjectiveConfig):
    """The evidence lower bound."""

    sticking_the_landing: bool = option(
        "encoder gradient through the sample alone, of lower variance near the true "
        "posterior (Roeder et al. 2017)",
        default=False,
    )

    @property
    def takes_free_bits(self) -> bool:
        """Whether its loss has a KL per dimension, which free bits need."""
        return not self.sticking_the_landing

    @property
    def detaches_posteriors(self) -> bool:
        """Whether log q(z|x) has a gradient through z alone."""
        return self.sticking_the_landing

    @property
    def density_key(self) -> str:
        """What is chosen that evaluates q(z|x) otherwise than at its own draw."""
        key = "objective.sticking_the_landing=true"
        return key if self.sticking_the_landing else ""


@register("objective", "iwae")
@dataclass
class IwaeConfig(ObjectiveConfig):
    """The importance-weighted bound (Burda et al. 2016)."""

    importance_samples: int = option(
        "posterior samples per image, k", at_least=1, at_most=10_000, default=5
    )
    doubly_reparameterized: bool = option(
        "encoder gradient of lower variance (Tucker et al. 2019; with several levels "
        "Bauer & Mnih 2021)",
        default=False,
    )

    @property
    def takes_free_bits(self) -> bool:
        """Whether its loss has a KL per dimension, which free bits need."""
        return False

    @property
    def detaches_posteriors(self) -> bool:
        """Whether log q(z|x) has a gradient through z alone."""
        return self.doubly_reparameterized

    @property
    def density_key(self) -> str:
        """What is chosen that evaluates q(z|x) otherwise than at its own draw."""
        key = "objective.doubly_reparameterized=true"
        return key if self.doubly_reparameterized else ""

    @property
    def posterior_samples(self) -> int:
        """Posterior samples per image and step."""
        return self.importance_samples

    @property
    def bound(self) -> str:
        """Name in the logs of what selects the best epoch: the bound at beta 1."""
        return "neg_iwae" if self.importance_samples > 1 else "neg_elbo"


@dataclass
class FeatureConfig(ObjectiveConfig):
    """The ELBO plus a squared error of features."""

    feature_weight: float = option(
        "weight of the feature loss: half the squared error, summed over features and "
        "averaged over positions",
        at_least=0,
        default=100.0,
    )

    compares_whole_images = True

    @property
    def pretraining_epochs(self) -> int:
        """Epochs that train the feature network before the model."""
        return 0


@register("objective", "perceptual")
@dataclass
class PerceptualConfig(FeatureConfig):
    """Features of a small classifier of the data set's labels, or of rotated images."""

    epochs: int = option(
        "epochs that train the feature network first",
        at_least=1,
        at_most=10_000,
        default=2,
    )

    @property
    def pretraining_epochs(self) -> int:
        """Epochs that train the feature network before the model."""
        return self.epochs


@register("objective", "vae_gan")
@dataclass
class VaeGanConfig(FeatureConfig):
    """Features of a discriminator that learns with the model (Larsen et al. 2016)."""

    feature_weight: float = option(
        "weight of the feature loss: half the squared error, summed over features and "
        "averaged over positions",
        at_least=0,
        default=30.0,
    )
    adversarial_weight: float = option(
        "weight of the adversarial loss, which updates only the decoder",
        at_least=0,
        default=1.0,
    )

    takes_binary_images = False
