"""Figures of a model on a split: what it is asked, and how it is drawn."""

from pathlib import Path

import numpy as np

from vae_cli.data.splits import Split
from vae_cli.evaluation.latent import (
    active_units,
    code_source,
    encode,
    kl_to_normal,
    project,
    reconstruct,
)
from vae_cli.evaluation.summary import Evaluation
from vae_cli.models.vae import VAE
from vae_cli.visualize.evaluation_plots import OUTLIERS, plot_evaluation
from vae_cli.visualize.images import stacked, to_float
from vae_cli.visualize.plots import plot_latent


def evaluation_figure(
    vae: VAE, split: Split, evaluation: Evaluation, title: str, path: Path
) -> None:
    """Draw what `vae-evaluate` found; arguments as `plot_evaluation` takes them."""
    order = np.argsort(evaluation.neg_elbo)

    def shown(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        chosen = split.take(rows)
        restored = reconstruct(vae, chosen.images, context=chosen.context)
        return to_float(chosen.images[:]), restored

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


def beside(split: Split, restored: np.ndarray, columns: int) -> np.ndarray:
    """Return images, what the encoder saw where that is another, and what came back.

    Args:
        split: the images.
        restored: float32 [N, H, W, C] in [0, 1].
        columns: images a row.
    """
    seen = [] if split.seen is None else [to_float(split.seen[:])]
    return stacked([to_float(split.images[:]), *seen, restored], columns)


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
        path: file to write, as `save_figure` takes it.
        method: as `project` takes it; `dims` and `seed` too.
        dims: two latent dimensions.
        seed: t-SNE's.

    Returns:
        posterior means and log-variances, float32 [N, latent_dim] each.
    """
    mean, log_var = encode(vae, split.images, context=split.context)
    kl = kl_to_normal(mean, log_var)
    points, axis_names = project(mean, log_var, kl, method, dims, seed)
    title = f"{len(split):,} {name} images: {code_source(vae)}"
    plot_latent(points, axis_names, split.labels, kl, active_units(mean), title, path)
    return mean, log_var
