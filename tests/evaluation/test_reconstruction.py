from types import SimpleNamespace

import keras
import numpy as np
import pytest
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from tests.helpers import grey_images, mean_and_log_var, small_vae
from vae_cli.evaluation.reconstruction import (
    Reconstruction,
    score_reconstruction,
    ssim,
)
from vae_cli.models.distributions import Gaussian
from vae_cli.models.generative import UNCONDITIONAL
from vae_cli.pixels import EIGHT_BIT

SHAPES = [(28, 28, 1), (11, 11, 1), (13, 19, 3)]


def smooth_images(count: int, *shape: int, seed: int = 0) -> np.ndarray:
    """Grey waves with some noise: uint8, neither flat nor white noise."""
    rng = np.random.default_rng(seed)
    rows, columns = np.indices(shape[:2])
    waves = [
        np.sin(rows * rng.uniform(0.1, 0.9) + columns * rng.uniform(0.1, 0.9))
        for _ in range(count * shape[2])
    ]
    stacked = np.reshape(waves, (count, shape[2], *shape[:2])).transpose(0, 2, 3, 1)
    noisy = 0.5 + 0.4 * stacked + 0.03 * rng.standard_normal((count, *shape))
    return np.round(255 * noisy.clip(0, 1)).astype(np.uint8)


def skimage_ssim(a: np.ndarray, b: np.ndarray) -> list[float]:
    """Wang et al.'s settings, as scikit-image's documentation gives them."""
    options = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False}
    return [
        structural_similarity(x, y, data_range=1, channel_axis=-1, **options)
        for x, y in zip(a.astype(np.float64), b.astype(np.float64), strict=True)
    ]


class Pixels(keras.Model):
    """A model whose codes are images."""

    num_labels = 0
    observed_network = None
    likelihood = SimpleNamespace(pixels=EIGHT_BIT)

    def condition(self):
        """Return none."""
        return UNCONDITIONAL

    def posterior(self, images, condition):
        """Return the images as their own codes."""
        return Gaussian(images, None)

    def pixel_means(self, z, condition):
        """Restore."""
        return self(z)


class Blur(Pixels):
    """A model that restores half of an image's contrast."""

    def call(self, images):
        """Pull pixels to the middle."""
        return 0.25 + 0.5 * images


class Same(Pixels):
    """A model that restores an image exactly."""

    def call(self, images):
        """Return the images."""
        return images


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_ssim_is_scikit_images(shape):
    a, b = (smooth_images(4, *shape, seed=seed) / np.float32(255) for seed in (0, 1))
    noisy = (a + 0.1 * (b - 0.5)).clip(0, 1)
    for other in (b, noisy, 0.5 * a):
        np.testing.assert_allclose(ssim(a, other), skimage_ssim(a, other), atol=1e-4)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_ssim_of_an_image_with_itself_is_one(shape):
    images = smooth_images(3, *shape) / np.float32(255)
    np.testing.assert_allclose(ssim(images, images), 1, atol=1e-6)


def test_ssim_of_flat_images_is_finite():
    black, white = np.zeros((1, 11, 11, 1), np.float32), np.ones((1, 11, 11, 1))
    np.testing.assert_allclose(ssim(black, black), 1, atol=1e-6)
    # no structure: luminance alone, (2 mu nu + C1) / (mu^2 + nu^2 + C1), C1 = 0.01^2
    found = ssim(black, white.astype(np.float32))
    np.testing.assert_allclose(found, 1e-4 / (1 + 1e-4), rtol=1e-3)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_scores_are_those_of_scikit_image_averaged_over_images(shape):
    images = smooth_images(7, *shape)
    x = images / np.float32(255)
    restored = np.float32(0.25) + np.float32(0.5) * x
    found = score_reconstruction(Blur(), images, batch_size=3)
    mse = np.mean((x.astype(np.float64) - restored) ** 2)
    assert found.mse == pytest.approx(mse, rel=1e-5)
    assert found.psnr == pytest.approx(10 * np.log10(1 / mse), rel=1e-5)
    whole = peak_signal_noise_ratio(x.astype(float), restored, data_range=1)
    assert found.psnr == pytest.approx(whole, rel=1e-5)
    assert found.ssim == pytest.approx(np.mean(skimage_ssim(x, restored)), abs=1e-4)


def test_perfect_reconstruction_has_no_psnr_and_an_ssim_of_one():
    found = score_reconstruction(Same(), smooth_images(3, 12, 12, 1))
    assert (found.mse, found.psnr) == (0, None)
    assert found.ssim == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize("shape", [(10, 28, 1), (28, 10, 1), (4, 4, 3)], ids=str)
def test_images_smaller_than_the_window_have_no_ssim(shape):
    images = smooth_images(3, *shape)
    found = score_reconstruction(Blur(), images)
    x = images / 255
    mse = np.mean((0.5 * x - 0.25) ** 2)
    assert found.ssim is None
    assert found.mse == pytest.approx(mse, rel=1e-5)
    assert found.psnr == pytest.approx(-10 * np.log10(mse), rel=1e-5)


@pytest.mark.parametrize("hierarchy", ["none", "two_level"])
def test_reconstruction_is_that_of_posterior_means(hierarchy):
    vae = small_vae(f"hierarchy={hierarchy}", "latent_dim=3", shape=(12, 13, 1))
    images = grey_images(5, 12, 13, 1)
    x = images.astype(np.float32) / 255
    mean, _ = mean_and_log_var(vae, x)
    error = np.mean((x - np.asarray(vae.pixel_means(mean), np.float64)) ** 2)
    assert score_reconstruction(vae, images).mse == pytest.approx(error, rel=1e-5)


@pytest.mark.parametrize("batch_size", [1, 4, 7])
def test_batches_change_no_score(batch_size):
    vae, images = small_vae(shape=(12, 13, 1)), smooth_images(7, 12, 13, 1)
    whole = score_reconstruction(vae, images)
    parts = score_reconstruction(vae, images, batch_size)
    assert isinstance(whole, Reconstruction)
    assert parts.mse == pytest.approx(whole.mse, rel=1e-5)
    assert parts.ssim == pytest.approx(whole.ssim, abs=1e-5)


def test_pixels_that_are_not_scored_count_as_right():
    vae = small_vae("latent_dim=3", shape=(13, 19, 1))
    images = smooth_images(6, 13, 19, 1)
    scored = np.zeros((6, 13, 19, 1), np.uint8)
    scored[:, :5] = 255
    found = score_reconstruction(vae, images, condition={"mask": scored})
    x = images / 255
    restored = np.array(vae(images.astype(np.float32) / 255))
    restored[:, 5:] = x[:, 5:]
    assert found.mse == pytest.approx(((x - restored)[:, :5] ** 2).mean(), rel=1e-4)
    assert found.ssim == pytest.approx(np.mean(skimage_ssim(x, restored)), abs=1e-4)
