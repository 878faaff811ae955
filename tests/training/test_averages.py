import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.helpers import small_config, whole
from vae_cli.data.prepare import load_data
from vae_cli.evaluation.bounds import evaluate_elbo
from vae_cli.training.averages import WeightAverage, batch_statistics
from vae_cli.training.build import build_learner
from vae_cli.training.checkpoints import Checkpoints, Progress
from vae_cli.training.distribution import Distribution

NORMALIZED = (
    "architecture.normalization=batch",
    "dataset.num_images=150",
    "dataset.image_size=8",
    "dataset.validation_size=50",
    "optimizer.learning_rate=0.01",
)


def learner_of(*overrides: str):
    """Return a learner of 100 images, and them."""
    config = small_config(*NORMALIZED, *overrides)
    data = load_data(config.dataset)
    learner = build_learner(config, data, Distribution())
    learner.compile(learner.optimizer, run_eagerly=True)
    return learner, data


def statistics(learner) -> list[np.ndarray]:
    named = ("moving_mean", "moving_variance")
    return [np.asarray(v) for v in learner.vae.variables if v.name in named]


def test_average_is_that_of_its_formula_from_the_first_value():
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    weight = model.trainable_variables[0]
    weight.assign([[2.0]])
    average = WeightAverage(model, 0.75)
    assert average.variables[0].numpy() == 2
    for value in (6.0, -2.0, 10.0):
        weight.assign([[value]])
        average.update()
    expected = 0.75**3 * 2 + 0.25 * (0.75**2 * 6 - 0.75 * 2 + 10)
    assert average.variables[0].numpy() == pytest.approx(expected)


def test_average_of_pseudo_inputs_starts_at_the_images_that_they_start_at():
    config = small_config(
        "prior=vamp", "prior.components=4", "prior.start=data",
        "optimizer.ema_decay=0.9", "dataset.num_images=60",
        "dataset.validation_size=10",
    )  # fmt: skip
    learner = build_learner(config, load_data(config.dataset), Distribution())
    values = [np.asarray(value) for value in learner.vae.trainable_variables]
    with learner.averaged_weights():
        inside = [np.asarray(value) for value in learner.vae.trainable_variables]
    for value, average in zip(values, inside, strict=True):
        np.testing.assert_array_equal(value, average)


def test_moving_statistics_are_averaged_as_the_weights_are():
    learner, _ = learner_of("optimizer.ema_decay=0.75")
    trail = [statistics(learner)]
    for step in range(3):
        learner.train_step(whole(range(20 * step, 20 * step + 20)))
        trail.append(statistics(learner))
    assert len(trail[0]) == 4  # of a layer in each network
    with learner.averaged_weights():
        inside = statistics(learner)
    for found, steps in zip(inside, zip(*trail, strict=True), strict=True):
        average = 0.75**3 * steps[0].astype(float)
        for age, value in enumerate(reversed(steps[1:])):
            average += 0.25 * 0.75**age * value
        np.testing.assert_allclose(found, average, rtol=1e-5, atol=1e-6)
    for raw, found in zip(trail[-1], statistics(learner), strict=True):
        np.testing.assert_array_equal(raw, found)


def test_averaged_statistics_fit_the_averaged_weights_as_raw_ones_do_not():
    learner, data = learner_of("optimizer.ema_decay=0.99", "latent_dim=4")
    images = data.train.images[:]
    for step in range(150):
        learner.train_step(whole((np.arange(50) + 37 * step) % len(images)))
    raw = statistics(learner)
    with learner.averaged_weights():
        found = evaluate_elbo(learner.vae, images, 0).neg_elbo
        for variable, value in zip(batch_statistics(learner.vae), raw, strict=True):
            variable.assign(value)
        of_raw = evaluate_elbo(learner.vae, images, 0).neg_elbo
        pixels = images.astype(np.float32) / 255
        for _ in range(600):  # statistics estimated anew, with the same weights
            mean, _ = learner.vae.encode(pixels, training=True)
            learner.vae.decode(mean, training=True)
        anew = evaluate_elbo(learner.vae, images, 0).neg_elbo
    print(found, of_raw, anew)
    assert abs(found - anew) < 0.3 * abs(of_raw - anew)


def test_average_and_its_statistics_are_restored_to_the_bit(tmp_path):
    first, _ = learner_of("optimizer.ema_decay=0.75")
    for step in range(2):
        first.train_step(whole(range(20 * step, 20 * step + 20)))
    Checkpoints(tmp_path, first).save_state(Progress(step=2))
    second, _ = learner_of("optimizer.ema_decay=0.75")
    Checkpoints(tmp_path, second).restore()
    assert len(first.average.variables) == len(second.average.variables)
    for learner in (first, second):
        learner.train_step(whole(range(40, 60)))
    pairs = zip(first.average.variables, second.average.variables, strict=True)
    for one, other in pairs:
        np.testing.assert_array_equal(one, other)
