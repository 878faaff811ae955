"""`dataset=npy`, and arrays too large to be held that must be changed."""

import os

import numpy as np
import pytest

from tests.helpers import grey_images
from vae_cli.config.dataset_formats import NpyConfig
from vae_cli.data import cache_contents
from vae_cli.data.images import to_float
from vae_cli.data.prepare import load_data
from vae_cli.errors import DataError

GREY = grey_images(12, 6, 5)
LARGE = grey_images(20, 300, 200)
"""1.1 MiB, more than `memory_mb=1`."""


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("VAE_CACHE", str(tmp_path / "cache"))


def load(folder, array, **options):
    """Write an array and load it as a data set, which draws two validation images."""
    path = folder / "images.npy"
    np.save(path, array)
    return load_file(path, **options)


def load_file(path, **options):
    options = {"validation_size": 2, "test_size": 0, **options}
    return load_data(NpyConfig(path=str(path), **options))


def refusal(path, **options) -> str:
    with pytest.raises(DataError) as refused:
        load_file(path, **options)
    return str(refused.value)


def pixels(data):
    """All images in the data's own values, in a fixed order."""
    images = np.concatenate([data.train.images[:], data.validation.images[:]])
    flat = data.spec.pixels.from_model(images).reshape(len(images), -1)
    return flat[np.lexsort(flat.T)]


def ordered(images):
    flat = images.reshape(len(images), -1)
    return flat[np.lexsort(flat.T)]


def test_array_is_held_where_it_fits(tmp_path):
    data = load(tmp_path, GREY)
    assert not data.streamed
    np.testing.assert_array_equal(pixels(data), ordered(GREY))


@pytest.mark.parametrize(
    "array",
    [
        (LARGE > 127).astype(np.uint8),
        LARGE > 127,
        (LARGE / 255).astype(np.float32),
        LARGE.astype(np.float64),
        LARGE.astype(np.int32),
    ],
    ids=["bits", "booleans", "fractions", "whole floats", "integers"],
)
def test_array_has_the_same_levels_in_memory_and_on_disk(tmp_path, array):
    held, streamed = (load(tmp_path, array, memory_mb=mb) for mb in (512, 1))
    assert streamed.streamed and not held.streamed
    levels = 2 if array.max() == 1 and array.dtype.kind in "bu" else 256
    assert held.spec.pixels.levels == streamed.spec.pixels.levels == levels
    ours, theirs = (to_float(data.train.images[:]) for data in (held, streamed))
    np.testing.assert_allclose(ours, theirs, atol=1e-6)


def test_booleans_are_resized_by_half(tmp_path):
    square = np.zeros((12, 12, 12), bool)
    square[:, 4:8, 4:8] = True
    data = load(tmp_path, square, image_size=6)
    middle = np.zeros((6, 6), np.uint8)
    middle[2:4, 2:4] = 255
    np.testing.assert_array_equal(data.train.images[0][..., 0], middle)


def test_larger_array_is_streamed_from_its_file_without_a_copy(tmp_path):
    data = load(tmp_path, LARGE, memory_mb=1)
    assert data.streamed
    np.testing.assert_array_equal(pixels(data), ordered(LARGE))
    assert not (tmp_path / "cache").exists()


@pytest.mark.parametrize("dtype", ["<u2", ">u2", ">f4", "<f8", ">i4"])
def test_values_are_the_same_streamed_and_held(tmp_path, dtype):
    values = (LARGE.astype(float) * 37 - 900 * (dtype[1] != "u")).astype(dtype)
    held = load(tmp_path, values, memory_mb=100)
    streamed = load(tmp_path, values, memory_mb=1)
    assert streamed.streamed and not held.streamed
    assert streamed.spec.pixels == held.spec.pixels
    np.testing.assert_array_equal(pixels(streamed), pixels(held))
    np.testing.assert_allclose(pixels(held), ordered(values), atol=1e-3)


def test_black_and_white_on_disk_is_as_it_is_in_memory(tmp_path):
    for values in (LARGE > 99, (LARGE > 99).astype(np.uint8)):
        data = load(tmp_path, values, memory_mb=1)
        assert data.streamed and data.spec.binary
        np.testing.assert_array_equal(np.unique(data.train.images[:]), [0, 1])


@pytest.mark.parametrize("dtype", ["uint8", ">u2", "float32"])
@pytest.mark.parametrize("change", [{"image_size": 250}, {"channels": 3}])
def test_large_array_is_changed_in_the_cache_as_one_in_memory(tmp_path, dtype, change):
    values = LARGE.astype(dtype) * np.array(3 if dtype != "uint8" else 1, dtype)
    held = load(tmp_path, values, memory_mb=100, **change)
    streamed = load(tmp_path, values, memory_mb=1, **change)
    assert streamed.streamed and not held.streamed
    np.testing.assert_array_equal(pixels(streamed), pixels(held))
    [entry] = cache_contents.entries()
    again = load_file(tmp_path / "images.npy", memory_mb=1, **change)
    assert [e.path for e in cache_contents.entries()] == [entry.path]
    np.testing.assert_array_equal(pixels(again), pixels(held))


def test_small_array_that_becomes_large_goes_through_the_cache(tmp_path):
    data = load(tmp_path, GREY, image_size=400, memory_mb=1)
    assert data.streamed
    held = load(tmp_path, GREY, image_size=400, memory_mb=100)
    np.testing.assert_array_equal(pixels(data), pixels(held))


def test_large_array_that_becomes_small_is_held(tmp_path):
    data = load(tmp_path, LARGE, image_size=8, memory_mb=1)
    assert not data.streamed
    held = load(tmp_path, LARGE, image_size=8, memory_mb=100)
    np.testing.assert_array_equal(pixels(data), pixels(held))


def test_changed_file_is_not_taken_from_the_cache(tmp_path):
    load(tmp_path, LARGE, image_size=250, memory_mb=1)
    data = load(tmp_path, 255 - LARGE, image_size=250, memory_mb=1)
    held = load(tmp_path, 255 - LARGE, image_size=250, memory_mb=100)
    np.testing.assert_array_equal(pixels(data), pixels(held))


def test_fortran_order_is_read_in_memory_and_refused_where_it_would_stream(tmp_path):
    data = load(tmp_path, np.asfortranarray(GREY))
    np.testing.assert_array_equal(pixels(data), ordered(GREY))
    np.save(tmp_path / "large.npy", np.asfortranarray(LARGE))
    message = refusal(tmp_path / "large.npy", memory_mb=1)
    assert "Fortran order" in message
    assert "numpy.ascontiguousarray" in message
    assert "dataset.memory_mb" in message


def test_labels_are_read_from_npy_text_and_csv(tmp_path):
    labels = np.arange(12) % 3
    words = np.array(["cat", "dog", "emu"])[labels]
    np.save(tmp_path / "labels.npy", labels)
    (tmp_path / "labels.txt").write_text("\n".join(words) + "\n")
    rows = [f"{i}.png,{word}" for i, word in enumerate(words)]
    (tmp_path / "labels.csv").write_text("\n".join(["file,Label", *rows]))
    images = np.repeat(labels.astype(np.uint8) + 7, 4).reshape(12, 2, 2)
    for file in ("labels.npy", "labels.txt", "labels.csv"):
        data = load(tmp_path, images, labels=str(tmp_path / file))
        np.testing.assert_array_equal(
            data.train.labels + 7, data.train.images[:, 0, 0, 0]
        )
        names = None if file == "labels.npy" else ("cat", "dog", "emu")
        assert data.spec.class_names == names


def test_labels_that_moved_with_the_array_are_found_beside_it(tmp_path):
    np.save(tmp_path / "labels.npy", np.arange(12))
    assert load(tmp_path, GREY, labels="gone/labels.npy").train.labels is not None


def test_labels_of_another_number_are_refused(tmp_path):
    np.save(tmp_path / "images.npy", GREY)
    (tmp_path / "labels.txt").write_text("a\nb\n")
    message = refusal(tmp_path / "images.npy", labels=str(tmp_path / "labels.txt"))
    assert "has 2 labels for 12 images" in message


@pytest.mark.parametrize(
    ("text", "part"),
    [("a,b\nc,d\n", "none is named label"), ("x,label\nc\n", "without a label")],
)
def test_table_without_labels_is_refused(tmp_path, text, part):
    np.save(tmp_path / "images.npy", GREY)
    (tmp_path / "labels.csv").write_text(text)
    message = refusal(tmp_path / "images.npy", labels=str(tmp_path / "labels.csv"))
    assert part in message


@pytest.mark.parametrize(
    ("array", "part"),
    [
        (np.zeros((12, 4, 4), complex), "has type complex128"),
        (np.zeros((12, 4, 4), [("a", "u1")]), "has type [('a', 'u1')]"),
        (np.zeros((12, 4, 4), np.longdouble), "has type float128"),
        (np.zeros((12, 16), np.uint8), "has shape [12, 16]"),
        (np.zeros((0, 4, 4), np.uint8), "is empty"),
        (np.full((12, 4, 4), np.nan), "NaN or infinite pixels in 12 of 12"),
    ],
)
@pytest.mark.parametrize("memory_mb", [1, 100])
def test_what_can_not_be_images_is_refused(tmp_path, array, part, memory_mb):
    if memory_mb == 1 and array.size:  # so that it would be streamed
        array = np.tile(array, (7000, *[1] * (array.ndim - 1)))
        part = part.replace("12 of 12", "84000 of 84000").replace("[12", "[84000")
    np.save(tmp_path / "images.npy", array)
    assert part in refusal(tmp_path / "images.npy", memory_mb=memory_mb)


def test_python_objects_are_never_loaded(tmp_path):
    np.save(tmp_path / "images.npy", np.array([{}], object), allow_pickle=True)
    assert "never loaded" in refusal(tmp_path / "images.npy")


def test_other_files_are_refused_with_what_reads_them(tmp_path):
    np.savez(tmp_path / "images.npy.npz", GREY)
    (tmp_path / "images.npy.npz").rename(tmp_path / "images.npy")
    assert "dataset=npz" in refusal(tmp_path / "images.npy")
    (tmp_path / "text.npy").write_text("hello")
    assert "can't be read as .npy" in refusal(tmp_path / "text.npy")
    assert "is a folder" in refusal(tmp_path)
    assert "does not exist" in refusal(tmp_path / "gone.npy")
    os.mkfifo(tmp_path / "pipe.npy")
    assert "is a named pipe" in refusal(tmp_path / "pipe.npy")


@pytest.mark.parametrize("memory_mb", [1, 100])
def test_file_cut_short_is_refused(tmp_path, memory_mb):
    np.save(tmp_path / "images.npy", LARGE)
    os.truncate(tmp_path / "images.npy", LARGE.nbytes // 2)
    assert "header is damaged" in refusal(tmp_path / "images.npy", memory_mb=memory_mb)
