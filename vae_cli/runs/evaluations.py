"""`evaluation/` of a run folder: what was measured, how, and in words."""

import hashlib
from typing import Any

from vae_cli import __version__
from vae_cli.config.commands import EvaluateConfig
from vae_cli.config.schema import TrainConfig
from vae_cli.errors import VaeCliError
from vae_cli.evaluation.probes import MOST_CODES
from vae_cli.runs.files import write_json, write_text
from vae_cli.runs.folder import RunFolder

ROWS = (
    ("neg_elbo", "-ELBO", "nats per image, one posterior sample"),
    ("reconstruction_loss", "reconstruction loss", "nats per image"),
    ("kl_loss", "KL", "nats per image"),
    ("nll", "NLL", "nats per image, by importance sampling"),
    (
        "cross_entropy_bound",
        "cross-entropy bound",
        "nats per image; not a likelihood of such pixels",
    ),
    ("bits_per_dim", "bits per dimension", ""),
    ("effective_sample_size", "effective sample size", "mean over images"),
    (
        "active_units",
        "active units",
        "variance of posterior means above 0.01; a lower level's, at the top's mean",
    ),
    ("mse", "MSE", "mean over pixels, reconstruction from posterior means"),
    ("psnr", "PSNR", "dB"),
    ("ssim", "SSIM", "window 11, sigma 1.5"),
    ("knn_accuracy", "kNN accuracy", "10 neighbours, posterior means"),
    ("linear_accuracy", "linear accuracy", "logistic regression, posterior means"),
)
"""Key, what it is called, and its unit or how it was obtained."""


def protocol(
    folder: RunFolder,
    run: TrainConfig,
    evaluation: EvaluateConfig,
    seed: int,
    train_size: int,
) -> dict[str, Any]:
    """Return what a figure must be quoted with, and what it was computed from.

    Args:
        folder: the run.
        run: its config.
        evaluation: what is measured.
        seed: of the posterior noise.
        train_size: images that the model was trained on.

    Raises:
        RunError: the weights are missing.
    """
    samples = evaluation.importance_samples
    weights = folder.weights(evaluation.checkpoint).read_bytes()
    return {
        "dataset": run.dataset.name,
        "binarization": run.dataset.binarize,
        "train_size": train_size,
        "draw_seed": run.dataset.seed,
        "estimator": "elbo" if samples is None else "importance sampling",
        "importance_samples": samples,
        "noise_seed": seed,
        "num_images": evaluation.num_images,
        "likelihood": run.likelihood.name,
        "checkpoint": evaluation.checkpoint,
        "probe_codes": MOST_CODES,
        "weights_sha256": hashlib.sha256(weights).hexdigest(),
        "vae_cli": __version__,
    }


def saved_report(
    folder: RunFolder, split: str, protocol: dict[str, Any]
) -> dict[str, Any] | None:
    """Return a report that was made by the same protocol from the same weights."""
    try:
        report = folder.read_json(folder.evaluation / f"{split}.json")
    except VaeCliError:
        return None
    return report if report.get("protocol") == protocol else None


def write_report(folder: RunFolder, report: dict[str, Any]) -> None:
    """Write `evaluation/<split>.json` and `.md`."""
    folder.evaluation.mkdir(exist_ok=True)
    split = report["split"]
    write_json(folder.evaluation / f"{split}.json", report)
    write_text(folder.evaluation / f"{split}.md", markdown(folder, report))


def markdown(folder: RunFolder, report: dict[str, Any]) -> str:
    """Return a report for reading."""
    how = report["protocol"]
    lines = [
        f"# {folder.path.resolve().name}: {report['split']}",
        "",
        f"{report['num_images']:,} images of {how['dataset']}, binarization "
        f"{how['binarization']} (draw seed {how['draw_seed']}), model trained on "
        f"{how['train_size']:,} images, {how['checkpoint']} checkpoint.",
        "",
        "| measure | value | |",
        "| --- | --- | --- |",
    ]
    for key, name, unit in ROWS:
        if report.get(key) is not None:
            if key in ("nll", "cross_entropy_bound"):
                unit += f", {report['importance_samples']:,} samples"
            lines.append(f"| {name} | {with_error(report, key)} | {unit} |")
    lines += ["", f"![figure]({report['split']}.png)", ""]
    return "\n".join(lines)


def one_line(report: dict[str, Any]) -> str:
    """Return the figures that matter most."""
    parts = [f"{report['split']} -ELBO {with_error(report, 'neg_elbo')}"]
    for key, name in (("nll", "NLL"), ("cross_entropy_bound", "cross-entropy bound")):
        if report[key] is not None:
            samples = f"{report['importance_samples']:,} samples"
            parts.append(f"{name} {with_error(report, key)} with {samples}")
    return "; ".join(parts) + " (nats per image)"


def with_error(report: dict[str, Any], key: str) -> str:
    """Return a value, with its standard error where there is one."""
    value, error = report[key], report.get(f"{key}_se")
    if isinstance(value, int):
        return str(value)
    digits = 2 if abs(value) >= 10 else 4
    shown = f"{value:.{digits}f}"
    return shown if error is None else f"{shown} (s.e. {error:.2f})"
