"""The evidence lower bound of a whole split."""

import math
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from vae_cli.data_spec import DataSpec
from vae_cli.evaluation.batches import (
    ConditionArrays,
    checked_condition,
    exact_prior,
    over_batches,
)
from vae_cli.evaluation.code_use import latent_use
from vae_cli.models.distributions import kl_to_standard
from vae_cli.models.objective import elbo_terms
from vae_cli.models.vae import VAE
from vae_cli.randomness import Stream, key


@dataclass(frozen=True)
class ElboResult:
    """-ELBO and its parts, nats per image, averaged over images.

    Attributes:
        neg_elbo: reconstruction_loss + kl_loss; beta is 1 whatever training used.
        reconstruction_loss: -log p(x|z), one posterior sample per image.
        kl_loss: KL(q(z|x) || p(z)), in closed form where there is one.
        active_units: dimensions whose posterior mean has a variance above 0.01; None
            of discrete codes.
        num_images: images evaluated.
        codebook_use: of discrete codes: fraction that is used.
        perplexity: of discrete codes.
        neg_elbo_uniform: of discrete codes with a learned prior: under the uniform one.
    """

    neg_elbo: float
    reconstruction_loss: float
    kl_loss: float
    active_units: int | None
    num_images: int
    codebook_use: float | None = None
    perplexity: float | None = None
    neg_elbo_uniform: float | None = None


class ImageScores(NamedTuple):
    """-ELBO of each image, in parts; nats."""

    reconstruction: np.ndarray  # float32 [N], -log p(x|z)
    kl: np.ndarray  # float32 [N]
    # float32 [N, latent_dim], of categorical codes [N, positions]; None where the KL
    # has no closed form
    kl_per_dim: np.ndarray | None
    kl_to_normal: np.ndarray  # to N(0, 1) for any prior; [N, 0] of discrete codes
    mean: np.ndarray  # float32 [N, latent_dim], posterior means
    kl_per_level: np.ndarray  # float32 [N, levels], top first
    kl_to_uniform: np.ndarray | None = None  # float32 [N], where a prior was learned


def evaluation_noise(count: int, latent_dim: int, seed: int, samples: int = 1) -> Any:
    """Return a split's fixed posterior noise: float32 [samples, count, latent_dim].

    Drawn sample by sample for all images and indexed by image, so that no batch size
    changes a result, and that the first samples stay the same when more are drawn.
    """
    return tf.stack([sample_noise(count, latent_dim, seed, s) for s in range(samples)])


def sample_noise(count: int, latent_dim: int, seed: int, sample: Any) -> Any:
    """Return the noise of one posterior sample of each image, [count, latent_dim]."""
    return tf.random.stateless_normal(
        (count, latent_dim), key(seed, Stream.EVALUATION_NOISE, sample)
    )


def evaluate_elbo(
    vae: VAE,
    images: np.ndarray,
    seed: int,
    batch_size: int = 500,
    condition: ConditionArrays | None = None,
) -> ElboResult:
    """Score a whole split; arguments as `score_images` takes them."""
    scores = score_images(vae, images, seed, batch_size, condition)
    reconstruction_loss = float(scores.reconstruction.mean(dtype=np.float64))
    kl_loss = float(scores.kl.mean(dtype=np.float64))
    return ElboResult(
        neg_elbo=reconstruction_loss + kl_loss,
        reconstruction_loss=reconstruction_loss,
        kl_loss=kl_loss,
        num_images=len(images),
        neg_elbo_uniform=uniform_bound(vae, scores),
        **latent_use(vae, images, scores.mean, condition),
    )


def uniform_bound(vae: VAE, scores: ImageScores) -> float | None:
    """Return -ELBO under the uniform prior of codes; None without a learned one."""
    if scores.kl_to_uniform is None:
        return None
    values = scores.reconstruction.astype(np.float64) + scores.kl_to_uniform
    return float(values.mean())


def score_images(
    vae: VAE,
    images: np.ndarray,
    seed: int,
    batch_size: int = 500,
    condition: ConditionArrays | None = None,
) -> ImageScores:
    """Score each image by the ELBO, with one posterior sample.

    Args:
        vae: the model.
        images: uint8 [N, H, W, C].
        seed: fixes the posterior noise.
        batch_size: images at a time; changes results only by rounding.
        condition: of the images, as `Split.condition` has it; with labels, the bound
            is of log p(x|y), and with a mask, of the pixels in the mask.
    """
    noise = sample_noise(len(images), vae.noise_dim, seed, 0)
    prior = exact_prior(vae)

    def score(x: Any, epsilon: Any, condition: Any) -> tuple[Any, ...]:
        condition = vae.condition(**condition)
        encoded = vae.encode(x, condition)
        levels = vae.levels(encoded, epsilon[None], condition, prior=prior)
        reconstruction = -vae.log_likelihood(x, levels, condition)[0]
        terms = elbo_terms(vae, encoded, levels, reconstruction)
        to_normal = tf.zeros((tf.shape(x)[0], 0))
        if not vae.num_codes:
            parts = [kl_to_standard(q.gaussian())[0] for _, q, _ in levels]
            to_normal = tf.concat(parts, axis=-1)
        named = {
            "reconstruction": terms.reconstruction,
            "kl": terms.kl,
            "kl_per_dim": terms.kl_per_dim,
            "kl_to_normal": to_normal,
            "mean": terms.mean,
            "kl_per_level": terms.kl_per_level,
            "kl_to_uniform": vae.kl_to_uniform(levels),
        }
        having = {name: x for name, x in named.items() if x is not None}
        names[:] = having
        return tuple(having.values())

    names: list[str] = []
    arrays = (images, noise, checked_condition(vae, condition))
    outputs = over_batches(score, arrays, batch_size)
    found: dict[str, Any] = dict.fromkeys(ImageScores._fields)
    found |= zip(names, outputs, strict=True)
    return ImageScores(**found)


def bits_per_dim(vae: VAE, spec: DataSpec, nll: Any) -> dict[str, Any]:
    """Return the bits that a pixel's channel takes, by their name; {} if unknown.

    Probabilities of levels are -log2 P(x) / D. A density of pixels with noise of a
    level's width, in units of [0, 1], bounds that from above: -log p + log L nats
    (Theis et al. 2016). Other densities say nothing of bits.

    Args:
        vae: the model.
        spec: of the images, all of whose pixels count.
        nll: nats per image, of one or of several, or a bound of them.
    """
    nats = nll / math.prod(spec.image_shape)
    if vae.likelihood.is_discrete(spec):
        return {"bits_per_dim": nats / math.log(2)}
    if spec.pixels.dequantized and spec.pixels.levels:
        return {
            "bits_per_dim_bound": (nats + math.log(spec.pixels.levels)) / math.log(2)
        }
    return {}
