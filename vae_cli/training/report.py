"""The figures a finished run shows."""

from vae_cli.data.splits import ImageData
from vae_cli.evaluation.latent import class_a_row, decode, sample_prior
from vae_cli.models.vae import VAE
from vae_cli.runs.folder import RunFolder
from vae_cli.visualize.images import grid, pairs, to_float, write_png
from vae_cli.visualize.model_figures import latent_figure
from vae_cli.visualize.plots import plot_curves

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
    labels = class_a_row(vae, 100, 10)
    samples = decode(vae, sample_prior(vae, 100, seed, labels=labels), labels=labels)
    write_png(grid(samples, 10), folder.figures / "samples.png")
    shown = split.take(slice(MOST_POINTS))
    method = "auto" if len(shown) > 2 else "dims"
    path = folder.figures / "latent.png"
    codes, _ = latent_figure(vae, shown, name, path, method)
    first = shown.take(slice(40))
    images, restored = to_float(first.images), decode(vae, codes[:40], 40, first.labels)
    write_png(pairs(images, restored, 10), folder.figures / "reconstructions.png")
