"""Inpainting models, and bounds of masked pixels."""

import math

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.helpers import grey_images, small_config, small_vae
from tests.models.toys import SHAPE, linear_gaussian
from vae_cli.data.splits import Split
from vae_cli.errors import ConfigError, DataError
from vae_cli.evaluation.anomaly import anomaly_scores, code_statistics
from vae_cli.evaluation.bounds import evaluate_elbo
from vae_cli.evaluation.importance import importance_sampling
from vae_cli.evaluation.latent import (
    decode,
    encode,
    reconstruct,
    row_condition,
    sample_prior,
    with_observed,
)
from vae_cli.models.distributions import Gaussian, kl_per_dim

IMAGES = grey_images(6, 4, 5, 1)
SEEN = grey_images(6, 4, 5, 1, seed=1)
MASK = np.where(np.arange(5)[None, None, :, None] < 2, 255, 0).astype(np.uint8)
MASKS = np.broadcast_to(MASK, (6, 4, 5, 1)).copy()
COMPLETES = (
    "conditioning=observed",
    "conditioning.hidden_units=[6,4]",
    "corruption=quadrants",
    "corruption.loss_on=missing",
    "latent_dim=3",
)


def inpainting(architecture: str = "dense"):
    """An inpainting model with random weights."""
    vae = small_vae(*COMPLETES, architecture=architecture)
    rng = np.random.default_rng(0)
    for weight in vae.trainable_variables:
        weight.assign(weight + 0.3 * rng.normal(size=weight.shape))
    return vae


def test_scored_pixels_alone_make_the_likelihood():
    vae = small_vae("latent_dim=3")
    rng = np.random.default_rng(0)
    z = rng.standard_normal((2, 6, 3)).astype(np.float32)
    images = IMAGES.astype(np.float32) / 255
    logits = keras.ops.reshape(vae.decode(z.reshape(-1, 3)), (2, 6, 4, 5, 1))
    each = vae.likelihood.log_prob_per_pixel(images, logits)
    expected = np.asarray(each)[:, :, :, :2].sum((2, 3, 4))
    condition = vae.condition(mask=MASKS / np.float32(255))
    found = vae.log_likelihood_of_logits(images, logits, condition)
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_bound_of_seen_pixels_is_exact_where_the_posterior_is():
    # the posterior given the left column alone, in closed form
    toy = linear_gaussian()
    images = grey_images(5, *SHAPE)
    mask = np.zeros((5, *SHAPE), np.uint8)
    mask[:, :, 0] = 255
    rows = mask[0].reshape(-1) == 255
    covariance = (toy.kernel @ toy.kernel.T + toy.scale**2 * np.eye(len(rows)))[rows]
    away = images.reshape(5, -1)[:, rows] / 255 - toy.bias[rows]
    square = np.einsum("ni,ij,nj->n", away, np.linalg.inv(covariance[:, rows]), away)
    _, log_det = np.linalg.slogdet(covariance[:, rows])
    expected = -0.5 * (square + log_det + rows.sum() * math.log(2 * math.pi))
    condition = {"corrupted": images, "mask": mask}
    found = importance_sampling(toy.vae, images, 4000, 0, condition=condition).log_prob
    np.testing.assert_allclose(found, expected, atol=0.1)


@pytest.mark.parametrize("architecture", ["dense", "conv", "residual_conv"])
def test_encoder_gets_all_pixels_and_decoder_the_observed_ones(architecture):
    vae = inpainting(architecture)
    assert vae.latent_dim == 3
    condition = {"corrupted": SEEN}
    mean, _ = encode(vae, IMAGES, condition=condition)
    other, _ = encode(vae, IMAGES, condition={"corrupted": IMAGES})
    np.testing.assert_array_equal(mean, other)
    pixels = decode(vae, mean, condition=condition)
    assert (
        np.abs(pixels - decode(vae, mean, condition={"corrupted": IMAGES})).max() > 1e-3
    )
    with pytest.raises(DataError, match="model inpaints"):
        encode(vae, IMAGES)


def test_bound_lies_below_the_estimate_of_many_samples():
    vae, condition = inpainting(), {"corrupted": SEEN, "mask": 255 - MASKS}
    # twenty of each image, which compiles once
    often = {name: np.tile(array, (20, 1, 1, 1)) for name, array in condition.items()}
    images = np.tile(IMAGES, (20, 1, 1, 1))
    few = -evaluate_elbo(vae, images, 0, condition=often).neg_elbo
    many = importance_sampling(vae, IMAGES, 500, 0, condition=condition).log_prob.mean()
    assert few < many


def test_prior_is_the_gaussian_of_what_is_seen():
    vae = inpainting()
    count = 20_000
    condition = {"corrupted": np.repeat(SEEN[:1], count, axis=0)}
    z = sample_prior(vae, count, seed=0, condition=condition)
    prior = vae.prior(vae.condition(corrupted=SEEN[:1] / np.float32(255)))
    zero = np.zeros((1, 3), np.float32)
    mean = np.asarray(prior.sample(zero))[0]
    scale = np.asarray(prior.sample(zero + 1))[0] - mean
    np.testing.assert_allclose(z.mean(axis=0), mean, atol=0.03 * scale.max())
    np.testing.assert_allclose(z.std(axis=0), scale, rtol=0.03)
    # the KL of its own samples to itself
    own = Gaussian(mean[None], 2 * np.log(scale)[None])
    np.testing.assert_allclose(kl_per_dim(own, prior), 0, atol=1e-5)


def test_a_grid_shows_one_seen_image_a_row():
    found = row_condition(inpainting(), 4, 2, Split(IMAGES, corrupted=SEEN))
    np.testing.assert_array_equal(found["corrupted"][:], SEEN[[0, 0, 1, 1]])


def test_seen_pixels_are_put_back_where_missing_ones_are_scored():
    images = np.full((6, 4, 5, 1), 0.25, np.float32)
    found = with_observed(images, {"corrupted": SEEN, "mask": MASKS})
    assert (found[:, :, :2] == 0.25).all()
    np.testing.assert_allclose(found[:, :, 2:], SEEN[:, :, 2:] / 255, atol=1e-6)
    assert with_observed(images, {"corrupted": SEEN}) is images


def test_exported_decoder_takes_what_is_seen():
    vae = inpainting()
    encoder, decoder = vae.export_networks()
    images, seen = (x.astype(np.float32) / 255 for x in (IMAGES, SEEN))
    mean, _ = encode(vae, IMAGES, condition={"corrupted": SEEN})
    np.testing.assert_allclose(encoder(images)["mean"], mean, atol=1e-5)
    pixels = decode(vae, mean, condition={"corrupted": SEEN})
    np.testing.assert_allclose(decoder([mean, seen]), pixels, atol=1e-5)


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("corruption=none", "a mask of missing pixels"),
        ("corruption=gaussian_noise", "a mask of missing pixels"),
        ("prior=mog", "use prior=standard"),
        ("hierarchy=two_level", "use hierarchy=none"),
        ("conditioning.hidden_units=[]", "needs a layer"),
    ],
)
def test_what_does_not_go_with_inpainting_is_refused(override, message):
    options = [o for o in COMPLETES if "score" not in o or "=none" not in override]
    if override.startswith("corruption="):
        options = [o for o in COMPLETES if not o.startswith("corruption")]
    with pytest.raises(ConfigError) as refused:
        small_config(*options, override)
    assert message in str(refused.value)


def test_missing_pixels_are_used_nowhere():
    # not in the biases that a decoder starts with, nor as pseudo-inputs
    mean = np.full((4, 5, 1), 0.9, np.float32)
    shown, hidden = (
        small_vae(*options, pixel_mean=mean)
        for options in ((), ("corruption=random_mask",))
    )
    zero = np.zeros((1, 2), np.float32)
    assert np.mean(shown.pixel_means(zero)) > 0.8
    assert np.mean(hidden.pixel_means(zero)) == pytest.approx(0.5, abs=0.1)
    with pytest.raises(ConfigError, match=r"prior\.initialization=noise"):
        small_config(
            "corruption=random_mask", "prior=vamp", "prior.initialization=data"
        )


def test_gradient_of_a_completing_model_transposes_no_integers():
    # oneDNN prints a line to stderr for each such graph
    vae = small_vae(
        "conditioning=observed",
        "conditioning.hidden_units=[4]",
        "corruption=box",
        "corruption.loss_on=missing",
        "latent_dim=3",
    )
    seen = tf.zeros((2, 4, 5, 1))

    @tf.function
    def gradient(z):
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(
                vae.decode(z, vae.condition(corrupted=seen, mask=seen))
            )
        return tape.gradient(loss, vae.trainable_variables)

    graph = gradient.get_concrete_function(tf.zeros((6, 3))).graph
    moved = [op for op in graph.get_operations() if op.type == "Transpose"]
    assert not [op for op in moved if op.inputs[0].dtype == tf.int32]


def test_missing_pixels_change_no_reconstruction_and_no_unexplained_variance_of_it():
    vae = inpainting()
    changed = np.where(MASKS > 0, 255 - IMAGES, IMAGES).astype(np.uint8)
    condition = {"corrupted": SEEN, "mask": MASKS}
    first, second = (
        reconstruct(vae, x, condition=condition) for x in (IMAGES, changed)
    )
    np.testing.assert_array_equal(first, second)
    np.testing.assert_allclose(first[:, :, 2:], SEEN[:, :, 2:] / np.float32(255))
    split = Split(IMAGES, corrupted=SEEN, mask=MASKS)
    statistics = code_statistics(vae, split)
    found = anomaly_scores(vae, split, statistics, samples=2, seed=0)[
        "unexplained_variance"
    ]
    x, restored = IMAGES[:, :, :2] / 255, first[:, :, :2]
    own = ((x - x.mean((1, 2, 3), keepdims=True)) ** 2).sum((1, 2, 3))
    np.testing.assert_allclose(
        found, ((x - restored) ** 2).sum((1, 2, 3)) / own, rtol=1e-4
    )
