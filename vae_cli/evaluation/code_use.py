"""How much of a codebook a split uses."""

from dataclasses import dataclass
from typing import Any

import numpy as np

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
        """exp(-sum_k p_k log p_k), p_k the fraction of positions with code k."""
        p = self.counts[self.counts > 0] / self.counts.sum()
        return float(np.exp(-(p * np.log(p)).sum()))


def code_use(
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
    used = code_use(vae, images, condition)
    return {
        "active_units": None,
        "codebook_use": used.fraction,
        "perplexity": used.perplexity,
    }
