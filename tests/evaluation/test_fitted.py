import numpy as np
import pytest
from scipy import stats

from tests.helpers import grey_images, mean_and_log_var, small_vae
from tests.models.toys import SHAPE, redraw
from vae_cli.data.splits import Split
from vae_cli.errors import ConfigError
from vae_cli.evaluation.fitted import FittedMixture, fit_mixture, posterior_draws


def codes(count: int = 4000) -> tuple[np.ndarray, np.ndarray]:
    """Two correlated Gaussians, and which of them each code is of."""
    rng = np.random.default_rng(0)
    label = rng.integers(0, 2, count)
    scale = np.array([[1.0, 0.0], [0.9, 0.3]])
    z = rng.normal(size=(count, 2)) @ scale.T + np.array([[-4, 0], [4, 2]])[label]
    return z.astype(np.float32), label


def test_a_mixture_finds_the_gaussians_that_codes_were_drawn_from():
    z, _ = codes()
    found = fit_mixture(z, None, 2, seed=0)
    order = np.argsort(found.means[0, :, 0])
    np.testing.assert_allclose(found.weights[0], 0.5, atol=0.03)
    np.testing.assert_allclose(found.means[0, order], [[-4, 0], [4, 2]], atol=0.1)
    for scale in found.scales[0]:
        expected = [[1, 0.9], [0.9, 0.9]]
        np.testing.assert_allclose(scale @ scale.T, expected, atol=0.1)


def test_draws_have_the_moments_of_the_codes():
    z, _ = codes()
    drawn = fit_mixture(z, None, 2, seed=0).draw(20_000, seed=1)
    np.testing.assert_allclose(drawn.mean(axis=0), z.mean(axis=0), atol=0.15)
    np.testing.assert_allclose(np.cov(drawn.T), np.cov(z.T), atol=0.4)


def test_a_single_gaussian_is_the_codes_mean_and_covariance():
    z, _ = codes(500)
    found = fit_mixture(z, None, 1, seed=0)
    np.testing.assert_allclose(found.means[0, 0], z.mean(axis=0), rtol=1e-4)
    covariance = found.scales[0, 0] @ found.scales[0, 0].T
    np.testing.assert_allclose(covariance, np.cov(z.T, bias=True), rtol=1e-3)
    drawn = found.draw(5000, seed=0)
    whitened = np.linalg.solve(found.scales[0, 0], (drawn - found.means[0, 0]).T)
    assert stats.kstest(whitened.ravel(), "norm").pvalue > 1e-3


def test_labels_have_a_mixture_each():
    z, label = codes()
    found = fit_mixture(z, label + 3, 2, seed=0)
    drawn = found.draw(1000, seed=0, label=np.repeat([3, 4], 500))
    np.testing.assert_allclose(drawn[:500].mean(axis=0), [-4, 0], atol=0.2)
    np.testing.assert_allclose(drawn[500:].mean(axis=0), [4, 2], atol=0.2)
    with pytest.raises(ConfigError, match="no codes of class 7"):
        found.draw(1, seed=0, label=np.array([7]))


def test_fewer_draws_are_the_first_of_more_and_temperature_scales_noise():
    found = fit_mixture(codes(500)[0], None, 2, seed=0)
    many = found.draw(50, seed=3)
    np.testing.assert_array_equal(found.draw(5, seed=3), many[:5])
    cold = found.draw(50, seed=3, temperature=0)
    assert len(np.unique(cold, axis=0)) == 2
    half = found.draw(50, seed=3, temperature=0.5)
    np.testing.assert_allclose(half, (cold + many) / 2, atol=1e-5)


def test_few_codes_have_few_gaussians():
    z = np.random.default_rng(0).normal(size=(9, 3)).astype(np.float32)
    found = fit_mixture(z, np.array([0] * 8 + [1]), 10, seed=0)
    assert ((found.weights > 0).sum(axis=1) == [2, 1]).all()
    drawn = found.draw(40, seed=0, label=np.repeat([0, 1], 20))
    np.testing.assert_array_equal(drawn[20:], np.broadcast_to(z[8], (20, 3)))


def test_a_stored_mixture_is_the_same_and_another_is_refused():
    found = fit_mixture(codes(500)[0], None, 2, seed=0)
    again = FittedMixture.of_arrays(found.arrays(), 2)
    np.testing.assert_array_equal(again.draw(9, seed=0), found.draw(9, seed=0))
    with pytest.raises(ValueError, match="no mixture"):
        FittedMixture.of_arrays(found.arrays(), 3)


def test_codes_are_samples_of_q():
    vae = redraw(small_vae("latent_dim=3", shape=SHAPE), 0.5)
    images = np.repeat(grey_images(2, *SHAPE), 4000, axis=0)
    drawn = posterior_draws(vae, Split(images), seed=0)
    mean, log_var = mean_and_log_var(vae, images[::4000].astype(np.float32) / 255)
    for own, m, v in zip(np.split(drawn, 2), mean, log_var, strict=True):
        standard = (own - m) / np.exp(v / 2)
        assert stats.kstest(standard.ravel(), "norm").pvalue > 1e-3
