"""Objectives that look at images: what they add, and whose weights it moves."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.helpers import grey_images, small_config, small_vae
from vae_cli.errors import ConfigError
from vae_cli.models.distributions import code
from vae_cli.models.features import feature_network
from vae_cli.models.objective import TrainingSetup
from vae_cli.models.objective.feature import feature_error
from vae_cli.registry import build

SHAPE = (6, 5, 1)
IMAGES = grey_images(4, *SHAPE).astype(np.float32) / 255
NOISE = np.random.default_rng(0).standard_normal((3, 4, 2)).astype(np.float32)


def built(name, **options):
    given = [f"objective.{key}={value}" for key, value in options.items()]
    config = small_config(f"objective={name}", *given).objective
    return build(config, TrainingSetup(SHAPE, 3))


def objective_and_vae(name, *overrides, **options):
    keras.utils.set_random_seed(0)
    return built(name, **options), small_vae("latent_dim=2", *overrides, shape=SHAPE)


@pytest.mark.parametrize("name", ["perceptual", "vae_gan"])
def test_bound_is_the_elbos_whatever_is_added(name):
    objective, vae = objective_and_vae(name)
    plain = build(small_config().objective, TrainingSetup(SHAPE, 3))
    for training in (False, True):
        noise = NOISE[: objective.noise_arrays]
        found = objective(vae, IMAGES, noise, 1.0, training=training)
        expected = plain(vae, IMAGES, NOISE[:1], 1.0, training=training)
        for field in ("reconstruction", "kl", "neg_elbo"):
            np.testing.assert_allclose(
                getattr(found, field), getattr(expected, field), rtol=1e-5
            )
        assert set(found.added) == (set(objective.adds) if training else set())


def test_feature_error_is_half_the_squared_distance_mean_over_places():
    network = feature_network(SHAPE, 1)
    a, b = network(IMAGES), network(IMAGES[::-1].copy())
    expected = sum(
        0.5 * ((np.asarray(a[k]) - np.asarray(b[k])) ** 2).sum(-1).mean((1, 2))
        for k in ("fine", "coarse")
    )
    np.testing.assert_allclose(feature_error(a, b), expected, rtol=1e-5)
    assert not np.any(feature_error(a, a))


def test_penalty_is_the_error_between_image_and_reconstruction():
    objective, vae = objective_and_vae("perceptual", feature_weight=2.5)
    found = objective(vae, IMAGES, NOISE[:1], 1.0, training=True).extras["penalty"]
    restored = vae.pixel_means(code(vae.infer(IMAGES, NOISE[:1]))[0])
    error = feature_error(objective.network(IMAGES), objective.network(restored))
    np.testing.assert_allclose(found, 2.5 * error, rtol=1e-4)


def moved(value, variables, tape):
    gradients = tape.gradient(value, variables)
    return [g is not None and bool(np.any(np.asarray(g))) for g in gradients]


def test_fooling_the_discriminator_moves_the_decoder_alone():
    objective, vae = objective_and_vae("vae_gan", feature_weight=0)
    with tf.GradientTape(persistent=True) as tape:
        terms = objective(vae, IMAGES, NOISE, 1.0, training=True)
        fool, judged = map(tf.reduce_sum, terms.added.values())
    assert not any(moved(fool, vae.encoder.trainable_variables, tape))
    assert all(moved(fool, vae.decoder.trainable_variables, tape))
    assert all(moved(judged, objective.trainable_variables, tape))


def test_features_of_the_discriminator_move_the_encoder():
    objective, vae = objective_and_vae("vae_gan", adversarial_weight=0)
    with tf.GradientTape() as tape:
        penalty = objective(vae, IMAGES, NOISE, 1.0, training=True).extras["penalty"]
        total = tf.reduce_sum(penalty)
    assert any(moved(total, vae.encoder.trainable_variables, tape))


@pytest.mark.parametrize("prior", ["standard", "mog", "vamp"])
def test_losses_are_those_of_what_the_discriminator_says(prior):
    options = [f"prior={prior}"] + (
        [] if prior == "standard" else ["prior.components=3"]
    )
    objective, vae = objective_and_vae(
        "vae_gan", *options, feature_weight=0, adversarial_weight=2
    )
    compiled = tf.function(lambda x, e: objective(vae, x, e, 1.0, training=True))
    terms = compiled(IMAGES, NOISE)
    z = code(vae.infer(IMAGES, NOISE[:1]))[0]
    uniform = tf.cast(0.5 * tf.math.erfc(-NOISE[2, :, 0] / np.sqrt(2)), tf.float32)
    prior_z = vae.sample_prior(NOISE[1], uniform)

    def real(images):
        logits = np.asarray(objective.network(images)["logits"])[:, 0]
        return 1 / (1 + np.exp(-logits.astype(np.float64)))

    drawn = [real(vae.pixel_means(code)) for code in (z, prior_z)]
    fool = -(np.log(drawn[0]) + np.log(drawn[1])) / 2
    np.testing.assert_allclose(terms.extras["penalty"], 2 * fool, rtol=1e-4)
    judged = -np.log(real(IMAGES)) - np.log((1 - drawn[0]) * (1 - drawn[1])) / 2
    np.testing.assert_allclose(terms.own["discriminator_loss"], judged, rtol=1e-4)


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (("distribution=mirrored",), "needs distribution=single"),
        (
            ("conditioning=observed", "corruption=box", "corruption.loss_on=missing"),
            "compares whole images",
        ),
        (("corruption=random_mask",), "corruption.loss_on=all"),
    ],
)
def test_what_does_not_go_together_is_refused(overrides, message):
    with pytest.raises(ConfigError) as refused:
        small_config("objective=vae_gan", *overrides)
    assert message in str(refused.value)
