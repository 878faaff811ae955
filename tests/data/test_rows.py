from pathlib import Path

import numpy as np
import pytest

from tests.helpers import grey_images, npz_config
from vae_cli.data.prepare import load_data
from vae_cli.data.rows import Rows
from vae_cli.errors import DataError

IMAGES = grey_images(3000, 20, 20)
"""1.1 MiB: more than `memory_mb=1` holds."""
ARRAYS = {"x_train": IMAGES, "x_test": grey_images(50, 20, 20, seed=1)}
LABELLED = {**ARRAYS, "y_train": np.arange(3000) % 7, "y_test": np.arange(50) % 7}


def loaded(folder: Path, save=np.savez, arrays=LABELLED, **options):
    file = folder / "images.npz"
    save(file, **arrays)
    return load_data(npz_config(file, validation_size=100, **options))


@pytest.mark.parametrize("binarize", ["none", "threshold", "dynamic"])
def test_streamed_set_is_the_one_held_in_memory(binarize, tmp_path):
    held = loaded(tmp_path, binarize=binarize)
    streamed = loaded(tmp_path, binarize=binarize, memory_mb=1)
    assert (held.streamed, streamed.streamed) == (False, True)
    assert streamed.spec == held.spec
    assert streamed.fingerprint == held.fingerprint
    np.testing.assert_allclose(streamed.spec.pixel_mean, held.spec.pixel_mean)
    for name in ("train", "validation", "test"):
        np.testing.assert_array_equal(
            streamed.split(name).images[:], held.split(name).images
        )
        np.testing.assert_array_equal(
            streamed.split(name).labels, held.split(name).labels
        )


def test_only_splits_that_are_too_large_stay_on_disk(tmp_path):
    data = loaded(tmp_path, memory_mb=1)
    assert isinstance(data.train.images, Rows)
    assert isinstance(data.validation.images, np.ndarray)
    assert isinstance(data.test.images, np.ndarray)


def test_limit_that_fits_is_read_into_memory(tmp_path):
    assert not loaded(tmp_path, memory_mb=1, limit=200).streamed


def test_static_draw_of_a_streamed_set_is_made_once(tmp_path):
    first, second = (loaded(tmp_path, binarize="static", memory_mb=1) for _ in range(2))
    pixels = first.train.images[:]
    assert set(np.unique(pixels)) == {0, 255}
    np.testing.assert_array_equal(pixels, second.train.images[:])
    grey = loaded(tmp_path).train.images
    assert (pixels / 255).mean() == pytest.approx((grey / 255).mean(), abs=0.005)


def test_rows_read_as_an_array_does():
    rows = Rows(IMAGES, np.array([5, 2, 9]))
    assert (len(rows), rows.shape, rows.dtype) == (3, (3, 20, 20), np.uint8)
    np.testing.assert_array_equal(rows[1:], IMAGES[[2, 9]])
    np.testing.assert_array_equal(rows[np.array([2, 0])], IMAGES[[9, 5]])
    np.testing.assert_array_equal(rows.take(slice(1, 2))[:], IMAGES[[2]])


@pytest.mark.parametrize(
    "save, arrays, problem, advice",
    [
        (np.savez_compressed, ARRAYS, "is compressed", "numpy.savez"),
        (np.savez, {"x_train": IMAGES / 255}, "takes uint8", "store it as uint8"),
        (np.savez, {"x_train": IMAGES // 200}, "takes uint8", "dataset.memory_mb"),
    ],
    ids=["compressed", "floats", "zeros and ones"],
)
def test_set_that_can_not_be_streamed_is_refused(
    save, arrays, problem, advice, tmp_path
):
    with pytest.raises(DataError) as refused:
        loaded(tmp_path, save, arrays, memory_mb=1)
    assert problem in refused.value.args[0]
    assert advice in str(refused.value)
