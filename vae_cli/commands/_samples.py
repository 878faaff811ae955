"""What `vae-evaluate samples=...` adds: drawn images, judged and shown."""

import logging
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from vae_cli.data.prepare import fixed_split, some
from vae_cli.data.splits import ImageData, Split
from vae_cli.errors import RunError
from vae_cli.evaluation.classifier import Classifier, train_classifier
from vae_cli.evaluation.samples import SampleQuality, drawn, score_samples
from vae_cli.memory import check_arrays
from vae_cli.runs.files import write_npz
from vae_cli.runs.folder import RunFolder
from vae_cli.runs.reading import read_arrays
from vae_cli.runs.trained import TrainedRun
from vae_cli.visualize.images import to_float
from vae_cli.visualize.plots import plot_rows

SHOWN = 12
"""Samples of a run in the figure."""
MOST_SAMPLES = 2**31
"""Bytes of the samples and real images that are kept of a run."""

log = logging.getLogger(__name__)

_classifiers: dict[str, Classifier] = {}


def sample_report(
    run: TrainedRun, data: ImageData, split: Split, count: int | None, seed: int
) -> dict[str, Any]:
    """Return the figures of `count` drawn images, and keep some; None draws none."""
    if count is None:
        return dict.fromkeys(SampleQuality.__dataclass_fields__, None)
    check_arrays(
        f"{count:,} samples, and as many real images to compare them with",
        (count, *data.spec.image_shape),
        "samples",
        copies=3,
    )
    binary = run.vae.likelihood.is_discrete(data.spec)
    images, labels = drawn(run.vae, count, seed, split, binary)
    train = fixed_split(data, run.config.dataset, "train")
    classifier = None
    if split.labels is not None and train.labels is not None:
        how = f"{data.fingerprint} {run.config.dataset.binarize}"
        classifier = _classifier(train, data.spec.num_classes or 1, how)
    some_train = some(train, count, seed)
    quality = score_samples(images, labels, split, some_train, classifier)
    write_npz(
        shown_file(run.folder),
        {"samples": images[:SHOWN], "real": to_float(split.images[:SHOWN])},
    )
    return {**asdict(quality), "samples_are": "draws" if binary else "means"}


def shown_file(folder: RunFolder) -> Path:
    """Return where a run's first samples are kept for the figure."""
    return folder.evaluation / "samples.npz"


def draw_side_by_side(
    names: list[str], reports: list[dict[str, Any]], path: Path
) -> None:
    """Draw samples of several runs, a row each, below real images."""
    rows: dict[str, np.ndarray] = {}
    for name, report in zip(names, reports, strict=True):
        file = shown_file(RunFolder(Path(name)))
        arrays = read_arrays(file, MOST_SAMPLES)
        if not {"real", "samples"} <= arrays.keys():
            raise RunError(f"{file} holds no samples: delete it and evaluate again.")
        rows.setdefault("real images", arrays["real"])
        label = f"{Path(name).name}\nsharpness {report.get('sharpness') or 0:.2f}"
        if report.get("frechet_distance") is not None:
            label += f"\nFrechet {report['frechet_distance']:.2f}"
        rows[label] = arrays["samples"]
    plot_rows(rows, "samples from the prior", path)


def _classifier(train: Split, num_classes: int, how: str) -> Classifier:
    """Return a classifier of images of a kind, trained when it is first asked for."""
    if how not in _classifiers:
        log.info("training a classifier on %s images", f"{len(train):,}")
        _classifiers[how] = train_classifier(train, num_classes)
    return _classifiers[how]
