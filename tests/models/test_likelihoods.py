import math
from types import SimpleNamespace

import keras
import numpy as np
import pytest
import tensorflow as tf
from scipy import stats
from scipy.integrate import quad

from tests.helpers import small_config, small_vae
from vae_cli.data_spec import DataSpec
from vae_cli.models.likelihood import ContinuousBernoulli, Likelihood
from vae_cli.registry import OPTIONS, build

RNG = np.random.default_rng(0)
LOGITS = RNG.normal(0, 3, (4, 3, 2, 2)).astype(np.float32)
GREY = RNG.uniform(0, 1, (4, 3, 2, 2)).astype(np.float32)
BINARY = (GREY > 0.5).astype(np.float32)
SWITCHES = [0, 1e-4, 0.01, 0.0499, 0.05, 0.0501, 0.3, 1, 5, 20, 80]
BOTH_SIDES = [sign * size for size in SWITCHES for sign in (1, -1)][1:]
"""Logits around 0, around the change of formula at 0.05, and large."""


def likelihood(name: str, *overrides: str) -> Likelihood:
    config = small_config(f"likelihood={name}", *overrides).likelihood
    return build(config)


def outputs(chosen: Likelihood, values: np.ndarray) -> np.ndarray:
    """The same values for all outputs of a channel, [..., C * outputs_per_channel]."""
    return np.concatenate([values] * chosen.outputs_per_channel, axis=-1)


def gaussian(scale: float, learned: bool = False) -> Likelihood:
    chosen = f"likelihood.learn_std={str(learned).lower()}"
    return likelihood("gaussian", f"likelihood.std={scale}", chosen)


def sigmoid(logits: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-logits.astype(np.float64)))


def per_image(values: np.ndarray) -> np.ndarray:
    return values.sum((1, 2, 3))


def density(x: float, logit: float) -> float:
    """Bernoulli's x l - softplus(l), exponentiated and not normalized."""
    return math.exp(x * logit - np.logaddexp(0, logit))


def integral(function, logit: float) -> float:
    """Integrate over [0, 1], with care where a large logit puts the mass."""
    edge = [min(1.0, 20 / abs(logit))] if logit else [1.0]
    points = edge if logit < 0 else [1 - edge[0]]
    return quad(function, 0, 1, points=points, epsabs=0, epsrel=1e-11)[0]


def test_bernoulli_is_the_sum_of_scipys_log_probabilities():
    scored = likelihood("bernoulli").log_prob(BINARY, LOGITS)
    expected = per_image(stats.bernoulli.logpmf(BINARY, sigmoid(LOGITS)))
    np.testing.assert_allclose(scored, expected, rtol=1e-5)


def test_bernoulli_on_grey_pixels_is_minus_the_cross_entropy():
    scored = likelihood("bernoulli").log_prob(GREY, LOGITS)
    p = sigmoid(LOGITS)
    expected = per_image(GREY * np.log(p) + (1 - GREY) * np.log(1 - p))
    np.testing.assert_allclose(scored, expected, rtol=1e-5)


def test_bernoulli_mean_is_the_probability():
    mean = likelihood("bernoulli").mean(LOGITS)
    np.testing.assert_allclose(mean, sigmoid(LOGITS), rtol=1e-5)


def test_bernoulli_is_finite_at_logits_beyond_exp():
    logits = np.full((1, 1, 1, 2), 500, np.float32) * [1, -1]
    scored = likelihood("bernoulli").log_prob(np.ones_like(logits), logits)
    np.testing.assert_allclose(scored, [-500.0])


@pytest.mark.parametrize("scale", [0.01, 0.1, 1.0, 3.0])
def test_gaussian_is_the_sum_of_scipys_log_densities(scale):
    scored = gaussian(scale).log_prob(GREY, LOGITS)
    expected = per_image(stats.norm.logpdf(GREY, sigmoid(LOGITS), scale))
    np.testing.assert_allclose(scored, expected, rtol=1e-4)


def test_gaussian_mean_is_the_sigmoid():
    mean = gaussian(0.1).mean(LOGITS)
    np.testing.assert_allclose(mean, sigmoid(LOGITS), rtol=1e-5)


def test_learned_scale_is_trainable():
    (weight,) = gaussian(0.25, learned=True).trainable_variables
    assert math.exp(float(weight)) == pytest.approx(0.25)


def test_fixed_scale_is_not_trainable():
    assert gaussian(0.25).trainable_variables == []


@pytest.mark.parametrize("scale", [0.1, math.sqrt(0.5), 1.0])
def test_gaussian_gradient_is_that_of_squared_error_over_twice_the_variance(scale):
    fixed = gaussian(scale)
    logits = tf.constant(LOGITS)
    with tf.GradientTape() as tape:
        tape.watch(logits)
        loss = -tf.reduce_sum(fixed.log_prob(GREY, logits))
    p = sigmoid(LOGITS)
    expected = (p - GREY) * p * (1 - p) / scale**2
    np.testing.assert_allclose(tape.gradient(loss, logits), expected, atol=1e-4)


def test_learned_scale_is_pulled_towards_the_residual():
    residual = np.sqrt(np.mean((GREY - sigmoid(LOGITS)) ** 2))
    for scale, sign in [(residual / 2, -1), (residual * 2, 1)]:
        learned = gaussian(scale, learned=True)
        with tf.GradientTape() as tape:
            loss = -tf.reduce_sum(learned.log_prob(GREY, LOGITS))
        (gradient,) = tape.gradient(loss, learned.trainable_variables)
        # d/d log s of sum r^2 / (2 s^2) + log s is the count times 1 - r^2 / s^2
        expected = GREY.size * (1 - residual**2 / scale**2)
        assert np.sign(expected) == sign
        assert float(gradient) == pytest.approx(expected, rel=1e-4)


def test_learned_scale_gives_the_density_of_its_present_value():
    learned = gaussian(0.1, learned=True)
    learned.log_std.assign(math.log(0.4))
    expected = per_image(stats.norm.logpdf(GREY, sigmoid(LOGITS), 0.4))
    np.testing.assert_allclose(learned.log_prob(GREY, LOGITS), expected, rtol=1e-5)


def test_learned_scale_stops_at_one_thousandth_and_can_leave_again():
    learned = gaussian(0.1, learned=True)
    optimizer = keras.optimizers.SGD(1.0)
    scales = []
    for gradient in (100.0, -0.5):
        optimizer.apply([tf.constant(gradient)], learned.trainable_variables)
        scales.append(math.exp(float(learned.log_std)))
    assert scales == pytest.approx([1e-3, 1e-3 * math.exp(0.5)], rel=1e-5)


@pytest.mark.parametrize("logit", BOTH_SIDES)
def test_continuous_bernoulli_constant_makes_the_density_integrate_to_one(logit):
    expected = -math.log(integral(lambda x: density(x, logit), logit))
    found = float(ContinuousBernoulli.log_constant(np.float32(logit)))
    assert found == pytest.approx(expected, abs=2e-6 * max(1, abs(expected)))


@pytest.mark.parametrize("logit", BOTH_SIDES)
def test_continuous_bernoulli_mean_is_the_integral_of_x(logit):
    bounded = 16 * math.tanh(logit / 16)
    constant = integral(lambda x: density(x, bounded), bounded)
    expected = integral(lambda x: x * density(x, bounded), bounded) / constant
    found = float(likelihood("continuous_bernoulli").mean(np.float32(logit)))
    assert found == pytest.approx(expected, abs=5e-5)


def test_continuous_bernoulli_scores_images_by_its_published_density():
    p = sigmoid(16 * np.tanh(LOGITS.astype(np.float64) / 16))
    # Loaiza-Ganem & Cunningham, eq. 4 and 5, in lambda
    constant = 2 * np.arctanh(1 - 2 * p) / (1 - 2 * p)
    expected = per_image(np.log(constant * p**GREY * (1 - p) ** (1 - GREY)))
    scored = likelihood("continuous_bernoulli").log_prob(GREY, LOGITS)
    np.testing.assert_allclose(scored, expected, rtol=1e-4, atol=1e-4)


def test_continuous_bernoulli_constant_has_no_step_where_its_formula_changes():
    below, above = np.nextafter(np.float32(0.05), np.float32([0, 1]))
    apart = ContinuousBernoulli.log_constant(np.stack([below, above]))
    assert float(apart[1] - apart[0]) == pytest.approx(0, abs=5e-7)


@pytest.mark.parametrize("logit", [0, 1e-30, 1e-4, 0.05, 20, 80, 300])
@pytest.mark.parametrize("sign", [1, -1])
def test_continuous_bernoulli_gradient_is_x_minus_the_mean(logit, sign):
    chosen = likelihood("continuous_bernoulli")
    logits = tf.constant(sign * logit, tf.float32, (1, 1, 1, 1))
    x = np.full((1, 1, 1, 1), 0.3, np.float32)
    with tf.GradientTape() as tape:
        tape.watch(logits)
        scored = chosen.log_prob(x, logits)
    # an exponential family: the gradient of its log-density is x - E[x], here times
    # that of the bound
    gradient = tape.gradient(scored, logits).numpy().item()
    bounded = 16 * math.tanh(logit / 16)
    mean = 0.5 if abs(logit) < 1e-3 else 1 / -math.expm1(-bounded) - 1 / bounded
    mean = mean if sign > 0 else 1 - mean
    slope = 1 - (bounded / 16) ** 2
    assert gradient == pytest.approx((0.3 - mean) * slope, abs=1e-4)


def test_continuous_bernoulli_density_of_black_and_white_has_a_bound():
    chosen = likelihood("continuous_bernoulli")
    logits = np.linspace(-1000, 1000, 201, dtype=np.float32)
    for x in (0.0, 1.0):
        nats = np.asarray(chosen.log_prob_per_pixel(np.float32(x), logits))
        assert nats.max() == pytest.approx(math.log(16), abs=1e-3)


def test_continuous_bernoulli_mean_has_a_finite_gradient_at_zero():
    logits = tf.constant([0.0, 1e-20, -1e-20])
    with tf.GradientTape() as tape:
        tape.watch(logits)
        mean = likelihood("continuous_bernoulli").mean(logits)
    gradient = tape.gradient(mean, logits)
    np.testing.assert_allclose(gradient, [1 / 12] * 3, rtol=1e-5)  # variance of U(0, 1)


@pytest.mark.parametrize("name", OPTIONS["likelihood"])
def test_mean_stays_within_the_unit_interval_and_grows_with_the_logit(name):
    chosen = likelihood(name)
    logits = np.linspace(-1000, 1000, 20001, dtype=np.float32)[:, None]
    mean = np.asarray(chosen.mean(outputs(chosen, logits)))[:, 0]
    assert mean.min() >= 0
    assert mean.max() <= 1
    # a bounded logit keeps a sixteenth
    least = 0.07 if name == "continuous_bernoulli" else 0.01
    assert mean[0] < least < 1 - least < mean[-1]
    assert (np.diff(mean) > -1e-6).all()


@pytest.mark.parametrize("name", OPTIONS["likelihood"])
def test_scores_have_no_nan_gradient_at_zero_logits(name):
    chosen = likelihood(name)
    logits = tf.zeros((2, 3, 3, chosen.outputs_per_channel))
    with tf.GradientTape() as tape:
        tape.watch(logits)
        scored = chosen.log_prob(tf.zeros((2, 3, 3, 1)), logits)
    assert np.isfinite(tape.gradient(scored, logits)).all()


@pytest.mark.parametrize("name", OPTIONS["likelihood"])
def test_scores_add_up_over_pixels_and_channels(name):
    chosen = likelihood(name)
    logits = outputs(chosen, LOGITS)
    pixels = chosen.log_prob_per_pixel(GREY, logits)
    assert pixels.shape == GREY.shape
    np.testing.assert_allclose(
        chosen.log_prob(GREY, logits), per_image(np.asarray(pixels)), rtol=1e-5
    )


@pytest.mark.parametrize("name", OPTIONS["likelihood"])
def test_score_of_an_image_does_not_depend_on_its_batch(name):
    chosen = likelihood(name)
    logits = outputs(chosen, LOGITS)
    together = chosen.log_prob(GREY, logits)
    alone = [chosen.log_prob(GREY[i : i + 1], logits[i : i + 1])[0] for i in range(4)]
    np.testing.assert_allclose(together, alone, rtol=1e-6)


@pytest.mark.parametrize(
    "name, binary, measure",
    [
        ("bernoulli", True, "negative log-likelihood"),
        ("bernoulli", False, "cross-entropy"),
        ("continuous_bernoulli", False, "negative log-density"),
        ("gaussian", False, "negative log-density"),
        ("discretized_logistic", False, "negative log-likelihood"),
        ("discretized_logistic", True, "negative log-likelihood"),
    ],
)
def test_measure_names_what_the_reconstruction_loss_is(name, binary, measure):
    spec = DataSpec(image_shape=(3, 2, 2), binary=binary)
    assert likelihood(name).measure(spec) == measure


def test_likelihood_without_a_density_says_so():
    class Unfinished(Likelihood):
        pass

    with pytest.raises(TypeError, match="Unfinished defines no log_prob_per_pixel"):
        Unfinished(SimpleNamespace()).log_prob(GREY, LOGITS)


def test_only_a_learned_scale_adds_weights():
    counts = {
        name: len(likelihood(name).trainable_weights) for name in OPTIONS["likelihood"]
    }
    assert {name for name, count in counts.items() if count} == {"gaussian"}
    assert all(
        isinstance(likelihood(name), keras.layers.Layer)
        for name in OPTIONS["likelihood"]
    )


@pytest.mark.parametrize(
    ("name", "binary", "grey"),
    [
        ("bernoulli", True, False),
        ("gaussian", False, True),
        ("continuous_bernoulli", False, True),
        ("discretized_logistic", True, True),
    ],
)
def test_score_is_a_likelihood_of_the_pixels_it_is_made_for(name, binary, grey):
    likelihood = small_vae(f"likelihood={name}").likelihood
    found = [
        likelihood.is_likelihood(DataSpec((4, 5, 1), binary=b)) for b in (True, False)
    ]
    assert found == [binary, grey]
