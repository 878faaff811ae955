"""capacity and geco: constraints on the KL and on the reconstruction."""

import numpy as np
import pytest
import tensorflow as tf
from keras import ops

from tests.helpers import grey_images, small_config, small_vae
from vae_cli.models.objective import TrainingSetup
from vae_cli.registry import build

SHAPE = (4, 5, 1)
IMAGES = grey_images(6, *SHAPE).astype(np.float32) / 255
NOISE = np.random.default_rng(1).standard_normal((1, 6, 3)).astype(np.float32)


def objective_of(*overrides):
    return build(
        small_config(*overrides).objective, TrainingSetup(SHAPE, steps_per_epoch=5)
    )


def mean(values):
    return ops.mean(values)


@pytest.mark.parametrize(
    ("unit", "step", "expected"),
    [
        ("epochs", 0, 0.0),
        ("epochs", 5, 4.0),
        ("epochs", 15, 12.0),
        ("epochs", 99, 12.0),
        ("steps", 1, 4.0),
        ("steps", 2, 8.0),
    ],
)
def test_capacity_grows_in_a_straight_line_and_stays(unit, step, expected):
    objective = objective_of(
        "objective=capacity",
        "objective.capacity=12",
        "objective.duration=3",
        f"objective.unit={unit}",
    )
    assert float(objective.capacity_at(step)) == pytest.approx(expected)


@pytest.mark.parametrize("step", [0, 4])
def test_capacitys_penalty_is_the_distance_of_the_batchs_kl(step):
    vae = small_vae("latent_dim=3", shape=SHAPE)
    objective = objective_of(
        "objective=capacity", "objective.duration=1", "objective.gamma=30"
    )
    terms = objective(vae, IMAGES, NOISE, 0.0, training=True, step=tf.constant(step))
    expected = 30 * abs(np.mean(terms.kl) - 25 * step / 5)
    np.testing.assert_allclose(terms.extras["penalty"], [expected] * 6, rtol=1e-5)
    np.testing.assert_allclose(terms.statistics["capacity"], [25 * step / 5] * 6)


def test_multiplier_follows_the_moving_average_of_the_constraint():
    vae = small_vae("latent_dim=3", shape=SHAPE)
    objective = objective_of(
        "objective=geco",
        "objective.tolerance=3",
        "objective.rate=0.5",
        "objective.smoothing=0.9",
    )
    log_multiplier, average = 0.0, None
    for step in range(4):
        noise = NOISE * (1 + step)
        terms = objective(vae, IMAGES, noise, 1.0, training=True)
        now = np.mean(terms.reconstruction) - 3
        found = terms.statistics["lagrange_multiplier"]
        np.testing.assert_allclose(found, np.exp(log_multiplier), rtol=1e-4)
        weight = float(objective.kl_weight(2.0))
        assert weight == pytest.approx(2 * np.exp(-log_multiplier), rel=1e-4)
        objective.after_step(mean, terms)
        average = now if average is None else 0.9 * average + 0.1 * now
        log_multiplier += 0.5 * average / 20
    assert log_multiplier > 0.1


def test_multiplier_falls_while_the_error_is_smaller_than_it_need_be():
    vae = small_vae("latent_dim=3", shape=SHAPE)
    objective = objective_of("objective=geco", "objective.tolerance=1000")
    objective.after_step(mean, objective(vae, IMAGES, NOISE, 1.0, training=True))
    assert float(objective.kl_weight(1.0)) > 1


def test_squared_error_of_a_pixel_can_be_constrained():
    vae = small_vae("latent_dim=3", shape=SHAPE)
    objective = objective_of(
        "objective=geco", "objective.error=mse", "objective.tolerance=0.05"
    )
    terms = objective(vae, IMAGES, NOISE, 1.0, training=True)
    logits = vae.decode(vae.infer(IMAGES, NOISE)[0].z[0])
    restored = 1 / (1 + np.exp(-np.asarray(logits)))
    expected = ((IMAGES - restored) ** 2).mean(axis=(1, 2, 3)) - 0.05
    np.testing.assert_allclose(terms.statistics["constraint"], expected, atol=1e-5)
    assert len(objective.variables) == 3
