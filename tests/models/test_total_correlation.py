"""beta_tc and factor: the KL taken apart, and a discriminator of codes."""

import itertools

import numpy as np
import pytest
import tensorflow as tf
from scipy import stats
from scipy.special import logsumexp

from tests.helpers import grey_images, small_config, small_vae
from vae_cli.models.distributions import Gaussian, Level, StandardNormal, code
from vae_cli.models.objective import TrainingSetup
from vae_cli.models.objective.beta_tc import kl_parts, stratified_log_weights
from vae_cli.models.objective.factor import permuted_codes
from vae_cli.registry import build

SHAPE = (4, 5, 1)
IMAGES = grey_images(6, *SHAPE).astype(np.float32) / 255
NOISE = np.random.default_rng(1).standard_normal((3, 6, 3)).astype(np.float32)
RNG = np.random.default_rng(2)
MEANS = RNG.standard_normal((6, 3)).astype(np.float32)
LOG_VARS = (RNG.standard_normal((6, 3)) - 1).astype(np.float32)


def objective_of(*overrides, num_images=40):
    setup = TrainingSetup(SHAPE, latent_dim=3, num_images=num_images)
    return build(small_config(*overrides).objective, setup)


def levels_of(means, log_vars, noise):
    q = Gaussian(means[None], log_vars[None])
    return [Level(q.sample(noise[None]), q, StandardNormal())]


def by_hand(means, log_vars, noise, num_images):
    """The three parts of each image by loops, in double precision."""
    means, deviations = means.astype(np.float64), np.exp(log_vars.astype(float) / 2)
    z, size = means + deviations * noise, len(means)
    rows = []
    for i in range(size):
        weights = np.full(size, (1 - 1 / num_images) / (size - 1))
        weights[i] = 1 / num_images
        log_q = stats.norm.logpdf(z[i], means, deviations)  # [n, j]
        joint = logsumexp(log_q.sum(axis=1), b=weights)
        marginals = [logsumexp(log_q[:, j], b=weights) for j in range(z.shape[1])]
        rows.append(
            (
                log_q[i].sum() - joint,
                joint - sum(marginals),
                sum(marginals) - stats.norm.logpdf(z[i]).sum(),
            )
        )
    return np.array(rows).T


def test_parts_of_the_kl_are_those_computed_by_loops():
    found = kl_parts(levels_of(MEANS, LOG_VARS, NOISE[0]), 40)
    assert list(found) == [
        "mutual_information",
        "total_correlation",
        "dimension_wise_kl",
    ]
    expected = by_hand(MEANS, LOG_VARS, NOISE[0], 40)
    np.testing.assert_allclose(list(found.values()), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("num_images", [6, 40, 60_000])
def test_parts_add_up_to_the_kl_at_the_sample(num_images):
    ((z, q, p),) = levels = levels_of(MEANS, LOG_VARS, NOISE[0])
    total = sum(kl_parts(levels, num_images).values())
    np.testing.assert_allclose(total, (q.log_prob(z) - p.log_prob(z))[0], atol=1e-4)


def test_weights_have_one_over_n_on_the_diagonal_and_add_up_to_one():
    weights = np.exp(stratified_log_weights(5, 100))
    np.testing.assert_allclose(np.diag(weights), 0.01, rtol=1e-5)
    np.testing.assert_allclose(weights.sum(axis=1), 1, rtol=1e-5)
    # Chen et al.'s own, averaged over which of the other 4 has the odd weight
    published = (3 / 4 + (100 - 4) / (100 * 4)) / 4
    np.testing.assert_allclose(weights[0, 1:], published, rtol=1e-5)


def test_weighted_density_is_unbiased_for_the_aggregate_posterior():
    """Every batch of 3 of 6 images that has an image, and the whole q(z), by hand."""
    z = stats.norm.rvs(MEANS[0], np.exp(LOG_VARS[0] / 2), random_state=0)
    densities = stats.norm.pdf(z, MEANS, np.exp(LOG_VARS / 2)).prod(axis=1)
    weights = np.exp(np.asarray(stratified_log_weights(3, 6))[0])
    estimates = [
        weights @ densities[[0, *others]]
        for others in itertools.combinations(range(1, 6), 2)
    ]
    assert np.mean(estimates) == pytest.approx(densities.mean(), rel=1e-5)
    assert np.std(estimates) > 0


def test_parts_of_a_batch_of_all_images_are_exact():
    weights = np.exp(stratified_log_weights(6, 6))
    np.testing.assert_allclose(weights, 1 / 6, rtol=1e-5)


def test_batch_of_one_image_has_no_total_correlation():
    levels = levels_of(MEANS[:1], LOG_VARS[:1], NOISE[0, :1])
    found = kl_parts(levels, 1000)
    np.testing.assert_allclose(found["total_correlation"], 0, atol=1e-5)
    np.testing.assert_allclose(found["mutual_information"], 0, atol=1e-5)


def test_correlated_codes_have_the_gaussians_total_correlation():
    """q(z) is N(0, [[1, r], [r, 1]]), whose total correlation is -log(1 - r^2) / 2."""
    r, count = 0.9, 3000
    rng = np.random.default_rng(0)
    small = 0.1  # variance of each q(z|x); the means have the rest
    means = rng.multivariate_normal([0, 0], [[1 - small, r], [r, 1 - small]], count)
    log_vars = np.full((count, 2), np.log(small), np.float32)
    noise = rng.standard_normal((count, 2)).astype(np.float32)
    found = kl_parts(levels_of(means.astype(np.float32), log_vars, noise), count)
    exact = -np.log(1 - r**2) / 2
    assert np.mean(found["total_correlation"]) == pytest.approx(exact, abs=0.06)


@pytest.mark.parametrize("weight, extra", [(1.0, 0.0), (6.0, 5.0), (0.0, -1.0)])
def test_penalty_is_what_the_elbo_lacks_of_the_weight(weight, extra):
    vae = small_vae("latent_dim=3", shape=SHAPE)
    objective = objective_of("objective=beta_tc", f"objective.tc_weight={weight}")
    terms = objective(vae, IMAGES, NOISE[:1], 1.0, training=True)
    plain = objective_of()(vae, IMAGES, NOISE[:1], 1.0, training=True)
    np.testing.assert_array_equal(terms.neg_elbo, plain.neg_elbo)
    expected = extra * np.asarray(terms.statistics["total_correlation"])
    np.testing.assert_allclose(terms.extras["penalty"], expected, rtol=1e-6)
    assert set(terms.added) == set(objective.adds)


FACTOR = ("objective=factor", "objective.hidden_units=[8,8]")


def test_permuted_codes_keep_each_dimensions_values_and_not_their_rows():
    z = np.random.default_rng(0).standard_normal((50, 3)).astype(np.float32)
    noise = np.random.default_rng(1).standard_normal((50, 3)).astype(np.float32)
    found = np.asarray(permuted_codes(z, noise))
    np.testing.assert_array_equal(np.sort(found, axis=0), np.sort(z, axis=0))
    rows = [np.argmax(found[:, j, None] == z[:, j], axis=1) for j in range(3)]
    assert (rows[0] != rows[1]).any() and (rows[1] != rows[2]).any()


def test_losses_are_those_of_what_the_discriminator_says():
    vae, objective = small_vae("latent_dim=3", shape=SHAPE), objective_of(*FACTOR)
    terms = objective(vae, IMAGES, NOISE[:2], 1.0, training=True)
    z = code(vae.infer(IMAGES, NOISE[:1]))[0]

    def probability(codes):
        logits = np.asarray(objective.network(codes), np.float64)[:, 0]
        return 1 / (1 + np.exp(-logits))

    real, permuted = probability(z), probability(permuted_codes(z, NOISE[1]))
    correlation = np.log(real) - np.log(1 - real)
    np.testing.assert_allclose(terms.extras["penalty"], 35 * correlation, rtol=1e-3)
    np.testing.assert_allclose(
        terms.statistics["total_correlation"], correlation, rtol=1e-3
    )
    loss = -(np.log(real) + np.log(1 - permuted)) / 2
    np.testing.assert_allclose(terms.own["discriminator_loss"], loss, rtol=1e-4)


def test_discriminators_loss_moves_the_discriminator_alone():
    vae, objective = small_vae("latent_dim=3", shape=SHAPE), objective_of(*FACTOR)
    with tf.GradientTape(persistent=True) as tape:
        terms = objective(vae, IMAGES, NOISE[:2], 1.0, training=True)
        judged = tf.reduce_sum(terms.own["discriminator_loss"])
        penalty = tf.reduce_sum(terms.extras["penalty"])
    assert tape.gradient(judged, vae.trainable_variables) == [None] * len(
        vae.trainable_variables
    )
    assert all(
        np.any(g) for g in tape.gradient(judged, objective.trainable_variables)[:-1]
    )
    encoder = tape.gradient(penalty, vae.encoder.trainable_variables)
    assert all(np.any(g) for g in encoder)
    assert not any(
        g is not None for g in tape.gradient(penalty, vae.decoder.trainable_variables)
    )
