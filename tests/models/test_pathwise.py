"""Sticking the landing: the encoder's gradient through the sample alone."""

import numpy as np
import pytest
import tensorflow as tf

from tests.helpers import grey_images, small_vae
from tests.models.toys import SHAPE as LINEAR_SHAPE
from tests.models.toys import linear_gaussian, redraw
from vae_cli.config.objective import ElboConfig
from vae_cli.models.distributions import log_ratio
from vae_cli.models.objective import Elbo

SHAPE = (2, 3, 1)
IMAGES = (grey_images(4, *SHAPE) > 127).astype(np.float32)
VARIANTS = {
    "one level": (),
    "mog": ("prior=mog", "prior.components=3"),
    "two levels": ("hierarchy=two_level", "hierarchy.hidden_units=[4,3]"),
}
PLAIN, STICKING = Elbo(ElboConfig()), Elbo(ElboConfig(sticking_the_landing=True))


def normal(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def tiny_vae(variant):
    small = ("latent_dim=2", "architecture.hidden_units=[4]")
    activation = "architecture.activation=tanh"
    return redraw(small_vae(*VARIANTS[variant], *small, activation, shape=SHAPE), 0.6)


@pytest.mark.parametrize("variant", VARIANTS)
def test_kl_is_the_samples_in_training_and_the_elbos_in_a_validation(variant):
    vae, noise = tiny_vae(variant), normal(1, 4, 2)
    found = STICKING(vae, IMAGES, noise, 1.0, training=True)
    estimate = -log_ratio(vae.infer(IMAGES, noise))[0]
    np.testing.assert_allclose(found.kl, estimate, rtol=1e-4, atol=1e-5)
    assert found.kl_per_dim is None
    found, plain = (
        objective(vae, IMAGES, noise, 1.0) for objective in (STICKING, PLAIN)
    )
    np.testing.assert_array_equal(found.kl, plain.kl)


def test_each_samples_gradient_vanishes_at_the_true_posterior():
    model, pixels = linear_gaussian(), grey_images(7, *LINEAR_SHAPE)
    x, encoder = pixels.astype(np.float32) / 255, model.vae.encoder.trainable_variables
    largest = []
    for objective in (PLAIN, STICKING):
        with tf.GradientTape() as tape:
            terms = objective(model.vae, x, normal(1, 7, 2), 1.0, training=True)
            loss = tf.reduce_mean(terms.reconstruction + terms.kl)
        gradients = tape.gradient(loss, encoder)
        largest.append(max(np.abs(gradient).max() for gradient in gradients))
    assert largest[1] < 1e-4 < 0.1 < largest[0]


@pytest.mark.parametrize("beta", [0.5, 1.0])
@pytest.mark.parametrize("variant", VARIANTS)
def test_gradient_is_the_elbos_in_expectation(variant, beta, repeats=60, copies=100):
    vae = tiny_vae(variant)
    images = tf.constant(np.repeat(IMAGES, copies, axis=0))

    @tf.function
    def gradients(noise):
        found = []
        for objective in (PLAIN, STICKING):
            with tf.GradientTape() as tape:
                terms = objective(vae, images, noise, beta, training=True)
                loss = tf.reduce_mean(terms.reconstruction + beta * terms.kl)
            parts = tape.gradient(loss, [v.value for v in vae.trainable_variables])
            found.append(tf.concat([tf.reshape(part, [-1]) for part in parts], 0))
        return found

    rows = [gradients(normal(1, len(images), 2, seed=seed)) for seed in range(repeats)]
    plain, sticking = np.array(rows, np.float64).transpose(1, 0, 2)
    difference = sticking - plain
    error = difference.std(axis=0, ddof=1) / np.sqrt(repeats)
    assert np.linalg.norm(error) < 0.1 * np.linalg.norm(plain.mean(axis=0))
    assert np.abs(difference.mean(axis=0) / np.maximum(error, 1e-6)).max() < 5
