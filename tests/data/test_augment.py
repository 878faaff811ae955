import numpy as np
import pytest
import tensorflow as tf

from tests.helpers import grey_images, whole
from vae_cli.data.augment import augmentation_per_step, augmented
from vae_cli.data.batches import ImageStore, core_shards, padded_shard

IMAGES = grey_images(40, 17, 24, 2)
ALL = whole(range(40))
BOTH = ("flip", "shift")


def read(changes, step=3, seed=0, shard=ALL, replicas=1, images=IMAGES):
    augment = augmentation_per_step(changes, seed, replicas)
    store = ImageStore(images, augment=augment, replicas=replicas)
    return np.asarray(store.read(shard, step))


def shifted(image: np.ndarray, down: int, right: int) -> np.ndarray:
    """An image moved, its edges repeated, by padding and cutting."""
    most = 8
    height, width = image.shape[:2]
    padded = np.pad(image, [(most, most), (most, most), (0, 0)], mode="edge")
    top, left = most - down, most - right
    return padded[top : top + height, left : left + width]


def test_no_changes_are_none():
    assert augmentation_per_step((), 0, 1) is None


def test_flip_turns_half_of_the_images_around_and_leaves_the_others():
    images = grey_images(2000, 2, 3, 1)
    found = read(("flip",), shard=whole(range(2000)), images=images)
    x = images.astype(np.float32) / 255
    same, turned = (
        (found == other).all((1, 2, 3)) for other in (x, x[:, :, ::-1])
    )  # fmt: skip
    assert (same | turned).all()
    assert abs(turned.mean() - 0.5) < 4 * 0.5 / 2000**0.5


def test_shift_moves_by_whole_pixels_up_to_an_eighth_of_each_side():
    images = grey_images(1, 17, 24, 1)
    found = read(("shift",), shard=whole([0] * 600), images=images)
    x = images[0].astype(np.float32) / 255
    counts = dict.fromkeys((d, r) for d in range(-2, 3) for r in range(-3, 4))
    for key in counts:
        counts[key] = int((found == shifted(x, *key)).all((1, 2, 3)).sum())
    assert sum(counts.values()) == 600
    # each of 35 as often: 17 of 600 on average
    assert min(counts.values()) >= 3
    assert max(counts.values()) <= 40


def test_both_flip_an_image_and_then_shift_it():
    draws = tf.constant([[0.2, 0.99, 0.0]])  # flipped; down by 2, left by 3
    found = augmented(tf.constant(IMAGES[:1]), draws, BOTH)
    np.testing.assert_array_equal(found[0], shifted(IMAGES[0][:, ::-1], 2, -3))


@pytest.mark.parametrize("shape", [(7, 7, 1), (1, 1, 3), (1, 20, 1)])
def test_small_sides_are_not_shifted(shape):
    images = grey_images(30, *shape)
    draws = tf.random.stateless_uniform((30, 3), (0, 1))
    found = np.asarray(augmented(tf.constant(images), draws, ("shift",)))
    if shape[1] < 8:
        np.testing.assert_array_equal(found, images)
    assert found.shape == images.shape


def test_draw_just_below_one_shifts_no_further_than_allowed():
    draws = tf.constant([[0.9, np.nextafter(np.float32(1), 0), 0.0]])
    found = augmented(tf.constant(IMAGES[:1]), draws, ("shift",))
    np.testing.assert_array_equal(found[0], shifted(IMAGES[0], 2, -3))


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_pixels_keep_their_type(dtype):
    images = tf.constant(IMAGES.astype(dtype))
    draws = tf.random.stateless_uniform((40, 3), (0, 1))
    found = augmented(images, draws, BOTH)
    assert found.dtype == images.dtype
    assert found.shape == images.shape


def test_same_seed_and_step_change_images_alike():
    np.testing.assert_array_equal(read(BOTH), read(BOTH))


@pytest.mark.parametrize("other", [{"step": 4}, {"seed": 1}])
def test_another_seed_or_step_changes_them_otherwise(other):
    assert (read(BOTH) != read(BOTH, **other)).any((1, 2, 3)).mean() > 0.8


@pytest.mark.parametrize("count", [2, 3])
def test_shards_of_cores_are_changed_as_the_whole_batch_is(count):
    parts = []
    for shard in core_shards(ALL, count):
        real = np.asarray(shard["weight"]) > 0
        parts.append(read(BOTH, shard=shard)[real])
    np.testing.assert_array_equal(np.concatenate(parts), read(BOTH))


def test_shards_of_replicas_are_changed_as_the_whole_batch_is():
    parts = []
    for number in range(2):
        index, start, weight = padded_shard(ALL["index"], number, 2)
        shard = {"index": index, "start": start, "total": ALL["total"]}
        parts.append(read(BOTH, shard={**shard, "weight": weight}, replicas=2))
    np.testing.assert_array_equal(np.concatenate(parts), read(BOTH))


def test_pixels_that_come_with_the_shard_are_changed_alike():
    store = ImageStore(None, augment=augmentation_per_step(BOTH, 0, 1))
    sent = store.read({**ALL, "pixels": tf.constant(IMAGES)}, 3)
    np.testing.assert_array_equal(sent, read(BOTH))


def test_compiled_step_changes_images_alike():
    store = ImageStore(IMAGES, augment=augmentation_per_step(BOTH, 0, 1))
    compiled = tf.function(store.read)(ALL, tf.constant(3, tf.int64))
    np.testing.assert_allclose(compiled, read(BOTH), rtol=1e-6)


def test_condition_is_made_of_the_changed_images():
    store = ImageStore(
        IMAGES,
        augment=augmentation_per_step(BOTH, 0, 1),
        corrupt=lambda images, shard, step: {"corrupted": 1 - images},
    )
    images = store.read(ALL, 3)
    corrupted = store.condition(images, ALL, 3)["corrupted"]
    np.testing.assert_array_equal(corrupted, 1 - read(BOTH))
