import numpy as np
import pytest
import tensorflow as tf
from scipy import stats

from tests.helpers import grey_images, mean_and_log_var, small_vae
from tests.models.toys import SHAPE as LINEAR_SHAPE
from tests.models.toys import linear_gaussian, redraw
from vae_cli.config.objective import ElboConfig, IwaeConfig
from vae_cli.models.distributions import log_ratio
from vae_cli.models.objective import Elbo
from vae_cli.models.objective.iwae import Iwae

SHAPE = (2, 3, 1)
IMAGES = (grey_images(4, *SHAPE) > 127).astype(np.float32)
VARIANTS = {
    "standard": (),
    "mog": ("prior=mog", "prior.components=3"),
    "vamp": ("prior=vamp", "prior.components=3"),
    "two levels": ("hierarchy=two_level", "hierarchy.hidden_units=[4,3]"),
    "two levels, vamp": (
        "hierarchy=two_level",
        "hierarchy.hidden_units=[4,3]",
        "prior=vamp",
        "prior.components=3",
    ),
}
ONE_LEVEL = [name for name in VARIANTS if "two" not in name]


def tiny_vae(variant: str = "standard", scale: float = 0.6):
    """A model of a few weights, none of them small."""
    vae = small_vae(
        *VARIANTS[variant],
        "latent_dim=2",
        "architecture.hidden_units=[4]",
        "architecture.activation=tanh",
        shape=SHAPE,
    )
    return redraw(vae, scale)


def iwae(samples: int, doubly: bool = False) -> Iwae:
    return Iwae(IwaeConfig(importance_samples=samples, doubly_reparameterized=doubly))


def normal(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def loss_and_gradients(objective, vae, noise, beta, images=IMAGES):
    with tf.GradientTape() as tape:
        terms = objective(vae, images, noise, beta, training=True)
        loss = tf.reduce_mean(terms.reconstruction) + beta * tf.reduce_mean(terms.kl)
    gradients = tape.gradient(loss, vae.trainable_variables)
    return float(loss), [np.asarray(gradient) for gradient in gradients]


def weights_by_hand(vae, noise: np.ndarray, beta: float) -> np.ndarray:
    """log p(x|z) + beta (log p(z) - log q(z|x)) of each sample: [k, B]."""
    mean, log_var = (
        np.asarray(part, np.float64) for part in mean_and_log_var(vae, IMAGES)
    )
    deviation = np.exp(log_var / 2)
    found = []
    for epsilon in noise:
        z = mean + deviation * epsilon
        logits = np.asarray(vae.decode(z.astype(np.float32)), np.float64)
        score = (IMAGES * logits - np.logaddexp(0, logits)).sum((1, 2, 3))
        log_p = stats.norm.logpdf(z).sum(axis=1)
        log_q = stats.norm.logpdf(z, mean, deviation).sum(axis=1)
        found.append(score + beta * (log_p - log_q))
    return np.stack(found)


def log_mean_exp(values: np.ndarray) -> np.ndarray:
    return np.logaddexp.reduce(values, axis=0) - np.log(len(values))


@pytest.mark.parametrize("beta", [0.0, 0.5, 3.0])
@pytest.mark.parametrize(
    "variant, doubly",
    [(name, doubly) for name in VARIANTS for doubly in (False, True)],
)
def test_one_sample_is_the_elbo_in_loss_and_gradient(variant, doubly, beta):
    vae, noise = tiny_vae(variant), normal(1, 4, 2)
    plain = Elbo(ElboConfig())
    loss, gradients = loss_and_gradients(plain, vae, noise, beta)
    found_loss, found = loss_and_gradients(iwae(1, doubly), vae, noise, beta)
    assert found_loss == loss
    for gradient, expected in zip(found, gradients, strict=True):
        np.testing.assert_array_equal(gradient, expected)


@pytest.mark.parametrize("variant", VARIANTS)
def test_equal_samples_give_the_elbo_of_one(variant):
    vae, noise = tiny_vae(variant), normal(1, 4, 2)
    one = Elbo(ElboConfig())(vae, IMAGES, noise, 1.0)
    several = iwae(5)(vae, IMAGES, np.repeat(noise, 5, axis=0), 1.0)
    levels = vae.infer(IMAGES, noise)
    # the weights have a one-sample estimate of the KL where the ELBO has a closed form
    estimate = one.reconstruction - log_ratio(levels)[0]
    np.testing.assert_allclose(several.neg_bound, estimate, rtol=1e-5)
    if variant in ("mog", "vamp"):
        np.testing.assert_allclose(several.neg_bound, one.neg_elbo, rtol=1e-5)


def test_bound_has_a_name_of_its_own_from_two_samples_on():
    found = [iwae(samples).bound for samples in (1, 2, 50)]
    assert found == ["neg_elbo", "neg_iwae", "neg_iwae"]
    assert [iwae(samples).noise_arrays for samples in (1, 2, 50)] == [1, 2, 50]


@pytest.mark.parametrize("samples", [2, 5, 30])
def test_bound_is_the_log_mean_of_weights_computed_by_hand(samples):
    vae, noise = tiny_vae(), normal(samples, 4, 2)
    terms = iwae(samples)(vae, IMAGES, noise, 0.3)
    log_weights = weights_by_hand(vae, noise, beta=1.0)
    np.testing.assert_allclose(terms.neg_bound, -log_mean_exp(log_weights), rtol=1e-5)


@pytest.mark.parametrize("beta", [0.0, 0.5, 1.0, 3.0])
@pytest.mark.parametrize("doubly", [False, True])
def test_reconstruction_plus_beta_times_kl_is_minus_the_bound_at_that_beta(
    doubly, beta
):
    vae, noise = tiny_vae(), normal(6, 4, 2)
    terms = iwae(6, doubly)(vae, IMAGES, noise, beta)
    loss = np.asarray(terms.reconstruction) + beta * np.asarray(terms.kl)
    expected = -log_mean_exp(weights_by_hand(vae, noise, beta))
    np.testing.assert_allclose(loss, expected, rtol=1e-5)


@pytest.mark.parametrize("variant", VARIANTS)
def test_minimised_sum_is_the_bound_at_beta_one(variant):
    vae, noise = tiny_vae(variant), normal(6, 4, 2)
    terms = iwae(6)(vae, IMAGES, noise, 1.0)
    loss = np.asarray(terms.reconstruction) + np.asarray(terms.kl)
    np.testing.assert_allclose(loss, terms.neg_bound, rtol=1e-5)


def test_neg_elbo_is_the_elbo_averaged_over_the_samples():
    vae, noise = tiny_vae(), normal(6, 4, 2)
    terms = iwae(6)(vae, IMAGES, noise, 0.5)
    mean, log_var = (
        np.asarray(part, np.float64) for part in mean_and_log_var(vae, IMAGES)
    )
    kl = (0.5 * (mean**2 + np.exp(log_var) - log_var - 1)).sum(axis=1)
    reconstruction = -weights_by_hand(vae, noise, beta=0.0).mean(axis=0)
    np.testing.assert_allclose(terms.neg_elbo, reconstruction + kl, rtol=1e-5)
    np.testing.assert_allclose(terms.kl, kl, rtol=1e-5)
    np.testing.assert_allclose(np.sum(terms.kl_per_dim, axis=1), kl, rtol=1e-5)


@pytest.mark.parametrize("samples", [2, 5, 50])
def test_bound_of_the_true_posterior_is_log_p_for_every_sample_count(samples):
    model, pixels = linear_gaussian(), grey_images(7, *LINEAR_SHAPE)
    x, noise = pixels.astype(np.float32) / 255, normal(samples, 7, 2)
    terms = iwae(samples)(model.vae, x, noise, 1.0)
    exact = model.log_prob(pixels)
    np.testing.assert_allclose(terms.neg_bound, -exact, rtol=1e-5, atol=1e-4)


def test_bound_grows_with_the_samples_and_stays_below_log_p():
    model, pixels = linear_gaussian(shift=0.3, widen=2.0), grey_images(3, *LINEAR_SHAPE)
    copies = 1500
    x = np.tile(pixels.astype(np.float32) / 255, (copies, 1, 1, 1))
    noise = normal(32, 3 * copies, 2)
    bounds = [model.elbo(pixels)]
    for samples in (2, 4, 8, 32):
        terms = iwae(samples)(model.vae, x, noise[:samples], 1.0)
        bounds.append(-np.asarray(terms.neg_bound).reshape(copies, 3).mean(axis=0))
    assert (np.diff(bounds, axis=0) > 0).all()
    assert (bounds[-1] < model.log_prob(pixels)).all()


@pytest.mark.parametrize("beta", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("variant", VARIANTS)
def test_doubly_reparameterized_loss_is_the_plain_one(variant, beta):
    vae, noise = tiny_vae(variant), normal(5, 4, 2)
    losses = [
        loss_and_gradients(iwae(5, doubly), vae, noise, beta)[0]
        for doubly in (False, True)
    ]
    assert losses[0] == pytest.approx(losses[1], rel=1e-6)


@pytest.mark.parametrize("beta", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("variant", ONE_LEVEL)
def test_doubly_reparameterized_gradient_of_decoder_and_prior_is_the_plain_one(
    variant, beta
):
    vae, noise = tiny_vae(variant), normal(5, 4, 2)
    _, plain = loss_and_gradients(iwae(5), vae, noise, beta)
    _, doubly = loss_and_gradients(iwae(5, doubly=True), vae, noise, beta)
    encoder = {id(variable) for variable in vae.encoder.trainable_variables}
    compared = 0
    for variable, a, b in zip(vae.trainable_variables, plain, doubly, strict=True):
        if id(variable) not in encoder:
            np.testing.assert_array_equal(a, b)
            compared += np.any(a != 0)
    assert compared >= 4


def test_doubly_reparameterized_encoder_gradient_is_the_published_one():
    """sum_i wn_i^2 d log w_i / d z_i d z_i / d phi, each part computed apart."""
    vae, noise, k = tiny_vae(), normal(5, 4, 2), 5
    _, found = loss_and_gradients(iwae(k, doubly=True), vae, noise, 1.0)
    encoder = vae.encoder.trainable_variables
    with tf.GradientTape() as outer:
        q = vae.posterior(IMAGES)
        mean, log_var = q.mean, q.log_var
        z = mean + tf.exp(0.5 * log_var) * noise
        fixed = tf.stop_gradient(z)
        with tf.GradientTape() as inner:
            inner.watch(fixed)
            logits = tf.reshape(vae.decode(tf.reshape(fixed, (-1, 2))), (k, 4, *SHAPE))
            scores = IMAGES * logits - tf.nn.softplus(logits)
            log_w = tf.reduce_sum(scores, axis=(2, 3, 4))
            log_w += tf.reduce_sum(-0.5 * fixed**2, axis=-1)
            apart = (fixed - tf.stop_gradient(mean)) ** 2
            log_q = -0.5 * (apart / tf.exp(tf.stop_gradient(log_var)))
            log_w -= tf.reduce_sum(log_q - 0.5 * tf.stop_gradient(log_var), axis=-1)
        by_code = inner.gradient(log_w, fixed)
        share = tf.nn.softmax(log_w, axis=0)[..., None]
        pulled = tf.reduce_sum(tf.stop_gradient(share**2 * by_code) * z)
        loss = -pulled / len(IMAGES)
    expected = outer.gradient(loss, encoder)
    by_variable = {
        id(variable): gradient
        for variable, gradient in zip(vae.trainable_variables, found, strict=True)
    }
    for variable, gradient in zip(encoder, expected, strict=True):
        np.testing.assert_allclose(by_variable[id(variable)], gradient, atol=1e-5)


def gradient_differences(vae, beta: float, repeats: int = 100, copies: int = 100):
    """Plain and doubly reparameterized encoder gradients, flat, for the same noise."""
    images = tf.constant(np.repeat(IMAGES, copies, axis=0))
    # all that q depends on: with two levels, in relative coordinates, the prior's too
    below = [getattr(vae, name, None) for name in ("bottom_encoder", "bottom_prior")]
    networks = [vae.encoder, *filter(None, below)]
    encoder = [v for network in networks for v in network.trainable_variables]

    @tf.function
    def gradients(noise):
        found = []
        for doubly in (False, True):
            with tf.GradientTape() as tape:
                terms = iwae(4, doubly)(vae, images, noise, beta, training=True)
                loss = tf.reduce_mean(terms.reconstruction + beta * terms.kl)
            parts = tape.gradient(loss, [variable.value for variable in encoder])
            found.append(tf.concat([tf.reshape(part, [-1]) for part in parts], 0))
        return found

    rows = [gradients(normal(4, len(images), 2, seed=seed)) for seed in range(repeats)]
    return np.array(rows, np.float64).transpose(1, 0, 2)


@pytest.mark.parametrize(
    "variant, beta",
    [
        ("standard", 0.0),
        ("standard", 0.5),
        ("standard", 1.0),
        ("vamp", 1.0),
        ("two levels", 0.5),
        ("two levels", 1.0),
        pytest.param("two levels, vamp", 1.0, marks=pytest.mark.slow),
    ],
)
def test_doubly_reparameterized_encoder_gradient_is_the_plain_one_in_expectation(
    variant, beta
):
    plain, doubly = gradient_differences(tiny_vae(variant), beta)
    difference = doubly - plain
    error = difference.std(axis=0, ddof=1) / np.sqrt(len(plain))
    assert np.linalg.norm(error) < 0.1 * np.linalg.norm(plain.mean(axis=0))
    if beta == 1:
        assert doubly.var(axis=0).sum() < 0.8 * plain.var(axis=0).sum()
    standard = difference.mean(axis=0) / np.maximum(error, 1e-7)
    assert np.abs(standard).max() < 5


def test_doubly_reparameterized_gradient_vanishes_at_the_true_posterior():
    """There every weight is p(x) whatever z is: no noise is left in the gradient."""
    model, pixels = linear_gaussian(), grey_images(7, *LINEAR_SHAPE)
    x, noise = pixels.astype(np.float32) / 255, normal(5, 7, 2)
    encoder = {id(v) for v in model.vae.encoder.trainable_variables}
    largest = []
    for doubly in (False, True):
        _, gradients = loss_and_gradients(iwae(5, doubly), model.vae, noise, 1.0, x)
        pairs = zip(model.vae.trainable_variables, gradients, strict=True)
        largest.append(max(np.abs(g).max() for v, g in pairs if id(v) in encoder))
    assert largest[1] < 1e-4 < 0.1 < largest[0]
