"""The evidence lower bound of a whole split."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf

from vae_cli.evaluation.batches import over_batches
from vae_cli.evaluation.latent import active_units
from vae_cli.models.objectives import elbo_terms
from vae_cli.models.vae import VAE
from vae_cli.randomness import Stream, key


@dataclass(frozen=True)
class ElboResult:
    """-ELBO and its parts, nats per image, averaged over images.

    Attributes:
        neg_elbo: reconstruction_loss + kl_loss; beta is 1 whatever training used.
        reconstruction_loss: -log p(x|z), one posterior sample an image.
        kl_loss: analytic KL(q(z|x) || p(z)).
        active_units: dimensions whose posterior mean has a variance above 0.01.
        num_images: images scored.
    """

    neg_elbo: float
    reconstruction_loss: float
    kl_loss: float
    active_units: int
    num_images: int


def evaluation_noise(count: int, latent_dim: int, seed: int) -> Any:
    """Return a split's fixed posterior noise: float32 [count, latent_dim].

    Drawn at once and indexed by image, so that no batch size changes a result.
    """
    return tf.random.stateless_normal(
        (count, latent_dim), key(seed, Stream.EVALUATION_NOISE, 0)
    )


def evaluate_elbo(
    vae: VAE, images: np.ndarray, seed: int, batch_size: int = 500
) -> ElboResult:
    """Score images.

    Args:
        vae: the model.
        images: uint8 [N, H, W, C].
        seed: fixes the posterior noise.
        batch_size: images at a time; changes no result beyond rounding.
    """
    noise = evaluation_noise(len(images), vae.latent_dim, seed)

    def score(x: Any, epsilon: Any) -> tuple[Any, Any, Any]:
        terms = elbo_terms(vae, x, epsilon, training=False)
        return terms.reconstruction, terms.kl_per_dim, terms.mean

    reconstruction, kl_per_dim, mean = over_batches(score, (images, noise), batch_size)
    reconstruction_loss = float(reconstruction.mean(dtype=np.float64))
    kl_loss = float(kl_per_dim.sum(axis=1, dtype=np.float64).mean())
    return ElboResult(
        neg_elbo=reconstruction_loss + kl_loss,
        reconstruction_loss=reconstruction_loss,
        kl_loss=kl_loss,
        active_units=active_units(mean),
        num_images=len(images),
    )
