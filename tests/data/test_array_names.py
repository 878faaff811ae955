"""Which arrays of a file are images and labels, found by their names."""

import numpy as np
import pytest

from tests.helpers import grey_images, load_arrays
from vae_cli.errors import DataError

GREY = grey_images(10, 4, 5)
OTHER = grey_images(4, 4, 5, seed=1)
LABELS = np.arange(10) % 3


def refusal(folder, arrays, **options) -> str:
    with pytest.raises(DataError) as refused:
        load_arrays(folder, arrays, **options)
    return str(refused.value)


@pytest.mark.parametrize("name", ["images", "data", "arr_0", "X", "x_train", "scans"])
def test_the_only_array_that_can_be_images_is_taken(tmp_path, name):
    data = load_arrays(tmp_path, {name: GREY, "weights": np.zeros((4, 5))}, test_size=0)
    assert len(data.train) + len(data.validation) == 10


@pytest.mark.parametrize(
    "train, test",
    [
        ("x_train", "x_test"),
        ("train_images", "test_images"),
        ("imagesTrain", "imagesTest"),
        ("Xtrain", "Xtest"),
        ("images", "images_test"),
        ("photos", "held_test"),
    ],
)
def test_test_images_go_with_training_images_by_name(tmp_path, train, test):
    data = load_arrays(tmp_path, {test: OTHER, train: GREY})
    np.testing.assert_array_equal(data.test.images[..., 0], OTHER)
    assert data.fingerprint["sizes"]["train"] == 8


@pytest.mark.parametrize("name", ["x_val", "x_validation", "x_valid"])
def test_validation_images_are_those_of_the_file(tmp_path, name):
    data = load_arrays(tmp_path, {"x_train": GREY, name: OTHER, "x_test": OTHER[:3]})
    np.testing.assert_array_equal(data.validation.images[..., 0], OTHER)
    assert (len(data.train), len(data.test)) == (10, 3)


@pytest.mark.parametrize("name", ["y_train", "labels", "targets", "y", "class_labels"])
def test_labels_of_the_right_length_are_found_by_name(tmp_path, name):
    images = np.repeat(LABELS.astype(np.uint8) + 5, 4).reshape(10, 2, 2)
    arrays = {"images": images, name: LABELS, "label_weights": np.ones(3)}
    data = load_arrays(tmp_path, arrays)
    np.testing.assert_array_equal(data.train.labels + 5, data.train.images[:, 0, 0, 0])


def test_labels_of_each_split_are_its_own(tmp_path):
    data = load_arrays(
        tmp_path,
        {
            "images_train": GREY, "labels_train": LABELS,
            "images_test": OTHER, "labels_test": np.array([2, 1, 0, 2]),
        },
    )  # fmt: skip
    np.testing.assert_array_equal(data.test.labels, [2, 1, 0, 2])


def test_numbers_that_are_no_classes_are_left_out(tmp_path):
    arrays = {"images": GREY, "labels": np.zeros((10, 6)), "targets": np.ones(10)}
    assert load_arrays(tmp_path, arrays).train.labels is None


def test_several_arrays_of_images_are_listed_with_the_key_to_give(tmp_path):
    message = refusal(tmp_path, {"photos": GREY, "masks": GREY > 9})
    assert "has 2 arrays that can be images" in message
    assert "photos [10, 4, 5] uint8, masks [10, 4, 5] bool" in message
    assert "dataset.key=photos" in message


def test_key_and_labels_key_choose(tmp_path):
    arrays = {"photos": GREY, "masks": 255 - GREY, "a": LABELS, "labels": LABELS * 0}
    data = load_arrays(tmp_path, arrays, key="masks", labels_key="a", test_size=0)
    assert set(data.train.labels) == {0, 1, 2}
    rest = np.concatenate([data.train.images[:], data.validation.images[:]])
    assert rest.sum() == (255 - GREY.astype(int)).sum()


@pytest.mark.parametrize("key", ["key", "labels_key"])
def test_key_that_is_not_there_is_refused_with_the_closest(tmp_path, key):
    message = refusal(tmp_path, {"photos": GREY}, **{key: "photo"})
    assert f"dataset.{key}=photo" in message
    assert "did you mean photos?" in message
