"""Restoring corrupted images, and how close that comes to the clean ones.

Where pixels are missing and it is known which, `seen` says so, and there are several
ways to fill them in:

- single pass: E[x | z = posterior mean].
- importance: sum_s w_s E[x | z_s] / sum_s w_s, w_s = p(x_seen|z_s) p(z_s) /
  q(z_s|x_seen), z_s ~ q: what the exact posterior would give, as S grows. Source:
  Mattei & Frellsen, "MIWAE", 2019, section 3.2.
  Where the model completes images, z_s ~ p(z|seen), and all w_s are 1.
- pseudo-Gibbs: fill, encode the filled image, draw z, decode, fill again. Source:
  Rezende et al., "Stochastic backpropagation", 2014, section 6.3; with pixel means in
  place of drawn pixels.

An encoder that has seen nothing but whole images makes nothing of missing pixels: it is
given the training mean in their place to start with, and z_s ~ q(z | what pseudo-Gibbs
has filled in).
"""

import math
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import tensorflow as tf

from vae_cli.data.splits import Split
from vae_cli.data_spec import DataSpec
from vae_cli.evaluation.batches import exact_prior, image_noise, over_batches, told
from vae_cli.evaluation.importance import images_at_a_time
from vae_cli.evaluation.latent import reconstruction_code
from vae_cli.evaluation.reconstruction import compared
from vae_cli.models.distributions import code, log_ratio
from vae_cli.models.vae import VAE
from vae_cli.randomness import Stream

METHODS = ("single_pass", "importance", "pseudo_gibbs")
SHOWN_DRAWS = 3
"""Fills of each image that are returned, drawn from the importance weights."""


@dataclass(frozen=True)
class Restoration:
    """Images that came back.

    Attributes:
        methods: name -> float32 [N, H, W, C] in [0, 1]; seen pixels are kept.
        draws: float32 [SHOWN_DRAWS, N, H, W, C], or None without missing pixels.
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
    """Restore what the encoder sees of images.

    Args:
        vae: the model.
        split: images, with `seen`, and where pixels are missing, `scored`: 255 for
            those that aren't.
        label: class to decode as, for a model that is told labels; None: each image's.
        samples: S, posterior samples per image.
        gibbs_steps: of pseudo-Gibbs sampling.
        seed: of posterior noise.
        batch_size: images at a time, fewer where their samples take much memory.
        start: for a model of whole images, what the encoder sees to start with where
            pixels are missing, float32 [N, H, W, C].
    """
    known = told(vae, split.context)
    swapped = _swapped(known, label, len(split))
    if split.scored is None:

        def single(x: Any, known: Any, swapped: Any) -> tuple[Any]:
            mean = vae.posterior(x, vae.condition(**known)).mean
            return (vae.pixel_means(mean, vae.condition(**swapped)),)

        arrays: tuple[Any, ...] = (split.images, known, swapped)
        at_a_time = images_at_a_time(vae, 1, batch_size)
        (means,) = over_batches(single, arrays, at_a_time)
        return Restoration({"restored": means})

    completes = vae.observed_network is not None
    prior = exact_prior(vae)
    if start is not None:
        known = {**known, "seen": start}

    def fill(x: Any, known: Any, swapped: Any, index: Any) -> tuple[Any, ...]:
        mask = known["scored"]
        condition, decoding = vae.condition(**known), vae.condition(**swapped)

        def filled(pixels: Any) -> Any:
            return x * mask + pixels * (1.0 - mask)

        noise = image_noise(index, samples, vae.latent_dim, seed)
        chains: tuple[Any, ...] = ()
        mean = reconstruction_code(vae, x, condition)
        single_pass = filled(vae.pixel_means(mean, decoding))
        if completes:
            # from p(z|observed): the posterior would need the whole image
            z = vae.prior(condition).sample(noise)
        else:
            steps = image_noise(
                index, gibbs_steps, vae.latent_dim, seed, Stream.GIBBS_NOISE
            )
            chain = _pseudo_gibbs(vae, single_pass, filled, known, swapped, steps)
            chains = (chain,)
            if start is not None:
                condition = vae.condition(**{**known, "seen": chain})
            encoded = vae.encode(x, condition)
            levels = vae.levels(encoded, noise, condition, prior=prior)
            z = code(levels)
        logits = vae.decode_samples(z, decoding)
        pixels = filled(vae.likelihood.mean(logits))
        if completes:
            log_weights = tf.zeros(tf.shape(noise)[:2])
        else:
            log_weights = log_ratio(levels) + vae.score(x, logits, condition)
        share = tf.nn.softmax(log_weights, axis=0)
        effective = 1.0 / tf.reduce_sum(share**2, axis=0)
        share = share[..., None, None, None]
        weighted = tf.reduce_sum(share * pixels, axis=0)
        variance = tf.reduce_sum(share * (pixels - weighted) ** 2, axis=0)
        spread = tf.sqrt(tf.reduce_mean(variance, axis=-1, keepdims=True))
        # Gumbel-max: the largest of perturbed weights is a draw by them
        normal = image_noise(index, SHOWN_DRAWS, samples, seed, Stream.CHOICE)
        uniform = 0.5 * tf.math.erfc(-tf.transpose(normal, (1, 0, 2)) / math.sqrt(2))
        gumbel = -tf.math.log(-tf.math.log(tf.clip_by_value(uniform, 1e-9, 1 - 1e-7)))
        by_image = tf.transpose(log_weights)[:, None] + gumbel
        chosen = tf.argmax(by_image, axis=-1, output_type=tf.int32)
        draws = tf.gather(tf.transpose(pixels, (1, 0, 2, 3, 4)), chosen, batch_dims=1)
        return draws, spread, effective, single_pass, weighted, *chains

    index = np.arange(len(split)).astype(np.float32)
    at_a_time = images_at_a_time(vae, samples, batch_size)
    found = over_batches(fill, (split.images, known, swapped, index), at_a_time)
    draws, spread, effective, *images = found
    names = ("single_pass", "mean_of_draws") if completes else METHODS
    methods = dict(zip(names, images, strict=True))
    counted = None if completes else float(effective.mean())
    return Restoration(methods, np.swapaxes(draws, 0, 1), spread, counted)


def _swapped(known: dict[str, Any], label: int | None, count: int) -> dict[str, Any]:
    """Return what the decoder is told, which looks at nothing but the label."""
    if "label" not in known:
        return {k: v for k, v in known.items() if k == "seen"}
    labels = known["label"] if label is None else np.full(count, label)
    return {"label": labels}


def _pseudo_gibbs(
    vae: VAE, start: Any, filled: Any, known: Any, swapped: Any, noise: Any
) -> Any:
    """Return the mean over the later half of a chain, [B, H, W, C].

    Args:
        vae: the model.
        start: filled images that the chain starts at.
        filled: puts the seen pixels back into an image.
        known: what the encoder is told.
        swapped: what the decoder is told.
        noise: float32 [steps, B, latent_dim].
    """
    steps = noise.shape[0]
    burn_in = steps // 2
    beside = {k: v for k, v in known.items() if k == "label"}

    def step(t: Any, image: Any, total: Any) -> tuple[Any, Any, Any]:
        levels = vae.infer(image, noise[t][None], vae.condition(**beside, seen=image))
        image = filled(vae.pixel_means(code(levels)[0], vae.condition(**swapped)))
        return t + 1, image, total + tf.where(t >= burn_in, image, 0.0)

    _, _, total = tf.while_loop(
        lambda t, image, total: t < steps,
        step,
        (0, start, tf.zeros_like(start)),
        parallel_iterations=1,
    )
    return total / (steps - burn_in)


def errors(
    split: Split, candidates: dict[str, np.ndarray]
) -> dict[str, dict[str, float | None]]:
    """Return errors against the clean images: of each candidate, and of what was seen.

    Args:
        split: clean images, with what was seen of them.
        candidates: name -> float32 [N, H, W, C] in [0, 1].

    Returns:
        name -> `mse`, `psnr` and `ssim` as `Reconstruction` has them, and where pixels
        are missing `mse_missing`, the mean over those alone.
    """
    if split.seen is not None:
        candidates = {"seen": split.seen[:], **candidates}
    return {name: _errors(split, images) for name, images in candidates.items()}


def _errors(split: Split, images: np.ndarray) -> dict[str, float | None]:
    values: dict[str, float | None] = asdict(compared(split.images, images))
    if split.scored is not None:
        missing = (split.scored[:] == 0).astype(np.float64)
        if images.dtype == np.uint8:
            images = images / np.float32(255)
        square = (images - split.images[:] / np.float32(255)) ** 2
        count = max(missing.sum() * split.images.shape[-1], 1)
        values["mse_missing"] = float((square * missing).sum() / count)
    return values


def median_filtered(images: np.ndarray) -> np.ndarray:
    """Return images with each pixel the median of 3 x 3: uint8 -> float32 in [0, 1]."""
    from scipy.ndimage import median_filter

    return median_filter(images, size=(1, 3, 3, 1)).astype(np.float32) / 255


def mean_filled(split: Split, spec: DataSpec) -> np.ndarray:
    """Return images whose missing pixels are the training mean, float32 in [0, 1]."""
    filled = split.images[:] / np.float32(255)
    missing = np.broadcast_to(split.scored[:] == 0, filled.shape)
    filled[missing] = np.broadcast_to(np.asarray(spec.pixel_mean), filled.shape)[
        missing
    ]
    return filled
