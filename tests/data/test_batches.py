import numpy as np
import pytest
import tensorflow as tf

from tests.helpers import grey_images, whole
from vae_cli.data.batches import ImageStore, evaluation_order, training_order

IMAGES = grey_images(20, 3, 4, 2)
ALL = whole(range(20))


def order(count: int, batch_size: int, seed: int, start: int) -> list[np.ndarray]:
    """The batches of what remains of the epoch that step `start` lies in."""
    left = -(-count // batch_size) - start % -(-count // batch_size)
    step = tf.Variable(start, dtype=tf.int64)
    batches = training_order(count, batch_size, seed, step, batches=left)
    return [batch.numpy() for batch in batches]


def test_store_scales_to_the_unit_interval():
    read = ImageStore(IMAGES).read(ALL, 0).numpy()
    assert read.dtype == np.float32
    np.testing.assert_allclose(read, IMAGES / 255, rtol=1e-6)


def test_store_reads_the_images_at_the_indices_in_their_order():
    read = ImageStore(IMAGES).read(whole([7, 2, 7]), 0).numpy()
    np.testing.assert_allclose(read, IMAGES[[7, 2, 7]] / 255, rtol=1e-6)


def test_store_without_a_dynamic_seed_reads_the_same_at_every_step():
    store = ImageStore(IMAGES)
    np.testing.assert_array_equal(store.read(ALL, 0), store.read(ALL, 1))


def test_dynamic_pixels_are_0_or_1():
    read = ImageStore(IMAGES, dynamic_seed=1).read(ALL, 0).numpy()
    assert set(np.unique(read)) == {0.0, 1.0}


def test_dynamic_draw_repeats_at_the_same_step():
    first, second = (ImageStore(IMAGES, 1).read(ALL, 5) for _ in range(2))
    np.testing.assert_array_equal(first, second)


@pytest.mark.parametrize("seed, step", [(1, 6), (2, 5)], ids=["step", "seed"])
def test_dynamic_draw_differs_by_step_and_seed(seed, step):
    first = ImageStore(IMAGES, 1).read(ALL, 5).numpy()
    second = ImageStore(IMAGES, seed).read(ALL, step).numpy()
    assert 0.2 < (first != second).mean() < 0.5  # 1/3 on average over grey levels


def test_dynamic_draw_is_the_same_in_a_compiled_step():
    store = ImageStore(IMAGES, 1)
    compiled = tf.function(store.read)
    np.testing.assert_array_equal(
        compiled(ALL, tf.constant(5, tf.int64)), store.read(ALL, 5)
    )


def test_dynamic_pixels_are_white_as_often_as_they_are_grey():
    levels = np.arange(256, dtype=np.uint8).reshape(1, 16, 16, 1)
    store = ImageStore(levels, 0)
    reads = [store.read(whole([0] * 100), step).numpy() for step in range(10)]
    often = np.concatenate(reads).mean(axis=0)
    grey = levels[0] / 255
    deviation = np.sqrt(grey * (1 - grey) / 1000)
    assert (np.abs(often - grey) <= 4.5 * deviation).all()


@pytest.mark.parametrize("epoch", [0, 1, 5])
def test_every_epoch_is_a_permutation(epoch):
    seen = np.concatenate(order(50, 8, seed=0, start=7 * epoch))
    assert not np.array_equal(seen, np.arange(50))
    np.testing.assert_array_equal(np.sort(seen), np.arange(50))


def test_order_differs_between_epochs():
    first, second = order(50, 8, 0, 0), order(50, 8, 0, 7)
    assert (np.concatenate(first) == np.concatenate(second)).mean() < 0.2


def test_order_differs_between_seeds():
    first, second = order(50, 8, 0, 0), order(50, 8, 1, 0)
    assert (np.concatenate(first) == np.concatenate(second)).mean() < 0.2


def test_order_repeats_for_the_same_seed_and_step():
    first, second = order(50, 8, 4, 14), order(50, 8, 4, 14)
    np.testing.assert_array_equal(np.concatenate(first), np.concatenate(second))


@pytest.mark.parametrize("done", [1, 3, 6])
def test_order_from_within_an_epoch_is_what_was_left_of_it(done):
    whole, left = order(50, 8, 0, start=7), order(50, 8, 0, start=7 + done)
    assert len(left) == 7 - done
    for expected, batch in zip(whole[done:], left, strict=True):
        np.testing.assert_array_equal(batch, expected)


def test_order_is_read_off_the_step_each_time_it_is_iterated():
    step = tf.Variable(0, dtype=tf.int64)
    batches = training_order(50, 8, 0, step, batches=7)
    first = np.concatenate(list(batches.as_numpy_iterator()))
    step.assign(7)
    second = np.concatenate(list(batches.as_numpy_iterator()))
    np.testing.assert_array_equal(first, np.concatenate(order(50, 8, 0, 0)))
    np.testing.assert_array_equal(second, np.concatenate(order(50, 8, 0, 7)))


def test_last_short_batch_is_kept():
    assert [len(batch) for batch in order(50, 8, 0, 0)] == [8] * 6 + [2]


def test_batch_larger_than_the_set_holds_all_of_it():
    assert [len(batch) for batch in order(5, 8, 0, 3)] == [5]


def test_order_knows_how_many_batches_it_has():
    step = tf.Variable(2, dtype=tf.int64)
    batches = training_order(50, 8, 0, step, batches=5)
    assert int(batches.cardinality()) == 5


def test_evaluation_order_goes_through_all_images_in_turn():
    batches = [batch.numpy().tolist() for batch in evaluation_order(7, 3)]
    assert batches == [[0, 1, 2], [3, 4, 5], [6]]
