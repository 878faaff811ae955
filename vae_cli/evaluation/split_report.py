"""Everything that is measured of a run on a split, in one report."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from vae_cli.config.evaluate import EvaluateConfig
from vae_cli.data.splits import Split
from vae_cli.evaluation.disentanglement.of_run import disentanglement_of
from vae_cli.evaluation.disentanglement.report import Disentanglement, Scores
from vae_cli.evaluation.likelihood_report import report_likelihood
from vae_cli.evaluation.sample_report import report_samples
from vae_cli.evaluation.samples import SampleQuality
from vae_cli.evaluation.summary import Evaluation, evaluate_split
from vae_cli.runs.evaluations import check_factors
from vae_cli.runs.opened import OpenRun


@dataclass(frozen=True)
class SplitReport:
    """A split evaluated; every key of the JSON file is an attribute.

    Attributes:
        split_name: which split.
        split: its images, as they were evaluated.
        evaluation: the figures, and the scores of each image.
        likelihood: what annealing and refined posteriors say of log p(x).
        quality: of drawn images.
        samples: drawn images, float32 [S, H, W, C], or None.
        disentanglement: codes against factors, or None.
    """

    split_name: str
    split: Split
    evaluation: Evaluation
    likelihood: dict[str, Any]
    quality: SampleQuality
    samples: np.ndarray | None
    disentanglement: Disentanglement | None = None

    def to_json(self) -> dict[str, Any]:
        """Return what `<split>.json` holds, except `protocol`."""
        found = self.disentanglement
        return {
            "split": self.split_name,
            **self.evaluation.report,
            **self.likelihood,
            **asdict(self.quality),
            **asdict(Scores() if found is None else found.scores),
            "disentanglement": None if found is None else found.to_json(),
        }

    def __getattr__(self, name: str) -> Any:
        """Return a figure by the name that it has in the JSON."""
        values = {} if name.startswith("_") else self.to_json()
        if name in values:
            return values[name]
        raise AttributeError(f"a report has no {name}; it has {', '.join(values)}")


def report_split(
    run: OpenRun, name: str, config: EvaluateConfig, progress: Callable[[float], None]
) -> SplitReport:
    """Evaluate a split by every measure.

    Args:
        run: the run.
        name: of the split.
        config: how, with a seed.
        progress: called with the fraction of each long computation that is done.
    """
    if config.disentanglement:
        check_factors(run.folder, run.config)
    vae, seed = run.vae, config.seed or 0
    split = run.split(name, num_images=config.num_images)
    train = run.split("train") if name != "train" else None
    evaluation = evaluate_split(
        vae,
        run.data.spec,
        split,
        train,
        seed,
        config.importance_samples,
        progress,
        batch_size=config.batch_size,
        chunk_size=config.chunk_size,
        memory_mb=config.memory_mb,
    )
    likelihood = report_likelihood(vae, split, config, evaluation.importance, progress)
    quality, samples = SampleQuality(sharpness=None), None
    if config.generated_images is not None:
        quality, samples = report_samples(
            run, split, config.generated_images, seed, config
        )
    factors = disentanglement_of(run, name, seed) if config.disentanglement else None
    return SplitReport(name, split, evaluation, likelihood, quality, samples, factors)
