"""How good generated images are: against closed forms and scikit-image's filters."""

import numpy as np
import pytest
from scipy import linalg, ndimage

from tests.helpers import grey_images, small_vae
from vae_cli.data.splits import Split
from vae_cli.evaluation.samples import (
    class_spread,
    frechet_distance,
    generated_images,
    laplacian_variance,
    score_samples,
)


def test_laplacian_is_scipys_away_from_the_border():
    images = grey_images(3, 9, 8, 2).astype(np.float32) / 255
    for image, found in zip(images, laplacian_variance(images), strict=True):
        each = [ndimage.laplace(image[..., c].astype(float)) for c in range(2)]
        inner = np.stack(each, axis=-1)[1:-1, 1:-1]
        assert found == pytest.approx(inner.var(), rel=1e-5)


def test_blurred_images_are_less_sharp():
    images = grey_images(3, 9, 8, 1).astype(np.float32) / 255
    blurred = ndimage.gaussian_filter(images, (0, 1, 1, 0))
    assert (laplacian_variance(blurred) < 0.2 * laplacian_variance(images)).all()


def test_frechet_distance_is_that_of_its_formula():
    rng = np.random.default_rng(0)
    a = rng.normal(size=(200, 4)) @ rng.normal(size=(4, 4)) + 1
    b = rng.normal(size=(300, 4)) @ rng.normal(size=(4, 4))
    first, second = np.cov(a.T), np.cov(b.T)
    root = linalg.sqrtm(first @ second).real
    expected = ((a.mean(0) - b.mean(0)) ** 2).sum() + np.trace(first + second)
    expected -= 2 * np.trace(root)
    assert frechet_distance(a, b) == pytest.approx(expected)
    assert frechet_distance(a, a) == pytest.approx(0, abs=1e-8)
    assert frechet_distance(a, a + np.array([3, 0, 4, 0])) == pytest.approx(25)


def test_features_that_never_move_have_a_distance():
    a = np.zeros((10, 3))
    assert frechet_distance(a, a + 2) == pytest.approx(12)


def test_spread_is_a_share_of_that_of_real_images():
    rng = np.random.default_rng(0)
    labels = np.arange(400) % 4
    real = rng.normal(size=(400, 5, 5, 1)) + 10 * labels[:, None, None, None]
    assert class_spread(real, labels, real, labels) == pytest.approx(1)
    centres = np.stack([real[labels == k].mean(axis=0) for k in range(4)])[labels]
    half = centres + 0.5 * (real - centres)
    assert class_spread(half, labels, real, labels) == pytest.approx(0.5)
    assert class_spread(real[:4], labels[:4], real, labels) is None


def test_as_many_are_drawn_of_each_class():
    vae = small_vae("conditioning=label", "latent_dim=3", num_classes=3)
    images, labels = generated_images(vae, 30, 0, Split(grey_images(6, 4, 5, 1)), False)
    assert images.shape == (30, 4, 5, 1)
    assert np.bincount(labels).tolist() == [10, 10, 10]


def test_binary_pixels_are_drawn_by_their_means_and_by_the_seed_alone():
    vae = small_vae("latent_dim=3")
    split = Split(grey_images(6, 4, 5, 1))
    means, _ = generated_images(vae, 4000, 0, split, False)
    pixels, _ = generated_images(vae, 4000, 0, split, True)
    assert set(np.unique(pixels)) == {0, 1}
    np.testing.assert_allclose(pixels.mean(0), means.mean(0), atol=0.04)
    np.testing.assert_array_equal(
        generated_images(vae, 10, 0, split, True)[0], pixels[:10]
    )
    assert (generated_images(vae, 10, 1, split, True)[0] != pixels[:10]).any()


def test_without_labels_there_is_the_sharpness_alone():
    vae = small_vae("latent_dim=3")
    split = Split(grey_images(6, 4, 5, 1))
    images, labels = generated_images(vae, 30, 0, split, False)
    assert labels is None
    found = score_samples(images, None, split, split, None)
    expected = laplacian_variance(images).mean()
    expected /= laplacian_variance(split.images[:] / np.float32(255)).mean()
    assert found.sharpness == pytest.approx(expected, rel=1e-5)
    assert found.frechet_distance is None


def test_what_can_not_be_told_is_none():
    one, many = np.zeros((1, 4)), np.random.default_rng(0).normal(size=(9, 4))
    assert frechet_distance(one, many) is None
    same, labels = np.zeros((4, 5, 5, 1), np.float32), np.zeros(4, int)
    assert (
        class_spread(same + np.arange(4)[:, None, None, None], labels, same, labels)
        is None
    )
    tiny = Split(np.zeros((4, 2, 2, 1), np.uint8))
    found = score_samples(np.zeros((4, 2, 2, 1), np.float32), None, tiny, tiny, None)
    assert found.sharpness is None
