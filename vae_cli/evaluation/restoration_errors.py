"""Errors of restored images against clean ones, and two simple restorations."""

from dataclasses import asdict

import numpy as np

from vae_cli.data.images import to_float
from vae_cli.data.splits import Split
from vae_cli.data_spec import DataSpec
from vae_cli.evaluation.reconstruction import compared


def errors(
    split: Split, candidates: dict[str, np.ndarray]
) -> dict[str, dict[str, float | None]]:
    """Return errors against the clean images, of the corrupted ones too.

    Args:
        split: clean images with the corrupted ones.
        candidates: name -> float32 [N, H, W, C] in [0, 1].

    Returns:
        name -> `mse`, `psnr` and `ssim` as `Reconstruction` has them, and where pixels
        are missing `mse_missing`, the mean over those alone.
    """
    if split.corrupted is not None:
        candidates = {"corrupted": split.corrupted[:], **candidates}
    return {name: _errors(split, images) for name, images in candidates.items()}


def _errors(split: Split, images: np.ndarray) -> dict[str, float | None]:
    values: dict[str, float | None] = asdict(
        compared(split.images, images, bounded=split.pixels.bounded)
    )
    if split.mask is not None:
        missing = (split.mask[:] == 0).astype(np.float64)
        square = (to_float(images) - to_float(split.images[:])) ** 2
        count = max(missing.sum() * split.images.shape[-1], 1)
        values["mse_missing"] = float((square * missing).sum() / count)
    return values


def median_filtered(images: np.ndarray) -> np.ndarray:
    """Return images with each pixel the median of 3 x 3: uint8 -> float32 in [0, 1]."""
    from scipy.ndimage import median_filter

    return to_float(median_filter(images, size=(1, 3, 3, 1)))


def mean_filled(split: Split, spec: DataSpec) -> np.ndarray:
    """Return images whose missing pixels are the training mean, float32 in [0, 1]."""
    filled = to_float(split.images[:])
    missing = np.broadcast_to(split.mask[:] == 0, filled.shape)
    filled[missing] = np.broadcast_to(np.asarray(spec.pixel_mean), filled.shape)[
        missing
    ]
    return filled
