"""Models whose posterior or prior is a flow."""

import numpy as np
import pytest
import tensorflow as tf

from tests.helpers import grey_images, small_vae
from tests.models.toys import redraw
from vae_cli.errors import ConfigError
from vae_cli.models.architectures.base import with_features
from vae_cli.models.distributions import kl_per_dim, log_ratio

RNG = np.random.default_rng(0)
SHAPE = (4, 5, 1)
FLOWS = {
    "iaf": ("posterior=iaf", "posterior.steps=2", "posterior.hidden_units=[6]"),
    "planar": ("posterior=planar", "posterior.steps=3"),
}
IMAGES = grey_images(5, *SHAPE).astype(np.float32) / 255


def vae_of(posterior: str, *overrides: str):
    words = (*FLOWS[posterior], "posterior.condition_units=5", "latent_dim=4")
    return redraw(small_vae(*words, *overrides, shape=SHAPE, num_classes=3), 0.4)


def noise(samples: int = 3, dim: int = 4) -> np.ndarray:
    return RNG.standard_normal((samples, 5, dim)).astype(np.float32)


@pytest.mark.parametrize("posterior", FLOWS)
def test_log_ratio_is_that_of_the_change_of_variables(posterior: str) -> None:
    vae, e = vae_of(posterior), tf.constant(noise())
    condition = vae.condition()
    with tf.GradientTape() as tape:
        tape.watch(e)
        (level,) = vae.levels(vae.encode(IMAGES), e, condition)
        z = tf.reshape(level.z, (-1, 4))
    rows = tape.jacobian(z, e)  # [15, 4, 3, 5, 4]
    own = tf.reshape(rows, (15, 4, 15, 4)).numpy()
    own = np.stack([own[i, :, i] for i in range(15)]).astype(np.float64)
    log_q = -0.5 * (e.numpy() ** 2 + np.log(2 * np.pi)).sum(-1)
    log_q -= np.linalg.slogdet(own)[1].reshape(3, 5)
    log_p = -0.5 * (level.z.numpy() ** 2 + np.log(2 * np.pi)).sum(-1)
    np.testing.assert_allclose(log_ratio([level]), log_p - log_q, atol=1e-4)
    assert kl_per_dim(level.posterior, level.prior) is None


@pytest.mark.parametrize("posterior", FLOWS)
def test_gradients_reach_every_weight(posterior: str) -> None:
    vae = vae_of(posterior, "prior=realnvp", "prior.hidden_units=[6]")
    with tf.GradientTape() as tape:
        levels = vae.infer(IMAGES, noise())
        loss = tf.reduce_mean(vae.log_likelihood(IMAGES, levels) + log_ratio(levels))
    weights = vae.trainable_variables
    assert len({id(weight) for weight in weights}) == len(weights)
    for weight, gradient in zip(weights, tape.gradient(loss, weights), strict=True):
        assert (np.asarray(gradient) != 0).any(), weight.path


@pytest.mark.parametrize("posterior", FLOWS)
def test_flows_stay_in_float32_where_networks_do_not(posterior: str) -> None:
    words = (*FLOWS[posterior], "prior=iaf", "precision=mixed_bfloat16", "latent_dim=4")
    vae = small_vae(*words, shape=SHAPE)
    for part in (vae.posterior_network, vae.prior_network):
        for layer in part._flatten_layers():
            assert layer.compute_dtype == "float32"


def test_flow_is_of_the_top_of_two_levels() -> None:
    vae = vae_of("iaf", "hierarchy=two_level", "hierarchy.hidden_units=[6]")
    encoded = vae.encode(IMAGES)
    top, bottom = vae.levels(encoded, noise())
    assert top.z.shape == bottom.z.shape == (3, 5, 2)
    q = vae.mean_posterior(encoded)
    zero = vae.levels(encoded, np.zeros((1, 5, 4), np.float32))
    expected = np.concatenate([zero[0].z[0], zero[1].z[0]], axis=-1)
    np.testing.assert_allclose(q.mean, expected, atol=1e-5)
    encoder, _ = vae.export_networks()
    np.testing.assert_allclose(encoder(IMAGES)["mean"], expected, atol=1e-5)


@pytest.mark.parametrize("prior", ["realnvp", "iaf"])
def test_prior_of_labels_gives_each_image_the_density_of_its_own(prior: str) -> None:
    vae = vae_of(
        "planar", f"prior={prior}", "prior.hidden_units=[6]", "conditioning=label",
        "conditioning.learned_prior=true",
    )  # fmt: skip
    z = noise()
    labels = [0, 1, 2, 0, 1]
    together = np.asarray(vae.prior(vae.condition(label=labels)).log_prob(z))
    assert together.shape == (3, 5)
    for i, label in enumerate(labels):
        p = vae.prior(vae.condition(label=[label]))
        np.testing.assert_allclose(p.log_prob(z[:, i]), together[:, i], rtol=1e-4)
    other = vae.prior(vae.condition(label=[1, 2, 0, 1, 2])).log_prob(z)
    assert np.abs(other - together).min() > 1e-4


def test_architecture_without_a_layer_named_mean_is_refused() -> None:
    import keras

    image = keras.Input(SHAPE)
    x = keras.layers.Flatten()(image)
    outputs = {name: keras.layers.Dense(2)(x) for name in ("mean", "log_var")}
    with pytest.raises(ConfigError, match="posterior=iaf needs the encoder's features"):
        with_features(keras.Model(image, outputs), "condition", "posterior=iaf")
