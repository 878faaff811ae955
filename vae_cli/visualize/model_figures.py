"""Figures of a model on a split: the arrays, and how they are drawn."""

from typing import NamedTuple

import numpy as np
from matplotlib.figure import Figure

from vae_cli.data.splits import Split
from vae_cli.errors import ConfigError
from vae_cli.evaluation.anomaly import pixel_nll
from vae_cli.evaluation.anomaly_report import AnomalyReport
from vae_cli.evaluation.code_use import count_codes
from vae_cli.evaluation.disentanglement.information import information_gaps
from vae_cli.evaluation.disentanglement.variations import variations
from vae_cli.evaluation.latent import (
    active_units,
    code_source,
    encode,
    kl_to_normal,
    reconstruct,
)
from vae_cli.evaluation.names import GridNames
from vae_cli.evaluation.projection import project
from vae_cli.evaluation.restoration_report import RestorationReport
from vae_cli.evaluation.split_report import SplitReport
from vae_cli.models.vae import VAE
from vae_cli.randomness import Stream, generator
from vae_cli.runs.opened import OpenRun
from vae_cli.visualize.anomaly_plots import plot_detection
from vae_cli.visualize.code_plots import plot_code_use
from vae_cli.visualize.disentanglement_plots import plot_disentanglement
from vae_cli.visualize.evaluation_plots import OUTLIERS, plot_evaluation
from vae_cli.visualize.images import interleaved, stacked
from vae_cli.visualize.plots import plot_latent, plot_rows


def evaluation_figure(vae: VAE, report: SplitReport, run: str) -> Figure:
    """Draw scores, the KL of each dimension, and the best and worst images.

    Args:
        vae: the model.
        report: of the split.
        run: name of the run.
    """
    evaluation, split = report.evaluation, report.split
    order = np.argsort(evaluation.neg_elbo)

    def extremes(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        chosen = split.take(rows)
        restored = reconstruct(vae, chosen.images, condition=chosen.condition)
        return chosen.pictures(), chosen.pixels.shown(restored)

    importance = evaluation.importance
    used = None
    if vae.num_codes:
        used = count_codes(vae, split.images, split.condition)
    return plot_evaluation(
        evaluation.neg_elbo,
        None if importance is None else -importance.log_prob,
        evaluation.name,
        evaluation.kl_to_normal,
        extremes(order[:OUTLIERS]),
        extremes(order[-OUTLIERS:]),
        f"{run}: {len(split):,} {report.split_name} images",
        vae.level_sizes,
        None if used is None else (used.counts, used.perplexity),
    )


def disentanglement_figure(run: OpenRun, report: SplitReport) -> Figure:
    """Draw traversals beside factors, and the information that they share.

    Args:
        run: the run.
        report: of a split, with `disentanglement`.
    """
    found = report.disentanglement
    if found is None:
        raise ConfigError("this report was made without disentanglement=True.")
    rows = variations(run, report.split_name, found)
    gaps = information_gaps(found.information, found.entropy)
    names = [f"z[{j}]\nKL {kl:.2g}" for j, kl in zip(rows.dims, rows.kl, strict=True)]
    return plot_disentanglement(
        rows.decoded,
        names,
        rows.factors,
        found.information[rows.dims] / found.entropy,
        {f.name: gap for f, gap in zip(found.factors, gaps, strict=True)},
        f"{run.name}: MIG {found.scores.mig:.2f}, SAP {found.scores.sap:.2f}, DCI "
        f"disentanglement {found.scores.dci_disentanglement:.2f}",
    )


def beside(split: Split, restored: np.ndarray, columns: int) -> np.ndarray:
    """Return images, corrupted ones where the encoder gets such, and reconstructions.

    Args:
        split: the images.
        restored: float32 [N, H, W, C] in [0, 1].
        columns: images per row.

    Returns:
        uint8 [rows * cell, columns * cell, 1 or 3].
    """
    return stacked([*_kinds(split, restored).values()], columns)


def reconstructions(
    split: Split, restored: np.ndarray, columns: int, title: str
) -> tuple[np.ndarray, GridNames]:
    """Return the images of `beside`, float32 [M, H, W, C], and names of its rows."""
    kinds = _kinds(split, restored)
    images = interleaved([*kinds.values()], columns)
    rows = len(images) // columns
    return images, GridNames(title, (*kinds,) * (rows // len(kinds)))


def _kinds(split: Split, restored: np.ndarray) -> dict[str, np.ndarray]:
    restored = split.pixels.shown(restored)
    if split.corrupted is None:
        return {"input": split.pictures(), "reconstruction": restored}
    corrupted = split.pictures(which="corrupted")
    return {"clean": split.pictures(), "corrupted": corrupted, "restored": restored}


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
    if vae.num_codes:
        used = count_codes(vae, split.images, split.condition)
        title = f"codes of {len(split):,} {name} images"
        return plot_code_use(used.counts, used.perplexity, title), mean, log_var
    kl = kl_to_normal(mean, log_var)
    points, axis_names = project(mean, log_var, kl, method, dims, seed)
    title = f"{len(split):,} {name} images: {code_source(vae)}"
    active = active_units(mean)
    names, levels = split.label_names, vae.level_sizes
    figure = plot_latent(points, axis_names, names, kl, active, title, levels)
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
        codes = {"mean": self.mean, "log_var": self.log_var}
        codes |= self.split.factors or {}
        if self.split.labels is not None:
            codes["labels"] = self.split.labels
        if self.split.names is not None:
            codes["names"] = self.split.names.astype(str)
        return codes


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


class AnomalyFigures(NamedTuple):
    """Figures of an anomaly report.

    Attributes:
        scores: distribution of the score, and ROC curves.
        extremes: the most and the least anomalous images.
    """

    scores: Figure
    extremes: Figure


def anomaly_figures(
    vae: VAE, report: AnomalyReport, run: str, columns: int
) -> AnomalyFigures:
    """Draw the distribution of scores, and the most and least anomalous images.

    Args:
        vae: the model.
        report: of the images.
        run: name of the run.
        columns: images per row.
    """
    scored = report.scored_images
    order = np.argsort(-scored.scores[report.score])
    columns = min(columns, -(-len(order) // 2))  # of few images, a half each
    rows: dict[str, np.ndarray] = {}
    for name, index in (("most", order[:columns]), ("least", order[::-1][:columns])):
        chosen = report.split.take(index)
        nats = pixel_nll(vae, chosen)
        # each on its own scale: a flat image's few nats would not be visible beside
        # those of the others
        low, high = (f(nats, axis=(1, 2, 3), keepdims=True) for f in (np.min, np.max))
        restored = reconstruct(vae, chosen.images, condition=chosen.condition)
        rows[f"{name} anomalous"] = chosen.pictures()
        rows[f"reconstructed ({name})"] = chosen.pixels.shown(restored)
        rows[f"nats per pixel ({name})\neach on its own scale"] = (
            nats - low
        ) / np.maximum(high - low, 1e-6)
    return AnomalyFigures(
        plot_detection(scored.scores, scored.anomalous, report.to_json()),
        plot_rows(rows, f"{run}: by {report.score}"),
    )


def restoration_figure(report: RestorationReport, run: str, columns: int) -> Figure:
    """Draw clean, corrupted and restored images, a row each.

    Args:
        report: of the images.
        run: name of the run.
        columns: images per row.
    """
    how = report.corruption["name"]
    title = f"{run}: {report.images}, {'no corruption' if how == 'none' else how}"
    if report.decoded_as is not None:
        title += f", decoded as {report.decoded_as}"
    return plot_rows(report.rows(columns), title)
