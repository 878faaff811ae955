import numpy as np
import pytest
import tensorflow as tf

from tests.helpers import grey_images
from vae_cli.data.batches import padded_shard, slice_for_shard, training_order
from vae_cli.data.pipeline import Replicas, shards

IMAGES = grey_images(20, 3, 4, 1)
BATCHES = [[3, 1, 4, 15, 9], [2, 6, 5, 0]]


def order() -> tf.data.Dataset:
    return tf.data.Dataset.from_generator(
        lambda: BATCHES, output_signature=tf.TensorSpec((None,), tf.int64)
    )


def values(dataset: tf.data.Dataset) -> list[dict[str, np.ndarray]]:
    return list(dataset.as_numpy_iterator())


def test_share_of_a_single_replica_is_the_whole_batch():
    for shard, batch in zip(values(shards(order())), BATCHES, strict=True):
        assert shard["index"].tolist() == batch
        assert (shard["start"], shard["total"]) == (0, len(batch))


@pytest.mark.parametrize("total", [2, 3, 5])
def test_shares_of_all_replicas_make_up_the_batch(total):
    found = values(shards(order(), Replicas(0, total, total)))
    assert len(found) == 2 * total
    for number, batch in enumerate(BATCHES):
        own = found[number * total : (number + 1) * total]
        kept = [shard["index"][shard["weight"] > 0] for shard in own]
        assert np.concatenate(kept).tolist() == batch
        assert {int(shard["total"]) for shard in own} == {len(batch)}
        sizes = [len(index) for index in kept]
        assert max(sizes) - min(sizes) <= 1
        assert [shard["start"] for shard in own] == np.cumsum([0, *sizes[:-1]]).tolist()


def test_a_worker_gets_the_shares_of_its_own_replicas():
    everyone = values(shards(order(), Replicas(0, 4, 4)))
    second = values(shards(order(), Replicas(2, 2, 4)))
    expected = [everyone[i]["index"].tolist() for i in (2, 3, 6, 7)]
    assert [shard["index"].tolist() for shard in second] == expected


def test_pixels_come_with_the_indices_where_asked():
    for shard in values(shards(order(), Replicas(0, 2, 2), IMAGES)):
        np.testing.assert_array_equal(shard["pixels"], IMAGES[shard["index"]])


def test_shares_with_room_have_one_static_size_and_image_0_where_there_is_none():
    dataset = shards(order(), Replicas(0, 3, 3), padded_size=6)
    assert dataset.element_spec["index"].shape == (2,)
    first, second, third = values(dataset)[:3]
    assert first["index"].tolist() + second["index"].tolist() == [3, 1, 4, 15]
    assert third["index"].tolist() == [9, 0]
    assert (third["start"], third["total"]) == (4, 5)


@pytest.mark.parametrize("axis", [0, 1])
def test_parts_of_all_shares_are_the_values_of_the_batch(axis):
    drawn = tf.random.normal((5, 5, 2))
    parts = [
        slice_for_shard(drawn, shard, axis)
        for shard in list(shards(order(), Replicas(0, 3, 3)))[:3]
    ]
    np.testing.assert_array_equal(tf.concat(parts, axis), drawn)


@pytest.mark.parametrize("count, window", [(1000, 512), (5000, 1024), (700, 10_000)])
def test_window_bounds_how_far_images_are_moved_apart(count, window):
    step = tf.Variable(0, dtype=tf.int64)
    batches = -(-count // 50)
    found = np.concatenate(
        list(training_order(count, 50, 0, step, batches, window).as_numpy_iterator())
    )
    np.testing.assert_array_equal(np.sort(found), np.arange(count))
    for start in range(0, count, window):
        read = found[start : start + window]
        # no more blocks of neighbours than such a window can touch
        assert len(np.unique(read // 256)) <= window // 256 + 2
    assert (np.diff(found) == 1).mean() < 0.05


@pytest.mark.parametrize("count", [1, 2, 3, 5])
def test_parts_of_a_batch_are_never_empty_and_weigh_as_its_images(count):
    index = tf.range(10, 10 + count, dtype=tf.int64)
    found = [padded_shard(index, part, 3) for part in range(3)]
    assert all(len(own) for own, _, _ in found)
    kept = [int(i) for own, _, weight in found for i in own[weight > 0]]
    assert kept == list(range(10, 10 + count))
    for own, begin, _ in found:
        assert own[0] == index[int(begin)]
