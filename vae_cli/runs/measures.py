"""Names, units and protocols of the measures of `vae-evaluate`."""

from collections.abc import Sequence
from typing import Any

ROWS = (
    ("neg_elbo", "neg. ELBO", "nats per image, one posterior sample"),
    ("reconstruction_loss", "reconstruction loss", "nats per image"),
    ("kl_loss", "KL", "nats per image"),
    ("nll", "NLL", "nats per image, by importance sampling"),
    (
        "cross_entropy_bound",
        "cross-entropy bound",
        "nats per image; not a likelihood of such pixels",
    ),
    ("bits_per_dim", "bits per dimension", "probabilities of levels"),
    (
        "bits_per_dim_bound",
        "bits per dimension, at most",
        "density of pixels with uniform noise",
    ),
    ("effective_sample_size", "effective sample size", "mean over images"),
    (
        "active_units",
        "active units",
        "variance of posterior means above 0.01; a lower level's, at the top's mean",
    ),
    ("codebook_use", "codebook use", "fraction of the codes"),
    ("perplexity", "perplexity of codes", "1 to the number of codes"),
    ("neg_elbo_uniform", "with the uniform prior", "neg. ELBO, nats per image"),
    ("mse", "MSE", "mean over the pixels that count"),
    ("psnr", "PSNR", "dB"),
    ("ssim", "SSIM", "window 11, sigma 1.5"),
    ("knn_accuracy", "kNN accuracy", "10 neighbours"),
    ("linear_accuracy", "linear accuracy", "logistic regression"),
    ("sharpness", "sharpness of samples", "variance of the Laplacian; 1: as held-out"),
    (
        "frechet_distance",
        "Frechet distance of samples",
        "in a small classifier's features; not an FID",
    ),
    ("frechet_floor", "its floor", "training against held-out images"),
    ("classifier_accuracy", "classifier's accuracy", "on held-out images"),
    ("label_agreement", "label agreement", "samples classified as the requested label"),
    (
        "class_spread",
        "spread within a class",
        "mean distance of two samples in pixels; 1: as held-out",
    ),
)
"""Key, name, and unit or protocol."""


PIXELS = {
    "all": "all pixels count",
    "observed": "observed pixels alone count",
    "missing": "missing pixels alone count",
}
"""Corruption's score -> which pixels bounds and errors are of."""
SAMPLES_ARE = {"draws": "draws of binary pixels", "means": "pixel means"}


def measures(
    report: dict[str, Any], keys: Sequence[str] | None = None
) -> list[list[str]]:
    """Return name, value and unit of measures in a report.

    Args:
        report: of `vae-evaluate`.
        keys: which of `ROWS`, in this order; None: all.
    """
    known = {key: (name, unit) for key, name, unit in ROWS}
    rows = []
    for key in known if keys is None else keys:
        name, unit = known[key]
        if report.get(key) is not None:
            if key in ("nll", "cross_entropy_bound"):
                unit += f", {report['importance_samples']:,} samples"
            if key in ("knn_accuracy", "linear_accuracy"):
                unit += f", {report['probes_of']}"
            if key == "sharpness":
                unit += f"; of {SAMPLES_ARE[report['samples_are']]}"
            rows.append([name, with_error(report, key), unit])
    return rows


def protocol_sentence(report: dict[str, Any]) -> str:
    """Return the protocol of a report: images, model, corruption."""
    how = report["protocol"]
    return (
        f"{report['num_images']:,} images of {how['dataset']}, binarization "
        f"{how['binarization']}{_noise(how)} (draw seed {how['draw_seed']}), model "
        f"trained on {how['train_size']:,} images, {how['checkpoint']} checkpoint, run "
        f"{how['run_state']}. {scored_pixels(how).capitalize()}."
    )


def _noise(how: dict[str, Any]) -> str:
    noise = how.get("dequantization", "none")
    return "" if noise == "none" else f", dequantization {noise}"


def scored_pixels(protocol: dict[str, Any]) -> str:
    """Return how images were corrupted, and which pixels bounds and errors are of."""
    return f"corruption {protocol['corruption']}, {PIXELS[protocol['pixels']]}"


def with_error(report: dict[str, Any], key: str) -> str:
    """Return a value, with its standard error where there is one."""
    value, error = report[key], report.get(f"{key}_se")
    if isinstance(value, int):
        return str(value)
    digits = 2 if abs(value) >= 10 else 4
    shown = f"{value:.{digits}f}"
    # bits per dimension differ in the third decimal
    digits = 2 if error is None or error >= 0.01 else 4
    return shown if error is None else f"{shown} (s.e. {error:.{digits}f})"
