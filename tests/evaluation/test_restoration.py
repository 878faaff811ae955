"""Restoring images: against a linear model whose missing pixels are known exactly."""

import numpy as np
import pytest
from scipy import ndimage

from tests.helpers import grey_images, mean_and_log_var, small_vae
from tests.models.toys import SHAPE, linear_gaussian
from vae_cli.config.compose import composed
from vae_cli.data.corruption import corrupt_split, with_missing
from vae_cli.data.splits import Split
from vae_cli.data_spec import DataSpec
from vae_cli.evaluation.restoration import restore
from vae_cli.evaluation.restoration_errors import errors, mean_filled, median_filtered

IMAGES = grey_images(5, *SHAPE)


def half_missing():
    mask = np.zeros((5, *SHAPE), np.uint8)
    mask[:, :, :2] = 255
    return with_missing(Split(IMAGES, mask=mask))


def exact(toy, split):
    """Return mean and deviation of the missing pixels' means, given the seen ones."""
    seen = split.mask[0].reshape(-1) == 255
    x = split.images[:].reshape(5, -1) / 255
    kernel, bias = toy.kernel.astype(np.float64), toy.bias
    precision = np.eye(2) + kernel[seen].T @ kernel[seen] / toy.scale**2
    covariance = np.linalg.inv(precision)
    z = (x[:, seen] - bias[seen]) @ kernel[seen] / toy.scale**2 @ covariance
    deviation = np.sqrt(np.diag(kernel @ covariance @ kernel.T))
    mean = z @ kernel.T + bias
    return np.where(seen, x, mean), np.where(seen, 0, deviation)


@pytest.mark.parametrize("samples", [20_000])
def test_importance_gives_the_exact_mean_and_spread_of_missing_pixels(samples):
    toy, split = linear_gaussian(widen=8.0), half_missing()
    found = restore(toy.vae, split, None, samples, 2, seed=0, batch_size=2)
    mean, deviation = exact(toy, split)
    weighted = found.methods["importance"].reshape(5, -1)
    np.testing.assert_allclose(weighted, mean, atol=0.02)
    spread = found.spread.reshape(5, -1)
    np.testing.assert_allclose(spread, np.tile(deviation, (5, 1)), atol=0.02)


def test_exact_posterior_makes_every_sample_count():
    # of a whole image, all of whose pixels are seen
    toy = linear_gaussian()
    whole = with_missing(Split(IMAGES, mask=np.full((5, *SHAPE), 255, np.uint8)))
    for model, least, most in ((toy, 39.9, 40.1), (linear_gaussian(widen=8.0), 1, 30)):
        found = restore(model.vae, whole, None, 40, 2, seed=0, batch_size=5)
        assert least < found.effective_samples < most


def test_model_of_whole_images_gives_the_exact_mean_from_filled_ones():
    toy, split = linear_gaussian(widen=8.0), half_missing()
    start = np.where(split.mask[:] == 255, IMAGES / 255, 0.7).astype(np.float32)
    found = restore(toy.vae, split, None, 20_000, 60, seed=0, batch_size=2, start=start)
    mean, _ = exact(toy, split)
    weighted = found.methods["importance"].reshape(5, -1)
    np.testing.assert_allclose(weighted, mean, atol=0.02)
    single = toy.vae.pixel_means(mean_and_log_var(toy.vae, start)[0])
    expected = np.where(split.mask[:] == 255, IMAGES / 255, single)
    np.testing.assert_allclose(found.methods["single_pass"], expected, atol=1e-5)


def test_draws_follow_the_importance_weights():
    toy, split = linear_gaussian(widen=8.0), half_missing()
    mean, _ = exact(toy, split)
    # sixty of each image, each with noise of its own
    often = split.take(np.tile(np.arange(5), 60))
    draws = restore(toy.vae, often, None, 2000, 2, seed=0, batch_size=50).draws
    found = draws.reshape(-1, 5, mean.shape[1]).mean(axis=0)
    np.testing.assert_allclose(found, mean, atol=0.06)


def test_pseudo_gibbs_comes_near_the_exact_mean_from_a_far_start():
    # the chain encodes the pixel means that it has filled in: its fixed point is the
    # exact conditional mean
    toy, split = linear_gaussian(), half_missing()
    found = restore(toy.vae, split, None, 2, 1000, seed=0, batch_size=5)
    mean, _ = exact(toy, split)
    chain = found.methods["pseudo_gibbs"].reshape(5, -1)
    np.testing.assert_allclose(chain, mean, atol=0.03)


def test_seen_pixels_are_kept_and_batches_change_nothing():
    vae = small_vae("latent_dim=3", shape=SHAPE)
    split = half_missing()
    whole = restore(vae, split, None, 4, 6, seed=1, batch_size=5)
    apart = restore(vae, split, None, 4, 6, seed=1, batch_size=2)
    seen = np.broadcast_to(split.mask[:] == 255, IMAGES.shape)
    for name, images in whole.methods.items():
        np.testing.assert_allclose(images[seen], IMAGES[seen] / 255, atol=1e-6)
        np.testing.assert_allclose(images, apart.methods[name], atol=1e-5)
    np.testing.assert_allclose(whole.draws, apart.draws, atol=1e-5)
    assert whole.draws.shape == (3, *IMAGES.shape)
    assert (whole.spread[split.mask[:] == 255] < 1e-6).all()


def test_noise_is_restored_from_what_is_seen():
    vae = small_vae("latent_dim=3", shape=SHAPE)
    split = Split(IMAGES, corrupted=grey_images(5, *SHAPE, seed=2))
    found = restore(vae, split, None, 4, 6, seed=1, batch_size=2)
    expected = vae(split.corrupted[:].astype(np.float32) / 255)
    np.testing.assert_allclose(found.methods["restored"], expected, atol=1e-5)
    assert found.draws is None


def test_swapped_label_is_told_to_the_decoder_alone():
    vae = small_vae("conditioning=label", "latent_dim=3", shape=SHAPE, num_classes=3)
    rng = np.random.default_rng(0)
    for weight in vae.trainable_variables:
        weight.assign(weight + 0.3 * rng.normal(size=weight.shape))
    split = Split(IMAGES, labels=np.array([0, 1, 2, 0, 1]))
    own = restore(vae, split, None, 1, 2, 0, 5).methods["restored"]
    swapped = restore(vae, split, 2, 1, 2, 0, 5).methods["restored"]
    np.testing.assert_allclose(own[2], swapped[2], atol=1e-6)
    images = IMAGES.astype(np.float32) / 255
    mean, _ = mean_and_log_var(vae, images, label=split.labels)
    expected = vae.pixel_means(mean, vae.condition(label=np.full(5, 2)))
    np.testing.assert_allclose(swapped, expected, atol=1e-6)
    assert np.abs(own[0] - swapped[0]).max() > 1e-3


def test_errors_are_told_for_what_was_seen_and_for_missing_pixels_alone():
    split = half_missing()
    filled = mean_filled(split, DataSpec(SHAPE, False, None, np.full(SHAPE, 0.5)))
    found = errors(split, {"mean_fill": filled})
    x = IMAGES / 255
    missing = np.broadcast_to(split.mask[:] == 0, x.shape)
    expected = ((x - 0.5) ** 2)[missing].mean()
    for values in found.values():
        assert values["mse_missing"] == pytest.approx(expected, rel=0.01)
        assert values["mse"] == pytest.approx(
            expected * missing.sum() / missing.size, rel=0.01
        )
    assert set(found) == {"corrupted", "mean_fill"}


def test_median_filter_is_scipys_and_leaves_channels_apart():
    images = grey_images(3, 8, 9, 2)
    found = median_filtered(images)
    expected = ndimage.median_filter(images[1, :, :, 1], size=3) / 255
    np.testing.assert_allclose(found[1, :, :, 1], expected, atol=1e-6)


def test_corrupted_split_is_restored_by_every_kind():
    vae = small_vae("latent_dim=3", shape=SHAPE)
    for name in ("salt_and_pepper", "box"):
        config = composed("train", [f"corruption={name}"]).corruption
        if name == "box":
            config.loss_on = "observed"
        split = corrupt_split(Split(IMAGES), config, 0)
        found = restore(vae, split, None, 2, 2, 0, 5)
        assert all(x.shape == IMAGES.shape for x in found.methods.values())
