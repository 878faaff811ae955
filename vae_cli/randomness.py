"""Where randomness comes from: stateless streams keyed by (seed, stream, step).

Nothing here keeps state, so resuming a run at a step gives the numbers that the
uninterrupted run would have drawn. Streams keep purposes apart: changing how many
numbers one of them draws changes no other.
"""

import contextlib
import random
import threading
from collections.abc import Iterator
from enum import IntEnum
from typing import Any

import numpy as np

_SEEDING = threading.RLock()


class Stream(IntEnum):
    """What the numbers are for."""

    SPLIT = 1
    BINARIZATION = 2
    ORDER = 3
    TRAINING_NOISE = 4
    TRAINING_BINARIZATION = 5
    EVALUATION_NOISE = 6
    PRIOR = 7
    CHOICE = 8
    SHAPES = 9
    PSEUDO_INPUTS = 10
    WINDOW = 11
    CORRUPTION = 12
    TRAINING_CORRUPTION = 13
    IMAGE_NOISE = 14
    GIBBS_NOISE = 15
    RESTORED_DRAWS = 16
    DEQUANTIZATION = 17
    TRAINING_DEQUANTIZATION = 18
    TRAINING_AUGMENTATION = 19
    FACTORS = 30
    FITTED_CODES = 40
    ANNEALING = 41
    ANNEALING_CHOICE = 42
    SIMULATION = 43
    REFINEMENT = 44
    SUBSETS = 45
    RESTARTED_CODES = 50
    CODE_ORDER = 51
    TRAINING_CODES = 52


def generator(seed: int, stream: Stream, index: int = 0) -> np.random.Generator:
    """Return a NumPy generator for work done once, on the host."""
    return np.random.default_rng([seed, int(stream), index])


def key(seed: int, stream: Stream, step: Any) -> Any:
    """Return the seed of TensorFlow's stateless operations at a step.

    Args:
        seed: the run's seed.
        stream: what the numbers are for.
        step: integer or scalar integer tensor.

    Returns:
        int64 tensor [2].
    """
    import tensorflow as tf

    root = np.random.SeedSequence([seed, int(stream)]).generate_state(1, np.uint64)[0]
    return tf.stack(
        [tf.constant(np.int64(root >> np.uint64(1))), tf.cast(step, tf.int64)]
    )


@contextlib.contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Seed what Keras draws initial weights by; afterwards all is as it was before.

    Keras seeds its layers from Python's global generator, and `tf.data` shuffles by
    TensorFlow's global seed. One thread at a time may do so.

    Args:
        seed: the run's seed.
    """
    import tensorflow as tf
    from tensorflow.python.eager import context

    with _SEEDING:
        python, tensorflow = random.getstate(), context.global_seed()
        random.seed(seed)
        tf.random.set_seed(seed)
        try:
            yield
        finally:
            random.setstate(python)
            tf.random.set_seed(tensorflow)
