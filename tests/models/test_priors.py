import numpy as np
import pytest
import tensorflow as tf

from tests.helpers import grey_images, small_config, small_vae
from tests.models.test_distributions import log_density
from vae_cli.config.prior import MixtureConfig, VampConfig
from vae_cli.models.prior import MixturePrior, StandardPrior, VampPrior
from vae_cli.registry import build

RNG = np.random.default_rng(0)
SHAPE = (4, 5, 1)


def vamp_vae(*overrides: str, architecture: str = "dense", components: int = 5):
    return small_vae(
        "prior=vamp",
        f"prior.components={components}",
        "architecture.activation=tanh",
        *overrides,
        architecture=architecture,
        shape=SHAPE,
    )


def posteriors_of(vae, images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and log-variance of the top level's posterior."""
    found = vae.encoder(images)
    return np.asarray(found["mean"]), np.asarray(found["log_var"])


@pytest.mark.parametrize("hierarchy", ["none", "two_level"])
@pytest.mark.parametrize("architecture", ["dense", "conv", "residual_conv"])
def test_vamp_prior_is_the_equal_mixture_of_its_pseudo_inputs_posteriors(
    architecture, hierarchy
):
    vae = vamp_vae("latent_dim=4", f"hierarchy={hierarchy}", architecture=architecture)
    images = grey_images(5, *SHAPE).astype(np.float32) / 255
    vae.prior_network.start_at(images)
    z = RNG.normal(0, 2, (6, 4)).astype(np.float32)
    top = 4 if hierarchy == "none" else 2
    expected = log_density(z[:, :top], np.full(5, 0.2), *posteriors_of(vae, images))
    np.testing.assert_allclose(vae.prior().log_prob(z[:, :top]), expected, atol=1e-4)


def test_weights_of_a_vamp_prior_add_up_to_one():
    prior = vamp_vae(components=7).prior()
    assert np.exp(np.asarray(prior.log_weights, np.float64)).sum() == pytest.approx(1)
    assert prior.mean.shape == prior.log_var.shape == (7, 2)


def test_codes_of_a_vamp_prior_without_noise_are_posterior_means_of_pseudo_inputs():
    vae = vamp_vae()
    images = grey_images(5, *SHAPE).astype(np.float32) / 255
    vae.prior_network.start_at(images)
    z = vae.sample_prior(np.zeros((5, 2), np.float32), (np.arange(5) + 0.5) / 5)
    np.testing.assert_allclose(z, posteriors_of(vae, images)[0], atol=1e-6)


def test_vamp_prior_starts_at_the_images_it_is_given():
    vae = vamp_vae()
    images = grey_images(5, *SHAPE).astype(np.float32) / 255
    vae.prior_network.start_at(images)
    np.testing.assert_array_equal(vae.prior_network.pseudo_inputs, images)
    prior = vae.prior()
    for found, expected in zip(
        (prior.mean, prior.log_var), posteriors_of(vae, images), strict=True
    ):
        np.testing.assert_allclose(found, expected, atol=1e-6)


def test_vamp_prior_starts_near_black_by_itself():
    pixels = np.asarray(vamp_vae(components=200).prior_network.pseudo_inputs)
    assert pixels.shape == (200, *SHAPE)
    assert pixels.mean() == pytest.approx(0.05, abs=1e-3)
    assert pixels.std() == pytest.approx(0.01, rel=0.05)


@pytest.mark.parametrize("hierarchy", ["none", "two_level"])
def test_gradients_reach_the_pseudo_inputs_and_the_encoder_behind_them(hierarchy):
    vae = vamp_vae("latent_dim=4", f"hierarchy={hierarchy}")
    top = 4 if hierarchy == "none" else 2
    codes = tf.constant(RNG.normal(0, 2, (6, top)), tf.float32)
    watched = [vae.prior_network.pseudo_inputs, *vae.encoder.trainable_variables]
    with tf.GradientTape() as tape:
        score = tf.reduce_sum(vae.prior().log_prob(codes))
    for gradient in tape.gradient(score, watched):
        assert (np.asarray(gradient) != 0).any()


def test_pseudo_inputs_beyond_the_range_of_pixels_are_taken_as_black_or_white():
    vae = vamp_vae()
    images = 3 * grey_images(5, *SHAPE).astype(np.float32) / 255 - 1
    vae.prior_network.start_at(images)
    expected = posteriors_of(vae, images.clip(0, 1))[0]
    np.testing.assert_allclose(vae.prior().mean, expected, atol=1e-6)


def test_pseudo_inputs_are_trained_once_with_the_models_weights():
    vae = vamp_vae()
    trained = [id(variable) for variable in vae.trainable_variables]
    networks = [
        *vae.encoder.trainable_variables,
        *vae.decoder.trainable_variables,
        vae.prior_network.pseudo_inputs,
    ]
    assert sorted(trained) == sorted(id(variable) for variable in networks)


@pytest.mark.parametrize(
    "name, kind",
    [("standard", StandardPrior), ("mog", MixturePrior), ("vamp", VampPrior)],
)
def test_prior_is_the_one_of_the_config(name, kind):
    few = () if name == "standard" else ("prior.components=6",)
    config = small_config(f"prior={name}", *few).prior
    prior = build(config, 2)
    prior.connect(lambda images: (images, images), SHAPE, 0)
    assert type(prior) is kind
    if name != "standard":
        assert prior.trainable_weights[0].shape[0] == 6
    assert isinstance(config, VampConfig) == (name == "vamp")


def test_codes_below_the_top_level_are_the_noise():
    vae = vamp_vae("latent_dim=4", "hierarchy=two_level")
    noise = RNG.standard_normal((5, 4)).astype(np.float32)
    z = vae.sample_prior(noise, (np.arange(5) + 0.5) / 5)
    np.testing.assert_array_equal(z[:, 2:], noise[:, 2:])
    assert (np.asarray(z)[:, :2] != noise[:, :2]).all()


def test_weights_of_a_learned_mixture_are_those_of_its_distribution():
    prior = MixturePrior(MixtureConfig(components=4), 2)
    for weight in prior.trainable_weights:
        weight.assign(RNG.normal(size=weight.shape))
    mean, log_var, logits = (np.asarray(w) for w in prior.trainable_weights)
    found = prior.distribution()
    np.testing.assert_array_equal(found.mean, mean)
    np.testing.assert_array_equal(found.log_var, log_var)
    weights = np.exp(logits) / np.exp(logits).sum()
    np.testing.assert_allclose(np.exp(found.log_weights), weights, rtol=1e-6)
