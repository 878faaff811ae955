"""The plane of the scatter: codes as points, and back."""

import numpy as np
import pytest
from sklearn.decomposition import PCA

from vae_cli.evaluation.projection import project
from vae_cli.explore.plane import plane_of, ranges


def codes(latent_dim: int, count: int = 200) -> np.ndarray:
    rng = np.random.default_rng(latent_dim)
    scale = np.linspace(2, 0.1, latent_dim)
    return (rng.normal(size=(count, latent_dim)) * scale + 0.5).astype(np.float32)


def test_two_dimensions_are_shown_as_they_are() -> None:
    mean = codes(2)
    plane = plane_of(mean)
    assert plane.names == ("z[0]", "z[1]")
    np.testing.assert_array_equal(plane.points(mean, mean), mean)
    np.testing.assert_allclose(plane.code(0.25, -1.5), [0.25, -1.5])


def test_one_dimension_is_shown_against_its_log_variance() -> None:
    mean, log_var = codes(1), codes(1) - 3
    plane = plane_of(mean)
    np.testing.assert_array_equal(
        plane.points(mean, log_var), np.hstack([mean, log_var])
    )
    np.testing.assert_array_equal(plane.code(0.75, -5.0), [0.75])


@pytest.mark.parametrize("latent_dim", [3, 16])
def test_more_dimensions_are_shown_as_principal_components(latent_dim: int) -> None:
    mean = codes(latent_dim)
    plane, pca = plane_of(mean), PCA(2).fit(mean)
    largest = np.abs(pca.components_).argmax(axis=1)
    signs = np.sign(pca.components_[[0, 1], largest])
    own = plane.points(mean, mean)
    np.testing.assert_allclose(own, pca.transform(mean) * signs, atol=1e-4)
    share = pca.explained_variance_ratio_
    assert plane.names == (
        f"PC 1 ({share[0]:.0%} of variance)",
        f"PC 2 ({share[1]:.0%})",
    )


@pytest.mark.parametrize("latent_dim", [2, 3, 16])
def test_plane_is_that_of_the_latent_figure_with_its_signs(latent_dim: int) -> None:
    for mean in (codes(latent_dim), -codes(latent_dim)):
        plane = plane_of(mean)
        points, names = project(mean, mean, mean.var(axis=0))
        np.testing.assert_allclose(plane.points(mean, mean), points, atol=1e-5)
        assert plane.names == names


@pytest.mark.parametrize("latent_dim", [2, 3, 16])
def test_point_of_the_code_of_a_point_is_the_point(latent_dim: int) -> None:
    plane = plane_of(codes(latent_dim))
    code = plane.code(1.25, -0.5)
    np.testing.assert_allclose(
        plane.points(code[None], code[None]), [[1.25, -0.5]], atol=1e-5
    )


@pytest.mark.parametrize("count", [1, 2, 3])
def test_a_few_images_or_collapsed_codes_have_a_plane_too(count: int) -> None:
    for mean in (codes(5, count), np.zeros((count, 5), np.float32)):
        plane = plane_of(mean)
        assert plane.axes.shape == (2, 5)
        assert np.isfinite(plane.points(mean, mean)).all()
        assert np.isfinite(plane.code(1.0, 1.0)).all()


def test_sliders_reach_every_code_and_at_least_three() -> None:
    mean = np.array([[0.0, -7.31], [0.5, 1.0]], np.float32)
    np.testing.assert_allclose(ranges(mean), [[-3, 3], [-7.4, 3]], atol=1e-6)
