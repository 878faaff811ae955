"""Settings that are chosen by the size and number of the images if they are null."""

import math
from collections.abc import Sequence
from dataclasses import fields, replace

from vae_cli.config.dataset_files import FileConfig
from vae_cli.config.kl_annealing import (
    AutoAnnealingConfig,
    KlAnnealingConfig,
    LinearConfig,
    NoAnnealingConfig,
)
from vae_cli.config.train import TrainConfig
from vae_cli.errors import ConfigProblems

SMALL = 32 * 32
"""Values per image up to which latent_dim is 2 and beta is not annealed."""
LATENT_DIM, LARGE_LATENT_DIM = 64, 128
LARGE = 64 * 64 * 3
"""Values per image above which latent_dim is LARGE_LATENT_DIM."""
FEW = 10_000
"""Training images below which batches are small, for enough steps per epoch."""
BATCH_SIZE, SMALL_BATCH_SIZE = 128, 32
WARMUP = 10.0
"""Epochs over which beta rises; at most a third of the run's epochs."""


def batch_size(config: TrainConfig, num_images: int | None) -> int | None:
    """Return the images per step; None if that depends on a number not known yet.

    Args:
        config: of the run.
        num_images: training images; None: not known yet.
    """
    if config.batch_size is not None or not isinstance(config.dataset, FileConfig):
        return config.batch_size or BATCH_SIZE
    if num_images is None:
        return None
    return SMALL_BATCH_SIZE if num_images < FEW else BATCH_SIZE


def resolved(
    config: TrainConfig, image_shape: Sequence[int], num_images: int
) -> tuple[TrainConfig, list[str]]:
    """Return the config with every setting chosen, and the choices as typed.

    Args:
        config: of the run.
        image_shape: (H, W, C).
        num_images: training images.

    Raises:
        ConfigProblems: a chosen setting contradicts one that was given.
    """
    values = math.prod(image_shape)
    architecture = config.architecture.for_size(max(image_shape[:2]))
    hierarchy = config.hierarchy
    wrong = hierarchy.problems_with(architecture, config.latent_dim)
    if wrong:
        raise ConfigProblems(wrong)
    hierarchy = hierarchy.for_images(architecture, tuple(image_shape))
    total = hierarchy.total_dim(architecture, tuple(image_shape))
    latent_dim = total if config.latent_dim is None else config.latent_dim
    if total is not None and latent_dim != total:
        raise ConfigProblems(
            [
                f"latent_dim={latent_dim} counts all levels of "
                f"hierarchy={hierarchy.name}, which have {total} dimensions at these "
                f"sizes; use latent_dim={total}, or leave it out"
            ]
        )
    if latent_dim is None:
        latent_dim = 2 if values <= SMALL else LATENT_DIM
        latent_dim = LARGE_LATENT_DIM if values > LARGE else latent_dim
    of_codes = config.latent.latent_dim(latent_dim, architecture.grid(image_shape))
    if config.latent_dim not in (None, of_codes):
        raise ConfigProblems(
            [
                f"latent_dim={latent_dim} doesn't go with latent={config.latent.name}, "
                f"whose codes make {of_codes:,}; leave latent_dim out"
            ]
        )
    latent_dim = of_codes
    annealing: KlAnnealingConfig = config.kl_annealing
    if isinstance(annealing, AutoAnnealingConfig):
        annealing = NoAnnealingConfig()
        # the KL of a deterministic code is a constant
        constant = config.latent.is_deterministic or config.objective.replaces_kl
        if values > SMALL and not constant:
            annealing = LinearConfig(duration=min(WARMUP, config.epochs / 3))
    chosen = replace(
        config,
        architecture=architecture,
        hierarchy=hierarchy,
        latent_dim=latent_dim,
        kl_annealing=annealing,
        batch_size=batch_size(config, num_images) or BATCH_SIZE,
    )
    problems = chosen.problems()
    if problems:
        raise ConfigProblems(problems)
    return chosen, _words(config, chosen)


def _words(before: TrainConfig, after: TrainConfig) -> list[str]:
    """Return what was chosen, as it would be typed."""
    words = []
    if after.architecture is not before.architecture:
        filters = getattr(after.architecture, "filters", [])
        words.append(f"architecture.filters=[{','.join(map(str, filters))}]")
    for spec in fields(after.hierarchy):
        value = getattr(after.hierarchy, spec.name)
        if value != getattr(before.hierarchy, spec.name):
            words.append(f"hierarchy.{spec.name}=[{','.join(map(str, value))}]")
    for key in ("latent_dim", "batch_size"):
        if getattr(before, key) is None:
            words.append(f"{key}={getattr(after, key)}")
    annealing = after.kl_annealing
    if annealing is not before.kl_annealing:
        words.append(f"kl_annealing={annealing.name}")
        if isinstance(annealing, LinearConfig):
            words.append(f"kl_annealing.duration={annealing.duration:.3g}")
    return words
