"""The figures a finished run shows."""

from pathlib import Path

from vae_cli.config.figure import GridFigureConfig
from vae_cli.data.splits import Split
from vae_cli.data_spec import DataSpec
from vae_cli.evaluation.latent import (
    decode,
    reconstruct,
    row_condition,
    sample_prior,
    with_observed,
)
from vae_cli.evaluation.names import class_rows
from vae_cli.models.vae import VAE
from vae_cli.runs.folder import RunFolder
from vae_cli.visualize.code_plots import plot_codebook
from vae_cli.visualize.files import save_figure
from vae_cli.visualize.labelled_grid import save_grid
from vae_cli.visualize.model_figures import latent_figure, reconstructions
from vae_cli.visualize.plots import plot_curves

MAX_POINTS = 5000
"""Points in the latent figure; more only hide each other."""


def draw_figures(
    folder: RunFolder,
    vae: VAE,
    name: str,
    split: Split,
    rows: list[dict[str, float]],
    spec: DataSpec,
    seed: int,
    figure: GridFigureConfig,
) -> None:
    """Write curves, samples, reconstructions and latent space into `figures/`.

    Args:
        folder: the run.
        vae: the model with its best weights.
        name: of the split.
        split: its images.
        rows: the columns of `metrics.csv`.
        spec: of the data.
        seed: of the samples.
        figure: how they are drawn.
    """
    form = figure.format

    def file(stem: str) -> Path:
        return folder.figures / f"{stem}.{form}"

    run = folder.path.resolve().name
    measure = vae.likelihood.measure(spec)
    save_figure(plot_curves(rows, measure, run), file("curves"))
    if vae.num_codes:
        title = f"{run}: use of the codebook"
        save_figure(plot_codebook(rows, vae.num_codes, title), file("codebook"))
    condition = row_condition(vae, 100, 10, split)
    samples = decode(
        vae, sample_prior(vae, 100, seed, condition=condition), condition=condition
    )
    if vae.prior_network.is_learned:
        with vae.prior_network.uniformly():
            before = decode(
                vae,
                sample_prior(vae, 100, seed, condition=condition),
                condition=condition,
            )
        save_grid(split.pixels.shown(before), 10, None, file("samples_uniform"))
    if vae.observed_network:
        samples = with_observed(samples, condition)
    named = condition.get("label") if figure.labels else None
    rows_of = class_rows(spec, named, 10)
    save_grid(split.pixels.shown(samples), 10, rows_of, file("samples"))
    points = split.take(slice(MAX_POINTS))
    method = "auto" if len(points) > 2 else "dims"
    latent, *_ = latent_figure(vae, points, name, method)
    save_figure(latent, file("latent"))
    first = points.take(slice(40))
    restored = reconstruct(vae, first.images, condition=first.condition)
    title = f"{run}: {name} images and their reconstructions"
    images, names = reconstructions(first, restored, 10, title)
    save_grid(images, 10, names if figure.labels else None, file("reconstructions"))
