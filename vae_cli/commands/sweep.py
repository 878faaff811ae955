"""`vae-train -m`: a sweep, each job in its own process.

TensorFlow's threads, seeds, precision and memory are settled once a process; a fresh
one for every job is what keeps them from leaking into the next.
"""

import dataclasses
import json
import logging
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

from vae_cli.commands._hydra import call_hydra
from vae_cli.commands._rehearsal import check_sweep
from vae_cli.config.compose import checked
from vae_cli.config.train import TrainConfig
from vae_cli.errors import RunError
from vae_cli.runs.folder import RunFolder
from vae_cli.runs.ranking import ranking
from vae_cli.workers import handing_on_signals

log = logging.getLogger("vae_cli")


def sweep(words: list[str]) -> None:
    """Check all jobs, train them, rank them; prints the sweep's folder.

    Args:
        words: overrides and flags as typed, without `-m`.

    Raises:
        ConfigError: a job is refused; none has started.
        RunError: a job failed; its folder says why.
        KeyboardInterrupt: a job was interrupted, and so is the sweep.
    """
    check_sweep(words)
    folders: list[Path] = []

    def job(values: Any) -> float:
        from hydra.core.hydra_config import HydraConfig

        hydra = HydraConfig.get()
        folders.append(Path(hydra.sweep.dir))
        return run_job(checked("train", values), hydra, words)

    try:
        call_hydra("train", ["-m", *words], job)
    finally:
        # Hydra raises a job's error when all have ended
        if folders and not isinstance(sys.exception(), KeyboardInterrupt):
            for line in ranking(folders[0]):
                log.info("%s", line)
            print(folders[0])
            log.info("next: vae-evaluate run=%s", folders[0])
            log.info("      vae-anomaly run=%s", folders[0])


def run_job(config: TrainConfig, hydra: Any, words: list[str]) -> float:
    """Train one job in a child process.

    Args:
        config: the job's config.
        hydra: Hydra's own config, for the sweep's folder and the job's number.
        words: of the sweep; what they say of all jobs is no part of a job's name.

    Returns:
        the best validation bound, nats per image: what a sweep minimises.

    Raises:
        RunError: the job failed; its folder says why.
        KeyboardInterrupt: the job was interrupted, and so is the sweep.
    """
    typed = {word.lower() for word in words}  # Hydra writes True for true
    varied = ",".join(o for o in hydra.overrides.task if o.lower() not in typed)
    safe = re.sub(r"[^\w=.,+-]", "_", varied)[:100]
    name = f"{hydra.job.num}-{safe}" if safe else str(hydra.job.num)
    folder = RunFolder(Path(hydra.sweep.dir) / name)
    tracker = config.tracker.in_sweep(folder.path.parent)
    config = dataclasses.replace(config, run_dir=str(folder.path), tracker=tracker)
    status = _train_in_child({"config": dataclasses.asdict(config), "argv": sys.argv})
    if status in (130, -signal.SIGINT, -signal.SIGTERM):
        raise KeyboardInterrupt
    if status:
        raise RunError(f"job {hydra.job.num} ({varied}) failed; see {folder}")
    rows = folder.read_json(folder.metrics_json)
    return float(rows[f"best_{config.objective.bound}"])


def _train_in_child(job: dict[str, Any]) -> int:
    """Train in a new process; returns its exit status."""
    # in its own session, so that a terminal's Ctrl-C reaches it through us, once
    child = subprocess.Popen(
        [sys.executable, "-P", "-m", "vae_cli.commands._job"],
        stdin=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    with handing_on_signals(child.send_signal):
        child.communicate(json.dumps(job))
    return child.returncode
