from types import SimpleNamespace

import numpy as np
import pytest
import tensorflow as tf
from scipy import stats
from scipy.integrate import quad

from tests.helpers import grey_images, small_config, small_vae
from vae_cli.config.parts import MixtureConfig, PriorConfig, VampConfig
from vae_cli.models.priors import (
    MixtureOfGaussians,
    Prior,
    StandardNormal,
    VampPrior,
    build_prior,
    gaussian_log_prob,
)

RNG = np.random.default_rng(0)
MEAN = np.array([[0.0, 1.5, -2.0], [0.3, 0.0, 4.0]], np.float32)
LOG_VAR = np.array([[0.0, -1.0, 1.2], [-4.0, 0.5, 0.0]], np.float32)
COMPONENTS = np.array([[-2.0, 0.5], [1.0, 3.0], [0.0, -1.0], [2.5, 0.1]], np.float32)
SPREADS = np.array([[-1.0, 0.3], [0.5, -2.0], [0.0, 1.0], [-0.7, 0.2]], np.float32)
LOGITS = np.array([0.3, -1.0, 1.2, 0.0], np.float32)
WEIGHTS = np.exp(LOGITS.astype(np.float64)) / np.exp(LOGITS.astype(np.float64)).sum()
SHAPE = (4, 5, 1)


def standard(latent_dim: int = 3) -> StandardNormal:
    return StandardNormal(PriorConfig(name="standard"), latent_dim)


def mixture(latent_dim: int = 2) -> MixtureOfGaussians:
    """The mixture of the arrays above, about the first two dimensions."""
    prior = MixtureOfGaussians(MixtureConfig("mog", components=4), latent_dim, 2)
    means, log_vars, logits = prior.trainable_weights
    means.assign(COMPONENTS)
    log_vars.assign(SPREADS)
    logits.assign(LOGITS)
    return prior


def vamp_vae(*overrides: str, architecture: str = "dense", components: int = 5):
    return small_vae(
        "prior=vamp",
        f"prior.components={components}",
        "architecture.activation=tanh",
        *overrides,
        architecture=architecture,
        shape=SHAPE,
    )


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
    return np.asarray(standard().kl_per_dim(mean, log_var))


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
    prior, samples = standard(), 100_000
    noise = RNG.standard_normal((samples, *MEAN.shape)).astype(np.float32)
    z = MEAN + np.exp(LOG_VAR / 2) * noise
    estimates = np.asarray(prior.kl(z, MEAN[None], LOG_VAR[None]), np.float64)
    exact = kl(MEAN, LOG_VAR).sum(axis=1)
    error = estimates.std(axis=0) / np.sqrt(samples)
    assert estimates.shape == (samples, 2)
    assert error.max() < 0.02
    assert (np.abs(estimates.mean(axis=0) - exact) < 4.5 * error).all()


def test_gaussian_log_density_is_scipys():
    z = RNG.normal(0, 2, (7, 2, 3)).astype(np.float32)
    expected = stats.norm.logpdf(z, MEAN, np.exp(LOG_VAR / 2)).sum(axis=-1)
    np.testing.assert_allclose(gaussian_log_prob(z, MEAN, LOG_VAR), expected, rtol=1e-5)


def test_standard_log_density_is_scipys():
    z = RNG.normal(0, 2, (7, 2, 3)).astype(np.float32)
    expected = stats.norm.logpdf(z).sum(axis=-1)
    np.testing.assert_allclose(standard().log_prob(z), expected, rtol=1e-5)


def test_standard_codes_are_the_noise():
    noise = RNG.standard_normal((5, 3)).astype(np.float32)
    np.testing.assert_array_equal(standard().sample(noise, RNG.random(5)), noise)


def test_weights_of_a_mixture_add_up_to_one():
    log_weights, _, _ = mixture().components()
    np.testing.assert_allclose(np.exp(log_weights), WEIGHTS, rtol=1e-6)
    assert np.exp(np.asarray(log_weights, np.float64)).sum() == pytest.approx(1)


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
    prior = MixtureOfGaussians(MixtureConfig("mog", components=3), 20, 20)
    means = rng.standard_normal((3, 20)).astype(np.float32)
    log_vars = np.full((3, 20), 2 * np.log(1 / 10), np.float32)
    for weight, value in zip(prior.trainable_weights, (means, log_vars), strict=False):
        weight.assign(value)
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
    prior = MixtureOfGaussians(MixtureConfig("mog", components=500), 41, 40)
    means = rng.standard_normal((500, 40)).astype(np.float32)
    log_vars = np.full((500, 40), 2 * np.log(deviation), np.float32)
    for weight, value in zip(prior.trainable_weights, (means, log_vars), strict=False):
        weight.assign(value)
    z = rng.standard_normal((200, 41)).astype(np.float32)
    z[:, :40] = means[:200] + deviation * z[:, :40]
    exact_deviation = np.exp(log_vars[0].astype(np.float64) / 2)
    parts = [
        stats.norm.logpdf(z[:, :40].astype(np.float64), mean, exact_deviation).sum(1)
        for mean in means.astype(np.float64)
    ]
    expected = np.logaddexp.reduce(parts, axis=0) - np.log(500)
    expected += stats.norm.logpdf(z[:, 40])
    found = prior.density()(z)
    assert found.dtype == "float32"
    np.testing.assert_allclose(found, expected, atol=2e-5)


def test_dimensions_below_the_top_are_standard_normal():
    z = RNG.normal(0, 2, (50, 5)).astype(np.float32)
    top = log_density(z[:, :2], WEIGHTS, COMPONENTS, SPREADS)
    expected = top + stats.norm.logpdf(z[:, 2:]).sum(axis=1)
    np.testing.assert_allclose(mixture(5).log_prob(z), expected, atol=1e-5)


def test_samples_have_the_mean_and_covariance_of_the_mixture():
    count = 200_000
    noise = RNG.standard_normal((count, 3)).astype(np.float32)
    z = np.asarray(mixture(3).sample(noise, RNG.random(count)), np.float64)
    mean = WEIGHTS @ COMPONENTS
    apart = COMPONENTS - mean
    covariance = (apart.T * WEIGHTS) @ apart
    covariance += np.diag(WEIGHTS @ np.exp(SPREADS.astype(np.float64)))
    deviation = np.sqrt(np.diag(covariance))
    np.testing.assert_allclose(z[:, :2].mean(0), mean, atol=4.5 * 2 / count**0.5)
    assert deviation.max() < 2
    np.testing.assert_allclose(np.cov(z[:, :2].T), covariance, atol=0.04)
    np.testing.assert_array_equal(z[:, 2], noise[:, 2])


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
    z = np.asarray(mixture(3).sample(np.zeros((1000, 3), np.float32), choice))
    picked = np.searchsorted(np.cumsum(WEIGHTS), choice)
    np.testing.assert_array_equal(z[:, :2], COMPONENTS[picked])
    assert not z[:, 2].any()


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
    prior = MixtureOfGaussians(MixtureConfig("mog", components=2), 1, 1)
    values = [[[-1.0], [1.5]], [[-0.5], [0.4]], [0.2, -0.6]]
    for weight, value in zip(prior.trainable_weights, values, strict=True):
        weight.assign(np.array(value, np.float32))
    weights = np.exp([0.2, -0.6]) / np.exp([0.2, -0.6]).sum()
    m, s = 0.7, np.exp(-0.4)

    def integrand(z: float) -> float:
        p = weights @ stats.norm.pdf(z, [-1.0, 1.5], np.exp([-0.25, 0.2]))
        return stats.norm.pdf(z, m, s) * (stats.norm.logpdf(z, m, s) - np.log(p))

    exact = quad(integrand, m - 10 * s, m + 10 * s, epsabs=1e-9)[0]
    noise = RNG.standard_normal((100_000, 1, 1)).astype(np.float32)
    mean, log_var = np.full((1, 1, 1), m, np.float32), np.full((1, 1, 1), -0.8)
    z = (m + s * noise).astype(np.float32)
    found = np.asarray(prior.kl(z, mean, log_var.astype(np.float32)), np.float64)
    error = found.std() / np.sqrt(found.size)
    assert error < 0.01
    assert abs(found.mean() - exact) < 4.5 * error


def test_mixtures_kl_is_the_log_ratio_in_expectation_below_the_top_too():
    mean, log_var = MEAN[None], LOG_VAR[None]
    noise = RNG.standard_normal((50_000, 2, 3)).astype(np.float32)
    z = mean + np.exp(log_var / 2) * noise
    prior = mixture(3)
    log_p = log_density(z[..., :2].astype(np.float64), WEIGHTS, COMPONENTS, SPREADS)
    log_p += stats.norm.logpdf(z[..., 2])
    log_q = stats.norm.logpdf(z, mean, np.exp(log_var / 2)).sum(axis=-1)
    difference = np.asarray(prior.kl(z, mean, log_var)) - (log_q - log_p)
    error = difference.std(axis=0) / np.sqrt(len(z))
    assert 0 < error.max() < 0.03
    assert (np.abs(difference.mean(axis=0)) < 4.5 * error).all()


def test_mixtures_kl_is_the_log_ratio_itself_where_the_top_is_all():
    z = RNG.normal(0, 2, (6, 2, 2)).astype(np.float32)
    mean, log_var = MEAN[None, :, :2], LOG_VAR[None, :, :2]
    log_q = stats.norm.logpdf(z, mean, np.exp(log_var / 2)).sum(axis=-1)
    expected = log_q - log_density(z, WEIGHTS, COMPONENTS, SPREADS)
    np.testing.assert_allclose(mixture().kl(z, mean, log_var), expected, rtol=1e-4)


def test_mixture_has_no_kl_of_single_dimensions():
    assert mixture().kl_per_dim(MEAN[:, :2], LOG_VAR[:, :2]) is None


def test_gradients_reach_means_variances_and_weights_of_a_mixture():
    prior = mixture()
    with tf.GradientTape() as tape:
        score = tf.reduce_sum(prior.log_prob(tf.constant(MEAN[:, :2])))
    for gradient in tape.gradient(score, prior.trainable_weights):
        assert (np.asarray(gradient) != 0).all()


def posteriors_of(vae, images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and log-variance of the top level's posterior."""
    found = vae.encoder(images)
    return np.asarray(found["mean"]), np.asarray(found["log_var"])


@pytest.mark.parametrize("hierarchy", ["none", "two_level"])
@pytest.mark.parametrize("architecture", ["dense", "conv", "residual_conv"])
def test_vamp_prior_is_the_equal_mixture_of_its_pseudo_inputs_posteriors(
    architecture, hierarchy
):
    vae = vamp_vae("latent_dim=4", f"hierarchy={hierarchy}", architecture=architecture)
    images = grey_images(5, *SHAPE).astype(np.float32) / 255
    vae.prior.start_at(images)
    z = RNG.normal(0, 2, (6, 4)).astype(np.float32)
    top = 4 if hierarchy == "none" else 2
    expected = log_density(z[:, :top], np.full(5, 0.2), *posteriors_of(vae, images))
    expected += stats.norm.logpdf(z[:, top:]).sum(axis=1)
    np.testing.assert_allclose(vae.prior.log_prob(z), expected, atol=1e-4)


def test_weights_of_a_vamp_prior_add_up_to_one():
    log_weights, means, log_vars = vamp_vae(components=7).prior.components()
    assert np.exp(np.asarray(log_weights, np.float64)).sum() == pytest.approx(1)
    assert means.shape == log_vars.shape == (7, 2)


def test_codes_of_a_vamp_prior_without_noise_are_posterior_means_of_pseudo_inputs():
    vae = vamp_vae()
    images = grey_images(5, *SHAPE).astype(np.float32) / 255
    vae.prior.start_at(images)
    z = vae.prior.sample(np.zeros((5, 2), np.float32), (np.arange(5) + 0.5) / 5)
    np.testing.assert_allclose(z, posteriors_of(vae, images)[0], atol=1e-6)


def test_vamp_prior_starts_at_the_images_it_is_given():
    vae = vamp_vae()
    images = grey_images(5, *SHAPE).astype(np.float32) / 255
    vae.prior.start_at(images)
    np.testing.assert_array_equal(vae.prior.pseudo_inputs, images)
    _, means, log_vars = vae.prior.components()
    for found, expected in zip(
        (means, log_vars), posteriors_of(vae, images), strict=True
    ):
        np.testing.assert_allclose(found, expected, atol=1e-6)


def test_vamp_prior_starts_near_black_by_itself():
    pixels = np.asarray(vamp_vae(components=200).prior.pseudo_inputs)
    assert pixels.shape == (200, *SHAPE)
    assert pixels.mean() == pytest.approx(0.05, abs=1e-3)
    assert pixels.std() == pytest.approx(0.01, rel=0.05)


@pytest.mark.parametrize("hierarchy", ["none", "two_level"])
def test_gradients_reach_the_pseudo_inputs_and_the_encoder_behind_them(hierarchy):
    vae = vamp_vae("latent_dim=4", f"hierarchy={hierarchy}")
    codes = tf.constant(RNG.normal(0, 2, (6, 4)), tf.float32)
    watched = [vae.prior.pseudo_inputs, *vae.encoder.trainable_variables]
    with tf.GradientTape() as tape:
        score = tf.reduce_sum(vae.prior.log_prob(codes))
    for gradient in tape.gradient(score, watched):
        assert (np.asarray(gradient) != 0).any()


def test_pseudo_inputs_beyond_the_range_of_pixels_are_taken_as_black_or_white():
    vae = vamp_vae()
    images = 3 * grey_images(5, *SHAPE).astype(np.float32) / 255 - 1
    vae.prior.start_at(images)
    _, means, _ = vae.prior.components()
    expected = posteriors_of(vae, images.clip(0, 1))[0]
    np.testing.assert_allclose(means, expected, atol=1e-6)


def test_pseudo_inputs_are_trained_once_with_the_models_weights():
    vae = vamp_vae()
    trained = [id(variable) for variable in vae.trainable_variables]
    networks = [
        *vae.encoder.trainable_variables,
        *vae.decoder.trainable_variables,
        vae.prior.pseudo_inputs,
    ]
    assert sorted(trained) == sorted(id(variable) for variable in networks)


@pytest.mark.parametrize(
    "name, kind",
    [("standard", StandardNormal), ("mog", MixtureOfGaussians), ("vamp", VampPrior)],
)
def test_prior_is_the_one_of_the_config(name, kind):
    few = () if name == "standard" else ("prior.components=6",)
    config = small_config(f"prior={name}", *few).prior
    prior = build_prior(config, 3, 2, SHAPE, lambda images: (images, images))
    assert type(prior) is kind
    assert prior.latent_dim == 3
    if name != "standard":
        assert prior.top_dim == 2
        assert prior.trainable_weights[0].shape[0] == 6
    assert isinstance(config, VampConfig) == (name == "vamp")


def test_prior_without_a_density_says_so():
    class Unfinished(Prior):
        pass

    prior = Unfinished(SimpleNamespace(), 2)
    with pytest.raises(TypeError, match="Unfinished defines no density"):
        prior.log_prob(np.zeros((1, 2)))
    with pytest.raises(TypeError, match="Unfinished can't be sampled"):
        prior.sample(np.zeros((1, 2)), np.zeros(1))
