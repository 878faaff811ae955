import contextlib
import logging
import os
import sys
import threading
import time
from unittest.mock import MagicMock, Mock

import numpy as np
import pytest

from tests.conftest import TINY, train_here
from tests.helpers import small_config
from vae_cli.runtime import (
    _settle,
    start_tensorflow,
    stderr_kept_back,
    usable_core_shards,
)


@pytest.fixture
def tensorflow() -> MagicMock:
    """A TensorFlow that has a CPU and two GPUs, and remembers what is set."""
    fake = MagicMock()
    devices = {"CPU": ["CPU:0"], "GPU": ["GPU:0", "GPU:1"]}
    fake.config.list_physical_devices.side_effect = devices.__getitem__
    return fake


@pytest.mark.parametrize("wanted", [True, False])
def test_gpus_are_set_up_as_asked(tensorflow, wanted):
    _settle(tensorflow, small_config(f"memory_growth={wanted}"), True)
    settings = tensorflow.config.experimental
    growth = settings.set_memory_growth.call_args_list
    assert [call.args for call in growth] == [("GPU:0", wanted), ("GPU:1", wanted)]


@pytest.mark.parametrize(
    "option, threads", [("threads=3", 3), ("deterministic=true", 1)]
)
def test_threads_are_set_as_asked_where_there_are_gpus(tensorflow, option, threads):
    _settle(tensorflow, small_config(option), True)
    settings = tensorflow.config.threading
    settings.set_intra_op_parallelism_threads.assert_called_once_with(threads)
    settings.set_inter_op_parallelism_threads.assert_called_once_with(threads)


def test_cores_take_a_part_of_the_batch_each_on_one_thread(tensorflow):
    tensorflow.config.list_physical_devices.side_effect = lambda kind: []
    _settle(tensorflow, small_config("threads=3", "batch_size=96"), True)
    settings = tensorflow.config.threading
    settings.set_intra_op_parallelism_threads.assert_called_once_with(1)
    settings.set_inter_op_parallelism_threads.assert_called_once_with(3)


@pytest.mark.parametrize(
    "option",
    [
        "batch_size=127",
        "free_bits=0.1",
        "deterministic=true",
        "prior=vamp",
        "architecture.dropout=0.1",
        "architecture.normalization=batch",
        "distribution=multi_worker",
        "threads=1",
        "threads=5",
    ],
)
def test_batches_stay_whole_where_their_images_hang_together(option):
    options = ("threads=4", "batch_size=200")
    assert usable_core_shards(small_config(*options), gpus=False) == 4
    assert usable_core_shards(small_config(*options), gpus=True) == 1
    assert usable_core_shards(small_config(*options, option), gpus=False) == 1


def test_cpu_is_parted_into_the_devices_that_are_named(tensorflow):
    three = "distribution.devices=[CPU:0,CPU:1,CPU:2]"
    _settle(tensorflow, small_config("distribution=mirrored", three), True)
    (device, parts), _ = tensorflow.config.set_logical_device_configuration.call_args
    assert device == "CPU:0"
    assert len(parts) == 3


def test_log_is_seen_while_what_is_written_to_stderr_is_kept_back(capfd):
    handler = logging.StreamHandler(sys.stderr)
    log = logging.getLogger("vae_cli")
    log.addHandler(handler)
    try:
        with stderr_kept_back():
            os.write(2, b"build flags\n")
            log.warning("streamed")
        log.warning("afterwards")
    finally:
        log.removeHandler(handler)
    seen = capfd.readouterr().err
    assert "build flags" not in seen
    assert "streamed" in seen
    assert "afterwards" in seen


def test_stderr_comes_back_where_two_threads_keep_it_back(capfd):
    entered = threading.Event()

    def keep_back():
        with stderr_kept_back():
            entered.set()
            time.sleep(0.1)

    first = threading.Thread(target=keep_back)
    first.start()
    entered.wait()
    with stderr_kept_back():
        pass
    first.join()
    os.write(2, b"kept")
    assert "kept" in capfd.readouterr().err


def test_what_was_kept_back_is_shown_when_the_import_fails(capfd):
    with pytest.raises(ImportError), stderr_kept_back():
        os.write(2, b"no such library\n")
        raise ImportError
    assert "no such library" in capfd.readouterr().err


@pytest.fixture
def tf32():
    """TensorFlow's switch, which is put back afterwards."""
    import tensorflow as tf

    options = tf.config.experimental
    before = options.tensor_float_32_execution_enabled()
    yield options
    options.enable_tensor_float_32_execution(before)


def test_evaluation_is_in_float32_and_leaves_the_process_as_it_was(tf32):
    from vae_cli.evaluation.batches import over_batches

    used = []

    def function(x):
        used.append(tf32.tensor_float_32_execution_enabled())
        return (x,)

    logger = logging.getLogger("tensorflow")
    before = logger.level
    tf32.enable_tensor_float_32_execution(True)
    start_tensorflow()
    over_batches(function, (np.zeros((3, 2), np.float32),), 4)
    assert used == [False]
    assert tf32.tensor_float_32_execution_enabled()
    assert logger.level == before


def test_reads_stay_before_the_updates_that_follow_them():
    """With that pass, FactorVAE's estimates differed from run to run."""
    import tensorflow as tf

    start_tensorflow()
    options = tf.config.optimizer.get_experimental_options()
    assert options["dependency_optimization"] is False


@pytest.mark.parametrize("wanted", [True, False])
def test_validation_in_training_multiplies_in_float32(tf32, wanted):
    from vae_cli.training.callbacks import Validation

    tf32.enable_tensor_float_32_execution(wanted)
    callback = Validation()
    callback.set_model(Mock(averaged_weights=contextlib.nullcontext))
    callback.on_test_begin()
    assert not tf32.tensor_float_32_execution_enabled()
    callback.on_test_end()
    assert tf32.tensor_float_32_execution_enabled() == wanted


def test_a_run_is_trained_with_tf32_and_scored_without(tf32, tmp_path, monkeypatch):
    from vae_cli.training import learner, trainer

    found = {}

    def noted(name, function):
        def note(*arguments):
            found[name] = tf32.tensor_float_32_execution_enabled()
            return function(*arguments)

        return note

    for name in ("train_step", "test_step"):
        step = getattr(learner.Learner, name)
        monkeypatch.setattr(learner.Learner, name, noted(name, step))
    complete = noted("final scores", trainer.complete_folder)
    monkeypatch.setattr(trainer, "complete_folder", complete)
    tf32.enable_tensor_float_32_execution(True)
    train_here(tmp_path / "run", *TINY, "architecture=dense", "tf32=true")
    assert found == {"train_step": True, "test_step": False, "final scores": False}
