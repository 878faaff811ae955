"""Start TensorFlow: once, late, quietly, and with the threads that were asked for."""

import contextlib
import os
import sys
import tempfile
from collections.abc import Iterator
from typing import Any


def import_keras() -> Any:
    """Import Keras on TensorFlow, whatever backend the user's other work has set."""
    os.environ["KERAS_BACKEND"] = "tensorflow"
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    with _stderr_kept_back():
        import keras
    return keras


def start_tensorflow(deterministic: bool = False) -> None:
    """Import TensorFlow and settle what can't change afterwards.

    Args:
        deterministic: one thread and deterministic kernels. On a CPU, the contraction
            of a long dimension into a tiny output depends on thread timing even with
            deterministic kernels, so only a single thread is bitwise repeatable.
    """
    import_keras()
    with _stderr_kept_back():
        import tensorflow as tf

        if deterministic:
            tf.config.threading.set_intra_op_parallelism_threads(1)
            tf.config.threading.set_inter_op_parallelism_threads(1)
            tf.config.experimental.enable_op_determinism()
        tf.config.list_logical_devices()
        # its advice on retracing is for loops of one's own, and meets every evaluation
        tf.get_logger().setLevel("ERROR")


@contextlib.contextmanager
def _stderr_kept_back() -> Iterator[None]:
    """Hold back what C++ writes to stderr; show it if the block fails.

    TensorFlow prints its build flags and missing GPU drivers from C++ before any log
    level is read, so the file descriptor itself has to be held.
    """
    sys.stderr.flush()
    with tempfile.TemporaryFile() as held:
        saved = os.dup(2)
        os.dup2(held.fileno(), 2)
        try:
            yield
        except BaseException:
            os.dup2(saved, 2)
            held.seek(0)
            os.write(2, held.read())
            raise
        finally:
            os.dup2(saved, 2)
            os.close(saved)
