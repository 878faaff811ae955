"""`evaluation/` of a run folder: the figures, their protocol, and a page to read."""

import hashlib
import itertools
import logging
import os
from dataclasses import asdict
from pathlib import Path
from typing import Any

from vae_cli import __version__
from vae_cli.config.evaluate import EvaluateConfig
from vae_cli.config.generate import CodesConfig
from vae_cli.config.train import TrainConfig
from vae_cli.data.splits import ImageData
from vae_cli.errors import ConfigError, VaeCliError
from vae_cli.evaluation.probes import MAX_CODES
from vae_cli.runs.files import check_finite, write_json, write_text
from vae_cli.runs.folder import RunFolder
from vae_cli.runs.measures import (
    ROWS,
    measures,
    protocol_sentence,
    scored_pixels,
    with_error,
)
from vae_cli.runs.reading import check_number
from vae_cli.runs.report import markdown_table, writing
from vae_cli.text import printable

log = logging.getLogger(__name__)


def protocol(
    folder: RunFolder,
    run: TrainConfig,
    evaluation: EvaluateConfig,
    seed: int,
    data: ImageData,
) -> dict[str, Any]:
    """Return how figures are measured, and what they are computed from.

    Args:
        folder: the run.
        run: its config.
        evaluation: what is measured.
        seed: of the posterior noise.
        data: the run's images.

    Raises:
        RunError: the weights are missing.
    """
    samples = evaluation.importance_samples
    status = folder.status()
    return {
        "dataset": run.dataset.name,
        "binarization": run.dataset.binarize,
        "dequantization": run.dataset.dequantize,
        "train_size": len(data.train),
        "draw_seed": run.dataset.seed,
        "estimator": "elbo" if samples is None else "importance sampling",
        "importance_samples": samples,
        "noise_seed": seed,
        "generated_images": evaluation.generated_images,
        "num_images": evaluation.num_images,
        "disentanglement": evaluation.disentanglement,
        **_of_sections(evaluation),
        "likelihood": run.likelihood.name,
        "corruption": run.corruption.name,
        "corruption_options": asdict(run.corruption),
        "conditioning": run.conditioning.name,
        "classes": run.dataset.classes,
        "pixels": run.corruption.likelihood_pixels,
        "checkpoint": evaluation.checkpoint,
        "probe_codes": MAX_CODES,
        "run_state": f"{status['state']}, {status['epoch']} of {run.epochs} epochs",
        "labels_sha256": _labels_digest(data),
        "images_sha256": _images_digest(data, evaluation.split or "test"),
        "weights_sha256": weights_digest(folder, evaluation.checkpoint),
        "vae_cli": __version__,
    }


def _of_sections(evaluation: EvaluateConfig) -> dict[str, Any]:
    """Return how samples, annealing and refinement are done; None where they aren't."""
    drawn = evaluation.generated_images is not None
    network = evaluation.feature_network
    return {
        "samples_from": _source_of_samples(evaluation.prior) if drawn else None,
        "feature_network_sha256": file_digest(network) if network else None,
        "feature_range": evaluation.feature_range if network else None,
        "ais": asdict(evaluation.ais) if evaluation.ais.images else None,
        "gap": asdict(evaluation.gap) if evaluation.gap.images else None,
    }


def _source_of_samples(prior: CodesConfig) -> str:
    if not prior.is_fitted:
        return "the model's prior"
    return f"a fitted mixture of {prior.components} Gaussians"


def file_digest(file: str) -> str:
    """Return the SHA-256 of a feature network's file.

    Raises:
        ConfigError: it can't be read.
    """
    try:
        return hashlib.sha256(Path(file).read_bytes()).hexdigest()
    except OSError as error:
        raise ConfigError(
            f"feature_network={file} can't be read: {error.strerror}.",
            "name a Keras model's file, .keras or .h5",
        ) from error


def weights_digest(folder: RunFolder, checkpoint: str) -> str:
    """Return the SHA-256 of a checkpoint's weights.

    Raises:
        RunError: they are missing.
    """
    return hashlib.sha256(folder.weights(checkpoint).read_bytes()).hexdigest()


def _labels_digest(data: ImageData) -> str | None:
    digest = hashlib.sha256()
    for split in (data.train, data.validation, data.test):
        if split:
            if split.labels is None:
                return None
            digest.update(split.labels.tobytes())
    return digest.hexdigest()


def _images_digest(data: ImageData, split: str) -> str | None:
    """Return the digest of the file's images that a split was taken from."""
    whole = "x_test_sha256" if split == "test" else "x_train_sha256"
    return data.fingerprint.get(whole)


def saved_report(
    folder: RunFolder, split: str, protocol: dict[str, Any]
) -> dict[str, Any] | None:
    """Return a report that was made by the same protocol from the same weights."""
    files = [folder.evaluation / f"{split}.json"]
    for file in files + sorted(folder.evaluation.glob(f"earlier/*/{split}.json")):
        if _is_of(folder, file, protocol):
            return folder.read_json(file)
    return None


def _is_of(folder: RunFolder, file: Path, protocol: dict[str, Any]) -> bool:
    """Return whether a file is a report by this protocol, with figures in it."""
    try:
        report = folder.read_json(file)
        for key, *_ in ROWS:
            check_number(report.get(key), key)
            check_number(report.get(f"{key}_se"), key)
    except (VaeCliError, ValueError):
        return False
    return report.get("protocol") == protocol


def _put_aside(folder: RunFolder, split: str) -> None:
    """Move a split's report to the first free `evaluation/earlier/<number>/`."""
    for number in itertools.count(1):
        earlier = folder.evaluation / "earlier" / str(number)
        if not earlier.exists():
            break
    earlier.mkdir(parents=True)
    for old in folder.evaluation.glob(f"{split}[.-]*"):
        old.replace(earlier / old.name)


def check_writable(folder: RunFolder, config: TrainConfig, checkpoint: str) -> None:
    """Check that weights are there and results can be written, before computing any.

    Raises:
        RunError: nothing can be written there, or there are no weights.
    """
    folder.weights(checkpoint)
    status = folder.status()
    if status["state"] != "finished":
        epochs = f"{status['epoch']} of {config.epochs} epochs"
        log.warning("%s is %s after %s", folder, status["state"], epochs)
    probe = folder.evaluation / f".probe.{os.getpid()}"
    with writing(
        folder.evaluation,
        "make the run's folder writable, or copy it to a place that is",
    ):
        folder.evaluation.mkdir(exist_ok=True)
        probe.touch()
        probe.unlink()
        if not any(folder.evaluation.iterdir()):
            folder.evaluation.rmdir()


def check_factors(folder: RunFolder, config: TrainConfig) -> None:
    """Check that a run has real codes, and images whose factors are known.

    Raises:
        ConfigError: its codes are discrete, or there are not several factors.
    """
    if config.latent.is_discrete:
        raise ConfigError(
            "disentanglement=true compares factors with real dimensions of z; "
            f"{folder} has discrete codes (latent={config.latent.name}).",
            "evaluate a run of latent=continuous",
        )
    factors = config.dataset.factors
    if len(factors) > 1:
        return
    having = f"one, {factors[0].name}" if factors else "none"
    raise ConfigError(
        "disentanglement=true needs images with several known factors; dataset="
        f"{config.dataset.name} of {folder} has {having}.",
        "train on a set that has them: dataset=factors or dataset=xy_squares",
    )


def write_report(folder: RunFolder, report: dict[str, Any], form: str = "png") -> None:
    """Write `evaluation/<split>.json` and `.md`.

    `form` is the figure's format. An earlier report by another protocol moves to
    `evaluation/earlier/<number>/`.
    """
    check_finite(folder.evaluation, report)
    folder.evaluation.mkdir(exist_ok=True)
    split = report["split"]
    file = folder.evaluation / f"{split}.json"
    if file.exists() and not _is_of(folder, file, report["protocol"]):
        _put_aside(folder, split)
    write_json(folder.evaluation / f"{split}.json", report)
    write_text(folder.evaluation / f"{split}.md", markdown(folder, report, form))


def markdown(folder: RunFolder, report: dict[str, Any], form: str = "png") -> str:
    """Return a report for reading."""
    lines = [
        f"# {printable(folder.path.resolve().name)}: {report['split']}",
        "",
        protocol_sentence(report),
        "",
    ]
    rows = measures(report)
    lines += [*markdown_table(["measure", "value", ""], rows), ""]
    return "\n".join([*lines, f"![figure]({report['split']}.{form})", ""])


def one_line(report: dict[str, Any]) -> str:
    """Return the figures that matter most."""
    parts = [f"{report['split']} neg. ELBO {with_error(report, 'neg_elbo')}"]
    for key, name in (("nll", "NLL"), ("cross_entropy_bound", "cross-entropy bound")):
        if report[key] is not None:
            samples = f"{report['importance_samples']:,} samples"
            parts.append(f"{name} {with_error(report, key)} with {samples}")
    for key, name in (("bits_per_dim", ""), ("bits_per_dim_bound", "at most ")):
        if report.get(key) is not None:
            parts.append(f"{name}{with_error(report, key)} bits per dimension")
    line = f"{'; '.join(parts)} (nats per image; {scored_pixels(report['protocol'])})"
    drawn = [
        f"{name} {report[key]:{form}}"
        for key, name, form in (
            ("sharpness", "sharpness", ".2f"),
            ("frechet_distance", "Frechet distance", ".2f"),
            ("label_agreement", "label agreement", ".1%"),
            ("class_spread", "class spread", ".3f"),
        )
        if report.get(key) is not None
    ]
    if not drawn:
        return line
    return f"{line}; samples ({report['samples_are']}): {', '.join(drawn)}"
