"""How well images are reconstructed.

From posterior means; an inpainting model reconstructs what is missing from its learned
prior p(z|observed), whose code doesn't depend on the missing pixels.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf

from vae_cli.evaluation.batches import ConditionArrays, checked_condition, over_batches
from vae_cli.evaluation.latent import reconstruction_code
from vae_cli.models.vae import VAE

SSIM_WINDOW = 11
"""Pixels; smaller images have no SSIM."""


@dataclass(frozen=True)
class Reconstruction:
    """Errors of E[x | z], z from `reconstruction_code`, pixels in [0, 1].

    Attributes:
        mse: squared error, mean over pixels (those of the mask) and images.
        psnr: 10 log10(1 / mse), decibels; None for a perfect reconstruction, and for
            standardized pixels, whose range is none.
        ssim: structural similarity (Wang et al. 2004), Gaussian window of 11 pixels and
            sigma 1.5, mean over images; None where an image is smaller than that, and
            for standardized pixels.
            Pixels outside the mask count as right.
    """

    mse: float
    psnr: float | None
    ssim: float | None


def score_reconstruction(
    vae: VAE,
    images: np.ndarray,
    batch_size: int = 250,
    condition: ConditionArrays | None = None,
) -> Reconstruction:
    """Reconstruct images and compare the pixels of the mask.

    Args:
        vae: the model.
        images: uint8 [N, H, W, C].
        batch_size: images at a time.
        condition: of the images, as `Split.condition` has it.
    """

    def score(x: Any, arrays: Any) -> tuple[Any, ...]:
        condition, mask = vae.condition(**arrays), arrays.get("mask")
        z = reconstruction_code(vae, x, condition)
        restored = vae.pixel_means(z, condition)
        if mask is None:
            return _errors(x, restored)
        errors = _errors(x, mask * restored + (1.0 - mask) * x)
        return *errors, tf.reduce_mean(mask, axis=(1, 2, 3))

    outputs = over_batches(
        score, (images, checked_condition(vae, condition)), batch_size
    )
    return _mean(outputs, images.shape, vae.likelihood.pixels.bounded)


def compared(
    images: np.ndarray,
    restored: np.ndarray,
    batch_size: int = 250,
    bounded: bool = True,
) -> Reconstruction:
    """Compare restored images with clean ones.

    Args:
        images: uint8 [N, H, W, C].
        restored: uint8, or float32 in [0, 1], [N, H, W, C].
        batch_size: images at a time.
        bounded: whether pixels lie in [0, 1].
    """
    outputs = over_batches(_errors, (images, restored), batch_size)
    return _mean(outputs, images.shape, bounded)


def _errors(x: Any, restored: Any) -> tuple[Any, Any]:
    """Return squared error and structural similarity of each image, [B] each."""
    error = tf.reduce_mean((x - restored) ** 2, axis=(1, 2, 3))
    return error, ssim(x, restored) if _has_ssim(x.shape) else tf.zeros_like(error)


def _has_ssim(shape: Any) -> bool:
    return min(shape[1:3]) >= SSIM_WINDOW


def _mean(
    outputs: list[np.ndarray], shape: Any, bounded: bool = True
) -> Reconstruction:
    error, similarity, *observed = outputs
    mse = float(error.mean(dtype=np.float64))
    if observed:
        mse /= max(float(observed[0].mean(dtype=np.float64)), 1e-12)
    return Reconstruction(
        mse=mse,
        psnr=float(-10 * np.log10(mse)) if mse > 0 and bounded else None,
        ssim=float(similarity.mean(dtype=np.float64))
        if bounded and _has_ssim(shape)
        else None,
    )


def ssim(a: Any, b: Any) -> Any:
    """Return structural similarity of images [B, H, W, C] in [0, 1]: float32 [B]."""
    return tf.image.ssim(a, b, max_val=1.0, filter_size=SSIM_WINDOW, filter_sigma=1.5)
