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
    ("ais_neg_log_prob", "-log p(x) by AIS", "nats per image"),
    ("ais_importance", "-log p(x) by importance sampling", "of the same images"),
    ("ais_acceptance", "acceptance of AIS", "mean over temperatures"),
    ("bdmc_lower", "log p(x) of simulated images, at least", "by forward chains"),
    ("bdmc_upper", "log p(x) of simulated images, at most", "by reverse chains"),
    ("bdmc_gap", "gap of these bounds", "nats per image"),
    ("inference_gap", "inference gap", "log p(x) - ELBO"),
    ("amortization_gap", "of it, amortization", "refined - amortized ELBO"),
    ("approximation_gap", "of it, approximation", "log p(x) - refined ELBO"),
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
    (
        "cluster_accuracy",
        "cluster accuracy",
        "components of the prior, each assigned to one class",
    ),
    (
        "cluster_nmi",
        "cluster NMI",
        "normalized mutual information of components and classes",
    ),
    ("sharpness", "sharpness of samples", "variance of the Laplacian; 1: as held-out"),
    ("frechet_distance", "Frechet distance of samples", ""),
    ("frechet_floor", "its floor", "training against held-out images"),
    ("kid", "KID of samples", "unbiased; mean and deviation over subsets"),
    ("precision", "precision of samples", "3 neighbours, the same features"),
    ("recall", "recall of samples", "3 neighbours, the same features"),
    ("classifier_accuracy", "classifier's accuracy", "on held-out images"),
    ("label_agreement", "label agreement", "samples classified as the requested label"),
    (
        "class_spread",
        "spread within a class",
        "mean distance of two samples in pixels; 1: as held-out",
    ),
    ("mig", "MIG", "mutual information gap of posterior means, 20 bins"),
    ("mig_sampled", "MIG of samples", "mutual information gap of posterior samples"),
    ("sap", "SAP", "separated attribute predictability"),
    ("dci_disentanglement", "DCI disentanglement", "random forests"),
    ("dci_completeness", "DCI completeness", "random forests"),
    ("dci_informativeness", "DCI informativeness", "accuracy of random forests"),
    ("factor_vae_score", "FactorVAE score", "accuracy by the least variance"),
    ("beta_vae_score", "beta-VAE score", "accuracy by mean differences"),
    ("modularity", "modularity", "of active dimensions"),
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
        by_level = report.get("kl_per_level") if key == "kl_loss" else None
        if by_level:
            unit += f"; by level, top first: {', '.join(f'{x:.2f}' for x in by_level)}"
        if report.get(key) is not None:
            if key in ("nll", "cross_entropy_bound"):
                unit += f", {report['importance_samples']:,} samples"
            if key in ("knn_accuracy", "linear_accuracy"):
                unit += f", {report['probes_of']}"
            if key == "ais_neg_log_prob":
                unit += annealing_sentence(report)
            if key == "inference_gap":
                unit += f", {report['gap_images']:,} images; log p(x) by "
                unit += report["gap_log_prob_by"]
            if key == "frechet_distance":
                unit = features_sentence(report)
            if key == "sharpness":
                unit += f"; of {SAMPLES_ARE[report['samples_are']]}"
            chance = (report.get("disentanglement") or {}).get("chance", {})
            if chance.get(key) is not None:
                unit += f"; shuffled codes: {chance[key]:.3f}"
            rows.append([name, with_error(report, key), unit])
    return rows


def annealing_sentence(report: dict[str, Any]) -> str:
    """Return of how many images AIS is, and by which chains."""
    how = report["protocol"]["ais"]
    return (
        f", {report['ais_images']:,} images, {how['chains']} chains from the "
        f"{how['start']}, {how['temperatures']:,} temperatures, "
        f"{how['leapfrog_steps']} leapfrog steps"
    )


def features_sentence(report: dict[str, Any]) -> str:
    """Return in which features, and of how many images, distances are."""
    if report["features_of"] == "small classifier":
        features = "in a small classifier's features; not an FID"
    else:
        features = f"in the features of {report['features_of']}"
    counts = f"{report['num_generated']:,} against {report['num_held_out']:,} images"
    return f"{features}; {counts}; the bias depends on these numbers"


def protocol_sentence(report: dict[str, Any]) -> str:
    """Return the protocol of a report: images, model, corruption."""
    how = report["protocol"]
    return (
        f"{report['num_images']:,} images of {how['dataset']}, binarization "
        f"{how['binarization']}{_noise(how)} (draw seed {how['draw_seed']}), model "
        f"trained on {how['train_size']:,} images, {how['checkpoint']} checkpoint, run "
        f"{how['run_state']}. {scored_pixels(how).capitalize()}."
        f"{_factors_sentence(report)}"
    )


def _factors_sentence(report: dict[str, Any]) -> str:
    found = report.get("disentanglement")
    if found is None:
        return ""
    how = found["protocol"]
    sizes = ", ".join(f"{name} ({count})" for name, count in found["factors"].items())
    return (
        f" Disentanglement: {how['codes']}; factors {sizes}; predictors fitted on "
        f"{how['fitted_images']:,} training images, scored on "
        f"{how['scored_images']:,}; DCI: {how['dci']}; SAP: {how['sap']}; votes and "
        f"pairs: {how['batches'][0]:,} and {how['batches'][1]:,} batches of "
        f"{how['batch']}; seed {how['seed']}."
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
    if key == "kid":
        return f"{value:.3g} +- {report['kid_subset_sd']:.1g}"
    digits = 2 if abs(value) >= 10 else 4
    shown = f"{value:.{digits}f}"
    # bits per dimension differ in the third decimal
    digits = 2 if error is None or error >= 0.01 else 4
    return shown if error is None else f"{shown} (s.e. {error:.{digits}f})"
