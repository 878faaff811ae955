import numpy as np
import pytest
import tensorflow as tf

from tests.helpers import grey_images, small_vae
from tests.models.toys import SHAPE, linear_gaussian
from vae_cli.config.objective import ElboConfig
from vae_cli.models.distributions import Gaussian
from vae_cli.models.objective import Elbo, Terms, kl_term, log_mean_exp

MEAN = np.array([[0.0, 1.5, -2.0], [0.3, 0.0, 4.0]], np.float32)
LOG_VAR = np.array([[0.0, -1.0, 1.2], [-4.0, 0.5, 0.0]], np.float32)


def test_samples_have_the_posteriors_mean_and_deviation():
    noise = np.random.default_rng(0).standard_normal((100_000, 3)).astype(np.float32)
    z = np.asarray(Gaussian(MEAN[:1], LOG_VAR[:1]).sample(noise))
    deviation = np.exp(LOG_VAR[0] / 2)
    np.testing.assert_allclose(z.mean(0), MEAN[0], atol=0.02)
    np.testing.assert_allclose(z.std(0), deviation, rtol=0.01)


def test_sampling_passes_gradients_to_mean_and_log_variance():
    mean, log_var = tf.constant(MEAN), tf.constant(LOG_VAR)
    noise = tf.constant([[1.0, -2.0, 0.5], [0.0, 3.0, -1.0]])
    with tf.GradientTape() as tape:
        tape.watch([mean, log_var])
        z = tf.reduce_sum(Gaussian(mean, log_var).sample(noise))
    by_mean, by_log_var = tape.gradient(z, [mean, log_var])
    np.testing.assert_allclose(by_mean, np.ones_like(MEAN))
    expected = 0.5 * np.exp(LOG_VAR / 2) * noise.numpy()
    np.testing.assert_allclose(by_log_var, expected, rtol=1e-5)


@pytest.fixture(scope="module")
def parts():
    """A model, its images and its noise."""
    vae = small_vae("latent_dim=3", shape=(4, 5, 1))
    images = grey_images(6, 4, 5, 1).astype(np.float32) / 255
    noise = np.random.default_rng(1).standard_normal((6, 3)).astype(np.float32)
    return vae, images, noise


def elbo(vae, images, noise, training=False):
    """Terms of the ELBO for one sample an image, noise [B, latent_dim]."""
    objective = Elbo(ElboConfig())
    return objective(vae, images, noise[None], 1.0, training=training)


def test_kl_per_dim_is_that_of_the_encoders_posterior(parts):
    vae, images, noise = parts
    q = vae.posterior(images)
    mean, log_var = np.asarray(q.mean), np.asarray(q.log_var)
    terms = elbo(vae, images, noise)
    expected = [
        0.5 * np.sum(m**2 + np.exp(v) - v - 1)
        for m, v in zip(mean, log_var, strict=True)
    ]
    summed = np.asarray(terms.kl_per_dim).sum(axis=1)
    np.testing.assert_allclose(summed, expected, rtol=1e-5)


def test_reconstruction_is_the_score_of_the_image_at_the_sampled_code(parts):
    vae, images, noise = parts
    z = np.asarray(vae.posterior(images).sample(noise))
    p = 1 / (1 + np.exp(-np.asarray(vae.decode(z), np.float64)))
    cross_entropy = -images * np.log(p) - (1 - images) * np.log(1 - p)
    terms = elbo(vae, images, noise)
    expected = cross_entropy.sum((1, 2, 3))
    np.testing.assert_allclose(terms.reconstruction, expected, rtol=1e-5)


def test_mean_of_the_terms_is_the_posterior_mean(parts):
    vae, images, noise = parts
    terms = elbo(vae, images, noise)
    np.testing.assert_allclose(terms.mean, vae.posterior(images).mean, rtol=1e-6)


def test_terms_have_one_value_an_image(parts):
    terms = elbo(*parts, training=True)
    assert terms.reconstruction.shape == (6,)
    assert terms.kl.shape == (6,)
    assert terms.neg_elbo.shape == (6,)
    assert terms.neg_bound.shape == (6,)
    assert terms.kl_per_dim.shape == (6, 3)
    assert terms.mean.shape == (6, 3)


def test_neg_elbo_is_reconstruction_plus_kl_whatever_beta(parts):
    vae, images, noise = parts
    for beta in (0.0, 1.0, 7.0):
        terms = Elbo(ElboConfig())(vae, images, noise[None], beta, training=True)
        expected = np.asarray(terms.reconstruction) + np.asarray(terms.kl)
        np.testing.assert_allclose(terms.neg_elbo, expected, rtol=1e-6)
        np.testing.assert_array_equal(terms.neg_bound, terms.neg_elbo)


@pytest.mark.parametrize("prior", ["mog", "vamp"])
def test_kl_of_a_mixture_prior_is_the_log_ratio_at_the_sampled_code(prior, parts):
    _, images, noise = parts
    vae = small_vae("latent_dim=3", f"prior={prior}", "prior.components=4")
    q = vae.posterior(images)
    mean, log_var = np.asarray(q.mean, np.float64), np.asarray(q.log_var, np.float64)
    z = mean + np.exp(log_var / 2) * noise
    log_q = -0.5 * (noise**2 + log_var + np.log(2 * np.pi)).sum(axis=1)
    log_p = np.asarray(vae.prior().log_prob(z.astype(np.float32)))
    terms = elbo(vae, images, noise)
    np.testing.assert_allclose(terms.kl, log_q - log_p, atol=1e-4)
    assert terms.kl_per_dim is None


@pytest.mark.parametrize("shift, widen", [(0.0, 1.0), (0.4, 2.0), (-0.5, 0.3)])
def test_elbo_of_a_linear_gaussian_model_is_its_closed_form_in_expectation(
    shift, widen
):
    model = linear_gaussian(shift, widen)
    pixels = grey_images(5, *SHAPE)
    noise = np.random.default_rng(0).standard_normal((4000, 5, 2)).astype(np.float32)
    objective = Elbo(ElboConfig())
    # 4000 copies of the 5 images, one sample each
    x = np.tile(pixels.astype(np.float32) / 255, (4000, 1, 1, 1))
    terms = objective(model.vae, x, noise.reshape(1, -1, 2), 1.0)
    found = np.asarray(terms.neg_elbo, np.float64).reshape(4000, 5)
    error = found.std(axis=0, ddof=1) / np.sqrt(4000)
    assert error.max() < 0.1
    difference = np.abs(found.mean(axis=0) + model.elbo(pixels))
    assert (difference < 4.5 * error).all()
    kl = np.asarray(terms.kl).reshape(4000, 5)
    np.testing.assert_allclose(kl, [model.kl(pixels)] * 4000, rtol=1e-4)


def test_elbo_of_the_true_posterior_is_log_p_in_closed_form():
    model, pixels = linear_gaussian(), grey_images(5, *SHAPE)
    np.testing.assert_allclose(model.elbo(pixels), model.log_prob(pixels), rtol=1e-5)


def test_log_mean_exp_is_that_of_double_precision_without_overflow():
    values = np.array([[0.0, 1000.0, -1000.0], [1.0, 999.0, -1002.0]], np.float32)
    high = values.max(axis=0)
    expected = high + np.log(np.mean(np.exp(values.astype(np.float64) - high), axis=0))
    np.testing.assert_allclose(log_mean_exp(tf.constant(values)), expected, rtol=1e-6)


PER_DIM = np.array([[0.0, 1.0, 0.3], [0.1, 3.0, 0.5]], np.float32)  # means .05, 2, .4


def free_bits_kl(per_dim, free_bits):
    """The KL term of a batch of two images."""
    nothing = tf.zeros(2)
    kl = tf.reduce_sum(per_dim, axis=1)
    terms = Terms(nothing, kl, per_dim, nothing, nothing, nothing)
    return kl_term(terms, 2.0, free_bits)


def test_without_free_bits_the_term_is_the_plain_kl():
    assert float(free_bits_kl(PER_DIM, 0.0)) == pytest.approx(2.45)


def test_free_bits_raise_each_dimensions_batch_mean_to_the_floor():
    assert float(free_bits_kl(PER_DIM, 0.25)) == pytest.approx(0.25 + 2 + 0.4)


def test_free_bits_apply_to_the_batch_mean_and_not_to_each_image():
    # image by image it would be (0.45 + 0.45) / 2 + 2 + (0.45 + 0.5) / 2
    assert float(free_bits_kl(PER_DIM, 0.45)) == pytest.approx(0.45 + 2 + 0.45)


def test_free_bits_stop_the_gradient_of_dimensions_below_the_floor():
    per_dim = tf.constant(PER_DIM)
    with tf.GradientTape() as tape:
        tape.watch(per_dim)
        term = free_bits_kl(per_dim, 0.25)
    expected = [[0, 0.5, 0.5], [0, 0.5, 0.5]]
    np.testing.assert_allclose(tape.gradient(term, per_dim), expected)
