"""The figures a finished run shows."""

from vae_cli.data.splits import Split
from vae_cli.evaluation.latent import (
    decode,
    reconstruct,
    row_condition,
    sample_prior,
    with_observed,
)
from vae_cli.models.vae import VAE
from vae_cli.runs.folder import RunFolder
from vae_cli.visualize.files import save_figure
from vae_cli.visualize.images import grid, write_png
from vae_cli.visualize.model_figures import beside, latent_figure
from vae_cli.visualize.plots import plot_curves

MAX_POINTS = 5000
"""Points in the latent figure; more only hide each other."""


def draw_figures(
    folder: RunFolder,
    vae: VAE,
    name: str,
    split: Split,
    rows: list[dict[str, float]],
    measure: str,
    seed: int,
) -> None:
    """Write curves, samples, reconstructions and latent space into `figures/`.

    Args:
        folder: the run.
        vae: the model with its best weights.
        name: of the split.
        split: its images.
        rows: the columns of `metrics.csv`.
        measure: what the reconstruction loss is.
        seed: of the samples.
    """
    save_figure(plot_curves(rows, measure), folder.figures / "curves.png")
    condition = row_condition(vae, 100, 10, split)
    samples = decode(
        vae, sample_prior(vae, 100, seed, condition=condition), condition=condition
    )
    if vae.observed_network:
        samples = with_observed(samples, condition)
    write_png(grid(split.pixels.shown(samples), 10), folder.figures / "samples.png")
    points = split.take(slice(MAX_POINTS))
    method = "auto" if len(points) > 2 else "dims"
    figure, *_ = latent_figure(vae, points, name, method)
    save_figure(figure, folder.figures / "latent.png")
    first = points.take(slice(40))
    restored = reconstruct(vae, first.images, condition=first.condition)
    write_png(beside(first, restored, 10), folder.figures / "reconstructions.png")
