from itertools import permutations

import numpy as np
import pytest

from vae_cli.evaluation import set_distances
from vae_cli.evaluation.set_distances import (
    kernel_distance,
    precision_recall,
    squared_mmd,
)


def points(count: int, seed: int = 0, shift: float = 0.0) -> np.ndarray:
    return np.random.default_rng(seed).normal(shift, 1, (count, 4))


def test_squared_mmd_is_its_sums_over_pairs():
    a, b = points(5), points(7, seed=1, shift=0.5)

    def kernel(x, y):
        return (x @ y / 4 + 1) ** 3

    within = [
        np.mean([kernel(s[i], s[j]) for i, j in permutations(range(len(s)), 2)])
        for s in (a, b)
    ]
    across = np.mean([kernel(x, y) for x in a for y in b])
    assert squared_mmd(a, b) == pytest.approx(sum(within) - 2 * across)


def test_kid_of_one_distribution_is_zero_on_average_at_any_size():
    for size in (10, 100):
        found = [
            squared_mmd(points(size, seed), points(size, seed + 1000))
            for seed in range(300)
        ]
        assert abs(np.mean(found)) < 3.5 * np.std(found) / np.sqrt(300)


def test_kid_of_a_set_with_itself_is_near_zero_and_grows_with_the_shift():
    a, how = points(600), {"subsets": 20, "size": 300}
    same = kernel_distance(a, a, **how)
    # below 0, since subsets of one set share features
    assert -0.1 < same.mean < 0
    near, far = (kernel_distance(a, a + shift, **how).mean for shift in (0.5, 1.0))
    assert 0.1 < near < far
    assert kernel_distance(a, a, **how) == same
    assert kernel_distance(a[:1], a) is None


def test_subsets_are_as_large_as_the_smaller_set():
    a, b = points(30), points(50, seed=1)
    # the whole of a, and of b at another order: one value
    assert kernel_distance(a, b[:30], subsets=3).mean == pytest.approx(
        squared_mmd(a, b[:30])
    )


def by_hand(samples: np.ndarray, real: np.ndarray, k: int = 3) -> tuple[float, float]:
    def covered(of, by):
        hits = 0
        for x in of:
            for centre in by:
                others = sorted(np.linalg.norm(by - centre, axis=1))
                hits += np.linalg.norm(x - centre) <= others[k]
                if np.linalg.norm(x - centre) <= others[k]:
                    break
        return hits / len(of)

    return covered(samples, real), covered(real, samples)


@pytest.mark.parametrize("chunk", [2**23, 60])
def test_precision_and_recall_are_those_of_balls_by_hand(chunk, monkeypatch):
    monkeypatch.setattr(set_distances, "CHUNK_VALUES", chunk)
    samples, real = points(20, shift=1.0), points(30, seed=1)
    assert precision_recall(samples, real) == pytest.approx(by_hand(samples, real))


def test_equal_sets_have_precision_and_recall_of_one():
    a = points(50).astype(np.float32)
    assert precision_recall(a, a) == (1, 1)
    repeated = np.repeat(a[:5], 10, axis=0) + 100
    assert precision_recall(repeated, repeated) == (1, 1)


def test_samples_of_one_kind_have_precision_without_recall():
    kinds = np.concatenate([points(50), points(50, seed=1, shift=20)])
    precision, recall = precision_recall(points(80, seed=2), kinds)
    assert precision > 0.8
    assert recall < 0.55
    assert precision_recall(points(3), kinds) is None
