"""What doesn't go together with discrete codes."""

from vae_cli.config.conditioning import ConditioningConfig
from vae_cli.config.distribution import DistributionConfig
from vae_cli.config.hierarchy import HierarchyConfig
from vae_cli.config.latent import LatentConfig
from vae_cli.config.objective import ObjectiveConfig
from vae_cli.config.posterior import PosteriorConfig
from vae_cli.config.prior import PriorConfig


def discrete_problems(
    latent: LatentConfig,
    prior: PriorConfig,
    posterior: PosteriorConfig,
    hierarchy: HierarchyConfig,
    conditioning: ConditioningConfig,
    objective: ObjectiveConfig,
    distribution: DistributionConfig,
    free_bits: float,
) -> list[str]:
    """Return what doesn't go with discrete codes."""
    if not latent.is_discrete:
        return []
    what, problems = f"latent={latent.name}", []
    if not prior.is_of_any_code:
        problems.append(
            f"{what} has discrete codes, prior={prior.name} is a density of real "
            "vectors; use prior=standard with latent.prior=pixelcnn or uniform"
        )
    if not posterior.is_of_any_code:
        problems.append(
            f"{what} has its own q(z|x), posterior={posterior.name} is a density of "
            "real vectors; use posterior=gaussian, which discrete codes replace"
        )
    if hierarchy.levels > 1:
        problems.append(
            f"{what} has one level, got hierarchy={hierarchy.name}; use hierarchy=none"
        )
    if conditioning.has_own_prior:
        problems.append(
            f"{what} learns its own prior of the codes, and so does "
            f"conditioning={conditioning.name}; use conditioning=none, or "
            "conditioning=label conditioning.learned_prior=false"
        )
    if objective.needs_real_codes:
        problems.append(
            f"{what} doesn't go with objective={objective.name}, whose statistics are "
            "of real vectors; use objective=elbo"
        )
    elif objective.detaches_posteriors:
        problems.append(
            f"{what} doesn't go with {objective.density_key}: discrete codes have no "
            "derivative; use objective=elbo objective.sticking_the_landing=false"
        )
    elif objective.posterior_samples > 1:
        problems.append(
            f"{what} takes objectives of one posterior sample, got "
            f"objective={objective.name} with {objective.posterior_samples}; use "
            "objective=elbo"
        )
    if free_bits:
        problems.append(
            f"free_bits={free_bits:g} is of real dimensions, which {what} doesn't "
            "have; use free_bits=0"
        )
    if distribution.has_workers or distribution.pads_batches:
        problems.append(
            f"{what} doesn't go with distribution={distribution.name}; use "
            "distribution=single or mirrored"
        )
    return problems
