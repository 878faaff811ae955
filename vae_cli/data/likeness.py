"""Which images have the same shape, whatever their brightness and contrast.

As unit vectors, thumbnails of correlation r are sqrt(2 - 2 r) apart, and no further
apart in any projection. Sorted by their first principal component, each has to be
compared with its neighbours alone.
"""

import math
from collections.abc import Callable

import numpy as np

from vae_cli.data.images import to_float

CORRELATION = 0.995
"""Of thumbnails that are alike, at least."""
FLAT = 0.05
"""Contrast below which a thumbnail has no shape, as a fraction of the set's."""
MAX_PAIRS = 1_000_000
"""Pairs that are returned; a set with more is full of images that are alike."""
BLOCK = 512
"""Thumbnails that are compared with the others at a time."""


def thumbnails(images: np.ndarray, side: int) -> np.ndarray:
    """Return images at a size of at most `side`, each pixel the mean of an area.

    Args:
        images: uint8 or float32 [N, H, W, C].
        side: of the thumbnails, where the images are larger.

    Returns:
        float32 [N, h, w, C].
    """
    rows, columns = (_areas(size, min(side, size)) for size in images.shape[1:3])
    return np.einsum(
        "ih,nhwc,jw->nijc", rows, to_float(images), columns, optimize=True
    ).astype(np.float32, copy=False)


def unit_shapes(thumbnails: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return thumbnails without their brightness and contrast.

    Args:
        thumbnails: [N, ...].

    Returns:
        unit vectors [N, D], and whether each has a shape at all: bool [N].
    """
    flat = thumbnails.reshape(len(thumbnails), -1).astype(np.float32)
    flat = flat - flat.mean(axis=1, keepdims=True)
    contrast = np.linalg.norm(flat, axis=1)
    shaped = contrast > max(FLAT * math.sqrt(float(np.mean(contrast**2))), 1e-6)
    return flat / np.where(shaped, contrast, 1)[:, None], shaped


def alike(
    thumbnails: np.ndarray,
    correlation: float = CORRELATION,
    progress: Callable[[float], None] = lambda fraction: None,
) -> tuple[np.ndarray, bool]:
    """Return the pairs of thumbnails of the same shape.

    Args:
        thumbnails: [N, ...].
        correlation: at least this.
        progress: called with the fraction that is done.

    Returns:
        int64 [pairs, 2], and whether these are all: no more than `MAX_PAIRS` are
        returned.
    """
    vectors, shaped = unit_shapes(thumbnails)
    rows = np.flatnonzero(shaped)
    if len(rows) < 2:
        return np.empty((0, 2), np.int64), True
    vectors = vectors[rows]
    centred = vectors - vectors.mean(axis=0)
    _, directions = np.linalg.eigh(centred.T @ centred)
    projected = vectors @ directions[:, -1]
    order = np.argsort(projected, kind="stable")
    rows, vectors, projected = rows[order], vectors[order], projected[order]
    reach = math.sqrt(2 - 2 * correlation) + 1e-6
    found, total = [], 0
    for begin in range(0, len(rows), BLOCK):
        end = min(begin + BLOCK, len(rows))
        last = np.searchsorted(projected, projected[end - 1] + reach, side="right")
        products = vectors[begin:end] @ vectors[begin:last].T
        # `nonzero` of a plane takes several times longer
        first, second = divmod(
            np.flatnonzero(products >= correlation), products.shape[1]
        )
        upper = second > first
        found.append(np.stack([first[upper], second[upper]], axis=1) + begin)
        total += len(found[-1])
        progress(end / len(rows))
        if total > MAX_PAIRS:
            break
    pairs = np.sort(rows[np.concatenate(found)[:MAX_PAIRS]], axis=1)
    return pairs, total <= MAX_PAIRS


def _areas(size: int, parts: int) -> np.ndarray:
    """Return the weights of pixels in the means of equal areas, [parts, size]."""
    edges = np.linspace(0, size, parts + 1)
    begin = np.maximum(np.arange(size), edges[:-1, None])
    end = np.minimum(np.arange(1, size + 1), edges[1:, None])
    weights = np.maximum(end - begin, 0)
    return np.asarray(weights * parts / size, np.float32)
