"""Scores of codes against factors: closed forms, and codes that are known to be good.

Perfect codes, shuffled, rotated and duplicated ones, after Locatello et al. 2019.
"""

import itertools

import numpy as np
import pytest
from scipy.linalg import hadamard
from sklearn.metrics import mutual_info_score

from vae_cli.evaluation.disentanglement.information import (
    entropies,
    information_gaps,
    modularity,
    mutual_information,
    sampled_information,
)
from vae_cli.evaluation.disentanglement.interventions import (
    _differences,
    _Sharing,
    active_dimensions,
    beta_vae_score,
    factor_vae_score,
)
from vae_cli.evaluation.disentanglement.predictors import (
    dci,
    of_importance,
    predictability,
    sap,
)
from vae_cli.evaluation.disentanglement.report import FactorCodes, Scores, measure
from vae_cli.factors import Factor

SIZES = (3, 4, 5, 8)
KINDS = ("categorical", "ordinal", "ordinal", "ordinal")
FACTORS = tuple(
    Factor(f"v{k}", tuple(map(float, range(size))), kind)
    for k, (size, kind) in enumerate(zip(SIZES, KINDS, strict=True))
)


def levels(count: int, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return np.stack([rng.integers(size, size=count) for size in SIZES], axis=1)


FIT, TEST = levels(1200, 0), levels(900, 1)


def perfect(v: np.ndarray) -> np.ndarray:
    """A dimension a factor, and two that hardly vary."""
    noise = np.random.default_rng(len(v)).normal(size=(len(v), 6))
    codes = v / (np.array(SIZES) - 1) * 3 - 1.5 + 0.01 * noise[:, :4]
    return np.concatenate([codes, 0.01 * noise[:, 4:]], axis=1)


def rotated(v: np.ndarray) -> np.ndarray:
    turn = hadamard(4) / 2  # every dimension has an equal part of every factor
    codes = perfect(v)
    return np.concatenate([codes[:, :4] @ turn, codes[:, 4:]], axis=1)


def shuffled(v: np.ndarray) -> np.ndarray:
    return perfect(v)[np.random.default_rng(4).permutation(len(v))]


def duplicated(v: np.ndarray) -> np.ndarray:
    """Two dimensions for each factor."""
    codes = perfect(v)[:, :4]
    return np.concatenate([codes, -codes], axis=1)


CODES = (perfect, rotated, shuffled, duplicated)


@pytest.fixture(scope="module")
def scores() -> dict[str, Scores]:
    found = {}
    for code in CODES:
        own, other = (
            FactorCodes(z, np.full(z.shape, -6.0), v)
            for z, v in ((code(FIT), FIT), (code(TEST), TEST))
        )
        found[code.__name__] = measure(own, other, FACTORS, 0).scores
    return found


def test_a_perfect_code_scores_one(scores: dict[str, Scores]) -> None:
    found = scores["perfect"]
    for name in (
        "mig", "dci_disentanglement", "dci_completeness", "dci_informativeness",
        "factor_vae_score", "beta_vae_score", "modularity",
    ):  # fmt: skip
        assert getattr(found, name) > 0.97, name
    # 1 - 1/3, what the others reach for the shape by guessing; R^2 is 1
    assert found.sap > 0.85
    assert found.mig_sampled > 0.95


def test_a_shuffled_code_scores_as_guessing(scores: dict[str, Scores]) -> None:
    found = scores["shuffled"]
    for name in ("mig", "mig_sampled", "sap", "dci_disentanglement"):
        assert getattr(found, name) < 0.05, name
    chance = np.mean([1 / size for size in SIZES])
    assert found.dci_informativeness == pytest.approx(chance, abs=0.03)
    assert found.factor_vae_score == pytest.approx(1 / 4, abs=0.06)
    assert found.beta_vae_score == pytest.approx(1 / 4, abs=0.06)


def test_a_rotated_code_is_informative_but_not_disentangled(
    scores: dict[str, Scores],
) -> None:
    found, best = scores["rotated"], scores["perfect"]
    for name in ("mig", "mig_sampled", "sap", "dci_disentanglement"):
        assert getattr(found, name) < 0.2 * getattr(best, name), name
    for name in ("dci_completeness", "modularity", "factor_vae_score"):
        assert getattr(found, name) < 0.7 * getattr(best, name), name
    assert found.dci_informativeness > 0.7


def test_a_duplicated_code_has_no_gaps_but_stays_modular(
    scores: dict[str, Scores],
) -> None:
    found = scores["duplicated"]
    for name in ("mig", "sap"):
        assert getattr(found, name) < 0.02, name
    assert found.mig_sampled < 0.05
    assert found.modularity > 0.97
    assert found.dci_disentanglement > 0.97
    assert found.dci_completeness < 0.9


def test_scores_are_the_same_for_a_seed_and_whatever_the_order_of_dimensions() -> None:
    order = np.random.default_rng(0).permutation(6)
    first, again, permuted = (
        measure(
            FactorCodes(z(FIT[:400]), np.full((400, 6), -6.0), FIT[:400]),
            FactorCodes(z(TEST[:300]), np.full((300, 6), -6.0), TEST[:300]),
            FACTORS,
            seed=1,
        )
        for z in (rotated, rotated, lambda v: rotated(v)[:, order])
    )
    assert first.scores == again.scores and first.chance == again.chance
    np.testing.assert_allclose(first.information[order], permuted.information)
    for name in ("mig", "sap", "factor_vae_score", "modularity"):
        one, other = (getattr(r.scores, name) for r in (first, permuted))
        assert one == pytest.approx(other, abs=1e-6), name
    assert first.scores.dci_disentanglement == pytest.approx(
        permuted.scores.dci_disentanglement, abs=0.02
    )


def test_a_factor_of_one_level_is_left_out() -> None:
    own, other = FIT.copy(), TEST.copy()
    other[:, 1] = 2
    found = measure(
        *(FactorCodes(perfect(v), np.full((len(v), 6), -6.0), v) for v in (own, other)),
        FACTORS,
        seed=0,
    )
    assert [f.name for f in found.factors] == ["v0", "v2", "v3"]
    assert found.information.shape == (6, 3)
    assert list(found.to_json()["factors"]) == ["v0", "v2", "v3"]


def test_information_is_that_of_scikit_learn_in_bins_of_equal_width() -> None:
    z = np.random.default_rng(0).normal(size=(500, 3))
    v = TEST[:500]
    bins = [np.digitize(column, np.histogram(column, 20)[1][1:-1]) for column in z.T]
    wanted = [[mutual_info_score(b, k) for k in v.T] for b in bins]
    np.testing.assert_allclose(mutual_information(z, v), wanted, atol=1e-12)
    own = [mutual_info_score(k, k) for k in v.T]
    np.testing.assert_allclose(entropies(v), own, atol=1e-12)


def test_information_of_a_constant_dimension_is_zero() -> None:
    z = np.stack([np.ones(900), TEST[:, 0]], axis=1)
    found = mutual_information(z, TEST)
    assert (found[0] == 0).all()
    assert found[1, 0] == pytest.approx(entropies(TEST)[0])


def test_sampled_information_is_the_integral_of_its_definition() -> None:
    """Two levels, z|v ~ N(+-1, 0.5^2 + 0.6^2): images differ by 0.5, posteriors 0.6.

    There are more images than dimensions than factors: a transposed array would show.
    """
    rng, count = np.random.default_rng(0), 4000
    v = rng.integers(2, size=(count, 1))
    mean = np.concatenate(
        [2.0 * v - 1 + 0.5 * rng.normal(size=(count, 1)), rng.normal(size=(count, 2))],
        axis=1,
    )
    log_var = np.full((count, 3), 2 * np.log(0.6))
    found = sampled_information(mean, log_var, v, np.random.default_rng(1))
    z = np.linspace(-6, 6, 4001)
    scale = np.hypot(0.5, 0.6)
    p = np.exp(-0.5 * ((z - np.array([[-1], [1]])) / scale) ** 2)
    p /= scale * np.sqrt(2 * np.pi)
    wanted = 0.5 * np.sum(p * np.log(p / p.mean(0)), axis=0).sum() * (z[1] - z[0])
    assert found[0, 0] == pytest.approx(wanted, abs=0.02)
    np.testing.assert_allclose(found[1:, 0], 0, atol=0.01)


def test_gap_is_between_the_two_most_informative_dimensions() -> None:
    information = np.array([[0.9, 0.1], [0.3, 0.2], [0.5, 0.0]])
    gaps = information_gaps(information, np.array([1.0, 0.4]))
    np.testing.assert_allclose(gaps, [0.4, 0.25])
    alone = information_gaps(information[:1], np.array([1.0, 0.4]))
    np.testing.assert_allclose(alone, [0.9, 0.25])


def test_modularity_is_one_minus_the_squared_deviation_from_the_template() -> None:
    information = np.array([[0.8, 0.1, 0.2], [0.3, 0.3, 0.3], [0.0, 0.5, 0.0]])
    first = 1 - (0.1**2 + 0.2**2) / (0.8**2 * 2)
    active = np.ones(3, bool)
    assert modularity(information, active) == pytest.approx((first + 0 + 1) / 3)
    assert modularity(information, active & False) == 0
    active[1] = False
    assert modularity(information, active) == pytest.approx((first + 1) / 2)


def test_dci_of_importances_is_that_of_entropies() -> None:
    assert of_importance(np.eye(3)) == pytest.approx((1, 1))
    assert of_importance(np.ones((4, 2))) == pytest.approx((0, 0))
    # a dimension for two factors: complete, not disentangled
    merged = np.array([[1.0, 1.0], [0.0, 0.0]])
    assert of_importance(merged) == pytest.approx((0, 1))
    # two dimensions for each factor: disentangled, not complete
    split = np.array([[0.5, 0], [0.5, 0], [0, 0.5], [0, 0.5]])
    assert of_importance(split) == pytest.approx((1, 1 - np.log(2) / np.log(4)))
    # rows weigh as much as they matter: p = (3/4, 1/4) for 0.8 of the sum
    weighted = np.array([[0.6, 0.2], [0.2, 0.0]])
    entropy = -(0.75 * np.log2(0.75) + 0.25 * np.log2(0.25))
    assert of_importance(weighted)[0] == pytest.approx(0.8 * (1 - entropy) + 0.2)
    assert of_importance(np.zeros((3, 2))) == (0, 0)


def test_informativeness_is_measured_on_other_images() -> None:
    rng = np.random.default_rng(0)
    noise = rng.normal(size=(1200, 8)), rng.normal(size=(900, 8))
    found = dci((noise[0], FIT), (noise[1], TEST), 0)
    assert found.informativeness == pytest.approx(
        np.mean([1 / s for s in SIZES]), abs=0.03
    )


def test_ordinal_predictability_is_the_squared_correlation() -> None:
    z = rotated(TEST)
    found = predictability((rotated(FIT), FIT), (z, TEST), KINDS, 0)
    for j, k in itertools.product(range(6), (1, 2, 3)):
        wanted = np.corrcoef(z[:, j], TEST[:, k])[0, 1] ** 2
        assert found[j, k] == pytest.approx(wanted, abs=1e-9)


def test_periodic_predictability_is_the_linear_circular_correlation() -> None:
    """Mardia 1976: (r_xc^2 + r_xs^2 - 2 r_xc r_xs r_cs) / (1 - r_cs^2)."""
    angle = 2 * np.pi * TEST[:, 3] / SIZES[3]
    noise = np.random.default_rng(0).normal(size=900)
    z = np.stack([np.cos(angle - 1), TEST[:, 3] + noise, noise], axis=1)
    kinds = ("ordinal", "ordinal", "ordinal", "periodic")
    found = predictability((z, TEST), (z, TEST), kinds, 0)[:, 3]
    c, s = np.cos(angle), np.sin(angle)
    for j in range(3):
        xc, xs, cs = (
            np.corrcoef(a, b)[0, 1] for a, b in ((z[:, j], c), (z[:, j], s), (c, s))
        )
        wanted = (xc**2 + xs**2 - 2 * xc * xs * cs) / (1 - cs**2)
        assert found[j] == pytest.approx(wanted, abs=1e-9)
    assert found[0] == pytest.approx(1)


def test_sap_is_the_mean_gap_of_the_best_two() -> None:
    assert sap(np.array([[0.9, 0.2], [0.4, 0.7], [0.1, 0.6]])) == pytest.approx(0.3)


def test_predictability_of_a_constant_dimension_is_zero() -> None:
    z = np.ones((900, 2))
    found = predictability((z, TEST), (z, TEST), ("ordinal",) * 4, 0)
    assert (found == 0).all()


def test_batches_share_the_level_of_their_factor_and_nothing_else() -> None:
    sharing, rng = _Sharing(perfect(TEST), TEST), np.random.default_rng(0)
    first = rng.integers(900, size=200)
    rows = sharing.like(first, 2, (200, 64), rng)
    assert (TEST[rows, 2] == TEST[first, 2][:, None]).all()
    for k in (0, 1, 3):
        assert (TEST[rows, k].std(axis=1) > 0).all()
    # every image of a level is as likely as another
    many = sharing.like(np.zeros(1, np.int64), 2, (1, 100_000), rng)[0]
    counts = np.bincount(many, minlength=900)[TEST[:, 2] == TEST[0, 2]]
    assert counts.min() > 0
    assert counts.std() < 2 * np.sqrt(counts.mean())


def test_pairs_differ_by_their_definition() -> None:
    points, fixed = _differences(
        TEST.astype(float), TEST, 300, np.random.default_rng(0)
    )
    shared = points[np.arange(300), fixed]
    assert (shared == 0).all()
    others = points[:, 3][fixed != 3]
    wanted = np.abs(np.subtract.outer(TEST[:, 3], TEST[:, 3])).mean()
    assert others.mean() == pytest.approx(wanted, rel=0.03)


def test_a_dimension_that_hardly_varies_gets_no_vote() -> None:
    """Its variance, divided by itself, would be the least for many batches."""
    rng = np.random.default_rng(0)
    quiet = 1e-3 * (np.arange(900) % 2)[:, None] + 1e-3 * rng.normal(size=(900, 1))
    codes = np.concatenate([perfect(TEST)[:, :4], quiet], axis=1)
    np.testing.assert_array_equal(active_dimensions(codes), [True] * 4 + [False])
    score = factor_vae_score((codes, TEST), (codes, TEST), np.random.default_rng(0))
    assert score > 0.99
    none = codes[:, 4:]
    assert factor_vae_score((none, TEST), (none, TEST), rng) == 0
    assert beta_vae_score((none, TEST), (none, TEST), rng) == 0


def test_factor_vae_score_counts_votes_for_factors_without_a_dimension() -> None:
    """Two of four factors have a dimension: half the votes are right, others guess."""
    codes = [perfect(v)[:, 2:4] for v in (FIT, TEST)]
    score = factor_vae_score(
        (codes[0], FIT), (codes[1], TEST), np.random.default_rng(0)
    )
    assert score == pytest.approx(0.5, abs=0.05)
