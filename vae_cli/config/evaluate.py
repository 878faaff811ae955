"""Sections of `vae-evaluate`: likelihoods beyond importance sampling."""

from dataclasses import dataclass

from vae_cli.config.option import option

EVALUATE = (
    "split", "importance_samples", "num_images", "generated_images", "disentanglement",
    "prior",
    "feature_network", "feature_range", "ais", "gap", "seed",
    "batch_size", "chunk_size", "memory_mb",
)  # fmt: skip
"""Keys of `vae-evaluate` that `Run.evaluate` takes."""


@dataclass
class AnnealingConfig:
    """Annealed importance sampling: log p(x) of some images."""

    images: int | None = option(
        "images of the split to estimate log p(x) of, and as many simulated ones "
        "for a bound from either side; null: none",
        at_least=1,
        default=None,
    )
    temperatures: int = option(
        "intermediate distributions between start and posterior",
        at_least=2,
        at_most=100_000,
        default=500,
    )
    chains: int = option("chains per image", at_least=1, at_most=1000, default=16)
    leapfrog_steps: int = option(
        "of the Hamiltonian transition at each temperature",
        at_least=1,
        at_most=1000,
        default=10,
    )
    start: str = option(
        "where chains start: the prior p(z), or the Gaussian with the encoder's mean "
        "and variance",
        choices=("prior", "posterior"),
        default="prior",
    )


@dataclass
class GapConfig:
    """The gap between log p(x) and the ELBO, split in two by refining q per image."""

    images: int | None = option(
        "images of the split to refine q(z|x) of; null: none", at_least=1, default=None
    )
    steps: int = option(
        "steps of Adam on each image's own mean and log-variance",
        at_least=1,
        at_most=1_000_000,
        default=500,
    )
    samples: int = option(
        "posterior samples per image and step", at_least=1, at_most=10_000, default=16
    )
