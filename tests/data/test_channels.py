"""Arrays whose channels are not last, or more than pictures have."""

import numpy as np
import pytest
from PIL import Image

from tests.helpers import grey_images, load_arrays
from vae_cli.data.images import to_float
from vae_cli.errors import DataError

COLOUR = grey_images(10, 6, 7, 3)
FIRST = np.moveaxis(COLOUR, -1, 1)


def refusal(folder, arrays, **options):
    with pytest.raises(DataError) as refused:
        load_arrays(folder, arrays, **options)
    return str(refused.value)


def test_channels_first_is_refused_with_both_ways_out(tmp_path):
    message = refusal(tmp_path, {"x_train": FIRST})
    assert "x_train has shape [10, 3, 6, 7]" in message
    assert "dataset.channels_first=true" in message
    assert "dataset.channels=7" in message


def test_channels_first_arrays_are_transposed_when_said_so(tmp_path):
    expected = load_arrays(tmp_path, {"x_train": COLOUR, "x_test": COLOUR[:4]})
    data = load_arrays(
        tmp_path, {"x_train": FIRST, "x_test": FIRST[:4]}, channels_first=True
    )
    assert data.spec.image_shape == (6, 7, 3)
    for name in ("train", "validation", "test"):
        np.testing.assert_array_equal(
            data.split(name).images[:], expected.split(name).images[:]
        )


def test_images_of_many_channels_are_taken_when_said_so(tmp_path):
    assert load_arrays(tmp_path, {"x_train": FIRST}, channels="7").spec.image_shape == (
        3, 6, 7,
    )  # fmt: skip


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_pictures_need_no_word_about_channels(tmp_path, channels):
    images = grey_images(10, 6, 7, channels)
    assert load_arrays(tmp_path, {"x_train": images}).spec.image_shape[2] == channels


def test_other_channels_than_said_are_refused(tmp_path):
    message = refusal(tmp_path, {"x_train": COLOUR}, channels="5")
    assert "dataset.channels=5" in message
    assert "has 3 channels" in message
    assert "[10, 3, 6, 7]" in refusal(
        tmp_path, {"x_train": COLOUR, "x_test": FIRST}, channels="3"
    )


def test_colour_becomes_grey_when_said_so(tmp_path):
    data = load_arrays(tmp_path, {"x_train": COLOUR}, channels="1", validation_size=0)
    expected = [np.asarray(Image.fromarray(x).convert("L")) for x in COLOUR]
    np.testing.assert_array_equal(data.train.images[..., 0], np.stack(expected))


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_images_are_brought_to_a_size(tmp_path, dtype):
    images = np.zeros((10, 8, 8), dtype)
    images[:, :4] = 200
    data = load_arrays(
        tmp_path, {"x_train": images}, image_size=[4, 2], resize="stretch",
        validation_size=0,
    )  # fmt: skip
    assert data.spec.image_shape == (4, 2, 1)
    values = data.spec.pixels.stored(to_float(data.train.images[:]))
    assert values.dtype == (np.uint8 if dtype != np.float32 else np.float32)
    np.testing.assert_allclose(values[0, 0], 200, atol=15)
    np.testing.assert_allclose(values[0, 3], 0, atol=15)


def test_grey_images_without_an_axis_of_channels_cannot_be_transposed(tmp_path):
    message = refusal(tmp_path, {"x_train": COLOUR[..., 0]}, channels_first=True)
    assert "without an axis of channels" in message


def test_streamed_arrays_are_transposed_in_the_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("VAE_CACHE", str(tmp_path / "cache"))
    images = grey_images(9, 3, 300, 200)
    streamed = load_arrays(
        tmp_path, {"x_train": images}, channels_first=True, memory_mb=1
    )
    held = load_arrays(tmp_path, {"x_train": images}, channels_first=True)
    assert streamed.train.images.streamed
    assert not held.train.images.streamed
    np.testing.assert_array_equal(streamed.train.images[:], held.train.images[:])
    assert streamed.spec.image_shape == (300, 200, 3)
