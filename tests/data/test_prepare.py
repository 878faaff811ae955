import numpy as np
import pytest

from tests.helpers import grey_images, load_arrays, npz_config, small_config
from vae_cli.config.dataset import MnistConfig
from vae_cli.data.prepare import load_data, pick_split
from vae_cli.data.splits import ImageData, Split
from vae_cli.errors import DataError

NUMBERED = np.repeat(np.arange(200, dtype=np.uint8), 4).reshape(200, 2, 2)
"""Images that carry their index in every pixel."""

RAMP = np.tile(np.arange(256, dtype=np.uint8).reshape(1, 16, 16), (400, 1, 1))
"""Images that hold every grey level once."""


def indices(split: Split) -> list[int]:
    """Which of the numbered images a split holds."""
    return split.images[:, 0, 0, 0].tolist()


def numbered(folder, **options) -> ImageData:
    return load_arrays(folder, {"x_train": NUMBERED}, validation_size=50, **options)


def ramps(folder, **options) -> ImageData:
    return load_arrays(folder, {"x_train": RAMP, "x_test": RAMP}, **options)


def black_and_white(images: np.ndarray) -> bool:
    return set(np.unique(images)) == {0, 255}


@pytest.fixture(scope="module")
def mnist() -> ImageData:
    return load_data(MnistConfig())


def test_mnist_splits_into_50000_10000_and_10000(mnist):
    assert mnist.train.images.shape == (50000, 28, 28, 1)
    assert mnist.validation.images.shape == (10000, 28, 28, 1)
    assert mnist.test.images.shape == (10000, 28, 28, 1)


def test_mnist_labels_are_the_published_digit_counts(mnist):
    both = np.concatenate([mnist.train.labels, mnist.validation.labels])
    train = [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
    test = [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
    np.testing.assert_array_equal(np.bincount(both), train)
    np.testing.assert_array_equal(np.bincount(mnist.test.labels), test)


def test_mnist_has_the_published_mean_and_deviation(mnist):
    pixels = np.concatenate([mnist.train.images[:], mnist.validation.images[:]])
    mean = pixels.mean(dtype=np.float64)
    square = np.square(pixels, dtype=np.uint16).mean(dtype=np.float64)
    assert mean / 255 == pytest.approx(0.1307, abs=5e-5)
    assert np.sqrt(square - mean**2) / 255 == pytest.approx(0.3081, abs=5e-5)


def test_mnist_spec_describes_grey_digits(mnist):
    assert mnist.spec.image_shape == (28, 28, 1)
    assert mnist.spec.num_classes == 10
    assert not mnist.spec.binary


def test_mnist_validation_images_are_drawn_from_all_digits_evenly(mnist):
    shares = np.bincount(mnist.validation.labels) / 10000
    expected = np.bincount(mnist.train.labels) / 50000
    np.testing.assert_allclose(shares, expected, atol=0.012)  # 4 standard errors


def test_train_and_validation_share_no_image_and_miss_none(tmp_path):
    data = numbered(tmp_path)
    assert (len(data.train), len(data.validation)) == (150, 50)
    assert sorted(indices(data.train) + indices(data.validation)) == list(range(200))


def test_validation_images_come_from_the_whole_file(tmp_path):
    held_out = indices(numbered(tmp_path).validation)
    assert min(held_out) < 20
    assert max(held_out) > 180


def test_same_data_seed_gives_the_same_split(tmp_path):
    first, second = numbered(tmp_path, seed=3), numbered(tmp_path, seed=3)
    assert indices(first.validation) == indices(second.validation)


def test_another_data_seed_gives_another_split(tmp_path):
    first, second = numbered(tmp_path, seed=3), numbered(tmp_path, seed=4)
    assert indices(first.validation) != indices(second.validation)


def test_training_seed_does_not_touch_the_data():
    overrides = ["dataset.num_images=60", "dataset.image_size=8"]
    overrides += ["dataset.validation_size=10", "dataset.binarize=static"]
    first = load_data(small_config(*overrides, "seed=1").dataset)
    second = load_data(small_config(*overrides, "seed=2").dataset)
    assert first.fingerprint == second.fingerprint
    for name in ("train", "validation", "test"):
        np.testing.assert_array_equal(
            first.split(name).images[:], second.split(name).images[:]
        )


def test_no_validation_images_are_taken_when_none_are_asked_for(tmp_path):
    data = load_arrays(tmp_path, {"x_train": NUMBERED}, validation_size=0)
    assert indices(data.train) == list(range(200))
    assert len(data.validation) == 0


def test_limit_bounds_every_split(tmp_path):
    arrays = {"x_train": NUMBERED, "x_test": NUMBERED[:40]}
    data = load_arrays(tmp_path, arrays, validation_size=50, max_images_per_split=15)
    sizes = {"train": 15, "validation": 15, "test": 15}
    assert data.fingerprint["sizes"] == sizes
    assert len(data.train) == len(data.validation) == len(data.test) == 15


def test_limit_above_a_split_keeps_all_of_it(tmp_path):
    arrays = {"x_train": NUMBERED, "x_test": NUMBERED[:40]}
    data = load_arrays(tmp_path, arrays, validation_size=50, max_images_per_split=60)
    sizes = {"train": 60, "validation": 50, "test": 40}
    assert data.fingerprint["sizes"] == sizes


def test_limit_keeps_train_and_validation_on_their_sides(tmp_path):
    whole, limited = numbered(tmp_path), numbered(tmp_path, max_images_per_split=15)
    assert set(indices(limited.train)) < set(indices(whole.train))
    assert set(indices(limited.validation)) < set(indices(whole.validation))


def test_limit_takes_from_the_whole_file(tmp_path):
    arrays = {"x_train": NUMBERED, "x_test": NUMBERED}
    data = load_arrays(tmp_path, arrays, validation_size=50, max_images_per_split=30)
    for split in (data.train, data.validation, data.test):
        assert max(indices(split)) > 150


def test_split_by_name_returns_it(tmp_path):
    data = load_arrays(tmp_path, {"x_train": NUMBERED, "x_test": NUMBERED[:7]})
    assert len(data.split("test")) == 7


def test_split_without_images_is_refused_naming_the_others(tmp_path):
    data = load_arrays(tmp_path, {"x_train": NUMBERED})
    with pytest.raises(DataError, match="split=test has no images") as refused:
        data.split("test")
    assert "choose one of: train, validation" in str(refused.value)


@pytest.mark.parametrize(
    "arrays, validation_size, name",
    [
        ({"x_train": NUMBERED, "x_test": NUMBERED[:7]}, 2, "test"),
        ({"x_train": NUMBERED}, 2, "validation"),
        ({"x_train": NUMBERED}, 0, "train"),
    ],
)
def test_held_out_images_are_the_least_used_ones(
    tmp_path, arrays, validation_size, name
):
    data = load_arrays(tmp_path, arrays, validation_size=validation_size)
    assert data.held_out == name
    assert len(data.split(name))


def test_none_leaves_grey_levels(tmp_path):
    data = ramps(tmp_path, binarize="none")
    np.testing.assert_array_equal(data.train.images[0, ..., 0], RAMP[0])
    assert not data.spec.binary


def test_threshold_cuts_above_one_half(tmp_path):
    data = ramps(tmp_path, binarize="threshold")
    expected = np.where(RAMP[0] / 255 > 0.5, 255, 0)
    for split in (data.train, data.validation, data.test):
        assert (split.images[..., 0] == expected).all()
    assert data.spec.binary


@pytest.mark.parametrize("split", ["train", "validation", "test"])
def test_static_pixels_are_black_or_white(tmp_path, split):
    data = ramps(tmp_path, binarize="static")
    assert black_and_white(data.split(split).images[:])
    assert data.spec.binary


def test_static_pixels_are_white_as_often_as_they_are_grey(tmp_path):
    images = ramps(tmp_path, binarize="static").train.images[..., 0]
    often = (images == 255).mean(axis=0)
    grey = RAMP[0] / 255
    deviation = np.sqrt(grey * (1 - grey) / len(images))
    assert (np.abs(often - grey) <= 4.5 * deviation).all()
    assert abs(often.mean() - grey.mean()) < 4 * np.sqrt((deviation**2).mean() / 256)


@pytest.mark.parametrize("level", [0, 255])
def test_static_leaves_black_and_white_pixels_as_they_are(tmp_path, level):
    arrays = {"x_train": np.full((100, 16, 16), level, np.uint8)}
    data = load_arrays(tmp_path, arrays, binarize="static")
    assert (data.train.images[:] == level).all()


def test_static_pixels_are_drawn_apart_from_each_other(tmp_path):
    images = ramps(tmp_path, binarize="static").train.images[..., 0]
    ones = (images[:, 8, :] == 255).astype(float)  # greys near one half
    correlation = np.corrcoef(ones.T) - np.eye(16)
    assert np.abs(correlation).max() < 5 / np.sqrt(len(images))


def test_static_draw_repeats_for_the_same_data_seed(tmp_path):
    first, second = (ramps(tmp_path, binarize="static", seed=5) for _ in range(2))
    for name in ("train", "validation", "test"):
        np.testing.assert_array_equal(
            first.split(name).images[:], second.split(name).images[:]
        )


def test_static_draw_differs_for_another_data_seed(tmp_path):
    first = ramps(tmp_path, binarize="static", seed=5)
    second = ramps(tmp_path, binarize="static", seed=6)
    assert (first.test.images[:] != second.test.images[:]).mean() > 0.1


def test_static_splits_are_drawn_apart(tmp_path):
    data = ramps(tmp_path, binarize="static")
    assert (data.train.images[:2] != data.validation.images[:2]).mean() > 0.1
    assert (data.test.images[:2] != data.validation.images[:2]).mean() > 0.1


def test_dynamic_leaves_training_images_grey_for_later(tmp_path):
    data = ramps(tmp_path, binarize="dynamic")
    np.testing.assert_array_equal(data.train.images[0, ..., 0], RAMP[0])
    assert data.spec.binary


def test_dynamic_scores_the_validation_and_test_images_that_static_scores(tmp_path):
    dynamic = ramps(tmp_path, binarize="dynamic")
    static = ramps(tmp_path, binarize="static")
    for name in ("validation", "test"):
        np.testing.assert_array_equal(
            dynamic.split(name).images[:], static.split(name).images[:]
        )
    assert black_and_white(dynamic.test.images[:])


def test_binarizing_keeps_the_split(tmp_path):
    arrays = {"x_train": NUMBERED, "y_train": np.arange(200)}
    grey = load_arrays(tmp_path, arrays, validation_size=50)
    binary = load_arrays(tmp_path, arrays, validation_size=50, binarize="static")
    np.testing.assert_array_equal(grey.validation.labels, binary.validation.labels)


def test_pixel_mean_is_that_of_the_training_split(tmp_path):
    data = load_arrays(tmp_path, {"x_train": grey_images(50, 3, 4, 2)})
    expected = data.train.images[:].astype(np.float64).mean(axis=0) / 255
    np.testing.assert_allclose(data.spec.pixel_mean, expected, rtol=1e-6)
    assert data.spec.pixel_mean.dtype == np.float32


def test_grey_test_images_make_the_set_grey(tmp_path):
    black_or_white = 255 * (grey_images(20, 4, 4) > 127).astype(np.uint8)
    arrays = {"x_train": black_or_white, "x_test": grey_images(5, 4, 4)}
    assert not load_arrays(tmp_path, arrays).spec.binary
    arrays["x_test"] = black_or_white[:5]
    assert load_arrays(tmp_path, arrays).spec.binary


def test_black_and_white_images_are_found_to_be_binary(tmp_path):
    images = np.where(grey_images(300, 3, 3) > 127, 255, 0).astype(np.uint8)
    assert load_arrays(tmp_path, {"x_train": images}).spec.binary


def test_one_grey_pixel_late_in_the_set_makes_it_grey(tmp_path):
    images = np.where(grey_images(300, 3, 3) > 127, 255, 0).astype(np.uint8)
    images[-1, 0, 0] = 128
    data = load_arrays(tmp_path, {"x_train": images}, validation_size=0)
    assert not data.spec.binary


def test_fingerprint_repeats_for_the_same_data(tmp_path):
    assert numbered(tmp_path).fingerprint == numbered(tmp_path).fingerprint


def test_fingerprint_changes_with_one_pixel(tmp_path):
    changed = NUMBERED.copy()
    changed[0, 0, 0] += 1
    first = load_arrays(tmp_path, {"x_train": NUMBERED}).fingerprint
    second = load_arrays(tmp_path, {"x_train": changed}).fingerprint
    assert first["x_train_sha256"] != second["x_train_sha256"]


def test_fingerprint_changes_with_one_pixel_of_the_test_images(tmp_path):
    changed = NUMBERED.copy()
    changed[0, 0, 0] += 1
    arrays = {"x_train": NUMBERED, "x_test": NUMBERED}
    first = load_arrays(tmp_path, arrays).fingerprint
    second = load_arrays(tmp_path, arrays | {"x_test": changed}).fingerprint
    assert first != second


def test_fingerprint_changes_with_the_split(tmp_path):
    first = numbered(tmp_path, seed=0).fingerprint
    second = numbered(tmp_path, seed=1).fingerprint
    name = "validation_indices_sha256"
    assert first[name] != second[name]
    assert first["x_train_sha256"] == second["x_train_sha256"]


def test_fingerprint_changes_with_the_number_of_test_images(tmp_path):
    arrays = {"x_train": NUMBERED, "x_test": NUMBERED[:7]}
    first = load_arrays(tmp_path, arrays).fingerprint
    second = load_arrays(tmp_path, arrays | {"x_test": NUMBERED[:8]}).fingerprint
    assert first != second


@pytest.mark.parametrize("name", ["train", "validation", "test"])
def test_scored_split_of_dynamic_binarization_is_black_and_white(tmp_path, name):
    options = {"binarize": "dynamic", "seed": 3}
    config = npz_config(tmp_path / "images.npz", **options)
    data = ramps(tmp_path, **options)
    scored, again = (pick_split(data, config, name) for _ in range(2))
    assert black_and_white(scored.images[:])
    np.testing.assert_array_equal(scored.images[:], again.images[:])
    # each grey level x is white with probability x / 255
    shares = (scored.images[:] == 255).mean(axis=0).reshape(-1)
    if len(scored) > 100:
        np.testing.assert_allclose(shares, np.arange(256) / 255, atol=0.13)


def test_scored_training_images_of_dynamic_binarization_leave_the_grey_ones(tmp_path):
    options = {"binarize": "dynamic", "seed": 3}
    data = ramps(tmp_path, **options)
    before = data.train.images[:].copy()
    pick_split(data, npz_config(tmp_path / "images.npz", **options), "train")
    np.testing.assert_array_equal(data.train.images[:], before)


@pytest.mark.parametrize("binarize", ["none", "threshold", "static"])
@pytest.mark.parametrize("name", ["train", "validation", "test"])
def test_scored_split_is_the_one_that_training_sees(tmp_path, binarize, name):
    data = ramps(tmp_path, binarize=binarize)
    config = npz_config(tmp_path / "images.npz", binarize=binarize)
    scored = pick_split(data, config, name)
    np.testing.assert_array_equal(scored.images[:], data.split(name).images[:])


def test_scored_split_that_is_missing_names_the_others(tmp_path):
    data = load_arrays(tmp_path, {"x_train": RAMP})
    with pytest.raises(DataError) as refused:
        pick_split(data, npz_config(tmp_path / "images.npz"), "test")
    assert refused.value.args == (
        "split=test has no images in this data set.",
        "choose one of: train, validation",
    )
