from dataclasses import replace

import numpy as np
import pytest
import tensorflow as tf
from scipy import stats
from scipy.integrate import quad

from vae_cli.models.distributions import (
    Distribution,
    Gaussian,
    Level,
    Mixture,
    StandardNormal,
    code,
    detached,
    kl_divergence,
    kl_per_dim,
    log_ratio,
)

RNG = np.random.default_rng(0)
MEAN = np.array([[0.0, 1.5, -2.0], [0.3, 0.0, 4.0]], np.float32)
LOG_VAR = np.array([[0.0, -1.0, 1.2], [-4.0, 0.5, 0.0]], np.float32)
COMPONENTS = np.array([[-2.0, 0.5], [1.0, 3.0], [0.0, -1.0], [2.5, 0.1]], np.float32)
SPREADS = np.array([[-1.0, 0.3], [0.5, -2.0], [0.0, 1.0], [-0.7, 0.2]], np.float32)
LOGITS = np.array([0.3, -1.0, 1.2, 0.0], np.float32)
WEIGHTS = np.exp(LOGITS.astype(np.float64)) / np.exp(LOGITS.astype(np.float64)).sum()


def mixture() -> Mixture:
    """The mixture of the arrays above."""
    return Mixture(np.log(WEIGHTS).astype(np.float32), COMPONENTS, SPREADS)


def log_density(
    z: np.ndarray, weights: np.ndarray, means: np.ndarray, log_vars: np.ndarray
) -> np.ndarray:
    """log sum_c w_c prod_j N(z_j; ...) in double precision, a component at a time."""
    total = np.zeros(z.shape[:-1])
    deviations = np.exp(log_vars.astype(np.float64) / 2)
    for weight, mean, deviation in zip(weights, means, deviations, strict=True):
        total += weight * stats.norm.pdf(z, mean, deviation).prod(axis=-1)
    return np.log(total)


def kl(mean: np.ndarray, log_var: np.ndarray) -> np.ndarray:
    return np.asarray(kl_per_dim(Gaussian(mean, log_var), StandardNormal()))


def test_kl_is_the_textbook_value():
    # KL(N(m, s^2) || N(0, 1)) = log(1 / s) + (s^2 + m^2) / 2 - 1/2
    s = np.exp(LOG_VAR.astype(np.float64) / 2)
    expected = np.log(1 / s) + (s**2 + MEAN**2) / 2 - 0.5
    np.testing.assert_allclose(kl(MEAN, LOG_VAR), expected, rtol=1e-5, atol=1e-6)


def test_kl_is_the_mean_log_ratio_of_many_samples():
    rng = np.random.default_rng(0)
    s = np.exp(LOG_VAR / 2)
    z = MEAN + s * rng.standard_normal((200_000, *MEAN.shape))
    ratio = stats.norm.logpdf(z, MEAN, s) - stats.norm.logpdf(z)
    error = ratio.std(axis=0) / np.sqrt(len(z))
    assert (np.abs(kl(MEAN, LOG_VAR) - ratio.mean(axis=0)) <= 5 * error + 1e-6).all()


def test_kl_of_the_prior_itself_is_zero():
    assert (kl(np.zeros((2, 3)), np.zeros((2, 3))) == 0).all()


def test_one_sample_estimates_average_to_the_closed_form_kl():
    samples = 100_000
    noise = RNG.standard_normal((samples, *MEAN.shape)).astype(np.float32)
    q, p = Gaussian(MEAN, LOG_VAR), StandardNormal()
    z = q.sample(noise)
    estimates = np.asarray(q.log_prob(z) - p.log_prob(z), np.float64)
    exact = kl(MEAN, LOG_VAR).sum(axis=1)
    error = estimates.std(axis=0) / np.sqrt(samples)
    assert estimates.shape == (samples, 2)
    assert error.max() < 0.02
    assert (np.abs(estimates.mean(axis=0) - exact) < 4.5 * error).all()


def test_gaussian_log_density_is_scipys():
    z = RNG.normal(0, 2, (7, 2, 3)).astype(np.float32)
    expected = stats.norm.logpdf(z, MEAN, np.exp(LOG_VAR / 2)).sum(axis=-1)
    np.testing.assert_allclose(Gaussian(MEAN, LOG_VAR).log_prob(z), expected, rtol=1e-5)


def test_standard_log_density_is_scipys():
    z = RNG.normal(0, 2, (7, 2, 3)).astype(np.float32)
    expected = stats.norm.logpdf(z).sum(axis=-1)
    np.testing.assert_allclose(StandardNormal().log_prob(z), expected, rtol=1e-5)


def test_standard_codes_are_the_noise():
    noise = RNG.standard_normal((5, 3)).astype(np.float32)
    np.testing.assert_array_equal(StandardNormal().sample(noise, RNG.random(5)), noise)


def test_mixtures_log_density_is_that_of_its_components_written_out():
    z = RNG.normal(0, 2, (50, 2)).astype(np.float32)
    expected = log_density(z, WEIGHTS, COMPONENTS, SPREADS)
    np.testing.assert_allclose(mixture().log_prob(z), expected, atol=1e-5)


def test_mixtures_log_density_takes_any_number_of_leading_axes():
    z = RNG.normal(0, 2, (3, 4, 5, 2)).astype(np.float32)
    expected = log_density(z, WEIGHTS, COMPONENTS, SPREADS)
    np.testing.assert_allclose(mixture().log_prob(z), expected, atol=1e-5)


def test_mixture_integrates_to_one():
    line = np.linspace(-12, 12, 601, dtype=np.float32)
    z = np.stack(np.meshgrid(line, line), axis=-1)
    density = np.exp(np.asarray(mixture().log_prob(z), np.float64))
    total = np.trapezoid(np.trapezoid(density, line), line)
    assert total == pytest.approx(1, abs=1e-5)


def test_mixture_is_finite_far_from_every_component():
    z = np.full((1, 2), 300, np.float32)
    scored = np.asarray(mixture().log_prob(z))
    parts = stats.norm.logpdf(z, COMPONENTS, np.exp(SPREADS / 2)).sum(axis=1)
    # one component outweighs all others there
    expected = (np.log(WEIGHTS) + parts).max()
    np.testing.assert_allclose(scored, [expected], rtol=1e-5)


def test_mixture_of_sharp_components_keeps_single_precision():
    """As after training: 20 dimensions, deviations of a tenth."""
    rng = np.random.default_rng(0)
    means = rng.standard_normal((3, 20)).astype(np.float32)
    log_vars = np.full((3, 20), 2 * np.log(1 / 10), np.float32)
    prior = Mixture(np.full(3, -np.log(3), np.float32), means, log_vars)
    deviation = np.exp(log_vars[0].astype(np.float64) / 2)
    z = (means[[0, 1, 2] * 30] + deviation * rng.standard_normal((90, 20))).astype(
        np.float32
    )
    parts = stats.norm.logpdf(z[:, None], means.astype(np.float64), deviation)
    expected = np.logaddexp.reduce(parts.sum(axis=-1), axis=1) - np.log(3)
    np.testing.assert_allclose(prior.log_prob(z), expected, atol=2e-3)


@pytest.mark.parametrize("deviation", [0.3, 0.1, 0.03, 0.01])
def test_density_of_a_mixture_is_exact_however_narrow_its_components(deviation):
    rng = np.random.default_rng(0)
    means = rng.standard_normal((500, 40)).astype(np.float32)
    log_vars = np.full((500, 40), 2 * np.log(deviation), np.float32)
    prior = Mixture(np.full(500, -np.log(500), np.float32), means, log_vars)
    z = rng.standard_normal((200, 40)).astype(np.float32)
    z = means[:200] + np.float32(deviation) * z
    exact_deviation = np.exp(log_vars[0].astype(np.float64) / 2)
    parts = [
        stats.norm.logpdf(z.astype(np.float64), mean, exact_deviation).sum(1)
        for mean in means.astype(np.float64)
    ]
    expected = np.logaddexp.reduce(parts, axis=0) - np.log(500)
    found = prior.exact().log_prob(z)
    assert found.dtype == "float32"
    np.testing.assert_allclose(found, expected, atol=2e-5)


def test_samples_have_the_mean_and_covariance_of_the_mixture():
    count = 200_000
    noise = RNG.standard_normal((count, 2)).astype(np.float32)
    z = np.asarray(mixture().sample(noise, RNG.random(count)), np.float64)
    mean = WEIGHTS @ COMPONENTS
    apart = COMPONENTS - mean
    covariance = (apart.T * WEIGHTS) @ apart
    covariance += np.diag(WEIGHTS @ np.exp(SPREADS.astype(np.float64)))
    deviation = np.sqrt(np.diag(covariance))
    np.testing.assert_allclose(z.mean(0), mean, atol=4.5 * 2 / count**0.5)
    assert deviation.max() < 2
    np.testing.assert_allclose(np.cov(z.T), covariance, atol=0.04)


def test_samples_are_distributed_as_the_log_density_says():
    count = 20_000
    noise = RNG.standard_normal((count, 2)).astype(np.float32)
    z = mixture().sample(noise, RNG.random(count))

    def reached(x: np.ndarray) -> np.ndarray:
        """Cumulative distribution of the first dimension."""
        deviations = np.exp(SPREADS[:, 0] / 2)
        parts = stats.norm.cdf(np.asarray(x)[:, None], COMPONENTS[:, 0], deviations)
        return parts @ WEIGHTS

    assert stats.kstest(z[:, 0], reached).pvalue > 1e-3


def test_noise_of_zero_gives_the_mean_of_the_component_that_the_choice_picks():
    choice = (np.arange(1000) + 0.5) / 1000
    z = np.asarray(mixture().sample(np.zeros((1000, 2), np.float32), choice))
    picked = np.searchsorted(np.cumsum(WEIGHTS), choice)
    np.testing.assert_array_equal(z, COMPONENTS[picked])


def test_every_choice_below_one_picks_a_component():
    choice = np.array([0.0, np.nextafter(1.0, 0.0)])
    z = mixture().sample(np.zeros((2, 2), np.float32), choice)
    np.testing.assert_array_equal(z, COMPONENTS[[0, -1]])


def test_sampling_leaves_the_noise_as_it_was():
    noise = RNG.standard_normal((5, 2)).astype(np.float32)
    before = noise.copy()
    mixture().sample(noise, RNG.random(5))
    np.testing.assert_array_equal(noise, before)


def test_mixtures_kl_estimate_averages_to_the_integral():
    weights = np.exp([0.2, -0.6]) / np.exp([0.2, -0.6]).sum()
    values = np.log(weights), [[-1.0], [1.5]], [[-0.5], [0.4]]
    prior = Mixture(*(np.array(value, np.float32) for value in values))
    m, s = 0.7, np.exp(-0.4)

    def integrand(z: float) -> float:
        p = weights @ stats.norm.pdf(z, [-1.0, 1.5], np.exp([-0.25, 0.2]))
        return stats.norm.pdf(z, m, s) * (stats.norm.logpdf(z, m, s) - np.log(p))

    exact = quad(integrand, m - 10 * s, m + 10 * s, epsabs=1e-9)[0]
    noise = RNG.standard_normal((100_000, 1, 1)).astype(np.float32)
    mean, log_var = np.full((1, 1, 1), m, np.float32), np.full((1, 1, 1), -0.8)
    z = (m + s * noise).astype(np.float32)
    q = Gaussian(mean, log_var.astype(np.float32))
    found = np.asarray(kl_divergence(q, prior, z), np.float64)
    error = found.std() / np.sqrt(found.size)
    assert error < 0.01
    assert abs(found.mean() - exact) < 4.5 * error


def test_mixtures_kl_is_the_log_ratio_itself():
    z = RNG.normal(0, 2, (6, 2, 2)).astype(np.float32)
    mean, log_var = MEAN[None, :, :2], LOG_VAR[None, :, :2]
    log_q = stats.norm.logpdf(z, mean, np.exp(log_var / 2)).sum(axis=-1)
    expected = log_q - log_density(z, WEIGHTS, COMPONENTS, SPREADS)
    found = kl_divergence(Gaussian(mean, log_var), mixture(), z)
    np.testing.assert_allclose(found, expected, rtol=1e-4)


def test_mixture_has_no_kl_of_single_dimensions():
    assert kl_per_dim(Gaussian(MEAN[:, :2], LOG_VAR[:, :2]), mixture()) is None


def test_kl_of_two_gaussians_is_the_textbook_value():
    q, p = Gaussian(MEAN, LOG_VAR), Gaussian(MEAN[::-1] + 0.5, LOG_VAR[::-1] - 0.3)
    s, t = (np.exp(x.log_var.astype(np.float64) / 2) for x in (q, p))
    expected = np.log(t / s) + (s**2 + (q.mean - p.mean) ** 2) / (2 * t**2) - 0.5
    np.testing.assert_allclose(kl_per_dim(q, p), expected, rtol=1e-4)
    summed = kl_divergence(q, p, q.mean)
    np.testing.assert_allclose(summed, expected.sum(axis=1), rtol=1e-4)


def test_levels_side_by_side_are_scored_as_the_sum_of_what_each_is():
    noise = RNG.standard_normal((4, 2, 5)).astype(np.float32)
    q = Gaussian(MEAN, LOG_VAR), Gaussian(MEAN[:, :2], LOG_VAR[:, :2])
    p = StandardNormal(), mixture()
    z = q[0].sample(noise[..., :3]), q[1].sample(noise[..., 3:])
    levels = [Level(*level) for level in zip(z, q, p, strict=True)]
    np.testing.assert_array_equal(code(levels), np.concatenate(z, axis=-1))
    deviations = [np.exp(x.log_var / 2) for x in q]
    expected = stats.norm.logpdf(z[0]).sum(-1)
    expected += log_density(np.asarray(z[1]), WEIGHTS, COMPONENTS, SPREADS)
    for codes, own, deviation in zip(z, q, deviations, strict=True):
        expected -= stats.norm.logpdf(codes, own.mean, deviation).sum(-1)
    np.testing.assert_allclose(log_ratio(levels), expected, rtol=1e-4, atol=1e-5)


def test_gradients_pass_through_a_code_and_not_through_a_detached_distribution():
    mean, z = tf.Variable(MEAN), tf.Variable(MEAN + 1)
    with tf.GradientTape() as tape:
        q = detached(replace(Gaussian(MEAN, LOG_VAR), mean=tf.identity(mean)))
        score = tf.reduce_sum(q.log_prob(z))
    by_mean, by_z = tape.gradient(score, [mean, z])
    assert by_mean is None
    np.testing.assert_allclose(by_z, -np.exp(-LOG_VAR), rtol=1e-5)


def test_gradients_reach_means_variances_and_weights_of_a_mixture():
    parts = [tf.Variable(x) for x in (LOGITS, COMPONENTS, SPREADS)]
    with tf.GradientTape() as tape:
        score = tf.reduce_sum(Mixture(*parts).log_prob(tf.constant(MEAN[:, :2])))
    for gradient in tape.gradient(score, parts):
        assert (np.asarray(gradient) != 0).all()


def test_distribution_without_a_density_says_so():
    class Unfinished(Distribution):
        pass

    with pytest.raises(TypeError, match="Unfinished defines no density"):
        Unfinished().log_prob(np.zeros((1, 2)))
    with pytest.raises(TypeError, match="Unfinished can't be sampled"):
        Unfinished().sample(np.zeros((1, 2)), np.zeros(1))
