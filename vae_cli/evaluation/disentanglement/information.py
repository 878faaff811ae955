"""Scores by mutual information: MIG and modularity."""

import numpy as np

BINS = 20
"""Bins of equal width over the range of a latent dimension, as in Locatello et al."""


def mutual_information(codes: np.ndarray, factors: np.ndarray) -> np.ndarray:
    """Return I(z_j; v_k) in nats, [d, K]: of binned codes, from their histogram.

    Args:
        codes: float [N, d].
        factors: int [N, K].
    """
    bins = _binned(codes)
    return np.array(
        [[_information(z, v) for v in factors.T] for z in bins.T], np.float64
    )


def entropies(factors: np.ndarray) -> np.ndarray:
    """Return H(v_k) of the images in nats, [K]."""
    return np.array([_information(v, v) for v in factors.T])


def sampled_information(
    mean: np.ndarray,
    log_var: np.ndarray,
    factors: np.ndarray,
    generator: np.random.Generator,
) -> np.ndarray:
    """Return I(z_j; v_k) in nats, [d, K], of samples of q(z|x) instead of its mean.

    I(z_j; v_k) = E log q(z_j|v_k) - E log q(z_j), one sample per image, where q(z_j)
    is the mixture of the posteriors of all images, and q(z_j|v_k) of those with this
    v_k.

    Source: Chen et al., "Isolating sources of disentanglement in VAEs", 2018, section
    4.1.

    Args:
        mean: of q(z|x), float [N, d].
        log_var: likewise.
        factors: int [N, K].
        generator: draws the samples.
    """
    count, dims = mean.shape
    one_hot = [np.eye(v.max() + 1)[v] for v in factors.T]
    sizes = [hot.sum(axis=0) for hot in one_hot]
    rows = np.arange(count)
    information = np.zeros((dims, factors.shape[1]))
    for j in range(dims):
        m, scale = mean[:, j].astype(float), np.exp(0.5 * log_var[:, j].astype(float))
        z = m + scale * generator.standard_normal(count)
        # [n, m]: density of the sample of image n by the posterior of image m
        density = np.exp(-0.5 * ((z[:, None] - m) / scale) ** 2) / scale
        whole = np.log(density.mean(axis=1))
        for k, (hot, size) in enumerate(zip(one_hot, sizes, strict=True)):
            own = factors[:, k]
            given = (density @ hot)[rows, own] / size[own]
            information[j, k] = np.mean(np.log(given) - whole)
    return information


def information_gaps(information: np.ndarray, entropy: np.ndarray) -> np.ndarray:
    """Return the mutual information gap of each factor, [K]; their mean is the MIG.

    (I(z_a; v_k) - I(z_b; v_k)) / H(v_k), for the two latent dimensions a, b that have
    most information of the factor.

    Source: Chen et al. 2018, eq. 6.

    Args:
        information: nats [d, K].
        entropy: nats [K].
    """
    return top_two_gap(information) / entropy


def top_two_gap(matrix: np.ndarray) -> np.ndarray:
    """Return the largest value of each column less the second: [d, K] -> [K]."""
    padded = np.concatenate([matrix, np.zeros_like(matrix[:1])])  # of a single row
    first, second = np.sort(padded, axis=0)[::-1][:2]
    return first - second


def modularity(information: np.ndarray, active: np.ndarray) -> float:
    """Return how much each latent dimension depends on one factor alone, in [0, 1].

    1 - sum_{k != k*} I_jk^2 / (I_jk*^2 (K - 1)), k* the factor that dimension j has
    most information of; the mean over active dimensions.

    Source: Ridgeway & Mozer, "Learning deep disentangled embeddings with the
    F-statistic loss", 2018, section 3. Dimensions without information score 0, as in
    Locatello et al.'s code.

    Args:
        information: nats [d, K], of two factors or more.
        active: bool [d]; others are noise, whose score means nothing.
    """
    squares = information[active] ** 2
    if not len(squares):
        return 0.0
    most = squares.max(axis=1)
    others = (squares.sum(axis=1) - most) / (squares.shape[1] - 1)
    scores = 1 - others / np.where(most > 0, most, 1)
    return float(np.where(most > 0, scores, 0.0).mean())


def _binned(codes: np.ndarray) -> np.ndarray:
    low, high = codes.min(axis=0), codes.max(axis=0)
    width = np.where(high > low, high - low, 1)
    place = (codes.astype(np.float64) - low) / width * BINS
    return np.clip(place.astype(np.int64), 0, BINS - 1)


def _information(a: np.ndarray, b: np.ndarray) -> float:
    """Return I(a; b) in nats of two columns of small integers."""
    columns = b.max() + 1
    joint = np.bincount(a * columns + b, minlength=(a.max() + 1) * columns)
    p = joint.reshape(-1, columns) / len(a)
    independent = p.sum(axis=1, keepdims=True) * p.sum(axis=0)
    occurs = p > 0
    return float(np.sum(p[occurs] * np.log(p[occurs] / independent[occurs])))
