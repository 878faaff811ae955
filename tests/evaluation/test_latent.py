import numpy as np
import pytest
from threadpoolctl import threadpool_limits

from tests.helpers import grey_images, mean_and_log_var, small_vae
from vae_cli.errors import ConfigError, RunError
from vae_cli.evaluation.latent import (
    active_units,
    decode,
    encode,
    kl_to_normal,
    sample_prior,
)
from vae_cli.evaluation.projection import project
from vae_cli.registry import OPTIONS

SHAPE = (5, 6, 2)
IMAGES = grey_images(11, *SHAPE)
RNG = np.random.default_rng(0)
FEW = {
    "standard": (),
    "mog": ("prior.components=3",),
    "vamp": ("prior.components=3",),
}
"""Prior -> overrides that keep it small."""


def codes(count: int, latent_dim: int) -> tuple[np.ndarray, np.ndarray]:
    mean = RNG.standard_normal((count, latent_dim)).astype(np.float32)
    return mean, -np.abs(mean)


def test_encode_gives_a_mean_and_a_log_variance_an_image():
    mean, log_var = encode(small_vae("latent_dim=3", shape=SHAPE), IMAGES)
    assert mean.shape == log_var.shape == (11, 3)
    assert mean.dtype == log_var.dtype == np.float32


@pytest.mark.parametrize("batch_size", [1, 4, 11, 500])
def test_encode_is_the_encoder_on_scaled_pixels_whatever_the_batches(batch_size):
    vae = small_vae(shape=SHAPE)
    expected = mean_and_log_var(vae, IMAGES.astype(np.float32) / 255)
    for found, part in zip(encode(vae, IMAGES, batch_size), expected, strict=True):
        np.testing.assert_allclose(found, part, atol=1e-5)


@pytest.mark.parametrize("likelihood", OPTIONS["likelihood"])
def test_decode_gives_pixel_means_in_the_unit_interval(likelihood):
    vae = small_vae(f"likelihood={likelihood}", shape=SHAPE)
    images = decode(vae, 10 * codes(9, 2)[0])
    assert images.shape == (9, *SHAPE)
    assert images.dtype == np.float32
    assert 0 <= images.min() < images.max() <= 1


@pytest.mark.parametrize("batch_size", [1, 4, 9, 500])
def test_decode_is_the_decoder_whatever_the_batches(batch_size):
    vae = small_vae(shape=SHAPE)
    z, _ = codes(9, 2)
    found = decode(vae, z, batch_size)
    np.testing.assert_allclose(found, vae.pixel_means(z), atol=1e-6)


def test_decode_takes_codes_in_double_precision():
    vae = small_vae(shape=SHAPE)
    z, _ = codes(3, 2)
    np.testing.assert_array_equal(decode(vae, z.astype(np.float64)), decode(vae, z))


def test_kl_per_dim_is_averaged_over_images():
    mean, log_var = codes(50, 4)
    found = kl_to_normal(mean, log_var)
    expected = (0.5 * (mean**2 + np.exp(log_var) - 1 - log_var)).mean(axis=0)
    assert found.shape == (4,)
    np.testing.assert_allclose(found, expected, rtol=1e-5)


@pytest.mark.parametrize("prior", ["standard", "mog", "vamp"])
def test_first_codes_of_the_prior_stay_the_same_when_more_are_drawn(prior):
    vae = small_vae(f"prior={prior}", *FEW[prior], "latent_dim=3")
    few, many = (sample_prior(vae, count, seed=5) for count in (4, 9))
    assert few.dtype == many.dtype == np.float32
    np.testing.assert_array_equal(few, many[:4])
    assert (sample_prior(vae, 4, seed=6) != few).any()


@pytest.mark.parametrize("temperature", [0.25, 1.0, 2.0])
def test_temperature_scales_codes_of_the_standard_prior(temperature):
    vae = small_vae("latent_dim=3")
    noise = sample_prior(vae, 6, seed=5)
    found = sample_prior(vae, 6, seed=5, temperature=temperature)
    np.testing.assert_allclose(found, temperature * noise, rtol=1e-6)


@pytest.mark.parametrize("prior", ["mog", "vamp"])
def test_temperature_scales_codes_about_the_mean_of_their_component(prior):
    vae = small_vae(f"prior={prior}", *FEW[prior], "latent_dim=3", shape=SHAPE)
    if prior == "vamp":
        vae.prior_network.start_at(IMAGES[:3].astype(np.float32) / 255)
    centre, half, whole = (
        sample_prior(vae, 40, seed=5, temperature=t) for t in (0.0, 0.5, 1.0)
    )
    means = np.asarray(vae.prior().mean)
    apart = np.abs(centre[:, None] - means).max(axis=-1)
    np.testing.assert_allclose(apart.min(axis=1), 0, atol=1e-6)
    assert set(apart.argmin(axis=1)) == {0, 1, 2}
    np.testing.assert_allclose(half - centre, (whole - centre) / 2, atol=1e-5)


def test_active_units_have_a_variance_above_one_hundredth():
    mean, _ = codes(500, 4)
    mean = (mean - mean.mean(0)) / mean.std(0) * [1.0, 0.101, 0.099, 0.0]
    assert active_units(mean + 7) == 2


@pytest.fixture
def one_thread():
    """Keep t-SNE's threads from waiting for each other on a busy machine."""
    with threadpool_limits(1):
        yield


def test_one_dimension_is_shown_against_its_log_variance():
    mean, log_var = codes(8, 1)
    points, names = project(mean, log_var, np.ones(1))
    np.testing.assert_array_equal(points, np.hstack([mean, log_var]))
    assert names == ("z[0]", "log-variance of z[0]")


@pytest.mark.parametrize("method", ["auto", "dims"])
def test_two_dimensions_are_shown_as_they_are(method):
    mean, log_var = codes(8, 2)
    points, names = project(mean, log_var, np.array([0.1, 0.5]), method)
    np.testing.assert_array_equal(points, mean)
    assert names == ("z[0]", "z[1]")


@pytest.mark.parametrize("method", ["auto", "dims"])
def test_chosen_dimensions_are_shown_in_their_order(method):
    mean, log_var = codes(8, 5)
    points, names = project(mean, log_var, np.ones(5), method, dims=[3, 1])
    np.testing.assert_array_equal(points, mean[:, [3, 1]])
    assert names == ("z[3]", "z[1]")


def test_dims_without_a_choice_are_the_two_of_largest_kl():
    mean, log_var = codes(8, 5)
    kl = np.array([0.3, 2.0, 0.1, 0.2, 5.0])
    points, names = project(mean, log_var, kl, "dims")
    np.testing.assert_array_equal(points, mean[:, [1, 4]])
    assert names == ("z[1]", "z[4]")


@pytest.mark.parametrize("method", ["auto", "pca"])
def test_more_dimensions_are_shown_on_their_principal_axes(method):
    mean, log_var = codes(40, 5)
    mean = mean * np.array([1, 5, 1, 3, 1], np.float32)
    points, names = project(mean, log_var, np.ones(5), method)
    centred = mean - mean.mean(axis=0)
    u, s, _ = np.linalg.svd(centred, full_matrices=False)
    np.testing.assert_allclose(np.abs(points), np.abs(u * s)[:, :2], atol=1e-3)
    share = s**2 / np.sum(s**2)
    assert names == (f"PC 1 ({share[0]:.0%} of variance)", f"PC 2 ({share[1]:.0%})")


@pytest.mark.usefixtures("one_thread")
@pytest.mark.parametrize("latent_dim", [2, 5])
def test_tsne_keeps_two_clusters_apart(latent_dim):
    mean, log_var = codes(16, latent_dim)
    mean[8:] += 50
    points, names = project(mean, log_var, np.ones(latent_dim), "tsne")
    assert points.shape == (16, 2)
    assert names == ("t-SNE 1", "t-SNE 2")
    apart = np.linalg.norm(points[:, None] - points[None], axis=-1)
    np.fill_diagonal(apart, np.inf)
    nearest = apart.argmin(axis=1)
    np.testing.assert_array_equal(nearest < 8, np.arange(16) < 8)


@pytest.mark.usefixtures("one_thread")
def test_tsne_repeats_for_the_same_seed():
    mean, log_var = codes(12, 3)
    first, second = (
        project(mean, log_var, np.ones(3), "tsne", seed=1)[0] for _ in range(2)
    )
    np.testing.assert_array_equal(first, second)


@pytest.mark.usefixtures("one_thread")
@pytest.mark.parametrize("method", ["pca", "tsne"])
def test_three_images_are_enough_for_a_projection(method):
    mean, log_var = codes(3, 4)
    points, _ = project(mean, log_var, np.ones(4), method)
    assert points.shape == (3, 2)
    assert np.isfinite(points).all()


@pytest.mark.filterwarnings("ignore:invalid value encountered")
def test_collapsed_codes_have_principal_axes_without_variance():
    same = np.ones((8, 4), np.float32)
    points, names = project(same, same, np.zeros(4), "pca")
    assert not points.any()
    assert names == ("PC 1 (0% of variance)", "PC 2 (0%)")


@pytest.mark.parametrize("method", ["pca", "tsne"])
def test_two_images_are_too_few_for_a_projection(method):
    mean, log_var = codes(2, 4)
    with pytest.raises(RunError, match=f"method={method} needs at least 3 images"):
        project(mean, log_var, np.ones(4), method)


@pytest.mark.parametrize("dims", [[0, 5], [7, 1]])
def test_dimension_that_there_is_not_is_refused(dims):
    mean, log_var = codes(8, 5)
    with pytest.raises(ConfigError) as refused:
        project(mean, log_var, np.ones(5), "dims", dims)
    expected = f"dims={dims} is outside the run's 5 latent dimensions (0 to 4)."
    assert str(refused.value) == expected
