"""Components of a mixture against labels."""

import itertools

import numpy as np
import pytest
from keras import ops

from vae_cli.evaluation.clusters import compared
from vae_cli.models.distributions import Mixture


def test_accuracy_is_that_of_the_best_one_to_one_assignment() -> None:
    rng = np.random.default_rng(0)
    labels = rng.integers(3, size=200)
    assigned = np.where(rng.random(200) < 0.3, rng.integers(4, size=200), labels)
    best = max(
        np.mean(np.array(classes)[assigned] == labels)
        for classes in itertools.permutations([0, 1, 2, -1])
    )
    assert compared(assigned, labels).cluster_accuracy == pytest.approx(best)


def test_clusters_under_other_numbers_are_perfect() -> None:
    labels = np.arange(60) % 3
    found = compared(np.array([7, 2, 0])[labels], labels)
    assert (found.cluster_accuracy, found.cluster_nmi) == (1, pytest.approx(1))


def test_each_component_counts_for_one_class_and_none_for_two() -> None:
    labels = np.arange(60) % 3
    split = compared(np.arange(60) % 6, labels)  # two components a class
    assert split.cluster_accuracy == pytest.approx(1 / 2)
    # H(class) = log 3 = the information, H(component) = log 6
    assert split.cluster_nmi == pytest.approx(2 * np.log(3) / (np.log(3) + np.log(6)))
    merged = compared(np.zeros(60, int), labels)
    assert merged.cluster_accuracy == pytest.approx(1 / 3)
    assert merged.cluster_nmi == pytest.approx(0)


def test_responsibilities_are_bayes_rule() -> None:
    rng = np.random.default_rng(0)
    mean, log_var = rng.normal(size=(2, 3, 2)).astype("float32")
    weights = np.array([0.5, 0.3, 0.2])
    z = rng.normal(size=(5, 2)).astype("float32")
    mixture = Mixture(*map(ops.convert_to_tensor, (np.log(weights), mean, log_var)))
    density = weights * np.prod(
        np.exp(-0.5 * (z[:, None] - mean) ** 2 / np.exp(log_var))
        / np.sqrt(2 * np.pi * np.exp(log_var)),
        axis=-1,
    )
    found = np.asarray(mixture.exact().responsibilities(z))
    np.testing.assert_allclose(
        found, density / density.sum(axis=1, keepdims=True), rtol=1e-5
    )
    np.testing.assert_allclose(
        np.asarray(mixture.exact().log_prob(z)), np.log(density.sum(axis=1)), rtol=1e-5
    )
