"""Codes of a run's images, scored against the factors that these were made from."""

import numpy as np

from vae_cli.data.splits import Split
from vae_cli.errors import ConfigError
from vae_cli.evaluation.disentanglement.report import (
    Disentanglement,
    FactorCodes,
    measure,
)
from vae_cli.evaluation.latent import encode
from vae_cli.factors import Factor
from vae_cli.randomness import Stream, generator
from vae_cli.runs.opened import OpenRun

MOST = 10_000
"""Most images that predictors are fitted on, and most that are scored."""
FEWEST = 100
"""Fewest images that scores are reported of."""


def disentanglement_of(run: OpenRun, name: str, seed: int) -> Disentanglement:
    """Score a run's codes against the factors of its images.

    Predictors are fitted on training images and scored on those of the split; for the
    training split, on two halves of it.

    Args:
        run: the run.
        name: of the split.
        seed: of what is drawn and fitted.

    Raises:
        ConfigError: the factors of its images are not known, or too few images.
    """
    factors = run.config.dataset.factors
    scored = _shuffled_subset(run.split(name), seed, 0)
    if name == "train":
        half = min(MOST, len(scored) // 2)
        fitted, scored = scored.take(slice(half)), scored.take(slice(half, 2 * half))
    else:
        fitted = _shuffled_subset(run.split("train"), seed, 1).take(slice(MOST))
        scored = scored.take(slice(MOST))
    fewest = min(len(fitted), len(scored))
    if fewest < FEWEST:
        raise ConfigError(
            f"disentanglement=true needs {FEWEST} images or more, to fit on and to "
            f"score; {run.folder} has {fewest} for one of these.",
            "choose a larger split, or train on a larger grid",
        )
    own, other = (_codes(run, split, factors) for split in (fitted, scored))
    return measure(own, other, factors, seed)


def _shuffled_subset(split: Split, seed: int, index: int) -> Split:
    """Return up to twice `MOST` images in an order drawn by the seed."""
    order = generator(seed, Stream.FACTORS, 2 + index).permutation(len(split))
    return split.take(order[: 2 * MOST])


def _codes(run: OpenRun, split: Split, factors: tuple[Factor, ...]) -> FactorCodes:
    mean, log_var = encode(run.vae, split.images, condition=split.condition)
    return FactorCodes(mean, log_var, levels_of(split, factors))


def levels_of(split: Split, factors: tuple[Factor, ...]) -> np.ndarray:
    """Return the level of each factor at each image, int64 [N, K]."""
    values = split.factors or {}
    return np.stack([factor.levels(values[factor.name]) for factor in factors], axis=1)
