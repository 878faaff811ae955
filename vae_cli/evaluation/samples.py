"""Sample quality: sharpness, and distances in the features of a small classifier.

Models of binary pixels are measured by draws x ~ Bernoulli(E[x|z]), since held-out
images are binary, too; all others by the means E[x|z].
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from vae_cli.data.images import to_float
from vae_cli.data.splits import Split
from vae_cli.evaluation.batches import ConditionArrays
from vae_cli.evaluation.classifier import Classifier
from vae_cli.evaluation.feature_network import FeatureNetwork
from vae_cli.evaluation.fitted import FittedMixture
from vae_cli.evaluation.latent import (
    decode,
    row_condition,
    sample_prior,
    temperatures,
    with_observed,
)
from vae_cli.evaluation.set_distances import kernel_distance, precision_recall
from vae_cli.models.vae import VAE
from vae_cli.randomness import Stream, generator

PAIRS = 20_000
"""Pairs of images whose distance is averaged."""


@dataclass(frozen=True)
class SampleQuality:
    """Drawn images against held-out ones.

    Attributes:
        sharpness: variance of the Laplacian, mean over drawn images, as a fraction of
            that of the held-out images; None if theirs is 0, or images are too small.
        frechet_distance: between the features of drawn and of held-out images. Biased:
            compare it at the same `num_generated` and `num_held_out` alone. Of a small
            classifier's features it is not an FID: another network, other numbers.
        frechet_floor: the same between as many training images and the held-out ones.
        kid: mean of the unbiased squared MMD of the same features over subsets.
        kid_subset_sd: its standard deviation over subsets.
        precision: fraction of drawn images on the manifold of held-out ones.
        recall: fraction of held-out images on the manifold of drawn ones.
        features_of: the network that has these features; None without one.
        num_generated: drawn images.
        num_held_out: that they are compared with.
        classifier_accuracy: of the classifier on held-out images.
        label_agreement: fraction of drawn images that it assigns to the requested
            label; None without labels.
        class_spread: mean distance between drawn images of one class, in pixels, as a
            fraction of that between held-out ones, mean over classes; None likewise.
        samples_are: `draws` of x or `means` E[x|z].
    """

    sharpness: float | None
    frechet_distance: float | None = None
    frechet_floor: float | None = None
    kid: float | None = None
    kid_subset_sd: float | None = None
    precision: float | None = None
    recall: float | None = None
    features_of: str | None = None
    num_generated: int | None = None
    num_held_out: int | None = None
    classifier_accuracy: float | None = None
    label_agreement: float | None = None
    class_spread: float | None = None
    samples_are: str | None = None


def sample_codes(
    vae: VAE,
    density: FittedMixture | None,
    count: int,
    seed: int,
    temperature: float | Sequence[float] = 1.0,
    condition: ConditionArrays | None = None,
) -> np.ndarray:
    """Draw codes from a fitted density, or from the prior if it is None.

    Arguments as `sample_prior` takes them.
    """
    if density is None:
        return sample_prior(vae, count, seed, temperature, condition)
    scale = temperatures(vae, temperature)
    return density.draw(count, seed, scale, (condition or {}).get("label"))


def generated_images(
    vae: VAE,
    count: int,
    seed: int,
    split: Split,
    binary: bool,
    density: FittedMixture | None = None,
) -> tuple[np.ndarray, np.ndarray | None]:
    """Draw images: float32 [count, H, W, C]; with labels, equally many of each class.

    An inpainting model gets the observed pixels of the split's images, in turn.

    Args:
        vae: the model.
        count: images to draw.
        seed: fixes the draw.
        split: held-out images.
        binary: whether to draw pixels, too, which are 0 or 1; else they are means.
        density: of codes, in place of the prior.

    Returns:
        images, and the labels that were requested, int [count], or None.
    """
    condition = row_condition(vae, count, 1, split)
    z = sample_codes(vae, density, count, seed, condition=condition)
    images = decode(vae, z, condition=condition)
    if binary:
        uniform = generator(seed, Stream.PRIOR, 2).random(images.shape, np.float32)
        images = (uniform < images).astype(np.float32)
    if vae.observed_network:
        images = with_observed(images, condition)
    return images, condition.get("label")


def score_samples(
    images: np.ndarray,
    labels: np.ndarray | None,
    held_out: Split,
    train: Split,
    classifier: Classifier | None,
    network: FeatureNetwork | None = None,
) -> SampleQuality:
    """Compare generated images with held-out ones.

    Args:
        images: drawn, float32 [N, H, W, C] in [0, 1].
        labels: the requested ones, int [N], or None.
        held_out: images, labelled where there is a classifier.
        train: as many training images, compared with `held_out` for the floor.
        classifier: of the labels; None leaves out what needs one.
        network: whose features are compared; the classifier's if None.
    """
    real = to_float(held_out.images[:])
    sharpness = laplacian_variance(real).mean() if min(real.shape[1:3]) > 2 else 0
    ratio = float(laplacian_variance(images).mean() / sharpness) if sharpness else None
    quality = SampleQuality(
        ratio, num_generated=len(images), num_held_out=len(held_out)
    )
    sets = (images, held_out.images, train.images)
    if network is not None:
        features = [network(part) for part in sets]
        quality = replace(quality, **_distances(*features), features_of=network.name)
    if classifier is None or held_out.labels is None:
        return quality
    (own, taken_for), (real_features, predicted) = map(classifier, sets[:2])
    if network is None:
        compared = _distances(own, real_features, classifier(train.images)[0])
        quality = replace(quality, **compared, features_of="small classifier")
    return replace(
        quality,
        classifier_accuracy=float((predicted == held_out.labels).mean()),
        label_agreement=None if labels is None else float((taken_for == labels).mean()),
        class_spread=None
        if labels is None
        else class_spread(images, labels, real, held_out.labels),
    )


def _distances(
    features: np.ndarray, real: np.ndarray, train: np.ndarray
) -> dict[str, Any]:
    """Return how far features of drawn and of held-out images are apart."""
    kid = kernel_distance(features, real)
    precision, recall = precision_recall(features, real) or (None, None)
    return {
        "frechet_distance": frechet_distance(features, real),
        "frechet_floor": frechet_distance(train, real),
        "kid": kid and kid.mean,
        "kid_subset_sd": kid and kid.deviation,
        "precision": precision,
        "recall": recall,
    }


def laplacian_variance(images: np.ndarray) -> np.ndarray:
    """Return the variance of each image's Laplacian, float64 [N]: large where sharp.

    Args:
        images: float32 [N, H, W, C] in [0, 1].
    """
    inner = images[:, 1:-1, 1:-1]
    around = images[:, :-2, 1:-1] + images[:, 2:, 1:-1]
    around = around + images[:, 1:-1, :-2] + images[:, 1:-1, 2:]
    return (around - 4 * inner).var(axis=(1, 2, 3), dtype=np.float64)


def frechet_distance(a: np.ndarray, b: np.ndarray) -> float | None:
    """Return the Frechet distance of the Gaussians of two sets of features.

    None where a set has a single one, and no covariance.

    |m_a - m_b|^2 + Tr(C_a + C_b - 2 (C_a C_b)^(1/2))

    Source: Heusel et al., "GANs trained by a two time-scale update rule", 2017.

    Args:
        a: float [N, F].
        b: float [M, F].
    """
    if min(len(a), len(b)) < 2:
        return None
    a, b = a.astype(np.float64), b.astype(np.float64)
    first, second = np.cov(a, rowvar=False), np.cov(b, rowvar=False)
    values, vectors = np.linalg.eigh(first)
    root = vectors * np.sqrt(np.maximum(values, 0)) @ vectors.T
    # C_a C_b has the eigenvalues of root C_b root, which is symmetric
    product = np.linalg.eigvalsh(root @ second @ root)
    apart = ((a.mean(axis=0) - b.mean(axis=0)) ** 2).sum()
    cross = 2 * np.sqrt(np.maximum(product, 0)).sum()
    return float(apart + np.trace(first) + np.trace(second) - cross)


def class_spread(
    images: np.ndarray, labels: np.ndarray, real: np.ndarray, known: np.ndarray
) -> float | None:
    """Return the distance between images of a class, relative to that of real ones.

    The mean Euclidean distance between two images of one class, in pixels; the ratio
    is averaged over the classes that have two different images on either side.
    """
    ratios = []
    for label in np.unique(labels):
        own, other = images[labels == label], real[known == label]
        apart = _mean_distance(other) if min(len(own), len(other)) > 1 else 0
        if apart:
            ratios.append(_mean_distance(own) / apart)
    return float(np.mean(ratios)) if ratios else None


def _mean_distance(images: np.ndarray) -> float:
    rng = np.random.default_rng(0)
    flat = images.reshape(len(images), -1)
    first = rng.integers(0, len(flat), PAIRS)
    # never an image and itself
    second = (first + rng.integers(1, len(flat), PAIRS)) % len(flat)
    chunks = np.array_split(np.stack([first, second], axis=1), 20)
    distances = [np.linalg.norm(flat[p[:, 0]] - flat[p[:, 1]], axis=1) for p in chunks]
    return float(np.concatenate(distances).mean(dtype=np.float64))
