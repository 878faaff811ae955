"""The figures a finished run shows."""

import numpy as np

from vae_cli.data.splits import ImageData
from vae_cli.evaluation.latent import active_units, decode, encode, kl_per_dim, project
from vae_cli.models.vae import VAE
from vae_cli.randomness import Stream, generator
from vae_cli.runs.folder import RunFolder
from vae_cli.visualize.images import grid, pairs, to_float, write_png
from vae_cli.visualize.plots import plot_curves, plot_latent

MOST_POINTS = 5000
"""Points in the latent figure; more only hide each other."""


def draw_figures(
    folder: RunFolder,
    vae: VAE,
    data: ImageData,
    rows: list[dict[str, float]],
    measure: str,
    seed: int,
) -> None:
    """Write curves, samples, reconstructions and latent space into `figures/`.

    Args:
        folder: the run.
        vae: the model with its best weights.
        data: the test images are shown, validation or training ones without any.
        rows: the columns of `metrics.csv`.
        measure: what the reconstruction loss is.
        seed: of the samples.
    """
    name, split = data.held_out()
    plot_curves(rows, folder.figures / "curves.png", measure)
    noise = generator(seed, Stream.PRIOR).standard_normal((100, vae.latent_dim))
    samples = decode(vae, vae.prior.sample(noise.astype(np.float32)))
    write_png(grid(samples, 10), folder.figures / "samples.png")
    codes, log_var = encode(vae, split.images[:MOST_POINTS])
    images = to_float(split.images[:40])
    restored = decode(vae, codes[:40])
    write_png(pairs(images, restored, 10), folder.figures / "reconstructions.png")
    kl = kl_per_dim(vae, codes, log_var)
    method = "auto" if len(codes) > 2 else "dims"
    points, axis_names = project(codes, log_var, kl, method)
    labels = None if split.labels is None else split.labels[:MOST_POINTS]
    plot_latent(
        points,
        axis_names,
        labels,
        kl,
        active_units(codes),
        f"posterior means of {len(codes):,} {name} images",
        folder.figures / "latent.png",
    )
