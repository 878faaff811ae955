"""All scores of codes against factors, with their chance levels and protocol."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

import numpy as np

from vae_cli.errors import ConfigError
from vae_cli.evaluation.disentanglement.information import (
    BINS,
    entropies,
    information_gaps,
    modularity,
    mutual_information,
    sampled_information,
)
from vae_cli.evaluation.disentanglement.interventions import (
    ACTIVE_STD,
    BATCH,
    FITTED,
    SCORED,
    active_dimensions,
    beta_vae_score,
    factor_vae_score,
)
from vae_cli.evaluation.disentanglement.predictors import (
    FOREST,
    SVM_C,
    dci,
    predictability,
    sap,
)
from vae_cli.factors import Factor
from vae_cli.randomness import Stream, generator

SAMPLED = 2_500
"""Images whose posteriors make up q(z) in the sampled MIG: time grows as its square."""


class FactorCodes(NamedTuple):
    """Codes of images, and the factors that these were made from.

    Attributes:
        mean: of q(z|x), float32 [N, d].
        log_var: likewise.
        factors: level of each factor, int64 [N, K].
    """

    mean: np.ndarray
    log_var: np.ndarray
    factors: np.ndarray

    def shuffled(self, rng: np.random.Generator) -> "FactorCodes":
        """Return codes that have nothing to do with their images."""
        order = rng.permutation(len(self.mean))
        return FactorCodes(self.mean[order], self.log_var[order], self.factors)


@dataclass(frozen=True)
class Scores:
    """Scores in [0, 1], larger for a better disentangled code; None: not measured.

    Attributes:
        mig: mutual information gap, of posterior means in 20 bins.
        mig_sampled: the same of samples, as it was first defined.
        sap: separated attribute predictability.
        dci_disentanglement: a dimension matters to one factor.
        dci_completeness: a factor depends on one dimension.
        dci_informativeness: accuracy of predicting factors from all dimensions.
        factor_vae_score: the dimension of least variance tells which factor is fixed.
        beta_vae_score: differences of codes tell which factor is shared.
        modularity: a dimension has information of one factor.
    """

    mig: float | None = None
    mig_sampled: float | None = None
    sap: float | None = None
    dci_disentanglement: float | None = None
    dci_completeness: float | None = None
    dci_informativeness: float | None = None
    factor_vae_score: float | None = None
    beta_vae_score: float | None = None
    modularity: float | None = None


@dataclass(frozen=True)
class Disentanglement:
    """How well codes and factors match.

    Attributes:
        scores: of the codes.
        chance: of the same codes, shuffled between images.
        factors: the factors that vary.
        information: I(z_j; v_k) in nats, of means in bins, float64 [d, K].
        entropy: H(v_k) in nats, float64 [K].
        importance: of dimensions to factors, by DCI, float64 [d, K].
        protocol: how it was measured.
    """

    scores: Scores
    chance: Scores
    factors: tuple[Factor, ...]
    information: np.ndarray
    entropy: np.ndarray
    importance: np.ndarray
    protocol: dict[str, Any]

    def to_json(self) -> dict[str, Any]:
        """Return everything but the scores themselves, for a report."""
        gaps = information_gaps(self.information, self.entropy)
        return {
            "chance": asdict(self.chance),
            "factors": {f.name: len(f.values) for f in self.factors},
            "factor_kinds": {f.name: f.kind for f in self.factors},
            "mig_of_factor": dict(
                zip([f.name for f in self.factors], gaps.tolist(), strict=True)
            ),
            "factor_entropy": self.entropy.tolist(),
            "mutual_information": self.information.tolist(),
            "importance": self.importance.tolist(),
            "protocol": self.protocol,
        }


def measure(
    fitted: FactorCodes, scored: FactorCodes, factors: Sequence[Factor], seed: int
) -> Disentanglement:
    """Score codes by every measure, and shuffled codes for comparison.

    Args:
        fitted: codes of images that predictors are fitted on.
        scored: codes of other images.
        factors: what the columns are; a factor with one level in either is left out.
        seed: of all that is drawn and fitted.
    """
    varies = [
        k
        for k in range(len(factors))
        if all(len(np.unique(part.factors[:, k])) > 1 for part in (fitted, scored))
    ]
    if len(varies) < 2:
        raise ConfigError(
            "disentanglement=true needs two factors or more that vary among the images "
            f"it fits on and among those it scores, got {len(varies)}.",
            "choose a larger split, or train on a larger grid",
        )
    factors = tuple(factors[k] for k in varies)
    fitted, scored = (
        part._replace(factors=part.factors[:, varies]) for part in (fitted, scored)
    )
    rng = generator(seed, Stream.FACTORS, 1)
    scores, information, importance = _scores(fitted, scored, factors, seed)
    shuffled = fitted.shuffled(rng), scored.shuffled(rng)
    chance, _, _ = _scores(*shuffled, factors, seed)
    return Disentanglement(
        scores,
        chance,
        factors,
        information,
        entropies(scored.factors),
        importance,
        _protocol(fitted, scored, seed),
    )


def _scores(
    fitted: FactorCodes, scored: FactorCodes, factors: Sequence[Factor], seed: int
) -> tuple[Scores, np.ndarray, np.ndarray]:
    rng = generator(seed, Stream.FACTORS)
    own, other = (fitted.mean, fitted.factors), (scored.mean, scored.factors)
    entropy, information = entropies(scored.factors), mutual_information(*other)
    subset = FactorCodes(*(array[:SAMPLED] for array in scored))
    sampled = sampled_information(subset.mean, subset.log_var, subset.factors, rng)
    predicted = dci(own, other, seed)
    alone = predictability(own, other, [factor.kind for factor in factors], seed)
    scores = Scores(
        mig=float(information_gaps(information, entropy).mean()),
        mig_sampled=float(information_gaps(sampled, entropies(subset.factors)).mean()),
        sap=sap(alone),
        dci_disentanglement=predicted.disentanglement,
        dci_completeness=predicted.completeness,
        dci_informativeness=predicted.informativeness,
        factor_vae_score=factor_vae_score(own, other, rng),
        beta_vae_score=beta_vae_score(own, other, rng),
        modularity=modularity(information, active_dimensions(scored.mean)),
    )
    return scores, information, predicted.importance


def _protocol(fitted: FactorCodes, scored: FactorCodes, seed: int) -> dict[str, Any]:
    return {
        "codes": "posterior means; mig_sampled: one sample per image",
        "mig_sampled_images": min(SAMPLED, len(scored.mean)),
        "fitted_images": len(fitted.mean),
        "scored_images": len(scored.mean),
        "bins": BINS,
        "dci": FOREST,
        "sap": "ordinal factors: R^2; periodic: R^2 by sine and cosine; categorical: "
        f"accuracy of a linear SVM, C={SVM_C}",
        "batches": [FITTED, SCORED],
        "batch": BATCH,
        "active_std": ACTIVE_STD,
        "seed": seed,
    }
