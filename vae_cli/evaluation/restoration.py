"""Restoring corrupted images.

Noise is removed by decoding the posterior mean. Where pixels are missing, the mask says
which, and there are several ways to fill them in:

- single pass: E[x | z = posterior mean].
- importance: sum_s w_s E[x | z_s] / sum_s w_s, w_s = p(x_observed|z_s) p(z_s) /
  q(z_s|x_observed), z_s ~ q: approaches the exact posterior's mean as S grows. Source:
  Mattei & Frellsen, "MIWAE", 2019, section 3.2.
- pseudo-Gibbs: fill, encode the filled image, draw z, decode, fill again. Source:
  Rezende et al., "Stochastic backpropagation", 2014, appendix F; with pixel means in
  place of drawn pixels.

An inpainting model fills in E[x | z = mean of p(z|observed)], and the mean over
z_s ~ p(z|observed), which needs no weights.

An encoder that was trained on whole images can't take missing pixels: it gets the
training mean in their place to start with, and z_s ~ q(z | the image that pseudo-Gibbs
has filled in).
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf

from vae_cli.data.splits import Split
from vae_cli.evaluation.batches import (
    checked_condition,
    exact_prior,
    image_noise,
    over_batches,
)
from vae_cli.evaluation.importance import images_at_a_time
from vae_cli.evaluation.latent import reconstruction_code
from vae_cli.models.distributions import Distribution, code, log_ratio
from vae_cli.models.vae import VAE
from vae_cli.randomness import Stream

NUM_DRAWS = 3
"""Restorations of each image that are returned, drawn by the importance weights."""

Arrays = dict[str, Any]
"""Arguments of `VAE.condition`."""


@dataclass(frozen=True)
class Restoration:
    """Restored images.

    Attributes:
        methods: name -> float32 [N, H, W, C] in [0, 1]; observed pixels are kept.
        draws: float32 [NUM_DRAWS, N, H, W, C], or None without missing pixels.
        spread: float32 [N, H, W, 1], standard deviation over posterior samples (mean
            over channels), weighted by importance; or None.
        effective_samples: mean over images of (sum_s w_s)^2 / sum_s w_s^2; None where
            there are no weights.
    """

    methods: dict[str, np.ndarray]
    draws: np.ndarray | None = None
    spread: np.ndarray | None = None
    effective_samples: float | None = None


def restore(
    vae: VAE,
    split: Split,
    label: int | None,
    samples: int,
    gibbs_steps: int,
    seed: int,
    batch_size: int,
    start: np.ndarray | None = None,
) -> Restoration:
    """Restore corrupted images.

    Args:
        vae: the model.
        split: images, with `corrupted`, and where pixels are missing, a `mask`.
        label: class to decode as, for a conditional model; None: each image's own.
        samples: S, posterior samples per image.
        gibbs_steps: of pseudo-Gibbs sampling.
        seed: of the posterior noise.
        batch_size: images at a time, fewer where their samples take much memory.
        start: for a model of whole images, what the encoder gets to start with where
            pixels are missing, float32 [N, H, W, C].
    """
    encoding = checked_condition(vae, split.condition)
    decoding = _decoding(encoding, label, len(split))
    index = np.arange(len(split)).astype(np.float32)
    arrays: tuple[Any, ...] = (split.images, encoding, decoding)
    if split.mask is None:

        def reconstruct(x: Any, encoding: Any, decoding: Any) -> tuple[Any]:
            mean = vae.posterior(x, vae.condition(**encoding)).mean
            return (vae.pixel_means(mean, vae.condition(**decoding)),)

        at_a_time = images_at_a_time(vae, 1, batch_size)
        return Restoration(
            {"restored": over_batches(reconstruct, arrays, at_a_time)[0]}
        )
    whole_images = start is not None
    if whole_images:
        encoding = {**encoding, "corrupted": start}
        arrays = (split.images, encoding, decoding)
    prior = exact_prior(vae)

    def inpaint(x: Any, encoding: Any, decoding: Any, index: Any) -> tuple[Any, ...]:
        noise = image_noise(index, samples, vae.noise_dim, seed)
        return _inpaint(vae, x, encoding, noise, _choice_noise(index, samples, seed))

    def impute(x: Any, encoding: Any, decoding: Any, index: Any) -> tuple[Any, ...]:
        noise = image_noise(index, samples, vae.noise_dim, seed)
        steps = image_noise(index, gibbs_steps, vae.noise_dim, seed, Stream.GIBBS_NOISE)
        choice = _choice_noise(index, samples, seed)
        return _impute(
            vae, x, encoding, decoding, whole_images, prior, noise, steps, choice
        )

    names = ["single_pass", "importance", "pseudo_gibbs"]
    function = impute
    if vae.observed_network is not None:
        names, function = ["single_pass", "mean_of_draws"], inpaint
    at_a_time = images_at_a_time(vae, samples, batch_size)
    arrays = (*arrays, index)
    draws, spread, *images = over_batches(function, arrays, at_a_time)
    effective = float(images.pop().mean()) if function is impute else None
    methods = dict(zip(names, images, strict=True))
    return Restoration(methods, np.swapaxes(draws, 0, 1), spread, effective)


def _inpaint(
    vae: VAE, x: Any, encoding: Arrays, noise: Any, choice: Any
) -> tuple[Any, ...]:
    """Fill in missing pixels by an inpainting model, from p(z|observed).

    The posterior would need the whole image.

    Returns:
        draws, spread, and the images by a single pass and by the mean of all draws.
    """
    condition, mask = vae.condition(**encoding), encoding["mask"]
    single = vae.pixel_means(reconstruction_code(vae, x, condition), condition)
    logits = vae.decode_samples(vae.prior(condition).sample(noise), condition)
    pixels = _filled(x, mask, vae.likelihood.mean(logits))
    equal = tf.zeros(tf.shape(noise)[:2])
    mean, spread, draws = _weighted(pixels, equal, choice)
    return draws, spread, _filled(x, mask, single), mean


def _impute(
    vae: VAE,
    x: Any,
    encoding: Arrays,
    decoding: Arrays,
    whole_images: bool,
    prior: Distribution | None,
    noise: Any,
    gibbs_noise: Any,
    choice: Any,
) -> tuple[Any, ...]:
    """Fill in missing pixels from the posterior given the observed ones.

    Args:
        vae: the model.
        x: float32 [B, H, W, C].
        encoding: the encoder's condition, with the mask.
        decoding: the decoder's.
        whole_images: whether the encoder was trained on whole images.
        prior: p(z), where it doesn't depend on the condition.
        noise: float32 [S, B, latent_dim].
        gibbs_noise: float32 [steps, B, latent_dim].
        choice: Gumbel noise, float32 [B, NUM_DRAWS, S].

    Returns:
        draws, spread, the images by a single pass, by importance weights and by
        pseudo-Gibbs, and the effective sample size of each.
    """
    condition, mask = vae.condition(**encoding), encoding["mask"]
    decoded = vae.condition(**decoding)
    z = reconstruction_code(vae, x, condition)
    single = _filled(x, mask, vae.pixel_means(z, decoded))
    chain = _pseudo_gibbs(vae, x, single, encoding, decoding, gibbs_noise)
    if whole_images:
        condition = vae.condition(**{**encoding, "corrupted": chain})
    encoded = vae.encode(x, condition)
    levels = vae.levels(encoded, noise, condition, prior=prior)
    logits = vae.decode_samples(code(levels), decoded)
    pixels = _filled(x, mask, vae.likelihood.mean(logits))
    log_weights = log_ratio(levels) + vae.log_likelihood_of_logits(x, logits, condition)
    mean, spread, draws = _weighted(pixels, log_weights, choice)
    normalized = tf.nn.softmax(log_weights, axis=0)
    effective = 1.0 / tf.reduce_sum(normalized**2, axis=0)
    return draws, spread, single, mean, chain, effective


def _filled(x: Any, mask: Any, pixels: Any) -> Any:
    """Return observed pixels of images x, and others where pixels are missing."""
    return x * mask + pixels * (1.0 - mask)


def _choice_noise(index: Any, samples: int, seed: int) -> Any:
    """Return Gumbel noise that is an image's own, float32 [B, NUM_DRAWS, samples]."""
    normal = image_noise(index, NUM_DRAWS, samples, seed, Stream.RESTORED_DRAWS)
    uniform = 0.5 * tf.math.erfc(-tf.transpose(normal, (1, 0, 2)) / math.sqrt(2))
    return -tf.math.log(-tf.math.log(tf.clip_by_value(uniform, 1e-9, 1 - 1e-7)))


def _weighted(pixels: Any, log_weights: Any, gumbel: Any) -> tuple[Any, Any, Any]:
    """Return mean, standard deviation and draws by importance weights.

    Args:
        pixels: float32 [S, B, H, W, C].
        log_weights: float32 [S, B].
        gumbel: noise, float32 [B, NUM_DRAWS, S]: the sample of the largest perturbed
            weight is a draw by the weights (Gumbel-max).

    Returns:
        float32 [B, H, W, C], [B, H, W, 1] and [B, NUM_DRAWS, H, W, C].
    """
    weights = tf.nn.softmax(log_weights, axis=0)[..., None, None, None]
    mean = tf.reduce_sum(weights * pixels, axis=0)
    variance = tf.reduce_sum(weights * (pixels - mean) ** 2, axis=0)
    spread = tf.sqrt(tf.reduce_mean(variance, axis=-1, keepdims=True))
    perturbed = tf.transpose(log_weights)[:, None] + gumbel
    chosen = tf.argmax(perturbed, axis=-1, output_type=tf.int32)
    draws = tf.gather(tf.transpose(pixels, (1, 0, 2, 3, 4)), chosen, batch_dims=1)
    return mean, spread, draws


def _decoding(encoding: Arrays, label: int | None, count: int) -> Arrays:
    """Return the condition of the decoder, which depends on the label alone."""
    if "label" not in encoding:
        return {}
    labels = encoding["label"] if label is None else np.full(count, label)
    return {"label": labels}


def _pseudo_gibbs(
    vae: VAE, x: Any, start: Any, encoding: Arrays, decoding: Arrays, noise: Any
) -> Any:
    """Return the mean over the later half of a chain, float32 [B, H, W, C].

    Args:
        vae: the model.
        x: images, float32 [B, H, W, C].
        start: filled images that the chain starts at.
        encoding: the encoder's condition, with the mask.
        decoding: the decoder's.
        noise: float32 [steps, B, latent_dim].
    """
    steps = noise.shape[0]
    burn_in = steps // 2
    label = {k: v for k, v in encoding.items() if k == "label"}
    decoded = vae.condition(**decoding)

    def step(t: Any, image: Any, total: Any) -> tuple[Any, Any, Any]:
        condition = vae.condition(**label, corrupted=image)
        z = code(vae.infer(image, noise[t][None], condition))[0]
        image = _filled(x, encoding["mask"], vae.pixel_means(z, decoded))
        return t + 1, image, total + tf.where(t >= burn_in, image, 0.0)

    _, _, total = tf.while_loop(
        lambda t, image, total: t < steps,
        step,
        (0, start, tf.zeros_like(start)),
        parallel_iterations=1,
    )
    return total / (steps - burn_in)
