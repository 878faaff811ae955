"""Figures of a model on a split: what it is asked, and how it is drawn."""

from pathlib import Path
from typing import NamedTuple

import numpy as np
from matplotlib.figure import Figure

from vae_cli.data.images import to_float
from vae_cli.data.splits import Split
from vae_cli.evaluation.anomaly import pixel_nll
from vae_cli.evaluation.anomaly_report import AnomalyReport
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
from vae_cli.randomness import Stream, generator
from vae_cli.visualize.anomaly_plots import plot_detection
from vae_cli.visualize.evaluation_plots import OUTLIERS, plot_evaluation
from vae_cli.visualize.images import stacked
from vae_cli.visualize.plots import plot_latent, plot_rows


def evaluation_figure(
    vae: VAE, split: Split, evaluation: Evaluation, title: str, path: Path
) -> None:
    """Draw what `vae-evaluate` found; arguments as `plot_evaluation` takes them."""
    order = np.argsort(evaluation.neg_elbo)

    def shown(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        chosen = split.take(rows)
        restored = reconstruct(vae, chosen.images, condition=chosen.condition)
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
        columns: images per row.
    """
    corrupted = [] if split.corrupted is None else [to_float(split.corrupted[:])]
    return stacked([to_float(split.images[:]), *corrupted, restored], columns)


def latent_figure(
    vae: VAE,
    split: Split,
    name: str,
    method: str = "auto",
    dims: list[int] | None = None,
    seed: int = 0,
) -> tuple[Figure, np.ndarray, np.ndarray]:
    """Encode images and draw where they lie, with the KL of each dimension.

    Args:
        vae: the model.
        split: images, and labels to colour them by.
        name: what to call the split.
        method: as `project` takes it; `dims` and `seed` too.
        dims: two latent dimensions.
        seed: t-SNE's.

    Returns:
        the figure, and posterior means and log-variances, float32 [N, latent_dim].
    """
    mean, log_var = encode(vae, split.images, condition=split.condition)
    kl = kl_to_normal(mean, log_var)
    points, axis_names = project(mean, log_var, kl, method, dims, seed)
    title = f"{len(split):,} {name} images: {code_source(vae)}"
    active = active_units(mean)
    figure = plot_latent(points, axis_names, split.labels, kl, active, title)
    return figure, mean, log_var


class LatentPlot(NamedTuple):
    """Where images lie in latent space.

    Attributes:
        figure: of matplotlib.
        mean: posterior means, float32 [N, latent_dim].
        log_var: likewise.
        split: the images.
    """

    figure: Figure
    mean: np.ndarray
    log_var: np.ndarray
    split: Split

    def arrays(self) -> dict[str, np.ndarray]:
        """Return codes, labels and factors by name."""
        found = {"mean": self.mean, "log_var": self.log_var}
        found |= self.split.factors or {}
        if self.split.labels is not None:
            found["labels"] = self.split.labels
        return found


def latent_plot(
    vae: VAE,
    split: Split,
    name: str,
    num_points: int | None,
    method: str,
    dims: list[int] | None,
    seed: int,
) -> LatentPlot:
    """Draw some of a split's images; arguments as `Run.plot_latent` takes them."""
    if num_points and num_points < len(split):
        rng = generator(seed, Stream.CHOICE)
        split = split.take(rng.permutation(len(split))[:num_points])
    return LatentPlot(*latent_figure(vae, split, name, method, dims, seed), split)


def anomaly_figures(
    vae: VAE,
    report: AnomalyReport,
    run: str,
    columns: int,
    spread: Path,
    extremes: Path,
) -> None:
    """Draw how scores are spread, and the most and least anomalous images.

    Args:
        vae: the model.
        report: what was found.
        run: name of the run.
        columns: images in a row of `extremes`.
        spread: file of the histogram and the ROC curves.
        extremes: file of the images, and of where each pixel is improbable.
    """
    scored = report.scored_images
    plot_detection(scored.scores, scored.anomalous, report.to_json(), spread)
    order = np.argsort(-scored.scores[report.score])
    rows: dict[str, np.ndarray] = {}
    for name, index in (("most", order[:columns]), ("least", order[::-1][:columns])):
        chosen = report.split.take(index)
        nats = pixel_nll(vae, chosen)
        # each on its own scale: a flat image's few nats would not be visible beside
        # those of the others
        low, high = (f(nats, axis=(1, 2, 3), keepdims=True) for f in (np.min, np.max))
        rows[f"{name} anomalous"] = to_float(chosen.images[:])
        rows[f"reconstructed ({name})"] = reconstruct(
            vae, chosen.images, condition=chosen.condition
        )
        rows[f"nats per pixel ({name})\neach on its own scale"] = (
            nats - low
        ) / np.maximum(high - low, 1e-6)
    plot_rows(rows, f"{run}: by {report.score}", extremes)
