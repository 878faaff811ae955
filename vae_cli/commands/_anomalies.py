"""What `vae-anomaly` finds in one run."""

import csv
import io
import logging
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from vae_cli.commands._names import suffix
from vae_cli.config.commands import AnomalyConfig
from vae_cli.data.corruption import corrupted
from vae_cli.data.pictures import own_name, read_pictures
from vae_cli.data.prepare import chosen_index
from vae_cli.data.splits import ImageData, Split
from vae_cli.errors import ConfigError
from vae_cli.evaluation.anomaly import (
    SCORES,
    anomaly_scores,
    code_cloud,
    ink,
    surprise,
)
from vae_cli.evaluation.judgement import Scored, check_score, judged
from vae_cli.evaluation.latent import reconstruct
from vae_cli.runs.data import load_run_data, scored_split, split_name, unfiltered
from vae_cli.runs.files import write_json, write_text
from vae_cli.runs.folder import RunFolder
from vae_cli.runs.trained import TrainedRun, load_trained
from vae_cli.visualize.anomaly_plots import plot_detection
from vae_cli.visualize.images import to_float
from vae_cli.visualize.plots import plot_rows

COMPUTED = (
    "normal", "score", "samples", "quantile", "num_images", "seed", "checkpoint",
)  # fmt: skip
"""Keys that change what is found: names of files say those that aren't the defaults."""

log = logging.getLogger(__name__)


def found_in_run(
    config: AnomalyConfig, folder: RunFolder
) -> tuple[dict[str, Any], list[Path]]:
    """Score images, set a threshold, hold both against labels, write and draw.

    Returns:
        what the .json holds, and the files written.
    """
    run = load_trained(folder, config.checkpoint)
    _check_labels(config, run)
    data = load_run_data(folder, run.config, config.dataset.path)
    whole = unfiltered(data, run.config)
    if not config.images:
        config = replace(config, split=split_name(whole, config.split))
    split, names = _images(config, run, whole)
    if config.normal and split.labels is None:
        raise ConfigError(
            f"normal={config.normal} needs the label of each image; these have none.",
            "leave normal= out: the scores need no labels",
        )
    normal = config.normal or run.config.dataset.classes
    held_out = "validation" if len(whole.validation) else "train"
    others = scored_split(whole, run.config, held_out)
    known = _anomalous(others, normal)
    if config.normal and known is None:
        raise ConfigError(
            f"normal={config.normal}: the threshold is that of normal {held_out} "
            "images, and these have no labels.",
            "leave normal= out, which takes all of them for normal",
        )
    if known is not None and others.labels is not None:
        having = np.unique(others.labels).tolist()
        missing = sorted(set(normal or []) - set(having))
        if missing:
            raise ConfigError(
                f"normal={normal}: no {held_out} image is of class "
                f"{', '.join(map(str, missing))}.",
                f"the {held_out} images have classes {having}",
            )
    check_score(config.score, known)
    cloud = code_cloud(run.vae, scored_split(data, run.config, "train"))

    def scored(split: Split) -> Scored:
        found = anomaly_scores(
            run.vae, split, cloud, config.samples, config.seed, config.batch_size
        )
        return Scored(found, ink(split.images), _anomalous(split, normal))

    images = scored(split)
    report = {
        "run": str(folder),
        "images": config.images or config.split,
        "num_images": len(split),
        "normal_classes": normal,
        "classes": whole.spec.num_classes,
        "threshold_from": f"{config.quantile:g} quantile of normal {held_out} images",
        "samples": config.samples,
        "seed": config.seed,
        "likelihood": run.config.likelihood.name,
        **judged(images, scored(others), config.quantile, config.score),
    }
    if config.split == held_out and not config.images:
        log.warning(
            "the threshold comes from these %s images themselves, so the share that is "
            "flagged says nothing; score others: images=<folder or file>",
            held_out,
        )
    for line in _lines(report):
        log.info("%s", line)
    output = Path(config.output or folder.path / "anomaly")
    output.mkdir(parents=True, exist_ok=True)
    stem = own_name(config.images) if config.images else str(config.split)
    stem += suffix("anomaly", config, COMPUTED)
    files = [output / f"{stem}{end}" for end in (".json", ".csv", ".png")]
    write_json(files[0], report)
    write_text(files[1], _table(split, names, images, report))
    plot_detection(images.scores, images.anomalous, report, files[2])
    files.append(output / f"{stem}-images.png")
    _draw_extremes(config, run, split, images, report["score"], files[3])
    return report, files


def table_name(config: AnomalyConfig) -> str:
    """Return the name of several runs' table, without .md and .csv."""
    images = own_name(config.images) if config.images else config.split
    start = f"anomaly-{images}" if images else "anomaly"
    return start + suffix("anomaly", config, COMPUTED)


def _images(
    config: AnomalyConfig, run: TrainedRun, data: ImageData
) -> tuple[Split, list[str]]:
    """Return images to score, and a name for each."""
    if config.images:
        split, names = read_pictures(Path(config.images), data.spec)
        if split.scored is not None:
            raise ConfigError(
                f"images={config.images} has transparent pixels; a score of fewer "
                "pixels compares with no threshold.",
                "fill them in first: vae-reconstruct",
            )
        # as those that set the threshold
        dataset = run.config.dataset
        split = corrupted(split, run.config.corruption, dataset.seed)
        return split.take(slice(config.num_images)), names[: config.num_images]
    split = scored_split(data, run.config, str(config.split))
    index = chosen_index(len(split), config.num_images, run.config.dataset.seed)
    return split.take(index), [f"{config.split}[{i}]" for i in index]


def _check_labels(config: AnomalyConfig, run: TrainedRun) -> None:
    """Refuse what would only fail, or mislead, once all is scored."""
    if not run.vae.num_labels:
        return
    if config.images:
        raise ConfigError(
            f"images={config.images}: {run.folder} is told the label of each image, "
            "and these have none.",
            "use a run with conditioning=none",
        )
    if run.config.dataset.classes is not None:
        raise ConfigError(
            f"{run.folder} is told labels (conditioning=label), but was never told "
            "those of the anomalies: they would give themselves away.",
            "use a run with conditioning=none",
        )


def _anomalous(split: Split, normal: list[int] | None) -> np.ndarray | None:
    """Return which images are of no normal class, bool [N]; None if nobody knows."""
    if normal is None or split.labels is None:
        return None
    return ~np.isin(split.labels, normal)


def _table(
    split: Split, names: list[str], images: Scored, report: dict[str, Any]
) -> str:
    """Return a row an image, as CSV."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["image", "label", "anomalous", "flagged", *SCORES, "ink"])
    chosen = report["score"]
    flagged = images.scores[chosen] > report["scores"][chosen]["threshold"]
    for i, name in enumerate(names):
        label = "" if split.labels is None else split.labels[i]
        known = "" if images.anomalous is None else int(images.anomalous[i])
        values = [f"{images.scores[score][i]:.6g}" for score in SCORES]
        writer.writerow(
            [name, label, known, int(flagged[i]), *values, f"{images.ink[i]:.6g}"]
        )
    return text.getvalue()


def _draw_extremes(
    config: AnomalyConfig,
    run: TrainedRun,
    split: Split,
    images: Scored,
    score: str,
    path: Path,
) -> None:
    """Draw the most and the least anomalous images, and where they surprise."""
    order = np.argsort(-images.scores[score])
    rows: dict[str, np.ndarray] = {}
    for name, index in (
        ("most", order[: config.columns]),
        ("least", order[::-1][: config.columns]),
    ):
        chosen = split.take(index)
        nats = surprise(run.vae, chosen)
        # each on its own scale: a flat image's few nats would not be seen beside
        # those of the others
        low, high = (f(nats, axis=(1, 2, 3), keepdims=True) for f in (np.min, np.max))
        rows[f"{name} anomalous"] = to_float(chosen.images[:])
        rows[f"restored ({name})"] = reconstruct(
            run.vae, chosen.images, context=chosen.context
        )
        rows[f"nats a pixel ({name})\neach on its own scale"] = (
            nats - low
        ) / np.maximum(high - low, 1e-6)
    plot_rows(rows, f"{run.folder.path.resolve().name}: by {score}", path)


def _lines(report: dict[str, Any]) -> list[str]:
    """Return the figures as a table, and what to know of them."""
    lines = []
    for name, values in report["scores"].items():
        parts = [f"{name:<16}threshold {values['threshold']:8.2f}"]
        parts.append(f"flagged {values['flagged']:6.1%}")
        if "auroc" in values:
            parts.append(f"AUROC {values['auroc']:.3f}  AUPR {values['aupr']:.3f}")
            parts.append(f"FPR at 95 % recall {values['fpr_at_95_recall']:.3f}")
        by = report["chosen_by"]
        parts.append(f"<- score= ({by})" if name == report["score"] else "")
        lines.append("  ".join(parts).rstrip())
    if report["num_anomalous"] is None:
        lines.append(
            "none of these images is known to be an anomaly, so how well the scores "
            "find them is not known; 'normal=[...]' says which classes are normal"
        )
    if report["ink"]:
        lines.append(
            f"{report['base_rate']:.1%} of the images are anomalies, which is AUPR's "
            f"floor; their ink alone has AUROC {report['ink']['auroc']:.3f}"
        )
        if report["scores"][report["score"]]["auroc"] < 0.6:
            lines.append(
                "a likelihood ranks simple images as normal, such as the digit 1: "
                "compare the scores with that of the ink"
            )
    return lines
