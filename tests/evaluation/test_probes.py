import numpy as np
import pytest

from vae_cli.evaluation import probes
from vae_cli.evaluation.probes import Probes, probe

CENTRES = np.array([[0, 0, 9], [9, 0, 0], [0, 9, 0], [-9, -9, 0]], np.float32)


def clusters(count: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Codes of four classes that lie far apart."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 4, count)
    noise = rng.standard_normal((count, 3)).astype(np.float32)
    return CENTRES[labels] + noise, labels


def test_separable_classes_are_all_found():
    assert probe(*clusters(200), *clusters(100, seed=1)) == Probes(1.0, 1.0)


def test_names_of_the_classes_do_not_matter():
    names = np.array([7, -1, 30, 2])
    (codes, labels), (others, held_out) = clusters(200), clusters(100, seed=1)
    found = probe(codes, names[labels], others, names[held_out])
    assert found == Probes(1.0, 1.0)


def test_scale_of_a_dimension_does_not_hide_it_from_the_linear_probe():
    scale = np.array([1e-3, 1e3, 1.0], np.float32)
    (codes, labels), (others, held_out) = clusters(200), clusters(100, seed=1)
    found = probe(scale * codes, labels, scale * others, held_out)
    assert found.linear_accuracy == 1.0


def test_random_labels_are_found_by_chance():
    rng = np.random.default_rng(0)
    train, held_out = rng.standard_normal((2, 1000, 5)).astype(np.float32)
    labels = rng.integers(0, 4, (2, 1000))
    found = probe(train, labels[0], held_out, labels[1])
    deviation = (0.25 * 0.75 / 1000) ** 0.5
    assert found.knn_accuracy == pytest.approx(0.25, abs=4 * deviation)
    assert found.linear_accuracy == pytest.approx(0.25, abs=4 * deviation)


def test_ring_around_a_disc_is_found_by_neighbours_and_not_by_a_line():
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 2, 600)
    angles = rng.uniform(0, 2 * np.pi, 600)
    radius = np.where(labels, 5, 1)[:, None]
    codes = radius * np.stack([np.cos(angles), np.sin(angles)], 1).astype(np.float32)
    found = probe(codes[:400], labels[:400], codes[400:], labels[400:])
    assert found.knn_accuracy == 1.0
    assert found.linear_accuracy < 0.7


@pytest.mark.parametrize("others, share", [([3, 3, 3, 3], 1.0), ([3, 1, 1, 3], 0.5)])
def test_one_class_is_always_the_answer(others, share):
    codes, _ = clusters(20)
    found = probe(codes, np.full(20, 3), codes[:4], np.array(others))
    assert found == Probes(share, share)


def test_majority_of_ten_neighbours_decides():
    train = np.zeros((30, 1), np.float32)
    train[:10] = np.linspace(0, 0.9, 10)[:, None]
    train[10:] = np.linspace(100, 120, 20)[:, None]
    labels = np.array([1] * 6 + [0] * 4 + [0] * 20)
    found = probe(train, labels, np.array([[0.5]], np.float32), np.array([1]))
    assert found.knn_accuracy == 1.0


def test_fewer_codes_than_neighbours_are_enough():
    codes, labels = CENTRES[:2], np.array([0, 1])
    found = probe(codes, labels, codes, labels)
    assert found.linear_accuracy == 1.0
    assert 0 <= found.knn_accuracy <= 1


def test_class_that_training_has_not_seen_is_missed():
    codes, labels = clusters(200)
    seen = labels < 3
    found = probe(codes[seen], labels[seen], codes, labels)
    assert found == Probes(seen.mean(), seen.mean())


def test_codes_sorted_by_label_are_probed_in_all_classes(monkeypatch):
    monkeypatch.setattr(probes, "MAX_CODES", 100)
    codes, labels = clusters(400)
    order = np.argsort(labels, kind="stable")
    found = probe(codes[order], labels[order], *clusters(100, seed=1))
    assert found == Probes(1.0, 1.0)
