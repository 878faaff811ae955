"""One job of a sweep, in a process of its own.

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
from types import FrameType
from typing import Any

from vae_cli.commands._main import run_guarded
from vae_cli.config.load import load
from vae_cli.config.schema import TrainConfig
from vae_cli.errors import RunError
from vae_cli.runs.folder import RunFolder
from vae_cli.runs.ranking import ranking

log = logging.getLogger("vae_cli")


def run_job(config: TrainConfig, hydra: Any) -> float:
    """Train one job in a child process.

    Args:
        config: the job's config.
        hydra: Hydra's own config, for the sweep's folder and the job's number.

    Returns:
        the best validation bound, nats per image.

    Raises:
        RunError: the job failed; its folder says why.
        KeyboardInterrupt: the job was interrupted, and so is the sweep.
    """
    # named by what varies: an override that was typed as it is, doesn't
    typed = {word.lower() for word in sys.argv}  # Hydra writes True for true
    words = ",".join(o for o in hydra.overrides.task if o.lower() not in typed)
    safe = re.sub(r"[^\w=.,+-]", "_", words)[:100]
    name = f"{hydra.job.num}-{safe}" if safe else str(hydra.job.num)
    folder = RunFolder(Path(hydra.sweep.dir) / name)
    config = dataclasses.replace(config, run_dir=str(folder.path), anomaly=False)
    job = {"config": dataclasses.asdict(config), "argv": sys.argv}
    status = _call(
        [sys.executable, "-P", "-m", "vae_cli.commands.sweep"], json.dumps(job)
    )
    if status in (130, -signal.SIGINT, -signal.SIGTERM):
        raise KeyboardInterrupt
    if status:
        raise RunError(f"job {hydra.job.num} ({words}) failed; see {folder}")
    rows = folder.read_json(folder.metrics_json)
    return float(rows[f"best_{config.objective.bound}"])


def after_sweep(config: TrainConfig, folder: Path, failed: bool) -> None:
    """Rank the jobs, say where they are, and score their anomalies if asked for.

    Args:
        config: of the first job.
        folder: the sweep's.
        failed: whether a job did; anomalies are then left to be scored by hand.
    """
    for line in ranking(folder):
        log.info("%s", line)
    print(folder)
    if config.anomaly and not failed:
        score_anomalies(folder)


def score_anomalies(folder: Path) -> None:
    """Run `vae-anomaly` on a run or on a folder of runs.

    Raises:
        RunError: it failed; it has said why.
    """
    command = [sys.executable, "-P", "-m", "vae_cli", "anomaly", f"run={folder}"]
    if _call(command, ""):
        raise RunError(f"{folder} is trained, but its anomalies could not be scored.")


def _call(command: list[str], text: str) -> int:
    """Run a child to its end, handing on the signals that ask us to stop."""
    # in a session of its own, so that a terminal's Ctrl-C comes through us, once
    child = subprocess.Popen(
        command, stdin=subprocess.PIPE, text=True, start_new_session=True
    )

    def hand_on(number: int, frame: FrameType | None) -> None:
        child.send_signal(number)

    before = {n: signal.signal(n, hand_on) for n in (signal.SIGINT, signal.SIGTERM)}
    try:
        child.communicate(text)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    return child.returncode


def main() -> int:
    """Train the job that comes on standard input."""
    from vae_cli.commands.train import start

    job = json.load(sys.stdin)
    sys.argv = job["argv"]
    start(load(TrainConfig, job["config"]))
    return 0


if __name__ == "__main__":
    run_guarded(main)
