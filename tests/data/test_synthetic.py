import numpy as np
import pytest
from matplotlib.path import Path as Outline

from vae_cli.data.splits import Split
from vae_cli.data.synthetic import KINDS, shapes

SIZE = 48
CORNERS = {  # of shapes whose area is pi, as multiples of the radius
    "square": 0.5 * np.sqrt(np.pi) * np.array([(-1, -1), (1, -1), (1, 1), (-1, 1)]),
    "triangle": np.sqrt(np.pi / np.sqrt(27))
    * np.array([(-np.sqrt(3), -1), (np.sqrt(3), -1), (0, 2)]),
}


@pytest.fixture(scope="module")
def split():
    return Split(*shapes(200, SIZE, 1, np.random.default_rng(0)))


def cover(split) -> np.ndarray:
    """Shard of each pixel that is covered, [N, SIZE, SIZE]."""
    return split.images[..., 0] / 255 / split.factors["shade"][:, None, None]


def of_kind(split, kind: str):
    return split.take(np.flatnonzero(split.labels == KINDS.index(kind)))


def inside(split):
    """Only shapes that no edge of the picture cuts."""
    images = split.images[..., 0]
    edges = [images[:, 0], images[:, -1], images[:, :, 0], images[:, :, -1]]
    return split.take(np.flatnonzero(~np.any(np.concatenate(edges, 1), axis=1)))


@pytest.mark.parametrize("kind", KINDS)
def test_centroid_lies_at_x_and_y(split, kind):
    chosen = inside(of_kind(split, kind))
    weights = cover(chosen)
    total = weights.sum((1, 2))
    centres = (np.arange(SIZE) + 0.5) / SIZE
    x = (weights * centres[None, None, :]).sum((1, 2)) / total
    y = (weights * centres[None, :, None]).sum((1, 2)) / total
    np.testing.assert_allclose(x, chosen.factors["x"], atol=0.2 / SIZE)
    np.testing.assert_allclose(y, chosen.factors["y"], atol=0.2 / SIZE)


@pytest.mark.parametrize("kind", KINDS)
def test_area_is_that_of_a_disc_of_the_radius(split, kind):
    chosen = inside(of_kind(split, kind))
    area = cover(chosen).mean((1, 2))
    disc = np.pi * chosen.factors["radius"] ** 2
    np.testing.assert_allclose(area, disc, rtol=0.04)


@pytest.mark.parametrize("kind", ["square", "triangle"])
def test_shape_is_the_polygon_turned_by_its_angle(split, kind):
    chosen = of_kind(split, kind).take(slice(0, 10))
    fine = (np.arange(8 * SIZE) + 0.5) / (8 * SIZE)
    points = np.stack(np.meshgrid(fine, fine), -1).reshape(-1, 2)  # x, y
    for index, drawn in enumerate(cover(chosen)):
        f = {name: values[index] for name, values in chosen.factors.items()}
        cos, sin = np.cos(f["angle"]), np.sin(f["angle"])
        turned = CORNERS[kind] @ np.array([(cos, sin), (-sin, cos)])
        outline = Outline(f["radius"] * turned + (f["x"], f["y"]))
        hits = outline.contains_points(points).reshape(SIZE, 8, SIZE, 8)
        assert np.abs(hits.mean((1, 3)) - drawn).mean() < 0.01


def test_brightest_pixel_is_the_shade(split):
    brightest = split.images[:].max((1, 2, 3)) / 255
    np.testing.assert_allclose(brightest, split.factors["shade"], atol=0.5 / 255 + 1e-6)


def test_background_is_black(split):
    assert (split.images[:, :3, :3] == 0).mean() > 0.99


def test_labels_are_the_kinds(split):
    np.testing.assert_array_equal(split.labels, split.factors["kind"])
    assert set(split.labels) == {0, 1, 2}


def test_factors_lie_in_their_ranges(split):
    for name, low, high in [
        ("x", 0.3, 0.7),
        ("y", 0.3, 0.7),
        ("radius", 0.1, 0.19),
        ("angle", 0, np.pi / 2),
        ("shade", 0.6, 1),
    ]:
        values = split.factors[name]
        assert values.shape == (200,)
        assert low <= values.min() < low + 0.1 * (high - low)
        assert high - 0.1 * (high - low) < values.max() <= high


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_images_are_uint8_of_the_size_and_channels_asked_for(channels):
    made = shapes(5, 9, channels, np.random.default_rng(0)).images
    assert made.shape == (5, 9, 9, channels)
    assert made.dtype == np.uint8


def test_channels_are_shades_of_one_shape():
    images = shapes(30, SIZE, 3, np.random.default_rng(1)).images[:].astype(float)
    peaks = images.max((1, 2))
    alike = images / peaks[:, None, None, :]
    np.testing.assert_allclose(alike[..., 0], alike[..., 1], atol=0.03)
    np.testing.assert_allclose(alike[..., 0], alike[..., 2], atol=0.03)
    assert np.abs(peaks[:, 0] - peaks[:, 1]).mean() > 10


def test_more_images_than_one_chunk_agree_with_their_factors():
    split = shapes(1030, 16, 1, np.random.default_rng(2))
    area = split.images[..., 0].mean((1, 2)) / 255 / split.factors["shade"]
    disc = split.labels == KINDS.index("disc")
    expected = np.pi * split.factors["radius"][disc] ** 2
    np.testing.assert_allclose(area[disc], expected, rtol=0.1)


def test_same_generator_seed_draws_the_same_shapes():
    first = shapes(4, 10, 3, np.random.default_rng(3)).images
    second = shapes(4, 10, 3, np.random.default_rng(3)).images
    np.testing.assert_array_equal(first, second)
