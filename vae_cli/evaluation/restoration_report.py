"""Images of a run corrupted, restored by it, and compared with clean ones."""

import logging
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from vae_cli.config.commands import ReconstructConfig
from vae_cli.data.prepare import pick_split
from vae_cli.data.splits import Split
from vae_cli.errors import ConfigError, RunError
from vae_cli.evaluation.classifier import train_classifier
from vae_cli.evaluation.corrupted_images import TRANSPARENT, CorruptedImages
from vae_cli.evaluation.names import method_name
from vae_cli.evaluation.restoration import Restoration, restore
from vae_cli.evaluation.restoration_errors import errors, mean_filled, median_filtered
from vae_cli.runs.opened import OpenRun

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class RestorationReport:
    """Restored images, and how close they are to the clean ones.

    Attributes:
        images: the split, or the path of the images.
        corruption: its options.
        decoded_as: the class that was decoded, or None.
        effective_samples: effective sample size of the importance weights, or None.
        errors: method -> MSE, PSNR, SSIM; None where the clean images are unknown.
        accuracy: method -> accuracy of a classifier of clean images, or None.
        corrupted: the images.
        candidates: method -> float32 [N, H, W, C] in [0, 1].
        restoration: of the model, with draws and spread.
    """

    run: str
    images: str
    num_images: int
    corruption: dict[str, Any]
    decoded_as: int | str | None
    effective_samples: float | None
    posterior_samples: int
    gibbs_steps: int
    seed: int
    errors: dict[str, dict[str, float | None]] | None
    accuracy: dict[str, float] | None
    corrupted: CorruptedImages
    candidates: dict[str, np.ndarray]
    restoration: Restoration

    def to_json(self) -> dict[str, Any]:
        """Return what the .json file holds."""
        arrays = ("corrupted", "candidates", "restoration")
        return {
            f.name: getattr(self, f.name) for f in fields(self) if f.name not in arrays
        }

    def arrays(self) -> dict[str, np.ndarray]:
        """Return the images, clean to restored, by name, in the data's own range."""
        split = self.corrupted.split
        given = {"images": split.images[:]}
        if split.corrupted is not None:
            given["corrupted"] = split.corrupted[:]
        arrays = {
            name: split.pixels.from_model(images)
            for name, images in {**given, **self.candidates}.items()
        }
        return arrays if split.mask is None else {**arrays, "mask": split.mask[:]}

    def lines(self) -> list[str]:
        """Return the errors as a table for the console."""
        lines = []
        for name, values in (self.errors or {}).items():
            parts = [
                f"{key} {value:.4f}" if value is not None else f"{key} -"
                for key, value in values.items()
            ]
            if self.accuracy and name in self.accuracy:
                parts.append(f"accuracy {self.accuracy[name]:.4f}")
            shown = method_name(name, self.corrupted.how["name"])
            lines.append(f"{shown:<16}{'  '.join(parts)}")
        if self.effective_samples is not None:
            effective = f"{self.effective_samples:.1f} of {self.posterior_samples}"
            lines.append(f"effective sample size {effective} (mean over images)")
        return lines

    def rows(self, columns: int) -> dict[str, np.ndarray]:
        """Return the rows of a figure, `columns` images each."""
        split, few = self.corrupted.split, slice(columns)
        uncorrupted = self.corrupted.how["name"] == "none"
        rows = {"images" if uncorrupted else "clean": split.pictures(few)}
        if split.corrupted is not None:
            rows["corrupted"] = split.pictures(few, "corrupted")
            if self.corrupted.how is TRANSPARENT:
                del rows["clean"]
        shown = split.pixels.shown
        rows |= {
            method_name(name, self.corrupted.how["name"]): shown(x[few])
            for name, x in self.candidates.items()
        }
        draws, spread = self.restoration.draws, self.restoration.spread
        if draws is not None and spread is not None:
            rows |= {f"draw {k + 1}": x[few] for k, x in enumerate(draws)}
            # a standard deviation within [0, 1] is at most one half
            rows["spread x 2"] = 2 * spread[few]
        return rows


def report_restoration(
    run: OpenRun, images: CorruptedImages, config: ReconstructConfig
) -> RestorationReport:
    """Restore images and compare them with clean ones.

    Args:
        run: the run.
        images: of `corrupt_images`.
        config: how.
    """
    label = None if config.label is None else run.labels.number(config.label)
    split, vae = images.split, run.vae
    candidates: dict[str, np.ndarray] = {}
    start = None
    if split.mask is not None:
        start = _mean_fill(run, split)
        if start is not None:
            candidates["mean_fill"] = start
        if run.config.corruption.masks:
            start = None
    elif split.corrupted is not None:
        candidates["median_filter"] = median_filtered(split.corrupted[:])
    restoration = restore(
        vae,
        split,
        label,
        config.posterior_samples,
        config.gibbs_steps,
        config.seed,
        config.batch_size,
        start,
    )
    candidates |= restoration.methods
    # there is no clean image of transparent pixels, of own images that were not
    # corrupted, or of a digit written as another class
    changed = images.how["name"] != "none"
    comparable = images.how is not TRANSPARENT and (
        changed or not (images.own or label is not None)
    )
    own_label = "each image's own label" if vae.num_labels else None
    return RestorationReport(
        run=str(run.folder),
        images=images.source,
        num_images=len(split),
        corruption=images.how,
        decoded_as=run.spec.class_of(label) if label is not None else own_label,
        effective_samples=restoration.effective_samples,
        posterior_samples=config.posterior_samples,
        gibbs_steps=config.gibbs_steps,
        seed=config.seed,
        errors=errors(split, candidates) if comparable else None,
        accuracy=_accuracy(run, split, candidates, restoration, label)
        if config.classifier
        else None,
        corrupted=images,
        candidates=candidates,
        restoration=restoration,
    )


def _mean_fill(run: OpenRun, split: Split) -> np.ndarray | None:
    """Return images filled from the training mean; None where that can't be had."""
    try:
        spec = run.data.spec
    except RunError as error:
        if run.data_path is not None:
            raise
        log.warning("mean_fill is left out, which needs the training images. %s", error)
        return None
    return mean_filled(split, spec)


def _accuracy(
    run: OpenRun,
    split: Split,
    candidates: dict[str, np.ndarray],
    restoration: Restoration,
    label: int | None,
) -> dict[str, float]:
    """Return the accuracy of a classifier that is trained on clean images.

    For images decoded as another label, that label counts as right.
    """
    data = run.data
    num_classes = data.spec.num_classes
    if split.labels is None or data.train.labels is None or not num_classes:
        raise ConfigError("classifier=true needs images with labels; these have none.")
    log.info("training a classifier on %s images", f"{len(data.train):,}")
    train = pick_split(data, run.config.dataset, "train")
    classifier = train_classifier(train, num_classes)
    images = {"clean": split.images[:], **candidates}
    if split.corrupted is not None:
        images["corrupted"] = split.corrupted[:]
    requested = split.labels if label is None else np.full(len(split), label)
    accuracy = {}
    for name, x in images.items():
        right = requested if name in restoration.methods else split.labels
        accuracy[name] = float((classifier(x)[1] == right).mean())
    return accuracy
