"""Scores by predicting factors from codes: SAP and DCI."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from vae_cli.evaluation.disentanglement.information import top_two_gap

TREES, DEPTH, LEAF = 30, 8, 5
FOREST = (
    f"random forest classifiers of {TREES} trees, at most {DEPTH} deep, leaves of at "
    f"least {LEAF} images, all dimensions at every split"
)
"""The estimator of DCI, which changes its scores."""
SVM_C = 0.01
"""Of the linear support vector machines, as in Locatello et al. 2019."""


def predictability(
    fitted: tuple[np.ndarray, np.ndarray],
    scored: tuple[np.ndarray, np.ndarray],
    kinds: Sequence[str],
    seed: int,
) -> np.ndarray:
    """Return how well one latent dimension alone predicts a factor, [d, K] in [0, 1].

    Ordinal factors: R^2 of a linear fit. Categorical ones: accuracy of a linear
    support vector machine on other images. Periodic ones: R^2 of the fit of the
    dimension by sine and cosine of the factor, which for an ordinal factor would be the
    same number as that of the factor by the dimension.

    Source: Kumar et al., "Variational inference of disentangled latent concepts", 2018,
    section 3; Mardia, "Linear-circular correlation coefficients", 1976, for periodic.

    Args:
        fitted: codes float [M, d] and factors int [M, K] that classifiers are fitted
            on.
        scored: codes and factors of other images.
        kinds: of each factor, as `vae_cli.factors.KINDS`.
        seed: of the support vector machines.
    """
    codes, factors = scored
    columns = []
    for k, kind in enumerate(kinds):
        if kind == "categorical":
            columns.append(_accuracies(fitted, scored, k, seed))
            continue
        levels = factors[:, k].astype(np.float64)
        basis = levels[:, None]
        if kind == "periodic":
            angle = 2 * np.pi * levels / (max(levels.max(), fitted[1][:, k].max()) + 1)
            basis = np.stack([np.cos(angle), np.sin(angle)], axis=1)
        columns.append(_explained(codes, basis))
    return np.stack(columns, axis=1)


def sap(scores: np.ndarray) -> float:
    """Return the SAP of `predictability`: the mean gap between the best two."""
    return float(top_two_gap(scores).mean())


def _explained(codes: np.ndarray, basis: np.ndarray) -> np.ndarray:
    """Return the fraction of each dimension's variance that is linear in a basis, [d].

    Args:
        codes: float [N, d].
        basis: float [N, b].
    """
    centred = codes - codes.mean(axis=0, dtype=np.float64)
    design = basis - basis.mean(axis=0)
    fit = design @ np.linalg.lstsq(design, centred, rcond=None)[0]
    total = (centred**2).sum(axis=0)
    constant = total <= 1e-12 * len(codes)
    return np.where(constant, 0.0, (fit**2).sum(axis=0) / np.where(constant, 1, total))


def _accuracies(
    fitted: tuple[np.ndarray, np.ndarray],
    scored: tuple[np.ndarray, np.ndarray],
    k: int,
    seed: int,
) -> np.ndarray:
    from sklearn.svm import LinearSVC

    found = []
    for own, other in zip(fitted[0].T, scored[0].T, strict=True):
        machine = LinearSVC(
            C=SVM_C, class_weight="balanced", dual=False, random_state=seed
        )
        machine.fit(own[:, None], fitted[1][:, k])
        found.append(machine.score(other[:, None], scored[1][:, k]))
    return np.array(found)


class Dci(NamedTuple):
    """Disentanglement, completeness, informativeness.

    Attributes:
        disentanglement: how much each dimension matters to one factor alone.
        completeness: how much each factor depends on one dimension alone.
        informativeness: accuracy of the predictors on other images, mean over factors.
        importance: of dimension j to factor k, [d, K]; columns add up to 1.
    """

    disentanglement: float
    completeness: float
    informativeness: float
    importance: np.ndarray


def dci(
    fitted: tuple[np.ndarray, np.ndarray],
    scored: tuple[np.ndarray, np.ndarray],
    seed: int,
) -> Dci:
    """Predict each factor from all dimensions; see `FOREST`.

    Source: Eastwood & Williams, "A framework for the quantitative evaluation of
    disentangled representations", 2018, section 2. Levels are classes here, and
    informativeness is an accuracy, as in Locatello et al. 2019, not an error.

    Args:
        fitted: codes float [M, d] and factors int [M, K] that forests are fitted on.
        scored: codes and factors of other images.
        seed: of the forests.
    """
    from sklearn.ensemble import RandomForestClassifier

    importance, accuracy = [], []
    for k in range(fitted[1].shape[1]):
        forest = RandomForestClassifier(
            TREES,
            max_depth=DEPTH,
            min_samples_leaf=LEAF,
            max_features=None,
            random_state=seed,
        )
        forest.fit(fitted[0], fitted[1][:, k])
        importance.append(forest.feature_importances_)
        accuracy.append(forest.score(scored[0], scored[1][:, k]))
    matrix = np.stack(importance, axis=1)
    return Dci(*of_importance(matrix), float(np.mean(accuracy)), matrix)


def of_importance(importance: np.ndarray) -> tuple[float, float]:
    """Return disentanglement and completeness of an importance matrix [d, K].

    D = sum_j w_j (1 - H_K(row j)), C = sum_k w_k (1 - H_d(column k)), with entropies to
    base K and d of rows and columns normalized to sum to 1, weighted by their fractions
    w of the total.
    """
    total = importance.sum()
    if total <= 0:  # no forest has found a split
        return 0.0, 0.0

    def concentration(matrix: np.ndarray) -> float:
        """Return the weighted mean of 1 - entropy of the rows."""
        sums = matrix.sum(axis=1)
        p = matrix / np.where(sums > 0, sums, 1)[:, None]
        entropy = -np.sum(p * np.log(np.where(p > 0, p, 1)), axis=1)
        base = np.log(matrix.shape[1]) if matrix.shape[1] > 1 else 1.0
        return float(np.sum(sums / total * (1 - entropy / base)))

    return concentration(importance), concentration(importance.T)
