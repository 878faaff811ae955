"""Detection: thresholds of anomaly scores, and how well they find the anomalies."""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from vae_cli.config.commands import BY_VALIDATION_AUROC
from vae_cli.errors import ConfigError
from vae_cli.evaluation.anomaly import SCORES, detection, rank_correlation

Scores = dict[str, np.ndarray]


@dataclass(frozen=True)
class ScoredImages:
    """Anomaly scores of images.

    Attributes:
        scores: name -> float64 [N], larger is more anomalous.
        mean_intensity: mean pixel of each image, float64 [N].
        anomalous: bool [N], or None where it is unknown.
    """

    scores: Scores
    mean_intensity: np.ndarray
    anomalous: np.ndarray | None

    @property
    def mixed(self) -> bool:
        """Whether there are both normal images and anomalies, by their labels."""
        return _mixed(self.anomalous)

    @property
    def normal(self) -> np.ndarray:
        """Bool [N]: images not labelled as anomalies."""
        if self.anomalous is None:
            return np.ones(len(self.mean_intensity), bool)
        return ~self.anomalous


def check_score(score: str, anomalous: np.ndarray | None) -> None:
    """Refuse to choose a score by labels that don't separate anything.

    Args:
        score: from the config.
        anomalous: which held-out images are anomalies, bool [N], or None if unknown.

    Raises:
        ConfigError: BY_VALIDATION_AUROC, without normal images and anomalies.
    """
    if score == BY_VALIDATION_AUROC and not _mixed(anomalous):
        raise ConfigError(
            f"score={BY_VALIDATION_AUROC} needs validation images that are labelled as "
            "normal and as anomalies, both; there are none.",
            f"fix the score beforehand, one of: {', '.join(SCORES)}",
        )


def _mixed(anomalous: np.ndarray | None) -> bool:
    return anomalous is not None and bool(anomalous.any()) and not anomalous.all()


def detect(
    images: ScoredImages, held_out: ScoredImages, quantile: float, score: str
) -> dict:
    """Set thresholds by normal held-out images, and apply them.

    Args:
        images: to be classified.
        held_out: others, among them normal ones; they set the thresholds.
        quantile: fraction of the normal ones below the threshold.
        score: which one sets the threshold; BY_VALIDATION_AUROC: that of best AUROC
            on `held_out`.

    Returns:
        `score`, `chosen_by`, and under `scores` for each of SCORES its `threshold`,
        fraction of images `flagged`, `correlation_with_mean_intensity` (Spearman's,
        over normal held-out images), `validation_auroc`, and with labels `Detection`.
    """
    own = {name: _own(images, held_out, quantile, name) for name in SCORES}
    chosen_by = "fixed in advance"
    if score == BY_VALIDATION_AUROC:
        score = max(SCORES, key=lambda name: own[name]["validation_auroc"])
        chosen_by = "AUROC on labelled validation anomalies"
    anomalous = images.anomalous if images.mixed else None
    return {
        "score": score,
        "chosen_by": chosen_by,
        "num_anomalous": None if anomalous is None else int(anomalous.sum()),
        "base_rate": None if anomalous is None else float(anomalous.mean()),
        "scores": own,
        "mean_intensity": None
        if anomalous is None
        else asdict(detection(images.mean_intensity, anomalous)),
    }


def _own(
    images: ScoredImages, held_out: ScoredImages, quantile: float, name: str
) -> dict[str, Any]:
    values, others = images.scores[name], held_out.scores[name]
    threshold = float(np.quantile(others[held_out.normal], quantile))
    result: dict[str, Any] = {
        "threshold": threshold,
        "flagged": float((values > threshold).mean()),
        "correlation_with_mean_intensity": rank_correlation(
            others[held_out.normal], held_out.mean_intensity[held_out.normal]
        ),
        "validation_auroc": None,
    }
    if held_out.mixed:
        result["validation_auroc"] = detection(others, ~held_out.normal).auroc
    if images.mixed:
        result |= asdict(detection(values, ~images.normal))
    return result
