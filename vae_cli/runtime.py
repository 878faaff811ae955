"""Start TensorFlow: once, late, quietly, and with the configured threads."""

import contextlib
import logging
import os
import random
import sys
import tempfile
import threading
from collections.abc import Iterator
from typing import Any, TextIO

from vae_cli.config.by_size import batch_size
from vae_cli.config.train import TrainConfig
from vae_cli.errors import ConfigError
from vae_cli.workers import cores

_STDERR = threading.RLock()
KERAS = {"KERAS_BACKEND": "tensorflow", "TF_CPP_MIN_LOG_LEVEL": "2"}
"""Environment variables for Keras on TensorFlow, quietly."""
MAX_SHARDS = 4
"""Cores up to which a shard for each is assumed to pay; it was measured on two."""
MIN_IMAGES = 32
"""Images of a core's shard; with fewer its matrix products are too small."""


def import_keras() -> Any:
    """Import Keras on TensorFlow, whatever backend the user's other work has set."""
    os.environ |= {"KERAS_BACKEND": KERAS["KERAS_BACKEND"]}
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", KERAS["TF_CPP_MIN_LOG_LEVEL"])
    state = random.getstate()  # names of temporary files are drawn on the way
    with stderr_kept_back():
        import keras
    random.setstate(state)
    return keras


def start_tensorflow(
    config: TrainConfig | None = None, own_process: bool = False
) -> None:
    """Import TensorFlow and settle what can't change afterwards.

    Args:
        config: threads, determinism, devices and GPU settings are read. On a CPU, the
            contraction of a long dimension into a tiny output depends on thread timing
            even with deterministic kernels, so only a single thread is bitwise
            repeatable. None, for what only evaluates.
        own_process: whether nothing but this training runs in the process: batches may
            then be split over cores, each with one thread.

    Raises:
        ConfigError: TensorFlow has started already, with other settings.
    """
    import_keras()
    with stderr_kept_back():
        import tensorflow as tf

        # that pass drops the edges by which a step reads weights before it updates
        # them (found with TensorFlow 2.21): a value that no update needs, such as a
        # discriminator's estimate, was sometimes made with the weights of the next step
        tf.config.optimizer.set_experimental_options({"dependency_optimization": False})
        if config is not None:
            try:
                _settle(tf, config, own_process)
            except RuntimeError as error:
                raise ConfigError(
                    f"TensorFlow has started in this process already: {error}",
                    "threads=, deterministic= and distribution.devices= must be the "
                    "first in a process that uses TensorFlow: restart it",
                ) from error
        # devices start here, noise and all; several workers must meet before that
        if config is None or not config.distribution.has_workers:
            tf.config.list_logical_devices()


def _settle(tf: Any, config: TrainConfig, own_process: bool) -> None:
    threads = 1 if config.deterministic else config.threads
    gpus = bool(tf.config.list_physical_devices("GPU"))
    core_shards = usable_core_shards(config, gpus)
    if own_process and core_shards > 1:
        tf.config.threading.set_intra_op_parallelism_threads(1)
        tf.config.threading.set_inter_op_parallelism_threads(core_shards)
    elif threads is not None:
        tf.config.threading.set_intra_op_parallelism_threads(threads)
        tf.config.threading.set_inter_op_parallelism_threads(threads)
    if config.deterministic:
        tf.config.experimental.enable_op_determinism()
    for gpu in tf.config.list_physical_devices("GPU"):
        tf.config.experimental.set_memory_growth(gpu, config.memory_growth)
    devices = config.distribution.cpu_devices
    if devices > 1:
        # one CPU can be split, to try a strategy
        tf.config.set_logical_device_configuration(
            tf.config.list_physical_devices("CPU")[0],
            [tf.config.LogicalDeviceConfiguration()] * devices,
        )


def without_retracing_advice() -> contextlib.AbstractContextManager[None]:
    """Hold TensorFlow's advice on retracing back: it is for loops of one's own."""
    return errors_only("tensorflow")


@contextlib.contextmanager
def errors_only(package: str) -> Iterator[None]:
    """Hold back what a package logs that is no error."""
    logger = logging.getLogger(package)
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)


@contextlib.contextmanager
def evaluating() -> Iterator[None]:
    """Compute in whole float32 here, whatever training used."""
    with without_retracing_advice(), matrix_products(tf32=False):
        yield


@contextlib.contextmanager
def matrix_products(tf32: bool) -> Iterator[None]:
    """Let GPUs multiply float32 with 10 bits of mantissa here, or with all 23."""
    import tensorflow as tf

    options = tf.config.experimental
    before = options.tensor_float_32_execution_enabled()
    options.enable_tensor_float_32_execution(tf32)
    try:
        yield
    finally:
        options.enable_tensor_float_32_execution(before)


def usable_core_shards(config: TrainConfig, gpus: bool) -> int:
    """Return how many shards each training batch is split into, one per core.

    Threads that share a matrix product wait for each other at every one of them;
    cores that compute a shard of the batch each, on one thread, wait once a step.

    Args:
        config: what couples the images of a batch keeps it whole, and so does dropout,
            whose masks come one after the other.
        gpus: whether there are any, which keeps it whole too.
    """
    count = config.threads or cores()
    whole = (
        gpus
        or config.deterministic
        or config.distribution.is_replicated
        or config.free_bits
        or config.objective.needs_whole_batch
        or config.architecture.dropout
        or config.architecture.normalization == "batch"
        # its pseudo-inputs would be encoded for every shard
        or config.prior.encoded_images
    )
    if (
        whole
        or count > MAX_SHARDS
        or (batch_size(config, None) or 0) < MIN_IMAGES * count
    ):
        return 1
    return count


@contextlib.contextmanager
def _log_written_to(stream: TextIO) -> Iterator[None]:
    """Move our log from stderr to another stream."""
    moved = [
        handler
        for handler in logging.getLogger("vae_cli").handlers
        if isinstance(handler, logging.StreamHandler) and handler.stream is sys.stderr
    ]
    for handler in moved:
        handler.setStream(stream)
    try:
        yield
    finally:
        for handler in moved:
            handler.setStream(sys.stderr)


@contextlib.contextmanager
def stderr_kept_back() -> Iterator[None]:
    """Hold back what C++ writes to stderr; show it if the block fails.

    TensorFlow prints its build flags and missing GPU drivers from C++ before any log
    level is read, so the file descriptor itself has to be held.
    """
    # of two threads at once, the last to leave would leave the other's file behind
    with _STDERR, tempfile.TemporaryFile() as held:
        sys.stderr.flush()
        saved = os.dup(2)
        os.dup2(held.fileno(), 2)
        try:
            # other threads may have something to say meanwhile
            with (
                open(saved, "w", buffering=1, closefd=False) as kept,
                _log_written_to(kept),
            ):
                yield
        except BaseException:
            os.dup2(saved, 2)
            held.seek(0)
            os.write(2, held.read())
            raise
        finally:
            os.dup2(saved, 2)
            os.close(saved)
