import gzip
import hashlib
import inspect
import io
import os
import pickle
import zipfile
from pathlib import Path

import keras
import numpy as np
import pytest

from tests.helpers import grey_images, load_arrays, npz_config
from vae_cli.config.dataset import DatasetConfig, SyntheticConfig
from vae_cli.data.prepare import load_data
from vae_cli.data.sources import CIFAR_SHA256, FASHION_MD5
from vae_cli.errors import DataError
from vae_cli.registry import OPTIONS

GREY = grey_images(10, 4, 5)


def refusal(folder: Path, arrays: dict[str, np.ndarray], **options) -> str:
    """What loading these arrays is refused with."""
    with pytest.raises(DataError) as refused:
        load_arrays(folder, arrays, **options)
    return str(refused.value)


def unreadable(path: Path) -> str:
    """What loading this file is refused with."""
    with pytest.raises(DataError) as refused:
        load_data(npz_config(path))
    return str(refused.value)


def keras_set(name: str) -> DatasetConfig:
    return OPTIONS["dataset"][name](validation_size=2)


def all_images(data) -> np.ndarray:
    """The images of the training file, in any order, as sorted rows."""
    images = np.concatenate([data.train.images[:], data.validation.images[:]])
    return in_rows(images)


def in_rows(images: np.ndarray) -> np.ndarray:
    return np.sort(images.reshape(len(images), -1), axis=0)


def test_uint8_pixels_are_kept(tmp_path):
    data = load_arrays(tmp_path, {"x_train": GREY})
    np.testing.assert_array_equal(
        all_images(data), np.sort(GREY.reshape(10, -1), axis=0)
    )


@pytest.mark.parametrize("dtype", ["int64", "int32", "uint16"])
def test_integers_up_to_255_are_the_same_as_uint8(tmp_path, dtype):
    expected = load_arrays(tmp_path, {"x_train": GREY}).train.images[:]
    data = load_arrays(tmp_path, {"x_train": GREY.astype(dtype)})
    np.testing.assert_array_equal(data.train.images[:], expected)
    assert data.train.images.dtype == np.uint8


@pytest.mark.parametrize("dtype", ["float64", "float32", "float16"])
def test_floats_are_kept_at_eight_bits(tmp_path, dtype):
    expected = load_arrays(tmp_path, {"x_train": GREY}).train.images[:]
    data = load_arrays(tmp_path, {"x_train": (GREY / 255).astype(dtype)})
    np.testing.assert_array_equal(data.train.images[:], expected)


@pytest.mark.parametrize("dtype", ["float64", "float32", "float16"])
def test_other_floats_in_0_to_1_keep_their_precision(tmp_path, dtype):
    images = (np.random.default_rng(0).random((10, 4, 5))).astype(dtype)
    data = load_arrays(tmp_path, {"x_train": images})
    assert data.train.images.dtype == np.float32
    np.testing.assert_array_equal(all_images(data), in_rows(images.astype(np.float32)))
    assert (data.spec.pixels.low, data.spec.pixels.high) == (0, 1)
    assert data.spec.pixels.levels is None


def test_booleans_become_black_and_white(tmp_path):
    expected = load_arrays(tmp_path, {"x_train": 255 * (GREY > 99).astype(np.uint8)})
    data = load_arrays(tmp_path, {"x_train": GREY > 99})
    np.testing.assert_array_equal(data.train.images[:], expected.train.images[:])
    assert data.spec.binary


def test_images_without_a_channel_axis_get_one(tmp_path):
    assert load_arrays(tmp_path, {"x_train": GREY}).spec.image_shape == (4, 5, 1)


def test_images_with_a_channel_axis_keep_it(tmp_path):
    data = load_arrays(tmp_path, {"x_train": grey_images(10, 4, 5, 3)})
    assert data.spec.image_shape == (4, 5, 3)


def test_file_without_test_images_has_no_test_split(tmp_path):
    assert load_arrays(tmp_path, {"x_train": GREY}).test is None


def test_file_with_test_images_keeps_every_one(tmp_path):
    test = grey_images(3, 4, 5, seed=1)
    data = load_arrays(tmp_path, {"x_train": GREY, "x_test": test})
    np.testing.assert_array_equal(data.test.images[..., 0], test)


def test_file_without_labels_has_none(tmp_path):
    data = load_arrays(tmp_path, {"x_train": GREY})
    assert data.train.labels is None
    assert data.spec.num_classes is None


def test_labels_stay_with_their_images(tmp_path):
    images = np.repeat(np.arange(10, dtype=np.uint8), 4).reshape(10, 2, 2)
    labels = np.arange(10)[:, None]  # a column, as Keras gives them
    data = load_arrays(
        tmp_path,
        {"x_train": images, "y_train": labels, "x_test": images, "y_test": labels},
    )
    for split in (data.train, data.validation, data.test):
        np.testing.assert_array_equal(split.labels, split.images[:, 0, 0, 0])
    assert data.train.labels.dtype == np.int64


def test_number_of_classes_is_one_more_than_the_largest_label(tmp_path):
    arrays = {"x_train": GREY, "y_train": np.arange(10) % 4}
    assert load_arrays(tmp_path, arrays).spec.num_classes == 4


def test_arrays_of_other_names_are_passed_over(tmp_path):
    arrays = {"x_train": GREY, "notes": np.array([{"by": "me"}], dtype=object)}
    assert len(load_arrays(tmp_path, arrays).train) == 8


def test_missing_file_is_named(tmp_path):
    path = tmp_path / "absent.npz"
    assert f"dataset.path={path} does not exist." in unreadable(path)


@pytest.mark.parametrize(
    "content", [b"", b"hello", b"PK\x03\x04 a zip file, but not for long"]
)
def test_file_that_is_no_npz_is_refused(tmp_path, content):
    path = tmp_path / "images.npz"
    path.write_bytes(content)
    message = unreadable(path)
    assert f"dataset.path={path} can't be read as .npz" in message
    assert "numpy.savez(path, x_train=images)" in message


def test_folder_is_refused(tmp_path):
    message = unreadable(tmp_path)
    assert f"dataset.path={tmp_path} is a folder" in message
    assert f"dataset=folder dataset.path={tmp_path}" in message


def test_single_array_is_refused(tmp_path):
    path = tmp_path / "images.npy"
    np.save(path, GREY)
    message = unreadable(path)
    assert f"dataset.path={path} can't be read as .npz" in message
    assert "single array" in message


def test_truncated_file_is_refused(tmp_path):
    path = tmp_path / "images.npz"
    np.savez(path, x_train=GREY)
    path.write_bytes(path.read_bytes()[:-100])
    assert "can't be read as .npz" in unreadable(path)


def test_flipped_byte_is_noticed(tmp_path):
    path = tmp_path / "images.npz"
    np.savez(path, x_train=np.full((10, 8, 8), 7, np.uint8))
    path.write_bytes(path.read_bytes().replace(b"\7" * 640, b"\7" * 639 + b"\6"))
    assert "can't be read as .npz" in unreadable(path)


def test_damage_anywhere_in_a_compressed_array_is_noticed(tmp_path):
    path = tmp_path / "images.npz"
    np.savez_compressed(path, x_train=grey_images(1000, 8, 1).repeat(8, axis=2))
    intact = path.read_bytes()
    for at in range(60, 1000, 37):
        path.write_bytes(intact[:at] + b"\xff" * 8 + intact[at + 8 :])
        assert "can't be read as .npz" in unreadable(path)


def test_damage_in_the_header_of_an_array_is_noticed(tmp_path):
    path = tmp_path / "images.npz"
    # too large for the zip checksum to be looked at before the header is
    np.savez(path, x_train=grey_images(100, 8, 8))
    intact = path.read_bytes()
    header = intact.index(b"{'descr'")
    for at in range(header, header + 60):
        path.write_bytes(intact[:at] + bytes(2) + intact[at + 2 :])
        assert "can't be read as .npz" in unreadable(path)


class Trap:
    """Writes a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


@pytest.mark.parametrize("name", ["x_train", "y_train", "x_test", "y_test"])
def test_pickled_array_is_refused_and_never_loaded(tmp_path, name):
    sprung = tmp_path / "sprung"
    trap = np.array([Trap(sprung)], dtype=object)
    message = refusal(tmp_path, {"x_train": GREY, "x_test": GREY, name: trap})
    assert "never loaded" in message
    assert not sprung.exists()


def test_pickle_file_is_refused_and_never_loaded(tmp_path):
    sprung = tmp_path / "sprung"
    path = tmp_path / "images.npz"
    path.write_bytes(pickle.dumps(Trap(sprung)))
    assert "can't be read as .npz" in unreadable(path)
    assert not sprung.exists()


def test_file_without_images_says_what_it_holds(tmp_path):
    message = refusal(tmp_path, {"means": GREY[0], "y_train": np.arange(10)})
    assert "has no array that can be images" in message
    assert "it holds: means [4, 5] uint8, y_train [10] int64" in message


def test_nan_pixels_are_counted_by_image(tmp_path):
    images = GREY / 255
    images[2, 0, :3] = np.nan
    images[5, 1, 1] = np.inf
    message = refusal(tmp_path, {"x_train": images})
    assert "x_train has NaN or infinite pixels in 2 of 10 images" in message


def test_whole_floats_up_to_255_are_eight_bit_pictures(tmp_path):
    expected = load_arrays(tmp_path, {"x_train": GREY}).train.images[:]
    data = load_arrays(tmp_path, {"x_train": GREY.astype(np.float32)})
    assert data.train.images.dtype == np.uint8
    np.testing.assert_array_equal(data.train.images[:], expected)


@pytest.mark.parametrize(
    ("values", "low", "high", "levels"),
    [
        (np.linspace(-1, 1, 200), -1, 1, None),
        (np.linspace(-0.3, 0.9, 200), -1, 1, None),
        (np.linspace(-3, 7, 200, dtype=np.float16), -3, 7, None),
        (np.linspace(0, 4000.5, 200), 0, 4000.5, None),
        (np.linspace(0, 4000, 200).astype(np.uint16), 0, 4095, 4096),
        (np.linspace(0, 4000, 200).astype(">u2"), 0, 4095, 4096),
        (np.linspace(0, 256, 200).astype(np.int64), 0, 1023, 1024),
        (np.linspace(-1, 255, 200).astype(np.int16), -1, 255, 257),
        (np.linspace(0, 2**20, 200).astype(np.int64), 0, 2**20, None),
    ],
)
def test_values_keep_their_own_range(tmp_path, values, low, high, levels):
    images = np.random.default_rng(0).permutation(values).reshape(10, 4, 5)
    data = load_arrays(tmp_path, {"x_train": images})
    pixels = data.spec.pixels
    assert (pixels.low, pixels.high, pixels.levels) == (low, high, levels)
    model = (images.astype(np.float64) - low) / (high - low)
    np.testing.assert_allclose(all_images(data), in_rows(model), atol=1e-7)
    np.testing.assert_allclose(
        np.sort(pixels.from_model(data.train.images[:]).ravel())[[0, -1]],
        np.sort(images[train_rows(data, model)].astype(np.float64).ravel())[[0, -1]],
        rtol=1e-6, atol=1e-6,
    )  # fmt: skip


def train_rows(data, model: np.ndarray) -> np.ndarray:
    """Which of the images are training images."""
    own = data.train.images[:].reshape(len(data.train), -1)
    distances = np.abs(own[:, None] - model.reshape(1, len(model), -1)).max(-1)
    return distances.argmin(1)


def test_range_that_is_given_is_taken(tmp_path):
    images = np.random.default_rng(0).integers(0, 17, (10, 4, 5)).astype(np.uint8)
    data = load_arrays(tmp_path, {"x_train": images}, value_range=[0.0, 16.0])
    assert data.spec.pixels.levels == 17
    np.testing.assert_allclose(all_images(data), in_rows(images / 16), atol=1e-7)


def test_range_between_whole_numbers_gives_integers_no_levels(tmp_path):
    images = np.arange(1, 201).astype(np.uint8).reshape(10, 4, 5)
    data = load_arrays(tmp_path, {"x_train": images}, value_range=[0.5, 254.5])
    assert data.spec.pixels.levels is None
    assert len(np.unique(all_images(data))) == 200


def test_values_outside_the_range_that_is_given_are_refused(tmp_path):
    message = refusal(tmp_path, {"x_train": GREY}, value_range=[0.0, 16.0])
    assert "dataset.value_range=[0,16]" in message
    assert f"the pixels are from {GREY.min()} to {GREY.max()}" in message


def test_standardized_images_have_mean_0_and_deviation_1(tmp_path):
    images = np.random.default_rng(0).normal(40, 3, (10, 4, 5))
    data = load_arrays(tmp_path, {"x_train": images}, value_range="standardize")
    both = all_images(data)
    assert both.mean() == pytest.approx(0, abs=1e-6)
    assert both.std() == pytest.approx(1, abs=1e-6)
    assert not data.spec.pixels.bounded
    own = data.spec.pixels.from_model(data.train.images[:])
    np.testing.assert_allclose(own.mean(), images.mean(), atol=0.5)


@pytest.mark.parametrize(
    ("middle", "spread", "dtype"),
    [(1e9, 20, "int32"), (1e6, 0.05, "float64"), (-3e7, 9, "int64")],
)
def test_deviation_of_large_and_nearly_equal_values_is_exact(
    tmp_path, middle, spread, dtype
):
    values = middle + np.random.default_rng(0).normal(0, spread, (10, 4, 5))
    images = values.astype(dtype)
    data = load_arrays(tmp_path, {"x_train": images}, value_range="standardize")
    pixels = data.spec.pixels
    assert pixels.high - pixels.low == pytest.approx(images.std(), rel=1e-6)
    assert all_images(data).std() == pytest.approx(1, abs=1e-3)


@pytest.mark.parametrize("value_range", ["auto", "standardize"])
@pytest.mark.parametrize("largest", [1e200, 3e38])
def test_values_that_overflow_are_refused(tmp_path, value_range, largest):
    images = np.linspace(-1, 1, 200).reshape(10, 4, 5) * largest
    message = refusal(tmp_path, {"x_train": images}, value_range=value_range)
    assert "too large for 32-bit floats" in message


def test_flat_images_are_refused(tmp_path):
    message = refusal(tmp_path, {"x_train": np.full((10, 4, 5), 7.5)})
    assert "every pixel of every image is 7.5" in message


@pytest.mark.parametrize("dtype", ["complex64", "U3"])
def test_pixels_that_are_no_numbers_are_refused(tmp_path, dtype):
    message = refusal(tmp_path, {"x_train": GREY.astype(dtype)})
    assert f"x_train has type {np.dtype(dtype)}" in message


@pytest.mark.parametrize("shape", [(), (200,), (10, 20), (10, 2, 2, 5, 1)])
def test_images_of_wrong_rank_are_refused(tmp_path, shape):
    message = refusal(tmp_path, {"x_train": np.zeros(shape, np.uint8)})
    assert f"x_train has shape {list(shape)}" in message
    assert "[N, H, W] or [N, H, W, C]" in message


@pytest.mark.parametrize("shape", [(0, 4, 5), (10, 0, 5)])
def test_empty_images_are_refused(tmp_path, shape):
    message = refusal(tmp_path, {"x_train": np.zeros(shape, np.uint8)})
    assert "x_train is empty" in message


def test_test_images_are_checked_too(tmp_path):
    message = refusal(tmp_path, {"x_train": GREY, "x_test": GREY[:0]})
    assert "x_test is empty" in message


def test_test_images_of_another_shape_are_refused(tmp_path):
    arrays = {"x_train": GREY, "x_test": grey_images(3, 5, 4)}
    message = refusal(tmp_path, arrays)
    assert "x_test has images of shape (5, 4, 1), x_train of (4, 5, 1)" in message


def test_one_image_is_refused(tmp_path):
    message = refusal(tmp_path, {"x_train": GREY[:1]}, validation_size=0)
    assert "at least 2 are needed" in message


def test_validation_size_that_leaves_one_image_is_refused(tmp_path):
    message = refusal(tmp_path, {"x_train": GREY}, validation_size=9)
    assert "dataset.validation_size=9" in message
    assert "choose at most 8" in message


def test_validation_size_at_the_limit_named_is_taken(tmp_path):
    data = load_arrays(tmp_path, {"x_train": GREY}, validation_size=8)
    assert (len(data.train), len(data.validation)) == (2, 8)


def test_labels_of_another_length_are_refused(tmp_path):
    arrays = {"x_train": GREY, "y_train": np.arange(9)}
    message = refusal(tmp_path, arrays)
    assert "y_train has 9 labels for 10 images in x_train" in message


def test_test_labels_of_another_length_are_refused(tmp_path):
    arrays = {"x_train": GREY, "x_test": GREY[:3], "y_test": np.arange(2)}
    message = refusal(tmp_path, arrays)
    assert "y_test has 2 labels for 3 images in x_test" in message


@pytest.mark.parametrize("labels", [np.arange(10.0), np.arange(10) - 1])
def test_labels_that_are_no_class_numbers_are_refused(tmp_path, labels):
    message = refusal(tmp_path, {"x_train": GREY, "y_train": labels})
    assert "y_train must hold class numbers 0, 1, ..." in message


def test_labels_in_words_are_names_of_classes(tmp_path):
    words = np.array(["dog", "cat"] * 5)
    arrays = {
        "x_train": GREY, "y_train": words,
        "x_test": GREY[:2], "y_test": np.array(["cat", "cat"]),
    }  # fmt: skip
    data = load_arrays(tmp_path, arrays)
    assert data.spec.class_names == ("cat", "dog")
    np.testing.assert_array_equal(data.test.labels, [0, 0])
    rows = [
        np.flatnonzero((x[..., 0] == GREY).all((1, 2)))[0] for x in data.train.images[:]
    ]
    np.testing.assert_array_equal(data.train.label_names, words[rows])


def test_labels_that_are_true_or_false_are_classes_0_and_1(tmp_path):
    labels = np.arange(10) % 3 == 0
    data = load_arrays(tmp_path, {"x_train": GREY, "y_train": labels})
    assert data.spec.labels == (0, 1)


def test_other_labels_are_other_data(tmp_path):
    labels = np.array(["cat", "dog"])[np.arange(10) % 2]
    prints = [
        load_arrays(tmp_path, {"x_train": GREY, "y_train": own}).fingerprint
        for own in (labels, labels[::-1], np.char.upper(labels), labels)
    ]
    assert prints[0] == prints[3]
    assert prints[0] != prints[1]
    assert prints[0] != prints[2]


def test_labels_of_two_kinds_are_refused(tmp_path):
    arrays = {
        "x_train": GREY, "y_train": np.array(["dog", "cat"] * 5),
        "x_test": GREY[:2], "y_test": np.array([0, 1]),
    }  # fmt: skip
    assert "some are names" in refusal(tmp_path, arrays)


@pytest.fixture
def keras_home(tmp_path, monkeypatch) -> Path:
    """An empty cache for Keras, which reads KERAS_HOME once, at import."""
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    monkeypatch.setattr("keras.src.backend.config._KERAS_DIR", str(tmp_path))
    return tmp_path


def failing(error: Exception):
    def load_data():
        raise error

    return load_data


def cached_clothes(keras_home: Path) -> list[Path]:
    """Put four files where Keras looks for Fashion-MNIST: the format, made up."""
    folder = keras_home / "datasets" / "fashion-mnist"
    folder.mkdir(parents=True)
    for name in FASHION_MD5:
        content = bytes(16 + 10 * 784) if "images" in name else bytes(8 + 10)
        (folder / name).write_bytes(gzip.compress(content))
    return [folder / name for name in FASHION_MD5]


def test_fashion_mnist_out_of_reach_names_its_files_and_their_place(
    keras_home, monkeypatch
):
    offline = failing(Exception("URL fetch failure: no network"))
    monkeypatch.setattr(keras.datasets.fashion_mnist, "load_data", offline)
    with pytest.raises(DataError) as refused:
        load_data(keras_set("fashion_mnist"))
    message = str(refused.value)
    assert "dataset=fashion_mnist" in message
    assert "no network" in message
    assert all(name in message for name in FASHION_MD5)
    assert str(keras_home / "datasets" / "fashion-mnist") in message


def test_cifar10_out_of_reach_names_its_file_and_its_place(keras_home, monkeypatch):
    offline = failing(Exception("URL fetch failure: no network"))
    monkeypatch.setattr(keras.datasets.cifar10, "load_data", offline)
    with pytest.raises(DataError) as refused:
        load_data(keras_set("cifar10"))
    message = str(refused.value)
    assert "dataset=cifar10" in message
    assert "cifar-10-python.tar.gz" in message  # as it is published
    assert "cifar-10-batches-py-target_archive" in message  # as Keras keeps it
    assert CIFAR_SHA256 in message
    assert str(keras_home / "datasets") in message


def test_cifar10_comes_as_keras_gives_it(monkeypatch):
    images = grey_images(10, 32, 32, 3)
    labels = np.arange(10, dtype=np.uint8)[:, None]
    arrays = (images, labels), (images[:4], labels[:4])
    monkeypatch.setattr(keras.datasets.cifar10, "load_data", lambda: arrays)
    data = load_data(keras_set("cifar10"))
    assert data.spec.image_shape == (32, 32, 3)
    assert data.fingerprint["sizes"] == {"train": 8, "validation": 2, "test": 4}
    np.testing.assert_array_equal(data.test.images[:], images[:4])
    np.testing.assert_array_equal(data.test.labels, [0, 1, 2, 3])


def test_fashion_mnist_comes_as_keras_gives_it(keras_home, monkeypatch):
    files = cached_clothes(keras_home)
    sums = {f.name: hashlib.md5(f.read_bytes()).hexdigest() for f in files}
    monkeypatch.setattr("vae_cli.data.sources.FASHION_MD5", sums)
    data = load_data(keras_set("fashion_mnist"))
    assert data.spec.image_shape == (28, 28, 1)
    assert data.fingerprint["sizes"] == {"train": 8, "validation": 2, "test": 10}


def test_fashion_mnist_with_another_sum_is_called_damaged(keras_home):
    first, *_ = cached_clothes(keras_home)
    with pytest.raises(DataError, match="is damaged") as refused:
        load_data(keras_set("fashion_mnist"))
    assert str(first) in str(refused.value)


def test_fashion_mnist_cut_short_in_the_cache_is_called_damaged(keras_home):
    for file in cached_clothes(keras_home):
        file.write_bytes(file.read_bytes()[:-12])
    with pytest.raises(DataError) as refused:
        load_data(keras_set("fashion_mnist"))
    assert "is damaged" in str(refused.value)


def synthetic(**options) -> SyntheticConfig:
    defaults = {"num_images": 20, "image_size": 8, "channels": 1, "seed": 0}
    return SyntheticConfig(
        name="synthetic",
        validation_size=2,
        binarize="none",
        max_images_per_split=None,
        **{**defaults, **options},
    )


def test_synthetic_set_has_a_fifth_as_many_test_images():
    sizes = load_data(synthetic()).fingerprint["sizes"]
    assert sizes == {"train": 18, "validation": 2, "test": 4}


def test_synthetic_factors_go_with_their_images():
    data = load_data(synthetic(num_images=30, image_size=40))
    brightest = data.train.images[:].max((1, 2, 3)) / 255
    np.testing.assert_allclose(brightest, data.train.factors["shade"], atol=0.002)


def test_synthetic_test_images_are_not_the_training_images():
    data = load_data(synthetic(num_images=100))
    train = {image.tobytes() for image in data.train.images[:]}
    assert not train & {image.tobytes() for image in data.test.images[:]}


def test_synthetic_images_change_with_the_data_seed():
    first, second = load_data(synthetic()), load_data(synthetic(seed=1))
    assert (first.train.images[:] != second.train.images[:]).any()


@pytest.mark.parametrize("channels", [1, 3])
def test_synthetic_images_have_the_size_and_channels_of_the_config(channels):
    data = load_data(synthetic(image_size=11, channels=channels))
    assert data.spec.image_shape == (11, 11, channels)


def test_named_pipe_is_refused_at_once(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    path = tmp_path / "images.npz"
    path.symlink_to("pipe")
    assert f"dataset.path={path} is a named pipe" in unreadable(path)


def test_cifar10_is_checked_against_the_sum_that_is_named():
    assert CIFAR_SHA256 in inspect.getsource(keras.datasets.cifar10.load_data)


def test_array_without_a_suffix_in_the_archive_is_read(tmp_path):
    content = io.BytesIO()
    np.save(content, GREY)
    with zipfile.ZipFile(tmp_path / "own.npz", "w") as archive:
        archive.writestr("x_train", content.getvalue())
    data = load_data(npz_config(tmp_path / "own.npz"))
    np.testing.assert_array_equal(
        all_images(data), np.sort(GREY.reshape(10, -1), axis=0)
    )


def test_member_that_is_no_array_is_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "own.npz", "w") as archive:
        archive.writestr("x_train.npy", b"hello" * 100)
    assert "can't be read as .npz" in unreadable(tmp_path / "own.npz")
