"""Codes of a split, and what they say about the latent space."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from vae_cli.data.images import to_float
from vae_cli.data.splits import Split
from vae_cli.errors import ConfigError
from vae_cli.evaluation.batches import (
    ConditionArrays,
    checked_condition,
    condition_tensors,
    over_batches,
)
from vae_cli.models.distributions import Gaussian, kl_to_standard
from vae_cli.models.generative import Condition
from vae_cli.models.vae import VAE
from vae_cli.randomness import Stream, generator
from vae_cli.runtime import evaluating

ACTIVE_VARIANCE = 0.01
"""A unit is active when Var_x(E_q[z_j]) exceeds this (Burda et al. 2016, 5.2)."""


def encode(
    vae: VAE,
    images: np.ndarray,
    batch_size: int = 500,
    condition: ConditionArrays | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Return posterior means and log-variances.

    Args:
        vae: the model.
        images: uint8 [N, H, W, C].
        batch_size: images at a time.
        condition: label, corrupted images and mask, as `Split.condition` has them.

    Returns:
        two float32 arrays [N, latent_dim].
    """
    arrays = (images, checked_condition(vae, condition))
    mean, log_var, _ = over_batches(posterior_codes(vae), arrays, batch_size)
    return mean, log_var


def posterior_codes(vae: VAE) -> Callable[[Any, Any], tuple[Any, Any, Any]]:
    """Return the function from images and their condition to what encodes them.

    Returns:
        mean and log-variance, [B, latent_dim], and [B, N] codes, of which real vectors
        have none: [B, 0]. Discrete codes are the most probable ones, their vectors the
        mean.
    """

    def encode(x: Any, condition: Any) -> tuple[Any, Any, Any]:
        q = vae.posterior(x, vae.condition(**condition))
        if not vae.num_codes:
            return q.mean, q.log_var, tf.zeros((tf.shape(x)[0], 0))
        return q.mean, q.log_var, q.codes

    return encode


def decode(
    vae: VAE,
    z: np.ndarray,
    batch_size: int = 256,
    condition: ConditionArrays | None = None,
) -> np.ndarray:
    """Return pixel means float32 [N, H, W, C] in [0, 1] for codes [N, latent_dim].

    Args:
        vae: the model.
        z: codes.
        batch_size: codes at a time.
        condition: of the codes, as `Split.condition` has it.
    """

    def pixels(codes: Any, condition: Any) -> tuple[Any]:
        return (vae.pixel_means(codes, vae.condition(**condition)),)

    arrays = (z.astype(np.float32), checked_condition(vae, condition))
    (images,) = over_batches(pixels, arrays, batch_size)
    return images


def reconstruction_code(vae: VAE, images: Any, condition: Condition) -> Any:
    """Return the code that each image is reconstructed from, [B, latent_dim].

    It is the mean of q(z|x). The encoder of an inpainting model gets the missing pixels
    too, which are the answer: there it is the mean of the learned p(z|observed).

    Args:
        vae: the model.
        images: float32 [B, H, W, C] in [0, 1].
        condition: of these images.
    """
    if vae.observed_network is None:
        return vae.posterior(images, condition).mean
    noise = tf.zeros((tf.shape(images)[0], vae.latent_dim))
    return vae.sample_prior(noise, None, condition)


def reconstruct(
    vae: VAE,
    images: np.ndarray,
    batch_size: int = 256,
    condition: ConditionArrays | None = None,
) -> np.ndarray:
    """Return reconstructions to look at, float32 [N, H, W, C] in [0, 1].

    An inpainting model that is trained on missing pixels alone gets the others back.

    Args:
        vae: the model.
        images: uint8 [N, H, W, C].
        batch_size: images at a time.
        condition: label, corrupted images and mask, as `Split.condition` has them.
    """

    def pixels(x: Any, condition: Any) -> tuple[Any]:
        condition = vae.condition(**condition)
        return (vae.pixel_means(reconstruction_code(vae, x, condition), condition),)

    arrays = (images, checked_condition(vae, condition))
    (restored,) = over_batches(pixels, arrays, batch_size)
    return (
        with_observed(restored, condition or {}) if vae.observed_network else restored
    )


def code_source(vae: VAE) -> str:
    """Say what codes are, and what the encoder got besides the image."""
    if vae.num_labels:
        return "posterior means of an encoder that gets the label"
    if vae.observed_network:
        return "posterior means of an encoder that gets the missing pixels"
    return "posterior means"


def sample_prior(
    vae: VAE,
    count: int,
    seed: int,
    temperature: float | Sequence[float] = 1.0,
    condition: ConditionArrays | None = None,
) -> np.ndarray:
    """Draw codes from the prior: float32 [count, latent_dim].

    The first codes stay the same whatever `count` is.

    Args:
        vae: the model.
        count: how many.
        seed: fixes the draw.
        temperature: scales the noise, about each component's mean in a mixture; one,
            or one for each level.
        condition: of each image, as `Split.condition` has it.

    Raises:
        ConfigError: as many temperatures as there are no levels.
    """
    scale = temperatures(vae, temperature)
    noise = generator(seed, Stream.PRIOR).standard_normal((count, vae.latent_dim))
    choice = generator(seed, Stream.PRIOR, 1).random(count)
    tensors = condition_tensors(vae, condition)
    with evaluating():
        z = vae.draw(noise, choice, tensors, scale)
    return np.asarray(z)


def temperatures(vae: VAE, temperature: float | Sequence[float]) -> np.ndarray:
    """Return the temperature of each latent dimension, float [latent_dim].

    Args:
        vae: the model.
        temperature: one, or one for each level, top first.

    Raises:
        ConfigError: their number is not that of the levels.
    """
    sizes = vae.level_sizes
    by_level = np.atleast_1d(np.asarray(temperature, np.float64))
    if len(by_level) not in (1, len(sizes)):
        many = "one level" if len(sizes) == 1 else f"{len(sizes)} levels"
        raise ConfigError(
            f"temperature={list(map(float, by_level))} has {len(by_level)} values, and "
            f"the run has {many}.",
            "give one, or one for each level, top first",
        )
    return np.repeat(np.broadcast_to(by_level, len(sizes)), sizes)


def row_condition(vae: VAE, count: int, columns: int, split: Split) -> ConditionArrays:
    """Return the condition of a grid of samples: one class, or one image, per row.

    Args:
        vae: the model.
        count: samples.
        columns: of the grid.
        split: whose observed pixels an inpainting model gets, repeated.
    """
    row = np.arange(count) // columns
    if vae.num_labels:
        return {"label": vae.labels[row % len(vae.labels)]}
    if vae.observed_network:
        condition = split.take(row % len(split)).condition
        return {
            name: condition[name] for name in ("corrupted", "mask") if name in condition
        }
    return {}


def with_observed(images: np.ndarray, condition: ConditionArrays) -> np.ndarray:
    """Return images with observed pixels put back where the mask leaves them out.

    Args:
        images: float32 [N, H, W, C] in [0, 1].
        condition: of the images, as `Split.condition` has it.
    """
    if not {"corrupted", "mask"} <= set(condition):
        return images
    mask = to_float(condition["mask"][:])
    return images * mask + to_float(condition["corrupted"][:]) * (1 - mask)


def kl_to_normal(mean: np.ndarray, log_var: np.ndarray) -> np.ndarray:
    """Return KL(q(z_j|x) || N(0, 1)) averaged over images: [latent_dim], nats.

    With another prior than N(0, I) these don't add up to its KL, but still show which
    dimensions carry information.
    """
    return np.asarray(kl_to_standard(Gaussian(mean, log_var))).mean(axis=0)


def active_units(mean: np.ndarray) -> int:
    """Return how many dimensions have a variance of posterior means above 0.01.

    Args:
        mean: float32 [N, latent_dim], one row per image.
    """
    return int((mean.var(axis=0, dtype=np.float64) > ACTIVE_VARIANCE).sum())
