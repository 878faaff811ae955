import keras
import numpy as np
import pytest

from tests.helpers import grey_images
from tests.models.toys import SHAPE, linear_gaussian
from vae_cli.config.evaluate import GapConfig
from vae_cli.evaluation.inference_gap import refine

IMAGES = grey_images(30, *SHAPE)
CONFIG = GapConfig(steps=300, samples=16)


@pytest.mark.slow
def test_a_posterior_that_is_off_is_all_amortization():
    model = linear_gaussian(shift=0.3, widen=2.0)
    found = refine(model.vae, IMAGES, CONFIG, seed=0)
    np.testing.assert_allclose(found.elbo, model.elbo(IMAGES), atol=0.25)
    assert found.elbo.mean() == pytest.approx(model.elbo(IMAGES).mean(), abs=0.05)
    # columns of W are orthogonal: the posterior is a factorised Gaussian
    np.testing.assert_allclose(found.refined, model.log_prob(IMAGES), atol=0.01)


def test_both_parts_are_those_of_a_correlated_posterior():
    model = linear_gaussian(shift=0.3, widen=2.0)
    # the axes of the posterior lie at 45 degrees to those of z
    turn = np.array([[1, -1], [1, 1]], np.float32) / np.sqrt(2)
    (pixels,) = (
        layer
        for layer in model.vae.decoder.layers
        if isinstance(layer, keras.layers.Dense)
    )
    _, bias = pixels.get_weights()
    wide = model.kernel * [2.0, 0.7] @ turn.T.astype(np.float64)
    pixels.set_weights([wide.T, bias])
    model.kernel = wide
    precision = np.eye(2) + wide.T @ wide / model.scale**2
    # KL of the best factorised Gaussian, whose variances are 1 / precision_jj
    approximation = 0.5 * (
        np.log(np.diag(precision)).sum() - np.linalg.slogdet(precision)[1]
    )
    assert approximation > 0.1
    exact = model.log_prob(IMAGES)
    # KL of q(z|x) = N(m, diag(v)) from the true posterior N(mu, precision^-1)
    x = IMAGES.reshape(len(IMAGES), -1) / 255.0
    centre = (x - model.bias) @ wide @ np.linalg.inv(precision) / model.scale**2
    off = x @ model.to_mean + model.mean_bias - centre
    whole = 0.5 * (
        np.diag(precision) @ model.variance
        + np.einsum("ni,ij,nj->n", off, precision, off)
        - 2
        - np.linalg.slogdet(precision)[1]
        - np.log(model.variance).sum()
    )
    found = refine(model.vae, IMAGES, CONFIG, seed=0)
    gap = (exact - found.refined).mean()
    assert gap == pytest.approx(approximation, abs=0.02)
    amortization = (found.refined - found.elbo).mean()
    assert amortization == pytest.approx(whole.mean() - approximation, abs=0.06)
