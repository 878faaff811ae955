"""Pictures of a full grid of factors: what is drawn is what the factors say."""

import itertools

import numpy as np
import pytest

from vae_cli.config.compose import composed
from vae_cli.config.dataset import DatasetConfig
from vae_cli.data import cache
from vae_cli.data.prepare import load_data
from vae_cli.data.source import load_source
from vae_cli.data.splits import Split
from vae_cli.errors import ConfigError

SPRITES = ("dataset=factors", "dataset.rotations=5", "dataset.positions=4")
SQUARES = ("dataset=xy_squares", "dataset.squares=2", "dataset.places=4")


def config(*overrides: str) -> DatasetConfig:
    return composed("train", list(overrides)).dataset


def grid(*overrides: str) -> Split:
    """All pictures, in the order of the grid."""
    return load_source(config(*overrides)).train


@pytest.fixture(scope="module")
def sprites() -> Split:
    return grid(*SPRITES)


@pytest.fixture(scope="module")
def squares() -> Split:
    return grid(*SQUARES)


def cover(split: Split) -> np.ndarray:
    return split.images[:][..., 0] / 255


def centroid(split: Split) -> tuple[np.ndarray, np.ndarray]:
    """Centre of mass as fractions of width and height."""
    weight = cover(split)
    places = (np.arange(weight.shape[1]) + 0.5) / weight.shape[1]
    total = weight.sum(axis=(1, 2))
    return (weight.sum(1) @ places) / total, (weight.sum(2) @ places) / total


@pytest.mark.parametrize("words", [SPRITES, SQUARES, (*SPRITES, "dataset.colours=3")])
def test_every_combination_of_levels_occurs_once(words: tuple[str, ...]) -> None:
    split, factors = grid(*words), config(*words).factors
    found = np.stack([split.factors[f.name] for f in factors], axis=1)
    wanted = list(itertools.product(*(f.values for f in factors)))
    np.testing.assert_allclose(found, wanted, rtol=1e-6)
    assert list(split.factors) == [f.name for f in factors]


def test_levels_are_found_again_from_values() -> None:
    for factor in config("dataset=factors").factors:
        values = np.float32(factor.values)[::-1]
        assert factor.levels(values).tolist() == [*range(len(values))][::-1]


def test_no_two_pictures_are_equal_where_rotations_are_odd(sprites: Split) -> None:
    flat = sprites.images[:].reshape(len(sprites), -1)
    assert len(np.unique(flat, axis=0)) == len(sprites)


def test_squares_and_ellipses_repeat_where_rotations_are_even() -> None:
    """As in dSprites: a quarter turn of a square, half a turn of an ellipse."""
    words = ("dataset.rotations=4", "dataset.scales=1", "dataset.positions=1")
    split = grid("dataset=factors", *words)
    flat = split.images[:].reshape(3, 4, -1)
    assert [len(np.unique(shape, axis=0)) for shape in flat] == [1, 2, 4]


def test_squares_and_ellipses_are_centred_at_x_and_y(sprites: Split) -> None:
    chosen = sprites.take(np.flatnonzero(sprites.labels != 2))
    x, y = centroid(chosen)
    np.testing.assert_allclose(x, chosen.factors["x"], atol=2e-4)
    np.testing.assert_allclose(y, chosen.factors["y"], atol=2e-4)


def test_area_grows_as_the_square_of_the_scale(sprites: Split) -> None:
    """Areas of the curves: 4 a^2, pi a b, and 3.66 for the heart at radius 1.26."""
    whole = {0: 4 * 0.7**2, 1: np.pi * 0.5, 2: 3.6619 / 1.26**2}
    radius = 0.21 * 64 * sprites.factors["scale"]
    wanted = np.array([whole[label] for label in sprites.labels]) * radius**2
    np.testing.assert_allclose(cover(sprites).sum(axis=(1, 2)), wanted, rtol=0.02)


def test_an_ellipse_turns_counterclockwise_by_its_rotation(sprites: Split) -> None:
    ellipses = sprites.take(np.flatnonzero(sprites.labels == 1))
    weight, side = cover(ellipses), 64
    axis = (np.arange(side) + 0.5) / side
    dx = axis[None, None, :] - ellipses.factors["x"][:, None, None]
    dy = ellipses.factors["y"][:, None, None] - axis[None, :, None]  # upwards
    xx, yy, xy = ((weight * m).sum((1, 2)) for m in (dx * dx, dy * dy, dx * dy))
    angle = 0.5 * np.arctan2(2 * xy, xx - yy)  # of the long axis
    turned = 2 * np.pi * ellipses.factors["rotation"] - angle
    np.testing.assert_allclose(np.abs(np.cos(turned)), 1, atol=1e-4)


def test_no_sprite_is_cut_by_an_edge() -> None:
    split = grid("dataset=factors", "dataset.rotations=3", "dataset.image_size=32")
    images = split.images[:]
    edges = (images[:, 0], images[:, -1], images[:, :, 0], images[:, :, -1])
    assert not any(edge.any() for edge in edges)


def test_colours_are_hues(sprites: Split) -> None:
    words = ("dataset.shapes=1", "dataset.rotations=1", "dataset.positions=2")
    split = grid("dataset=factors", "dataset.colours=3", *words)
    brightest = split.images[:].max(axis=(1, 2))
    for turn, rgb in ((0, (255, 0, 0)), (1 / 3, (0, 255, 0)), (2 / 3, (0, 0, 255))):
        chosen = np.isclose(split.factors["colour"], turn, atol=1e-4)
        assert (brightest[chosen] == rgb).all()


def test_factors_of_one_level_are_left_out(sprites: Split) -> None:
    one = grid("dataset=factors", "dataset.shapes=1", "dataset.positions=3")
    assert list(one.factors) == ["scale", "rotation", "x", "y"]
    assert one.labels is None
    np.testing.assert_array_equal(sprites.labels, sprites.factors["shape"])
    assert sprites.class_names == ("square", "ellipse", "heart")


def test_a_step_of_a_square_changes_equally_many_pixels_wherever_it_goes(
    squares: Split,
) -> None:
    """So that distances between pixels say nothing of distances between places."""
    images = squares.images[:].astype(float) / 255
    first = np.ravel_multi_index((0, 1, 2, 3), (4,) * 4)
    differences = []
    for k, level in itertools.product(range(4), range(4)):
        place = [0, 1, 2, 3]
        if place[k] != level:
            place[k] = level
            other = np.ravel_multi_index(place, (4,) * 4)
            differences.append(np.abs(images[other] - images[first]).sum())
    assert set(differences) == {2 * 8 * 8}


def test_squares_lie_where_their_factors_say(squares: Split) -> None:
    images = squares.images[:]
    for channel, colour in enumerate(("red", "green")):
        rows, columns = (images[..., channel].any(axis=a) for a in (2, 1))
        np.testing.assert_array_equal(
            columns.argmax(axis=1), np.rint(64 * squares.factors[f"x_{colour}"])
        )
        np.testing.assert_array_equal(
            rows.argmax(axis=1), np.rint(64 * squares.factors[f"y_{colour}"])
        )
        assert (images[..., channel].sum(axis=(1, 2)) == 255 * 64).all()
    assert not images[..., 2].any()


def test_places_overlap_where_spacing_is_below_the_size() -> None:
    split = grid("dataset=xy_squares", "dataset.squares=1", "dataset.spacing=2")
    images = split.images[:].astype(float) / 255
    assert np.abs(images[0] - images[1]).sum() == 2 * 2 * 8


@pytest.mark.parametrize("words", [SPRITES, SQUARES])
def test_a_grid_above_memory_is_drawn_into_the_cache_and_streamed(
    words: tuple[str, ...],
) -> None:
    held, chosen = load_data(config(*words)), config(*words, "dataset.memory_mb=1")
    streamed = load_data(chosen)
    assert streamed.streamed and not held.streamed
    assert streamed.fingerprint == held.fingerprint
    rows = slice(0, None, 7)
    np.testing.assert_array_equal(streamed.train.images[rows], held.train.images[rows])
    entries = sorted(path.name for path in cache.cache_folder().iterdir())
    load_data(chosen)  # found again
    assert entries == sorted(path.name for path in cache.cache_folder().iterdir())


def test_splits_are_a_partition_of_the_grid_drawn_by_the_seed() -> None:
    data, other = (load_data(config(*SPRITES, f"dataset.seed={s}")) for s in (0, 1))

    def rows(split: Split) -> set[tuple[float, ...]]:
        return set(zip(*(v.tolist() for v in split.factors.values()), strict=True))

    parts = [rows(split) for split in (data.train, data.validation, data.test)]
    assert [len(part) for part in parts] == [768, 96, 96]
    assert len(set.union(*parts)) == 960
    assert rows(other.test) != parts[2]


@pytest.mark.parametrize(
    ("words", "parts"),
    [
        (("dataset=factors", "dataset.positions=60"),
         ("dataset.positions=60", "dataset.image_size=64", "dataset.positions=37")),
        (("dataset=factors", "dataset.shapes=1", "dataset.scales=1",
          "dataset.rotations=1", "dataset.positions=1"), ("several levels",)),
        (("dataset=xy_squares", "dataset.places=9"), ("dataset.places=8",)),
        (("dataset=xy_squares", "dataset.square_size=60"), ("a smaller square",)),
        (("dataset=xy_squares", "dataset.image_size=512", "dataset.places=40"),
         ("4,096,000,000 images", "fewer levels")),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused(
    words: tuple[str, ...], parts: tuple[str, ...]
) -> None:
    with pytest.raises(ConfigError) as error:
        config(*words)
    for part in parts:
        assert part in str(error.value)
