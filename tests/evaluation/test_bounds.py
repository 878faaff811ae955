import math

import keras
import numpy as np
import pytest
from scipy import stats

from tests.helpers import grey_images, mean_and_log_var, small_config, small_vae
from tests.models.toys import SHAPE as LINEAR_SHAPE
from tests.models.toys import linear_gaussian
from vae_cli.config.prior import StandardPriorConfig
from vae_cli.evaluation.batches import over_batches
from vae_cli.evaluation.bounds import evaluate_elbo, evaluation_noise, score_images
from vae_cli.models.prior import StandardPrior
from vae_cli.models.vae import VAE
from vae_cli.registry import OPTIONS, build

SHAPE = (3, 4, 2)
IMAGES = grey_images(23, *SHAPE)
BINARY = np.where(IMAGES > 127, 255, 0).astype(np.uint8)


def linear_vae(latent_dim: int, likelihood: str = "bernoulli") -> VAE:
    """A model of one matrix each way, its weights drawn wide."""
    wide = keras.initializers.RandomNormal(stddev=0.3, seed=7)
    image, z = keras.Input(SHAPE), keras.Input((latent_dim,))
    flat = keras.layers.Flatten()(image)
    posterior = {
        name: keras.layers.Dense(
            latent_dim, kernel_initializer=wide, bias_initializer=wide, name=name
        )(flat)
        for name in ("mean", "log_var")
    }
    pixels = keras.layers.Dense(
        math.prod(SHAPE), kernel_initializer=wide, bias_initializer=wide, name="pixels"
    )(z)
    config = small_config(f"likelihood={likelihood}").likelihood
    return VAE(
        encoder=keras.Model(image, posterior),
        decoder=keras.Model(z, keras.layers.Reshape(SHAPE)(pixels)),
        likelihood=build(config),
        prior=StandardPrior(StandardPriorConfig(), 0),
    )


def by_hand(vae: VAE, images: np.ndarray, seed: int) -> tuple[np.ndarray, ...]:
    """Reconstruction, KL and posterior means of a linear Bernoulli model, in NumPy."""
    x = images.reshape(len(images), -1).astype(np.float64) / 255

    def affine(network: keras.Model, name: str, inputs: np.ndarray) -> np.ndarray:
        kernel, bias = network.get_layer(name).get_weights()
        return inputs @ kernel.astype(np.float64) + bias

    mean = affine(vae.encoder, "mean", x)
    log_var = affine(vae.encoder, "log_var", x)
    noise = evaluation_noise(len(images), vae.latent_dim, seed)[0].numpy()
    z = mean + np.exp(log_var / 2) * noise
    logits = affine(vae.decoder, "pixels", z)
    reconstruction = (np.logaddexp(0, logits) - x * logits).sum(axis=1)
    kl = (0.5 * (mean**2 + np.exp(log_var) - 1 - log_var)).sum(axis=1)
    return reconstruction, kl, mean


def test_noise_is_fixed_by_the_seed():
    first, second = (evaluation_noise(50, 3, seed=4) for _ in range(2))
    np.testing.assert_array_equal(first, second)
    assert not np.isin(evaluation_noise(50, 3, seed=5), first).any()


def test_noise_is_standard_normal_and_apart_for_every_image():
    noise = evaluation_noise(2000, 2, seed=0).numpy()
    assert stats.kstest(noise.reshape(-1), "norm").pvalue > 1e-3
    assert len(np.unique(noise)) == noise.size


def test_first_samples_of_noise_stay_the_same_when_more_are_drawn():
    few, many = (evaluation_noise(5, 3, seed=4, samples=s).numpy() for s in (2, 4))
    assert many.shape == (4, 5, 3)
    np.testing.assert_array_equal(few, many[:2])
    assert len(np.unique(many)) == many.size


def test_bound_is_the_one_computed_by_hand():
    vae = linear_vae(3)
    reconstruction, kl, mean = by_hand(vae, IMAGES, seed=2)
    result = evaluate_elbo(vae, IMAGES, seed=2)
    assert result.reconstruction_loss == pytest.approx(reconstruction.mean(), rel=1e-5)
    assert result.kl_loss == pytest.approx(kl.mean(), rel=1e-5)
    assert result.neg_elbo == pytest.approx((reconstruction + kl).mean(), rel=1e-5)
    assert result.active_units == (mean.var(axis=0) > 0.01).sum()
    assert result.num_images == 23


@pytest.mark.parametrize("batch_size", [1, 7, 22, 23, 1000])
@pytest.mark.parametrize("architecture", ["dense", "conv"])
def test_batch_size_changes_no_result(architecture, batch_size):
    vae = small_vae(architecture=architecture, shape=SHAPE)
    whole = evaluate_elbo(vae, IMAGES, seed=0)
    parts = evaluate_elbo(vae, IMAGES, seed=0, batch_size=batch_size)
    assert parts.neg_elbo == pytest.approx(whole.neg_elbo, abs=1e-4)
    assert parts.reconstruction_loss == pytest.approx(
        whole.reconstruction_loss, abs=1e-4
    )
    assert parts.kl_loss == pytest.approx(whole.kl_loss, abs=1e-4)
    assert parts.active_units == whole.active_units


@pytest.mark.parametrize("likelihood", OPTIONS["likelihood"])
def test_bound_is_its_two_parts(likelihood):
    result = evaluate_elbo(linear_vae(2, likelihood), IMAGES, seed=0)
    parts = result.reconstruction_loss + result.kl_loss
    assert result.neg_elbo == pytest.approx(parts, rel=1e-12)


def test_another_seed_changes_the_sample_and_not_the_kl():
    vae = linear_vae(2)
    first, second = (evaluate_elbo(vae, IMAGES, seed) for seed in (0, 1))
    assert first.kl_loss == second.kl_loss
    assert first.reconstruction_loss != second.reconstruction_loss


def test_dropout_is_off():
    vae = small_vae("architecture.dropout=0.5", shape=SHAPE)
    assert evaluate_elbo(vae, IMAGES, 0) == evaluate_elbo(vae, IMAGES, 0)


def test_bound_lies_above_the_exact_negative_log_likelihood():
    vae = linear_vae(1)
    x = BINARY.reshape(23, -1) / 255
    kernel, bias = vae.decoder.get_layer("pixels").get_weights()
    z = np.linspace(-9, 9, 4001)
    logits = z[:, None] @ kernel.astype(np.float64) + bias
    log_joint = x @ logits.T - np.logaddexp(0, logits).sum(1) + stats.norm.logpdf(z)
    exact = -np.log(np.trapezoid(np.exp(log_joint), z, axis=1)).mean()
    bounds = [evaluate_elbo(vae, BINARY, seed).neg_elbo for seed in range(20)]
    assert np.mean(bounds) > exact


def test_bound_is_exact_where_the_decoder_ignores_the_code():
    vae = linear_vae(2)
    for name in ("mean", "log_var"):  # the posterior is the prior
        layer = vae.encoder.get_layer(name)
        layer.set_weights([np.zeros_like(w) for w in layer.get_weights()])
    layer = vae.decoder.get_layer("pixels")
    kernel, bias = layer.get_weights()
    layer.set_weights([np.zeros_like(kernel), bias])
    x = BINARY.reshape(23, -1) / 255
    exact = -stats.bernoulli.logpmf(x, 1 / (1 + np.exp(-bias))).sum(axis=1).mean()
    result = evaluate_elbo(vae, BINARY, seed=0)
    assert result.neg_elbo == pytest.approx(exact, rel=1e-5)
    assert (result.kl_loss, result.active_units) == (0, 0)


def test_elbo_of_a_linear_gaussian_model_is_its_closed_form():
    model, pixels = linear_gaussian(0.3, 1.5), grey_images(5000, *LINEAR_SHAPE)
    scores = score_images(model.vae, pixels, seed=0)
    np.testing.assert_allclose(scores.kl, model.kl(pixels), rtol=1e-4)
    # one sample an image: right on average
    difference = scores.reconstruction + scores.kl + model.elbo(pixels)
    error = difference.std() / math.sqrt(len(pixels))
    assert abs(difference.mean()) < 4.5 * error < 0.1


def test_kl_of_each_image_is_the_sum_of_its_dimensions():
    scores = score_images(linear_vae(3), IMAGES, seed=0)
    np.testing.assert_allclose(scores.kl_per_dim.sum(axis=1), scores.kl, rtol=1e-5)
    np.testing.assert_array_equal(scores.kl_per_dim, scores.kl_to_normal)


@pytest.mark.parametrize("prior", ["mog", "vamp"])
def test_mixture_prior_has_a_kl_to_the_normal_and_none_of_each_dimension(prior):
    vae = small_vae(f"prior={prior}", "prior.components=3", shape=SHAPE)
    scores = score_images(vae, IMAGES, seed=2)
    assert scores.kl_per_dim is None
    x = IMAGES.astype(np.float32) / 255
    mean, log_var = (np.asarray(part, np.float64) for part in mean_and_log_var(vae, x))
    to_normal = 0.5 * (mean**2 + np.exp(log_var) - log_var - 1)
    np.testing.assert_allclose(scores.kl_to_normal, to_normal, atol=1e-5)
    noise = evaluation_noise(len(IMAGES), 2, seed=2)[0].numpy()
    z = mean + np.exp(log_var / 2) * noise
    log_q = stats.norm.logpdf(z, mean, np.exp(log_var / 2)).sum(axis=1)
    log_p = np.asarray(vae.prior().log_prob(z.astype(np.float32)))
    np.testing.assert_allclose(scores.kl, log_q - log_p, atol=1e-4)


@pytest.mark.parametrize(
    "overrides",
    [
        ("hierarchy=two_level", "hierarchy.hidden_units=[4,3]"),
        ("prior=vamp", "prior.components=3"),
    ],
    ids=lambda overrides: overrides[0],
)
@pytest.mark.parametrize("batch_size", [1, 7])
def test_batch_size_changes_no_score_of_an_image(overrides, batch_size):
    vae = small_vae(*overrides, shape=SHAPE)
    whole = score_images(vae, IMAGES, seed=0)
    parts = score_images(vae, IMAGES, seed=0, batch_size=batch_size)
    np.testing.assert_allclose(parts.reconstruction, whole.reconstruction, atol=1e-4)
    np.testing.assert_allclose(parts.kl, whole.kl, atol=1e-4)
    np.testing.assert_allclose(parts.mean, whole.mean, atol=1e-5)


def test_over_batches_scales_uint8_and_leaves_floats():
    floats = np.array([[3.0], [4.0]], np.float32)
    pixels = np.array([[0], [255]], np.uint8)
    first, second = over_batches(lambda a, b: (a, b), (pixels, floats), 2)
    np.testing.assert_array_equal(first, [[0.0], [1.0]])
    np.testing.assert_array_equal(second, floats)


def test_over_batches_joins_in_order_and_keeps_the_short_last_batch():
    values = np.arange(7, dtype=np.float32)[:, None]
    (doubled,) = over_batches(lambda a: (2 * a,), (values,), 3)
    np.testing.assert_array_equal(doubled, 2 * values)
