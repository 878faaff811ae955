import numpy as np
import pytest
import tensorflow as tf
from scipy import stats

from tests.helpers import grey_images, small_vae
from vae_cli.models.layers import Sampling
from vae_cli.models.objectives import elbo_terms, free_bits_kl
from vae_cli.models.priors import StandardNormal

MEAN = np.array([[0.0, 1.5, -2.0], [0.3, 0.0, 4.0]], np.float32)
LOG_VAR = np.array([[0.0, -1.0, 1.2], [-4.0, 0.5, 0.0]], np.float32)


def kl(mean: np.ndarray, log_var: np.ndarray) -> np.ndarray:
    return np.asarray(StandardNormal().kl_per_dim(mean, log_var))


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


def test_samples_have_the_posteriors_mean_and_deviation():
    noise = np.random.default_rng(0).standard_normal((100_000, 3)).astype(np.float32)
    z = np.asarray(Sampling()(MEAN[:1], LOG_VAR[:1], noise))
    deviation = np.exp(LOG_VAR[0] / 2)
    np.testing.assert_allclose(z.mean(0), MEAN[0], atol=0.02)
    np.testing.assert_allclose(z.std(0), deviation, rtol=0.01)


def test_sampling_passes_gradients_to_mean_and_log_variance():
    mean, log_var = tf.constant(MEAN), tf.constant(LOG_VAR)
    noise = tf.constant([[1.0, -2.0, 0.5], [0.0, 3.0, -1.0]])
    with tf.GradientTape() as tape:
        tape.watch([mean, log_var])
        z = tf.reduce_sum(Sampling()(mean, log_var, noise))
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


def test_kl_per_dim_is_that_of_the_encoders_posterior(parts):
    vae, images, noise = parts
    mean, log_var = (np.asarray(part) for part in vae.encode(images))
    terms = elbo_terms(vae, images, noise, training=False)
    expected = [
        0.5 * np.sum(m**2 + np.exp(v) - v - 1)
        for m, v in zip(mean, log_var, strict=True)
    ]
    summed = np.asarray(terms.kl_per_dim).sum(axis=1)
    np.testing.assert_allclose(summed, expected, rtol=1e-5)


def test_reconstruction_is_the_score_of_the_image_at_the_sampled_code(parts):
    vae, images, noise = parts
    mean, log_var = vae.encode(images)
    z = np.asarray(mean) + np.exp(np.asarray(log_var) / 2) * noise
    p = 1 / (1 + np.exp(-np.asarray(vae.decode(z), np.float64)))
    cross_entropy = -images * np.log(p) - (1 - images) * np.log(1 - p)
    terms = elbo_terms(vae, images, noise, training=False)
    expected = cross_entropy.sum((1, 2, 3))
    np.testing.assert_allclose(terms.reconstruction, expected, rtol=1e-5)


def test_mean_of_the_terms_is_the_posterior_mean(parts):
    vae, images, noise = parts
    terms = elbo_terms(vae, images, noise, training=False)
    np.testing.assert_allclose(terms.mean, vae.encode(images)[0], rtol=1e-6)


def test_terms_have_one_value_an_image(parts):
    terms = elbo_terms(*parts, training=True)
    assert terms.reconstruction.shape == (6,)
    assert terms.kl_per_dim.shape == (6, 3)
    assert terms.mean.shape == (6, 3)


PER_DIM = np.array([[0.0, 1.0, 0.3], [0.1, 3.0, 0.5]], np.float32)  # means .05, 2, .4


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
