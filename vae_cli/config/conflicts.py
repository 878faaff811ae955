"""What doesn't go together among the groups of a training run."""

from typing import Protocol

from vae_cli.config.architecture import ArchitectureConfig
from vae_cli.config.conditioning import ConditioningConfig
from vae_cli.config.corruption import CorruptionConfig
from vae_cli.config.dataset import DatasetConfig
from vae_cli.config.distribution import DistributionConfig
from vae_cli.config.hierarchy import HierarchyConfig
from vae_cli.config.kl_annealing import AutoAnnealingConfig, KlAnnealingConfig
from vae_cli.config.likelihood import LikelihoodConfig
from vae_cli.config.objective import ObjectiveConfig
from vae_cli.config.posterior import PosteriorConfig
from vae_cli.config.prior import PriorConfig
from vae_cli.pixels import Pixels


class Choices(Protocol):
    """What is read here of a `TrainConfig`, whose module imports this one."""

    dataset: DatasetConfig
    architecture: ArchitectureConfig
    hierarchy: HierarchyConfig
    conditioning: ConditioningConfig
    corruption: CorruptionConfig
    objective: ObjectiveConfig
    kl_annealing: KlAnnealingConfig
    distribution: DistributionConfig
    beta: float


def inpainting_problems(
    corruption: CorruptionConfig,
    conditioning: ConditioningConfig,
    hierarchy: HierarchyConfig,
) -> list[str]:
    """Return what doesn't go with models of missing pixels."""
    if not conditioning.on_observed:
        if corruption.likelihood_pixels != "missing":
            return []
        # with random masks neither: no code was trained to give the pixels that
        # its own encoder got, so they can't say how well it fits
        return [
            "corruption.loss_on=missing trains the decoder on missing pixels only, "
            "so only p(missing|observed) can be modelled, which needs "
            f"conditioning=observed, got conditioning={conditioning.name}; use "
            "conditioning=observed, or corruption.loss_on=all"
        ]
    problems = []
    if not corruption.masks:
        problems.append(
            f"conditioning={conditioning.name} needs a corruption with a mask "
            f"of missing pixels, got corruption={corruption.name}; use "
            "corruption=quadrants corruption.loss_on=missing"
        )
    elif corruption.likelihood_pixels == "observed":
        problems.append(
            f"conditioning={conditioning.name} with corruption.loss_on=observed "
            "would compute the loss only on pixels that the decoder gets; use "
            "corruption.loss_on=missing"
        )
    if hierarchy.levels > 1:
        problems.append(
            f"conditioning={conditioning.name} takes one level, got "
            f"hierarchy={hierarchy.name}; use hierarchy=none"
        )
    return problems


def objective_problems(config: Choices) -> list[str]:
    """Return what does not go with the objective of a run."""
    objective, name = config.objective, config.objective.name
    problems = [*_gradient_problems(config), *_pixel_problems(config)]
    if not objective.takes_binary_images and config.dataset.binarize != "none":
        problems.append(
            f"objective={name} with dataset.binarize={config.dataset.binarize}: its "
            "discriminator would trivially separate binary images from grey pixel "
            "means; use dataset.binarize=none"
        )
    if objective.compares_whole_images and config.distribution.is_replicated:
        problems.append(
            f"objective={name} needs distribution=single, got "
            f"{config.distribution.name}"
        )
    if objective.needs_whole_batch and config.distribution.is_replicated:
        problems.append(
            f"objective={name} has statistics over a batch, of which each replica of "
            f"distribution={config.distribution.name} would see a part; use "
            "distribution=single"
        )
    if objective.needs_one_level and config.hierarchy.levels > 1:
        problems.append(
            f"objective={name} needs the density of each dimension of z given an "
            f"image, which hierarchy={config.hierarchy.name} hasn't; use "
            "hierarchy=none, or objective=factor or mmd"
        )
    if objective.replaces_kl and config.beta != 1:
        problems.append(
            f"beta={config.beta:g} has no effect with objective={name}, which weighs "
            "the KL by objective.gamma; leave beta=1"
        )
    chosen = isinstance(config.kl_annealing, AutoAnnealingConfig)
    if objective.replaces_kl and config.kl_annealing.anneals and not chosen:
        problems.append(
            f"kl_annealing={config.kl_annealing.name} has no effect with "
            f"objective={name}, whose capacity grows instead; use kl_annealing=none"
        )
    return problems


def _pixel_problems(config: Choices) -> list[str]:
    """Return what an objective that compares images has against missing pixels."""
    objective, problems = config.objective, []
    if objective.compares_pixels and config.corruption.likelihood_pixels == "observed":
        problems.append(
            f"objective={objective.name} compares whole images, also where pixels are "
            "missing; use corruption.loss_on=all"
        )
    if objective.compares_pixels and config.conditioning.on_observed:
        problems.append(
            f"objective={objective.name} compares whole images, which "
            f"conditioning={config.conditioning.name} doesn't draw; use "
            "objective=elbo or iwae"
        )
    return problems


def posterior_problems(
    posterior: PosteriorConfig, prior: PriorConfig, objective: ObjectiveConfig
) -> list[str]:
    """Return what needs log q(z|x) where a posterior doesn't know it."""
    if posterior.has_density:
        return []
    why = (
        f"posterior={posterior.name} knows log q(z|x) only at codes drawn from it, "
        "with their gradient"
    )
    problems = []
    if prior.needs_posterior_density:
        problems.append(
            f"prior={prior.name} mixes posteriors of learned images, and {why}; use "
            "prior=mog, realnvp or iaf, or posterior=gaussian"
        )
    key = objective.density_key
    if key:
        problems.append(
            f"{key} evaluates log q(z|x) at other points, or with its parameters held "
            f"fixed, and {why}; leave out {key}, or use posterior=gaussian"
        )
    return problems


def _gradient_problems(config: Choices) -> list[str]:
    """Return what a gradient through the codes of several levels does not take."""
    if not config.objective.detaches_posteriors or config.hierarchy.levels == 1:
        return []
    start = f"{config.objective.density_key} with hierarchy={config.hierarchy.name} "
    problems = []
    if config.architecture.dropout:
        problems.append(
            f"{start}computes lower levels twice, and with "
            f"architecture.dropout={config.architecture.dropout:g} they would differ; "
            "use architecture.dropout=0"
        )
    if config.architecture.normalization == "batch":
        problems.append(
            f"{start}needs a lower level that depends on its own image alone; use "
            "architecture.normalization=layer or none, not batch"
        )
    return problems


def standardized_problems(
    dataset: DatasetConfig,
    likelihood: LikelihoodConfig,
    corruption: CorruptionConfig,
    prior: PriorConfig,
) -> list[str]:
    """Return what takes pixels in [0, 1] alone, where they are standardized."""
    if dataset.value_range != "standardize":
        return []
    problems = []
    pixels = Pixels(bounded=False, levels=None)
    unfit = likelihood.problem_with(pixels)
    if unfit:
        problems.append("; ".join(unfit))
    if dataset.dequantize != "none":
        problems.append(
            f"dataset.dequantize={dataset.dequantize} adds noise to levels, and "
            "dataset.value_range=standardize leaves none; use one of them"
        )
    if corruption.corrupts:
        problems.append(
            f"corruption={corruption.name} changes pixels in [0, 1], and "
            "dataset.value_range=standardize gives others; use corruption=none, or "
            "dataset.value_range=auto"
        )
    if prior.encoded_images:
        problems.append(
            f"prior={prior.name} encodes images in [0, 1], and "
            "dataset.value_range=standardize gives others; use prior=mog, or "
            "dataset.value_range=auto"
        )
    return problems
