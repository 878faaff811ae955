from dataclasses import replace

import numpy as np
import pytest
import tensorflow as tf

from tests.helpers import grey_images, load_arrays, npz_config, whole
from vae_cli.data.batches import ImageStore, core_shards
from vae_cli.data.dequantize import dequantization_per_step
from vae_cli.data.images import Images
from vae_cli.data.prepare import load_data, pick_split
from vae_cli.errors import DataError
from vae_cli.pixels import EIGHT_BIT, Pixels

IMAGES = grey_images(20, 3, 4, 2)
ALL = whole(range(20))
SEVENTEEN = Pixels("uint8", 0, 16, levels=17, observed=(0, 16))
EVERY = np.arange(256, dtype=np.uint8).reshape(1, 16, 16, 1)


def read(step=3, seed=0, shard=ALL, images=IMAGES, pixels=EIGHT_BIT):
    dequantize = dequantization_per_step(pixels, seed, 1)
    return np.asarray(ImageStore(images, dequantize=dequantize).read(shard, step))


def test_training_pixels_lie_in_the_share_of_their_level():
    found = read(images=EVERY, shard=whole([0] * 50))
    share = found.astype(np.float64) * 256 - EVERY
    assert share.min() >= 0
    assert share.max() <= 1
    # uniform: mean 1/2, variance 1/12
    assert share.mean() == pytest.approx(0.5, abs=0.01)
    assert share.var() == pytest.approx(1 / 12, abs=0.002)


def test_levels_that_come_as_floats_get_the_noise_of_their_own_number():
    level = np.arange(17).reshape(1, 17, 1, 1)
    x = (level / 16).astype(np.float32)
    found = read(images=x, shard=whole([0] * 50), pixels=SEVENTEEN)
    share = found.astype(np.float64) * 17 - level
    assert -1e-5 <= share.min() < 0.01
    assert 0.99 < share.max() <= 1 + 1e-5


def test_noise_is_drawn_anew_at_every_step_and_repeats_at_the_same():
    np.testing.assert_array_equal(read(), read())
    assert (read() != read(step=4)).mean() > 0.99
    assert (read() != read(seed=1)).mean() > 0.99


def test_shards_of_cores_get_the_noise_of_the_whole_batch():
    parts = [read(shard=shard) for shard in core_shards(ALL, 2)]
    np.testing.assert_array_equal(np.concatenate(parts), read())


def data(folder, dtype=np.uint8, **options):
    arrays = {
        "x_train": grey_images(30, 3, 4, 2).astype(dtype),
        "x_test": grey_images(9, 3, 4, 2, seed=1).astype(dtype),
    }
    return load_arrays(folder, arrays, dequantize="uniform", **options), arrays


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_held_out_images_get_their_noise_once(tmp_path, dtype):
    loaded, arrays = data(tmp_path, dtype)
    values = loaded.test.images[:]
    assert values.dtype == np.float32
    share = values.astype(np.float64) * 256 - arrays["x_test"]
    assert -1e-4 <= share.min() < 0.02
    assert 0.98 < share.max() <= 1 + 1e-4
    again, _ = data(tmp_path, dtype)
    np.testing.assert_array_equal(again.test.images[:], values)
    other, _ = data(tmp_path, dtype, seed=1)
    assert (other.test.images[:] != values).mean() > 0.99


def test_training_images_stay_levels_and_are_scored_with_noise(tmp_path):
    loaded, _ = data(tmp_path)
    assert loaded.train.images.dtype == np.uint8
    config = npz_config(tmp_path / "images.npz", dequantize="uniform")
    scored = pick_split(loaded, config, "train")
    share = scored.images[:].astype(np.float64) * 256 - loaded.train.images[:]
    assert share.min() >= 0
    assert share.max() <= 1
    assert scored.pixels.dequantized


def test_images_on_disk_get_the_noise_of_those_in_memory(tmp_path, monkeypatch):
    loaded, arrays = data(tmp_path)
    np.savez(tmp_path / "images.npz", **arrays)
    monkeypatch.setattr(Images, "in_memory", lambda images: images)
    config = npz_config(tmp_path / "images.npz", dequantize="uniform", memory_mb=1)
    streamed = load_data(config)
    np.testing.assert_array_equal(streamed.test.images[:], loaded.test.images[:])


def test_training_mean_is_that_of_the_pixels_with_noise(tmp_path):
    loaded, _ = data(tmp_path)
    level = loaded.train.images[:].mean(0)
    np.testing.assert_allclose(loaded.spec.pixel_mean, (level + 0.5) / 256, rtol=1e-5)
    assert loaded.spec.pixels == replace(EIGHT_BIT, dequantized=True)
    assert not loaded.spec.binary


def test_black_and_white_with_noise_is_not_binary(tmp_path):
    x = (grey_images(30, 3, 4, 1) > 127).astype(np.uint8)
    loaded = load_arrays(
        tmp_path, {"x_train": x}, validation_size=0, dequantize="uniform"
    )
    assert not loaded.spec.binary


def test_real_numbers_are_refused(tmp_path):
    x = np.random.default_rng(0).uniform(0, 1, (30, 3, 4)).astype(np.float32)
    with pytest.raises(DataError, match="have no levels: float32 from 0 to 1") as error:
        load_arrays(tmp_path, {"x_train": x}, dequantize="uniform")
    assert "use dataset.dequantize=none" in str(error.value.args)


@pytest.mark.parametrize("pixels", [EIGHT_BIT, SEVENTEEN])
def test_middle_of_a_levels_share_leaves_the_model_as_that_level(pixels):
    noisy = replace(pixels, dequantized=True)
    level = np.arange(pixels.levels)
    middle = ((level + 0.5) / pixels.levels).astype(np.float32)
    np.testing.assert_array_equal(noisy.stored(middle), level)
    unit = level / (pixels.levels - 1)
    np.testing.assert_allclose(noisy.shown(middle), unit, atol=1e-6)
    leaves = unit if pixels.eight_bit else level
    np.testing.assert_allclose(noisy.from_model(middle), leaves, atol=1e-4)
    np.testing.assert_allclose(
        noisy.to_model(level.astype(pixels.dtype)), middle, atol=1e-6
    )


def test_all_noise_rounds_to_its_own_level():
    noisy = replace(SEVENTEEN, dequantized=True)
    values = np.linspace(0.001, 0.999, 999)
    np.testing.assert_array_equal(noisy.stored(values), np.floor(values * 17))


def test_recorded_pixels_remember_their_noise():
    noisy = replace(SEVENTEEN, dequantized=True)
    assert Pixels.from_json(noisy.to_json()) == noisy
    older = {k: v for k, v in SEVENTEEN.to_json().items() if k != "dequantized"}
    assert Pixels.from_json(older) == SEVENTEEN
    with pytest.raises(ValueError, match="dequantized=True of levels=None"):
        Pixels.from_json({**noisy.to_json(), "levels": None})


def test_compiled_step_gives_the_same_noise():
    store = ImageStore(IMAGES, dequantize=dequantization_per_step(EIGHT_BIT, 0, 1))
    compiled = tf.function(store.read)(ALL, tf.constant(3, tf.int64))
    np.testing.assert_allclose(compiled, read(), rtol=1e-6)
