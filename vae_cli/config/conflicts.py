"""What doesn't go together among the groups of a training run."""

from typing import TYPE_CHECKING

from vae_cli.pixels import Pixels

if TYPE_CHECKING:
    from vae_cli.config.train import TrainConfig


def inpainting_problems(config: "TrainConfig") -> list[str]:
    """Return what doesn't go with models of missing pixels."""
    corruption, conditioning = config.corruption, config.conditioning
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
    if config.hierarchy.levels > 1:
        problems.append(
            f"conditioning={conditioning.name} takes one level, got "
            f"hierarchy={config.hierarchy.name}; use hierarchy=none"
        )
    return problems


def objective_problems(config: "TrainConfig") -> list[str]:
    """Return what does not go with an objective that compares whole images."""
    name, problems = config.objective.name, []
    if not config.objective.takes_binary_images and config.dataset.binarize != "none":
        problems.append(
            f"objective={name} with dataset.binarize={config.dataset.binarize}: its "
            "discriminator would trivially separate binary images from grey pixel "
            "means; use dataset.binarize=none"
        )
    if not config.objective.compares_whole_images:
        return problems
    if config.distribution.is_replicated:
        problems.append(
            f"objective={name} needs distribution=single, got "
            f"{config.distribution.name}"
        )
    if config.corruption.likelihood_pixels == "observed":
        problems.append(
            f"objective={name} compares whole images, also where pixels are "
            "missing; use corruption.loss_on=all"
        )
    if config.conditioning.on_observed:
        problems.append(
            f"objective={name} compares whole images, which "
            f"conditioning={config.conditioning.name} doesn't draw; use "
            "objective=elbo or iwae"
        )
    return problems


def standardized_problems(config: "TrainConfig") -> list[str]:
    """Return what takes pixels in [0, 1] alone, where they are standardized."""
    if config.dataset.value_range != "standardize":
        return []
    problems = []
    pixels = Pixels(bounded=False, levels=None)
    unfit = config.likelihood.problem_with(pixels)
    if unfit:
        problems.append("; ".join(unfit))
    if config.dataset.dequantize != "none":
        problems.append(
            f"dataset.dequantize={config.dataset.dequantize} adds noise to levels, and "
            "dataset.value_range=standardize leaves none; use one of them"
        )
    if config.corruption.corrupts:
        problems.append(
            f"corruption={config.corruption.name} changes pixels in [0, 1], and "
            "dataset.value_range=standardize gives others; use corruption=none, or "
            "dataset.value_range=auto"
        )
    if config.prior.encoded_images:
        problems.append(
            f"prior={config.prior.name} encodes images in [0, 1], and "
            "dataset.value_range=standardize gives others; use prior=mog, or "
            "dataset.value_range=auto"
        )
    return problems
