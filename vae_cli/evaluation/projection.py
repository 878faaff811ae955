"""Codes on a plane."""

import numpy as np

from vae_cli.errors import ConfigError, RunError
from vae_cli.evaluation.principal import principal_components


def project(
    mean: np.ndarray,
    log_var: np.ndarray,
    kl: np.ndarray,
    method: str = "auto",
    dims: list[int] | None = None,
    seed: int = 0,
) -> tuple[np.ndarray, tuple[str, str]]:
    """Lay codes out on a plane.

    A single latent dimension is shown against its log-variance.

    Args:
        mean: float32 [N, latent_dim].
        log_var: float32 [N, latent_dim].
        kl: float [latent_dim], nats.
        method: `dims`: two dimensions as they are; `pca`; `tsne`; `auto`: `dims`
            where there are two or `dims` are given, else `pca`.
        dims: which two; the two of largest KL if None.
        seed: t-SNE's.

    Returns:
        float32 [N, 2] and a name for each axis.

    Raises:
        ConfigError: a dimension that there isn't.
        RunError: too few images to project.
    """
    latent_dim = mean.shape[1]
    if latent_dim == 1:
        return np.concatenate([mean, log_var], 1), ("z[0]", "log-variance of z[0]")
    if method == "auto":
        method = "dims" if latent_dim == 2 or dims else "pca"
    if method == "dims":
        first, second = dims or sorted(np.argsort(-kl)[:2].tolist())
        if max(first, second) >= latent_dim:
            raise ConfigError(
                f"dims={dims} is outside the run's {latent_dim} latent dimensions "
                f"(0 to {latent_dim - 1})."
            )
        return mean[:, [first, second]], (f"z[{first}]", f"z[{second}]")
    if len(mean) < 3:
        raise RunError(f"method={method} needs at least 3 images, got {len(mean)}.")
    if method == "pca":
        found = principal_components(mean)
        return (mean - found.origin) @ found.axes.T, found.names
    from sklearn.manifold import TSNE

    # t-SNE needs more points than neighbours
    perplexity = min(30.0, max(1.0, (len(mean) - 1) / 3))
    # codes that are all equal have no principal axis to start from
    init = "pca" if mean.std(axis=0).max() > 1e-6 else "random"
    tsne = TSNE(perplexity=perplexity, random_state=seed, init=init)
    return tsne.fit_transform(mean), ("t-SNE 1", "t-SNE 2")
