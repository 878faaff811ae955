"""Figures of `vae-anomaly`, from arrays."""

from typing import Any

import numpy as np
from matplotlib.figure import Figure

from vae_cli.visualize.files import wrapped
from vae_cli.visualize.plots import legend_above, legend_below
from vae_cli.visualize.style import WIDTH, styled

UNITLESS = ("mahalanobis", "unexplained_variance")


@styled
def plot_detection(
    scores: dict[str, np.ndarray],
    anomalous: np.ndarray | None,
    report: dict[str, Any],
) -> Figure:
    """Draw the distribution of the chosen score, and with labels each score's ROC.

    Args:
        scores: name -> float [N].
        anomalous: bool [N], or None.
        report: of `detect`: which score was chosen, thresholds, AUROC.
    """
    if report["num_anomalous"] is None:
        anomalous = None
    labelled = anomalous is not None
    figure = Figure(figsize=(WIDTH if labelled else 4.5, 3.2), layout="constrained")
    axes = [
        figure.add_subplot(1, 1 + labelled, place) for place in range(1, 2 + labelled)
    ]
    name = report["score"]
    values, own = scores[name], report["scores"][name]
    edges = np.histogram_bin_edges(values, 60).tolist()
    if anomalous is not None:
        axes[0].hist(values[~anomalous], edges, alpha=0.6, density=True, label="normal")
        axes[0].hist(values[anomalous], edges, alpha=0.6, density=True, label="anomaly")
    else:
        axes[0].hist(values, edges, alpha=0.6, density=True, label="images")
    axes[0].axvline(own["threshold"], color="black", linestyle=":", label="threshold")
    unit = "" if name in UNITLESS else ", nats per image"
    axes[0].set_xlabel(f"{name}{unit}")
    axes[0].set_ylabel("density")
    axes[0].set_title("distribution of the score")
    legend_above(axes[0])
    if labelled:
        from sklearn.metrics import roc_curve

        curves = []
        for score, array in scores.items():
            false, true, _ = roc_curve(anomalous, array)
            auroc = report["scores"][score]["auroc"]
            curves += axes[1].plot(false, true, label=f"{score}, AUROC {auroc:.3f}")
        axes[1].plot([0, 1], [0, 1], color="grey", linestyle=":")
        axes[1].set_xlabel("false positive rate")
        axes[1].set_ylabel("recall")
        axes[1].set_title("ROC of each score")
        # curves above and below the diagonal leave no corner empty
        legend_below(figure, curves, title="ROC")
    images = f"{report['num_images']:,} {report['images']} images"
    title = f"{report['run']}: {images}"
    figure.suptitle(wrapped(title, figure.get_figwidth() - 0.4, fontsize=9))
    return figure
