"""What `vae-generate` decodes, by mode: codes and how to lay them out."""

from dataclasses import dataclass

import numpy as np

from vae_cli.config.commands import GenerateConfig
from vae_cli.errors import ConfigError, RunError
from vae_cli.evaluation.latent import encode, kl_to_normal, sample_prior
from vae_cli.evaluation.paths import interpolate, plane, traversals
from vae_cli.randomness import Stream, generator
from vae_cli.runs.data import load_run_data
from vae_cli.runs.trained import TrainedRun
from vae_cli.visualize.images import to_float

PRIOR_SIDE, MANIFOLD_SIDE, STEPS, PAIRS = 10, 15, 11, 6
"""Rows and columns where none are given."""


@dataclass
class Drawing:
    """Codes to decode and how to lay them out.

    Attributes:
        z: float32 [N, latent_dim].
        columns: codes a row.
        ends: images shown left and right of each row, [rows, 2, H, W, C], or None.
    """

    z: np.ndarray
    columns: int
    ends: np.ndarray | None = None


def prior(config: GenerateConfig, run: TrainedRun) -> Drawing:
    """Samples from the prior, all drawn at once: no batch size changes them."""
    columns = config.columns or PRIOR_SIDE
    count = config.num_images or columns * (config.rows or PRIOR_SIDE)
    z = sample_prior(run.vae, count, config.seed, config.temperature)
    return Drawing(z, min(columns, count))


def manifold(config: GenerateConfig, run: TrainedRun) -> Drawing:
    """The decoded plane of two latent dimensions."""
    latent_dim = run.vae.latent_dim
    if max(config.dims) >= latent_dim:
        raise ConfigError(
            f"dims={config.dims} is outside the run's {latent_dim} latent dimensions "
            f"(0 to {latent_dim - 1}).",
            "a plane takes two of them; mode=traversal works for any number",
        )
    rows = config.rows or config.columns or MANIFOLD_SIDE
    columns = config.columns or rows
    first, second = config.dims
    z = plane(latent_dim, (first, second), rows, columns, config.spacing, config.span)
    return Drawing(z, columns)


def traversal(config: GenerateConfig, run: TrainedRun) -> Drawing:
    """One row a latent dimension, the one of largest KL on top."""
    _, split = load_run_data(run.folder, run.config).held_out()
    kl = kl_to_normal(*encode(run.vae, split.images[:2000]))
    order = np.argsort(-kl)[: config.rows]
    columns = config.columns or STEPS
    z = traversals(order, run.vae.latent_dim, columns, config.span)
    return Drawing(z, columns)


def interpolation(config: GenerateConfig, run: TrainedRun) -> Drawing:
    """Paths between the codes of held-out images, which are shown at both ends."""
    name, split = load_run_data(run.folder, run.config).held_out()
    rows, columns = config.rows or PAIRS, config.columns or STEPS
    if columns < 2:
        raise ConfigError(f"columns={columns}: a path needs at least 2 images.")
    if len(split) < 2:
        raise RunError(f"The {name} split has {len(split)} image; a path needs two.")
    rng = generator(config.seed, Stream.CHOICE)
    chosen = np.stack([rng.choice(len(split), 2, replace=False) for _ in range(rows)])
    images = split.images[chosen.reshape(-1)]
    codes, _ = encode(run.vae, images)
    ends = codes.reshape(rows, 2, -1)
    z = [interpolate(a, b, columns, config.interpolation) for a, b in ends]
    shown = to_float(images).reshape(rows, 2, *images.shape[1:])
    return Drawing(np.concatenate(z), columns, shown)


DRAWINGS = {
    "prior": prior,
    "manifold": manifold,
    "traversal": traversal,
    "interpolation": interpolation,
}
