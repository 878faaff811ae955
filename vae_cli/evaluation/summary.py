"""Everything `vae-evaluate` reports about a model and a split."""

import math
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from vae_cli.data.splits import Split
from vae_cli.data_spec import DataSpec
from vae_cli.evaluation.bounds import bits_per_dim, score_images, uniform_bound
from vae_cli.evaluation.clusters import clusters_of
from vae_cli.evaluation.code_use import latent_use
from vae_cli.evaluation.importance import ImportanceResult, importance_sampling
from vae_cli.evaluation.latent import code_source, encode
from vae_cli.evaluation.probes import Probes, probe
from vae_cli.evaluation.reconstruction import score_reconstruction
from vae_cli.models.vae import VAE


@dataclass(frozen=True)
class Evaluation:
    """A split's report and what its figures need.

    Attributes:
        report: what `<split>.json` holds, except `split` and `protocol`.
        neg_elbo: float [N], nats.
        importance: log p(x) of each image, or or None.
        name: `NLL`, or `cross-entropy bound` where pixels aren't a likelihood's.
        kl_to_normal: float [latent_dim], nats: KL of each dimension to N(0, 1).
    """

    report: dict[str, Any]
    neg_elbo: np.ndarray
    importance: ImportanceResult | None
    name: str
    kl_to_normal: np.ndarray

    def arrays(self, split: Split) -> dict[str, np.ndarray]:
        """Return the scores of each image beside the images that they are of."""
        scores = {"images": split.values(), "neg_elbo": self.neg_elbo}
        if split.labels is not None:
            scores["labels"] = split.labels
        if self.importance is not None:
            scores["log_prob"] = self.importance.log_prob
            scores["effective_samples"] = self.importance.effective_samples
        return scores


def evaluate_split(
    vae: VAE,
    spec: DataSpec,
    split: Split,
    train: Split | None,
    seed: int,
    importance_samples: int | None,
    progress: Callable[[float], None],
    **sizes: Any,
) -> Evaluation:
    """Score a split by every measure.

    Args:
        vae: the model.
        spec: whether pixels are binary decides what may be called a likelihood.
        split: images to score.
        train: images that the label probes are fitted on; None leaves them out.
        seed: fixes the posterior noise.
        importance_samples: posterior samples per image; None leaves log p(x) out.
        progress: called with the fraction of importance sampling that is done.
        sizes: batch_size, chunk_size and memory_mb of `importance_sampling`.
    """
    began = time.perf_counter()
    at_a_time = sizes.get("batch_size") or 250
    condition = split.condition
    scores = score_images(vae, split.images, seed, at_a_time, condition)
    neg_elbo = scores.reconstruction.astype(np.float64) + scores.kl
    importance = None
    if importance_samples and vae.is_deterministic:
        importance_samples = 1  # all samples of a point mass are the same
    if importance_samples:
        importance = importance_sampling(
            vae,
            split.images,
            importance_samples,
            seed,
            condition=condition,
            progress=progress,
            **sizes,
        )
    probes = None
    if train is not None and train.labels is not None and split.labels is not None:
        codes, _ = encode(vae, train.images, at_a_time, train.condition)
        probes = probe(codes, train.labels, scores.mean, split.labels)
    report = {
        "num_images": len(split),
        "conditional": bool(vae.num_labels),
        "neg_elbo": float(neg_elbo.mean()),
        "neg_elbo_se": standard_error(neg_elbo),
        "reconstruction_loss": float(scores.reconstruction.mean(dtype=np.float64)),
        "kl_loss": float(scores.kl.mean(dtype=np.float64)),
        **_likelihood(vae, spec, importance, split.mask is None),
        "importance_samples": importance_samples,
        **latent_use(vae, split.images, scores.mean, condition),
        "neg_elbo_uniform": uniform_bound(vae, scores),
        "kl_per_dim": None
        if scores.kl_per_dim is None
        else scores.kl_per_dim.mean(axis=0, dtype=np.float64).tolist(),
        "kl_per_level": None
        if len(vae.level_sizes) == 1
        else scores.kl_per_level.mean(axis=0, dtype=np.float64).tolist(),
        **asdict(score_reconstruction(vae, split.images, at_a_time, condition)),
        **(
            asdict(probes)
            if probes
            else dict.fromkeys(Probes.__dataclass_fields__, None)
        ),
        "probes_of": code_source(vae) if probes else None,
        **asdict(clusters_of(vae, scores.mean, split.labels)),
        "effective_sample_size": None
        if importance is None
        else float(importance.effective_samples.mean()),
        "seconds": round(time.perf_counter() - began, 2),
    }
    to_normal = scores.kl_to_normal.mean(axis=0, dtype=np.float64)
    name = "NLL" if vae.likelihood.is_likelihood(spec) else "cross-entropy bound"
    return Evaluation(report, neg_elbo, importance, name, to_normal)


def standard_error(values: np.ndarray) -> float | None:
    """Return the standard error of a mean over images; None for a single image."""
    if len(values) < 2:
        return None
    return float(values.std(ddof=1) / math.sqrt(len(values)))


def _likelihood(
    vae: VAE, spec: DataSpec, importance: ImportanceResult | None, all_pixels: bool
) -> dict[str, float | None]:
    """Return the estimate of -log p(x), named by what it bounds."""
    names = ("nll", "cross_entropy_bound", "bits_per_dim", "bits_per_dim_bound")
    estimates: dict[str, float | None] = {
        key: None for name in names for key in (name, f"{name}_se")
    }
    if importance is None:
        return estimates
    nll = -importance.log_prob
    bits = bits_per_dim(vae, spec, nll) if all_pixels else {}
    name = "nll" if vae.likelihood.is_likelihood(spec) else "cross_entropy_bound"
    for key, values in {name: nll, **bits}.items():
        estimates[key] = float(values.mean())
        estimates[f"{key}_se"] = standard_error(values)
    return estimates
