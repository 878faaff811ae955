import errno
import os
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from tests.helpers import grey_images, npz_config
from vae_cli.data.binarize import Levels
from vae_cli.data.images import Images, to_float
from vae_cli.data.prepare import load_data
from vae_cli.errors import DataError
from vae_cli.evaluation.batches import as_float

IMAGES = grey_images(3000, 20, 20)
"""1.1 MiB: more than `memory_mb=1` holds."""
ARRAYS = {"x_train": IMAGES, "x_test": grey_images(50, 20, 20, seed=1)}
LABELLED = {**ARRAYS, "y_train": np.arange(3000) % 7, "y_test": np.arange(50) % 7}


def loaded(folder: Path, save=np.savez, arrays=LABELLED, **options):
    file = folder / "images.npz"
    save(file, **arrays)
    return load_data(npz_config(file, validation_size=100, **options))


@pytest.mark.parametrize("binarize", ["none", "threshold", "static", "dynamic"])
def test_streamed_set_is_the_one_held_in_memory(binarize, tmp_path):
    held = loaded(tmp_path, binarize=binarize)
    streamed = loaded(tmp_path, binarize=binarize, memory_mb=1)
    assert (held.streamed, streamed.streamed) == (False, True)
    assert streamed.spec == held.spec
    assert streamed.fingerprint == held.fingerprint
    np.testing.assert_allclose(streamed.spec.pixel_mean, held.spec.pixel_mean)
    for name in ("train", "validation", "test"):
        np.testing.assert_array_equal(
            streamed.split(name).images[:], held.split(name).images[:]
        )
        np.testing.assert_array_equal(
            streamed.split(name).labels, held.split(name).labels
        )


def test_only_splits_that_are_too_large_stay_on_disk(tmp_path):
    data = loaded(tmp_path, memory_mb=1)
    splits = (data.train, data.validation, data.test)
    assert [split.images.streamed for split in splits] == [True, False, False]


def test_limit_that_fits_is_read_into_memory(tmp_path):
    assert not loaded(tmp_path, memory_mb=1, max_images_per_split=200).streamed


def test_streamed_set_is_loaded_without_being_held(tmp_path):
    many = {"x_train": grey_images(40_000, 40, 40)}  # 61 MiB
    loaded(tmp_path, arrays=many)
    tracemalloc.start()
    assert load_data(
        npz_config(tmp_path / "images.npz", validation_size=100, memory_mb=1)
    ).streamed
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 32 * 2**20  # some thousand images at a time, 6 MiB


def test_static_draw_of_a_streamed_set_is_made_once(tmp_path):
    first, second = (loaded(tmp_path, binarize="static", memory_mb=1) for _ in range(2))
    pixels = first.train.images[:]
    assert set(np.unique(pixels)) == {0, 255}
    np.testing.assert_array_equal(pixels, second.train.images[:])
    grey = loaded(tmp_path).train.images[:]
    assert (pixels / 255).mean() == pytest.approx((grey / 255).mean(), abs=0.005)


@pytest.fixture(params=["memory", "disk"])
def images(request, tmp_path):
    if request.param == "memory":
        return Images(IMAGES)
    np.save(tmp_path / "images.npy", IMAGES)
    return Images(np.load(tmp_path / "images.npy", mmap_mode="r"))


def test_images_read_as_an_array_does(images):
    some = images.take(np.array([5, 2, 9]))
    assert (len(some), some.shape, some.dtype) == (3, (3, 20, 20), np.uint8)
    np.testing.assert_array_equal(some[1:], IMAGES[[2, 9]])
    np.testing.assert_array_equal(some[np.array([2, 0])], IMAGES[[9, 5]])
    np.testing.assert_array_equal(some[0], IMAGES[5])
    np.testing.assert_array_equal(some.take(slice(1, 2))[:], IMAGES[[2]])
    assert some.streamed == images.streamed
    assert not some.in_memory().streamed


def test_batches_hold_so_many_values_at_most(images, monkeypatch):
    monkeypatch.setattr("vae_cli.data.images.AT_A_TIME", 999 * IMAGES[0].size + 59)
    batches = list(images.batches())
    assert [len(batch) for batch in batches] == [999, 999, 999, 3]
    np.testing.assert_array_equal(np.concatenate(batches), IMAGES)


@pytest.mark.parametrize(
    "use",
    [
        np.asarray,
        np.mean,
        lambda images: images == 0,
        lambda images: images / 255,
        lambda images: images.astype("float32"),
        lambda images: tf.constant(images),
        lambda images: tf.cast(images, tf.float32),
        to_float,
        as_float,
    ],
)
def test_pixels_are_read_by_rows_and_in_no_other_way(use, images):
    with pytest.raises((TypeError, AttributeError, ValueError)):
        use(images)


def test_what_is_made_of_images_lies_where_they_lie(images):
    def halves(batch, index):
        return {"half": batch // 2, "number": (index % 256).astype(np.uint8)}

    made = images.mapped(halves, "a key")
    assert made["half"].streamed == made["number"].streamed == images.streamed
    np.testing.assert_array_equal(made["half"][:], IMAGES // 2)
    np.testing.assert_array_equal(made["number"][:], np.arange(3000) % 256)


def test_what_does_not_fit_on_disk_is_refused(images, monkeypatch):
    def full(descriptor: int, begin: int, size: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("os.posix_fallocate", full)
    if not images.streamed:
        assert len(images.mapped(lambda x, i: {"x": x}, "a key")["x"]) == 3000
        return
    with pytest.raises(DataError, match=r"a key of a streamed set .*No space"):
        images.mapped(lambda x, i: {"x": x}, "a key")


@pytest.mark.parametrize("counts", [[100_000], [1, 2, 3, 5, 99_989], [33_333] * 3])
def test_levels_are_those_of_one_call_however_they_are_drawn(counts):
    levels = Levels(np.random.default_rng(7))
    drawn = np.concatenate([levels.draw((count,)) for count in counts])
    whole = np.random.default_rng(7).integers(1, 256, 100_000, dtype=np.uint8)
    np.testing.assert_array_equal(drawn, whole[: len(drawn)])


@pytest.mark.parametrize(
    "save, arrays, problem, advice",
    [
        (np.savez_compressed, ARRAYS, "is compressed", "numpy.savez"),
    ],
)
def test_set_that_can_not_be_streamed_is_refused(
    save, arrays, problem, advice, tmp_path
):
    with pytest.raises(DataError) as refused:
        loaded(tmp_path, save, arrays, memory_mb=1)
    assert problem in refused.value.args[0]
    assert advice in str(refused.value)


@pytest.mark.parametrize(
    "images",
    [
        IMAGES.astype(np.float32) - 100.5,
        IMAGES.astype(">u2") * 16,
        IMAGES // 200,
    ],
    ids=["floats", "big-endian 12 bits", "zeros and ones"],
)
def test_streamed_values_equal_those_in_memory(images, tmp_path):
    streamed = loaded(tmp_path, np.savez, {"x_train": images}, memory_mb=1)
    held = loaded(tmp_path, np.savez, {"x_train": images}, memory_mb=4096)
    assert streamed.streamed
    assert not held.streamed
    own = to_float(held.train.images[:])
    np.testing.assert_array_equal(to_float(streamed.train.images[:]), own)
    assert streamed.spec.binary == held.spec.binary
    np.testing.assert_allclose(streamed.spec.pixel_mean, held.spec.pixel_mean)


def test_file_that_has_become_shorter_is_not_read_any_more(tmp_path):
    file = tmp_path / "images.dat"
    pixels = np.arange(8 * 4096, dtype=np.uint8).reshape(8, 64, 64, 1)
    pixels.tofile(file)
    images = Images(np.memmap(file, np.uint8, "r", shape=pixels.shape))
    np.testing.assert_array_equal(images[[7, 0]], pixels[[7, 0]])
    part = images.take(np.array([7]))
    os.truncate(file, 4096)
    for streamed in (images, part):
        with pytest.raises(DataError, match="has become shorter"):
            streamed[[0]]
