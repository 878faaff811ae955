"""The PixelCNN: causal, a distribution, and sampled from as one."""

import itertools

import numpy as np
import pytest
import tensorflow as tf

from vae_cli.models import code_distributions
from vae_cli.models.code_distributions import LearnedCodes
from vae_cli.models.code_prior import pixelcnn
from vae_cli.randomness import seeded


def network(grid=(2, 2), codes=3, labels=0, layers=2):
    with seeded(3):
        net = pixelcnn(grid, codes, 4, layers, labels)
    rng = np.random.default_rng(0)
    for variable in net.variables:
        variable.assign(rng.standard_normal(variable.shape) * 0.5)
    return net


def learned(net, grid=(2, 2), label=None) -> LearnedCodes:
    # a code's vector is its own number
    return LearnedCodes(
        grid,
        net,
        label,
        lambda codes: tf.cast(codes, tf.float32),
        lambda z: tf.cast(tf.round(z), tf.int32),
    )


@pytest.mark.parametrize("grid", [(4, 5), (1, 7), (6, 1)])
def test_logits_depend_on_all_codes_before_a_position_and_on_no_other(grid):
    net, positions = network(grid, 3, layers=6), grid[0] * grid[1]
    rng = np.random.default_rng(1)
    codes = rng.integers(0, 3, (1, *grid)).astype(np.int32)
    before = np.array(net(codes)).reshape(positions, 3)
    changes = np.zeros((positions, positions), bool)
    for i in range(positions):
        other = codes.reshape(1, positions).copy()
        other[0, i] = (other[0, i] + 1) % 3
        after = np.array(net(other.reshape(1, *grid))).reshape(positions, 3)
        changes[i] = np.abs(after - before).max(axis=-1) > 0
    assert not np.tril(changes).any()  # none of itself or of what comes before it
    assert changes[np.triu_indices(positions, 1)].all()


def test_probabilities_of_all_grids_of_codes_add_up_to_one():
    every = np.array(list(itertools.product(range(3), repeat=4)), np.float32)
    log_p = np.array(learned(network()).log_prob(every))
    np.testing.assert_allclose(np.exp(log_p.astype(np.float64)).sum(), 1, atol=1e-5)


def test_samples_have_the_probabilities_of_the_network():
    prior = learned(network())
    every = np.array(list(itertools.product(range(3), repeat=4)), np.float32)
    probabilities = np.exp(np.array(prior.log_prob(every)))
    noise = tf.random.stateless_normal((20_000, 4), [1, 2])
    drawn = np.array(prior.sample(noise)).astype(int)
    numbers = drawn @ [27, 9, 3, 1]
    counts = np.bincount(numbers, minlength=81) / len(numbers)
    np.testing.assert_allclose(counts, probabilities, atol=0.012)


def test_a_low_temperature_draws_the_most_probable_code_each_time():
    prior = learned(network()).tempered(1e-3)
    noise = tf.random.stateless_normal((50, 4), [1, 2])
    assert len(np.unique(prior.sample(noise), axis=0)) == 1


def test_samples_are_the_same_however_many_are_drawn_at_a_time(monkeypatch):
    net = network(labels=2)
    prior = learned(net, label=tf.one_hot([0, 1] * 5, 2))
    noise = tf.random.stateless_normal((10, 4), [1, 2])
    whole = np.array(prior.sample(noise))
    monkeypatch.setattr(code_distributions, "CODES_AT_A_TIME", 3)
    np.testing.assert_array_equal(prior.sample(noise), whole)


def test_a_label_changes_the_distribution():
    net = network(labels=2)
    z = np.zeros((3, 2, 4), np.float32)  # three samples of two images
    log_p = np.array(learned(net, label=tf.eye(2)).log_prob(z))
    assert log_p.shape == (3, 2)
    assert abs(log_p[0, 0] - log_p[0, 1]) > 1e-3
    np.testing.assert_allclose(log_p[0], log_p[2])
