"""Quantizers: their values, gradients and moving averages, against NumPy."""

import math

import numpy as np
import pytest
import tensorflow as tf

from vae_cli.config.latent import CategoricalConfig, FsqConfig, VqConfig
from vae_cli.models.code_distributions import (
    Categorical,
    UniformCodes,
    gumbel,
)
from vae_cli.models.distributions import kl_per_dim, normal_cdf
from vae_cli.models.quantizers import (
    CategoricalQuantizer,
    FiniteScalarQuantizer,
    VectorQuantizer,
)

SEED = tf.constant([1, 2], tf.int64)


def add_up(values):
    return values


def kept_in(given: list):
    return lambda values: given.append(values) or values


def always(values):
    return lambda _: values


def quantizer(**options) -> VectorQuantizer:
    return VectorQuantizer(VqConfig(codes=3, code_dim=2, **options), (1, 4))


def test_straight_through_gives_codes_and_the_gradient_of_the_features():
    vq = quantizer()
    features = tf.Variable(tf.random.stateless_normal((1, 5, 4, 2), SEED))
    weights = tf.random.stateless_normal((1, 5, 8), SEED)
    with tf.GradientTape() as tape:
        z = vq.posterior(features, training=True).z
        loss = tf.reduce_sum(weights * z)
    table = vq.table.numpy()
    distances = ((features.numpy()[..., None, :] - table) ** 2).sum(-1)
    expected = table[distances.argmin(-1)].reshape(1, 5, 8)
    np.testing.assert_array_equal(z, expected)
    gradient = tape.gradient(loss, features)
    np.testing.assert_array_equal(gradient, tf.reshape(weights, (1, 5, 4, 2)))


def test_codes_are_moving_averages_of_what_they_stand_for():
    vq = quantizer(decay=0.9, restart_below=0.0)
    rng = np.random.default_rng(0)
    counts, sums = rng.uniform(1, 2, 3), rng.standard_normal((3, 2))
    vq._counts.assign(counts)
    vq._sums.assign(sums)
    vq.table.assign(sums / counts[:, None])
    features = rng.standard_normal((5, 4, 2)).astype(np.float32)
    weight = np.array([1, 1, 0, 1, 1], np.float32)
    codes = np.array(vq.nearest(features).codes)
    batch = {"codes": codes, "features": tf.constant(features)}
    vq.update(batch, tf.constant(weight), 0, 5, add_up, SEED)
    kept = weight[:, None] * np.ones(4)
    for k in range(3):
        own = kept * (codes == k)
        counts[k] = 0.9 * counts[k] + 0.1 * own.sum()
        sums[k] = 0.9 * sums[k] + 0.1 * (own[..., None] * features).sum((0, 1))
    np.testing.assert_allclose(vq._counts, counts, rtol=1e-5)
    np.testing.assert_allclose(vq.table, sums / counts[:, None], rtol=1e-4)


def test_two_replicas_with_half_a_batch_each_learn_what_one_does():
    features = np.random.default_rng(1).standard_normal((6, 4, 2)).astype(np.float32)

    def batch(vq, rows):
        x = tf.constant(features[rows])
        return {"codes": vq.nearest(x).codes, "features": x}

    one = quantizer(restart_below=0.5)
    halves = [quantizer(restart_below=0.5) for _ in range(2)]
    for vq in halves:
        vq.table.assign(one.table)
    for _ in range(3):
        given = []
        for first, vq in zip((0, 3), halves, strict=True):
            part = batch(vq, slice(first, first + 3))
            vq.update(part, None, first, 6, kept_in(given), SEED)
        # again, from before, with the sums of both
        total = [a + b for a, b in zip(*given, strict=True)]
        for vq in halves:
            vq._counts.assign(one._counts)
            vq._sums.assign(one._sums)
            vq.table.assign(one.table)
            vq.update(batch(vq, slice(0, 3)), None, 0, 6, always(total), SEED)
        one.update(batch(one, slice(0, 6)), None, 0, 6, add_up, SEED)
        for vq in halves:
            np.testing.assert_allclose(vq.table, one.table, rtol=1e-5)


def test_the_first_step_puts_every_code_at_another_output():
    vq = quantizer()
    features = np.random.default_rng(2).standard_normal((2, 4, 2)).astype(np.float32)
    batch = {"codes": vq.nearest(features).codes, "features": tf.constant(features)}
    vq.update(batch, None, 0, 2, add_up, SEED)
    table = vq.table.numpy()
    near = np.abs(features.reshape(-1, 1, 2) - table).sum(-1)
    assert (near.min(axis=0) < 1e-5).all()
    assert len(set(near.argmin(axis=0))) == 3


def test_an_unused_code_is_restarted_and_a_used_one_is_not():
    vq = quantizer(restart_below=0.1)
    vq._counts.assign([4.0, 4.0, 0.01])
    vq._sums.assign([[0.0, 0], [4, 4], [1, 1]])
    vq.table.assign([[0.0, 0], [1, 1], [100, 100]])
    features = np.array([[[0, 0.1], [1, 1.1], [0.1, 0], [1.1, 1]]], np.float32)
    batch = {"codes": vq.nearest(features).codes, "features": tf.constant(features)}
    vq.update(batch, None, 0, 1, add_up, SEED)
    table = vq.table.numpy()
    assert np.abs(features[0] - table[2]).sum(-1).min() < 1e-5
    np.testing.assert_allclose(table[:2], [[0, 0], [1, 1]], atol=0.05)


def test_outputs_that_are_not_finite_change_no_code():
    vq = quantizer()
    before = vq.table.numpy()
    features = np.full((1, 4, 2), np.inf, np.float32)
    batch = {"codes": tf.zeros((1, 4), tf.int32), "features": tf.constant(features)}
    vq.update(batch, None, 0, 1, add_up, SEED)
    np.testing.assert_array_equal(vq.table, before)


@pytest.mark.parametrize("levels", [[8, 6, 5], [8, 5, 5, 5], [7, 5, 5, 5, 5], [4, 3]])
def test_fsq_reaches_all_its_codes_and_numbers_them_once(levels):
    fsq = FiniteScalarQuantizer(FsqConfig(levels=levels), (1, 1))
    wide = np.random.default_rng(0).uniform(-4, 4, (200_000, 1, len(levels)))
    found = fsq.nearest(wide.astype(np.float32))
    codes = np.array(found.codes)[:, 0]
    for dim, count in enumerate(levels):
        assert len(np.unique(np.array(found.z)[:, dim].round(4))) == count
    assert codes.min() >= 0
    assert codes.max() < math.prod(levels)
    every = np.arange(math.prod(levels), dtype=np.int32)[:, None]
    z = np.array(fsq.vectors(every))
    assert len(np.unique(z.round(4), axis=0)) == math.prod(levels)
    np.testing.assert_array_equal(fsq.indices(z), every)
    np.testing.assert_allclose(fsq.vectors(found.codes), found.z, atol=1e-6)


def test_fsq_values_are_those_of_the_paper():
    # Mentzer et al. 2023: 8 levels are -4 .. 3 over 4, 5 levels -2 .. 2 over 2
    fsq = FiniteScalarQuantizer(FsqConfig(levels=[8, 5]), (1, 1))
    grid = np.linspace(-9, 9, 4001, dtype=np.float32)
    z = np.array(fsq.nearest(np.stack([grid, grid], -1)[:, None]).z)
    np.testing.assert_allclose(np.unique(z[:, 0]), np.arange(-4, 4) / 4)
    np.testing.assert_allclose(np.unique(z[:, 1]), np.arange(-2, 3) / 2)
    np.testing.assert_array_equal(fsq.nearest(np.zeros((1, 1, 2), np.float32)).z, 0)


def test_fsq_passes_the_gradient_of_its_bound():
    fsq = FiniteScalarQuantizer(FsqConfig(levels=[8, 5]), (1, 1))
    features = tf.Variable([[[[0.3, -0.2]]]])
    with tf.GradientTape(persistent=True) as tape:
        z = fsq.posterior(features, training=True).z
        bounded = fsq._bounded(features) / fsq._half
    np.testing.assert_allclose(
        tape.gradient(z, features), tape.gradient(bounded, features)
    )


def categorical(temperature=None, codes=4, positions=3) -> Categorical:
    config = CategoricalConfig(codes=codes, code_dim=2)
    layer = CategoricalQuantizer(config, (1, positions))
    logits = np.random.default_rng(5).standard_normal((1, 2, positions, codes))
    return Categorical(
        tf.constant(logits, tf.float32),
        temperature,
        tf.convert_to_tensor(layer.table),
        layer.indices,
    )


def test_categorical_kl_is_the_sum_over_codes():
    q = categorical()
    p = UniformCodes(3, 4, lambda codes: codes)
    probabilities = np.array(tf.nn.softmax(q.logits))
    expected = (probabilities * np.log(probabilities * 4)).sum(-1)
    np.testing.assert_allclose(kl_per_dim(q, p), expected, rtol=1e-4, atol=1e-6)


def test_samples_have_the_probabilities_of_q():
    q = categorical(codes=3, positions=1)
    noise = tf.random.stateless_normal((40_000, 2, 3), SEED)
    codes = np.array(q.indices(q.sample(noise)))[..., 0]
    probabilities = np.array(tf.nn.softmax(q.logits))[0, :, 0]
    for image in range(2):
        counts = np.bincount(codes[:, image], minlength=3) / 40_000
        np.testing.assert_allclose(counts, probabilities[image], atol=0.01)
    log_q = q.log_prob(q.sample(noise[:5]))
    expected = np.log(np.take_along_axis(probabilities.T, codes[:5], axis=0))
    np.testing.assert_allclose(log_q, expected, rtol=1e-4)


def test_a_low_temperature_gives_the_codes_themselves():
    noise = tf.random.stateless_normal((50, 2, 12), SEED)
    table = categorical()
    relaxed = Categorical(table.logits, 1e-6, table.table, table.indices)
    codes = Categorical(table.logits, None, table.table, table.indices)
    np.testing.assert_allclose(relaxed.sample(noise), codes.sample(noise), atol=1e-3)


def test_gumbel_noise_is_finite_and_follows_its_distribution():
    noise = np.array([-9, -5, -1, 0, 1, 5, 9], np.float32)
    from scipy.stats import norm

    expected = -np.log(-norm.logcdf(noise.astype(np.float64)))
    np.testing.assert_allclose(gumbel(noise), expected, rtol=1e-4)
    assert np.isfinite(gumbel(np.array([-30, 30], np.float32))).all()
    assert np.array(normal_cdf(np.array([30.0]))).max() < 1


def test_the_temperature_falls_to_its_last_value():
    config = CategoricalConfig(
        codes=2, code_dim=1, temperature=2.0, final_temperature=0.5, temperature_steps=4
    )
    layer = CategoricalQuantizer(config, (1, 1))
    found = []
    for _ in range(7):
        found.append(float(layer.temperature))
        layer.update({}, None, 0, 1, add_up, SEED)
    expected = [2.0 * 0.25 ** (min(step, 4) / 4) for step in range(7)]
    np.testing.assert_allclose(found, expected, rtol=1e-5)
