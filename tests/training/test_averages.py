import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.helpers import small_config, whole
from vae_cli.data.prepare import load_data
from vae_cli.evaluation.bounds import evaluate_elbo
from vae_cli.randomness import Stream, key
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
    return [np.asarray(s.value) for s in batch_statistics(learner.vae)]


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
        "prior=vamp", "prior.components=4", "prior.initialization=data",
        "optimizer.ema_decay=0.9", "dataset.num_images=60",
        "dataset.validation_size=10",
    )  # fmt: skip
    learner = build_learner(config, load_data(config.dataset), Distribution())
    values = [np.asarray(value) for value in learner.vae.trainable_variables]
    with learner.averaged_weights():
        inside = [np.asarray(value) for value in learner.vae.trainable_variables]
    for value, average in zip(values, inside, strict=True):
        np.testing.assert_array_equal(value, average)


def test_moving_statistics_are_averaged_without_the_constants_they_start_from():
    learner, _ = learner_of("optimizer.ema_decay=0.75")
    trail = [statistics(learner)]
    for step in range(3):
        learner.train_step(whole(range(20 * step, 20 * step + 20)))
        trail.append(statistics(learner))
    assert len(trail[0]) == 4  # of a layer in each network
    with learner.averaged_weights():
        inside = statistics(learner)
    for found, steps in zip(inside, zip(*trail, strict=True), strict=True):
        start = steps[0].astype(float)
        settled = [
            (value - 0.99**t * start) / (1 - 0.99**t)
            for t, value in enumerate(steps[1:], 1)
        ]
        average = settled[0]
        for value in settled[1:]:
            average = 0.75 * average + 0.25 * value
        np.testing.assert_allclose(found, average, rtol=1e-3, atol=1e-4)
    for raw, found in zip(trail[-1], statistics(learner), strict=True):
        np.testing.assert_array_equal(raw, found)


@pytest.mark.parametrize(
    "options",
    [
        (),
        ("architecture.hidden_units=[6,5]",),
        ("hierarchy=two_level", "hierarchy.hidden_units=[5]"),
        ("prior=vamp", "prior.components=3"),
        ("objective=iwae", "objective.importance_samples=2"),
        ("objective=vae_gan",),
        ("conditioning=observed", "corruption=quadrants", "corruption.loss_on=missing"),
    ],
)
def test_average_after_a_step_has_the_statistics_of_that_batch(options):
    learner, _ = learner_of("optimizer.ema_decay=0.9", *options)
    layers = [
        layer
        for layer in learner.vae._flatten_layers()
        if isinstance(layer, keras.layers.BatchNormalization)
    ]
    images = learner._train.read(whole(range(30)), 0)
    condition = learner._train.condition(images, whole(range(30)), 0)
    noise = tf.random.stateless_normal(
        (learner.objective.noise_arrays, 30, learner.vae.latent_dim),
        key(learner._seed, Stream.TRAINING_NOISE, 0),
    )
    before = statistics(learner)
    for layer in layers:
        layer.momentum = 0.0  # what is kept is then the batch's own
    condition = learner.vae.condition(**condition)
    learner.objective(learner.vae, images, noise, 1.0, condition, training=True)
    expected = statistics(learner)
    for layer in layers:
        layer.momentum = 0.99
    for statistic, value in zip(batch_statistics(learner.vae), before, strict=True):
        statistic.value.assign(value)
    learner.train_step(whole(range(30)))
    with learner.averaged_weights():
        for found, value in zip(statistics(learner), expected, strict=True):
            np.testing.assert_allclose(found, value, rtol=1e-3, atol=1e-4)


@pytest.mark.slow
def test_averaged_statistics_are_near_those_estimated_anew_on_training_images():
    learner, data = learner_of("optimizer.ema_decay=0.99", "latent_dim=4")
    images = data.train.images[:]
    for step in range(150):
        learner.train_step(whole((np.arange(50) + 37 * step) % len(images)))
    raw = statistics(learner)
    with learner.averaged_weights():
        found = evaluate_elbo(learner.vae, images, 0).neg_elbo
        kept = batch_statistics(learner.vae)
        for statistic, value in zip(kept, raw, strict=True):
            statistic.value.assign(value)
        of_raw = evaluate_elbo(learner.vae, images, 0).neg_elbo
        pixels = tf.constant(images / np.float32(255))
        for step in range(500):
            noise = tf.random.stateless_normal((1, len(images), 4), (step, 0))
            learner.objective(learner.vae, pixels, noise, 1.0, training=True)
        anew = evaluate_elbo(learner.vae, images, 0).neg_elbo
    assert abs(found - anew) < 0.5 * abs(of_raw - anew)


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
