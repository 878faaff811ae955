"""How much of a codebook a split uses."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from keras import ops

from vae_cli.evaluation.batches import ConditionArrays, checked_condition, over_batches
from vae_cli.evaluation.latent import active_units
from vae_cli.models.vae import VAE


@dataclass(frozen=True)
class CodeUse:
    """The codes of a split.

    Attributes:
        codes: int32 [N, h, w].
        counts: how often each code is used, int64 [K].
    """

    codes: np.ndarray
    counts: np.ndarray

    @property
    def fraction(self) -> float:
        """Fraction of the codes that are used."""
        return float((self.counts > 0).mean())

    @property
    def perplexity(self) -> float:
        """How many codes, used alike, would tell as much: see `perplexity`."""
        return float(perplexity(self.counts.astype(np.float64)))


def perplexity(counts: Any) -> Any:
    """Return exp(-sum_k p_k log p_k), p_k the fraction of positions with code k.

    It is K where all codes are used alike, and 1 where one is.

    Args:
        counts: how often each code is used, float [K].
    """
    fraction = counts / ops.maximum(ops.sum(counts), 1.0)
    entropy = -ops.sum(fraction * ops.log(ops.maximum(fraction, 1e-30)))
    return ops.exp(entropy)


def count_codes(
    vae: VAE,
    images: np.ndarray,
    condition: ConditionArrays | None = None,
    batch_size: int = 500,
) -> CodeUse:
    """Return the most probable codes of images, and how often each is used.

    Args:
        vae: of discrete codes.
        images: uint8 [N, H, W, C].
        condition: of the images, as `Split.condition` has it.
        batch_size: images at a time.
    """

    def encode(x: Any, condition: Any) -> tuple[Any]:
        encoded = vae.encode(x, vae.condition(**condition))
        return (vae.mean_posterior(encoded).codes,)

    arrays = (images, checked_condition(vae, condition))
    (codes,) = over_batches(encode, arrays, batch_size)
    counts = np.bincount(codes.reshape(-1), minlength=vae.num_codes)
    return CodeUse(codes.reshape(len(codes), *vae.code_grid), counts)


def latent_use(
    vae: VAE,
    images: np.ndarray,
    mean: np.ndarray,
    condition: ConditionArrays | None = None,
) -> dict[str, Any]:
    """Return how much of the latent space is used, by the name of each measure.

    Args:
        vae: the model.
        images: uint8 [N, H, W, C].
        mean: their posterior means, float32 [N, latent_dim].
        condition: of the images, as `Split.condition` has it.
    """
    if not vae.num_codes:
        return {
            "active_units": active_units(mean),
            "codebook_use": None,
            "perplexity": None,
        }
    used = count_codes(vae, images, condition)
    return {
        "active_units": None,
        "codebook_use": used.fraction,
        "perplexity": used.perplexity,
    }
