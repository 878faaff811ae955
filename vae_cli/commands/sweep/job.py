"""A job of a sweep; a launcher runs it in this process or in another.

TensorFlow's threads, seeds, precision and memory are set once per process, so each job
trains in a process of its own.
"""

import dataclasses
import importlib.util
import json
import logging
import math
import os
import signal
import socket
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vae_cli.config.compose import checked
from vae_cli.config.sweep import SweepConfig
from vae_cli.config.train import TrainConfig
from vae_cli.errors import Interrupted
from vae_cli.plugins import load_plugins
from vae_cli.runs.sweep_folder import SweepFolder, SweepJob
from vae_cli.workers import LAUNCHER, handing_on_signals

log = logging.getLogger("vae_cli")

INTERRUPTED = (Interrupted.exit_status, -signal.SIGINT, -signal.SIGTERM)


@dataclass(frozen=True)
class JobTask:
    """What a launcher calls for each job; it can be pickled.

    Attributes:
        fixed: keys with the same value in all jobs; not part of a job's name.
        place: where the sweep process runs; see `here`.
    """

    fixed: frozenset[str]
    place: tuple[str, ...]

    def __call__(self, values: Any) -> float:
        """Train or resume the job; errors are written into its folder.

        Args:
            values: what Hydra composed for the job.

        Returns:
            the best bound, nats per image, which a search minimises; NaN if there is
            none.

        Raises:
            KeyboardInterrupt: the job was interrupted, and so is the sweep.
        """
        from hydra.core.hydra_config import HydraConfig

        load_plugins()  # a launcher's process may be a new one
        hydra = HydraConfig.get()
        sweep = SweepFolder(Path(hydra.sweep.dir))
        follows = self.place == here()
        if follows and not sweep.goes_on():
            raise KeyboardInterrupt  # the sweep process has ended, its launcher has not
        overrides = varied(hydra.overrides.task, self.fixed)
        job = sweep.job(overrides, hydra.job.num)
        config = checked("train", values)
        if job.state == "finished":
            return job.objective(config.objective.bound)
        if sweep.stops():
            return math.nan
        try:
            _train(job, config, sweep if follows else None)
        finally:
            if config.sweep.on_error == "stop" and job.error_file.exists():
                sweep.ask_to_stop()
        return job.objective(config.objective.bound)


def varied(words: list[str], fixed: frozenset[str]) -> dict[str, str]:
    """Return the overrides that distinguish a job: key -> value, without fixed keys."""
    pairs = (word.partition("=") for word in words)
    return {key: value for key, _, value in pairs if key not in fixed}


def here() -> tuple[str, ...]:
    """Return an id of the machine and Slurm job of this process; () without file locks.

    Only processes with the same id see each other's locks. A job elsewhere, such as in
    a cluster's queue, continues when the process that submitted it has ended.
    """
    if importlib.util.find_spec("fcntl") is None:
        return ()
    return socket.gethostname(), os.environ.get("SLURM_JOB_ID", "")


def _train(job: SweepJob, config: TrainConfig, sweep: SweepFolder | None) -> None:
    """Train a job in a child process; if it fails, its folder says why.

    Args:
        job: the job.
        config: of the job.
        sweep: the child stops when this sweep's process ends; never if None.
    """
    if job.run.in_use():
        log.error("%s is skipped: another process is training it", job)
        return
    if job.can_resume():
        job.error_file.unlink(missing_ok=True)
        config = dataclasses.replace(config, resume=str(job.run))
        log.info("%s: resumed", job)
    else:
        job.set_aside()
        config = dataclasses.replace(config, run_dir=str(job.run))
        log.info("%s", job)
    tracker = config.tracker.in_sweep(job.run.path.parent)
    config = dataclasses.replace(config, sweep=SweepConfig(), tracker=tracker)
    status = _train_in_child(
        {
            "config": dataclasses.asdict(config),
            "argv": sys.argv,
            "sweep": str(job.run.path.parent),
            "follows": sweep is not None,
        }
    )
    if status in INTERRUPTED:
        raise KeyboardInterrupt
    if status < 0:
        name = signal.Signals(-status).name
        advice = "; the system does this when memory runs out" if status == -9 else ""
        job.fail(f"the job's process was killed by {name}{advice}")
    elif status and not job.error_file.exists():
        job.fail(f"the job's process exited with status {status}")
    if status:
        log.error("%s failed: %s\n  see %s", job, job.error, job.run)


def _train_in_child(job: dict[str, Any]) -> int:
    """Train in a new process; returns its exit status."""
    # in its own session, so that a terminal's Ctrl-C reaches it through us, once
    child = subprocess.Popen(
        [sys.executable, "-P", "-m", "vae_cli.commands.sweep.child"],
        stdin=subprocess.PIPE,
        text=True,
        start_new_session=True,
        env=os.environ | {LAUNCHER: str(os.getpid())},
    )
    with handing_on_signals(child.send_signal):
        child.communicate(json.dumps(job))
    return child.returncode
