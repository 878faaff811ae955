import numpy as np
import pytest

from tests.helpers import small_vae
from vae_cli.evaluation.simulation import simulated

GRID = np.linspace(0, 1, 256)


@pytest.mark.parametrize(
    "overrides",
    [
        ("likelihood=bernoulli",),
        ("likelihood=continuous_bernoulli",),
        ("likelihood=discretized_logistic",),
        ("likelihood=discretized_logistic", "likelihood.mixture=3"),
    ],
)
def test_drawn_pixels_have_the_probabilities_of_log_prob(overrides):
    likelihood = small_vae(*overrides, shape=(4, 5, 1)).likelihood
    assert likelihood.has_samples
    rng, count = np.random.default_rng(0), 40_000
    outputs = rng.normal(size=likelihood.outputs_per_channel).astype(np.float32)
    logits = np.broadcast_to(outputs, (count, 1, 1, len(outputs)))
    drawn = likelihood.sample(logits, rng).astype(np.float64).ravel()
    assert drawn.min() >= 0
    assert drawn.max() <= 1
    grid = np.array([0.0, 1.0]) if "likelihood=bernoulli" in overrides else GRID
    x = grid.astype(np.float32)[:, None, None, None]
    every = np.broadcast_to(outputs, (len(grid), 1, 1, len(outputs)))
    p = np.exp(np.asarray(likelihood.log_prob(x, every), np.float64))
    p /= p.sum()  # of a density, its values on a fine grid
    mean = (p * grid).sum()
    deviation = np.sqrt((p * (grid - mean) ** 2).sum())
    assert drawn.mean() == pytest.approx(
        mean, abs=4 * deviation / np.sqrt(count) + 2e-3
    )
    assert drawn.std() == pytest.approx(deviation, rel=0.03)


def test_images_are_drawn_around_the_means_of_their_codes():
    vae = small_vae("likelihood=gaussian", "likelihood.std=0.2", "latent_dim=3")
    images, z = simulated(vae, 2000, 0)
    residual = images - np.asarray(vae.pixel_means(z))
    assert residual.mean() == pytest.approx(0, abs=0.005)
    assert residual.std() == pytest.approx(0.2, rel=0.02)
    again, _ = simulated(vae, 2000, 0)
    np.testing.assert_array_equal(again, images)
