"""Anomaly scores of images by a run, their thresholds, and how well they detect."""

import logging
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from vae_cli.config.commands import AnomalyConfig
from vae_cli.data.corruption import corrupt_split
from vae_cli.data.given_files import source_name
from vae_cli.data.prepare import chosen_index
from vae_cli.data.splits import Split
from vae_cli.data_spec import class_numbers
from vae_cli.errors import ConfigError
from vae_cli.evaluation.anomaly import (
    SCORES,
    anomaly_scores,
    code_statistics,
    mean_intensity,
)
from vae_cli.evaluation.detection import ScoredImages, check_score, detect
from vae_cli.runs.opened import ImagesLike, OpenRun
from vae_cli.text import printable

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class AnomalyReport:
    """Scores of images, thresholds and how well they detect; larger is more anomalous.

    Attributes:
        run: the run folder.
        images: the split, or the path of the images.
        num_images: how many.
        normal_classes: those that count as normal, or None.
        classes: number of classes of the data set, or None.
        threshold_from: which images set the thresholds.
        posterior_samples: per image.
        seed: of the posterior noise.
        likelihood: of the run.
        score: the score that counts.
        chosen_by: how it was chosen.
        num_anomalous: anomalies among the images, or None where that is unknown.
        base_rate: their fraction.
        scores: name -> threshold, fraction flagged, AUROC ...
        mean_intensity: AUROC ... of the mean pixel alone, to compare with.
        split: the images.
        names: a name for each.
        scored_images: scores of each image, float64 [N] by name.
    """

    run: str
    images: str
    num_images: int
    normal_classes: list[int | str] | None
    classes: int | list[str] | None
    threshold_from: str
    posterior_samples: int
    seed: int
    likelihood: str
    score: str
    chosen_by: str
    num_anomalous: int | None
    base_rate: float | None
    scores: dict[str, dict[str, Any]]
    mean_intensity: dict[str, float] | None
    split: Split
    names: list[str]
    scored_images: ScoredImages

    def to_json(self) -> dict[str, Any]:
        """Return what the .json file holds."""
        arrays = ("split", "names", "scored_images")
        return {
            f.name: getattr(self, f.name) for f in fields(self) if f.name not in arrays
        }

    def rows(self) -> list[list[Any]]:
        """Return the .csv file: a header and a row for each image."""
        rows: list[list[Any]] = [
            ["image", "label", "anomalous", "flagged", *SCORES, "mean_intensity"]
        ]
        threshold = self.scores[self.score]["threshold"]
        flagged = self.scored_images.scores[self.score] > threshold
        labels, anomalous = self.split.label_names, self.scored_images.anomalous
        for i, name in enumerate(self.names):
            values = [
                *(self.scored_images.scores[s][i] for s in SCORES),
                self.scored_images.mean_intensity[i],
            ]
            rows.append(
                [
                    name,
                    "" if labels is None else labels[i],
                    "" if anomalous is None else int(anomalous[i]),
                    int(flagged[i]),
                    *(f"{value:.6g}" for value in values),
                ]
            )
        return rows

    def lines(self) -> list[str]:
        """Return the figures as a table for the console, with remarks."""
        lines = []
        for name, values in self.scores.items():
            parts = [f"{name:<22}threshold {values['threshold']:8.2f}"]
            parts.append(f"flagged {values['flagged']:6.1%}")
            if "auroc" in values:
                parts.append(f"AUROC {values['auroc']:.3f}  AUPR {values['aupr']:.3f}")
                parts.append(f"FPR at 95 % recall {values['fpr_at_95_recall']:.3f}")
            parts.append(f"<- score= ({self.chosen_by})" if name == self.score else "")
            lines.append("  ".join(parts).rstrip())
        if self.num_anomalous is None:
            lines.append(
                "these images have no labels of anomalies, so there is no AUROC; "
                "'normal=[...]' says which classes are normal"
            )
        if self.mean_intensity:
            baseline = self.mean_intensity["auroc"]
            lines.append(
                f"{self.base_rate:.1%} of the images are anomalies, which is the "
                f"baseline of AUPR; baseline, mean pixel: AUROC {baseline:.3f}"
            )
            if self.scores[self.score]["auroc"] < 0.6:
                lines.append(
                    "a likelihood ranks simple images as normal, such as the digit 1: "
                    "compare the scores with the mean pixel"
                )
        return lines


def report_anomalies(
    run: OpenRun, images: ImagesLike | None, config: AnomalyConfig
) -> AnomalyReport:
    """Score images, and set thresholds by normal held-out images.

    Args:
        run: the run.
        images: own images, in place of a split.
        config: how.

    Raises:
        ConfigError: labels are needed and missing, or would give anomalies away.
    """
    split, normal, score, seed = config.split, config.normal, config.score, config.seed
    samples, quantile = config.posterior_samples, config.quantile
    _check_labels(run)
    whole = run.data_of_all_classes
    if images is None:
        split = run.split_name(split, all_classes=True)
    chosen, names = _images(run, images, str(split), config)
    if normal and chosen.labels is None:
        raise ConfigError(
            f"normal=[{', '.join(normal)}] needs the label of each image; these have "
            "none.",
            "leave normal= out: the scores need no labels",
        )
    requested, normal = normal, normal or run.config.dataset.classes
    held_out = "validation" if len(whole.validation) else "train"
    others = run.split(held_out, all_classes=True)
    if requested and others.labels is None:
        raise ConfigError(
            f"normal=[{', '.join(requested)}]: normal {held_out} images set the "
            "threshold, and these have no labels.",
            "leave normal= out, which takes all of them as normal",
        )
    normal_labels = None
    if normal is not None and others.labels is not None:
        having = np.unique(others.labels).tolist()
        normal_labels = class_numbers(normal, having, others.class_names, "normal")
    anomalous = _anomalous(others, normal_labels)
    check_score(score, anomalous)
    vae = run.vae
    statistics = code_statistics(vae, run.split("train"))

    def scored(split: Split) -> ScoredImages:
        scores = anomaly_scores(
            vae, split, statistics, samples, seed, config.batch_size
        )
        return ScoredImages(
            scores, mean_intensity(split.images), _anomalous(split, normal_labels)
        )

    scored_images = scored(chosen)
    if split == held_out and images is None:
        log.warning(
            "the threshold comes from these %s images themselves, so the fraction that "
            "is flagged means nothing; score others: images=<folder or file>",
            held_out,
        )
    return AnomalyReport(
        run=str(run.folder),
        images=str(split) if images is None else source_name(images),
        num_images=len(chosen),
        normal_classes=None
        if normal_labels is None
        else [whole.spec.class_of(label) for label in normal_labels],
        classes=whole.spec.num_classes
        if whole.spec.class_names is None
        else list(whole.spec.class_names),
        threshold_from=f"{quantile:g} quantile of normal {held_out} images",
        posterior_samples=samples,
        seed=seed,
        likelihood=run.config.likelihood.name,
        **detect(scored_images, scored(others), quantile, score),
        split=chosen,
        names=names,
        scored_images=scored_images,
    )


def _images(
    run: OpenRun, images: ImagesLike | None, split: str, config: AnomalyConfig
) -> tuple[Split, list[str]]:
    """Return images to score, and a name for each."""
    num_images = config.num_images
    if images is None:
        whole = run.split(split, all_classes=True)
        index = chosen_index(len(whole), num_images, run.config.dataset.seed)
        chosen = whole.take(index)
        if chosen.names is not None:
            return chosen, [printable(name) for name in chosen.names]
        return chosen, [f"{split}[{i}]" for i in index]
    own, names = run.images(images, config.label)
    if own.mask is not None:
        raise ConfigError(
            f"images={source_name(images)} has transparent pixels; a score of fewer "
            "pixels compares with no threshold.",
            "fill them in first: vae-reconstruct",
        )
    # as those that set the threshold
    own = corrupt_split(own, run.config.corruption, run.config.dataset.seed)
    return own.take(slice(num_images)), names[:num_images]


def _check_labels(run: OpenRun) -> None:
    """Refuse at once what would fail, or mislead, after the computation."""
    if not run.config.conditioning.on_labels:
        return
    if run.config.dataset.classes is not None:
        raise ConfigError(
            f"{run.folder} is conditioned on labels (conditioning=label), but was not "
            "trained on those of the anomalies: they would give themselves away.",
            "use a run with conditioning=none",
        )


def _anomalous(split: Split, normal: list[int] | None) -> np.ndarray | None:
    """Return which images are of no normal class, bool [N]; None if that is unknown."""
    if normal is None or split.labels is None:
        return None
    return ~np.isin(split.labels, normal)
