"""What `vae-reconstruct` does with images, by task."""

import logging
import math
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np

from vae_cli.commands._drawings import checked_label, choice_of_labels
from vae_cli.config.commands import ReconstructConfig
from vae_cli.config.corruption import CorruptionConfig, MaskConfig
from vae_cli.data.corruption import corrupted, with_missing
from vae_cli.data.pictures import read_pictures
from vae_cli.data.prepare import fixed_split, some
from vae_cli.data.splits import ImageData, Split
from vae_cli.errors import ConfigError, RunError
from vae_cli.evaluation.classifier import train_classifier
from vae_cli.evaluation.latent import decode, encode
from vae_cli.evaluation.paths import interpolate
from vae_cli.evaluation.restoration import (
    Restoration,
    errors,
    mean_filled,
    median_filtered,
    restore,
)
from vae_cli.memory import check_arrays
from vae_cli.runs.data import load_run_data
from vae_cli.runs.files import write_json, write_npz
from vae_cli.runs.trained import TrainedRun
from vae_cli.visualize.files import save_pixels
from vae_cli.visualize.images import grid, to_float
from vae_cli.visualize.plots import plot_rows

TRANSPARENT = {"name": "transparent"}
"""How own images are corrupted that come with holes."""

log = logging.getLogger(__name__)


def split_images(
    config: ReconstructConfig,
    run: TrainedRun,
    data: ImageData,
    name: str,
    corruption: CorruptionConfig,
) -> tuple[Split, dict[str, Any]]:
    """Return images of a split with what the encoder sees, and how they were corrupted.

    Raises:
        ConfigError: a label that the run doesn't know.
    """
    if config.label is not None:
        checked_label(config.label, run)
    _check_completed(run, corruption)
    seed = run.config.dataset.seed
    split = fixed_split(data, run.config.dataset, name)
    split = corrupted(split, corruption, seed)
    return some(split, config.num_images, seed), asdict(corruption)


def own_images(
    config: ReconstructConfig,
    run: TrainedRun,
    images: str,
    corruption: CorruptionConfig,
) -> tuple[Split, dict[str, Any]]:
    """Return images of one's own, likewise; none of the run's own are needed.

    Raises:
        ConfigError: a label that the run doesn't know, or one is needed.
        DataError: images that can't be read, or don't fit.
    """
    if config.label is not None:
        checked_label(config.label, run)
    split, _ = read_pictures(Path(images), run.folder.load_spec())
    split = split.take(slice(config.num_images))
    if run.vae.num_labels:
        if config.label is None:
            raise ConfigError(
                f"images={config.images}: {run.folder} is told labels, and these "
                "images have none.",
                choice_of_labels(run),
            )
        split = replace(split, labels=np.full(len(split), config.label))
    if split.scored is not None:
        if config.corruption is not None:
            raise ConfigError(
                f"corruption={corruption.name} with images={config.images}: these have "
                "missing (transparent) pixels already.",
                "leave corruption= out",
            )
        return with_missing(split), TRANSPARENT
    _check_completed(run, corruption)
    split = corrupted(split, corruption, run.config.dataset.seed)
    return split, asdict(corruption)


def _check_completed(run: TrainedRun, corruption: CorruptionConfig) -> None:
    """Refuse a corruption that doesn't say what a completing model must know."""
    if run.vae.observed_network and not isinstance(corruption, MaskConfig):
        raise ConfigError(
            f"{run.folder} completes images: it needs to know which pixels are "
            f"missing, which corruption={corruption.name} doesn't say.",
            "use one that does, such as corruption=half",
        )


def restore_task(
    config: ReconstructConfig,
    run: TrainedRun,
    data: ImageData | None,
    split: Split,
    how: dict[str, Any],
    output: Path,
) -> list[Path]:
    """Restore images, compare them with clean ones and draw some; returns files."""
    candidates: dict[str, np.ndarray] = {}
    start = None
    if split.scored is not None:
        start = _mean_fill(config, run, data, split)
        if start is not None:
            candidates["mean_fill"] = start
        if isinstance(run.config.corruption, MaskConfig):
            start = None
    elif split.seen is not None:
        candidates["median_filter"] = median_filtered(split.seen[:])
    restoration = restore(
        run.vae,
        split,
        config.label,
        config.samples,
        config.gibbs_steps,
        config.seed,
        config.batch_size,
        start,
    )
    candidates |= restoration.methods
    as_given = how["name"] == "none"
    # nobody knows what is under a transparent pixel, in own images that nothing was
    # done to, or how else a digit would have been written
    comparable = how is not TRANSPARENT and not (
        as_given and (config.images or config.label is not None)
    )
    own_label = "each image's own label" if run.vae.num_labels else None
    report: dict[str, Any] = {
        "run": str(run.folder),
        "images": config.images or config.split,
        "num_images": len(split),
        "corruption": how,
        "decoded_as": config.label if config.label is not None else own_label,
        "effective_samples": restoration.effective_samples,
        "samples": config.samples,
        "gibbs_steps": config.gibbs_steps,
        "seed": config.seed,
        "errors": errors(split, candidates) if comparable else None,
        "accuracy": _accuracy(run, data, split, candidates, restoration, config.label)
        if config.classifier
        else None,
    }
    for line in _lines(report):
        log.info("%s", line)
    few = slice(config.columns)
    rows = {"given" if as_given else "clean": to_float(split.images[few])}
    if split.seen is not None:
        rows["seen"] = to_float(split.seen[few])
        if how is TRANSPARENT:
            del rows["clean"]
    rows |= {name.replace("_", " "): x[few] for name, x in candidates.items()}
    rows |= _drawn(restoration, few)
    title = f"{run.folder.path.resolve().name}: {report['images']}, {how['name']}"
    if report["decoded_as"] is not None:
        title += f", told {report['decoded_as']}"
    plot_rows(rows, title, output)
    written = [output, output.with_suffix(".json")]
    write_json(written[-1], report)
    if config.npz:
        written.append(Path(config.npz))
        write_npz(written[-1], {**_arrays(split), **candidates})
    return written


def _mean_fill(
    config: ReconstructConfig, run: TrainedRun, data: ImageData | None, split: Split
) -> np.ndarray | None:
    """Return images filled from the training mean; None where that can't be had."""
    try:
        data = data or load_run_data(run.folder, run.config, config.dataset.path)
    except RunError as error:
        if config.dataset.path is not None:
            raise
        log.warning("mean_fill is left out, which needs the training images. %s", error)
        return None
    return mean_filled(split, data.spec)


def interpolate_task(
    config: ReconstructConfig,
    run: TrainedRun,
    data: ImageData | None,
    split: Split,
    how: dict[str, Any],
    output: Path,
) -> list[Path]:
    """Draw a path between the codes of two images; at its ends, what was encoded."""
    if max(config.pair) >= len(split):
        raise ConfigError(
            f"pair={config.pair}: there are {len(split)} images, 0 to "
            f"{len(split) - 1}.",
            "choose two of them, such as 'pair=[0,1]'",
        )
    if run.vae.observed_network:
        raise ConfigError(
            "task=interpolate needs a model that draws whole images; "
            f"{run.folder} completes them (conditioning=observed).",
            "use task=restore",
        )
    check_arrays(
        f"a path of {config.columns:,} images",
        (config.columns, math.prod(split.images.shape[1:]) + run.vae.latent_dim),
        "columns",
        copies=3,
    )
    ends = split.take(np.array(config.pair))
    codes, _ = encode(run.vae, ends.images, context=ends.context)
    z = interpolate(codes[0], codes[1], config.columns, "linear")
    context = {}
    if run.vae.num_labels:
        label = config.label if config.label is not None else _one_label(config, ends)
        context["label"] = np.full(len(z), label)
    steps = decode(run.vae, z, context=context)
    shown = (ends.images if ends.seen is None else ends.seen)[:]
    first, second = to_float(shown)[:, None]
    save_pixels(grid(np.concatenate([first, steps, second]), len(z) + 2), output)
    written = [output]
    if config.npz:
        written.append(Path(config.npz))
        write_npz(written[-1], {"images": steps, "z": z, "ends": ends.images[:]})
    return written


def _one_label(config: ReconstructConfig, ends: Split) -> int:
    """Return the label of two images that have the same one."""
    labels = [] if ends.labels is None else ends.labels.tolist()
    if len(set(labels)) != 1:
        raise ConfigError(
            f"pair={config.pair}: these images are of classes {labels}, and this model "
            "draws one class at a time.",
            f"say which, such as label={labels[0] if labels else 0}",
        )
    return labels[0]


def _accuracy(
    run: TrainedRun,
    data: ImageData | None,
    split: Split,
    candidates: dict[str, np.ndarray],
    restoration: Restoration,
    label: int | None,
) -> dict[str, float]:
    """Return how often a classifier of clean images knows the label.

    Of what was decoded as another label, how often it sees that one.
    """
    if (
        data is None
        or split.labels is None
        or data.train.labels is None
        or not data.spec.num_classes
    ):
        raise ConfigError("classifier=true needs images with labels; these have none.")
    log.info("training a classifier on %s images", f"{len(data.train):,}")
    train = fixed_split(data, run.config.dataset, "train")
    classifier = train_classifier(train, data.spec.num_classes)
    images = {"clean": split.images[:], **candidates}
    if split.seen is not None:
        images["seen"] = split.seen[:]
    asked = split.labels if label is None else np.full(len(split), label)
    found = {}
    for name, x in images.items():
        right = asked if name in restoration.methods else split.labels
        found[name] = float((classifier(x)[1] == right).mean())
    return found


def _drawn(restoration: Restoration, few: slice) -> dict[str, np.ndarray]:
    """Return rows of single fills, and how far they are apart."""
    if restoration.draws is None or restoration.spread is None:
        return {}
    rows = {f"draw {k + 1}": x[few] for k, x in enumerate(restoration.draws)}
    # a standard deviation within [0, 1] is at most one half
    rows["spread x 2"] = 2 * restoration.spread[few]
    return rows


def _arrays(split: Split) -> dict[str, np.ndarray]:
    found = {"images": split.images, "seen": split.seen, "mask": split.scored}
    return {name: x[:] for name, x in found.items() if x is not None}


def _lines(report: dict[str, Any]) -> list[str]:
    """Return the errors as a table."""
    table = report["errors"] or {}
    lines = []
    for name, values in table.items():
        parts = [
            f"{key} {value:.4f}" if value is not None else f"{key} -"
            for key, value in values.items()
        ]
        if report["accuracy"] and name in report["accuracy"]:
            parts.append(f"accuracy {report['accuracy'][name]:.4f}")
        lines.append(f"{name:<14}{'  '.join(parts)}")
    if report["effective_samples"] is not None:
        effective = f"{report['effective_samples']:.1f} of {report['samples']}"
        lines.append(f"{effective} samples count in the importance weights (mean)")
    return lines


TASKS = {"restore": restore_task, "interpolate": interpolate_task}
