import numpy as np
import pytest
import tensorflow as tf
from scipy.stats import kstest

from vae_cli.randomness import Stream, generator, key


def normals(seed: int, stream: Stream, step: int) -> np.ndarray:
    return tf.random.stateless_normal((1000,), key(seed, stream, step)).numpy()


def test_streams_carry_numbers_of_their_own():
    assert len({int(stream) for stream in Stream}) == len(Stream)


def test_generator_repeats_for_the_same_seed_stream_and_index():
    first = generator(5, Stream.SPLIT, 2).random(10)
    np.testing.assert_array_equal(generator(5, Stream.SPLIT, 2).random(10), first)


@pytest.mark.parametrize(
    "other",
    [(6, Stream.SPLIT, 2), (5, Stream.ORDER, 2), (5, Stream.SPLIT, 3)],
    ids=["seed", "stream", "index"],
)
def test_generator_differs_by_seed_stream_and_index(other):
    first = generator(5, Stream.SPLIT, 2).random(10)
    assert not np.isin(generator(*other).random(10), first).any()


def test_key_repeats_for_the_same_seed_stream_and_step():
    np.testing.assert_array_equal(
        normals(3, Stream.TRAINING_NOISE, 7), normals(3, Stream.TRAINING_NOISE, 7)
    )


@pytest.mark.parametrize(
    "other",
    [
        (4, Stream.TRAINING_NOISE, 7),
        (3, Stream.EVALUATION_NOISE, 7),
        (3, Stream.TRAINING_NOISE, 8),
    ],
    ids=["seed", "stream", "step"],
)
def test_key_differs_by_seed_stream_and_step(other):
    first = normals(3, Stream.TRAINING_NOISE, 7)
    assert abs(np.corrcoef(first, normals(*other))[0, 1]) < 0.13  # 4 / sqrt(1000)


def test_keys_of_all_small_seeds_and_streams_are_distinct():
    keys = {tuple(key(s, t, 0).numpy()) for s in range(40) for t in Stream}
    assert len(keys) == 40 * len(Stream)


def test_key_is_a_pair_of_int64():
    made = key(0, Stream.PRIOR, 0)
    assert made.dtype == tf.int64
    assert made.shape == (2,)


def test_key_takes_a_step_that_only_the_compiled_graph_knows():
    @tf.function
    def draw(step):
        return tf.random.stateless_normal((1000,), key(3, Stream.ORDER, step))

    drawn = draw(tf.constant(11, tf.int32)).numpy()
    np.testing.assert_array_equal(drawn, normals(3, Stream.ORDER, 11))


def test_key_takes_the_largest_seed_that_a_config_allows():
    assert (key(2**32 - 1, Stream.ORDER, 0).numpy() >= 0).all()


def test_first_numbers_of_successive_steps_are_standard_normal():
    first = [
        tf.random.stateless_normal((), key(0, Stream.TRAINING_NOISE, step)).numpy()
        for step in range(500)
    ]
    assert kstest(first, "norm").pvalue > 1e-3
