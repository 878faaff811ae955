import numpy as np
import pytest
from scipy.stats import norm

from vae_cli.evaluation.paths import interpolate, plane, steps, traversals

START = np.array([1.0, 2.0, -0.5], np.float32)
END = np.array([-2.0, 0.5, 3.0], np.float32)


def lengths(path: np.ndarray) -> np.ndarray:
    return np.linalg.norm(path.astype(np.float64), axis=1)


def turns(path: np.ndarray) -> np.ndarray:
    """Angles between neighbouring codes."""
    unit = path.astype(np.float64) / lengths(path)[:, None]
    return np.arccos(np.clip((unit[1:] * unit[:-1]).sum(axis=1), -1, 1))


def test_quantiles_cut_the_prior_into_equal_shares():
    found = steps(10, "quantiles", 3.0)
    np.testing.assert_allclose(norm.cdf(found), np.linspace(0.05, 0.95, 10))


def test_linspace_goes_from_minus_span_to_span():
    np.testing.assert_allclose(steps(5, "linspace", 3.0), [-3, -1.5, 0, 1.5, 3])


@pytest.mark.parametrize("spacing", ["quantiles", "linspace"])
def test_one_step_is_the_centre(spacing):
    np.testing.assert_array_equal(steps(1, spacing, 3.0), [0])


@pytest.mark.parametrize("spacing", ["quantiles", "linspace"])
def test_odd_counts_pass_through_the_centre(spacing):
    assert steps(7, spacing, 2.0)[3] == pytest.approx(0, abs=1e-12)


def test_first_dimension_of_a_plane_grows_to_the_right():
    z = plane(2, (0, 1), rows=3, columns=4, spacing="linspace", span=1.5)
    x = z.reshape(3, 4, 2)[..., 0]
    np.testing.assert_allclose(x, [[-1.5, -0.5, 0.5, 1.5]] * 3)


def test_second_dimension_of_a_plane_grows_upwards():
    z = plane(2, (0, 1), rows=3, columns=4, spacing="linspace", span=1.5)
    y = z.reshape(3, 4, 2)[..., 1]
    np.testing.assert_allclose(y, [[1.5] * 4, [0] * 4, [-1.5] * 4])


def test_plane_holds_the_other_dimensions_at_zero():
    z = plane(5, (3, 1), rows=3, columns=2, spacing="quantiles", span=1.0)
    assert z.shape == (6, 5)
    assert z.dtype == np.float32
    assert not z[:, [0, 2, 4]].any()
    np.testing.assert_allclose(z[:2, 3], [norm.ppf(0.05), norm.ppf(0.95)], rtol=1e-6)
    np.testing.assert_allclose(z[::2, 1], norm.ppf([0.95, 0.5, 0.05]), atol=1e-6)


def test_traversals_change_one_dimension_a_row():
    z = traversals(np.array([2, 0]), latent_dim=3, count=5, span=2.0)
    assert z.shape == (10, 3)
    assert z.dtype == np.float32
    line = [-2, -1, 0, 1, 2]
    first, second = z.reshape(2, 5, 3)
    np.testing.assert_allclose(first[:, 2], line)
    np.testing.assert_allclose(second[:, 0], line)
    assert not first[:, [0, 1]].any()
    assert not second[:, [1, 2]].any()


def test_traversal_of_one_code_is_the_origin():
    assert not traversals(np.array([1]), latent_dim=3, count=1, span=2.0).any()


def test_linear_path_goes_in_equal_steps():
    path = interpolate(START, END, 4, "linear")
    expected = [START + share * (END - START) for share in (0, 1 / 3, 2 / 3, 1)]
    np.testing.assert_allclose(path, expected, atol=1e-6)
    assert path.dtype == np.float32


@pytest.mark.parametrize("how", ["linear", "spherical"])
@pytest.mark.parametrize("count", [2, 3, 11])
def test_path_holds_both_ends(how, count):
    path = interpolate(START, END, count, how)
    assert path.shape == (count, 3)
    np.testing.assert_allclose(path[0], START, rtol=1e-6)
    np.testing.assert_allclose(path[-1], END, rtol=1e-6)


def test_spherical_path_turns_by_equal_angles():
    path = interpolate(START, END, 9, "spherical")
    whole = turns(np.stack([START, END]))[0]
    np.testing.assert_allclose(turns(path), whole / 8, rtol=1e-4)


def test_spherical_path_between_equal_lengths_keeps_the_length():
    end = END * np.linalg.norm(START) / np.linalg.norm(END)
    path = interpolate(START, end, 9, "spherical")
    np.testing.assert_allclose(lengths(path), np.linalg.norm(START), rtol=1e-5)


def test_spherical_path_changes_its_length_in_equal_steps():
    path = interpolate(START, END, 9, "spherical")
    expected = np.linspace(np.linalg.norm(START), np.linalg.norm(END), 9)
    np.testing.assert_allclose(lengths(path), expected, rtol=1e-5)


def test_spherical_path_across_a_right_angle_passes_the_diagonal():
    path = interpolate(np.array([2.0, 0.0]), np.array([0.0, 2.0]), 3, "spherical")
    np.testing.assert_allclose(path[1], [np.sqrt(2), np.sqrt(2)], rtol=1e-6)


@pytest.mark.parametrize("short_of_opposite", [0.1, 1e-2, 3e-4])
def test_spherical_path_between_almost_opposite_codes_keeps_the_length(
    short_of_opposite,
):
    angle = np.pi - short_of_opposite
    start = np.array([1, 0], np.float32)
    end = np.array([np.cos(angle), np.sin(angle)], np.float32)
    path = interpolate(start, end, 5, "spherical")
    np.testing.assert_allclose(lengths(path), 1, rtol=1e-3)


def test_spherical_path_between_almost_equal_codes_stays_between_them():
    start = np.array([1.0, 0.0], np.float32)
    end = np.array([1.0, 1e-4], np.float32)
    path = interpolate(start, end, 5, "spherical")
    np.testing.assert_allclose(path[:, 1], np.linspace(0, 1e-4, 5), atol=1e-8)
    np.testing.assert_allclose(path[:, 0], 1, atol=1e-6)


@pytest.mark.parametrize(
    "start, end",
    [
        (START, -2 * START),
        (START, START),
        (START, 3 * START),
        (np.zeros(3), END),
        (START, np.zeros(3)),
        (np.zeros(3), np.zeros(3)),
    ],
    ids=["opposite", "equal", "longer", "from zero", "to zero", "zero"],
)
def test_spherical_path_without_a_great_circle_is_straight(start, end):
    path = interpolate(start, end, 5, "spherical")
    np.testing.assert_allclose(path, interpolate(start, end, 5, "linear"), atol=1e-6)
    assert np.isfinite(path).all()
