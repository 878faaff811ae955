import math

import numpy as np
import pytest
import tensorflow as tf
from scipy import stats
from scipy.special import logsumexp

from tests.helpers import small_config, small_vae
from vae_cli.errors import ConfigError
from vae_cli.models.discretized_logistic import FIRST_SCALE, SLOPE
from vae_cli.models.likelihood import Likelihood
from vae_cli.pixels import Pixels
from vae_cli.registry import build

LEVELS = [2, 17, 256, 65536]
SCALES = [1e-3, 1e-2, 0.1, 1.0, 30.0, 1e3]
"""In units of [0, 1]."""
MEANS = [-3.0, 0.0, 1 / 512, 0.31, 0.5, 1.0, 2.0]
SMALLEST = 0.1
"""Scale, in levels."""


def of_levels(levels: int) -> Pixels:
    return Pixels("uint16", 0, levels - 1, levels=levels, observed=(0, levels - 1))


def likelihood(levels: int = 256, mixture: int = 1) -> Likelihood:
    words = ("likelihood=discretized_logistic", f"likelihood.mixture={mixture}")
    return build(small_config(*words).likelihood, of_levels(levels))


def all_levels(levels: int) -> np.ndarray:
    """Each level as a pixel of one image, [1, L, 1, 1]."""
    x = np.arange(levels, dtype=np.float64) / (levels - 1)
    return x.astype(np.float32).reshape(1, -1, 1, 1)


def given(mean: float, scale: float) -> np.ndarray:
    """The outputs that have a mean and, but for the smallest one, a scale."""
    outputs = [(mean - 0.5) / SLOPE, math.log(scale / FIRST_SCALE)]
    return np.array(outputs, np.float32).reshape(1, 1, 1, 2)


def expected(levels: int, mean: float, scale: float) -> np.ndarray:
    """Probabilities in float64 as scipy computes them, [L]."""
    scale = scale + SMALLEST / (levels - 1)
    edges = (np.arange(levels - 1) + 0.5) / (levels - 1)
    below = np.concatenate([[0], stats.logistic.cdf(edges, mean, scale), [1]])
    above = np.concatenate([[1], stats.logistic.sf(edges, mean, scale), [0]])
    # of the two differences the one of the smaller numbers
    return np.where(below[1:] < 0.5, np.diff(below), -np.diff(above))


def probabilities(levels: int, outputs: np.ndarray, mixture: int = 1) -> np.ndarray:
    chosen = likelihood(levels, mixture)
    nats = chosen.log_prob_per_pixel(all_levels(levels), outputs)
    return np.exp(np.asarray(nats, np.float64)).ravel()


def pixel(value: float) -> np.ndarray:
    return np.full((1, 1, 1, 1), value, np.float32)


def number(tensor: tf.Tensor) -> float:
    return np.asarray(tensor).item()


def random_outputs(count: int, mixture: int, seed: int = 0) -> np.ndarray:
    """Outputs of all sizes, [count, 1, 1, outputs]."""
    rng = np.random.default_rng(seed)
    width = 2 if mixture == 1 else 3 * mixture
    drawn = rng.normal(0, 3, (count, 1, 1, width)) * rng.choice([0.1, 1, 5], width)
    return drawn.astype(np.float32)


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("levels", LEVELS)
def test_probabilities_of_all_levels_sum_to_one(levels, scale):
    for mean in MEANS:
        found = probabilities(levels, given(mean, scale)).sum()
        assert found == pytest.approx(1, abs=2e-5), mean


@pytest.mark.parametrize("levels", LEVELS)
def test_probabilities_of_a_mixture_sum_to_one(levels):
    for outputs in random_outputs(20, 5):
        found = probabilities(levels, outputs[None], 5).sum()
        assert found == pytest.approx(1, abs=2e-5)


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("levels", [2, 17, 256])
def test_probabilities_are_scipys_differences_of_the_distribution(levels, scale):
    for mean in MEANS:
        found = probabilities(levels, given(mean, scale))
        wanted = expected(levels, mean, scale)
        np.testing.assert_allclose(found, wanted, rtol=2e-3, atol=1e-30)
        np.testing.assert_allclose(found, wanted, atol=2e-6)


def test_probabilities_of_16_bit_levels_are_scipys_differences():
    for mean in (0.2, 0.5, 1.1):
        for scale in (1e-3, 0.05, 1.0):
            found = probabilities(65536, given(mean, scale))
            wanted = expected(65536, mean, scale)
            likely = wanted > 1e-12
            np.testing.assert_allclose(found[likely], wanted[likely], rtol=2e-3)


def test_mixture_is_the_weighted_sum_of_its_logistics():
    weights, means, scales = [0.5, 0.2, 0.3], [0.1, 0.6, 0.9], [0.3, 0.02, 0.1]
    outputs = np.concatenate([
        np.log(weights) + 2,
        (np.array(means) - 0.5) / SLOPE,
        np.log(np.array(scales) / FIRST_SCALE),
    ]).astype(np.float32).reshape(1, 1, 1, 9)  # fmt: skip
    found = probabilities(256, outputs, 3)
    parts = [expected(256, m, s) for m, s in zip(means, scales, strict=True)]
    np.testing.assert_allclose(found, np.tensordot(weights, parts, 1), rtol=1e-3)
    mean = likelihood(256, 3).mean(outputs)
    assert number(mean) == pytest.approx(np.dot(weights, means), abs=1e-6)


def test_channels_have_outputs_of_their_own():
    chosen = likelihood(256, 2)
    outputs = random_outputs(1, 2).reshape(6, 1)
    colours = np.concatenate([outputs, outputs + 0.3, outputs - 0.7], axis=1)
    x = np.array([0.2, 0.4, 1.0], np.float32).reshape(1, 1, 1, 3)
    together = chosen.log_prob_per_pixel(x, colours.reshape(1, 1, 1, 18))
    alone = [
        chosen.log_prob_per_pixel(x[..., c : c + 1], colours[:, c].reshape(1, 1, 1, 6))
        for c in range(3)
    ]
    np.testing.assert_allclose(np.ravel(together), np.ravel(alone), rtol=1e-5)


@pytest.mark.parametrize("mixture", [1, 4])
def test_no_outputs_give_uniform_noise_fewer_bits_than_its_entropy(mixture):
    chosen = likelihood(256, mixture)
    outputs = random_outputs(300, mixture)
    nats = np.asarray(chosen.log_prob_per_pixel(all_levels(256), outputs), np.float64)
    bits = -nats.mean(axis=(1, 2, 3)) / math.log(2)
    assert bits.min() >= 8 - 1e-6


def test_mixture_that_is_fitted_to_uniform_noise_reaches_its_8_bits():
    chosen = likelihood(256, 5)
    rng = np.random.default_rng(0)
    x = rng.integers(0, 256, (1, 4000, 1, 1)).astype(np.float32) / 255
    start = chosen.starting_outputs(np.full((1, 1, 1, 1), 0.5, np.float32))
    outputs = tf.Variable(start.astype(np.float32))
    optimizer = tf.keras.optimizers.Adam(0.05)

    @tf.function
    def step():
        with tf.GradientTape() as tape:
            loss = -tf.reduce_mean(chosen.log_prob_per_pixel(x, outputs))
        optimizer.apply_gradients([(tape.gradient(loss, outputs), outputs)])
        return loss

    losses = [float(step()) for _ in range(200)]
    nats = chosen.log_prob_per_pixel(all_levels(256), outputs)  # of new noise
    bits = -float(tf.reduce_mean(nats)) / math.log(2)
    assert losses[-1] < losses[0]
    assert 8 <= bits < 8.05


@pytest.mark.parametrize("levels", LEVELS)
@pytest.mark.parametrize("mixture", [1, 3])
def test_gradients_are_finite_wherever_the_outputs_are(levels, mixture):
    chosen = likelihood(levels, mixture)
    values = [-1e4, -60.0, -1.0, 0.0, 1.0, 60.0, 1e4]
    grid = np.stack(np.meshgrid(values, values), -1).reshape(-1, 1, 1, 2)
    if mixture > 1:
        grid = np.concatenate([grid[..., :1]] * 3 + [grid[..., 1:]] * 6, axis=-1)
    outputs = tf.constant(grid, tf.float32)
    for x in (0.0, 1 / (levels - 1), 1.0):
        with tf.GradientTape() as tape:
            tape.watch(outputs)
            nats = chosen.log_prob_per_pixel(pixel(x), outputs)
        assert np.isfinite(nats).all()
        assert np.isfinite(tape.gradient(nats, outputs)).all()


def test_scale_keeps_a_gradient_where_it_is_as_good_as_smallest():
    outputs = tf.constant(given(0.5, 1e-5))
    with tf.GradientTape() as tape:
        tape.watch(outputs)
        nats = likelihood().log_prob(pixel(0.7), outputs)
    assert tape.gradient(nats, outputs)[0, 0, 0, 1] > 0.1


def test_pixel_between_levels_counts_as_the_nearest():
    chosen, outputs = likelihood(17), given(0.4, 0.1)
    near, at = (pixel(x) for x in (0.4999, 0.5))
    assert number(chosen.log_prob(near, outputs)) == number(
        chosen.log_prob(at, outputs)
    )


def test_mean_is_that_of_the_distribution_where_it_lies_within_the_range():
    levels, outputs = 256, given(0.43, 0.02)
    wanted = (probabilities(levels, outputs) * np.linspace(0, 1, levels)).sum()
    assert number(likelihood(levels).mean(outputs)) == pytest.approx(wanted, abs=1e-5)


@pytest.mark.parametrize("mixture", [1, 3])
def test_several_samples_of_an_image_have_the_means_and_scores_of_each(mixture):
    chosen = likelihood(256, mixture)
    outputs = random_outputs(24, mixture).reshape(2, 3, 2, 2, -1)
    x = np.random.default_rng(1).uniform(0, 1, (3, 2, 2, 1)).astype(np.float32)
    for sample in range(2):
        np.testing.assert_allclose(
            chosen.mean(outputs)[sample], chosen.mean(outputs[sample]), atol=1e-6
        )
        np.testing.assert_allclose(
            chosen.log_prob(x, outputs)[sample],
            chosen.log_prob(x, outputs[sample]),
            rtol=1e-5,
        )


def test_score_is_the_log_of_a_sum_for_logits_beyond_exp():
    outputs = random_outputs(1, 3)
    outputs[..., :3] = [500, 480, -500]
    chosen = likelihood(256, 3)
    parts = [
        likelihood().log_prob(pixel(0.6), outputs[..., [3 + k, 6 + k]])
        for k in range(3)
    ]
    weights = [500, 480, -500]
    wanted = logsumexp(np.add(np.ravel(parts), weights)) - logsumexp(weights)
    found = chosen.log_prob(pixel(0.6), outputs)
    assert number(found) == pytest.approx(wanted, rel=1e-5)


@pytest.mark.parametrize("architecture", ["dense", "conv", "residual_conv"])
@pytest.mark.parametrize("mixture", [1, 3])
def test_untrained_decoders_mean_is_the_training_mean(architecture, mixture):
    mean = np.broadcast_to(np.array([0.0, 0.02, 0.7], np.float32), (5, 7, 3))
    vae = small_vae(
        "likelihood=discretized_logistic", f"likelihood.mixture={mixture}",
        architecture=architecture, shape=(5, 7, 3), pixel_mean=mean,
    )  # fmt: skip
    found = np.asarray(vae.pixel_means(np.zeros((1, 2), np.float32)))[0]
    np.testing.assert_allclose(found, mean, atol=1e-5)


def test_dense_decoder_starts_at_each_pixels_mean():
    mean = np.random.default_rng(0).uniform(0, 1, (4, 5, 2)).astype(np.float32)
    vae = small_vae("likelihood=discretized_logistic", shape=(4, 5, 2), pixel_mean=mean)
    found = np.asarray(vae.pixel_means(np.zeros((1, 2), np.float32)))[0]
    np.testing.assert_allclose(found, mean, atol=1e-5)


def test_logistics_of_a_mixture_start_apart():
    start = likelihood(256, 4).starting_outputs(np.array([0.3], np.float32))
    assert len(set(start[4:8].tolist())) == 4


@pytest.mark.parametrize(
    ("pixels", "part"),
    [
        (Pixels("float32", 0, 1, levels=None), "float32 from 0 to 1"),
        (Pixels("float32", 3, 5, False, None), "standardized"),
    ],
)
def test_pixels_without_levels_are_refused_with_a_remedy(pixels, part):
    options = small_config("likelihood=discretized_logistic").likelihood
    problem = "; ".join(options.problem_with(pixels))
    assert problem.startswith("likelihood=discretized_logistic ")
    assert part in problem
    assert "use likelihood=gaussian" in problem
    with pytest.raises(ConfigError, match="likelihood=discretized_logistic"):
        build(options, pixels)
