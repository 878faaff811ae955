"""Objectives: what is minimised, from the terms of the bound.

All in nats per image: summed over pixels and latent dimensions, one value an image.
"""

from typing import Any, NamedTuple

from keras import ops

from vae_cli.models.vae import VAE


class ElboTerms(NamedTuple):
    """The parts of -ELBO(x) = E_q[-log p(x|z)] + KL(q(z|x) || p(z))."""

    reconstruction: Any  # [B], one-sample estimate of the expectation
    kl_per_dim: Any  # [B, latent_dim], analytic
    mean: Any  # [B, latent_dim], posterior means


def elbo_terms(vae: VAE, images: Any, noise: Any, training: bool) -> ElboTerms:
    """Encode, sample once, decode and score.

    Args:
        vae: the model.
        images: float32 [B, H, W, C] in [0, 1].
        noise: standard normal float32 [B, latent_dim].
        training: whether dropout and batch statistics are on.
    """
    mean, log_var = vae.encode(images, training=training)
    logits = vae.decode(vae.sampling(mean, log_var, noise), training=training)
    return ElboTerms(
        reconstruction=-vae.likelihood.log_prob(images, logits),
        kl_per_dim=vae.prior.kl_per_dim(mean, log_var),
        mean=mean,
    )


def free_bits_kl(kl_per_dim: Any, free_bits: float) -> Any:
    """Return the KL term of the loss: a scalar, nats per image.

    KL = sum_j max(free_bits, mean over the batch of KL_j)

    Source: Kingma et al., "Improved variational inference with inverse autoregressive
    flow", 2016, eq. 15. With free_bits = 0 it is the plain KL.
    """
    per_dim = ops.mean(kl_per_dim, axis=0)
    return ops.sum(ops.maximum(per_dim, free_bits) if free_bits else per_dim)
