"""Anomaly scores of images.

Larger is more anomalous. In nats, over S samples z ~ q(z|x):

- neg_elbo: reconstruction + kl.
- nll: -log 1/S sum_s w_s, the importance-weighted estimate of -log p(x).
- reconstruction: mean of -log p(x|z). Source: An & Cho, "Variational autoencoder based
  anomaly detection using reconstruction probability", 2015.
- kl: KL(q(z|x) || p(z)), or its mean over the samples where it has no closed form.

and without a unit:

- mahalanobis: Mahalanobis distance of the posterior mean to those of the training
  images.
- unexplained_variance: sum_i (x_i - r_i)^2 / sum_i (x_i - mean(x))^2, r the
  reconstruction: 1 - R^2 over an image's own pixels. r comes from the posterior mean;
  for an inpainting model, from the mean of p(z|observed).

A likelihood tends to rank simple images as normal, whatever the training data
(Nalisnick et al., "Do deep generative models know what they don't know?", 2019):
`mean_intensity`, the mean pixel, is therefore a baseline, and `unexplained_variance`
normalizes the error by the image's own variance.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from vae_cli.config.commands import SCORES
from vae_cli.data.images import Images
from vae_cli.data.splits import Split
from vae_cli.evaluation.batches import (
    checked_condition,
    exact_prior,
    image_noise,
    over_batches,
)
from vae_cli.evaluation.importance import images_at_a_time
from vae_cli.evaluation.latent import encode, reconstruction_code
from vae_cli.models.distributions import log_ratio
from vae_cli.models.objective import elbo_terms, log_mean_exp
from vae_cli.models.vae import VAE

RECALL = 0.95
IMAGE_SCORES = ("neg_elbo", "nll", "reconstruction", "kl", "unexplained_variance")
"""Those of SCORES that need no other images."""
MIN_VARIANCE = 1e-3
"""Of a pixel, for `unexplained_variance`: an image of one shade has none."""


class CodeStatistics(NamedTuple):
    """Where the posterior means of training images lie."""

    mean: np.ndarray  # float64 [latent_dim]
    precision: np.ndarray  # float64 [latent_dim, latent_dim]


@dataclass(frozen=True)
class Detection:
    """How well a score separates anomalies from normal images.

    Attributes:
        auroc: probability that an anomaly scores higher than a normal image.
        aupr: average precision of anomalies; at random, their fraction.
        fpr_at_95_recall: fraction of normal images above the score that 95 %
            of the anomalies reach.
    """

    auroc: float
    aupr: float
    fpr_at_95_recall: float


def code_statistics(vae: VAE, train: Split) -> CodeStatistics:
    """Return mean and inverse covariance of the training images' posterior means."""
    codes, _ = encode(vae, train.images, condition=train.condition)
    centred = codes.astype(np.float64) - codes.mean(axis=0, dtype=np.float64)
    covariance = centred.T @ centred / len(centred)
    # leave out collapsed units, whose variance is all but 0
    return CodeStatistics(codes.mean(axis=0), np.linalg.pinv(covariance, rcond=1e-6))


def anomaly_scores(
    vae: VAE,
    split: Split,
    statistics: CodeStatistics,
    samples: int,
    seed: int,
    batch_size: int = 250,
) -> dict[str, np.ndarray]:
    """Score images.

    Args:
        vae: the model.
        split: images, with their condition.
        statistics: of the training images.
        samples: S, posterior samples per image.
        seed: of posterior noise, which is an image's own.
        batch_size: images at a time, fewer where their samples take much memory.

    Returns:
        name -> float64 [N], for each of SCORES.
    """
    index = np.arange(len(split), dtype=np.float32)
    arrays = (split.images, checked_condition(vae, split.condition), index)
    at_a_time = images_at_a_time(vae, samples, batch_size)
    score = image_scores(vae, samples, seed)
    *nats, left, codes = over_batches(score, arrays, at_a_time)
    away = codes - statistics.mean
    square = np.einsum("ni,ij,nj->n", away, statistics.precision, away)
    scores = [*nats, np.sqrt(np.maximum(square, 0)), left]
    return {k: v.astype(np.float64) for k, v in zip(SCORES, scores, strict=True)}


def image_scores(vae: VAE, samples: int, seed: int) -> Callable[..., tuple[Any, ...]]:
    """Return the function that computes scores that need no other images.

    Args:
        vae: the model.
        samples: posterior samples per image.
        seed: of their noise.

    Returns:
        images [B, H, W, C], their condition and the number of each, [B] -> those of
        IMAGE_SCORES, [B] each, and the posterior means [B, latent_dim].
    """
    prior = exact_prior(vae)

    def score(x: Any, arrays: Any, index: Any) -> tuple[Any, ...]:
        condition = vae.condition(**arrays)
        encoded = vae.encode(x, condition)
        noise = image_noise(index, samples, vae.noise_dim, seed)
        levels = vae.levels(encoded, noise, condition, prior=prior)
        log_prob = vae.log_likelihood(x, levels, condition)
        terms = elbo_terms(vae, encoded, levels, -tf.reduce_mean(log_prob, axis=0))
        nll = -log_mean_exp(log_prob + log_ratio(levels))
        z = reconstruction_code(vae, x, condition)
        restored = vae.pixel_means(z, condition)
        left = unexplained_variance(x, restored, arrays.get("mask"))
        return terms.neg_elbo, nll, terms.reconstruction, terms.kl, left, terms.mean

    return score


def unexplained_variance(x: Any, restored: Any, mask: Any = None) -> Any:
    """Return the fraction of an image's variance that is left, float32 [B].

    Args:
        x: float32 [B, H, W, C] in [0, 1].
        restored: likewise.
        mask: 1 for pixels that count, [B, H, W, 1]; None for all.
    """
    weight = tf.ones_like(x) if mask is None else mask * tf.ones_like(x)

    def total(values: Any, **options: Any) -> Any:
        return tf.reduce_sum(weight * values, axis=(1, 2, 3), **options)

    counted = tf.reduce_sum(weight, axis=(1, 2, 3), keepdims=True)
    mean = total(x, keepdims=True) / tf.maximum(counted, 1.0)
    own = tf.maximum(total((x - mean) ** 2), MIN_VARIANCE * counted[:, 0, 0, 0])
    return total((x - restored) ** 2) / own


def pixel_nll(vae: VAE, split: Split) -> np.ndarray:
    """Return -log p(x_i|z) of each pixel, summed over channels.

    z is the code that the image is reconstructed from.

    Returns:
        float32 [N, H, W, 1], nats; 0 outside the mask.
    """

    def pixels(x: Any, arrays: Any) -> tuple[Any]:
        condition = vae.condition(**arrays)
        logits = vae.decode(reconstruction_code(vae, x, condition), condition)
        nats = -vae.likelihood.log_prob_per_pixel(x, logits)
        return (arrays.get("mask", 1.0) * tf.reduce_sum(nats, -1, keepdims=True),)

    return over_batches(
        pixels, (split.images, checked_condition(vae, split.condition)), 250
    )[0]


def mean_intensity(images: Images) -> np.ndarray:
    """Return the mean pixel of each image, float64 [N] in [0, 1]."""
    white = 255 if images.dtype == np.uint8 else 1
    return np.concatenate([x.mean(axis=(1, 2, 3)) / white for x in images.batches()])


def detection(scores: np.ndarray, anomalous: np.ndarray) -> Detection:
    """Measure how well scores find the anomalies.

    Args:
        scores: float [N], larger is more anomalous.
        anomalous: bool [N], with images of both kinds.
    """
    from sklearn.metrics import average_precision_score, roc_auc_score, roc_curve

    false_positives, recall, _ = roc_curve(anomalous, scores)
    return Detection(
        auroc=float(roc_auc_score(anomalous, scores)),
        aupr=float(average_precision_score(anomalous, scores)),
        fpr_at_95_recall=float(false_positives[np.argmax(recall >= RECALL)]),
    )


def rank_correlation(a: np.ndarray, b: np.ndarray) -> float:
    """Return Spearman's correlation; 0 where one of them is constant."""
    from scipy.stats import rankdata

    ranks = rankdata(a), rankdata(b)
    if any(np.ptp(r) == 0 for r in ranks):
        return 0.0
    return float(np.corrcoef(*ranks)[0, 1])
