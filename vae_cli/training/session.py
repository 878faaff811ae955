"""Training as a function: from a config to a finished run folder.

What commands and notebooks call. Nothing here prints, sets a signal handler, or leaves
a log handler or a setting of the process behind.
"""

import logging
import shutil
import tempfile
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from vae_cli.config.by_size import batch_size, resolved
from vae_cli.config.dataset_files import FileConfig
from vae_cli.config.train import TrainConfig
from vae_cli.data.prepare import load_data
from vae_cli.errors import Interrupted
from vae_cli.plugins import used_plugins
from vae_cli.runs.data import load_run_data
from vae_cli.runs.folder import RunFolder, new_run
from vae_cli.runs.record import record_start, record_stop, recorded
from vae_cli.runs.resume import resumed_config
from vae_cli.runs.source_of_weights import find_source_of_weights
from vae_cli.runtime import start_tensorflow
from vae_cli.training.checks import check_images, check_no_sweep
from vae_cli.training.stop import StopSignal
from vae_cli.training.trackers.tracking import tracked
from vae_cli.workers import worker_index

if TYPE_CHECKING:
    from vae_cli.data.splits import ImageData
    from vae_cli.training.distribution import Distribution

log = logging.getLogger("vae_cli")

AT_ONCE = 0.05
"""Seconds in which a missing file is found to be missing."""


def train(
    config: TrainConfig,
    overrides: Sequence[str] = (),
    stop: StopSignal | None = None,
    progress: bool = True,
    own_process: bool = False,
) -> RunFolder | None:
    """Train in a new run folder, or in the one that `config.resume` names.

    Images are loaded first: a wrong path or a bad pixel leaves no folder behind. A
    `KeyboardInterrupt` leaves a run that can be resumed.

    Args:
        config: everything that decides what the run computes.
        overrides: as typed; what to change in a resumed run.
        stop: checked after every step; on request, training saves and stops.
        progress: whether to show a progress bar where there is a terminal or a
            notebook.
        own_process: whether this process does nothing else, so that TensorFlow's
            threads are set as training is fastest. Otherwise they stay as they are,
            unless `threads` or `deterministic` asks for some.

    Returns:
        the finished run; None in a worker that isn't the chief, which writes it.

    Raises:
        ConfigError: no such devices or workers, or an option of sweeps.
        DataError: the images can't be loaded, or lack what the config needs.
        RunError: the folder is taken, can't be written or can't be resumed.
        TrainingError: a loss is not finite, or another worker is gone.
        Interrupted: stopped; everything is saved.
    """
    check_no_sweep(config, overrides)
    stop = stop or StopSignal()
    path = None
    if isinstance(config.dataset, FileConfig):
        config.dataset.make_absolute()
        path = config.dataset.path
    find_source_of_weights(config)
    resumed = config.resume is not None
    load: Callable[[], ImageData] = partial(load_data, config.dataset)
    if resumed:
        folder, config = resumed_config(config, list(overrides))
        load = partial(load_run_data, folder, config, path)
    if worker_index(config.distribution):
        _work(config, load, folder if resumed else None, stop, own_process)
        return None
    if resumed:
        with folder.locked():
            prepared = _prepared(config, load, own_process)
            return _train(prepared, folder, True, stop, progress)
    prepared = _prepared(config, load, own_process)
    folder = new_run(prepared.config)
    with folder.locked():
        return _train(prepared, folder, False, stop, progress)


def _work(
    config: TrainConfig,
    load: Callable[[], "ImageData"],
    resumed: RunFolder | None,
    stop: StopSignal,
    own_process: bool,
) -> None:
    """Train as a worker that isn't the chief, quietly, in a folder of no use."""
    level = log.level
    log.setLevel(logging.WARNING)
    try:
        with tempfile.TemporaryDirectory() as scratch:
            folder = RunFolder(Path(scratch) / "run")
            folder.create()
            if resumed:  # before the workers meet: the chief then begins to write
                _copy_state(resumed, folder)
            prepared = _prepared(config, load, own_process)
            _train(prepared, folder, False, stop, progress=False)
    except Interrupted as error:
        raise Interrupted from error  # the chief says what was saved
    finally:
        log.setLevel(level)


class _Prepared(NamedTuple):
    """What training needs before it has a folder.

    Attributes:
        config: with what is chosen by the size of the images.
        data: the images.
        distribution: the replicas.
        chosen: settings, as they would be typed.
    """

    config: TrainConfig
    data: "ImageData"
    distribution: "Distribution"
    chosen: list[str]


def _prepared(
    config: TrainConfig, load: Callable[[], "ImageData"], own_process: bool
) -> "_Prepared":
    """Load the images while TensorFlow starts, and choose what depends on them."""
    threads_for = config
    with ThreadPoolExecutor(1) as pool:
        loading = pool.submit(load)
        # a wrong path is reported without TensorFlow, whose threads are set by the
        # size of the batches
        known = batch_size(config, None) is not None
        wait([loading], timeout=AT_ONCE if known else None)
        if loading.done():
            data = loading.result()
            threads_for = resolved(config, data.spec.image_shape, len(data.train))[0]
        start_tensorflow(threads_for, own_process)
        data = loading.result()
    config, chosen = resolved(config, data.spec.image_shape, len(data.train))
    check_images(config, data)
    if used_plugins(config):  # which may build something else than they should
        from vae_cli.models.factory import build_model

        build_model(config, data.spec)
    from vae_cli.training.distribution import build_distribution

    distribution = build_distribution(config.distribution, config.batch_size)
    return _Prepared(config, data, distribution, chosen)


def _size(data: "ImageData") -> str:
    """Return the number and size of the images, for a message."""
    height, width, channels = data.spec.image_shape
    return f"{len(data.train):,} images of {height} x {width} x {channels}"


def _copy_state(run: RunFolder, to: RunFolder) -> None:
    """Copy what training needs to continue as it would in the run's own folder."""
    shutil.copytree(run.checkpoints, to.checkpoints, dirs_exist_ok=True)
    if run.metrics_csv.exists():
        shutil.copy(run.metrics_csv, to.metrics_csv)


def _train(
    prepared: _Prepared,
    folder: RunFolder,
    resumed: bool,
    stop: StopSignal,
    progress: bool,
) -> RunFolder:
    """Train with the run's log and status in place."""
    config, data, distribution, chosen = prepared
    from vae_cli.runtime import matrix_products, without_retracing_advice
    from vae_cli.training.trainer import Trainer

    again = distribution.resume_command(folder)
    # outermost: `recorded` must have written how training ended
    with (
        tracked(config, folder, resumed) as tracking,
        recorded(folder, again, lambda: stop.received),
        matrix_products(config.tf32),
        without_retracing_advice(),
    ):
        stop.last_words = partial(record_stop, folder)
        folder.save_config(config)
        record_start(folder, config, data.spec, data.fingerprint, resumed)
        if tracking:
            tracking.start()
        if chosen:
            log.info("chosen for %s: %s", _size(data), " ".join(chosen))
        Trainer(config, data, folder, stop, distribution, progress, tracking).run()
    return folder
