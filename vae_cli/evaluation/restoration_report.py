"""Images of a run corrupted, restored by it, and compared with clean ones."""

import logging
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np

from vae_cli.config.corruption import CorruptionConfig, MaskConfig, NoCorruptionConfig
from vae_cli.data.corruption import corrupted, with_missing
from vae_cli.data.pictures import read_pictures
from vae_cli.data.prepare import pick_split
from vae_cli.data.splits import Split
from vae_cli.errors import ConfigError, RunError
from vae_cli.evaluation.classifier import train_classifier
from vae_cli.evaluation.restoration import (
    Restoration,
    errors,
    mean_filled,
    median_filtered,
    restore,
)
from vae_cli.runs.opened import OpenRun
from vae_cli.visualize.images import to_float

TRANSPARENT = {"name": "transparent"}
"""How own images are corrupted that come with transparent pixels."""

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Corrupted:
    """Images to restore.

    Attributes:
        split: the images, with what the encoder gets of them.
        source: the split's name, or the path of own images.
        how: options of the corruption, its name among them.
        own: whether they are the user's own.
    """

    split: Split
    source: str
    how: dict[str, Any]
    own: bool


@dataclass(frozen=True)
class RestorationReport:
    """What came back, and how close it is to the clean images.

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
    corrupted: Corrupted
    candidates: dict[str, np.ndarray]
    restoration: Restoration

    def to_json(self) -> dict[str, Any]:
        """Return what the .json file holds."""
        arrays = ("corrupted", "candidates", "restoration")
        return {
            f.name: getattr(self, f.name) for f in fields(self) if f.name not in arrays
        }

    def arrays(self) -> dict[str, np.ndarray]:
        """Return the images, clean to restored, by name."""
        split = self.corrupted.split
        found = {"images": split.images, "seen": split.seen, "mask": split.scored}
        own = {name: x[:] for name, x in found.items() if x is not None}
        return {**own, **self.candidates}

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
            lines.append(f"{name:<14}{'  '.join(parts)}")
        if self.effective_samples is not None:
            effective = f"{self.effective_samples:.1f} of {self.posterior_samples}"
            lines.append(f"effective sample size {effective} (mean over images)")
        return lines

    def rows(self, columns: int) -> dict[str, np.ndarray]:
        """Return the rows of a figure, `columns` images each."""
        split, few = self.corrupted.split, slice(columns)
        as_given = self.corrupted.how["name"] == "none"
        rows = {"given" if as_given else "clean": to_float(split.images[few])}
        if split.seen is not None:
            rows["seen"] = to_float(split.seen[few])
            if self.corrupted.how is TRANSPARENT:
                del rows["clean"]
        rows |= {name.replace("_", " "): x[few] for name, x in self.candidates.items()}
        draws, spread = self.restoration.draws, self.restoration.spread
        if draws is not None and spread is not None:
            rows |= {f"draw {k + 1}": x[few] for k, x in enumerate(draws)}
            # a standard deviation within [0, 1] is at most one half
            rows["spread x 2"] = 2 * spread[few]
        return rows


def corrupt_images(
    run: OpenRun,
    images: str | None = None,
    split: str | None = None,
    corruption: CorruptionConfig | None = None,
    num_images: int | None = None,
    label: int | None = None,
) -> Corrupted:
    """Return images with what the encoder gets of them.

    Args:
        run: the run.
        images: path of own images, in place of a split.
        split: None: test, or else validation.
        corruption: None: what the run was trained with; for own images none.
        num_images: at most this many.
        label: class to decode as.

    Raises:
        ConfigError: a label that the run doesn't know, or one is needed.
        DataError: images that can't be read, or don't fit.
    """
    if label is not None:
        run.check_label(label)
    given = corruption
    if corruption is None:
        corruption = NoCorruptionConfig() if images else run.config.corruption
    if isinstance(corruption, MaskConfig):
        # here it says which pixels are missing
        corruption = replace(corruption, loss_on="observed")
    if images is None:
        _check_masked(run, corruption)
        name = run.split_name(split)
        chosen = run.split(name, corruption=corruption, num_images=num_images)
        return Corrupted(chosen, name, asdict(corruption), own=False)
    own = _own_images(run, images, num_images, label)
    if own.scored is not None:
        if given is not None:
            raise ConfigError(
                f"corruption={corruption.name} with images={images}: these have "
                "missing (transparent) pixels already.",
                "leave corruption= out",
            )
        return Corrupted(with_missing(own), images, TRANSPARENT, own=True)
    _check_masked(run, corruption)
    own = corrupted(own, corruption, run.config.dataset.seed)
    return Corrupted(own, images, asdict(corruption), own=True)


def report_restoration(
    run: OpenRun,
    images: Corrupted,
    label: int | None = None,
    posterior_samples: int = 50,
    gibbs_steps: int = 50,
    classifier: bool = False,
    seed: int = 0,
    batch_size: int = 100,
) -> RestorationReport:
    """Restore images and compare them with clean ones.

    Args:
        run: the run.
        images: of `corrupt_images`.
        label: class to decode as; None: each image's own.
        posterior_samples: per image, where pixels are missing.
        gibbs_steps: missing pixels: steps of pseudo-Gibbs sampling.
        classifier: whether to train a classifier of clean images and apply it.
        seed: of the posterior noise.
        batch_size: images at a time.
    """
    split, vae = images.split, run.vae
    candidates: dict[str, np.ndarray] = {}
    start = None
    if split.scored is not None:
        start = _mean_fill(run, split)
        if start is not None:
            candidates["mean_fill"] = start
        if run.config.corruption.masks:
            start = None
    elif split.seen is not None:
        candidates["median_filter"] = median_filtered(split.seen[:])
    restoration = restore(
        vae, split, label, posterior_samples, gibbs_steps, seed, batch_size, start
    )
    candidates |= restoration.methods
    # nobody knows what is under a transparent pixel, in own images that nothing was
    # done to, or how else a digit would have been written
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
        decoded_as=label if label is not None else own_label,
        effective_samples=restoration.effective_samples,
        posterior_samples=posterior_samples,
        gibbs_steps=gibbs_steps,
        seed=seed,
        errors=errors(split, candidates) if comparable else None,
        accuracy=_accuracy(run, split, candidates, restoration, label)
        if classifier
        else None,
        corrupted=images,
        candidates=candidates,
        restoration=restoration,
    )


def _own_images(
    run: OpenRun, images: str, num_images: int | None, label: int | None
) -> Split:
    split, _ = read_pictures(Path(images), run.spec)
    split = split.take(slice(num_images))
    if not run.config.conditioning.on_labels:
        return split
    if label is None:
        raise ConfigError(
            f"images={images}: {run.folder} is conditioned on labels, and these images "
            "have none.",
            run.label_choice(),
        )
    return replace(split, labels=np.full(len(split), label))


def _check_masked(run: OpenRun, corruption: CorruptionConfig) -> None:
    """Refuse a corruption that doesn't say what an inpainting model must know."""
    if run.config.conditioning.on_observed and not corruption.masks:
        raise ConfigError(
            f"{run.folder} inpaints: it needs to know which pixels are missing, which "
            f"corruption={corruption.name} doesn't say.",
            "use one that does, such as corruption=half",
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

    Of what was decoded as another label, how often it finds that one.
    """
    data = run.data
    num_classes = data.spec.num_classes
    if split.labels is None or data.train.labels is None or not num_classes:
        raise ConfigError("classifier=true needs images with labels; these have none.")
    log.info("training a classifier on %s images", f"{len(data.train):,}")
    train = pick_split(data, run.config.dataset, "train")
    classifier = train_classifier(train, num_classes)
    images = {"clean": split.images[:], **candidates}
    if split.seen is not None:
        images["seen"] = split.seen[:]
    asked = split.labels if label is None else np.full(len(split), label)
    found = {}
    for name, x in images.items():
        right = asked if name in restoration.methods else split.labels
        found[name] = float((classifier(x)[1] == right).mean())
    return found
