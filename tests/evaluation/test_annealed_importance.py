import numpy as np
import pytest

from tests.helpers import grey_images, small_vae
from tests.models.toys import SHAPE, linear_gaussian, redraw
from vae_cli.config.evaluate import AnnealingConfig
from vae_cli.evaluation.annealing import Annealing, annealing_schedule
from vae_cli.evaluation.importance import importance_sampling
from vae_cli.evaluation.simulation import simulated

IMAGES = grey_images(12, *SHAPE)


def config(**changes) -> AnnealingConfig:
    small = {"temperatures": 60, "chains": 8, "leapfrog_steps": 4}
    return AnnealingConfig(**{**small, **changes})


def test_temperatures_rise_from_0_to_1_and_are_close_at_both_ends():
    betas = annealing_schedule(100)
    assert betas[0] == 0
    assert betas[-1] == 1
    gaps = np.diff(betas)
    assert (gaps > 0).all()
    np.testing.assert_allclose(gaps, gaps[::-1])
    assert gaps[0] < gaps[49] / 10


@pytest.mark.parametrize(
    "start", ["prior", pytest.param("posterior", marks=pytest.mark.slow)]
)
def test_estimates_of_a_linear_model_are_its_closed_form(start):
    model = linear_gaussian(shift=0.3, widen=2.0)
    found = Annealing(model.vae, IMAGES, config(start=start), seed=0).forward()
    exact = model.log_prob(IMAGES)
    np.testing.assert_allclose(found.log_prob, exact, atol=0.25)
    assert found.log_prob.mean() == pytest.approx(exact.mean(), abs=0.05)
    assert 0.5 < found.acceptance < 0.98


def test_simulated_images_are_bounded_from_both_sides():
    model = linear_gaussian()
    images, z = simulated(model.vae, 200, 0)
    chains = Annealing(model.vae, images, config(temperatures=8, chains=1), seed=0)
    lower, upper = chains.forward().log_prob, chains.reverse(z).log_prob
    exact = model.log_prob(images * 255)
    error = np.std(upper - lower) / np.sqrt(200)
    assert lower.mean() < exact.mean() < upper.mean()
    assert (upper - lower).mean() > 4 * error  # so few temperatures leave a gap
    finer = Annealing(model.vae, images, config(temperatures=80), seed=0)
    gap = finer.reverse(z).log_prob - finer.forward().log_prob
    assert abs(gap.mean()) < 0.1 * (upper - lower).mean()


@pytest.mark.slow
def test_weights_average_to_p_of_x_whatever_the_temperatures():
    model = linear_gaussian(shift=0.3, widen=2.0)
    few = config(temperatures=3, chains=1000)
    found = Annealing(model.vae, IMAGES, few, seed=1).forward()
    np.testing.assert_allclose(found.log_prob, model.log_prob(IMAGES), atol=0.25)


@pytest.mark.slow
@pytest.mark.parametrize(
    "overrides",
    [
        ("prior=mog", "prior.components=3"),
        ("hierarchy=two_level", "hierarchy.hidden_units=[4,3]", "prior=vamp",
         "prior.components=3"),
    ],
)  # fmt: skip
def test_estimates_agree_with_importance_sampling(overrides):
    vae = redraw(small_vae(*overrides, "latent_dim=3", shape=SHAPE), 0.3)
    found = Annealing(vae, IMAGES, config(), seed=0).forward()
    sampled = importance_sampling(vae, IMAGES, 20_000, seed=0)
    error = np.sqrt((20_000 / sampled.effective_samples - 1) / 20_000)
    assert error.max() < 0.1
    np.testing.assert_allclose(found.log_prob, sampled.log_prob, atol=0.3)
    mean = sampled.log_prob.mean()
    assert found.log_prob.mean() == pytest.approx(mean, abs=0.06)


@pytest.mark.slow
def test_batches_and_later_images_change_no_estimate():
    model = linear_gaussian()
    whole = Annealing(model.vae, IMAGES, config(temperatures=10), 0).forward()
    parts = Annealing(
        model.vae, IMAGES, config(temperatures=10), 0, batch_size=5
    ).forward()
    np.testing.assert_allclose(parts.log_prob, whole.log_prob, atol=1e-3)
    first = Annealing(model.vae, IMAGES[:4], config(temperatures=10), 0).forward()
    np.testing.assert_allclose(first.log_prob, whole.log_prob[:4], atol=1e-3)
