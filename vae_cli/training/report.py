"""The figures a finished run shows."""

from pathlib import Path

import numpy as np

from vae_cli.data.splits import ImageData, Split
from vae_cli.evaluation.latent import (
    active_units,
    decode,
    encode,
    kl_to_normal,
    project,
    sample_prior,
)
from vae_cli.evaluation.summary import Evaluation
from vae_cli.models.vae import VAE
from vae_cli.runs.folder import RunFolder
from vae_cli.visualize.evaluation_plots import OUTLIERS, plot_evaluation
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
    samples = decode(vae, sample_prior(vae, 100, seed))
    write_png(grid(samples, 10), folder.figures / "samples.png")
    shown = split.take(slice(MOST_POINTS))
    method = "auto" if len(shown) > 2 else "dims"
    path = folder.figures / "latent.png"
    codes, _ = latent_figure(vae, shown, name, path, method)
    images, restored = to_float(shown.images[:40]), decode(vae, codes[:40])
    write_png(pairs(images, restored, 10), folder.figures / "reconstructions.png")


def evaluation_figure(
    vae: VAE, split: Split, evaluation: Evaluation, title: str, path: Path
) -> None:
    """Draw what `vae-evaluate` found; arguments as `plot_evaluation` takes them."""
    order = np.argsort(evaluation.neg_elbo)

    def shown(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        images = split.images[rows]
        return to_float(images), decode(vae, encode(vae, images)[0])

    importance = evaluation.importance
    plot_evaluation(
        evaluation.neg_elbo,
        None if importance is None else -importance.log_prob,
        evaluation.name,
        evaluation.kl_to_normal,
        shown(order[:OUTLIERS]),
        shown(order[-OUTLIERS:]),
        title,
        path,
    )


def latent_figure(
    vae: VAE,
    split: Split,
    name: str,
    path: Path,
    method: str = "auto",
    dims: list[int] | None = None,
    seed: int = 0,
) -> tuple[np.ndarray, np.ndarray]:
    """Encode images and draw where they lie, with the KL of each dimension.

    Args:
        vae: the model.
        split: images, and labels to colour them by.
        name: what to call the split.
        path: PNG to write.
        method: as `project` takes it; `dims` and `seed` too.
        dims: two latent dimensions.
        seed: t-SNE's.

    Returns:
        posterior means and log-variances, float32 [N, latent_dim] each.
    """
    mean, log_var = encode(vae, split.images)
    kl = kl_to_normal(mean, log_var)
    points, axis_names = project(mean, log_var, kl, method, dims, seed)
    title = f"posterior means of {len(split):,} {name} images"
    plot_latent(points, axis_names, split.labels, kl, active_units(mean), title, path)
    return mean, log_var
