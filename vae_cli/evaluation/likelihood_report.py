"""What `ais.images=` and `gap.images=` add to a report: log p(x), and the gap to it."""

import logging
from collections.abc import Callable
from typing import Any

import numpy as np

from vae_cli.config.evaluate import EvaluateConfig
from vae_cli.data.splits import Split
from vae_cli.errors import ConfigError
from vae_cli.evaluation.annealing import Annealing
from vae_cli.evaluation.importance import ImportanceResult
from vae_cli.evaluation.inference_gap import refine
from vae_cli.evaluation.simulation import simulated
from vae_cli.evaluation.summary import standard_error
from vae_cli.models.vae import VAE
from vae_cli.randomness import Stream, generator

log = logging.getLogger(__name__)

WITH_ERRORS = (
    "ais_neg_log_prob", "ais_importance", "bdmc_lower", "bdmc_upper", "bdmc_gap",
    "inference_gap", "amortization_gap", "approximation_gap",
)  # fmt: skip
"""Means over images, each with its standard error."""
OTHERS = (
    "ais_images", "ais_acceptance", "gap_images", "gap_log_prob", "gap_log_prob_by"
)  # fmt: skip

Progress = Callable[[float], None]


def report_likelihood(
    vae: VAE,
    split: Split,
    config: EvaluateConfig,
    importance: ImportanceResult | None,
    progress: Progress,
) -> dict[str, Any]:
    """Return the figures of annealing and refinement; None where they aren't wanted.

    Args:
        vae: the model.
        split: images.
        config: how much of each, with a seed.
        importance: estimates of log p(x) of all these images by importance sampling.
        progress: called with the fraction of each part that is done.

    Raises:
        ConfigError: codes are discrete.
    """
    seed = config.seed or 0
    figures: dict[str, Any] = dict.fromkeys(OTHERS)
    for name in WITH_ERRORS:
        figures |= {name: None, f"{name}_se": None}
    if not (config.ais.images or config.gap.images):
        return figures
    if vae.num_codes:
        raise ConfigError(
            "ais.images= and gap.images= follow gradients of log p(z), and the codes "
            "of this run are discrete.",
            "leave them out",
        )
    # in one random order, so that fewer images are the first of more
    order = generator(seed, Stream.SUBSETS, 1).permutation(len(split))
    best, by = None, ""
    if importance is not None:
        best, by = importance.log_prob[order], "importance sampling"
    if config.ais.images:
        rows = order[: config.ais.images]
        estimates, found = _annealed(vae, split.take(rows), config, progress)
        figures |= found | {"ais_images": len(rows)}
        if best is not None:
            figures |= _mean("ais_importance", -best[: len(rows)])
        enough = len(rows) >= min(config.gap.images or 0, len(split))
        if enough and (best is None or estimates.mean() > best[: len(rows)].mean()):
            best, by = estimates, "annealed importance sampling"
    if config.gap.images:
        rows = order[: config.gap.images]
        if best is None or len(best) < len(rows):
            raise ConfigError(
                f"gap.images={len(rows)} needs log p(x) of each of these images.",
                f"ais.images={len(rows)} or importance_samples=500",
            )
        subset = split.take(rows)
        log.info("refining q(z|x) of %s images", f"{len(rows):,}")
        bounds = refine(
            vae, subset.images[:], config.gap, seed, subset.condition, config.memory_mb,
            progress,
        )  # fmt: skip
        log_prob = best[: len(rows)]
        figures |= {
            "gap_images": len(rows),
            "gap_log_prob": float(log_prob.mean()),
            "gap_log_prob_by": by,
            **_mean("inference_gap", log_prob - bounds.elbo),
            **_mean("amortization_gap", bounds.refined - bounds.elbo),
            **_mean("approximation_gap", log_prob - bounds.refined),
        }
    return figures


def _annealed(
    vae: VAE, split: Split, config: EvaluateConfig, progress: Progress
) -> tuple[np.ndarray, dict[str, Any]]:
    """Return log p(x) of images, and figures of these and of simulated images."""
    seed, count = config.seed or 0, len(split)
    sizes: dict[str, Any] = {
        "batch_size": config.batch_size,
        "memory_mb": config.memory_mb,
    }
    log.info("annealed importance sampling of %s images", f"{count:,}")
    # pilot and forward chains of both sets, and reverse ones
    total = 5 if vae.likelihood.has_samples else 2
    parts = iter(range(total))

    def part() -> Progress:
        number = next(parts)
        return lambda fraction: progress((number + fraction) / total)

    chains = Annealing(
        vae, split.images[:], config.ais, seed, split.condition, **sizes,
        progress=part(),
    )  # fmt: skip
    forward = chains.forward(part())
    figures = {
        **_mean("ais_neg_log_prob", -forward.log_prob),
        "ais_acceptance": forward.acceptance,
    }
    if not vae.likelihood.has_samples:
        log.info("no bounds on simulated images: the likelihood draws no pixels")
        return forward.log_prob, figures
    # the encoder of simulated images gets these themselves
    condition = dict(split.condition)
    if not vae.observed_network:
        condition.pop("corrupted", None)
    images, z = simulated(vae, count, seed, condition)
    chains = Annealing(
        vae, images, config.ais, seed, condition, **sizes, progress=part()
    )
    lower = chains.forward(part()).log_prob
    upper = chains.reverse(z, part()).log_prob
    figures |= _mean("bdmc_lower", lower) | _mean("bdmc_upper", upper)
    return forward.log_prob, figures | _mean("bdmc_gap", upper - lower)


def _mean(name: str, values: np.ndarray) -> dict[str, Any]:
    return {name: float(values.mean()), f"{name}_se": standard_error(values)}
